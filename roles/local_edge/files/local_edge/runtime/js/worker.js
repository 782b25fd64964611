// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** From a stored Worker to what workerd's loader takes. The edge and the validator make the same. */
import SHIM from "./shim.txt";

const SHIM_NAME = "__local_edge/shim.js";
const BINDINGS_NAME = "__local_edge/bindings.js";
const MAIN_NAME = "__local_edge_main.js";

/** The entrypoint through which an isolate is told to end itself. */
export const EVICT = "__LocalEdgeEvict";
/** The entrypoint through which the validator asks what a Worker exports. */
export const PROBE = "__LocalEdgeProbe";

/** Types of bindings whose object in `env` is made by the shim, around a stub. */
const SHIMMED = new Set(["kv_namespace", "dispatch_namespace"]);

const LOADED = {
  js: (body) => ({ js: body }),
  cjs: (body) => ({ cjs: body }),
  text: (body) => ({ text: body }),
  json: (body) => ({ json: JSON.parse(body) }),
  data: (body) => ({ data: Uint8Array.fromBase64(body).buffer }),
  wasm: (body) => ({ wasm: Uint8Array.fromBase64(body).buffer }),
};

/**
 * @param definition `{main, modules: [{name, kind, body}], date, flags, bindings, values, has_default}`
 * @param reach what stands behind a binding that is more than a value
 * @param probe whether the main module tells what the Worker exports instead of exporting it
 */
export function assemble(definition, reach, probe = false) {
  const { main, modules, date, flags, bindings, values } = definition;
  const shims = Object.fromEntries(bindings.filter(({ type }) => SHIMMED.has(type)).map(({ name, type }) => [name, type]));
  return {
    compatibilityDate: date,
    compatibilityFlags: flags,
    allowExperimental: true,
    mainModule: MAIN_NAME,
    modules: {
      ...Object.fromEntries(modules.map(({ name, kind, body }) => [name, LOADED[kind](body)])),
      [MAIN_NAME]: { js: probe ? probeOf(main) : mainOf(main, definition.has_default) },
      [BINDINGS_NAME]: { js: `import { wrap } from "./shim.js";\nwrap(${JSON.stringify(shims)});\n` },
      [SHIM_NAME]: { js: SHIM },
    },
    env: { ...values, ...Object.fromEntries(bindings.map((binding) => [binding.name, reach(binding)])) },
  };
}

/** Bindings first: the Worker's own top-level code may already use them. */
function mainOf(main, hasDefault) {
  const user = JSON.stringify(`./${main}`);
  return [
    `import "./${BINDINGS_NAME}";`,
    `export * from ${user};`,
    hasDefault ? `export { default } from ${user};` : "",
    `export { Evict as ${EVICT} } from "./${SHIM_NAME}";`,
  ].join("\n");
}

function probeOf(main) {
  return [
    `import "./${BINDINGS_NAME}";`,
    `import * as user from ${JSON.stringify(`./${main}`)};`,
    `import { probeOf } from "./${SHIM_NAME}";`,
    `export const ${PROBE} = probeOf(user);`,
  ].join("\n");
}
