// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The validator: compiles an uploaded Worker, runs its top-level code and lists what it exports.
 *
 * It runs in a separate process, since top-level code may loop forever. It never calls the handlers of the Worker.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { PROBE, buildWorkerCode } from "./worker.js";

export default {
  async fetch(request, env, ctx) {
    if (request.method === "GET") return new Response("ok");
    const definition = await request.json();
    const begin = Date.now();
    try {
      const code = { ...buildWorkerCode(definition, env), globalOutbound: ctx.exports.NoEgress({}) };
      const found = await env.LOADER.load(code).getEntrypoint(PROBE).exports();
      return Response.json({ ...found, startup_ms: Math.max(1, Date.now() - begin) });
    } catch (error) {
      return Response.json({ error: String(error?.message ?? error) });
    }
  },
};

/** The outbound service during validation. See `NoEgress` of the edge for why it is not null. */
export class NoEgress extends WorkerEntrypoint {
  fetch() {
    throw new Error("there is no network while a Worker starts");
  }
}
