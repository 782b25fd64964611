// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Match a URL to a route of its zone, the most specific first, or to the Worker of a custom domain.
 *
 * Where DNS records are required, a host without a proxied one is unproxied.
 */
import { fetchFromControl } from "./control.js";

/** `{routes, domains, hostnames, zones}` of the control plane; null until they are fetched. */
let cachedTable = null;
let generation = 0;
/** Candidates by host, `{routes, domain}`. */
const hosts = new Map();
const MAX_HOSTS = 10_000;

export function invalidateRoutes() {
  cachedTable = null;
  generation += 1;
  hosts.clear();
}

/** Return the route of a URL, or undefined; a promise of it if the host is not cached. A route without `script` overrides less specific ones. */
export function match(url, env) {
  const own = hosts.get(url.hostname);
  return own ? select(own, url) : resolve(url, env);
}

async function resolve(url, env) {
  const { hostname: host } = url;
  const { routes, domains, ...rest } = await table(env);
  const { zone, unproxied, custom, active } = resolveHost(host, rest);
  const applies = (route) => !route.zone || (!unproxied && (!zone || route.zone === zone.id));
  const matching = routes.filter((route) => applies(route) && fits(route.host, host, "end"));
  const cf = active?.metadata && { hostMetadata: active.metadata };
  const own = { routes: cf ? matching.map((route) => ({ ...route, cf })) : matching, domain: domains.get(host) };
  // A custom hostname becomes active by itself.
  if (!custom) {
    if (hosts.size >= MAX_HOSTS) hosts.clear();
    hosts.set(host, own);
  }
  return select(own, url);
}

/** A query is a part of what a pattern is compared with: one that does not end in a wildcard fits no request that has a query. */
function select({ routes, domain }, { pathname, search }) {
  const route = routes.find((one) => fits(one.path, pathname + search, "start"));
  return route?.script ? route : (domain ?? route);
}

export async function table(env) {
  while (!cachedTable) {
    const before = generation;
    const fetched = await (await fetchFromControl(env, "/routes")).json();
    if (generation === before) cachedTable = indexed(fetched);
  }
  return cachedTable;
}

function indexed({ routes, domains, hostnames, zones }) {
  return {
    routes: routes.map((route) => parsed(keyed(route))).sort(bySpecificity),
    domains: new Map(domains.map((domain) => [domain.pattern, keyed(domain)])),
    hostnames: Map.groupBy(hostnames, ({ hostname }) => hostname),
    zones: new Map(zones.map((zone) => [zone.name, { ...zone, names: zone.names && new Map(Object.entries(zone.names)) }])),
  };
}

function keyed(route) {
  return { ...route, key: `${route.account}//${route.script}` };
}

/** The zone that a host belongs to, and whether it is unproxied there. One with an active custom hostname belongs to the zone that has it; a `custom`
 * one is still pending. */
export function resolveHost(host, { hostnames, zones }) {
  const custom = customHostname(host, hostnames);
  if (custom && custom.from <= Date.now()) {
    return { zone: [...zones.values()].find(({ id }) => id === custom.zone), unproxied: false, active: custom };
  }
  const zone = zones.get(ancestors(host).find((name) => zones.has(name)));
  if (zone) return { zone, unproxied: zone.names !== null && !isProxied(host, zone), custom };
  return { zone, unproxied: [...zones.values()].some(({ names }) => names !== null), custom };
}

/** The custom hostname that covers a host: the newest active one of the nearest name, else one that is still pending. */
function customHostname(host, hostnames) {
  for (const name of hostnames.size ? ancestors(host) : []) {
    const matching = (hostnames.get(name) ?? []).filter(({ wildcard }) => wildcard || name === host);
    if (matching.length) return matching.findLast(({ from }) => from <= Date.now()) ?? matching[0];
  }
  return undefined;
}

/** As in DNS: a wildcard covers what is below it, at any depth, unless a name in between exists. */
function isProxied(host, { names }) {
  const closest = ancestors(host).find((name) => names.has(name));
  return closest === host ? names.get(host) : names.get(`*.${closest}`) ?? false;
}

/** A host and the domains that it is in. */
function ancestors(host) {
  const labels = host.split(".");
  return labels.map((_label, position) => labels.slice(position).join("."));
}

/**
 * A pattern as what its host ends with and its path begins with. The scheme is dropped: the local edge speaks http only,
 * and a pattern that names one means the same requests here.
 */
function parsed(route) {
  const [, star, host, path] = /^(?:https?:\/\/)?(\*?)([^/]*)(.*)$/.exec(route.pattern);
  return {
    ...route,
    host: { literal: URL.parse(`http://${host}`)?.hostname ?? host, wild: star !== "" },
    path: { literal: path.replace(/\*$/, "") || (path ? "" : "/"), wild: path.endsWith("*") },
  };
}

function fits({ literal, wild }, text, side) {
  if (!wild) return text === literal;
  return side === "end" ? text.endsWith(literal) : text.startsWith(literal);
}

/** Exact before wildcard, long before short; the host decides before the path. */
function bySpecificity(one, other) {
  for (const part of ["host", "path"]) {
    const order = one[part].wild - other[part].wild || other[part].literal.length - one[part].literal.length;
    if (order) return order;
  }
  return 0;
}
