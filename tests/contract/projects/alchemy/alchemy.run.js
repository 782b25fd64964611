// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
import alchemy from "alchemy";
import { DispatchNamespace, Json, KVNamespace, Worker } from "alchemy/cloudflare";

const { CUSTOMERS = "", PLAN = "" } = process.env;
const app = await alchemy("platform", { stage: "contract" });

const customers = await DispatchNamespace("customers", { namespace: "customers" });
const data = await KVNamespace("data", { title: "Configuration of customers" });

for (const customer of CUSTOMERS.split(" ")) {
  await Worker(customer, {
    name: customer,
    entrypoint: "./customer.js",
    namespace: customers,
    bindings: { CONFIG: Json({ customer, plan: PLAN }) },
  });
}

await Worker("router", {
  name: "platform-router",
  entrypoint: "./router.js",
  bindings: { TENANTS: customers, DATA: data },
  routes: [{ pattern: "*.example.com/*" }],
});

await app.finalize();
