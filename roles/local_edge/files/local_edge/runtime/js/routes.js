// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Match a URL to a route of its zone, the most specific first, or to the Worker of a custom domain.
 *
 * If DNS records are required, a host without a proxied record is unproxied.
 */
import { fetchFromControl } from "./control.js";

/** `{routes, domains, hostnames, zones, ownDomains}` from the control plane, null until they are fetched. */
let cachedTable = null;
let generation = 0;
/** Candidates by host, `{routes, domain, isLocal}`. */
const hosts = new Map();
const MAX_HOSTS = 10_000;

export function invalidateRoutes() {
  cachedTable = null;
  generation += 1;
  hosts.clear();
}

/**
 * Return the route of a URL, or undefined. If the host is not cached, return a promise.
 *
 * A route without `script` overrides less specific ones.
 */
export function match(url, env) {
  const candidates = hosts.get(url.hostname);
  return candidates ? select(candidates, url) : resolve(url.hostname, env).then((found) => select(found, url));
}

/** Return the route of a URL whose host is in a zone, or belongs to a Worker, or undefined. */
export async function matchLocal(url, env) {
  const candidates = hosts.get(url.hostname) ?? (await resolve(url.hostname, env));
  return candidates.isLocal ? select(candidates, url) : undefined;
}

async function resolve(host, env) {
  const { routes, domains, ...rest } = await table(env);
  const { zone, unproxied, custom, active, isOwn } = resolveHost(host, rest);
  const applies = (route) => !route.zone || (!unproxied && (zone ? route.zone === zone.id : !isOwn));
  const matching = routes.filter((route) => applies(route) && matches(route.host, host, "end"));
  const cf = active?.metadata && { hostMetadata: active.metadata };
  const candidates = {
    routes: cf ? matching.map((route) => ({ ...route, cf })) : matching,
    domain: domains.get(host),
    isLocal: Boolean(zone) || isOwn,
  };
  // A pending custom hostname becomes active without an invalidation, so it is not cached.
  if (!custom) {
    if (hosts.size >= MAX_HOSTS) hosts.clear();
    hosts.set(host, candidates);
  }
  return candidates;
}

/** Patterns are compared with path and query: without a final wildcard, they do not match requests with a query. */
function select({ routes, domain }, { pathname, search }) {
  const route = routes.find((one) => matches(one.path, pathname + search, "start"));
  return route?.script ? route : (domain ?? route);
}

export async function table(env) {
  while (!cachedTable) {
    const before = generation;
    const fetched = await (await fetchFromControl(env, "/routes")).json();
    if (generation === before) cachedTable = indexTable(fetched);
  }
  return cachedTable;
}

function indexTable({ routes, domains, hostnames, zones, own_domains: ownDomains }) {
  return {
    ownDomains,
    routes: routes.map((route) => parseRoute(withKey(route))).sort(bySpecificity),
    domains: new Map(domains.map((domain) => [domain.pattern, withKey(domain)])),
    hostnames: Map.groupBy(hostnames, ({ hostname }) => hostname),
    zones: new Map(
      zones.map((zone) => [zone.name, { ...zone, names: zone.names && new Map(Object.entries(zone.names)) }]),
    ),
  };
}

function withKey(route) {
  return { ...route, key: `${route.account}//${route.script}` };
}

/**
 * Return the zone of a host, whether the host is unproxied, and whether it is below workers.dev or its local equivalent.
 *
 * A host with an active custom hostname belongs to the zone of that. A pending one is returned as `custom`.
 */
export function resolveHost(host, { hostnames, zones, ownDomains }) {
  const custom = customHostname(host, hostnames);
  if (custom && custom.from <= Date.now()) {
    return { zone: [...zones.values()].find(({ id }) => id === custom.zone), unproxied: false, active: custom };
  }
  const zone = zones.get(ancestors(host).find((name) => zones.has(name)));
  if (zone) return { zone, unproxied: zone.names !== null && !isProxied(host, zone), custom };
  const isOwn = ancestors(host).some((name) => ownDomains.includes(name));
  return { zone, unproxied: !isOwn && [...zones.values()].some(({ names }) => names !== null), custom, isOwn };
}

/** Return the custom hostname for a host: the newest active one of the closest name, else a pending one. */
function customHostname(host, hostnames) {
  for (const name of hostnames.size ? ancestors(host) : []) {
    const matching = (hostnames.get(name) ?? []).filter(({ wildcard }) => wildcard || name === host);
    if (matching.length) return matching.findLast(({ from }) => from <= Date.now()) ?? matching[0];
  }
  return undefined;
}

/** As in DNS, a wildcard covers subdomains at any depth, unless a name in between exists. */
function isProxied(host, { names }) {
  const closest = ancestors(host).find((name) => names.has(name));
  return closest === host ? names.get(host) : (names.get(`*.${closest}`) ?? false);
}

/** Return a host and its parent domains. */
function ancestors(host) {
  const labels = host.split(".");
  return labels.map((_label, position) => labels.slice(position).join("."));
}

/**
 * Parse a pattern into the end of the host and the start of the path.
 *
 * The scheme is ignored: each route is served on the ports with and without TLS.
 */
function parseRoute(route) {
  const [, star, host, path] = /^(?:https?:\/\/)?(\*?)([^/]*)(.*)$/.exec(route.pattern);
  return {
    ...route,
    host: { literal: URL.parse(`http://${host}`)?.hostname ?? host, wild: star !== "" },
    path: { literal: path.replace(/\*$/, "") || (path ? "" : "/"), wild: path.endsWith("*") },
  };
}

function matches({ literal, wild }, text, side) {
  if (!wild) return text === literal;
  return side === "end" ? text.endsWith(literal) : text.startsWith(literal);
}

/** Sort exact patterns before wildcards and long before short ones, first by host, then by path. */
function bySpecificity(one, other) {
  for (const part of ["host", "path"]) {
    const order = one[part].wild - other[part].wild || other[part].literal.length - one[part].literal.length;
    if (order) return order;
  }
  return 0;
}
