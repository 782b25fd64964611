// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Invalidation of the edge's caches. `invalidation.py` writes the wire format. */
import { invalidateAllPairs, invalidatePairs } from "./backends/kv.js";
import { resetActiveObjects } from "./backends/objects.js";
import { invalidateBodies } from "./bodies.js";
import { invalidateRoutes } from "./routes.js";
import { invalidateWorker, invalidateWorkers } from "./tenants.js";

/** Drop cached state, a list of `{target, key}`, and wait until the Durable Objects of changed Workers are reset. */
export async function invalidate(changes, env, ctx) {
  await Promise.all(changes.map((change) => drop(change, env, ctx)));
}

function drop({ target, key }, env, ctx) {
  const isWithin = (workerKey) => workerKey.startsWith(key);
  switch (target) {
    case "worker":
      invalidateWorker(key, env, ctx);
      return resetActiveObjects((workerKey) => workerKey === key, env);
    case "scope":
      invalidateBodies(isWithin);
      invalidateWorkers(isWithin, env, ctx);
      return resetActiveObjects(isWithin, env);
    case "routes":
      return invalidateRoutes();
    case "kv_namespace":
      return invalidatePairs(key);
    case "everything":
      invalidateRoutes();
      invalidateAllPairs();
      invalidateBodies(() => true);
      return invalidateWorkers(() => true, env, ctx);
    default:
      throw new Error(`The edge cannot invalidate ${target}.`);
  }
}
