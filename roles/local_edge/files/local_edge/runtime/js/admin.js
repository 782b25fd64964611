// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The private socket: the supervisor's heartbeat, and the control plane telling what has changed or what shall be done. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { pointsOf } from "./behind/analytics.js";
import { KIND, databaseOf } from "./behind/d1.js";
import { hostOf } from "./behind/objects.js";
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
  "/forget": (changes, env, ctx) => forget(changes, env, ctx),
  /** Let go of the storage of an object or a database. */
  "/wipe": ({ kind, id }, env) => (kind === KIND ? databaseOf(env, id) : hostOf(env, kind, id)).wipe(),
  /** Run statements on a database. */
  "/query": ({ id, queries }, env) => databaseOf(env, id).run(id, queries),
  /** The data points of a dataset. */
  "/points": ({ account, dataset }) => pointsOf(account, dataset),
  /** Fire a cron trigger of a Worker: `{outcome, noRetry}`. */
  "/scheduled": async ({ key, cron, time }, env, ctx) => {
    const worker = known(key) ?? (await lookUp(key, env));
    if (!worker) throw new Error("There is no such Worker.");
    return entrypointOf(worker, env, ctx).scheduled({ cron, scheduledTime: new Date(time) });
  },
};
