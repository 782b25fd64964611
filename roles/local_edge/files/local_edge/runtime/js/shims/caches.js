// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * `caches`: the runtime's own objects, which lead nowhere in a Worker that was loaded, led to the edge. Nothing is asked of it before they are used.
 */
import { fieldsOf, likeNative } from "./native.js";
import { hidden } from "./worker.js";

const UNTRUSTED = "caches.default is not available: a Worker in a dispatch namespace that is not trusted has no cache in common with others. "
  + "Use `await caches.open(NAME)`, which is its own, or set `trusted_workers` of the namespace and upload the Worker anew.";
const USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";
/** What is no part of the Cache API on Cloudflare. */
const UNKNOWN = ["ignoreSearch", "ignoreVary", "cacheName"];

/** Where a match is asked for: any address, since a key may be one that nobody can fetch. */
const PLACE = "http://cache/";

/** The names of caches, null for the default one. */
const names = new WeakMap();

const { open } = CacheStorage.prototype;

// Who may know the place of a visitor shares caches with others.
if (hidden.place) {
  names.set(caches.default, null);
} else {
  const get = () => {
    throw new Error(UNTRUSTED);
  };
  Object.defineProperty(caches, "default", { get, enumerable: true, configurable: true });
}

/** The request that is a key, be it one or its URL. */
function requestOf(input) {
  return input instanceof Request ? input : new Request(input);
}

/** The request that is asked for, or null where that is none of a method that is kept. */
function askedOf(input, options, method) {
  const request = requestOf(input);
  const told = fieldsOf(options, Cache, method, 2, "CacheQueryOptions");
  for (const field of UNKNOWN) {
    if (told[field] !== undefined) throw new Error(`The '${field}' field on 'CacheQueryOptions' is not implemented.`);
  }
  return request.method === "GET" || told.ignoreMethod ? request : null;
}

Object.assign(CacheStorage.prototype, {
  async open(name) {
    const cache = await open.call(this, name);
    names.set(cache, `${name}`);
    return cache;
  },
});

Object.assign(Cache.prototype, {
  async match(input, options) {
    const asked = askedOf(input, options, "match");
    if (!asked) return undefined;
    const response = await hidden.caches.fetch(PLACE, { headers: asked.headers, redirect: "manual", cf: { name: names.get(this), url: asked.url } });
    return response.headers.get("cf-cache-status") === "HIT" ? Object.defineProperty(response, "url", { value: "" }) : undefined;
  },

  async put(input, response) {
    if (response?.bodyUsed) throw new TypeError(USED);
    await hidden.caches.keep(names.get(this), requestOf(input), response);
  },

  async delete(input, options) {
    const asked = askedOf(input, options, "delete");
    return asked !== null && hidden.caches.remove(names.get(this), asked.url);
  },
});

const key = "Request or string";
likeNative(CacheStorage, (one) => one instanceof CacheStorage, { open: ["string"] });
likeNative(Cache, (one) => names.has(one), { match: [key], put: [key, "Response"], delete: [key] });
