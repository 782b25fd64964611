// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The far side of a KV binding: the same store that the API reads and writes. What was read is kept here until it is written anew. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { found } from "../control.js";

/** Pairs by namespace and key: `{pair, until, size}`, the pair being null where there is none; the oldest first. */
const namespaces = new Map();
/** How many bytes of values are kept, and how large one may be that is. */
const ROOM = 32 * 1024 * 1024;
const MAX_SIZE = 1024 * 1024;
/** What a pair takes beside its value. */
const OVERHEAD = 512;
let used = 0;
/** Counted up with every change, so that what was read meanwhile is not kept. */
let generation = 0;

/** Drop the pairs of a namespace (`kv:` and its id), or of all (`*`). */
export function forgetPairs(change) {
  generation += 1;
  for (const namespace of change === "*" ? [...namespaces.keys()] : [change.slice("kv:".length)]) dropNamespace(namespace);
}

function dropNamespace(namespace) {
  for (const { size } of namespaces.get(namespace)?.values() ?? []) used -= size;
  namespaces.delete(namespace);
}

function dropPair(namespace, key) {
  const pairs = namespaces.get(namespace);
  used -= pairs?.get(key)?.size ?? 0;
  pairs?.delete(key);
}

function keep(namespace, key, pair, until) {
  const size = OVERHEAD + key.length + (pair?.value.byteLength ?? 0);
  if (size > MAX_SIZE) return;
  dropPair(namespace, key);
  if (!namespaces.has(namespace)) namespaces.set(namespace, new Map());
  namespaces.get(namespace).set(key, { pair, until, size });
  used += size;
  while (used > ROOM) dropNamespace(namespaces.keys().next().value);
}

export class KV extends WorkerEntrypoint {
  /** `{value: ArrayBuffer, metadata}` of one key, or null. */
  async read(key) {
    const { namespace } = this.ctx.props;
    const kept = namespaces.get(namespace)?.get(key);
    if (kept && kept.until > Date.now()) return kept.pair;
    const before = generation;
    const response = await this.#ask("GET", { key });
    const { pair, until } = response ? await pairOf(response) : { pair: null, until: Infinity };
    if (generation === before) keep(namespace, key, pair, until);
    return pair;
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
    await this.#change("PUT", { key }, query, { headers, body: value });
  }

  async remove(key) {
    await this.#change("DELETE", { key }, { key });
  }

  /** `{keys, last}`: a page, and the cursor of the next, empty where this is the last. */
  async keys({ prefix, limit, cursor }) {
    const query = { prefix: prefix ?? "", limit: limit ?? 1000, cursor: cursor ?? "" };
    return (await this.#ask("GET", query, {}, "/keys")).json();
  }

  /** Write, and forget what was kept, however that ends. */
  async #change(method, { key }, query, init) {
    try {
      await this.#ask(method, query, init);
    } finally {
      generation += 1;
      dropPair(this.ctx.props.namespace, key);
    }
  }

  #ask(method, query, init, path = "") {
    return found(this.env, `/kv/${this.ctx.props.namespace}${path}?${new URLSearchParams(query)}`, { method, ...init });
  }
}

/** A pair as the control plane answers it, and until when it is there. */
async function pairOf(response) {
  const metadata = response.headers.get("x-metadata");
  const expiration = response.headers.get("x-expiration");
  return {
    pair: { value: await response.arrayBuffer(), metadata: metadata && JSON.parse(decodeURIComponent(metadata)) },
    until: expiration ? Number(expiration) * 1000 : Infinity,
  };
}
