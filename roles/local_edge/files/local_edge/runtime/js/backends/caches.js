// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What `caches` of Workers reach. What they put is kept in the memory of this isolate. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { ageOf, answerOf, lifetimeOf, parsed } from "../caching.js";
import { bytesOf } from "../shims/bytes.js";
import { Kept } from "../lru_cache.js";

/** How many bytes are kept of all Workers, and of how many a response may be that is. */
const ROOM = 64 * 1024 * 1024;
const MAX_SIZE = 16 * 1024 * 1024;
const kept = new Kept(ROOM, MAX_SIZE);

/** The caches of a Worker, or of several that share them, as props say; the name of the default one is null. */
export class Caches extends WorkerEntrypoint {
  /** A match: the headers are those of the request, `cf` says in which cache, and its URL. */
  async fetch({ cf: { name, url }, headers }) {
    const found = kept.get(this.#entry(name, url));
    return found ? answerOf(found, headers) : new Response(null, { status: 504, headers: { "cf-cache-status": "MISS" } });
  }

  /** The runtime's own class checks the response, and writes it out to `CacheStore`: nobody else knows whether its body is encoded already. */
  async keep(name, request, response) {
    await caches.default.put(new Request(request, { cf: { entry: this.#entry(name, request.url) } }), response);
  }

  /** Whether there was one. */
  async remove(name, url) {
    return kept.delete(this.#entry(name, url));
  }

  #entry(name, url) {
    return JSON.stringify([this.ctx.props.scope, name, url]);
  }
}

/** Where the runtime's own class sends what is put: a request whose body is the response as a message. */
export class CacheStore extends WorkerEntrypoint {
  async fetch({ cf: { entry }, headers: asked, body }) {
    const message = await bytesOf(body, MAX_SIZE);
    const response = message && parsed(message);
    const seconds = response && lifetimeOf(response, asked);
    if (!seconds) return new Response(null, { status: 413 });
    kept.set(entry, { ...response, age: ageOf(response.headers), since: Date.now() }, message.length, Date.now() + seconds * 1000);
    return new Response(null, { status: 204 });
  }
}
