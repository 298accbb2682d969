// A connection's consumers: made, kept behind fetch and consume, and given what the table of a turn has for them.

import { Consumer } from './consumer.js';
import { Judge } from './judge.js';
import { Message } from './message.js';

/** @import { Connection } from './connection.js' */
/** @import * as Api from '../index.js' */

export class Consuming {
  /** @type {Map<number, Consumer>} */ #consumers = new Map();
  /** Kept behind fetch and consume, by station and name. @type {Map<string, Consumer>} */ #kept = new Map();
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  // ---- public -------------------------------------------------------------------------------------------------------

  /** @param {string} station @param {Api.ConsumerOptions & Api.FetchOptions} [options] */
  fetch(station, options) {
    return this.#keep(station, options, 1)._fetch(options, true);
  }

  /**
   * @param {string} station
   * @param {Api.ConsumerOptions & Api.ConsumeOptions} [options]
   * @param {Api.MessageHandler} [handler]
   */
  async consume(station, options, handler) {
    const consumer = this.#keep(station, options, 2);
    if (handler) consumer._consume(handler, options, true).catch((error) => this.#connection._log('error', 'handler_failed', { station, error }));
    else consumer._start(options, false, true);
    try {
      await this.#opened(consumer);
    } catch (error) {
      // One that is there but cannot be started so may be started otherwise.
      void consumer.stop();
      throw error;
    }
    return consumer;
  }

  /** @param {string} station @param {Api.ConsumerOptions} [options] */
  async consumer(station, options) {
    const consumer = this.#open(station, options, 0);
    await this.#opened(consumer);
    return consumer;
  }

  /**
   * @param {string} station
   * @param {any} options
   * @param {number} among
   */
  #open(station, options, among) {
    const connection = this.#connection;
    const id = connection._do((engine) => engine.openConsumer(connection._name(station), options, among));
    if (id < 0) throw connection._failure();
    const [name, group, auto] = connection._do((engine) => engine.text()).split('\n');
    connection._calls.scratch.forget();
    const consumer = new Consumer(connection, this, id, station, name, group, auto === '1');
    const predicate = options?.filter?.predicate;
    if (predicate !== undefined) consumer._judge = new Judge(consumer, predicate);
    this.#consumers.set(id, consumer);
    return consumer;
  }

  /**
   * @param {string} station
   * @param {any} options
   * @param {number} among
   */
  #keep(station, options, among) {
    const key = this.#connection._key(station, options?.consumerName, options?.consumerGroup);
    let consumer = this.#kept.get(key);
    if (!consumer) {
      consumer = this.#open(station, options, among);
      this.#kept.set(key, consumer);
    }
    return consumer;
  }

  /** @param {Consumer} consumer */
  #opened(consumer) {
    return this.#connection._operation(this.#connection._do((engine) => engine.whenConsumer(consumer._id)));
  }

  // ---- for consumers ------------------------------------------------------------------------------------------------

  /**
   * @param {number} id
   * @param {any} options
   * @param {boolean} among
   * @param {AbortSignal | undefined} signal
   */
  begin(id, options, among, signal) {
    const connection = this.#connection;
    const op = connection._do((engine) => engine.fetch(id, options, among));
    if (op < 0) throw connection._failure();
    return connection._operation(op, signal, signal && (() => connection._do((engine) => engine.abortFetch(id, op))));
  }

  /**
   * @param {number} id
   * @param {any} options
   * @param {boolean} handler
   * @param {boolean} among
   */
  start(id, options, handler, among) {
    if (this.#connection._do((engine) => engine.consume(id, options, handler, among)) < 0) throw this.#connection._failure();
  }

  /** @param {number} id @returns {number} */
  take(id) {
    return this.#connection._do((engine) => engine.take(id));
  }

  /** @param {number} id */
  handled(id) {
    if (!this.#connection._isOver) this.#connection._do((engine) => engine.handled(id));
  }

  /** @param {number} id */
  stop(id) {
    if (!this.#connection._isOver) this.#connection._do((engine) => engine.stop(id));
  }

  /**
   * @param {number} id
   * @param {boolean} destroys
   * @returns {Promise<void>}
   */
  async leave(id, destroys) {
    const connection = this.#connection;
    if (!connection._isOver && !connection._isClosing) await connection._operation(connection._do((engine) => engine.leave(id, destroys)));
  }

  /**
   * @param {number} id
   * @param {number} partition
   * @param {Uint8Array} token
   * @param {string} reason
   * @param {number} what
   * @param {number} span
   * @param {number} low
   * @param {number} high
   * @param {number} deliveries
   * @param {boolean} confirm
   * @returns {number} 0 when done, -2 when the message dies, else the operation
   */
  settle(id, partition, token, reason, what, span, low, high, deliveries, confirm) {
    const connection = this.#connection;
    connection._check();
    try {
      const length = connection._calls.scratch.token(token, reason);
      const op = connection._engine.settle(id, partition, token.length, length, what, span, low, high, deliveries, confirm);
      if (op === -1) throw connection._failure();
      return op;
    } catch (error) {
      throw connection._error(error);
    }
  }

  /** @param {Consumer} consumer */
  forget(consumer) {
    this.#consumers.delete(consumer._id);
    for (const [key, kept] of this.#kept) if (kept === consumer) this.#kept.delete(key);
  }

  // ---- from the table -----------------------------------------------------------------------------------------------

  /**
   * @param {number} id
   * @param {number} number
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {Uint32Array} words
   * @param {number} row
   */
  arrived(id, number, bytes, words, row) {
    const consumer = this.#consumers.get(id);
    if (consumer) consumer._arrived(number, new Message(consumer, bytes, words, row));
  }

  /** @param {number} id @param {number} number */
  dropped(id, number) {
    const consumer = this.#consumers.get(id);
    if (!consumer) return;
    consumer._pull(number);
    this.#connection._log('debug', 'given_back', { station: consumer.station, group: consumer.group });
  }

  /** @param {number} id @param {Uint32Array} numbers */
  pull(id, numbers) {
    const consumer = this.#consumers.get(id);
    return Array.from(numbers, (number) => /** @type {Message} */ (consumer?._pull(number)));
  }

  /** @param {number} id @param {Uint32Array} numbers @param {unknown} error */
  batch(id, numbers, error) {
    this.#consumers.get(id)?._batch(this.pull(id, numbers), error);
  }

  /** @param {number} id */
  ready(id) {
    this.#consumers.get(id)?._ready();
  }

  /** @param {number} id @param {unknown} error */
  ended(id, error) {
    const consumer = this.#consumers.get(id);
    if (!consumer) return;
    this.forget(consumer);
    consumer._ended(error);
  }

  // ---- the connection -----------------------------------------------------------------------------------------------

  /** It closes. */
  stopAll() {
    for (const consumer of this.#consumers.values()) consumer.stop();
  }

  /** Those of a station. @param {string} station */
  of(station) {
    return [...this.#consumers.values()].filter((consumer) => consumer.station === station);
  }

  /** It is over. @param {unknown} error undefined after close() */
  endAll(error) {
    for (const consumer of [...this.#consumers.values()]) consumer._ended(error);
  }
}
