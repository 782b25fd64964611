// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The far side of a KV binding: the same store that the API reads and writes. */
import { WorkerEntrypoint } from "cloudflare:workers";

export class KV extends WorkerEntrypoint {
  /** `{value: ArrayBuffer, metadata}` of one key, or null. */
  async read(key) {
    const response = await this.#ask("GET", { key });
    if (response.status === 404) return null;
    const metadata = response.headers.get("x-metadata");
    return { value: await response.arrayBuffer(), metadata: metadata && JSON.parse(decodeURIComponent(metadata)) };
  }

  /** The same of several keys, in their order. */
  readAll(keys) {
    return Promise.all(keys.map((key) => this.read(key)));
  }

  async write(key, value, { expiration, expirationTtl, metadata } = {}) {
    const query = { key };
    if (expiration !== undefined) query.expiration = expiration;
    if (expirationTtl !== undefined) query.expiration_ttl = expirationTtl;
    const headers = metadata == null ? {} : { "x-metadata": encodeURIComponent(JSON.stringify(metadata)) };
    await this.#ask("PUT", query, { headers, body: value });
  }

  async remove(key) {
    await this.#ask("DELETE", { key });
  }

  /** `{keys, last}`: a page, and the cursor of the next, empty where this is the last. */
  async keys({ prefix, limit, cursor }) {
    const query = { prefix: prefix ?? "", limit: limit ?? 1000, cursor: cursor ?? "" };
    return (await this.#ask("GET", query, {}, "/keys")).json();
  }

  async #ask(method, query, init = {}, path = "") {
    const url = `http://control/kv/${this.ctx.props.namespace}${path}?${new URLSearchParams(query)}`;
    const response = await this.env.CONTROL.fetch(url, { method, ...init });
    if (!response.ok && response.status !== 404) {
      throw new Error(`KV ${method} failed: ${response.status} ${await response.text()}`);
    }
    return response;
  }
}
