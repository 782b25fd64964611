// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Runs inside every Worker's isolate, before the Worker's own code: what it logs gets its name, what it throws is told with
 * its stack, and the supervisor can end it.
 */
import { WorkerEntrypoint, abortIsolate, env } from "cloudflare:workers";

/** What the edge hands over beside the bindings; the Worker's own code never sees it. */
export const hidden = env.__LOCAL_EDGE ?? {};
delete env.__LOCAL_EDGE;

/** A request that says nothing of where it comes from comes from where this edge is: that need not travel with each. */
const place = hidden.place && Object.getOwnPropertyDescriptor(Request.prototype, "cf");
if (place) {
  const { get } = place;
  Object.defineProperty(Request.prototype, "cf", { ...place, get() { return get.call(this) ?? hidden.place; } });
}

/** Between these an entry of the log says whose it is: a record separator, the secret and the Worker, the level, a unit separator (a space where it is no string that follows), the text. */
const BEGIN = "\x1e";
const TEXT = "\x1f";

/** A line of a stack that is not of the Worker's own code. */
const OURS = /^\s+at .*__local_edge/;

const said = {};
for (const level of ["debug", "error", "info", "log", "warn"]) {
  said[level] = console[level].bind(console);
  console[level] = (...parts) => say(said[level], level, parts);
}

/** Format specifiers work in a first argument only: a string there stays the first. */
function say(write, level, parts) {
  if (!hidden.log) return write(...parts);
  const head = `${BEGIN}${hidden.log} ${level}`;
  const rest = typeof parts[0] === "string" ? [head + TEXT + parts[0], ...parts.slice(1)] : [head, ...parts];
  return write(...rest, BEGIN);
}

/** Tell of an exception that nobody in the Worker has caught. */
function tell(error) {
  const lines = String(error?.stack ?? error).split("\n");
  say(said.error, "exception", [lines.filter((line) => !OURS.test(line)).join("\n")]);
}

addEventListener("unhandledrejection", ({ reason }) => tell(reason));

function failed(error) {
  tell(error);
  throw error;
}

/** What an act comes to; its failure is told, be it now or later. No promise is made where there was none: this is on every request's way. */
function watched(act) {
  try {
    const result = act();
    return result instanceof Promise ? result.catch(failed) : result;
  } catch (error) {
    return failed(error);
  }
}

/** How many promises have been handed over and are still to be kept. */
let pending = 0;
/** How long these have once the isolate is to end, as on Cloudflare, and how often it is looked after them: milliseconds. */
const GRACE = 30_000;
const PAUSE = 100;

async function counted(promise) {
  pending += 1;
  try {
    return await promise;
  } finally {
    pending -= 1;
  }
}

/** The prototypes of contexts, or of a script's events, whose promises are watched. */
const prepared = new Set();

/** Let the failure of a promise that is only handed over be told: the runtime keeps it to itself. */
function watchPromises(ctx) {
  const shared = Object.getPrototypeOf(ctx);
  if (prepared.has(shared)) return;
  prepared.add(shared);
  for (const method of ["waitUntil", "respondWith"]) {
    const original = shared[method];
    if (!original) continue;
    shared[method] = function (promise) {
      return original.call(this, counted(watched(() => promise)));
    };
  }
}

/** Events that a Worker may handle. */
const EVENTS = ["fetch", "scheduled", "queue", "tail", "tailStream", "trace", "email", "alarm", "test"];

/** Which events an export handles, be it an object or a class. */
function eventsOf(value) {
  const target = typeof value === "function" ? value.prototype : value;
  return target ? EVENTS.filter((event) => typeof target[event] === "function") : [];
}

/** An export as the runtime gets it: the same, but what its handlers throw is told. */
export function watch(target) {
  if (typeof target === "function") return watchClass(target, (ctx) => watchPromises(ctx));
  if (target === null || typeof target !== "object") return target;
  const handlers = Object.create(target);
  for (const event of eventsOf(target)) {
    handlers[event] = (subject, bound, ctx) => {
      watchPromises(ctx);
      return watched(() => target[event](subject, bound, ctx));
    };
  }
  return handlers;
}

/** A class of entrypoints or objects; `prepare` sees the context before the Worker's own constructor does. */
export function watchClass(target, prepare) {
  const handled = eventsOf(target);
  const Watched = class extends target {
    constructor(ctx, bound) {
      prepare(ctx, bound);
      super(ctx, bound);
    }
  };
  for (const event of handled) {
    Watched.prototype[event] = function (subject, ...more) {
      return watched(() => target.prototype[event].call(this, subject, ...more));
    };
  }
  return Object.defineProperty(Watched, "name", { value: target.name });
}

/** An entrypoint that hands the Worker what is told of other Workers' requests. */
export function receiver(target) {
  return class extends WorkerEntrypoint {
    tail(events) {
      return watched(() => (typeof target === "function" ? new target(this.ctx, this.env).tail(events) : target.tail(events, this.env, this.ctx)));
    }
  };
}

/** The listeners of a script in the syntax from before modules, by event; it exports nothing. */
const listeners = new Map(EVENTS.map((event) => [event, []]));

/** Note what a script listens to, watch how it does, and give it its bindings as globals. */
export function prepareScript() {
  const { addEventListener: listen } = globalThis;
  globalThis.addEventListener = (event, listener, ...rest) => {
    const watching = listeners.has(event) ? watchListener(listener) : listener;
    listeners.get(event)?.push(watching);
    return listen.call(globalThis, event, watching, ...rest);
  };
  Object.assign(globalThis, env);
}

function watchListener(listener) {
  const handle = typeof listener === "function" ? listener : (event) => listener.handleEvent(event);
  return (event) => {
    watchPromises(event);
    // What it returns nobody waits for: a promise that fails is an unhandled rejection.
    watched(() => void handle.call(globalThis, event));
  };
}

/** An entrypoint that hands a script what is told of other Workers' requests. */
export class ScriptReceiver extends WorkerEntrypoint {
  tail(events) {
    const event = { events, traces: events, waitUntil: (promise) => this.ctx.waitUntil(promise) };
    for (const listener of [...listeners.get("tail"), ...listeners.get("trace")]) listener(event);
  }
}

/** Exported by every loaded Worker under a name of ours. */
export class Evict extends WorkerEntrypoint {
  async evict() {
    for (const until = Date.now() + GRACE; pending && Date.now() < until; ) await scheduler.wait(PAUSE);
    abortIsolate("evicted by the local edge");
  }
}

/** An entrypoint that tells what the Worker exports. Nothing of the Worker is called: a handler may have effects. */
export function probeOf(user) {
  return class extends WorkerEntrypoint {
    exports() {
      const named = Object.entries(user).filter(([name, value]) => name !== "default" && isEntrypoint(value));
      return {
        has_default: "default" in user,
        handlers: [...eventsOf(user.default), ...EVENTS.filter((event) => listeners.get(event).length)],
        named: named.map(([name, value]) => ({ name, handlers: eventsOf(value) })),
      };
    }
  };
}

function isEntrypoint(value) {
  return (typeof value === "function" && value.prototype !== undefined) || (typeof value === "object" && eventsOf(value).length > 0);
}
