// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Delivers the trace events of a Worker to its tail Worker, both given by props. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { entrypointOf, load } from "../tenants.js";
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

export class Tail extends WorkerEntrypoint {
  async tail(events) {
    const { key, consumer } = this.ctx.props;
    const worker = await load(consumer, this.env);
    if (!worker) return;
    const [, namespace, name] = key.split("/");
    const delivered = events
      .filter(({ entrypoint }) => entrypoint !== EVICT)
      .map((event) => ({
        ...JSON.parse(JSON.stringify({ ...event, event: eventOf(event) })),
        scriptName: name,
        ...(namespace && { dispatchNamespace: namespace }),
        logs: event.logs
          .filter(isOfWorker)
          .map(({ level, message, timestamp }) => ({
            level,
            message: Array.isArray(message) ? bare(message) : message,
            timestamp,
          })),
      }));
    if (delivered.length) await entrypointOf(worker, this.env, this.ctx, { entrypoint: RECEIVER }).tail(delivered);
  }
}
