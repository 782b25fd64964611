// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What a visitor sees where no Worker answers: short plain text that says what to do. */
import { table } from "./routes.js";

export function pageFor(status, ...lines) {
  const headers = { "content-type": "text/plain;charset=UTF-8", "cache-control": "no-store" };
  return new Response(`${lines.join("\n")}\n`, { status, headers });
}

/** No route, or one that keeps Workers away. On Cloudflare the origin would answer; here there is none. */
export async function notRouted(request, env, route) {
  const host = new URL(request.url).hostname;
  const { zones } = await table(env);
  const zone = zones.find(({ name }) => host === name || host.endsWith(`.${name}`));
  const why = route
    ? `The route ${route.pattern} has no Worker, and the local edge has no origin behind it.`
    : `No route matches ${host}.`;
  const hint = zone
    ? `List the routes of the zone ${zone.name}:\n  curl -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" ${env.API}/zones/${zone.id}/workers/routes`
    : `${host} belongs to no zone of this edge; it has ${zones.map(({ name }) => name).join(", ")}.`;
  return pageFor(404, why, hint);
}

/** Something threw: the page says what, as Cloudflare's 1101 does not, since whoever sees it here is its developer. */
export function broken(status, title, error) {
  console.error(`${title}: ${error?.stack ?? error}`);
  return pageFor(status, title, `${error?.name ?? "Error"}: ${error?.message ?? error}`);
}
