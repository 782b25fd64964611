// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The edge: match each request on the public socket to a route and serve it with the Worker.
 *
 * The other exports are the backends of bindings and the hosts of Durable Objects. `ctx.props` identifies their object.
 */
import { match } from "./routes.js";
import { errorPage, notRouted, pageFor } from "./pages.js";
import { serveRoute } from "./visits.js";

export { Admin } from "./admin.js";
export { Analytics } from "./backends/analytics.js";
export { Assets } from "./backends/assets.js";
export { CacheStore, Caches } from "./backends/caches.js";
export { D1, Database } from "./backends/d1.js";
export { KV } from "./backends/kv.js";
export { Alarms, ObjectHost, Objects } from "./backends/objects.js";
export { NoEgress, Outbound } from "./backends/outbound.js";
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
    return serveRoute(route, request, env, ctx);
  },
};
