// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The backend of a queue binding. The control plane stores the messages. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { callControl } from "../control.js";

/** Serialized values by the number of their request. */
const serialized = new Map();
/** Numbers must be valid delays of messages. */
const MAX_NUMBER = 2 ** 31;
let sequence = 0;

export class Queue extends WorkerEntrypoint {
  /** Send messages `{body: Uint8Array, contentType, delaySeconds}`. Return the metrics of the queue, or the error. */
  send(messages, delaySeconds) {
    const encoded = messages.map(({ body, ...message }) => ({ ...message, body: body.toBase64() }));
    return this.#call({
      method: "POST",
      body: JSON.stringify({ messages: encoded, delaySeconds: delaySeconds ?? this.ctx.props.delay }),
    });
  }

  metrics() {
    return this.#call();
  }

  /** Serialize a value to the V8 format, which only the runtime's own queues write. The delay identifies the value. */
  async serialized(value) {
    const number = (sequence = (sequence + 1) % MAX_NUMBER);
    await this.env.SERIALIZER.send(value, { contentType: "v8", delaySeconds: number });
    const bytes = serialized.get(number);
    serialized.delete(number);
    return bytes;
  }

  async #call(init) {
    const { account, queue } = this.ctx.props;
    const response = await callControl(this.env, `/queue/${account}/${encodeURIComponent(queue)}`, init);
    if (response.ok) return { metrics: await response.json() };
    return {
      error: { status: response.statusText, code: response.headers.get("x-code"), cause: await response.text() },
    };
  }
}

/** Receives serialized messages from the runtime's own queue. */
export class Serialized extends WorkerEntrypoint {
  async fetch(request) {
    serialized.set(Number(request.headers.get("x-msg-delay-secs")), new Uint8Array(await request.arrayBuffer()));
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 } } });
  }
}
