// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Serve requests for a host name with the Worker of their route, for visitors and for `fetch` in Workers. */
import { errorPage, pageFor } from "./pages.js";
import { getCached, load, serve } from "./tenants.js";

/** Serve a request with the Worker of its route. An exception of the Worker becomes an error page. */
export async function serveRoute(route, request, env, ctx) {
  try {
    const worker = getCached(route.key) ?? (await load(route.key, env));
    if (!worker) {
      return pageFor(404, `The route ${route.pattern} refers to the Worker ${route.script}, which does not exist.`);
    }
    return await serve(worker, request, env, ctx, { cf: route.cf });
  } catch (error) {
    return errorPage(500, `Error 1101: the Worker ${route.script} threw an exception`, error);
  }
}
