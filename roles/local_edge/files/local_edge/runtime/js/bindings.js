// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The types of bindings that need a service: the backend of each, and its shim in the Worker. */

/**
 * By type: `backend(binding, worker)` returns the entrypoint that serves the binding, and its props. `shim(binding)`
 * returns the file and the function that wrap its stub in Cloudflare's interface, and an argument of that function.
 * Without `shim`, the stub is used unchanged.
 */
const BINDINGS = {
  kv_namespace: {
    backend: ({ namespace_id: namespace }, { kv_reads: reads }) => ["KV", { namespace, reads }],
    shim: () => ["kv", "kvNamespace"],
  },
  r2_bucket: {
    backend: ({ bucket_name: bucket, jurisdiction = "default" }, { account }) => [
      "R2",
      { account, jurisdiction, bucket },
    ],
    shim: () => ["r2", "r2Bucket"],
  },
  dispatch_namespace: {
    backend: ({ namespace, outbound }, { account, tails }) => ["Dispatch", { account, namespace, outbound, tails }],
    shim: () => ["dispatch", "dispatchNamespace"],
  },
  service: {
    backend: ({ service, entrypoint, props }, { account }) => ["Service", { account, service, entrypoint, props }],
  },
  assets: { backend: (_binding, { key }) => ["Assets", { key }] },
  queue: {
    backend: ({ queue_name: queue, delivery_delay: delay }, { account }) => ["Queue", { account, queue, delay }],
    shim: () => ["queue", "workerQueue"],
  },
  analytics_engine: {
    backend: ({ dataset }, { account, key }) => ["Analytics", { account, dataset, key }],
    shim: () => ["analytics", "analyticsEngine"],
  },
  ratelimit: {
    backend: ({ namespace_id: namespace }, { account }) => ["RateLimits", { account, namespace }],
    shim: ({ simple }) => ["ratelimit", "rateLimit", simple],
  },
  d1: { backend: ({ id }) => ["D1", { id }], shim: () => ["d1", "database"] },
  durable_object_namespace: {
    backend: ({ namespace_id: namespace, key, class_name: name }) => ["Objects", { namespace, key, name }],
    shim: ({ namespace_id: namespace }) => ["objects", "objectNamespace", namespace],
  },
};

export function backendOf(binding, worker, env, ctx) {
  const [entrypoint, props] = BINDINGS[binding.type].backend(binding, worker);
  return ctx.exports[entrypoint]({ props });
}

export function shimOf(binding) {
  return BINDINGS[binding.type].shim?.(binding);
}
