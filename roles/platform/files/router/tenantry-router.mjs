// The router that ships with the role: who answers for a host name stands in KV, one record each.
// TENANT_DATA is the KV namespace, TENANT_NAMESPACE the dispatch namespace that holds the tenants' Workers.

const SECONDS = 60; // how long a record may be cached where the request came in

function refuse(status, text) {
  return new Response(`${text}\n`, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

export default {
  async fetch(request, env) {
    const host = new URL(request.url).hostname.toLowerCase();
    const record = await env.TENANT_DATA.get(host, { type: "json", cacheTtl: SECONDS });
    if (!record) return refuse(404, `No tenant answers for ${host}.`);
    if (record.state !== "active") return refuse(503, `The tenant of ${host} is ${record.state}.`);
    try {
      return await env.TENANT_NAMESPACE.get(record.worker).fetch(request);
    } catch (error) {
      // get() never fails for a Worker that is not there: its fetch() does.
      if (error.message.startsWith("Worker not found")) return refuse(404, `The Worker of ${host} is gone.`);
      throw error;
    }
  },
};
