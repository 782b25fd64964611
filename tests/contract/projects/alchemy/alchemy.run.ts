// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// The multi-tenant platform of the quickstart, declared with alchemy. FEATURES has the features of each customer: {"customer-a": ["feature1"]}.
// They are deployed one after another, as alchemy's documentation has it, or with AT_ONCE all at the same time.
import alchemy from "alchemy";
import { DispatchNamespace, Json, KVNamespace, Worker } from "alchemy/cloudflare";

const app = await alchemy("platform", { stage: "contract" });

const tenants = await DispatchNamespace("tenants", { namespace: "customer-workers" });
const tenantData = await KVNamespace("tenant-data", { title: "Tenant Configuration" });

const deploy = ([customerId, features]) =>
  Worker(customerId, {
    name: `${customerId}-worker`,
    entrypoint: "./src/tenant-worker.ts",
    namespace: tenants,
    bindings: { CONFIG: Json({ customerId, features }) },
  });
const customers = Object.entries(JSON.parse(process.env.FEATURES ?? "{}"));
if (process.env.AT_ONCE) await Promise.all(customers.map(deploy));
else for (const customer of customers) await deploy(customer);

await Worker("main-router", {
  name: "platform-router",
  entrypoint: "./src/main-router.ts",
  bindings: { TENANT_NAMESPACE: tenants, TENANT_DATA: tenantData },
  routes: [{ pattern: "*.platform.example.com/*" }],
});

await app.finalize();
