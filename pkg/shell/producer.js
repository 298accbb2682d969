// A producer's promises. The order, the window and every repetition are decided in Rust.

import { BatchError, BrokerError, plain } from './errors.js';

/** @import { Connection } from './connection.js' */
/** @import { BatchOptions, Payload, ProduceOptions, Receipt } from '../index.js' */

export class Producer {
  /** @type {WritableStream<Payload> | undefined} */ #writable;
  /** @type {Promise<void> | undefined} */ #destroyed;

  /**
   * @param {Connection} connection
   * @param {number} id
   * @param {readonly string[]} stations
   * @param {string} name
   * @param {string} prefix beginning of the ids that autoMsgId makes; empty without
   */
  constructor(connection, id, stations, name, prefix) {
    this._connection = connection;
    this._id = id;
    this._prefix = prefix;
    /** What its messages have to fit, once something has. @type {import('./opening.js').Fit | undefined} */
    this._schema = undefined;
    this.stations = stations;
    this.name = name;
  }

  /**
   * @param {Payload} message
   * @param {ProduceOptions} [options]
   * @returns {Promise<Receipt>}
   */
  produce(message, options) {
    return /** @type {Promise<Receipt>} */ (this._connection._calls.produce(this, message, options, false));
  }

  /**
   * @param {Payload[]} messages
   * @param {BatchOptions} [options]
   * @returns {Promise<Receipt[]>}
   */
  async produceBatch(messages, options) {
    const connection = this._connection;
    if (!Array.isArray(messages)) throw plain(connection.broker, 'invalid_argument', 'the batch is not an array of messages');
    connection._calls.checkBatch(options);
    if (options?.onProgress !== undefined && typeof options.onProgress !== 'function') throw plain(connection.broker, 'invalid_argument', 'onProgress is not a function');
    const signal = connection._signal(options?.signal);
    // One listener a batch, not one a message.
    const { onProgress, compression, signal: _, ...rest } = options ?? {};
    void [compression, _];
    /** @type {import('./calls.js').Call[]} */
    const calls = [];
    const abort = () => connection._calls.abort(calls, /** @type {AbortSignal} */ (signal));
    signal?.addEventListener('abort', abort, { once: true });
    const total = messages.length;
    /** @type {(Receipt | BrokerError)[]} */
    const outcomes = new Array(total);
    let done = 0;
    let told = 0;
    const tell = () => {
      if (told === done) return;
      told = done;
      onProgress?.(done, total);
    };
    /** @type {Promise<void>[]} */
    const pending = [];
    for (let i = 0; i < total; i++) {
      for (;;) {
        if (signal?.aborted) {
          outcomes[i] = connection._aborted(signal);
          done++;
          break;
        }
        const sent = connection._calls.produce(this, /** @type {Payload} */ (messages[i]), rest, false, true);
        if (sent === undefined) {
          // Full: the batch feeds itself, and goes on when half of the limit is free.
          await connection._calls.room();
          continue;
        }
        const call = signal && connection._calls.last();
        if (call) calls.push(call);
        pending.push(
          sent.then(
            (receipt) => void (outcomes[i] = receipt),
            (error) => void (outcomes[i] = error),
          ).then(() => {
            done++;
            if (onProgress && done - told === 1) queueMicrotask(tell);
          }),
        );
        break;
      }
    }
    await Promise.all(pending);
    signal?.removeEventListener('abort', abort);
    if (onProgress) tell();
    const first = outcomes.find((outcome) => outcome instanceof BrokerError);
    if (first) throw new BatchError(/** @type {BrokerError} */ (first), outcomes);
    return /** @type {Receipt[]} */ (outcomes);
  }

  /**
   * @param {number} [partitionNumber]
   * @returns {Promise<bigint>}
   */
  async lastPublishingId(partitionNumber) {
    void partitionNumber;
    throw plain(this._connection.broker, 'not_supported', 'this broker has no publishing ids', 'Use msgId, which it remembers within the station\'s window.');
  }

  flush() {
    return this._connection._flushProducer(this._id);
  }

  get writable() {
    if (this.#writable) return this.#writable;
    const connection = this._connection;
    /** @type {unknown} */
    let failed;
    return (this.#writable = new WritableStream({
      write: async (chunk, controller) => {
        for (;;) {
          if (failed) throw failed;
          const sent = connection._calls.produce(this, chunk, undefined, false, true);
          if (sent === undefined) {
            await connection._calls.room();
            continue;
          }
          sent.catch((error) => {
            failed = error;
            controller.error(error);
          });
          return;
        }
      },
      close: async () => {
        this.#writable = undefined;
        await this.flush();
        if (failed) throw failed;
      },
      abort: () => {
        this.#writable = undefined;
      },
    }));
  }

  destroy() {
    if (!this.#destroyed) {
      this.#destroyed = this._connection._destroyProducer(this);
      this.#destroyed.catch(() => {});
    }
    return this.#destroyed;
  }

  [Symbol.asyncDispose]() {
    return this.destroy();
  }
}
