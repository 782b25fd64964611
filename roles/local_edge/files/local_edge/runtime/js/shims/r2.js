// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** R2 buckets: the runtime's own classes reimplemented, since they cannot be passed to a Worker. */
import {
  HEADERS,
  bodyOf,
  checksumsOf,
  conditionsOf,
  descriptionOf,
  numberOf,
  rangeOf,
  refuseCustomerKey,
  text,
  textIn,
} from "./r2_options.js";

export const r2Bucket = (stub) => new R2Bucket(stub);

/** The header with the JSON of a request or a response whose body is bytes. */
const OPTIONS_HEADER = "x-r2";
const NO_SUCH_KEY = "10007";
const PRECONDITION_FAILED = "10031";

const METADATA = ["httpMetadata", "customMetadata"];
/** For compatibility dates before 2022-08-04, listings always include all metadata. */
const HONOURS_INCLUDE = Cloudflare.compatibilityFlags.r2_list_honor_include;

/** Call an action. Return the response, also if a condition does not hold; null if the object does not exist. */
async function call(stub, action, params, body) {
  const json = JSON.stringify(params);
  const sent = body === undefined ? { body: json } : { body, headers: { [OPTIONS_HEADER]: encodeURIComponent(json) } };
  const response = await stub.fetch(`http://r2/${action}`, { method: "POST", ...sent });
  const code = response.headers.get("x-code");
  if (response.ok || code === PRECONDITION_FAILED) return response;
  if (code === NO_SUCH_KEY) return null;
  if (response.status === 411) {
    throw new TypeError(
      "Provided readable stream must have a known length (request/response body or readable half of FixedLengthStream)",
    );
  }
  throw new Error(`${action}: ${await response.text()} (${code ?? 10001})`);
}

/** Define read-only properties. */
function defineReadOnly(object, values) {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(object, name, { value, enumerable: true });
}

class R2Checksums {
  #digests;

  constructor(digests) {
    this.#digests = digests;
    defineReadOnly(
      this,
      Object.fromEntries(Object.entries(digests).map(([name, digest]) => [name, Uint8Array.fromHex(digest).buffer])),
    );
  }

  toJSON() {
    return { ...this.#digests };
  }
}

class R2Object {
  constructor({ key, version, size, etag, checksums, uploaded, httpMetadata, customMetadata, range, storageClass }) {
    const expiry = httpMetadata?.cacheExpiry === undefined ? {} : { cacheExpiry: new Date(httpMetadata.cacheExpiry) };
    defineReadOnly(this, {
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
      throw new TypeError(
        `HTTP metadata unknown for key \`${this.key}\`. `
          + "Did you forget to add 'httpMetadata' to `include` when listing?",
      );
    }
    for (const [name, header] of Object.entries(HEADERS)) {
      if (httpMetadata[name] !== undefined) headers.set(header, httpMetadata[name]);
    }
    if (httpMetadata.cacheExpiry) headers.set("expires", httpMetadata.cacheExpiry.toUTCString());
  }
}

class R2ObjectBody extends R2Object {
  #response;

  constructor(object, response) {
    super(object);
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
    const response = await call(this.#stub, "head", { key: text(key) });
    return response && new R2Object(await response.json());
  }

  async get(key, options) {
    const fields = options ?? {};
    refuseCustomerKey(fields);
    const response = await call(this.#stub, "get", {
      key: text(key),
      onlyIf: conditionsOf(fields.onlyIf),
      range: rangeOf(fields.range),
    });
    if (!response) return null;
    const object = JSON.parse(decodeURIComponent(response.headers.get(OPTIONS_HEADER)));
    return response.ok ? new R2ObjectBody(object, response) : new R2Object(object);
  }

  async put(key, value, options) {
    const fields = options ?? {};
    refuseCustomerKey(fields);
    const params = {
      key: text(key),
      onlyIf: conditionsOf(fields.onlyIf),
      checksums: checksumsOf(fields),
      ...descriptionOf(fields),
    };
    const response = await call(this.#stub, "put", params, bodyOf(value));
    return response.ok ? new R2Object(await response.json()) : null;
  }

  async delete(keys) {
    await call(this.#stub, "delete", { keys: (Array.isArray(keys) ? keys : [keys]).map(text) });
  }

  async list(options) {
    const fields = options ?? {};
    const include = fields.include ?? [];
    for (const name of include) if (!METADATA.includes(name)) throw new RangeError(`Unsupported include value ${name}`);
    const params = {
      limit: fields.limit === undefined ? undefined : Math.trunc(fields.limit) || 0,
      ...Object.fromEntries(
        ["prefix", "cursor", "delimiter", "startAfter"].map((name) => [name, textIn(fields, name)]),
      ),
      include: HONOURS_INCLUDE ? include : METADATA,
    };
    const { objects, delimitedPrefixes, cursor } = await (await call(this.#stub, "list", params)).json();
    return {
      objects: objects.map((object) => new R2Object(object)),
      truncated: cursor !== "",
      ...(cursor && { cursor }),
      delimitedPrefixes,
    };
  }

  async createMultipartUpload(key, options) {
    const fields = options ?? {};
    refuseCustomerKey(fields);
    const response = await call(this.#stub, "createMultipartUpload", { key: text(key), ...descriptionOf(fields) });
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
    defineReadOnly(this, upload);
  }

  async uploadPart(partNumber, value, options) {
    refuseCustomerKey(options ?? {});
    const part = numberOf(partNumber);
    if (value === null || value === undefined) throw new TypeError("A part must have a value.");
    const response = await call(this.#stub, "uploadPart", { ...this, part }, bodyOf(value));
    return { partNumber: part, etag: (await response.json()).etag };
  }

  async complete(uploadedParts) {
    const parts = Array.from(uploadedParts, ({ partNumber, etag }) => ({
      part: numberOf(partNumber),
      etag: text(etag),
    }));
    const response = await call(this.#stub, "completeMultipartUpload", { ...this, parts });
    return new R2Object(await response.json());
  }

  async abort() {
    await call(this.#stub, "abortMultipartUpload", { ...this });
  }
}
