// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// A Worker that publishes what it is sent, by Cloudflare's own SDK and under Cloudflare's own address.
import Cloudflare, { APIError } from "cloudflare";

interface Env {
  CLOUDFLARE_ACCOUNT_ID: string;
  CLOUDFLARE_API_TOKEN: string;
  NAMESPACE: string;
  TENANTS: { get(name: string): { fetch(request: Request): Promise<Response> } };
}

async function publish(namespaces: Cloudflare.WorkersForPlatforms.Dispatch.Namespaces, env: Env, name: string, code: string) {
  const account_id = env.CLOUDFLARE_ACCOUNT_ID;
  try {
    await namespaces.get(env.NAMESPACE, { account_id });
  } catch {
    await namespaces.create({ account_id, name: env.NAMESPACE });
  }
  const main_module = `${name}.mjs`;
  const bindings = [{ type: "plain_text" as const, name: "CUSTOMER", text: name }];
  const uploaded = await namespaces.scripts.update(env.NAMESPACE, name, {
    account_id,
    metadata: { main_module, compatibility_date: "2026-11-01", bindings, tags: ["published", "plan:free"] },
    files: [new File([code], main_module, { type: "application/javascript+module" })],
  });
  const tags = [];
  for await (const tag of namespaces.scripts.tags.list(env.NAMESPACE, name, { account_id })) tags.push(tag);
  return { id: uploaded.id, tags };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const name = new URL(request.url).pathname.slice(1);
    if (request.method === "GET") return env.TENANTS.get(name).fetch(request);
    const { namespaces } = new Cloudflare({ apiToken: env.CLOUDFLARE_API_TOKEN, maxRetries: 0 }).workersForPlatforms.dispatch;
    try {
      return Response.json(await publish(namespaces, env, name, await request.text()));
    } catch (error) {
      if (error instanceof APIError) return Response.json(error.errors, { status: error.status });
      throw error;
    }
  },
};
