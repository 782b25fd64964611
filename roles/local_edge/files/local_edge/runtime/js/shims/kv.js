// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** KV namespaces: a class that behaves like the runtime's own, with the errors of Cloudflare's service. */
import { bytesOf } from "./bytes.js";
import { fieldsOf, integerOf, likeNative, textOf } from "./native.js";

export const kvNamespace = (stub) => new KvNamespace(stub);

const MAX_KEY = 512;
const MAX_KEYS = 100;
const MAX_LISTED = 1000;
const MAX_VALUE = 25 * 1024 * 1024;
const MAX_METADATA = 1024;
/** In seconds. */
const MIN_CACHE_TTL = 30;
const MIN_TTL = 60;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const READERS = new Map([
  ["text", (value) => decoder.decode(value)],
  ["arrayBuffer", (value) => value],
  ["json", (value) => JSON.parse(decoder.decode(value))],
  ["stream", (value) => new Response(value).body],
]);

function failure(action, status, text) {
  return new Error(`KV ${action} failed: ${status} ${text}`);
}

function checkedLength(action, name) {
  const { length } = encoder.encode(name);
  if (length > MAX_KEY) {
    throw failure(action, 414, `UTF-8 encoded length of ${length} exceeds key length limit of ${MAX_KEY}.`);
  }
  return name;
}

function checkedKey(action, key) {
  if (key === "") throw new TypeError("Key name cannot be empty.");
  if (key === "." || key === "..") throw new TypeError(`"${key}" is not allowed as a key name.`);
  return checkedLength(action, key);
}

function checkedTtl(action, { cacheTtl }) {
  if (cacheTtl < MIN_CACHE_TTL) {
    throw failure(action, 400, `Invalid cache_ttl of ${cacheTtl}. Cache TTL must be at least ${MIN_CACHE_TTL}.`);
  }
}

/** Return `{key, type, cacheTtl}` of a read. The options may be only the type, and the key may be a list. */
function queryOf(key, options) {
  const fields = ["object", "function", "undefined"].includes(typeof options) ? (options ?? {}) : { type: options };
  return {
    key: Array.isArray(key) ? Array.from(key, (one) => `${one}`) : `${key}`,
    type: textOf(fields.type),
    cacheTtl: integerOf(fields.cacheTtl),
  };
}

/** Check the expiration of a pair. */
function checkedExpiry({ expiration, expirationTtl }) {
  const invalid = (name, value, problem) => failure("PUT", 400, `Invalid ${name} of ${value}. ${problem}`);
  const now = Math.floor(Date.now() / 1000);
  if (expirationTtl !== undefined) {
    if (expirationTtl <= 0) throw invalid("expiration_ttl", expirationTtl, "Please specify integer greater than 0.");
    if (expirationTtl < MIN_TTL) {
      throw invalid("expiration_ttl", expirationTtl, `Expiration TTL must be at least ${MIN_TTL}.`);
    }
  } else if (expiration !== undefined) {
    const past = "Please specify integer greater than the current number of seconds since the UNIX epoch.";
    if (expiration <= now) throw invalid("expiration", expiration, past);
    if (expiration < now + MIN_TTL) {
      throw invalid("expiration", expiration, `Expiration times must be at least ${MIN_TTL} seconds in the future.`);
    }
  }
}

/** Return metadata as JSON, null for none. */
function checkedMetadata(value) {
  if (value === undefined || value === null) return null;
  const text = JSON.stringify(value);
  if (text === undefined) throw failure("PUT", 400, "Metadata must be serializable to JSON.");
  const { length } = encoder.encode(text);
  if (length > MAX_METADATA) {
    throw failure("PUT", 413, `Metadata length of ${length} exceeds limit of ${MAX_METADATA}.`);
  }
  return text;
}

/** Return the bytes of a value. A stream that was read before is refused with the error of a response body. */
async function checkedValue(value) {
  const bytes = await bytesFrom(value);
  const length = bytes?.byteLength ?? `more than ${MAX_VALUE}`;
  if (!(length <= MAX_VALUE)) throw failure("PUT", 413, `Value length of ${length} exceeds limit of ${MAX_VALUE}.`);
  return bytes;
}

function bytesFrom(value) {
  if (typeof value === "string") return encoder.encode(value);
  if (value instanceof ReadableStream) return bytesOf(new Response(value).body, MAX_VALUE);
  return new Uint8Array(value.buffer ?? value, value.byteOffset, value.byteLength).slice();
}

const isValue = (value) =>
  [ReadableStream, ArrayBuffer, SharedArrayBuffer].some((type) => value instanceof type) || ArrayBuffer.isView(value);

