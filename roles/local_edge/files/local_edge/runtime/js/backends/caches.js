// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The backend of `caches`. Responses are stored in the memory of this isolate. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { ageOf, answerOf, lifetimeOf, parsed } from "../caching.js";
import { bytesOf } from "../shims/bytes.js";
import { LruCache } from "../lru_cache.js";

/** The size of the cache of all Workers, and the largest response in it, in bytes. */
const CAPACITY = 64 * 1024 * 1024;
const MAX_SIZE = 16 * 1024 * 1024;
const cache = new LruCache(CAPACITY, MAX_SIZE);

/** The caches of the scope in the props. The name of the default cache is null. */
export class Caches extends WorkerEntrypoint {
  /** Match a request: `cf` has the name of the cache and the URL. */
  async fetch({ cf: { name, url }, headers }) {
    const found = cache.get(this.#entry(name, url));
    return found
      ? answerOf(found, headers)
      : new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
  }

  /**
   * Store a response with the runtime's own class, which checks it and sends it to `CacheStore`. Only that class can
   * detect whether the body is already encoded.
   */
  async keep(name, request, response) {
    await caches.default.put(new Request(request, { cf: { entry: this.#entry(name, request.url) } }), response);
  }

  /** Delete an entry. Return whether it existed. */
  async remove(name, url) {
    return cache.delete(this.#entry(name, url));
  }

  #entry(name, url) {
    return JSON.stringify([this.ctx.props.scope, name, url]);
  }
}

/** Receives responses from the runtime's own class: the body of each request is a response as an HTTP message. */
export class CacheStore extends WorkerEntrypoint {
  async fetch({ cf: { entry }, headers: requestHeaders, body }) {
    const message = await bytesOf(body, MAX_SIZE);
    const response = message && parsed(message);
    const seconds = response && lifetimeOf(response, requestHeaders);
    if (!seconds) return new Response(null, { status: 413 });
    cache.set(
      entry,
      { ...response, age: ageOf(response.headers), since: Date.now() },
      message.length,
      Date.now() + seconds * 1000,
    );
    return new Response(null, { status: 204 });
  }
}
