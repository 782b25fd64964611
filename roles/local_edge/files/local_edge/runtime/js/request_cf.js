// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The `request.cf` of requests to trusted Workers: all requests come from one location. */

export const DEFAULT_CF = {
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

/** The date from which `cf` is a getter on the prototype. The shim overrides it, so the default is not sent. */
const GETTERS_SINCE = "2022-01-31";

/** Return the `cf` to send with a request: undefined for untrusted Workers and if the shim adds the default. */
export function requestCf({ trusted, date, flags }, overrides) {
  if (!trusted) return undefined;
  if (overrides) return { ...DEFAULT_CF, ...overrides };
  return date < GETTERS_SINCE || flags.includes("workers_api_getters_setters_on_instance") ? DEFAULT_CF : undefined;
}
