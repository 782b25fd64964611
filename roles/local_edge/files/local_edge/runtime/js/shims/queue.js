// Copyright: Contributors to the tenantry.cloudflare_workers project
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
/** Queues, for producers. */

export const workerQueue = (stub) => new WorkerQueue(stub);

const { queues_json_messages: jsonByDefault, queue_expose_error_codes: codesInErrors } = Cloudflare.compatibilityFlags;
const encoder = new TextEncoder();

/** Convert a body to bytes, by content type. Other types of bodies are refused. */
const SERIALIZERS = {
  text: (body) => encoder.encode(requireType(typeof body === "string", "text", "string", body)),
  bytes: (body) => {
    const { buffer, byteOffset, byteLength } = requireType(ArrayBuffer.isView(body), "bytes", "ArrayBufferView", body);
    return new Uint8Array(buffer, byteOffset, byteLength).slice();
  },
  json: (body) => encoder.encode(String(JSON.stringify(body))),
  v8: (body, stub) => stub.serialized(structuredClone(body)),
};

function requireType(isRight, type, expectedType, body) {
  if (!isRight) {
    throw new TypeError(
      `Content Type "${type}" requires a value of type ${expectedType}, but received: ${typeof body}`,
    );
  }
  return body;
}

function isObject(value) {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** Return the options, which may be omitted. */
function optionsOf(method, options, type) {
  if (options != null && !isObject(options)) {
    throw new TypeError(`Failed to execute '${method}' on 'WorkerQueue': parameter 2 is not of type '${type}'.`);
  }
  return options ?? {};
}

/** Convert to seconds as the runtime does: integers, 0 for other values, undefined if omitted. */
function secondsOf(value) {
  return value === undefined ? undefined : Math.trunc(Number(value)) || 0;
}

/** Return the metrics in a reply. Throw its error if it has one. */
function metricsOf(method, { metrics, error }) {
  const coded = codesInErrors || method === "metrics";
  if (error) throw new Error(coded ? `${error.cause} (${error.code})` : `Queue ${method} failed: ${error.status}`);
  const { backlogCount, backlogBytes, oldest } = metrics;
  return { backlogCount, backlogBytes, ...(oldest && { oldestMessageTimestamp: new Date(oldest) }) };
}

class WorkerQueue {
  #stub;

  constructor(stub) {
    this.#stub = stub;
  }

  async send(body, options) {
    const { contentType, delaySeconds } = optionsOf("send", options, "SendOptions");
    const message = this.#serialize({
      body,
      contentType: contentType === undefined ? undefined : String(contentType).toLowerCase(),
      delaySeconds,
    });
    return { metadata: { metrics: metricsOf("send", await this.#stub.send([await message])) } };
  }

  async sendBatch(messages, options) {
    if (!isObject(messages) || !messages[Symbol.iterator]) {
      throw new TypeError("Failed to execute 'sendBatch' on 'WorkerQueue': parameter 1 is not of type 'Sequence'.");
    }
    const { delaySeconds } = optionsOf("sendBatch", options, "SendBatchOptions");
    const batch = Array.from(messages, (message) => this.#serialize(message));
    if (!batch.length) throw new TypeError("sendBatch() requires at least one message");
    return {
      metadata: {
        metrics: metricsOf("sendBatch", await this.#stub.send(await Promise.all(batch), secondsOf(delaySeconds))),
      },
    };
  }

  async metrics() {
    return metricsOf("metrics", await this.#stub.metrics());
  }

  /** Return a message to send, or a promise of it. */
  #serialize(message) {
    if (!isObject(message)) {
      throw new TypeError("Incorrect type: the provided value is not of type 'MessageSendRequest'.");
    }
    const { body, contentType = jsonByDefault ? "json" : "v8", delaySeconds } = message;
    if (body === undefined) throw new TypeError("Message body cannot be undefined");
    if (!Object.hasOwn(SERIALIZERS, contentType)) {
      throw new TypeError(`Unsupported queue message content type: ${contentType}`);
    }
    const toMessage = (bytes) => ({ body: bytes, contentType, delaySeconds: secondsOf(delaySeconds) });
    const bytes = SERIALIZERS[contentType](body, this.#stub);
    return contentType === "v8" ? bytes.then(toMessage) : toMessage(bytes);
  }
}
