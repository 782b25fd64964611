// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** R2 buckets: the runtime's own classes again, since those cannot be handed over. A bucket is asked one action at a time. */
import { HEADERS, bodyOf, checksumsOf, conditionsOf, descriptionOf, numberOf, rangeOf, refuseCustomerKey, text, textIn } from "./r2_options.js";

export const r2Bucket = (stub) => new R2Bucket(stub);

/** Where what is told goes when bytes are the body, and where what is shown comes from. */
const TOLD = "x-r2";
const NO_SUCH_KEY = "10007";
const PRECONDITION_FAILED = "10031";

const METADATA = ["httpMetadata", "customMetadata"];
/** Before a compatibility date of 2022-08-04 every listing has all metadata, whatever it asks for. */
const HONOURS_INCLUDE = Cloudflare.compatibilityFlags.r2_list_honor_include;

/** The answer to an action, be it that a condition does not hold; null where there is no such object. */
async function ask(stub, action, told, body) {
  const json = JSON.stringify(told);
  const sent = body === undefined ? { body: json } : { body, headers: { [TOLD]: encodeURIComponent(json) } };
  const response = await stub.fetch(`http://r2/${action}`, { method: "POST", ...sent });
  const code = response.headers.get("x-code");
  if (response.ok || code === PRECONDITION_FAILED) return response;
  if (code === NO_SUCH_KEY) return null;
  if (response.status === 411) {
    throw new TypeError("Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)");
  }
  throw new Error(`${action}: ${await response.text()} (${code ?? 10001})`);
}

/** Give an object what can be read, and not written. */
function show(object, values) {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(object, name, { value, enumerable: true });
}

class R2Checksums {
  #digests;

  constructor(digests) {
    this.#digests = digests;
    show(this, Object.fromEntries(Object.entries(digests).map(([name, digest]) => [name, Uint8Array.fromHex(digest).buffer])));
  }

  toJSON() {
    return { ...this.#digests };
  }
}

class R2Object {
  constructor({ key, version, size, etag, checksums, uploaded, httpMetadata, customMetadata, range, storageClass }) {
    const expiry = httpMetadata?.cacheExpiry === undefined ? {} : { cacheExpiry: new Date(httpMetadata.cacheExpiry) };
    show(this, {
      key,
      version,
      size,
      etag,
      httpEtag: `"${etag}"`,
      checksums: new R2Checksums(checksums),
      uploaded: new Date(uploaded),
      httpMetadata: httpMetadata && { ...httpMetadata, ...expiry },
      customMetadata,
      range,
      storageClass,
      ssecKeyMd5: undefined,
    });
  }

  writeHttpMetadata(headers) {
    const { httpMetadata } = this;
    if (!httpMetadata) {
      throw new TypeError(`HTTP metadata unknown for key \`${this.key}\`. Did you forget to add 'httpMetadata' to \`include\` when listing?`);
    }
    for (const [name, header] of Object.entries(HEADERS)) if (httpMetadata[name] !== undefined) headers.set(header, httpMetadata[name]);
    if (httpMetadata.cacheExpiry) headers.set("expires", httpMetadata.cacheExpiry.toUTCString());
  }
}

class R2ObjectBody extends R2Object {
  #response;

  constructor(shown, response) {
    super(shown);
    this.#response = response;
  }

  get body() {
    return this.#response.body;
  }

  get bodyUsed() {
    return this.#response.bodyUsed;
  }

  async arrayBuffer() {
    return this.#response.arrayBuffer();
  }

  async bytes() {
    return this.#response.bytes();
  }

  async text() {
    return this.#response.text();
  }

  async json() {
    return this.#response.json();
  }

  async blob() {
    return new Blob([await this.#response.arrayBuffer()], { type: this.httpMetadata.contentType });
  }
}

class R2Bucket {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  async head(key) {
    const response = await ask(this.#stub, "head", { key: text(key) });
    return response && new R2Object(await response.json());
  }

  async get(key, options) {
    const given = options ?? {};
    refuseCustomerKey(given);
    const response = await ask(this.#stub, "get", { key: text(key), onlyIf: conditionsOf(given.onlyIf), range: rangeOf(given.range) });
    if (!response) return null;
    const shown = JSON.parse(decodeURIComponent(response.headers.get(TOLD)));
    return response.ok ? new R2ObjectBody(shown, response) : new R2Object(shown);
  }

  async put(key, value, options) {
    const given = options ?? {};
    refuseCustomerKey(given);
    const told = { key: text(key), onlyIf: conditionsOf(given.onlyIf), checksums: checksumsOf(given), ...descriptionOf(given) };
    const response = await ask(this.#stub, "put", told, bodyOf(value));
    return response.ok ? new R2Object(await response.json()) : null;
  }

  async delete(keys) {
    await ask(this.#stub, "delete", { keys: (Array.isArray(keys) ? keys : [keys]).map(text) });
  }

  async list(options) {
    const given = options ?? {};
    const include = given.include ?? [];
    for (const name of include) if (!METADATA.includes(name)) throw new RangeError(`Unsupported include value ${name}`);
    const told = {
      limit: given.limit === undefined ? undefined : Math.trunc(given.limit) || 0,
      ...Object.fromEntries(["prefix", "cursor", "delimiter", "startAfter"].map((name) => [name, textIn(given, name)])),
      include: HONOURS_INCLUDE ? include : METADATA,
    };
    const { objects, delimitedPrefixes, cursor } = await (await ask(this.#stub, "list", told)).json();
    return { objects: objects.map((shown) => new R2Object(shown)), truncated: cursor !== "", ...(cursor && { cursor }), delimitedPrefixes };
  }

  async createMultipartUpload(key, options) {
    const given = options ?? {};
    refuseCustomerKey(given);
    const response = await ask(this.#stub, "createMultipartUpload", { key: text(key), ...descriptionOf(given) });
    return this.resumeMultipartUpload(key, (await response.json()).uploadId);
  }

  resumeMultipartUpload(key, uploadId) {
    return new R2MultipartUpload(this.#stub, { key: text(key), uploadId: text(uploadId) });
  }
}

class R2MultipartUpload {
  #stub;

  constructor(stub, upload) {
    this.#stub = stub;
    show(this, upload);
  }

  async uploadPart(partNumber, value, options) {
    refuseCustomerKey(options ?? {});
    const part = numberOf(partNumber);
    if (value === null || value === undefined) throw new TypeError("A part must have a value.");
    const response = await ask(this.#stub, "uploadPart", { ...this, part }, bodyOf(value));
    return { partNumber: part, etag: (await response.json()).etag };
  }

  async complete(uploadedParts) {
    const parts = Array.from(uploadedParts, ({ partNumber, etag }) => ({ part: numberOf(partNumber), etag: text(etag) }));
    const response = await ask(this.#stub, "completeMultipartUpload", { ...this, parts });
    return new R2Object(await response.json());
  }

  async abort() {
    await ask(this.#stub, "abortMultipartUpload", { ...this });
  }
}
