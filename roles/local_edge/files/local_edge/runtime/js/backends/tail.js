// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Delivers the trace events of a Worker to its tail Worker, both given by props. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { fetchFromControl } from "../control.js";
import { entrypointOf, getCached, load } from "../tenants.js";
import { ALARM, EVICT, RECEIVER } from "../worker.js";

/** The frame of a log entry, see `shims/worker.js`. */
const HEAD = /^\x1e\S+ \S+ \w+\x1f?/;
const END = "\x1e";
/** An uncaught exception in the log. A tail Worker receives it in `exceptions` instead. */
const UNCAUGHT = /^\x1e\S+ \S+ exception\x1f/;

/** Return the arguments of a log entry without the frame. */
function bare([first, ...rest]) {
  if (typeof first !== "string" || !HEAD.test(first)) return [first, ...rest];
  const text = first.replace(HEAD, "");
  return [...(text || !rest.length ? [text] : []), ...(rest.at(-1) === END ? rest.slice(0, -1) : rest)];
}

function isOfWorker({ message }) {
  return !(Array.isArray(message) && UNCAUGHT.test(message[0]));
}

/** Alarms are RPC calls to the runtime. */
function eventOf({ event, eventTimestamp }) {
  return event?.rpcMethod === ALARM ? { scheduledTime: new Date(eventTimestamp) } : event;
}

/** A stack frame of the shims. */
const INTERNAL_FRAME = /^\s+at .*__local_edge/;

/** Return exceptions without frames of the shims, and with original positions if the Worker has source maps. */
function mappedExceptions(exceptions, producer, env) {
  return Promise.all(
    exceptions.map(async ({ stack, ...exception }) => {
      if (!stack) return exception;
      const own = stack.split("\n").filter((line) => !INTERNAL_FRAME.test(line)).join("\n");
      return { ...exception, stack: producer?.has_source_maps ? await originalStack(own, producer.key, env) : own };
    }),
  );
}

async function originalStack(stack, key, env) {
  const path = key.split("/").map(encodeURIComponent).join("/");
  return (await fetchFromControl(env, `/stack/${path}`, { method: "POST", body: stack })).text();
}

export class Tail extends WorkerEntrypoint {
  async tail(events) {
    const { key, consumer } = this.ctx.props;
    const worker = await load(consumer, this.env);
    if (!worker) return;
    const [, namespace, name] = key.split("/");
    const producer = getCached(key) ?? (await load(key, this.env));
    const own = events.filter(({ entrypoint }) => entrypoint !== EVICT);
    const delivered = await Promise.all(
      own.map(async (event) => ({
        ...JSON.parse(JSON.stringify({ ...event, event: eventOf(event) })),
        exceptions: await mappedExceptions(event.exceptions, producer, this.env),
        scriptName: name,
        scriptTags: producer?.tags ?? [],
        ...(namespace && { dispatchNamespace: namespace }),
        logs: event.logs
          .filter(isOfWorker)
          .map(({ level, message, timestamp }) => ({
            level,
            message: Array.isArray(message) ? bare(message) : message,
            timestamp,
          })),
      })),
    );
    if (delivered.length) await entrypointOf(worker, this.env, this.ctx, { entrypoint: RECEIVER }).tail(delivered);
  }
}
