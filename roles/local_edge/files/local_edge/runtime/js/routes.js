// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Routes of all zones: the most specific pattern that fits wins. */

/** `{routes, zones}` in order of precedence, or null until asked for again. */
let known = null;
let generation = 0;

export function forgetRoutes() {
  known = null;
  generation += 1;
}

/** The route of a request, or undefined; one without `script` keeps less specific ones from being asked. */
export async function match(request, env) {
  const { routes } = await table(env);
  const { hostname, pathname } = new URL(request.url);
  const host = hostname.toLowerCase();
  return routes.find((route) => fits(route.host, host, "end") && fits(route.path, pathname, "start"));
}

export async function table(env) {
  while (!known) {
    const before = generation;
    const response = await env.CONTROL.fetch("http://control/routes");
    if (!response.ok) throw new Error(`the control plane answered ${response.status} about routes`);
    const { routes, zones } = await response.json();
    if (generation === before) known = { routes: routes.map(parsed).sort(bySpecificity), zones };
  }
  return known;
}

/**
 * A pattern as what its host ends with and its path begins with. The scheme is dropped: the local edge speaks http only,
 * and a pattern that names one means the same requests here.
 */
function parsed(route) {
  const [, host, path] = /^(?:https?:\/\/)?([^/]*)(.*)$/.exec(route.pattern);
  return {
    ...route,
    host: { literal: host.replace(/^\*/, ""), wild: host.startsWith("*") },
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
