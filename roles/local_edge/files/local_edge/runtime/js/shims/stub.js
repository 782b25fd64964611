// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Objects that stand for something far away, and take any method: what an own class of stubs would be. */
import { hidden } from "./worker.js";

/**
 * A stand-in: `fetch` and `own` are its own, everything else is a call (or a value) that goes through `remote.rpc` (or
 * `remote.value`) with `told`, which says of what.
 */
export function standIn(remote, told, own) {
  return new Proxy(own, {
    get: (target, member) => (member in target || typeof member === "symbol" || member === "then" ? target[member] : memberOf(remote, told, [member])),
  });
}

/** The `fetch` of a stand-in: what is told, and the place that the request comes from, travel as its `cf`. A request that another one is made of has no
 * properties of its own. */
export function telling(remote, told) {
  return (input, init) => {
    const whole = init instanceof Request;
    const said = init?.cf ?? input?.cf;
    const place = said === hidden.place ? undefined : said;
    return remote.fetch(whole ? new Request(input, init) : input, { ...(!whole && init), cf: { ...told, place } });
  };
}

/** A member at any depth: it can be called, awaited, or looked into further. */
function memberOf(remote, told, path) {
  const call = (...args) => remote.rpc(told, path, args);
  return new Proxy(call, {
    get(target, member) {
      if (typeof member === "symbol") return target[member];
      if (member === "then") return (...handlers) => remote.value(told, path).then(...handlers);
      return memberOf(remote, told, [...path, member]);
    },
  });
}
