// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** What service bindings and dispatch namespaces reach: other Workers. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { entrypointOf, known, lookUp, serve } from "../tenants.js";

/** A member of what a stub stands for, at any depth. */
export function memberOf(target, path) {
  return path.reduce((value, member) => value[member], target);
}

/** Call what a path of members leads to, as a method of what it is a member of. */
export function callOf(target, path, args) {
  return memberOf(target, path.slice(0, -1))[path.at(-1)](...args);
}

/**
 * What `env.NAMESPACE.get(name, args, {outbound, limits})` reaches. `args` are the `ctx.props` of the tenant. With an outbound Worker all
 * that the tenant fetches goes through that one, so the tenant runs in an isolate for these parameters.
 */
export class Dispatch extends WorkerEntrypoint {
  fetch(request) {
    const told = request.cf;
    const worker = known(this.#key(told));
    return worker ? serve(worker, request, this.env, this.ctx, this.#options(told)) : this.#first(request, told);
  }

  async rpc(told, path, args) {
    return callOf(await this.#entrypoint(told), path, args);
  }

  async value(told, path) {
    return memberOf(await this.#entrypoint(told), path);
  }

  /** The first request to a Worker, which is still to be looked up. */
  async #first(request, told) {
    return serve(await this.#worker(told), request, this.env, this.ctx, this.#options(told));
  }

  async #entrypoint(told) {
    return entrypointOf(await this.#worker(told), this.env, this.ctx, this.#options(told));
  }

  async #worker(told) {
    const worker = await lookUp(this.#key(told), this.env);
    if (!worker) throw new Error("Worker not found.");
    return worker;
  }

  #key({ name }) {
    const { account, namespace } = this.ctx.props;
    return `${account}/${namespace}/${name}`;
  }

  #options({ args, limits, outbound: given, place: cf }) {
    const { outbound, tails } = this.ctx.props;
    if (!outbound && !tails) return { props: args, limits, cf };
    const params = Object.fromEntries((outbound?.params ?? []).map(({ name }) => [name, given?.[name]]));
    return { props: args, limits, cf, variant: { ...(outbound && { outbound: { ...outbound.worker, params } }), ...(tails && { tails }) } };
  }
}

/** The way out of a tenant that has an outbound Worker: that Worker, with the router's parameters in its `env`. */
export class Through extends WorkerEntrypoint {
  async fetch(request) {
    const { account, service, entrypoint, params } = this.ctx.props;
    const worker = await lookUp(`${account}//${service}`, this.env);
    if (!worker) throw new Error(`The outbound Worker ${service} does not exist.`);
    return serve(worker, request, this.env, this.ctx, { entrypoint, variant: { values: params } });
  }
}

/** What a service binding reaches: `fetch`, and by RPC whatever the entrypoint has. */
export class Service extends WorkerEntrypoint {
  constructor(ctx, env) {
    super(ctx, env);
    const own = { fetch: (request) => this.fetch(request) };
    return new Proxy(this, { get: (_target, member) => (typeof member === "symbol" ? this[member] : (own[member] ?? this.#member(member))) });
  }

  async fetch(request) {
    const { entrypoint, props } = this.ctx.props;
    return serve(known(this.#key()) ?? (await this.#load()), request, this.env, this.ctx, { entrypoint, props, cf: request.cf });
  }

  #key() {
    const { account, service } = this.ctx.props;
    return `${account}//${service}`;
  }

  async #load() {
    const worker = await lookUp(this.#key(), this.env);
    if (!worker) throw new Error(`The Worker ${this.ctx.props.service} of this service binding does not exist.`);
    return worker;
  }

  #entrypoint(worker) {
    const { entrypoint, props } = this.ctx.props;
    return entrypointOf(worker, this.env, this.ctx, { entrypoint, props });
  }

  /** A member of the entrypoint; while that is still to be looked up, something that can be called or awaited all the same. */
  #member(member) {
    const worker = known(this.#key());
    if (worker) return this.#entrypoint(worker)[member];
    const target = this.#load().then((found) => this.#entrypoint(found));
    const call = async (...args) => (await target)[member](...args);
    return Object.assign(call, { then: (...handlers) => target.then((found) => found[member]).then(...handlers) });
  }
}
