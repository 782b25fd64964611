// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/**
 * Runs in the isolate of each Worker, before its own code: adds its name to log entries, logs exceptions with their
 * stacks, and lets the edge end the isolate.
 */
import { WorkerEntrypoint, abortIsolate, env } from "cloudflare:workers";

/** The internal environment, removed from `env` before the Worker's own code runs. */
export const internalEnv = env.__LOCAL_EDGE ?? {};
delete env.__LOCAL_EDGE;

/** The `cf` of requests without one, provided here so that it is not sent with each request. */
const cfProperty = internalEnv.defaultCf && Object.getOwnPropertyDescriptor(Request.prototype, "cf");
if (cfProperty) {
  const { get } = cfProperty;
  Object.defineProperty(Request.prototype, "cf", {
    ...cfProperty,
    get() {
      return get.call(this) ?? internalEnv.defaultCf;
    },
  });
}

/**
 * The frame of a log entry: record separator, the secret and the Worker, the level, unit separator (a space if the
 * first argument is not a string), the text, record separator.
 */
const BEGIN = "\x1e";
const TEXT = "\x1f";

/** A stack frame of the shims. */
const INTERNAL_FRAME = /^\s+at .*__local_edge/;

const nativeConsole = {};
for (const level of ["debug", "error", "info", "log", "warn"]) {
  nativeConsole[level] = console[level].bind(console);
  console[level] = (...parts) => writeEntry(nativeConsole[level], level, parts);
}

/** Write a log entry. A string in the first argument stays there, since only there format specifiers work. */
function writeEntry(write, level, parts) {
  if (!internalEnv.log) return write(...parts);
  const head = `${BEGIN}${internalEnv.log} ${level}`;
  const rest = typeof parts[0] === "string" ? [head + TEXT + parts[0], ...parts.slice(1)] : [head, ...parts];
  return write(...rest, BEGIN);
}

/** Log an exception that the Worker did not catch. */
function logException(error) {
  const lines = String(error?.stack ?? error).split("\n");
  writeEntry(nativeConsole.error, "exception", [lines.filter((line) => !INTERNAL_FRAME.test(line)).join("\n")]);
}

addEventListener("unhandledrejection", ({ reason }) => logException(reason));

function logAndRethrow(error) {
  logException(error);
  throw error;
}

/** Run a function and log its failure or rejection. Synchronous results are not wrapped, to save time per request. */
function logFailures(run) {
  try {
    const result = run();
    return result instanceof Promise ? result.catch(logAndRethrow) : result;
  } catch (error) {
    return logAndRethrow(error);
  }
}

/** The number of pending `waitUntil` promises. */
let pending = 0;
/** Their timeout before the isolate ends, as on Cloudflare, and the interval of checks, in milliseconds. */
const EVICTION_GRACE_MS = 30_000;
const EVICTION_POLL_MS = 100;

async function trackPending(promise) {
  pending += 1;
  try {
    return await promise;
  } finally {
    pending -= 1;
  }
}

/** The instrumented prototypes of contexts, or of events of scripts. */
const instrumented = new Set();

/** Log failures of `waitUntil` promises, which the runtime does not report. */
function instrumentPromises(ctx) {
  const shared = Object.getPrototypeOf(ctx);
  if (instrumented.has(shared)) return;
  instrumented.add(shared);
  for (const method of ["waitUntil", "respondWith"]) {
    const original = shared[method];
    if (!original) continue;
    shared[method] = function (promise) {
      return original.call(this, trackPending(logFailures(() => promise)));
    };
  }
}

/** Events that a Worker may handle. */
const EVENTS = ["fetch", "scheduled", "queue", "tail", "tailStream", "trace", "email", "alarm", "test"];

/** Return the events that an exported object or class handles. */
function eventsOf(value) {
  const target = typeof value === "function" ? value.prototype : value;
  return target ? EVENTS.filter((event) => typeof target[event] === "function") : [];
}

/** Wrap an export so that exceptions of its handlers are logged. */
export function instrument(target) {
  if (typeof target === "function") return instrumentClass(target, (ctx) => instrumentPromises(ctx));
  if (target === null || typeof target !== "object") return target;
  const handlers = Object.create(target);
  for (const event of eventsOf(target)) {
    handlers[event] = (subject, bound, ctx) => {
      instrumentPromises(ctx);
      return logFailures(() => target[event](subject, bound, ctx));
    };
  }
  return handlers;
}

/** Wrap a class of entrypoints or objects. `prepare` is called with the context before the Worker's own constructor. */
export function instrumentClass(target, prepare) {
  const handled = eventsOf(target);
  const Instrumented = class extends target {
    constructor(ctx, bound) {
      prepare(ctx, bound);
      super(ctx, bound);
    }
  };
  for (const event of handled) {
    Instrumented.prototype[event] = function (subject, ...more) {
      return logFailures(() => target.prototype[event].call(this, subject, ...more));
    };
  }
  return Object.defineProperty(Instrumented, "name", { value: target.name });
}

/** Return an entrypoint that passes tail events of other Workers to the Worker. */
export function receiver(target) {
  return class extends WorkerEntrypoint {
    tail(events) {
      return logFailures(() =>
        typeof target === "function"
          ? new target(this.ctx, this.env).tail(events)
          : target.tail(events, this.env, this.ctx),
      );
    }
  };
}

/** The listeners of a script in service worker syntax, by event. */
const listeners = new Map(EVENTS.map((event) => [event, []]));

/** Record and instrument the listeners of a script, and define its bindings as globals. */
export function prepareScript() {
  const { addEventListener: listen } = globalThis;
  globalThis.addEventListener = (event, listener, ...rest) => {
    const wrapped = listeners.has(event) ? instrumentListener(listener) : listener;
    listeners.get(event)?.push(wrapped);
    return listen.call(globalThis, event, wrapped, ...rest);
  };
  Object.assign(globalThis, env);
}

function instrumentListener(listener) {
  const handle = typeof listener === "function" ? listener : (event) => listener.handleEvent(event);
  return (event) => {
    instrumentPromises(event);
    // The result is ignored: a rejected promise is an unhandled rejection.
    logFailures(() => void handle.call(globalThis, event));
  };
}

/** An entrypoint that passes tail events of other Workers to a script. */
export class ScriptReceiver extends WorkerEntrypoint {
  tail(events) {
    const event = { events, traces: events, waitUntil: (promise) => this.ctx.waitUntil(promise) };
    for (const listener of [...listeners.get("tail"), ...listeners.get("trace")]) listener(event);
  }
}

/** An entrypoint that each loaded Worker exports to end its isolate. */
export class Evict extends WorkerEntrypoint {
  async evict() {
    for (const until = Date.now() + EVICTION_GRACE_MS; pending && Date.now() < until;) {
      await scheduler.wait(EVICTION_POLL_MS);
    }
    abortIsolate("evicted by the local edge");
  }
}

/** Return an entrypoint that lists the exports of the Worker without calling its code, which may have side effects. */
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
  return (
    (typeof value === "function" && value.prototype !== undefined)
    || (typeof value === "object" && eventsOf(value).length > 0)
  );
}
