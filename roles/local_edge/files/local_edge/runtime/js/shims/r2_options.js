// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Parse the options of R2 methods as the runtime does. */

/** HTTP headers that are stored with an object, by the names of R2. */
export const HEADERS = {
  contentType: "content-type",
  contentLanguage: "content-language",
  contentDisposition: "content-disposition",
  contentEncoding: "content-encoding",
  cacheControl: "cache-control",
};
/** The name of each digest in messages, and its size in bytes. */
const DIGESTS = {
  md5: ["MD5", 16],
  sha1: ["SHA-1", 20],
  sha256: ["SHA-256", 32],
  sha384: ["SHA-384", 48],
  sha512: ["SHA-512", 64],
};

/** Convert to well-formed text: lone surrogates cannot be encoded. */
export const text = (value) => String(value).toWellFormed();

/** Return an optional text option. */
export function textIn(options, name) {
  const value = options[name];
  if (value === undefined) return undefined;
  if (typeof value !== "string") {
    throw new TypeError(`Incorrect type for the '${name}' field: the provided value is not of type 'string'.`);
  }
  return value.toWellFormed();
}

/** Return an optional time option in milliseconds. */
function timeIn(options, name) {
  if (options[name] === undefined) return undefined;
  const time = Number(options[name]);
  if (Number.isNaN(time)) {
    throw new TypeError(`Incorrect type for the '${name}' field: the provided value is not a valid date.`);
  }
  return time;
}

/** Return the time in a header in milliseconds. An invalid one is ignored. */
function timeOfHeader(headers, name) {
  const time = Date.parse(headers.get(name));
  return Number.isNaN(time) ? undefined : time;
}

const bytesOf = (value) =>
  ArrayBuffer.isView(value) ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength) : new Uint8Array(value);

/** Return the value to send. */
export function bodyOf(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "string" || ArrayBuffer.isView(value)) return value;
  if ([ArrayBuffer, ReadableStream, Blob].some((type) => value instanceof type)) return value;
  throw new TypeError(
    "The value of an object must be of type "
      + "'ReadableStream or ArrayBuffer or ArrayBufferView or string or Blob', or null.",
  );
}

/** Refuse customer-provided keys, since objects would be stored without encryption. */
export function refuseCustomerKey({ ssecKey }) {
  if (ssecKey !== undefined) {
    throw new Error("The local edge does not encrypt objects with a key of the customer (SSE-C): leave out ssecKey.");
  }
}

/** Return the conditions: tags as a header or as a list, times in milliseconds. */
export function conditionsOf(onlyIf) {
  if (onlyIf instanceof Headers) {
    return {
      ifMatch: onlyIf.get("if-match") ?? undefined,
      ifNoneMatch: onlyIf.get("if-none-match") ?? undefined,
      uploadedAfter: timeOfHeader(onlyIf, "if-modified-since"),
      uploadedBefore: timeOfHeader(onlyIf, "if-unmodified-since"),
      secondsGranularity: true,
    };
  }
  return (
    onlyIf && {
      ifMatch: tagsIn(onlyIf, "etagMatches"),
      ifNoneMatch: tagsIn(onlyIf, "etagDoesNotMatch"),
      uploadedAfter: timeIn(onlyIf, "uploadedAfter"),
      uploadedBefore: timeIn(onlyIf, "uploadedBefore"),
      secondsGranularity: onlyIf.secondsGranularity,
    }
  );
}

function tagsIn(onlyIf, name) {
  const tag = textIn(onlyIf, name);
  if (tag?.startsWith('"') && tag.endsWith('"')) {
    throw new TypeError(`Conditional ETag should not be wrapped in quotes (${tag}).`);
  }
  return tag === undefined ? undefined : [tag];
}

/** Return the requested range. */
export function rangeOf(range) {
  if (range instanceof Headers) return range.has("range") ? { header: range.get("range") } : undefined;
  if (!range) return undefined;
  const { offset, length, suffix } = range;
  for (const [name, value, label] of [
    ["range", offset, "Starting offset"],
    ["range", length, "Length"],
    ["suffix", suffix, "Suffix"],
  ]) {
    if (value === undefined) continue;
    if (!(value >= 0)) throw new RangeError(`Invalid ${name}. ${label} (${value}) must be greater than or equal to 0.`);
    if (!Number.isInteger(value)) {
      throw new RangeError(`Invalid range. ${label} (${value}) must be an integer, not floating point.`);
    }
  }
  if (suffix !== undefined && offset !== undefined) throw new TypeError("Suffix is incompatible with offset.");
  if (suffix !== undefined && length !== undefined) throw new TypeError("Suffix is incompatible with length.");
  return { offset, length, suffix };
}

/** Return the metadata of an object. */
export function descriptionOf({ httpMetadata = {}, customMetadata = {}, storageClass }) {
  const fields = httpMetadata instanceof Headers ? fromHeaders(httpMetadata) : httpMetadata;
  const present = Object.keys(HEADERS).filter((name) => fields[name] !== undefined);
  return {
    httpMetadata: {
      ...Object.fromEntries(present.map((name) => [name, text(fields[name])])),
      cacheExpiry: timeIn(fields, "cacheExpiry"),
    },
    customMetadata: Object.fromEntries(
      Object.entries(customMetadata).map(([name, value]) => [text(name), text(value)]),
    ),
    storageClass: storageClass === undefined ? undefined : text(storageClass),
  };
}

function fromHeaders(headers) {
  const present = Object.entries(HEADERS).filter(([, header]) => headers.has(header));
  return {
    ...Object.fromEntries(present.map(([name, header]) => [name, headers.get(header)])),
    cacheExpiry: timeOfHeader(headers, "expires"),
  };
}

/** Return the expected digest in hexadecimal, if one is set. */
export function checksumsOf(options) {
  const fields = Object.entries(DIGESTS).filter(([name]) => options[name] !== undefined);
  if (fields.length > 1) throw new TypeError("You cannot specify multiple hashing algorithms.");
  return Object.fromEntries(fields.map(([name, [label, size]]) => [name, digestOf(options[name], label, size)]));
}

/** Convert a digest to hexadecimal, from hexadecimal or bytes. */
function digestOf(value, label, size) {
  if (typeof value === "string") {
    if (value.length !== 2 * size) throw new TypeError(`${label} is ${2 * size} hex characters, not ${value.length}`);
    if (!/^[0-9a-f]+$/i.test(value)) throw new TypeError(`Provided ${label} wasn't a valid hex string`);
    return value;
  }
  const bytes = bytesOf(value);
  if (bytes.length !== size) throw new TypeError(`${label} is ${size} bytes, not ${bytes.length}`);
  return bytes.toHex();
}

/** Return the number of a part. */
export function numberOf(value) {
  const number = Math.trunc(value);
  if (!(number >= 1 && number <= 10000)) {
    throw new TypeError(`Part number must be between 1 and 10000 (inclusive). Actual value was: ${value}`);
  }
  return number;
}
