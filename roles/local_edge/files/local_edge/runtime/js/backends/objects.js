// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Durable Objects. A class of a Worker that was loaded can only be a facet of an object that was configured: each object has a host,
 * which loads its class, keeps its alarm, and starts it anew when its code changes.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { callOf, memberOf } from "./service.js";
import { found } from "../control.js";
import { cfOf } from "../request_cf.js";
import { forward, isLoaded, isolateOf, known, lookUp, nameOf } from "../tenants.js";

const FACET = "object";
const UPDATED = "Durable Object reset because its code was updated.";

/** Which objects hold sockets, as `[namespace, id]` by the key of their Worker: what comes to a socket does not pass the host. */
const holding = new Map();

/** The host of an object. */
export function hostOf(env, namespace, id) {
  return env.OBJECTS.get(env.OBJECTS.idFromName(`${namespace}:${id}`));
}

/** Reset the objects that hold sockets, where their Worker has changed: keys, or prefixes of keys that end in a slash. */
export async function resetHolding(changes, env) {
  const keys = [...holding.keys()].filter((key) => changes.some((change) => (change.endsWith("/") ? key.startsWith(change) : key === change)));
  const hosts = keys.flatMap((key) => [...holding.get(key).values()].map(([namespace, id]) => hostOf(env, namespace, id)));
  for (const key of keys) holding.delete(key);
  await Promise.all(hosts.map((host) => host.reset()));
}

function hold({ key, namespace, id }) {
  if (!holding.has(key)) holding.set(key, new Map());
  holding.get(key).set(`${namespace}:${id}`, [namespace, id]);
}

/** What a binding to a class reaches. */
export class Objects extends WorkerEntrypoint {
  fetch(request) {
    return this.#host(request.cf).fetch(request, { cf: { ...this.#told(request.cf), place: request.cf.place } });
  }

  rpc(told, path, args) {
    return this.#host(told).rpc(this.#told(told), path, args);
  }

  value(told, path) {
    return this.#host(told).value(this.#told(told), path);
  }

  #host({ id }) {
    return hostOf(this.env, this.ctx.props.namespace, id);
  }

  #told({ id, name }) {
    const { namespace, key, name: className } = this.ctx.props;
    return { namespace, id, name, key, className };
  }
}

/** The alarms of a Worker's own objects, as their storage has them. */
export class Alarms extends WorkerEntrypoint {
  set(told, time) {
    return this.#host(told).setAlarm(time);
  }

  get(told) {
    return this.#host(told).getAlarm();
  }

  remove(told) {
    return this.#host(told).deleteAlarm();
  }

  #host({ namespace, id }) {
    if (!this.ctx.props.namespaces.includes(namespace)) throw new Error("This Durable Object is of another Worker.");
    return hostOf(this.env, namespace, id);
  }
}

export class ObjectHost extends DurableObject {
  /** Who the object is: `{namespace, id, name, key, className}`. */
  #told = this.ctx.storage.kv.get("told");
  /** The isolate that its class was taken from. */
  #running = null;

  async fetch(request) {
    const { place, ...told } = request.cf;
    const object = await this.#object(told);
    const response = await forward(object, request, cfOf(known(told.key) ?? {}, place));
    if (response.webSocket) hold(told);
    return response;
  }

  async rpc(told, path, args) {
    return callOf(await this.#object(told), path, args);
  }

  async value(told, path) {
    return memberOf(await this.#object(told), path);
  }

  setAlarm(time) {
    return this.ctx.storage.setAlarm(time);
  }

  getAlarm() {
    return this.ctx.storage.getAlarm();
  }

  deleteAlarm() {
    return this.ctx.storage.deleteAlarm();
  }

  async alarm({ isRetry = false, retryCount = 0 } = {}) {
    const object = await this.#object(this.#told);
    await object.__localEdgeAlarm({ isRetry, retryCount });
  }

  /** End what runs, and with it the sockets, since the code has changed. */
  reset() {
    this.ctx.facets.abort(FACET, new Error(UPDATED));
    this.#running = null;
  }

  /** Forget everything, since the class is gone. */
  async wipe() {
    this.#stop("Durable Object's class was deleted.");
    this.ctx.facets.delete(FACET);
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    this.#told = null;
  }

  /** The object itself. */
  async #object(told) {
    await this.#remember(told);
    const { namespace, id, name, key, className } = told;
    const worker = known(key) ?? (await lookUp(key, this.env));
    if (!worker?.classes?.[className]) throw new Error(`The Worker of the Durable Object class ${className} does not have it any more.`);
    const isolate = nameOf(worker);
    if (this.#running && (this.#running !== isolate || !isLoaded(isolate))) this.#stop(UPDATED);
    const stub = isolateOf(worker, this.env, this.ctx);
    this.#running = isolate;
    return this.ctx.facets.get(FACET, () => ({ class: stub.getDurableObjectClass(className), id: JSON.stringify({ namespace, id, name }) }));
  }

  #stop(why) {
    if (this.#running) this.ctx.facets.abort(FACET, new Error(why));
    this.#running = null;
  }

  /** Keep who the object is, for its alarms, and tell the control plane that there is one: it says when the storage is to go. */
  async #remember(told) {
    const { namespace, id, name, key, className } = told;
    const before = this.#told;
    if (before?.key === key && before.className === className && (before.name ?? null) === (name ?? null)) return;
    if (!before) await announce(this.env, namespace, id);
    this.#told = { namespace, id, name: name ?? before?.name, key, className };
    this.ctx.storage.kv.put("told", this.#told);
  }
}

/** Tell the control plane of storage that has come to be; whether it belongs to something that is there. */
export async function announce(env, kind, id) {
  return Boolean(await found(env, `/object/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`, { method: "PUT" }));
}

/** Let go of what an object keeps, and of its files, which the runtime would leave empty; `folder` is the key of its class. */
export async function wipe(env, folder, stub) {
  await stub.wipe();
  for (const ending of [".sqlite", ".sqlite-wal", ".sqlite-shm", ".facets"]) {
    await env.STORAGE.fetch(`http://storage/${folder}/${stub.id}${ending}`, { method: "DELETE" });
  }
}
