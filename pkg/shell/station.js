// A station: a name, and the connection's operations with that name filled in.

import { later, look } from './first.js';

/** @import { Connection } from './connection.js' */
/** @import * as Api from '../index.js' */

export class Station {
  #connection;

  /**
   * @param {Connection} connection
   * @param {string} name
   * @param {readonly number[]} partitions
   * @param {boolean} existed
   * @param {readonly (keyof Api.StationOptions)[]} differs
   */
  constructor(connection, name, partitions, existed, differs) {
    this.#connection = connection;
    this.name = name;
    this.partitions = partitions;
    this.existed = existed;
    this.differs = differs;
  }

  /** @param {Api.ProducerOptions} [options] */
  producer(options) {
    return this.#connection.producer(this.name, options);
  }

  /** @param {Api.ConsumerOptions} [options] */
  consumer(options) {
    return this.#connection.consumer(this.name, options);
  }

  /**
   * @param {Api.Payload} message
   * @param {Api.ProduceOptions & Api.ProducerOptions} [options]
   */
  produce(message, options) {
    return this.#connection.produce(this.name, message, options);
  }

  /** @param {Api.ConsumerOptions & Api.FetchOptions} [options] */
  fetch(options) {
    return this.#connection.fetch(this.name, options);
  }

  /**
   * @param {Api.ConsumerOptions & Api.ConsumeOptions} [options]
   * @param {Api.MessageHandler} [handler]
   */
  consume(options, handler) {
    return this.#connection.consume(this.name, options, handler);
  }

  /** @returns {Promise<Api.StationInfo>} */
  info() {
    return this.#connection._cold((engine) => engine.info(this.name));
  }

  /**
   * @param {{ start?: Api.Start, partitionNumber?: number, limit?: number, signal?: AbortSignal }} [options]
   * @returns {AsyncIterable<Api.StoredMessage>}
   */
  browse(options) {
    return later(() => look((looking) => looking.browse(this.#connection, this.name, options)));
  }

  /** @returns {AsyncIterable<Api.DeadLetter>} */
  deadLetters() {
    const connection = this.#connection;
    return later(async () => {
      // Asked for first: it ends at what is the newest at the call.
      const newest = connection._cold((engine) => engine.newestLetter(this.name));
      newest.catch(() => {});
      return (await import('./dead.js')).letters(connection, this.name, await newest);
    });
  }

  /** @returns {Promise<number | undefined>} */
  purge() {
    return this.#connection._cold((engine) => engine.purgeStation(this.name));
  }

  /** @returns {Promise<void>} */
  destroy() {
    return this.#connection._cold((engine) => engine.destroy(this.name));
  }
}
