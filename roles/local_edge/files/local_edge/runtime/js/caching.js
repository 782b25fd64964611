// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * What HTTP says of caches (RFC 9111), as far as Cloudflare's Cache API heeds it: how long a response may be kept, and what it answers.
 *
 * A kept response is `{status, statusText, headers, body, age, since}`: `body` are its bytes as they travel, encoded as its headers say; `age` is
 * how many seconds old it came, `since` when, in milliseconds.
 */

/** Seconds that a response is kept which does not say itself how long, by its status; one of another is not. */
const LIFETIMES = { 200: 7200, 301: 7200, 302: 1200, 303: 1200, 404: 180, 410: 180 };
const DIRECTIVE = /([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g;
/** What lets a response be kept that was asked for with an authorization. */
const PUBLIC = ["public", "must-revalidate", "s-maxage"];

const STATUS_LINE = /^HTTP\/1\.1 (\d+) ?(.*)$/;
/** Of the connection, not of the response. */
const CONNECTION = ["connection", "keep-alive", "transfer-encoding", "upgrade"];

/** The directives of `cache-control` with what they are given, an empty text where that is nothing. */
function directivesOf(headers) {
  const text = headers.get("cache-control") ?? "";
  return new Map([...text.matchAll(DIRECTIVE)].map(([, name, quoted, bare]) => [name.toLowerCase(), quoted ?? bare ?? ""]));
}

/** The names of headers that a directive is given. */
function fieldsOf(text = "") {
  return text.split(",").map((name) => name.trim()).filter(Boolean);
}

/** How many seconds a response may be kept, 0 where it may not. What is private of its headers is taken away. */
export function lifetimeOf({ status, headers }, asked) {
  const said = directivesOf(headers);
  const [own, checked] = [fieldsOf(said.get("private")), fieldsOf(said.get("no-cache"))];
  if (said.has("no-store") || (said.has("private") && !own.length)) return 0;
  // What must be asked for anew each time is never answered: nobody could be asked.
  if (said.has("no-cache") && (!checked.length || checked.some((name) => headers.has(name)))) return 0;
  for (const name of own) headers.delete(name);
  if (headers.has("set-cookie") || (asked.has("authorization") && !PUBLIC.some((name) => said.has(name)))) return 0;
  return Math.max(0, secondsOf(said, headers, status) - ageOf(headers)) || 0;
}

function secondsOf(said, headers, status) {
  for (const name of ["s-maxage", "max-age"]) if (said.has(name)) return Number(said.get(name) || NaN);
  if (headers.has("expires")) return (Date.parse(headers.get("expires")) - Date.now()) / 1000;
  return LIFETIMES[status] ?? 0;
}

/** How old a response says it is. */
export function ageOf(headers) {
  return Number(headers.get("age")) || 0;
}

/** A response from the message that it travels as, but for `age` and `since`. */
export function parsed(message) {
  const end = endOfHead(message);
  const [first, ...lines] = new TextDecoder().decode(message.subarray(0, end)).split("\r\n");
  const [, status, statusText] = STATUS_LINE.exec(first);
  const headers = new Headers(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]));
  for (const name of CONNECTION) headers.delete(name);
  return { status: Number(status), statusText, headers, body: message.slice(end + 4) };
}

/** Where the empty line is. */
function endOfHead(message) {
  const [cr, lf] = [13, 10];
  return message.findIndex((byte, at) => byte === cr && message[at + 1] === lf && message[at + 2] === cr && message[at + 3] === lf);
}

/** What a kept response answers to a request with these headers: itself, a part of it, or that it has not changed. */
export function answerOf(kept, asked) {
  const headers = new Headers(kept.headers);
  headers.set("age", Math.floor(kept.age + (Date.now() - kept.since) / 1000));
  headers.set("cf-cache-status", "HIT");
  if (isUnchanged(kept.headers, asked)) return bodiless(304, headers);
  const range = rangeOf(kept, asked);
  if (range === null) return shown(kept, headers, kept.body);
  const size = kept.body.length;
  if (range.first >= size || range.first > range.last) {
    headers.set("content-range", `bytes */${size}`);
    return bodiless(416, headers);
  }
  const last = Math.min(range.last, size - 1);
  headers.set("content-range", `bytes ${range.first}-${last}/${size}`);
  headers.set("content-length", last - range.first + 1);
  return shown({ status: 206, statusText: "Partial Content" }, headers, kept.body.subarray(range.first, last + 1));
}

/** The body goes out as it is: it came with its encoding. */
function shown({ status, statusText }, headers, body) {
  return new Response(body.length ? body : null, { status, statusText, headers, encodeBody: "manual" });
}

function bodiless(status, headers) {
  headers.delete("content-length");
  return new Response(null, { status, headers });
}

const tagOf = (text) => text.trim().replace(/^W\//, "");

/** Whether who asks has it already. What it knows by a tag is not compared by time. */
function isUnchanged(headers, asked) {
  const [tags, since] = [asked.get("if-none-match"), asked.get("if-modified-since")];
  const [tag, modified] = [headers.get("etag"), headers.get("last-modified")];
  if (tags !== null && tag !== null) return tags.trim() === "*" || tags.split(",").some((one) => tagOf(one) === tagOf(tag));
  return tags === null && since !== null && modified !== null && Date.parse(modified) <= Date.parse(since);
}

/** `{first, last}` of the bytes that are asked for, null for all. Several ranges at once are all; so is a body whose length is not told. */
function rangeOf({ status, headers, body }, asked) {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(asked.get("range")?.trim() ?? "") ?? [];
  if (status !== 200 || !headers.has("content-length") || !(first || last)) return null;
  const condition = asked.get("if-range");
  if (condition !== null && condition !== headers.get("etag") && condition !== headers.get("last-modified")) return null;
  if (!first) return { first: Number(last) ? Math.max(0, body.length - Number(last)) : body.length, last: body.length - 1 };
  return { first: Number(first), last: last ? Number(last) : Infinity };
}
