// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Proxies for remote objects that accept any method. */
import { internalEnv } from "./worker.js";

/** An RPC proxy. Members of `own` are local, others are calls to `remote.rpc` or reads by `remote.value`. */
export function rpcProxy(remote, metadata, own) {
  return new Proxy(own, {
    get: (target, member) =>
      member in target || typeof member === "symbol" || member === "then"
        ? target[member]
        : memberOf(remote, metadata, [member]),
  });
}

/**
 * The `fetch` of a proxy. The metadata and the visitor's `cf` are sent as `cf`. A Request passed as `init` is copied,
 * since its properties are on the prototype.
 */
export function fetchWithMetadata(remote, metadata) {
  return (input, init) => {
    const isWhole = init instanceof Request;
    const requested = init?.cf ?? input?.cf;
    const visitorCf = requested === internalEnv.defaultCf ? undefined : requested;
    return remote.fetch(isWhole ? new Request(input, init) : input, {
      ...(!isWhole && init),
      cf: { ...metadata, visitorCf },
    });
  };
}

/** Return a member at any depth: it can be called or awaited, or has members of its own. */
function memberOf(remote, metadata, path) {
  const call = (...args) => remote.rpc(metadata, path, args);
  return new Proxy(call, {
    get(target, member) {
      if (typeof member === "symbol") return target[member];
      if (member === "then") return (...handlers) => remote.value(metadata, path).then(...handlers);
      return memberOf(remote, metadata, [...path, member]);
    },
  });
}
