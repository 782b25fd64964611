// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * The edge: every request on the public socket comes here, is matched to a route, and goes to its Worker.
 *
 * The other exports are what a Worker's bindings lead to. `ctx.props` says which account and which object.
 */
import { WorkerEntrypoint } from "cloudflare:workers";
import { forget, forward, lookUp, serve } from "./tenants.js";
import { answer, notFound } from "./assets.js";
import { match } from "./routes.js";
import { broken, notRouted, pageFor } from "./pages.js";

export { KV } from "./kv.js";

const DISPATCH_HEADER = "x-edge-dispatch";
const OUTBOUND_HEADER = "x-edge-outbound";

export default {
  async fetch(request, env, ctx) {
    if (!URL.canParse(request.url)) return pageFor(400, "The Host header of this request is not a host name.");
    let route;
    try {
      route = await match(request, env);
    } catch (error) {
      return broken(502, "The control plane of the local edge did not answer", error);
    }
    if (!route?.script) return notRouted(request, env, route);
    try {
      const worker = await lookUp(`${route.account}//${route.script}`, env, ctx);
      if (!worker) return pageFor(404, `The route ${route.pattern} names the Worker ${route.script}, which does not exist.`);
      return await serve(worker, request, env);
    } catch (error) {
      return broken(500, `Error 1101: the Worker ${route.script} threw an exception`, error);
    }
  },
};

/**
 * What `env.NAMESPACE.get(name, args, {outbound}).fetch()` reaches: the shim in the router sends the name and the parameters in headers.
 * With an outbound Worker all that the tenant fetches goes through that one, so the tenant runs in an isolate for these parameters.
 */
export class Dispatch extends WorkerEntrypoint {
  async fetch(request) {
    const { account, namespace, outbound } = this.ctx.props;
    const headers = new Headers(request.headers);
    const name = decodeURIComponent(headers.get(DISPATCH_HEADER) ?? "");
    const given = JSON.parse(decodeURIComponent(headers.get(OUTBOUND_HEADER) ?? "{}"));
    headers.delete(DISPATCH_HEADER);
    headers.delete(OUTBOUND_HEADER);
    const params = Object.fromEntries((outbound?.params ?? []).map((param) => [param.name, given[param.name]]));
    const variant = outbound && { outbound: { ...outbound.worker, params } };
    const worker = await lookUp(`${account}/${namespace}/${name}`, this.env, this.ctx, variant);
    if (!worker) throw new Error("Worker not found.");
    return serve(worker, request, this.env, headers);
  }
}

/** The way out of a tenant that has an outbound Worker: that Worker, with the router's parameters in its `env`. */
export class Through extends WorkerEntrypoint {
  async fetch(request) {
    const { account, service, entrypoint, params } = this.ctx.props;
    const worker = await lookUp(`${account}//${service}`, this.env, this.ctx, { values: params });
    if (!worker) throw new Error(`The outbound Worker ${service} does not exist.`);
    return forward(worker.isolate.getEntrypoint(entrypoint), request);
  }
}

/** What a Worker's own binding of type assets reaches: its files, whatever comes first for visitors. */
export class Assets extends WorkerEntrypoint {
  async fetch(request) {
    const { definition } = await lookUp(this.ctx.props.key, this.env, this.ctx);
    return (await answer(definition, request, this.env)) ?? notFound(definition, request, this.env);
  }
}

/** What a service binding reaches. */
export class Service extends WorkerEntrypoint {
  async fetch(request) {
    const { account, service, entrypoint, props } = this.ctx.props;
    const worker = await lookUp(`${account}//${service}`, this.env, this.ctx);
    if (!worker) throw new Error(`The Worker ${service} of this service binding does not exist.`);
    if (!entrypoint) return serve(worker, request, this.env);
    return forward(worker.isolate.getEntrypoint(entrypoint, { props }), request);
  }
}

/** Where Cloudflare's API answers: a Worker that sends something there, with whatever client, reaches the local one. */
const API_HOST = "api.cloudflare.com";

/**
 * The way out of every Worker, closed.
 *
 * It defines `fetch` and nothing else: with a `connect()` that throws, the Worker's socket opened all the same. And it
 * is never left out (`globalOutbound: null`): a Worker that passes through on exception then ends the whole process.
 */
export class Blocked extends WorkerEntrypoint {
  fetch(request) {
    const { hostname, origin } = new URL(request.url);
    if (hostname === API_HOST) return this.env.CLOUDFLARE.fetch(request);
    throw new Error(
      `fetch of ${origin} was blocked: the local edge gives Workers no way out. ` +
        "Start it with --egress internet to open one.",
    );
  }
}

/** The way out of every Worker, open: public addresses only, since the configuration allows no others. */
export class Outbound extends WorkerEntrypoint {
  fetch(request) {
    return new URL(request.url).hostname === API_HOST ? this.env.CLOUDFLARE.fetch(request) : fetch(request);
  }
}

/** The private socket: the supervisor's heartbeat, and the control plane telling what has changed. */
export class Admin extends WorkerEntrypoint {
  async fetch(request) {
    if (request.method === "POST") forget(await request.json(), this.env, this.ctx);
    return new Response("ok");
  }
}
