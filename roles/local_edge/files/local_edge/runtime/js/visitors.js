// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What Cloudflare adds to a visitor's request. */

/** `request.cf` where a Worker has one: this edge is one place. */
export const CF = {
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

/** The headers of a visitor's request as its Worker sees them. */
export function visitorHeaders(request) {
  const headers = new Headers(request.headers);
  const address = request.cf?.clientIp?.replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1") ?? "127.0.0.1";
  headers.set("cf-connecting-ip", address);
  headers.set("x-real-ip", address);
  headers.set("cf-ray", `${crypto.getRandomValues(new Uint8Array(8)).toHex()}-${CF.colo}`);
  headers.set("cf-ipcountry", CF.country);
  headers.set("cf-visitor", '{"scheme":"http"}');
  headers.set("x-forwarded-proto", "http");
  headers.append("x-forwarded-for", address);
  return headers;
}
