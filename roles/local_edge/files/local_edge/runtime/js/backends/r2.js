// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The backend of an R2 binding: the bucket of the API. The bytes of objects are streamed. */
import { WorkerEntrypoint } from "cloudflare:workers";

export class R2 extends WorkerEntrypoint {
  /** Call an action of the bucket, without a timeout, since an upload may be large. */
  fetch(request) {
    // The runtime sends a stream of unknown length this way.
    if (request.headers.has("transfer-encoding")) return new Response(null, { status: 411 });
    const { account, jurisdiction, bucket } = this.ctx.props;
    const { pathname } = new URL(request.url);
    return this.env.CONTROL.fetch(
      `http://control/r2/${account}/${jurisdiction}/${encodeURIComponent(bucket)}${pathname}`,
      request,
    );
  }
}
