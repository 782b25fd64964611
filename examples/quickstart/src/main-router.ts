// The router: finds out whose host name was asked for, and hands the request to that customer's Worker.

interface Tenant {
  worker: string;
  state: string;
}

interface Env {
  TENANT_NAMESPACE: { get(name: string): { fetch(request: Request): Promise<Response> } };
  TENANT_DATA: { get(key: string, type: "json"): Promise<Tenant | null> };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const host = new URL(request.url).hostname.toLowerCase();
    const tenant = await env.TENANT_DATA.get(host, "json");
    if (!tenant) return new Response(`There is no customer at ${host}.\n`, { status: 404 });
    try {
      return await env.TENANT_NAMESPACE.get(tenant.worker).fetch(request);
    } catch (error) {
      // get() never fails for a Worker that is not there: its fetch() does.
      if (!(error as Error).message.startsWith("Worker not found")) throw error;
      return new Response(`The Worker of ${host} is gone.\n`, { status: 404 });
    }
  },
};
