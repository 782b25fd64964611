// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Secret keys: imported by the runtime before the Worker's own code runs, and not extractable. */
import { env } from "cloudflare:workers";
import { internalEnv } from "./worker.js";

const { keys } = internalEnv;
delete internalEnv.keys;

export async function importKeys() {
  for (const { name, format, algorithm, usages, key_base64: bytes, key_jwk: jwk } of keys) {
    try {
      env[name] = await crypto.subtle.importKey(format, jwk ?? Uint8Array.fromBase64(bytes), algorithm, false, usages);
    } catch ({ message }) {
      // Not an Error, since its stack would only have frames of this shim.
      throw `binding ${name} of type secret_key cannot be imported: ${message}`;
    }
  }
}
