// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What a Worker's own binding of type assets reaches: its files, whatever comes first for visitors. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { answer, notFound } from "../assets.js";
import { known, lookUp } from "../tenants.js";

export class Assets extends WorkerEntrypoint {
  async fetch(request) {
    const worker = known(this.ctx.props.key) ?? (await lookUp(this.ctx.props.key, this.env));
    return (await answer(worker, request, this.env)) ?? notFound(worker, request, this.env);
  }
}
