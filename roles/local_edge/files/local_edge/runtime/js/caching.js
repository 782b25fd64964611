// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * HTTP caching (RFC 9111) as far as Cloudflare's Cache API implements it: lifetimes, conditions and ranges.
 *
 * A stored response is `{status, statusText, headers, body, age, since}`. `body` has the bytes in their content
 * encoding, `age` is the age on arrival in seconds, `since` the time of arrival in milliseconds.
 */

/** Default lifetimes in seconds by status. Responses with any other status are not stored by default. */
const LIFETIMES = { 200: 7200, 301: 7200, 302: 1200, 303: 1200, 404: 180, 410: 180 };
const DIRECTIVE = /([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g;
/** Directives that allow the response to an authorized request to be stored. */
const PUBLIC = ["public", "must-revalidate", "s-maxage"];

const STATUS_LINE = /^HTTP\/1\.1 (\d+) ?(.*)$/;
/** Headers of the connection, which are not stored. */
const CONNECTION = ["connection", "keep-alive", "transfer-encoding", "upgrade"];

/** Return the directives of `cache-control` with their arguments, empty text for none. */
function directivesOf(headers) {
  const text = headers.get("cache-control") ?? "";
  return new Map(
    [...text.matchAll(DIRECTIVE)].map(([, name, quoted, bare]) => [name.toLowerCase(), quoted ?? bare ?? ""]),
  );
}

/** Return the header names in the argument of a directive. */
function fieldsOf(text = "") {
  return text
    .split(",")
    .map((name) => name.trim())
    .filter(Boolean);
}

/** Return the seconds that a response may be stored, 0 for none. Private headers are removed. */
export function lifetimeOf({ status, headers }, requestHeaders) {
  const directives = directivesOf(headers);
  const [own, checked] = [fieldsOf(directives.get("private")), fieldsOf(directives.get("no-cache"))];
  if (directives.has("no-store") || (directives.has("private") && !own.length)) return 0;
  // A response that must be revalidated each time is never stored: there is no origin to revalidate it with.
  if (directives.has("no-cache") && (!checked.length || checked.some((name) => headers.has(name)))) return 0;
  for (const name of own) headers.delete(name);
  if (
    headers.has("set-cookie")
    || (requestHeaders.has("authorization") && !PUBLIC.some((name) => directives.has(name)))
  )
    return 0;
  return Math.max(0, secondsOf(directives, headers, status) - ageOf(headers)) || 0;
}

function secondsOf(directives, headers, status) {
  for (const name of ["s-maxage", "max-age"]) if (directives.has(name)) return Number(directives.get(name) || NaN);
  if (headers.has("expires")) return (Date.parse(headers.get("expires")) - Date.now()) / 1000;
  return LIFETIMES[status] ?? 0;
}

/** Return the `age` header of a response in seconds. */
export function ageOf(headers) {
  return Number(headers.get("age")) || 0;
}

/** Parse an HTTP message into a response without `age` and `since`. */
export function parsed(message) {
  const end = endOfHead(message);
  const [first, ...lines] = new TextDecoder().decode(message.subarray(0, end)).split("\r\n");
  const [, status, statusText] = STATUS_LINE.exec(first);
  const headers = new Headers(
    lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
  for (const name of CONNECTION) headers.delete(name);
  return { status: Number(status), statusText, headers, body: message.slice(end + 4) };
}

/** Return the position of the empty line. */
function endOfHead(message) {
  const [cr, lf] = [13, 10];
  return message.findIndex(
    (byte, at) => byte === cr && message[at + 1] === lf && message[at + 2] === cr && message[at + 3] === lf,
  );
}

/** Answer a request from a stored response: with the response, a range of it, or 304. */
export function answerOf(stored, requestHeaders) {
  const headers = new Headers(stored.headers);
  headers.set("age", Math.floor(stored.age + (Date.now() - stored.since) / 1000));
  headers.set("cf-cache-status", "HIT");
  if (isUnchanged(stored.headers, requestHeaders)) return bodiless(304, headers);
  const range = rangeOf(stored, requestHeaders);
  if (range === null) return respond(stored, headers, stored.body);
  const size = stored.body.length;
  if (range.first >= size || range.first > range.last) {
    headers.set("content-range", `bytes */${size}`);
    return bodiless(416, headers);
  }
  const last = Math.min(range.last, size - 1);
  headers.set("content-range", `bytes ${range.first}-${last}/${size}`);
  headers.set("content-length", last - range.first + 1);
  return respond({ status: 206, statusText: "Partial Content" }, headers, stored.body.subarray(range.first, last + 1));
}

/** The body is sent as stored, already encoded. */
function respond({ status, statusText }, headers, body) {
  return new Response(body.length ? body : null, { status, statusText, headers, encodeBody: "manual" });
}

function bodiless(status, headers) {
  headers.delete("content-length");
  return new Response(null, { status, headers });
}

const tagOf = (text) => text.trim().replace(/^W\//, "");

/** Return whether the client's copy is current. Times are not compared if there is a tag. */
function isUnchanged(headers, requestHeaders) {
  const [tags, since] = [requestHeaders.get("if-none-match"), requestHeaders.get("if-modified-since")];
  const [tag, modified] = [headers.get("etag"), headers.get("last-modified")];
  if (tags !== null && tag !== null) {
    return tags.trim() === "*" || tags.split(",").some((one) => tagOf(one) === tagOf(tag));
  }
  return tags === null && since !== null && modified !== null && Date.parse(modified) <= Date.parse(since);
}

/** Return `{first, last}` of the requested bytes, null for all, for multiple ranges, and for an unknown length. */
function rangeOf({ status, headers, body }, requestHeaders) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(requestHeaders.get("range")?.trim() ?? "") ?? [];
  if (status !== 200 || !headers.has("content-length") || !(first || last)) return null;
  const condition = requestHeaders.get("if-range");
  if (condition !== null && condition !== headers.get("etag") && condition !== headers.get("last-modified")) {
    return null;
  }
  if (!first) {
    return { first: Number(last) ? Math.max(0, body.length - Number(last)) : body.length, last: body.length - 1 };
  }
  return { first: Number(first), last: last ? Number(last) : Infinity };
}