/** As in the runtime's own class, keys that are numbers are missing in the Map of a bulk read. */
const isIndex = (key) => /^(0|[1-9]\d*)$/.test(key) && Number(key) < 2 ** 32 - 1;

class KvNamespace {
  #stub;

  constructor(stub) {
    if (!stub) throw new TypeError("Illegal constructor");
    this.#stub = stub;
  }

  get(key, options) {
    const query = queryOf(key, options);
    if (Array.isArray(query.key)) return this.#several(query, (value) => value);
    return this.#value(query);
  }

  getWithMetadata(key, options) {
    const query = queryOf(key, options);
    if (Array.isArray(query.key)) return this.#several(query, (value, metadata) => ({ value, metadata }));
    checkedKey("GET", query.key);
    return this.#one(query);
  }

  async put(key, value, options) {
    const name = `${key}`;
    const isText = value === null || !["object", "function"].includes(typeof value);
    const content = isText ? `${value}` : value;
    const fields = fieldsOf(options, KvNamespace, "put", 3, "PutOptions");
    const expiry = { expiration: integerOf(fields.expiration), expirationTtl: integerOf(fields.expirationTtl) };
    checkedKey("PUT", name);
    const metadata = checkedMetadata(fields.metadata);
    if (!isText && !isValue(content)) {
      throw new TypeError(
        "KV put() accepts only strings, ArrayBuffers, ArrayBufferViews, and ReadableStreams as values.",
      );
    }
    checkedExpiry(expiry);
    await this.#stub.write(name, await checkedValue(content), { ...expiry, metadata });
  }

  async delete(key) {
    await this.#stub.remove(checkedKey("DELETE", `${key}`));
  }

  async list(options) {
    const fields = fieldsOf(options, KvNamespace, "list", 1, "ListOptions");
    const [limit, prefix, cursor] = [
      integerOf(fields.limit),
      textOf(fields.prefix ?? undefined),
      textOf(fields.cursor ?? undefined),
    ];
    if (limit > MAX_LISTED) {
      throw failure(
        "GET",
        400,
        `Invalid key_count_limit of ${limit}. Please specify an integer less than ${MAX_LISTED}.`,
      );
    }
    const { keys, last } = await this.#stub.keys(
      checkedLength("GET", prefix ?? ""),
      limit > 0 ? limit : MAX_LISTED,
      cursor ?? "",
    );
    return { keys, list_complete: !last, ...(last && { cursor: last }), cacheStatus: null };
  }

  async #value(query) {
    checkedKey("GET", query.key);
    return (await this.#one(query)).value;
  }

  /** Read a valid key. */
  async #one({ key, type = "text", cacheTtl }) {
    checkedTtl("GET", { cacheTtl });
    const found = await this.#stub.read(key, cacheTtl);
    if (!found) return { value: null, metadata: null, cacheStatus: null };
    const reader = READERS.get(type);
    if (!reader) {
      throw new TypeError('Unknown response type. Possible types are "text", "arrayBuffer", "json", and "stream".');
    }
    return { value: reader(found.value), metadata: JSON.parse(found.metadata), cacheStatus: null };
  }

  /** Return a Map from key to `shaped(value, metadata)`. */
  async #several({ key: keys, type, cacheTtl }, shaped) {
    const invalid = (problem) => failure("GET_BULK", 400, problem);
    if (type && type !== "text" && type !== "json") {
      throw invalid(`"${type}" is not a valid type. Use "json" or "text"`);
    }
    if (keys.length > MAX_KEYS) throw invalid(`You can request a maximum of ${MAX_KEYS} keys`);
    if (keys.length < 1) throw invalid("You must request a minimum of 1 key");
    for (const key of keys) {
      if (key === "") throw invalid("Key names must not be empty");
      if (key === "." || key === "..") throw invalid(`Illegal key name "${key}". Please use a different name.`);
      checkedLength("GET_BULK", key);
    }
    checkedTtl("GET_BULK", { cacheTtl });
    const found = await this.#stub.readAll(keys, cacheTtl);
    const read = ({ value, metadata }) => shaped(READERS.get(type || "text")(value), JSON.parse(metadata));
    try {
      return new Map(
        keys.map((key, position) => [key, found[position] && read(found[position])]).filter(([key]) => !isIndex(key)),
      );
    } catch {
      throw invalid(`At least one of the requested keys corresponds to a non-${type} value`);
    }
  }

  static {
    const signatures = {
      get: ["string or Array"],
      list: [],
      put: ["string", "string or Object"],
      getWithMetadata: ["Array or string"],
      delete: ["string"],
    };
    likeNative(this, (one) => typeof one === "object" && #stub in one, signatures);
  }
}
