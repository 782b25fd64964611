// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** How the edge asks the control plane. */

/** Milliseconds until one that does not answer is taken to be down. */
const PATIENCE = 10_000;

/** The answer to a question, be it a refusal. */
export async function ask(env, path, init) {
  const patience = AbortSignal.timeout(PATIENCE);
  try {
    return await env.CONTROL.fetch(`http://control${path}`, { ...init, signal: patience });
  } catch (error) {
    throw patience.aborted ? new Error("The control plane of the local edge does not answer.") : error;
  }
}

/** The answer to a question that must be answered; null where what it is about is not there. */
export async function found(env, path, init) {
  const response = await ask(env, path, init);
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`The control plane of the local edge answered ${response.status}: ${await response.text()}`);
  return response;
}
