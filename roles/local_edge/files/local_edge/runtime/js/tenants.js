// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Workers by key (`account/namespace/name`, with an empty namespace for Workers of the account). They are loaded on
 * first use and cached until they change. Their isolates are evicted least recently used first.
 *
 * Only plain values are cached: a promise or a stub belongs to the request that created it.
 */
import { answerFirst, prepareAssets } from "./assets.js";
import { fetchFromControl } from "./control.js";
import { requestCf } from "./request_cf.js";
import { EVICT, buildWorkerCode } from "./worker.js";

/** Worker definitions by key, each with the names of its isolates by variant. */
const workers = new Map();
/** The Worker and variant of each isolate by name, the least recently used first. */
const isolates = new Map();
/** Loads in progress: a change marks those that began before it as stale. */
const pendingLoads = new Set();

/** Variants per Worker: parameters that differ with every request must not fill the memory. */
const MAX_VARIANTS = 16;
/** Concurrent requests per Worker. In practice only loops through bindings reach this limit. */
const MAX_CONCURRENT = 500;
export const LOOP_MESSAGE =
  "Subrequest depth limit exceeded. This request recursed through Workers too many times. "
  + "This can happen e.g. if you have a Worker or Durable Object that calls other Workers or objects recursively.";

/** Return the Worker of a key if it is cached. */
export function getCached(key) {
  return workers.get(key);
}

/** Return the Worker of a key, null if it does not exist. */
export async function load(key, env) {
  for (;;) {
    if (workers.has(key)) return workers.get(key);
    const pending = { key, stale: false };
    pendingLoads.add(pending);
    try {
      const response = await fetchFromControl(env, `/script/${key.split("/").map(encodeURIComponent).join("/")}`);
      if (!response) return null;
      const worker = await response.json();
      if (pending.stale || workers.has(key)) continue;
      if (worker.assets) worker.assets = prepareAssets(worker.assets);
      workers.set(key, Object.assign(worker, { key, names: new Map(), active: 0 }));
      return worker;
    } finally {
      pendingLoads.delete(pending);
    }
  }
}

/** Return whether an isolate is still loaded. */
export function isLoaded(name) {
  return isolates.has(name);
}

/**
 * The name of a Worker's isolate. Each variant has its own: `values` override bindings, `outbound` receives all
 * requests that it sends, `tails` receive its trace events.
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

/** Return an isolate of a Worker. Its code is loaded before, since one failed load would break the name for good. */
export function getIsolate(worker, env, ctx, variant) {
  const name = nameOf(worker, variant);
  const fresh = !isolates.delete(name);
  isolates.set(name, { worker, variant });
  if (fresh) evictIfNeeded(worker, env, ctx);
  return stubOf(name, worker, env, ctx, variant);
}

function stubOf(name, worker, env, ctx, variant) {
  return env.LOADER.get(name, () => buildWorkerCode(worker, env, ctx, variant));
}

function evictIfNeeded(worker, env, ctx) {
  if (worker.names.size > MAX_VARIANTS) evict(worker.names.values().next().value, env, ctx);
  while (isolates.size > env.MAX_ISOLATES) evict(isolates.keys().next().value, env, ctx);
}

/**
 * End an isolate, since the loader never evicts any. Requests in flight are answered, and `waitUntil` promises are
 * awaited.
 */
function evict(name, env, ctx) {
  const { worker, variant } = isolates.get(name);
  const stub = stubOf(name, worker, env, ctx, variant);
  isolates.delete(name);
  worker.names.delete(variant ? JSON.stringify(variant) : "");
  if (!worker.names.size && workers.get(worker.key) === worker) workers.delete(worker.key);
  ctx.waitUntil(
    stub
      .getEntrypoint(EVICT)
      .evict()
      .catch(() => {}),
  );
}

/** Drop a Worker and its isolates. */
export function invalidateWorker(key, env, ctx) {
  for (const pending of pendingLoads) if (pending.key === key) pending.stale = true;
  if (workers.has(key)) drop(workers.get(key), env, ctx);
}

/** Drop the Workers whose keys match, and their isolates. */
export function invalidateWorkers(matches, env, ctx) {
  for (const pending of pendingLoads) if (matches(pending.key)) pending.stale = true;
  for (const worker of [...workers.values()]) if (matches(worker.key)) drop(worker, env, ctx);
}

function drop(worker, env, ctx) {
  workers.delete(worker.key);
  for (const name of [...worker.names.values()]) if (isolates.has(name)) evict(name, env, ctx);
}

/** Return an entrypoint of a Worker as a stub for one request. */
export function entrypointOf(worker, env, ctx, { entrypoint, props, limits, variant } = {}) {
  return getIsolate(worker, env, ctx, variant).getEntrypoint(entrypoint, { props, limits });
}

/** Answer a request from the assets of a Worker or from its code. */
export async function serve(worker, request, env, ctx, options = {}) {
  if (worker.active >= MAX_CONCURRENT) throw new Error(LOOP_MESSAGE);
  worker.active += 1;
  try {
    if (worker.assets && !options.entrypoint) {
      const response = await answerFirst(worker, request, env);
      if (response) return response;
    }
    return await forward(entrypointOf(worker, env, ctx, options), request, requestCf(worker, options.cf));
  } finally {
    worker.active -= 1;
  }
}

/** Pass a request on, rebuilt from its URL: otherwise it would keep its original `cf`. */
export function forward(target, { url, method, headers, body }, cf) {
  return target.fetch(url, { method, headers, body, redirect: "manual", cf });
}
