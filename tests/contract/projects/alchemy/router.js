// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
export default {
  async fetch(request, env) {
    try {
      return await env.TENANTS.get(new URL(request.url).hostname.split(".")[0]).fetch(request);
    } catch (error) {
      return new Response(error.message, { status: 404 });
    }
  },
};
