// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Where requests come from, as `request.cf` tells Workers that may know: this edge is one place. */

export const PLACE = {
  asn: 64512,
  asOrganization: "Local Edge",
  clientTcpRtt: 1,
  colo: "LCL",
  country: "XX",
  edgeRequestKeepAliveStatus: 1,
  httpProtocol: "HTTP/1.1",
  requestPriority: "",
  timezone: "Etc/UTC",
  tlsCipher: "",
  tlsVersion: "",
};

/** Since when `cf` is a getter that all requests share, which can be taught what needs no telling with each of them. */
const GETTERS_SINCE = "2022-01-31";

/** What travels to a Worker as the `cf` of a request: nothing where it may not know, or knows by itself (see `shims/worker.js`). */
export function cfOf({ trusted, date, flags }, said) {
  if (!trusted) return undefined;
  if (said) return { ...PLACE, ...said };
  return date < GETTERS_SINCE || flags.includes("workers_api_getters_setters_on_instance") ? PLACE : undefined;
}
