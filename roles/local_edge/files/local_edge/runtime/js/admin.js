// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The admin socket: health checks of the supervisor, and actions called by the control plane. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { pointsOf } from "./backends/analytics.js";
import { KIND, callDatabase, databaseOf } from "./backends/d1.js";
import { hostOf, wipe } from "./backends/objects.js";
import { invalidate } from "./invalidation.js";
import { entrypointOf, getCached, load } from "./tenants.js";

export class Admin extends WorkerEntrypoint {
  async fetch(request) {
    const action = ACTIONS[new URL(request.url).pathname];
    if (!action) return new Response("ok");
    try {
      return Response.json((await action(await request.json(), this.env, this.ctx)) ?? null);
    } catch (error) {
      return Response.json({ error: error.message }, { status: 500 });
    }
  }
}

const ACTIONS = {
  "/invalidate": invalidate,
  /** Delete the storage of a Durable Object or a database. */
  "/wipe": ({ kind, id }, env) =>
    kind === KIND ? wipe(env, "databases", databaseOf(env, id)) : wipe(env, "objects", hostOf(env, kind, id)),
  /** Run statements on a database; import or export a file of statements. */
  "/query": async ({ id, queries }, env) => (await callDatabase(env, id, "run", queries)).results,
  "/import": ({ id, file }, env) => callDatabase(env, id, "import", file),
  "/export": ({ id, file, options }, env) => callDatabase(env, id, "export", file, options),
  /** The data points of a dataset. */
  "/points": ({ account, dataset }) => pointsOf(account, dataset),
  /** Run a cron trigger of a Worker: `{outcome, noRetry}`. */
  "/scheduled": async ({ key, cron, time }, env, ctx) => {
    const worker = getCached(key) ?? (await load(key, env));
    if (!worker) throw new Error("Worker not found.");
    return entrypointOf(worker, env, ctx).scheduled({ cron, scheduledTime: new Date(time) });
  },
};
