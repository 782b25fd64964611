// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Rate limits. */

export const rateLimit = (stub, simple) => new RateLimit(stub, simple);

const OPTIONS = ["key", "limit", "period"];
const PERIODS = [10, 60];

class RateLimit {
  #stub;
  #simple;

  constructor(stub, simple) {
    this.#stub = stub;
    this.#simple = simple;
  }

  async limit(options) {
    check(typeof options === "object" && options !== null, "invalid rate limit options");
    const unknown = Object.keys(options).filter((name) => !OPTIONS.includes(name));
    check(!unknown.length, `bad rate limit options: [${unknown.join(",")}]`);
    const { key = "", limit = this.#simple.limit, period = this.#simple.period } = options;
    check(typeof key === "string", `invalid key: ${key}`);
    check(typeof limit === "number", `limit must be a number: ${limit}`);
    check(PERIODS.includes(period), `unsupported period: ${period}`);
    const { success } = await this.#stub.limit(key, limit, period);
    return { success };
  }
}

function check(right, message) {
  if (!right) throw new Error(message);
}
