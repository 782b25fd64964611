// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** How the runtime's own classes take what they are given: for those of ours that stand in for them. */

const FOREIGN = "Illegal invocation: function called with incorrect `this` reference. See "
  + "https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.";
const [LEAST, MOST] = [-(2 ** 31), 2 ** 31 - 1];
const AsyncFunction = (async () => {}).constructor;

/** What is wrong with a parameter, counted from 1. */
function refusal({ name }, method, position, type) {
  return new TypeError(`Failed to execute '${method}' on '${name}': parameter ${position} is not of type '${type}'.`);
}

/**
 * Let a class appear as one of the runtime's own. `isOne` knows its instances; `takes` has, by method, the types of the parameters that must be
 * there. A method that always answers with a promise never throws, any other does.
 */
export function likeNative(Class, isOne, takes) {
  const { prototype, name } = Class;
  for (const [method, types] of Object.entries(takes)) {
    const act = prototype[method];
    const { [method]: native } = {
      [method](...given) {
        if (!isOne(this)) throw new TypeError(FOREIGN);
        if (given.length >= types.length) return act.apply(this, given);
        const refused = refusal(Class, method, given.length + 1, types[given.length]);
        if (act instanceof AsyncFunction) return Promise.reject(refused);
        throw refused;
      },
    };
    Object.defineProperty(prototype, method, { value: native, writable: true, enumerable: true, configurable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** The fields of a parameter that may be left out. */
export function fieldsOf(value, Class, method, position, type) {
  if (value !== undefined && value !== null && typeof value !== "object" && typeof value !== "function") throw refusal(Class, method, position, type);
  return value ?? {};
}

/** A text, unless nothing is given. */
export function textOf(value) {
  return value === undefined ? undefined : `${value}`;
}

/** A number of 32 bits, unless nothing is given. */
export function integerOf(value) {
  if (value === undefined) return undefined;
  const number = +value;
  const whole = Number.isFinite(number) ? Math.trunc(number) : 0;
  if (whole < LEAST || whole > MOST) throw new TypeError(`Value out of range. Must be between ${LEAST} and ${MOST} (inclusive).`);
  return whole;
}
