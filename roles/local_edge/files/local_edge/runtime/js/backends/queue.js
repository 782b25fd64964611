// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** The far side of a queue: its messages are kept by the control plane. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { ask } from "../control.js";

/** What the runtime has serialized, by the number under which it was asked to. */
const serialized = new Map();
/** Numbers stay within those that a message's delay may be. */
const NUMBERS = 2 ** 31;
let asked = 0;

export class Queue extends WorkerEntrypoint {
  /** Keep messages `{body: Uint8Array, contentType, delaySeconds}`; what the queue holds then, or who refused them and why. */
  send(messages, delaySeconds) {
    const told = messages.map(({ body, ...message }) => ({ ...message, body: body.toBase64() }));
    return this.#ask({ method: "POST", body: JSON.stringify({ messages: told, delaySeconds: delaySeconds ?? this.ctx.props.delay }) });
  }

  metrics() {
    return this.#ask();
  }

  /** A value as bytes of V8's own format: only the runtime's own queues write that. The delay tells which value it was that arrives. */
  async serialized(value) {
    const number = (asked = (asked + 1) % NUMBERS);
    await this.env.SERIALIZER.send(value, { contentType: "v8", delaySeconds: number });
    const bytes = serialized.get(number);
    serialized.delete(number);
    return bytes;
  }

  async #ask(init) {
    const { account, queue } = this.ctx.props;
    const response = await ask(this.env, `/queue/${account}/${encodeURIComponent(queue)}`, init);
    if (response.ok) return { metrics: await response.json() };
    return { refusal: { status: response.statusText, code: response.headers.get("x-code"), cause: await response.text() } };
  }
}

/** Where the runtime's own queue sends what it has serialized. */
export class Serialized extends WorkerEntrypoint {
  async fetch(request) {
    serialized.set(Number(request.headers.get("x-msg-delay-secs")), new Uint8Array(await request.arrayBuffer()));
    return Response.json({ metadata: { metrics: { backlogCount: 0, backlogBytes: 0, oldestMessageTimestamp: 0 } } });
  }
}
