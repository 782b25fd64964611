// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Durable Objects: the namespaces of bindings, and the wrapper of classes. */
import { internalEnv, instrumentClass } from "./worker.js";
import { hexDigest } from "./sha256.js";
import { rpcProxy, fetchWithMetadata } from "./stub.js";

export const objectNamespace = (stub, ident) => new DurableObjectNamespace(stub, ident);

const ID = /^[0-9a-f]{64}$/;
/** The digits of an id that identify its namespace. */
const OWN = 16;

class DurableObjectId {
  #text;

  constructor(text, name) {
    this.#text = text;
    if (name !== undefined) this.name = name;
  }

  toString() {
    return this.#text;
  }

  equals(other) {
    return other instanceof DurableObjectId && other.toString() === this.#text;
  }
}

class DurableObjectNamespace {
  #stub;
  #own;

  constructor(stub, ident) {
    this.#stub = stub;
    this.#own = hexDigest(ident).slice(0, OWN);
  }

  newUniqueId() {
    return this.#id(crypto.getRandomValues(new Uint8Array(32)).toHex());
  }

  idFromName(name) {
    return this.#id(hexDigest(`${this.#own}:${name}`), String(name));
  }

  idFromString(text) {
    if (!ID.test(text)) throw new TypeError("Invalid Durable Object ID: must be 64 hex digits");
    if (!text.endsWith(this.#own)) throw new TypeError("Durable Object ID is not valid for this namespace");
    return new DurableObjectId(text);
  }

  get(id) {
    if (!(id instanceof DurableObjectId)) {
      throw new TypeError("get() takes an id of a Durable Object, such as idFromName() returns");
    }
    const stub = this.#stub;
    const metadata = { id: this.idFromString(id.toString()).toString(), name: id.name };
    return rpcProxy(stub, metadata, { id, name: id.name, fetch: fetchWithMetadata(stub, metadata) });
  }

  getByName(name) {
    return this.get(this.idFromName(name));
  }

  /** Return this namespace: the local edge has one location. */
  jurisdiction() {
    return this;
  }

  #id(digits, name) {
    return new DurableObjectId(digits.slice(0, -OWN) + this.#own, name);
  }
}

/** Wrap a Worker's class for the host of its objects, so that objects have the environment that Cloudflare provides. */
export function objectClass(target, sqlite) {
  const Watched = instrumentClass(target, (ctx) => adapt(ctx, sqlite));
  Watched.prototype.__localEdgeAlarm = function (info) {
    if (!this.alarm) {
      throw new Error("Your Durable Object class must have an alarm() handler in order to call setAlarm()");
    }
    return this.alarm(info);
  };
  return Watched;
}

/** Adapt the context of an object. Its host passes the identity in place of an id, and stores its alarm. */
function adapt(ctx, sqlite) {
  const { storage } = ctx;
  const { alarms } = internalEnv;
  const { namespace, id, name } = JSON.parse(ctx.id);
  const metadata = { namespace, id };
  Object.defineProperty(ctx, "id", { value: new DurableObjectId(id, name), enumerable: true });
  storage.setAlarm = async (time) => alarms.set(metadata, Number(time));
  storage.getAlarm = async () => alarms.get(metadata);
  storage.deleteAlarm = async () => alarms.remove(metadata);
  if (Cloudflare.compatibilityFlags.delete_all_deletes_alarm) {
    const { deleteAll } = storage;
    storage.deleteAll = async (...options) => {
      await deleteAll.apply(storage, options);
      await alarms.remove(metadata);
    };
  }
  if (!sqlite) {
    const refuse = () => {
      throw new Error(
        "SQL is not enabled for this Durable Object class. To enable it, set `new_sqlite_classes` instead of "
          + "`new_classes` in its migration.",
      );
    };
    Object.defineProperty(storage, "sql", { get: refuse });
  }
}
