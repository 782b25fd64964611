// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What a visitor sees where no Worker answers: short plain text that says what to do. */
import { placeOf, table } from "./routes.js";

/** What a visitor is answered whose host leads to Cloudflare without a record there. */
const DARK = 409;

export function pageFor(status, ...lines) {
  const headers = { "content-type": "text/plain;charset=UTF-8", "cache-control": "no-store" };
  return new Response(`${lines.join("\n")}\n`, { status, headers });
}

/** No route, or one that keeps Workers away. On Cloudflare the origin would answer; here there is none. */
export async function notRouted({ hostname: host }, env, route) {
  const found = await table(env);
  const { zone, dark, custom } = placeOf(host, found);
  const status = dark ? DARK : 404;
  if (custom) return pageFor(status, `The custom hostname ${custom.hostname} is still pending; it has visitors once it is active.`);
  if (zone && dark) return unresolved(host, zone, env);
  const why = route
    ? `The route ${route.pattern} has no Worker, and the local edge has no origin behind it.`
    : `No route matches ${host}.`;
  const hint = zone
    ? `List the routes of the zone ${zone.name}:\n  curl -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" ${env.API}/zones/${zone.id}/workers/routes`
    : `${host} belongs to no zone of this edge; it has ${[...found.zones.keys()].join(", ")}.`;
  return pageFor(status, why, hint);
}

function unresolved(host, zone, env) {
  const record = JSON.stringify({ type: "AAAA", name: host, content: "100::", proxied: true });
  return pageFor(
    DARK,
    `Error 1001: ${host} has no proxied DNS record.`,
    `Make one in the zone ${zone.name}:`,
    `  curl -X POST -H "Authorization: Bearer $CLOUDFLARE_API_TOKEN" ${env.API}/zones/${zone.id}/dns_records -d '${record}'`,
  );
}

/** Something threw: the page says what, as Cloudflare's 1101 does not, since whoever sees it here is its developer. */
export function broken(status, title, error) {
  console.error(`${title}: ${error?.stack ?? error}`);
  return pageFor(status, title, `${error?.name ?? "Error"}: ${error?.message ?? error}`);
}
