// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The bodies of static assets. A hash names its content, so what is kept of them is never stale. */
import { found } from "./control.js";
import { Kept } from "./lru_cache.js";

/** How many bytes are kept, and how large a body may be that is; larger ones are passed on as they come. */
const ROOM = 64 * 1024 * 1024;
const MAX_SIZE = 1024 * 1024;
/** Bodies by account, namespace and hash. */
const kept = new Kept(ROOM, MAX_SIZE);

/** `{body, cacheStatus}` of a hash: `HIT` where it was at hand. */
export async function bodyOf({ account, namespace }, hash, env) {
  const key = `${account}/${namespace}/${hash}`;
  const body = kept.get(key);
  return body ? { body, cacheStatus: "HIT" } : { body: await bring(key, env), cacheStatus: "MISS" };
}

/** Drop the bodies whose keys are concerned. */
export function forgetBodies(concerns) {
  kept.deleteAll(concerns);
}

async function bring(key, env) {
  const response = await found(env, `/asset/${key.split("/").map(encodeURIComponent).join("/")}`);
  if (!response) throw new Error(`The control plane of the local edge has no asset ${key}.`);
  if (Number(response.headers.get("content-length")) > MAX_SIZE) return response.body;
  const body = await response.arrayBuffer();
  kept.set(key, body, body.byteLength);
  return body;
}
