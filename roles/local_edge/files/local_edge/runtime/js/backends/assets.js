// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The backend of a Worker's assets binding. It serves assets regardless of run_worker_first. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { answer } from "../assets.js";
import { getCached, load } from "../tenants.js";

export class Assets extends WorkerEntrypoint {
  async fetch(request) {
    const { key } = this.ctx.props;
    const worker = getCached(key) ?? (await load(key, this.env));
    if (!worker?.assets) throw new Error("The Worker of this binding has no assets any more.");
    return answer(worker, request, this.env);
  }
}
