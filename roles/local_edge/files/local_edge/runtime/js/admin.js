// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The private socket: the supervisor's heartbeat, and the control plane telling what has changed or what shall be done. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { pointsOf } from "./backends/analytics.js";
import { KIND, askDatabase, databaseOf } from "./backends/d1.js";
import { hostOf, resetHolding, wipe } from "./backends/objects.js";
import { entrypointOf, forget, known, lookUp } from "./tenants.js";

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
  /** Drop what has changed: see `forget`. */
  "/invalidate": (changes, env, ctx) => {
    forget(changes, env, ctx);
    return resetHolding(changes, env);
  },
  /** Let go of the storage of an object or a database. */
  "/wipe": ({ kind, id }, env) => (kind === KIND ? wipe(env, "databases", databaseOf(env, id)) : wipe(env, "objects", hostOf(env, kind, id))),
  /** Run statements on a database, or a file of them; write one. */
  "/query": async ({ id, queries }, env) => (await askDatabase(env, id, "run", queries)).results,
  "/import": ({ id, file }, env) => askDatabase(env, id, "import", file),
  "/export": ({ id, file, options }, env) => askDatabase(env, id, "export", file, options),
  /** The data points of a dataset. */
  "/points": ({ account, dataset }) => pointsOf(account, dataset),
  /** Fire a cron trigger of a Worker: `{outcome, noRetry}`. */
  "/scheduled": async ({ key, cron, time }, env, ctx) => {
    const worker = known(key) ?? (await lookUp(key, env));
    if (!worker) throw new Error("There is no such Worker.");
    return entrypointOf(worker, env, ctx).scheduled({ cron, scheduledTime: new Date(time) });
  },
};
