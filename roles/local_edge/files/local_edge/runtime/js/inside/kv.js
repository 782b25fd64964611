// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** KV namespaces. */

export const kvNamespace = (stub) => new KvNamespace(stub);

const decoder = new TextDecoder();
const READERS = {
  text: (value) => decoder.decode(value),
  json: (value) => JSON.parse(decoder.decode(value)),
  arrayBuffer: (value) => value,
  stream: (value) => new Response(value).body,
};

/** The reader of a `get`, from `"json"` or `{type: "json"}`. */
function readerOf(options, action) {
  const type = (typeof options === "string" ? options : options?.type) ?? "text";
  if (!READERS[type]) throw new TypeError(`KV ${action}: unknown type ${JSON.stringify(type)}; it is one of ${Object.keys(READERS).join(", ")}`);
  return READERS[type];
}

function checked(key) {
  const name = String(key);
  if (name === "") throw new TypeError("Key name cannot be empty.");
  if (name === "." || name === "..") throw new TypeError(`"${name}" is not allowed as a key name.`);
  if (new TextEncoder().encode(name).length > 512) throw new Error("KV: UTF-8 encoded length of a key exceeds the limit of 512.");
  return name;
}

class KvNamespace {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  async get(key, options) {
    const found = await this.#read(key, options, "get");
    if (!(found instanceof Map)) return found.value;
    return new Map([...found].map(([name, entry]) => [name, entry.value]));
  }

  async getWithMetadata(key, options) {
    return this.#read(key, options, "getWithMetadata");
  }

  async put(key, value, { expiration, expirationTtl, metadata } = {}) {
    const body = typeof value === "string" ? new TextEncoder().encode(value).buffer : await new Response(value).arrayBuffer();
    await this.#stub.write(checked(key), body, { expiration, expirationTtl, metadata });
  }

  async delete(key) {
    await this.#stub.remove(checked(key));
  }

  async list({ prefix, limit, cursor } = {}) {
    const { keys, last } = await this.#stub.keys({ prefix, limit, cursor });
    const rest = last ? { list_complete: false, cursor: last } : { list_complete: true };
    return { keys: [...keys], ...rest, cacheStatus: null };
  }

  /** One entry `{value, metadata}` for a key, a Map of entries for a list of keys. */
  async #read(key, options, action) {
    const reader = readerOf(options, action);
    const entry = (found) => ({ value: found && reader(found.value), metadata: found?.metadata ?? null, cacheStatus: null });
    if (!Array.isArray(key)) return entry(await this.#stub.read(checked(key)));
    if (key.length > 100) throw new Error("KV: at most 100 keys at once.");
    const found = await this.#stub.readAll(key.map(checked));
    return new Map(key.map((name, position) => [name, entry(found[position])]));
  }
}
