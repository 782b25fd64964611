// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The backend of a KV binding: the store of the API, with a cache of reads that is invalidated by writes. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { callControl } from "../control.js";
import { LruCache } from "../lru_cache.js";

/** The size of the cache, and the largest value in it, in bytes. */
const CAPACITY = 32 * 1024 * 1024;
const MAX_SIZE = 1024 * 1024;
/** `{pair}` by namespace and key. The pair of a missing key is null. */
const cache = new LruCache(CAPACITY, MAX_SIZE);
/** The same for the setting `kv_reads` cached: until `cacheTtl` has passed, whatever the API writes. */
const stale = new LruCache(CAPACITY, MAX_SIZE);
/** The default of `cacheTtl` in seconds. */
const CACHE_TTL = 60;
/** The limit for the values of one bulk read, in bytes. */
const MAX_TOTAL = 25 * 1024 * 1024;
/** Incremented with every change, so that a read that overlaps a change is not cached. */
let generation = 0;

const nameOf = (namespace, key) => `${namespace}:${key}`;

/** Drop the pairs of a namespace. */
export function invalidatePairs(namespace) {
  generation += 1;
  const beginning = nameOf(namespace, "");
  cache.deleteWhere((name) => name.startsWith(beginning));
}

export function invalidateAllPairs() {
  generation += 1;
  cache.deleteWhere(() => true);
}

export class KV extends WorkerEntrypoint {
  /** Return `{value: ArrayBuffer, metadata: JSON or null}` of one key, or null. */
  async read(key, cacheTtl = CACHE_TTL) {
    if (this.ctx.props.reads !== "cached") return this.#latest(key);
    const name = nameOf(this.ctx.props.namespace, key);
    const found = stale.get(name) ?? { pair: await this.#latest(key) };
    if (!stale.get(name)) stale.set(name, found, found.pair?.value.byteLength ?? 0, Date.now() + cacheTtl * 1000);
    return found.pair;
  }

  async #latest(key) {
    const name = nameOf(this.ctx.props.namespace, key);
    const found = cache.get(name);
    if (found) return found.pair;
    const before = generation;
    const response = await this.#call("GET", "", { key });
    const { pair, until } = response ? await pairOf(response) : { pair: null };
    if (generation === before) cache.set(name, { pair }, pair?.value.byteLength ?? 0, until);
    return pair;
  }

  /** Return the same for several keys, in their order. They are read in turn, so that the limit is never exceeded. */
  async readAll(keys, cacheTtl) {
    const pairs = [];
    let total = 0;
    for (const key of keys) {
      const pair = await this.read(key, cacheTtl);
      pairs.push(pair);
      total += pair?.value.byteLength ?? 0;
      if (total > MAX_TOTAL) {
        throw new Error(
          `KV GET_BULK failed: 413 Total size of request exceeds the limit of ${MAX_TOTAL / 1024 / 1024}MB`,
        );
      }
    }
    return pairs;
  }

  async write(key, value, { expiration, expirationTtl, metadata }) {
    const expiry = Object.entries({ expiration, expiration_ttl: expirationTtl }).filter(
      ([, seconds]) => seconds !== undefined,
    );
    const headers = metadata === null ? {} : { "x-metadata": encodeURIComponent(metadata) };
    await this.#change("PUT", { key, ...Object.fromEntries(expiry) }, { headers, body: value });
  }

  async remove(key) {
    await this.#change("DELETE", { key });
  }

  /** Return `{keys, last}`: a page, and the cursor of the next page, empty on the last one. */
  async keys(prefix, limit, cursor) {
    return (await this.#call("GET", "/keys", { prefix, limit, cursor })).json();
  }

  /** Write, and invalidate the cached pair even if that fails. */
  async #change(method, query, init) {
    try {
      await this.#call(method, "", query, init);
    } finally {
      generation += 1;
      for (const each of [cache, stale]) each.delete(nameOf(this.ctx.props.namespace, query.key));
    }
  }

  /** Call the control plane. Return null for 404. Errors have the messages of the runtime's own class. */
  async #call(method, path, query, init) {
    const response = await callControl(
      this.env,
      `/kv/${this.ctx.props.namespace}${path}?${new URLSearchParams(query)}`,
      { method, ...init },
    );
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`KV ${method} failed: ${response.status} ${await response.text()}`);
    return response;
  }
}

/** Return the pair in a response of the control plane, and its expiration. */
async function pairOf(response) {
  const metadata = response.headers.get("x-metadata");
  const expiration = response.headers.get("x-expiration");
  return {
    pair: { value: await response.arrayBuffer(), metadata: metadata && decodeURIComponent(metadata) },
    until: expiration ? Number(expiration) * 1000 : Infinity,
  };
}
