// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Error pages for visitors: short plain text with the remedy. */
import { resolveHost, table } from "./routes.js";

const AUTHORIZATION = '-H "Authorization: Bearer $CLOUDFLARE_API_TOKEN"';
/** The status for a host that has no proxied DNS record. */
const NO_DNS_STATUS = 409;

export function pageFor(status, ...lines) {
  const headers = { "content-type": "text/plain;charset=UTF-8", "cache-control": "no-store" };
  return new Response(`${lines.join("\n")}\n`, { status, headers });
}

/** Answer a request without a route or a Worker. Cloudflare would call the origin, which the edge does not have. */
export async function notRouted({ hostname: host }, env, route) {
  const found = await table(env);
  const { zone, unproxied, custom, isOwn } = resolveHost(host, found);
  const status = unproxied ? NO_DNS_STATUS : 404;
  if (custom) {
    return pageFor(status, `The custom hostname ${custom.hostname} is still pending. It is served once it is active.`);
  }
  if (isOwn) {
    return pageFor(404, `No Worker answers at ${host}.`, "Deploy it with `workers_dev: true`, or enable its workers.dev host.");
  }
  if (zone && unproxied) return unresolved(host, zone, env);
  const problem = route
    ? `The route ${route.pattern} has no Worker, and the local edge has no origin server.`
    : `No route matches ${host}.`;
  const hint = zone
    ? `List the routes of the zone ${zone.name}:\n  curl ${AUTHORIZATION} ${env.API}/zones/${zone.id}/workers/routes`
    : `${host} is not in a zone of this edge. Its zones: ${[...found.zones.keys()].join(", ")}.`;
  return pageFor(status, problem, hint);
}

function unresolved(host, zone, env) {
  const record = JSON.stringify({ type: "AAAA", name: host, content: "100::", proxied: true });
  return pageFor(
    NO_DNS_STATUS,
    `Error 1001: ${host} has no proxied DNS record.`,
    `Create one in the zone ${zone.name}:`,
    `  curl -X POST ${AUTHORIZATION} ${env.API}/zones/${zone.id}/dns_records -d '${record}'`,
  );
}

/** Answer with an exception. Unlike Cloudflare's error 1101 the page shows it, for the developer. */
export function errorPage(status, title, error) {
  console.error(`${title}: ${error?.stack ?? error}`);
  return pageFor(status, title, `${error?.name ?? "Error"}: ${error?.message ?? error}`);
}
