// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Read streams with a size limit, in the edge and in the shims. */

const encoder = new TextEncoder();

/** Return all bytes of a stream, or null if it is longer than the limit. The rest is not read. */
export async function bytesOf(stream, most) {
  const chunks = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = typeof chunk === "string" ? encoder.encode(chunk) : chunk;
    length += bytes.byteLength;
    if (length > most) return null;
    chunks.push(bytes);
  }
  return new Blob(chunks).bytes();
}
