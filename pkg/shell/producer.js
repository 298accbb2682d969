// A producer's promises. The order, the window and every repetition are decided in Rust.

import { own, plain } from './errors.js';
import { copied } from './payload.js';

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
    /** Outcomes that come later than the engine knows of: what a schema refuses goes to the dead letters first. @type {Set<Promise<unknown>>} */
    this._late = new Set();
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
    connection._check();
    const given = own(options, connection.broker);
    const send = (/** @type {Payload[]} */ taken) => connection._instance.scripts.batch.produceBatch(this, taken, given);
    const loading = connection._part('batch');
    return loading || connection._early.isBehind(this) ? this._batchBehind(loading, messages, send, given?.signal) : send(messages);
  }

  /**
   * A batch that has to wait; its messages stay as they are now.
   * @param {Promise<void> | undefined} loading
   * @param {Payload[]} messages
   * @param {(kept: Payload[]) => Promise<Receipt[]>} send
   * @param {AbortSignal | undefined} signal
   */
  _batchBehind(loading, messages, send, signal) {
    const { broker } = this._connection;
    const kept = Array.isArray(messages) ? messages.map((message) => copied(broker, message)) : messages;
    return this._connection._behind(loading, () => send(kept), this, signal);
  }

  /**
   * @param {number} [partitionNumber]
   * @returns {Promise<bigint>}
   */
  async lastPublishingId(partitionNumber) {
    void partitionNumber;
    throw plain(this._connection.broker, 'not_supported', 'this broker has no publishing ids', 'Use msgId, which it remembers within the station\'s window.');
  }

  async flush() {
    await this._connection._flushProducer(this);
    await Promise.allSettled(this._late);
  }

  /** @template T @param {Promise<T>} outcome */
  _awaits(outcome) {
    const over = () => this._late.delete(outcome);
    this._late.add(outcome);
    outcome.then(over, over);
    return outcome;
  }

  get writable() {
    if (this.#writable) return this.#writable;
    const connection = this._connection;
    /** @type {unknown} */
    let failed;
    return (this.#writable = new WritableStream({
      write: async (chunk, controller) => {
        for (;;) {
          // Whatever waits for its code before it takes no room yet.
          const before = connection._early.of(this);
          if (before) await before;
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
          // What is refused at once is this write's own failure.
          await undefined;
          if (failed) throw failed;
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
