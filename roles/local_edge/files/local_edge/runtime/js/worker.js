// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** From a stored Worker to what workerd's loader takes. The edge and the validator make the same. */
import { behind, inside } from "./bindings.js";
import { PLACE } from "./request_cf.js";

const ROOM = "__local_edge";
const MAIN = "__local_edge_main.js";

/** The entrypoint through which an isolate is told to end itself. */
export const EVICT = "__LocalEdgeEvict";
/** The entrypoint through which the validator asks what a Worker exports. */
export const PROBE = "__LocalEdgeProbe";
/** The entrypoint that takes what is told of other Workers' requests. */
export const RECEIVER = "__LocalEdgeReceiver";
/** The method that an alarm of a Durable Object calls. */
export const ALARM = "__localEdgeAlarm";

/** The compatibility date from which stubs have methods. */
const RPC_SINCE = "2024-04-03";

/** What a module has around it and a script has not. */
const NOT_IN_SCRIPTS = ["module", "exports", "require", "__filename", "__dirname"];

const LOADED = {
  js: (body) => ({ js: body }),
  cjs: (body) => ({ cjs: body }),
  script: (body) => ({ cjs: `(function (${NOT_IN_SCRIPTS}) {${body}\n}).call(globalThis);` }),
  text: (body) => ({ text: body }),
  json: (body) => ({ json: JSON.parse(body) }),
  data: (body) => ({ data: Uint8Array.fromBase64(body).buffer }),
  wasm: (body) => ({ wasm: Uint8Array.fromBase64(body).buffer }),
};

/**
 * @param worker `{main, modules: [{name, kind, body}], date, flags, bindings, values, blobs, keys, has_default, classes, script}`
 * @param ctx whose `exports` are what bindings lead to; without one the Worker is only looked at
 * @param variant `{values, outbound, tails}`, see `nameOf`
 */
export function assemble(worker, env, ctx, { values, outbound, tails = [] } = {}) {
  const reached = (binding) => (ctx ? behind(binding, worker, env, ctx) : {});
  const hidden = { keys: worker.keys, ...(ctx && hiddenOf(worker, env, ctx)) };
  return {
    compatibilityDate: worker.date,
    compatibilityFlags: flagsOf(worker),
    allowExperimental: true,
    mainModule: MAIN,
    modules: {
      ...Object.fromEntries(worker.modules.map((module) => [module.name, loaded(module, worker)])),
      ...Object.fromEntries(Object.entries(env.SHIMS).map(([name, body]) => [`${ROOM}/${name}`, { js: body }])),
      [`${ROOM}/bindings.js`]: { js: bindingsOf(worker) },
      [MAIN]: { js: ctx ? mainOf(worker) : probeOf(worker) },
    },
    env: {
      ...worker.values,
      ...values,
      ...Object.fromEntries(worker.bindings.map((binding) => [binding.name, reached(binding)])),
      __LOCAL_EDGE: hidden,
    },
    ...(ctx && {
      globalOutbound: wayOut(worker, outbound, env, ctx),
      tails: [...(worker.tails ?? []), ...tails].map((consumer) => ctx.exports.Tail({ props: { consumer, key: worker.key } })),
    }),
  };
}

/** What stands behind bindings is called by methods, which stubs had not always. */
function flagsOf({ date, flags }) {
  return [...flags.filter((flag) => flag !== "rpc" && flag !== "no_rpc"), ...(date < RPC_SINCE ? ["rpc"] : [])];
}

/** A module as the loader takes it. Keys are imported by a promise: for that each module waits, once it imports what does so. */
function loaded({ name, kind, body }, { keys }) {
  if (kind !== "js" || !keys.length) return LOADED[kind](body);
  const up = "../".repeat(name.split("/").length - 1) || "./";
  return LOADED.js(`${body}\nimport "${up}${ROOM}/bindings.js";`);
}

/** What a Worker's isolate gets beside its bindings, see `shims/worker.js`. */
function hiddenOf(worker, env, ctx) {
  const namespaces = Object.values(worker.classes).map(({ id }) => id);
  return {
    log: `${env.LOG} ${worker.key}`,
    caches: ctx.exports.Caches({ props: { scope: worker.caches } }),
    place: worker.trusted ? PLACE : null,
    d1: env.D1,
    alarms: namespaces.length ? ctx.exports.Alarms({ props: { namespaces } }) : null,
  };
}

function wayOut({ account }, outbound, env, ctx) {
  if (outbound) return ctx.exports.Through({ props: { account, ...outbound } });
  return env.EGRESS === "internet" ? ctx.exports.Outbound({}) : ctx.exports.Blocked({});
}

/** Bindings get their classes before the Worker's own top-level code may use them. */
function bindingsOf({ bindings, blobs, keys, script }) {
  const classed = bindings.map((binding) => ({ ...binding, inside: inside(binding) })).filter((binding) => binding.inside);
  const makers = new Map(classed.map(({ inside: [file, name] }) => [name, file]));
  return [
    `import { env } from "cloudflare:workers";`,
    ...[...makers].map(([name, file]) => `import { ${name} } from "./${file}.js";`),
    ...blobs.map(({ part }, index) => `import blob${index} from ${JSON.stringify(`../${part}`)};`),
    ...blobs.map(({ name }, index) => `env[${JSON.stringify(name)}] = blob${index};`),
    ...classed.map(({ name, inside: [, maker, told] }) => `env[${JSON.stringify(name)}] = ${maker}(env[${JSON.stringify(name)}], ${JSON.stringify(told ?? null)});`),
    ...(keys.length ? [`import { importKeys } from "./keys.js";`, `await importKeys();`] : []),
    ...(script ? [`import { prepareScript } from "./worker.js";`, `prepareScript();`] : []),
  ].join("\n");
}

/** The Worker's own module with its exports as they are, but that what they throw is told; the runtime must know a class by its name. */
function mainOf({ main, has_default: hasDefault, classes, script }) {
  const user = JSON.stringify(`./${main}`);
  const lines = [...["worker", "caches", "bindings"].map((name) => `import "./${ROOM}/${name}.js";`), `export { Evict as ${EVICT} } from "./${ROOM}/worker.js";`];
  if (script) return [...lines, `export { ScriptReceiver as ${RECEIVER} } from "./${ROOM}/worker.js";`, `await import(${user});`].join("\n");
  const objects = Object.entries(classes);
  return [
    ...lines,
    `import * as user from ${user};`,
    `export * from ${user};`,
    ...(hasDefault
      ? [`import { receiver, watch } from "./${ROOM}/worker.js";`, `export default watch(user.default);`, `export const ${RECEIVER} = receiver(user.default);`]
      : []),
    ...(objects.length ? [`import { objectClass } from "./${ROOM}/objects.js";`] : []),
    ...objects.map(([name, { sqlite }]) => `export const ${name} = objectClass(user.${name}, ${Boolean(sqlite)});`),
  ].join("\n");
}

function probeOf({ main, script }) {
  const user = JSON.stringify(`./${main}`);
  return [
    `import "./${ROOM}/bindings.js";`,
    script ? `await import(${user}); const user = {};` : `import * as user from ${user};`,
    `import { probeOf } from "./${ROOM}/worker.js";`,
    `export const ${PROBE} = probeOf(user);`,
  ].join("\n");
}
