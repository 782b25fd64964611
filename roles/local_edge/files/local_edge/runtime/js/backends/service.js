// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The backends of service bindings and dispatch namespaces: other Workers. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { entrypointOf, getCached, load, serve } from "../tenants.js";

/** Return a member of a target at any depth. */
export function memberOf(target, path) {
  return path.reduce((value, member) => value[member], target);
}

/** Call the method at a path of members. */
export function callOf(target, path, args) {
  return memberOf(target, path.slice(0, -1))[path.at(-1)](...args);
}

/**
 * The backend of `env.NAMESPACE.get(name, args, {outbound, limits})`. `args` are the `ctx.props` of the tenant. If the
 * binding has an outbound Worker, that receives all requests of the tenant. The tenant then runs in an isolate for the
 * parameters of the outbound Worker.
 */
export class Dispatch extends WorkerEntrypoint {
  fetch(request) {
    const metadata = request.cf;
    const worker = getCached(this.#key(metadata));
    return worker
      ? serve(worker, request, this.env, this.ctx, this.#options(metadata))
      : this.#first(request, metadata);
  }

  async rpc(metadata, path, args) {
    return callOf(await this.#entrypoint(metadata), path, args);
  }

  async value(metadata, path) {
    return memberOf(await this.#entrypoint(metadata), path);
  }

  /** Serve the first request to a Worker, which must be loaded. */
  async #first(request, metadata) {
    return serve(await this.#worker(metadata), request, this.env, this.ctx, this.#options(metadata));
  }

  async #entrypoint(metadata) {
    return entrypointOf(await this.#worker(metadata), this.env, this.ctx, this.#options(metadata));
  }

  async #worker(metadata) {
    const worker = await load(this.#key(metadata), this.env);
    if (!worker) throw new Error("Worker not found.");
    return worker;
  }

  #key({ name }) {
    const { account, namespace } = this.ctx.props;
    return `${account}/${namespace}/${name}`;
  }

  #options({ args, limits, outbound: outboundArgs, visitorCf: cf }) {
    const { outbound, tails } = this.ctx.props;
    if (!outbound && !tails) return { props: args, limits, cf };
    const params = Object.fromEntries((outbound?.params ?? []).map(({ name }) => [name, outboundArgs?.[name]]));
    return {
      props: args,
      limits,
      cf,
      variant: { ...(outbound && { outbound: { ...outbound.worker, params } }), ...(tails && { tails }) },
    };
  }
}

/** The outbound service of a tenant with an outbound Worker: that Worker, with the router's parameters in `env`. */
export class OutboundDispatch extends WorkerEntrypoint {
  async fetch(request) {
    const { account, service, entrypoint, params } = this.ctx.props;
    const worker = await load(`${account}//${service}`, this.env);
    if (!worker) throw new Error(`The outbound Worker ${service} does not exist.`);
    return serve(worker, request, this.env, this.ctx, { entrypoint, variant: { values: params } });
  }
}

/** The backend of a service binding: `fetch`, and any member of the entrypoint over RPC. */
export class Service extends WorkerEntrypoint {
  constructor(ctx, env) {
    super(ctx, env);
    const own = { fetch: (request) => this.fetch(request) };
    return new Proxy(this, {
      get: (_target, member) => (typeof member === "symbol" ? this[member] : (own[member] ?? this.#member(member))),
    });
  }

  async fetch(request) {
    const { entrypoint, props } = this.ctx.props;
    return serve(getCached(this.#key()) ?? (await this.#load()), request, this.env, this.ctx, {
      entrypoint,
      props,
      cf: request.cf,
    });
  }

  #key() {
    const { account, service } = this.ctx.props;
    return `${account}//${service}`;
  }

  async #load() {
    const worker = await load(this.#key(), this.env);
    if (!worker) throw new Error(`The Worker ${this.ctx.props.service} of this service binding does not exist.`);
    return worker;
  }

  #entrypoint(worker) {
    const { entrypoint, props } = this.ctx.props;
    return entrypointOf(worker, this.env, this.ctx, { entrypoint, props });
  }

  /** Return a member of the entrypoint. While the Worker loads, return a proxy that can be called or awaited. */
  #member(member) {
    const worker = getCached(this.#key());
    if (worker) return this.#entrypoint(worker)[member];
    const target = this.#load().then((found) => this.#entrypoint(found));
    const call = async (...args) => (await target)[member](...args);
    return Object.assign(call, { then: (...handlers) => target.then((found) => found[member]).then(...handlers) });
  }
}
