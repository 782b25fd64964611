// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** `caches`: the runtime's own objects, which have no backend in loaded Workers, connected to the edge on first use. */
import { fieldsOf, likeNative } from "./native.js";
import { internalEnv } from "./worker.js";

const UNTRUSTED =
  "caches.default is disabled for namespaced scripts. Use `await caches.open(NAME)`, which is private, or set "
  + "`trusted_workers` of the namespace and upload the Worker again.";
const USED = "Body has already been used. It can only be used once. Use tee() first if you need to read it twice.";
/** Options that Cloudflare's Cache API does not support. */
const UNSUPPORTED = ["ignoreSearch", "ignoreVary", "cacheName"];

/** The URL of match requests. The URL of a key cannot be used, since it may not be fetchable. */
const MATCH_URL = "http://cache/";

/** The names of caches, null for the default one. */
const names = new WeakMap();

const { open } = CacheStorage.prototype;

/** The default cache of an untrusted Worker, which must not share a cache with others. */
let disabled = null;

switch (internalEnv.defaultCache) {
  case "throw": {
    const get = () => {
      throw new Error(UNTRUSTED);
    };
    Object.defineProperty(caches, "default", { get, enumerable: true, configurable: true });
    break;
  }
  case "reject":
    disabled = caches.default;
  // fall through
  default:
    names.set(caches.default, null);
}

function checkEnabled(cache) {
  if (cache === disabled) throw new Error(UNTRUSTED);
}

/** Return the request of a key, which may be a URL. */
function requestOf(input) {
  return input instanceof Request ? input : new Request(input);
}

/** Return the request to match, or null if its method is not cacheable. */
function queriedRequest(input, options, method) {
  const request = requestOf(input);
  const query = fieldsOf(options, Cache, method, 2, "CacheQueryOptions");
  for (const field of UNSUPPORTED) {
    if (query[field] !== undefined) throw new Error(`The '${field}' field on 'CacheQueryOptions' is not implemented.`);
  }
  return request.method === "GET" || query.ignoreMethod ? request : null;
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
    checkEnabled(this);
    const request = queriedRequest(input, options, "match");
    if (!request) return undefined;
    const response = await internalEnv.caches.fetch(MATCH_URL, {
      headers: request.headers,
      redirect: "manual",
      cf: { name: names.get(this), url: request.url },
    });
    return response.headers.get("cf-cache-status") === "HIT"
      ? Object.defineProperty(response, "url", { value: "" })
      : undefined;
  },

  async put(input, response) {
    checkEnabled(this);
    if (response?.bodyUsed) throw new TypeError(USED);
    await internalEnv.caches.keep(names.get(this), requestOf(input), response);
  },

  async delete(input, options) {
    checkEnabled(this);
    const request = queriedRequest(input, options, "delete");
    return request !== null && internalEnv.caches.remove(names.get(this), request.url);
  },
});

const key = "Request or string";
likeNative(CacheStorage, (one) => one instanceof CacheStorage, { open: ["string"] });
likeNative(Cache, (one) => names.has(one), { match: [key], put: [key, "Response"], delete: [key] });
