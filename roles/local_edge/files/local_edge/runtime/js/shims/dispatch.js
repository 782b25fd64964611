// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Dispatch namespaces. */
import { rpcProxy, fetchWithMetadata } from "./stub.js";

export const dispatchNamespace = (stub) => new DispatchNamespace(stub);

/** `get` is synchronous and never throws. If the Worker does not exist, `fetch` rejects. */
class DispatchNamespace {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  get(name, args, options) {
    const stub = this.#stub;
    const metadata = { name: String(name), args, ...options };
    return rpcProxy(stub, metadata, { fetch: fetchWithMetadata(stub, metadata) });
  }
}
