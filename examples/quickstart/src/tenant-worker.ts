// A customer's Worker: answers with the configuration that it alone can see.

interface Env {
  CONFIG: { customerId: string; features: string[] };
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const { customerId, features } = env.CONFIG;
    return Response.json({ customerId, features, path: new URL(request.url).pathname });
  },
};
