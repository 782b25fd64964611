// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Argument handling of the runtime's own classes, for the shims that replace them. */

const FOREIGN =
  "Illegal invocation: function called with incorrect `this` reference. See "
  + "https://developers.cloudflare.com/workers/observability/errors/#illegal-invocation-errors for details.";
const [LEAST, MOST] = [-(2 ** 31), 2 ** 31 - 1];
const AsyncFunction = (async () => {}).constructor;

/** The error for a parameter of the wrong type, counted from 1. */
function refusal({ name }, method, position, type) {
  return new TypeError(`Failed to execute '${method}' on '${name}': parameter ${position} is not of type '${type}'.`);
}

/**
 * Make a class look like one of the runtime's own. `isInstance` detects its instances. `signatures` has the types of
 * the required parameters by method. Methods that always return a promise reject for wrong arguments, others throw.
 */
export function likeNative(Class, isInstance, signatures) {
  const { prototype, name } = Class;
  for (const [method, types] of Object.entries(signatures)) {
    const original = prototype[method];
    const { [method]: native } = {
      [method](...args) {
        if (!isInstance(this)) throw new TypeError(FOREIGN);
        if (args.length >= types.length) return original.apply(this, args);
        const refused = refusal(Class, method, args.length + 1, types[args.length]);
        if (original instanceof AsyncFunction) return Promise.reject(refused);
        throw refused;
      },
    };
    Object.defineProperty(prototype, method, { value: native, writable: true, enumerable: true, configurable: true });
  }
  Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });
}

/** Return the fields of an optional parameter. */
export function fieldsOf(value, Class, method, position, type) {
  if (value !== undefined && value !== null && typeof value !== "object" && typeof value !== "function") {
    throw refusal(Class, method, position, type);
  }
  return value ?? {};
}

/** Convert to text, except undefined. */
export function textOf(value) {
  return value === undefined ? undefined : `${value}`;
}

/** Convert to a 32-bit integer, except undefined. */
export function integerOf(value) {
  if (value === undefined) return undefined;
  const number = +value;
  const whole = Number.isFinite(number) ? Math.trunc(number) : 0;
  if (whole < LEAST || whole > MOST) {
    throw new TypeError(`Value out of range. Must be between ${LEAST} and ${MOST} (inclusive).`);
  }
  return whole;
}
