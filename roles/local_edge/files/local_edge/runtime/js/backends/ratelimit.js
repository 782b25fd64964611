// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The counters of rate limit bindings. */
import { WorkerEntrypoint } from "cloudflare:workers";

/** The current window `{number, counts, size}` by period in seconds. Counts are by account, namespace and key. */
const windows = new Map();
/** The characters of all keys in a window. The oldest keys are evicted beyond that. */
const CAPACITY = 4 * 1024 * 1024;

export class RateLimits extends WorkerEntrypoint {
  /** Count a key, unless it has reached the limit in this window. */
  limit(key, limit, period) {
    const { account, namespace } = this.ctx.props;
    const name = `${account}/${namespace}/${key}`;
    const current = windowOf(period);
    const count = current.counts.get(name) ?? 0;
    if (count >= limit) return { success: false };
    if (!count) evictOldest(current, name.length);
    current.counts.set(name, count + 1);
    return { success: true };
  }
}

/** Return the current window. Windows begin at multiples of their period since the epoch. */
function windowOf(period) {
  const number = Math.floor(Date.now() / 1000 / period);
  if (windows.get(period)?.number !== number) windows.set(period, { number, counts: new Map(), size: 0 });
  return windows.get(period);
}

function evictOldest(current, needed) {
  current.size += needed;
  while (current.size > CAPACITY && current.counts.size) {
    const oldest = current.counts.keys().next().value;
    current.counts.delete(oldest);
    current.size -= oldest.length;
  }
}
