// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What is kept in memory: values by name within so many bytes, of which those go first that have not been used the longest. */

/** Bytes that an entry takes beside its value and its name. */
const OVERHEAD = 512;

export class Kept {
  #room;
  #largest;
  #used = 0;
  /** `{value, size, until}` by name, the least recently used first. */
  #entries = new Map();

  /** @param room how many bytes there are; @param largest how many a value may have that is kept */
  constructor(room, largest) {
    this.#room = room;
    this.#largest = largest;
  }

  /** How many bytes are taken. */
  get used() {
    return this.#used;
  }

  /** The value of a name; undefined where there is none, or none any more. */
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

  /** Keep a value of so many bytes, until a time in milliseconds. */
  set(name, value, bytes, until = Infinity) {
    this.delete(name);
    if (bytes > this.#largest) return;
    const size = OVERHEAD + 2 * name.length + bytes;
    this.#entries.set(name, { value, size, until });
    this.#used += size;
    while (this.#used > this.#room) this.delete(this.#entries.keys().next().value);
  }

  /** Forget a name; whether there was one. */
  delete(name) {
    const entry = this.#entries.get(name);
    if (!entry) return false;
    this.#used -= entry.size;
    this.#entries.delete(name);
    return entry.until > Date.now();
  }

  /** Forget the names that are concerned. */
  deleteAll(concerns) {
    for (const name of this.#entries.keys()) if (concerns(name)) this.delete(name);
  }
}
