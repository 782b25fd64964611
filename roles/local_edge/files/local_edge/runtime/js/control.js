// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Requests from the edge to the control plane. */

/** Milliseconds until a control plane that does not answer is considered down. */
const TIMEOUT_MS = 10_000;

/** Send a request and return the response, errors included. */
export async function callControl(env, path, init) {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    return await env.CONTROL.fetch(`http://control${path}`, { ...init, signal });
  } catch (error) {
    throw signal.aborted ? new Error("The control plane of the local edge does not answer.") : error;
  }
}

/** Send a request that must succeed. Return null for 404. */
export async function fetchFromControl(env, path, init) {
  const response = await callControl(env, path, init);
  if (response.status === 404) return null;
  if (!response.ok) {
    throw new Error(`The control plane of the local edge answered ${response.status}: ${await response.text()}`);
  }
  return response;
}
