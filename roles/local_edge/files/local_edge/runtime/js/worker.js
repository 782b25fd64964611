// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Build the code for workerd's loader from a Worker definition, for the edge and the validator. */
import { backendOf, shimOf } from "./bindings.js";
import { DEFAULT_CF } from "./request_cf.js";

const INTERNAL_DIR = "__local_edge";
const MAIN = "__local_edge_main.js";

/** The entrypoint that ends an isolate. */
export const EVICT = "__LocalEdgeEvict";
/** The entrypoint that lists the exports of a Worker for the validator. */
export const PROBE = "__LocalEdgeProbe";
/** The entrypoint that receives tail events of other Workers. */
export const RECEIVER = "__LocalEdgeReceiver";
/** The method that an alarm of a Durable Object calls. */
export const ALARM = "__localEdgeAlarm";

/** The compatibility date from which stubs have methods. */
const RPC_SINCE = "2024-04-03";

/** Variables of CommonJS modules that scripts must not see. */
const NOT_IN_SCRIPTS = ["module", "exports", "require", "__filename", "__dirname"];

const MODULE_LOADERS = {
  js: (body) => ({ js: body }),
  cjs: (body) => ({ cjs: body }),
  script: (body) => ({ cjs: `(function (${NOT_IN_SCRIPTS}) {${body}\n}).call(globalThis);` }),
  text: (body) => ({ text: body }),
  json: (body) => ({ json: JSON.parse(body) }),
  data: (body) => ({ data: Uint8Array.fromBase64(body).buffer }),
  wasm: (body) => ({ wasm: Uint8Array.fromBase64(body).buffer }),
};

/**
 * @param worker `{main, modules: [{name, kind, body}], date, flags, bindings, values, blobs, keys, has_default,
 *   classes, script}`
 * @param ctx its `exports` are the backends of bindings, omitted for validation
 * @param variant `{values, outbound, tails}`, see `nameOf`
 */
export function buildWorkerCode(worker, env, ctx, { values, outbound, tails = [] } = {}) {
  const backendFor = (binding) => (ctx ? backendOf(binding, worker, env, ctx) : {});
  const internalEnv = { keys: worker.keys, defaultCache: worker.default_cache, ...(ctx && internalEnvOf(worker, env, ctx)) };
  return {
    compatibilityDate: worker.date,
    compatibilityFlags: flagsOf(worker),
    allowExperimental: true,
    mainModule: MAIN,
    modules: {
      ...Object.fromEntries(worker.modules.map((module) => [module.name, loadedModule(module, worker)])),
      ...Object.fromEntries(Object.entries(env.SHIMS).map(([name, body]) => [`${INTERNAL_DIR}/${name}`, { js: body }])),
      [`${INTERNAL_DIR}/bindings.js`]: { js: bindingsOf(worker) },
      [MAIN]: { js: ctx ? mainOf(worker) : probeOf(worker) },
    },
    env: {
      ...worker.values,
      ...values,
      ...Object.fromEntries(worker.bindings.map((binding) => [binding.name, backendFor(binding)])),
      __LOCAL_EDGE: internalEnv,
    },
    ...(ctx && {
      globalOutbound: outboundService(worker, outbound, env, ctx),
      tails: [...(worker.tails ?? []), ...tails].map((consumer) =>
        ctx.exports.Tail({ props: { consumer, key: worker.key } }),
      ),
    }),
  };
}

/** Enable RPC, which the backends of bindings use, for dates before it was the default. */
function flagsOf({ date, flags }) {
  return [...flags.filter((flag) => flag !== "rpc" && flag !== "no_rpc"), ...(date < RPC_SINCE ? ["rpc"] : [])];
}

/** A module for the loader. If the Worker has keys, each module imports bindings.js, so that it waits for the keys. */
function loadedModule({ name, kind, body }, { keys }) {
  if (kind !== "js" || !keys.length) return MODULE_LOADERS[kind](body);
  const up = "../".repeat(name.split("/").length - 1) || "./";
  return MODULE_LOADERS.js(`${body}\nimport "${up}${INTERNAL_DIR}/bindings.js";`);
}

