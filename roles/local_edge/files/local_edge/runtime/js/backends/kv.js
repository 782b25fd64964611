// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The far side of a KV binding: the same store that the API reads and writes. What was read is kept here until it is written anew. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { ask } from "../control.js";
import { Kept } from "../lru_cache.js";

/** How many bytes of pairs are kept, and how large a value may be that is. */
const ROOM = 32 * 1024 * 1024;
const MAX_SIZE = 1024 * 1024;
/** `{pair}` by namespace and key, the pair being null where there is none. */
const kept = new Kept(ROOM, MAX_SIZE);
/** How many bytes of values are read at once. */
const MAX_TOTAL = 25 * 1024 * 1024;
/** Counted up with every change, so that what was read meanwhile is not kept. */
let generation = 0;

const nameOf = (namespace, key) => `${namespace}:${key}`;

/** Drop the pairs of a namespace (`kv:` and its id), or of all (`*`). */
export function forgetPairs(change) {
  generation += 1;
  const beginning = change === "*" ? "" : nameOf(change.slice("kv:".length), "");
  kept.deleteAll((name) => name.startsWith(beginning));
}

export class KV extends WorkerEntrypoint {
  /** `{value: ArrayBuffer, metadata: JSON or null}` of one key, or null. */
  async read(key) {
    const name = nameOf(this.ctx.props.namespace, key);
    const found = kept.get(name);
    if (found) return found.pair;
    const before = generation;
    const response = await this.#ask("GET", "", { key });
    const { pair, until } = response ? await pairOf(response) : { pair: null };
    if (generation === before) kept.set(name, { pair }, pair?.value.byteLength ?? 0, until);
    return pair;
  }

  /** The same of several keys, in their order; one after the other, so that too much is never read. */
  async readAll(keys) {
    const pairs = [];
    let total = 0;
    for (const key of keys) {
      const pair = await this.read(key);
      pairs.push(pair);
      total += pair?.value.byteLength ?? 0;
      if (total > MAX_TOTAL) throw new Error(`KV GET_BULK failed: 413 Total size of request exceeds the limit of ${MAX_TOTAL / 1024 / 1024}MB`);
    }
    return pairs;
  }

  async write(key, value, { expiration, expirationTtl, metadata }) {
    const expiry = Object.entries({ expiration, expiration_ttl: expirationTtl }).filter(([, seconds]) => seconds !== undefined);
    const headers = metadata === null ? {} : { "x-metadata": encodeURIComponent(metadata) };
    await this.#change("PUT", { key, ...Object.fromEntries(expiry) }, { headers, body: value });
  }

  async remove(key) {
    await this.#change("DELETE", { key });
  }

  /** `{keys, last}`: a page, and the cursor of the next, empty where this is the last. */
  async keys(prefix, limit, cursor) {
    return (await this.#ask("GET", "/keys", { prefix, limit, cursor })).json();
  }

  /** Write, and forget what was kept, however that ends. */
  async #change(method, query, init) {
    try {
      await this.#ask(method, "", query, init);
    } finally {
      generation += 1;
      kept.delete(nameOf(this.ctx.props.namespace, query.key));
    }
  }

  /** The answer of the control plane, null where there is nothing; a refusal in the words that the runtime's own class has for it. */
  async #ask(method, path, query, init) {
    const response = await ask(this.env, `/kv/${this.ctx.props.namespace}${path}?${new URLSearchParams(query)}`, { method, ...init });
    if (response.status === 404) return null;
    if (!response.ok) throw new Error(`KV ${method} failed: ${response.status} ${await response.text()}`);
    return response;
  }
}

/** A pair as the control plane answers it, and until when it is there. */
async function pairOf(response) {
  const metadata = response.headers.get("x-metadata");
  const expiration = response.headers.get("x-expiration");
  return {
    pair: { value: await response.arrayBuffer(), metadata: metadata && decodeURIComponent(metadata) },
    until: expiration ? Number(expiration) * 1000 : Infinity,
  };
}
