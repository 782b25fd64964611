// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Every type of binding that is more than a value: what stands behind it, and what its Worker sees of it. */

/**
 * By type: `behind(binding, worker)` names the entrypoint that the binding leads to and its props; `inside(binding)` the file and
 * the function that makes of its stub what a Worker has on Cloudflare, and what that is told, where it is more than the stub.
 */
const BINDINGS = {
  kv_namespace: { behind: ({ namespace_id: namespace }) => ["KV", { namespace }], inside: () => ["kv", "kvNamespace"] },
  r2_bucket: {
    behind: ({ bucket_name: bucket, jurisdiction = "default" }, { account }) => ["R2", { account, jurisdiction, bucket }],
    inside: () => ["r2", "r2Bucket"],
  },
  dispatch_namespace: {
    behind: ({ namespace, outbound }, { account, tails }) => ["Dispatch", { account, namespace, outbound, tails }],
    inside: () => ["dispatch", "dispatchNamespace"],
  },
  service: { behind: ({ service, entrypoint, props }, { account }) => ["Service", { account, service, entrypoint, props }] },
  assets: { behind: (_binding, { key }) => ["Assets", { key }] },
  queue: {
    behind: ({ queue_name: queue, delivery_delay: delay }, { account }) => ["Queue", { account, queue, delay }],
    inside: () => ["queue", "workerQueue"],
  },
  analytics_engine: { behind: ({ dataset }, { account, key }) => ["Analytics", { account, dataset, key }], inside: () => ["analytics", "analyticsEngine"] },
  ratelimit: {
    behind: ({ namespace_id: namespace }, { account }) => ["RateLimits", { account, namespace }],
    inside: ({ simple }) => ["ratelimit", "rateLimit", simple],
  },
  d1: { behind: ({ id }) => ["D1", { id }], inside: () => ["d1", "database"] },
  durable_object_namespace: {
    behind: ({ namespace_id: namespace, key, class_name: name }) => ["Objects", { namespace, key, name }],
    inside: ({ namespace_id: namespace }) => ["objects", "objectNamespace", namespace],
  },
};

export function behind(binding, worker, env, ctx) {
  const [entrypoint, props] = BINDINGS[binding.type].behind(binding, worker);
  return ctx.exports[entrypoint]({ props });
}

export function inside(binding) {
  return BINDINGS[binding.type].inside?.(binding);
}
