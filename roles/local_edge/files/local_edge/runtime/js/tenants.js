// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Workers by key (`account/namespace/name`, the namespace empty for a Worker of the account), looked up when first asked for and kept
 * until they change; and their isolates, of which those go that have not been used the longest.
 *
 * What is kept are plain values only: a promise or a stub belongs to the request that made it.
 */
import { answerFirst, prepared } from "./assets.js";
import { forgetBodies } from "./bodies.js";
import { found } from "./control.js";
import { cfOf } from "./request_cf.js";
import { EVICT, assemble } from "./worker.js";
import { forgetRoutes } from "./routes.js";
import { forgetPairs } from "./backends/kv.js";

/** Workers by key, as the control plane defines them, each with the names of its isolates by variant. */
const workers = new Map();
/** Isolates by name, the least recently used first: whose they are, and which variant. */
const isolates = new Map();
/** Look-ups under way, so that a change can tell those that began before it that what they bring is old. */
const flights = new Set();

/** How many variants of a Worker stay: parameters that differ with every request must not fill the memory. */
const MAX_VARIANTS = 16;
/** How many requests may be inside a Worker at once. What loops through bindings gets there soon, and nothing else does. */
const MAX_CONCURRENT = 500;
const LOOP = "Subrequest depth limit exceeded. This request recursed through Workers too many times. This can happen e.g. if you have a Worker or "
  + "Durable Object that calls other Workers or objects recursively.";

/** The Worker of a key, if it is at hand. */
export function known(key) {
  return workers.get(key);
}

/** The Worker of a key, or null where there is none. */
export async function lookUp(key, env) {
  for (;;) {
    if (workers.has(key)) return workers.get(key);
    const flight = { key, stale: false };
    flights.add(flight);
    try {
      const response = await found(env, `/script/${key.split("/").map(encodeURIComponent).join("/")}`);
      if (!response) return null;
      const worker = await response.json();
      if (flight.stale || workers.has(key)) continue;
      if (worker.assets) worker.assets = prepared(worker.assets);
      workers.set(key, Object.assign(worker, { key, names: new Map(), inside: 0 }));
      return worker;
    } finally {
      flights.delete(flight);
    }
  }
}

/** Whether an isolate is still loaded. */
export function isLoaded(name) {
  return isolates.has(name);
}

/**
 * The name of a Worker's isolate. A variant is an isolate of its own: `values` come on top of its bindings, `outbound` is where all goes that
 * it fetches, `tails` are told of its requests.
 */
export function nameOf(worker, variant) {
  const suffix = variant ? JSON.stringify(variant) : "";
  let name = worker.names.get(suffix);
  if (name === undefined) {
    name = `${worker.key}@${worker.version}${suffix}`;
    worker.names.set(suffix, name);
  }
  return name;
}

/** An isolate of a Worker. Its code is at hand before the loader asks: one failed answer poisons a name for ever. */
export function isolateOf(worker, env, ctx, variant) {
  const name = nameOf(worker, variant);
  const fresh = !isolates.delete(name);
  isolates.set(name, { worker, variant });
  if (fresh) makeRoom(worker, env, ctx);
  return stubOf(name, worker, env, ctx, variant);
}

function stubOf(name, worker, env, ctx, variant) {
  return env.LOADER.get(name, () => assemble(worker, env, ctx, variant));
}

function makeRoom(worker, env, ctx) {
  if (worker.names.size > MAX_VARIANTS) evict(worker.names.values().next().value, env, ctx);
  while (isolates.size > env.MAX_ISOLATES) evict(isolates.keys().next().value, env, ctx);
}

/** The loader never lets go of an isolate: it must be told to end itself. Requests in flight are still answered, and what they
 * have handed to `waitUntil` is done. */
function evict(name, env, ctx) {
  const { worker, variant } = isolates.get(name);
  const stub = stubOf(name, worker, env, ctx, variant);
  isolates.delete(name);
  worker.names.delete(variant ? JSON.stringify(variant) : "");
  if (!worker.names.size && workers.get(worker.key) === worker) workers.delete(worker.key);
  ctx.waitUntil(stub.getEntrypoint(EVICT).evict().catch(() => {}));
}

/** Drop what has changed: keys, prefixes of keys (ending in a slash), `routes`, `kv:` with a namespace, or `*` for everything. */
export function forget(changes, env, ctx) {
  for (const change of changes) {
    if (change === "routes" || change === "*") forgetRoutes();
    if (change.startsWith("kv:") || change === "*") forgetPairs(change);
    const concerns = (key) => change === "*" || (change.endsWith("/") ? key.startsWith(change) : key === change);
    if (change.endsWith("/") || change === "*") forgetBodies(concerns);
    for (const flight of flights) if (concerns(flight.key)) flight.stale = true;
    const doomed = change === "*" || change.endsWith("/") ? [...workers.values()].filter(({ key }) => concerns(key)) : [workers.get(change)];
    for (const worker of doomed) if (worker) drop(worker, env, ctx);
  }
}

function drop(worker, env, ctx) {
  workers.delete(worker.key);
  for (const name of [...worker.names.values()]) if (isolates.has(name)) evict(name, env, ctx);
}

/** An entrypoint of a Worker, as a stub for one request. */
export function entrypointOf(worker, env, ctx, { entrypoint, props, limits, variant } = {}) {
  return isolateOf(worker, env, ctx, variant).getEntrypoint(entrypoint, { props, limits });
}

/** The answer of a Worker: of its assets where they come first and have one, else of its code. */
export async function serve(worker, request, env, ctx, options = {}) {
  if (worker.inside >= MAX_CONCURRENT) throw new Error(LOOP);
  worker.inside += 1;
  try {
    if (worker.assets && !options.entrypoint) {
      const response = await answerFirst(worker, request, env);
      if (response) return response;
    }
    return await forward(entrypointOf(worker, env, ctx, options), request, cfOf(worker, options.cf));
  } finally {
    worker.inside -= 1;
  }
}

/** Pass a request on, rebuilt from its URL: otherwise it would carry the `cf` of where it came from. */
export function forward(target, { url, method, headers, body }, cf) {
  return target.fetch(url, { method, headers, body, redirect: "manual", cf });
}
