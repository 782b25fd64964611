// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The outbound services: requests that Workers send with the global `fetch`. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { matchLocal } from "../routes.js";
import { LOOP_MESSAGE } from "../tenants.js";
import { serveRoute } from "../visits.js";

/** The host of Cloudflare's API. Requests of Workers to it are sent to the local API. */
const API_HOST = "api.cloudflare.com";
/** Cloudflare's header that counts the Workers that a request has passed, and its limit. */
const VIA = "cf-ew-via";
const MAX_DEPTH = 16;
/** The `CF-Connecting-IP` of requests from Workers on Cloudflare. */
const WORKER_ADDRESS = "2a06:98c0:3600::103";

/**
 * Return the response of the API or of the account's Worker that serves the host, or null if there is none.
 *
 * A route of the Worker itself does not apply, since `fetch(request)` means the origin there, unless the Worker has the
 * compatibility flag `global_fetch_strictly_public`.
 */
async function fetchLocally(request, { account, key, strictlyPublic }, env, ctx) {
  const url = new URL(request.url);
  if (url.hostname === API_HOST) return env.CLOUDFLARE.fetch(request);
  const route = await matchLocal(url, env);
  if (!route?.script || route.account !== account || (route.key === key && !strictlyPublic)) return null;
  const depth = Number(request.headers.get(VIA) ?? 0) + 1;
  if (!(depth <= MAX_DEPTH)) throw new Error(LOOP_MESSAGE);
  const headers = new Headers(request.headers);
  headers.set(VIA, depth);
  headers.set("cf-connecting-ip", WORKER_ADDRESS);
  headers.set("x-forwarded-proto", url.protocol.slice(0, -1));
  return serveRoute(route, new Request(request, { headers }), env, ctx);
}

/**
 * The outbound service of Workers without egress.
 *
 * It defines only `fetch`: with a `connect()` that throws, sockets of the Worker would open. It is never omitted
 * (`globalOutbound: null`), since a Worker that passes through on exception would then end the whole process.
 */
export class NoEgress extends WorkerEntrypoint {
  async fetch(request) {
    const response = await fetchLocally(request, this.ctx.props, this.env, this.ctx);
    if (response) return response;
    throw new Error(
      `fetch of ${new URL(request.url).origin} was blocked: the local edge gives Workers no way out, except to hosts of `
        + "other Workers of the account. Start it with --egress internet to open one.",
    );
  }
}

/** The outbound service of Workers with egress. The configuration allows public addresses only. */
export class Outbound extends WorkerEntrypoint {
  async fetch(request) {
    return (await fetchLocally(request, this.ctx.props, this.env, this.ctx)) ?? fetch(request);
  }
}
