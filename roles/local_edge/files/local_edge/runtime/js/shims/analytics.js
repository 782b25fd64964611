// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Datasets of Analytics Engine. Points are written in the background, also beyond the end of the request. */
import { waitUntil } from "cloudflare:workers";

export const analyticsEngine = (stub) => new AnalyticsEngine(stub);

const MAX_INDEXES = 1;
const MAX_INDEX_BYTES = 96;
const MAX_MEMBERS = 20;
const MAX_BLOB_BYTES = 16_000;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

class AnalyticsEngine {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  writeDataPoint(event = {}) {
    const point = { indexes: indexesOf(event), blobs: blobsOf(event), doubles: doublesOf(event) };
    waitUntil(this.#stub.write(point));
  }
}

function indexesOf(event) {
  const indexes = listOf(event, "indexes", MAX_INDEXES).map(bytesOf);
  if (indexes[0]?.byteLength > MAX_INDEX_BYTES) refuse(`Size of indexes[0] exceeds ${MAX_INDEX_BYTES} bytes).`);
  return indexes.map((bytes) => decoder.decode(bytes));
}

function blobsOf(event) {
  const blobs = listOf(event, "blobs", MAX_MEMBERS).map(bytesOf);
  const size = blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (size > MAX_BLOB_BYTES) refuse(`Cumulative size of blobs exceeds ${MAX_BLOB_BYTES} bytes).`);
  return blobs.map((bytes) => decoder.decode(bytes));
}

function doublesOf(event) {
  return listOf(event, "doubles", MAX_MEMBERS).map(Number);
}

/** Return a list of a point, empty by default. */
function listOf(event, field, most) {
  const list = event?.[field] ?? [];
  if (!Array.isArray(list)) {
    throw new TypeError(
      `Incorrect type for the '${field}' field on 'AnalyticsEngineEvent': the provided value is not of type 'Array'.`,
    );
  }
  if (list.length > most) refuse(`Maximum of ${most} ${field} supported.`);
  return list;
}

/** Return an index or a blob as bytes. Null stands for an empty one. */
function bytesOf(value) {
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  return ArrayBuffer.isView(value)
    ? new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    : encoder.encode(String(value ?? ""));
}

function refuse(why) {
  throw new TypeError(`writeDataPoint(): ${why}`);
}
