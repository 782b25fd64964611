// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** A cache of the bodies of static assets. Keys contain the hash of the content, so entries never become stale. */
import { fetchFromControl } from "./control.js";
import { LruCache } from "./lru_cache.js";

/** The size of the cache, and the largest body in it, in bytes. Larger bodies are streamed. */
const CAPACITY = 64 * 1024 * 1024;
const MAX_SIZE = 1024 * 1024;
/** Bodies by account, namespace and hash. */
const cache = new LruCache(CAPACITY, MAX_SIZE);

/** Return `{body, cacheStatus}` of a hash. The status is `HIT` if the body was cached. */
export async function bodyOf({ account, namespace }, hash, env) {
  const key = `${account}/${namespace}/${hash}`;
  const body = cache.get(key);
  return body ? { body, cacheStatus: "HIT" } : { body: await fetchBody(key, env), cacheStatus: "MISS" };
}

/** Drop the bodies whose keys match. */
export function invalidateBodies(matches) {
  cache.deleteWhere(matches);
}

async function fetchBody(key, env) {
  const response = await fetchFromControl(env, `/asset/${key.split("/").map(encodeURIComponent).join("/")}`);
  if (!response) throw new Error(`The control plane of the local edge has no asset ${key}.`);
  if (Number(response.headers.get("content-length")) > MAX_SIZE) return response.body;
  const body = await response.arrayBuffer();
  cache.set(key, body, body.byteLength);
  return body;
}
