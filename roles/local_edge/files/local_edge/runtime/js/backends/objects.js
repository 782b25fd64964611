// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Durable Objects. A class of a dynamically loaded Worker can only be a facet of a configured object. So each object
 * has a host, which loads its class, stores its alarm, and restarts it after a change of its code.
 */
import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
import { callOf, memberOf } from "./service.js";
import { fetchFromControl } from "../control.js";
import { requestCf } from "../request_cf.js";
import { forward, isLoaded, getIsolate, getCached, load, nameOf } from "../tenants.js";

const FACET = "object";
const UPDATED = "Durable Object reset because its code was updated.";

/** Objects with open sockets, `[namespace, id]` by the key of their Worker: messages to sockets bypass the host. */
const activeObjects = new Map();

/** Return the host of an object. */
export function hostOf(env, namespace, id) {
  return env.OBJECTS.get(env.OBJECTS.idFromName(`${namespace}:${id}`));
}

/** Reset the objects with open sockets of the Workers whose keys match. */
export async function resetActiveObjects(matches, env) {
  const keys = [...activeObjects.keys()].filter(matches);
  const hosts = keys.flatMap((key) =>
    [...activeObjects.get(key).values()].map(([namespace, id]) => hostOf(env, namespace, id)),
  );
  for (const key of keys) activeObjects.delete(key);
  await Promise.all(hosts.map((host) => host.reset()));
}

function trackObject({ key, namespace, id }) {
  if (!activeObjects.has(key)) activeObjects.set(key, new Map());
  activeObjects.get(key).set(`${namespace}:${id}`, [namespace, id]);
}

/** The backend of a Durable Object binding. */
export class Objects extends WorkerEntrypoint {
  fetch(request) {
    return this.#host(request.cf).fetch(request, {
      cf: { ...this.#identityOf(request.cf), visitorCf: request.cf.visitorCf },
    });
  }

  rpc(identity, path, args) {
    return this.#host(identity).rpc(this.#identityOf(identity), path, args);
  }

  value(identity, path) {
    return this.#host(identity).value(this.#identityOf(identity), path);
  }

  #host({ id }) {
    return hostOf(this.env, this.ctx.props.namespace, id);
  }

  #identityOf({ id, name }) {
    const { namespace, key, name: className } = this.ctx.props;
    return { namespace, id, name, key, className };
  }
}

/** The alarms of a Worker's own objects, with the interface of their storage. */
export class Alarms extends WorkerEntrypoint {
  set(identity, time) {
    return this.#host(identity).setAlarm(time);
  }

  get(identity) {
    return this.#host(identity).getAlarm();
  }

  remove(identity) {
    return this.#host(identity).deleteAlarm();
  }

  #host({ namespace, id }) {
    if (!this.ctx.props.namespaces.includes(namespace)) throw new Error("This Durable Object is of another Worker.");
    return hostOf(this.env, namespace, id);
  }
}

export class ObjectHost extends DurableObject {
  /** The identity of the object: `{namespace, id, name, key, className}`. */
  #identity = this.ctx.storage.kv.get("identity");
  /** The isolate that its class was loaded from. */
  #running = null;

  async fetch(request) {
    const { visitorCf, ...identity } = request.cf;
    const object = await this.#object(identity);
    const response = await forward(object, request, requestCf(getCached(identity.key) ?? {}, visitorCf));
    if (response.webSocket) trackObject(identity);
    return response;
  }

  async rpc(identity, path, args) {
    return callOf(await this.#object(identity), path, args);
  }

  async value(identity, path) {
    return memberOf(await this.#object(identity), path);
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
    const object = await this.#object(this.#identity);
    await object.__localEdgeAlarm({ isRetry, retryCount });
  }

  /** Stop the object and close its sockets, after a change of its code. */
  reset() {
    this.ctx.facets.abort(FACET, new Error(UPDATED));
    this.#running = null;
  }

  /** Delete everything, after the class was deleted. */
  async wipe() {
    this.#stop("Durable Object's class was deleted.");
    this.ctx.facets.delete(FACET);
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
    this.#identity = null;
  }

  /** Return the object itself. */
  async #object(identity) {
    await this.#saveIdentity(identity);
    const { namespace, id, name, key, className } = identity;
    const worker = getCached(key) ?? (await load(key, this.env));
    if (!worker?.classes?.[className]) {
      throw new Error(`The Worker of the Durable Object class ${className} no longer has it.`);
    }
    const isolate = nameOf(worker);
    if (this.#running && (this.#running !== isolate || !isLoaded(isolate))) this.#stop(UPDATED);
    const stub = getIsolate(worker, this.env, this.ctx);
    this.#running = isolate;
    return this.ctx.facets.get(FACET, () => ({
      class: stub.getDurableObjectClass(className),
      id: JSON.stringify({ namespace, id, name }),
    }));
  }

  #stop(why) {
    if (this.#running) this.ctx.facets.abort(FACET, new Error(why));
    this.#running = null;
  }

  /** Store the identity of the object, for its alarms, and register its storage with the control plane. */
  async #saveIdentity(identity) {
    const { namespace, id, name, key, className } = identity;
    const before = this.#identity;
    if (before?.key === key && before.className === className && (before.name ?? null) === (name ?? null)) return;
    if (!before) await registerStorage(this.env, namespace, id);
    this.#identity = { namespace, id, name: name ?? before?.name, key, className };
    this.ctx.storage.kv.put("identity", this.#identity);
  }
}

/** Register new storage with the control plane. Return whether its owner exists. */
export async function registerStorage(env, kind, id) {
  return Boolean(
    await fetchFromControl(env, `/object/${encodeURIComponent(kind)}/${encodeURIComponent(id)}`, { method: "PUT" }),
  );
}

/** Delete the storage of an object, and its files, which the runtime leaves empty. `folder` is the key of its class. */
export async function wipe(env, folder, stub) {
  await stub.wipe();
  for (const ending of [".sqlite", ".sqlite-wal", ".sqlite-shm", ".facets"]) {
    await env.STORAGE.fetch(`http://storage/${folder}/${stub.id}${ending}`, { method: "DELETE" });
  }
}
