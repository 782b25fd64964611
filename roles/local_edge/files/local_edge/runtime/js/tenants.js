// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Workers by key (`account/namespace/name`, the namespace empty for a Worker of the account), loaded when first asked
 * for and kept until they change or have gone unused the longest.
 *
 * The cache holds plain values only: a promise or a stub belongs to the request that made it.
 */
import { answer, notFound, workerFirst } from "./assets.js";
import { EVICT, assemble } from "./worker.js";
import { forgetRoutes } from "./routes.js";

/** Definitions by key, least recently used first. */
const definitions = new Map();
/** No variant, and how many a Worker may have loaded: parameters that differ with every request must not fill the memory. */
const PLAIN = "{}";
const MAX_VARIANTS = 16;
/** Look-ups under way, so that a change can tell those that began before it that what they bring is old. */
const flights = new Set();

/**
 * The Worker of a key as `{definition, isolate}`, or null where there is none; one of assets alone has no isolate.
 *
 * A variant of it is an isolate of its own: `values` come on top of its bindings, `outbound` is where all goes that it fetches.
 */
export async function lookUp(key, env, ctx, variant) {
  let definition = definitions.get(key);
  if (definition) {
    definitions.delete(key);
    definitions.set(key, definition);
  } else {
    definition = await fetchDefinition(key, env, ctx);
  }
  if (!definition?.main) return definition && { definition, isolate: null };
  const suffix = variant ? JSON.stringify(variant) : PLAIN;
  noteVariant(key, definition, env, ctx, suffix);
  return { definition, isolate: isolateOf(key, definition, env, ctx, suffix) };
}

async function fetchDefinition(key, env, ctx) {
  for (;;) {
    const flight = { key, stale: false };
    flights.add(flight);
    try {
      const response = await env.CONTROL.fetch(`http://control/script/${key.split("/").map(encodeURIComponent).join("/")}`);
      if (response.status === 404) return null;
      if (!response.ok) throw new Error(`the control plane answered ${response.status} about a Worker`);
      const definition = await response.json();
      if (flight.stale) continue;
      definitions.set(key, definition);
      makeRoom(env, ctx);
      return definition;
    } finally {
      flights.delete(flight);
    }
  }
}

/** The isolate of a definition. The code is at hand before the loader asks: one failed answer poisons a name for ever. */
function isolateOf(key, definition, env, ctx, suffix) {
  const { values, outbound } = JSON.parse(suffix);
  return env.LOADER.get(`${key}@${definition.version}${suffix}`, () => ({
    ...assemble({ ...definition, values: { ...definition.values, ...values } }, (binding) => reach(binding, key, definition, ctx)),
    globalOutbound: outbound ? ctx.exports.Through({ props: { account: definition.account, ...outbound } }) : wayOut(env, ctx),
  }));
}

function wayOut(env, ctx) {
  return env.EGRESS === "internet" ? ctx.exports.Outbound({}) : ctx.exports.Blocked({});
}

/** Remember which variants are loaded, the last used at the end, and let go of the first beyond some. */
function noteVariant(key, definition, env, ctx, suffix) {
  const loaded = (definition.loaded ??= new Set());
  loaded.delete(suffix);
  loaded.add(suffix);
  if (loaded.size > MAX_VARIANTS) endVariant(key, definition, env, ctx, loaded.values().next().value);
}

function endVariant(key, definition, env, ctx, suffix) {
  const isolate = isolateOf(key, definition, env, ctx, suffix);
  definition.loaded.delete(suffix);
  ctx.waitUntil(isolate.getEntrypoint(EVICT).evict().catch(() => {}));
}

/** What stands behind a binding that is more than a value. */
function reach(binding, key, { account }, ctx) {
  const { namespace_id, namespace, outbound, service, entrypoint, props } = binding;
  switch (binding.type) {
    case "kv_namespace":
      return ctx.exports.KV({ props: { namespace: namespace_id } });
    case "dispatch_namespace":
      return ctx.exports.Dispatch({ props: { account, namespace, outbound } });
    case "assets":
      return ctx.exports.Assets({ props: { key } });
    case "service":
      return ctx.exports.Service({ props: { account, service, entrypoint, props } });
    default:
      throw new Error(`a binding of type ${binding.type} reached the edge`);
  }
}

/** Drop what has changed: keys, prefixes of keys (ending in a slash), or `routes`. */
export function forget(changes, env, ctx) {
  for (const change of changes) {
    if (change === "routes") {
      forgetRoutes();
      continue;
    }
    const concerns = (key) => (change.endsWith("/") ? key.startsWith(change) : key === change);
    for (const flight of flights) if (concerns(flight.key)) flight.stale = true;
    const doomed = change.endsWith("/") ? [...definitions.keys()].filter(concerns) : [change];
    for (const key of doomed) evict(key, env, ctx);
  }
}

function makeRoom(env, ctx) {
  while (definitions.size > env.MAX_ISOLATES) evict(definitions.keys().next().value, env, ctx);
}

/** The loader never lets go of an isolate: it must be told to end itself. Requests in flight are still answered. */
function evict(key, env, ctx) {
  const definition = definitions.get(key);
  if (!definition) return;
  definitions.delete(key);
  for (const suffix of [...(definition.loaded ?? [])]) endVariant(key, definition, env, ctx, suffix);
}

/** The answer of a Worker: of its files where they come first and one is meant, else of its code. */
export async function serve({ definition, isolate }, request, env, headers = request.headers) {
  if (definition.assets && !(isolate && workerFirst(definition.assets, new URL(request.url).pathname))) {
    const found = await answer(definition, request, env);
    if (found ?? !isolate) return found ?? notFound(definition, request, env);
  }
  return forward(isolate.getEntrypoint(), request, headers);
}

/** Pass a request on, rebuilt from its URL: otherwise it would carry `cf` with the client's address. */
export function forward(target, request, headers = request.headers) {
  const { url, method, body, signal } = request;
  return target.fetch(url, { method, headers, body, redirect: "manual", signal });
}