/** The internal environment of a Worker's isolate, see `shims/worker.js`. */
function internalEnvOf(worker, env, ctx) {
  const namespaces = Object.values(worker.classes).map(({ id }) => id);
  return {
    log: `${env.LOG} ${worker.key}`,
    caches: ctx.exports.Caches({ props: { scope: worker.caches } }),
    defaultCf: worker.trusted ? DEFAULT_CF : null,
    d1: env.D1,
    alarms: namespaces.length ? ctx.exports.Alarms({ props: { namespaces } }) : null,
  };
}

function outboundService({ account, key, flags }, outbound, env, ctx) {
  if (outbound) return ctx.exports.OutboundDispatch({ props: { account, ...outbound } });
  const props = { account, key, strictlyPublic: flags.includes("global_fetch_strictly_public") };
  return env.EGRESS === "internet" ? ctx.exports.Outbound({ props }) : ctx.exports.NoEgress({ props });
}

/** The module that wraps bindings in their shims before the Worker's top-level code runs. */
function bindingsOf({ bindings, blobs, keys, script }) {
  const shimmed = bindings.map((binding) => ({ ...binding, shim: shimOf(binding) })).filter((binding) => binding.shim);
  const makers = new Map(shimmed.map(({ shim: [file, name] }) => [name, file]));
  return [
    `import { env } from "cloudflare:workers";`,
    ...[...makers].map(([name, file]) => `import { ${name} } from "./${file}.js";`),
    ...blobs.map(({ part }, index) => `import blob${index} from ${JSON.stringify(`../${part}`)};`),
    ...blobs.map(({ name }, index) => `env[${JSON.stringify(name)}] = blob${index};`),
    ...shimmed.map(
      ({ name, shim: [, maker, argument] }) =>
        `env[${JSON.stringify(name)}] = ${maker}(env[${JSON.stringify(name)}], ${JSON.stringify(argument ?? null)});`,
    ),
    ...(keys.length ? [`import { importKeys } from "./keys.js";`, `await importKeys();`] : []),
    ...(script ? [`import { prepareScript } from "./worker.js";`, `prepareScript();`] : []),
  ].join("\n");
}

/** The main module: the Worker's exports, instrumented to log exceptions. Classes must be exported by their names. */
function mainOf({ main, has_default: hasDefault, classes, script }) {
  const user = JSON.stringify(`./${main}`);
  const lines = [
    ...["worker", "caches", "bindings"].map((name) => `import "./${INTERNAL_DIR}/${name}.js";`),
    `export { Evict as ${EVICT} } from "./${INTERNAL_DIR}/worker.js";`,
  ];
  if (script) {
    return [
      ...lines,
      `export { ScriptReceiver as ${RECEIVER} } from "./${INTERNAL_DIR}/worker.js";`,
      `await import(${user});`,
    ].join("\n");
  }
  const objects = Object.entries(classes);
  return [
    ...lines,
    `import * as user from ${user};`,
    `export * from ${user};`,
    ...(hasDefault
      ? [
          `import { receiver, instrument } from "./${INTERNAL_DIR}/worker.js";`,
          `export default instrument(user.default);`,
          `export const ${RECEIVER} = receiver(user.default);`,
        ]
      : []),
    ...(objects.length ? [`import { objectClass } from "./${INTERNAL_DIR}/objects.js";`] : []),
    ...objects.map(([name, { sqlite }]) => `export const ${name} = objectClass(user.${name}, ${Boolean(sqlite)});`),
  ].join("\n");
}

function probeOf({ main, script }) {
  const user = JSON.stringify(`./${main}`);
  return [
    ...["caches", "bindings"].map((name) => `import "./${INTERNAL_DIR}/${name}.js";`),
    script ? `await import(${user}); const user = {};` : `import * as user from ${user};`,
    `import { probeOf } from "./${INTERNAL_DIR}/worker.js";`,
    `export const ${PROBE} = probeOf(user);`,
  ].join("\n");
}
