// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The edge: match each request on the public socket to a route and serve it with the Worker.
 *
 * The other exports are the backends of bindings and the hosts of Durable Objects. `ctx.props` identifies their object.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { getCached, load, serve } from "./tenants.js";
import { match } from "./routes.js";
import { errorPage, notRouted, pageFor } from "./pages.js";

export { Admin } from "./admin.js";
export { Analytics } from "./backends/analytics.js";
export { Assets } from "./backends/assets.js";
export { CacheStore, Caches } from "./backends/caches.js";
export { D1, Database } from "./backends/d1.js";
export { KV } from "./backends/kv.js";
export { Alarms, ObjectHost, Objects } from "./backends/objects.js";
export { Queue, Serialized } from "./backends/queue.js";
export { R2 } from "./backends/r2.js";
export { RateLimits } from "./backends/ratelimit.js";
export { Dispatch, Service, OutboundDispatch } from "./backends/service.js";
export { Tail } from "./backends/tail.js";

/** Cloudflare's limit for request bodies on most plans, in bytes. */
const MAX_BODY = 100_000_000;

export default {
  async fetch(request, env, ctx) {
    const url = URL.parse(request.url);
    if (!url) return pageFor(400, "The Host header of this request is not a host name.");
    if (request.body && Number(request.headers.get("content-length")) > MAX_BODY) {
      return pageFor(413, "The body of a request must not exceed 100 MB.");
    }
    let route;
    try {
      route = match(url, env);
      if (route instanceof Promise) route = await route;
    } catch (error) {
      return errorPage(502, "The control plane of the local edge did not answer", error);
    }
    if (!route?.script) return notRouted(url, env, route);
    try {
      const worker = getCached(route.key) ?? (await load(route.key, env));
      if (!worker) {
        return pageFor(404, `The route ${route.pattern} refers to the Worker ${route.script}, which does not exist.`);
      }
      return await serve(worker, request, env, ctx, { cf: route.cf });
    } catch (error) {
      return errorPage(500, `Error 1101: the Worker ${route.script} threw an exception`, error);
    }
  },
};

/** The host of Cloudflare's API. Requests of Workers to it are sent to the local API. */
const API_HOST = "api.cloudflare.com";

/**
 * The outbound service of Workers without egress.
 *
 * It defines only `fetch`: with a `connect()` that throws, sockets of the Worker would open. It is never omitted
 * (`globalOutbound: null`), since a Worker that passes through on exception would then end the whole process.
 */
export class NoEgress extends WorkerEntrypoint {
  fetch(request) {
    const { hostname, origin } = new URL(request.url);
    if (hostname === API_HOST) return this.env.CLOUDFLARE.fetch(request);
    throw new Error(
      `fetch of ${origin} was blocked: the local edge gives Workers no way out. `
        + "Start it with --egress internet to open one.",
    );
  }
}

/** The outbound service of Workers with egress. The configuration allows public addresses only. */
export class Outbound extends WorkerEntrypoint {
  fetch(request) {
    return new URL(request.url).hostname === API_HOST ? this.env.CLOUDFLARE.fetch(request) : fetch(request);
  }
}
