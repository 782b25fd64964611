// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** A cache bounded in bytes that evicts the least recently used entries first. */

/** Bytes that an entry takes in addition to its value and its name. */
const OVERHEAD = 512;

export class LruCache {
  #capacity;
  #maxValueSize;
  #used = 0;
  /** `{value, size, until}` by name, the least recently used first. */
  #entries = new Map();

  /** @param capacity size limit in bytes; @param maxValueSize values larger than this many bytes are not stored */
  constructor(capacity, maxValueSize) {
    this.#capacity = capacity;
    this.#maxValueSize = maxValueSize;
  }

  /** The size of all entries in bytes. */
  get used() {
    return this.#used;
  }

  /** Return the value of a name; undefined if it is missing or expired. */
  get(name) {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    this.#entries.delete(name);
    if (entry.until <= Date.now()) {
      this.#used -= entry.size;
      return undefined;
    }
    this.#entries.set(name, entry);
    return entry.value;
  }

  /** Store a value of a size in bytes until a time in milliseconds. */
  set(name, value, bytes, until = Infinity) {
    this.delete(name);
    if (bytes > this.#maxValueSize) return;
    const size = OVERHEAD + 2 * name.length + bytes;
    this.#entries.set(name, { value, size, until });
    this.#used += size;
    while (this.#used > this.#capacity) this.delete(this.#entries.keys().next().value);
  }

  /** Delete an entry. Return whether it existed. */
  delete(name) {
    const entry = this.#entries.get(name);
    if (!entry) return false;
    this.#used -= entry.size;
    this.#entries.delete(name);
    return entry.until > Date.now();
  }

  /** Delete the entries whose names match. */
  deleteWhere(matches) {
    for (const name of this.#entries.keys()) if (matches(name)) this.delete(name);
  }
}
