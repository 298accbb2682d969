// Messages: views of the bytes as they arrived. Nothing is decoded before somebody asks.

import { expiry, headers as headersOf } from './head.js';
import { copied, own, plain } from './first.js';

/** @import { Consumer } from './consumer.js' */
/** @import { MessageRecord, Payload, ProduceOptions } from '../index.js' */
/** @import * as Api from '../index.js' */

const decoder = new TextDecoder();
const NO_HEADERS = Object.freeze({});
const DONE = Promise.resolve();

export class Message {
  /** Nobody's: an engine forgets what it compiled for a class of which no object is left, and here none is after a quiet while. */
  static _kept = new Message(/** @type {any} */ (undefined), new Uint8Array(), new Uint32Array(14), 0);

  /** @type {Uint8Array<ArrayBuffer> | undefined} */ #data;
  /** @type {Readonly<Record<string, string>> | undefined} */ #headers;
  /** @type {string | undefined} */ #msgId;
  #settled = false;

  #consumer;
  #bytes;
  #words;
  #row;

  /**
   * @param {Consumer} consumer
   * @param {Uint8Array<ArrayBuffer>} bytes the chunk
   * @param {Uint32Array} words the turn's table, a copy that all its messages share
   * @param {number} row
   */
  constructor(consumer, bytes, words, row) {
    this.#consumer = consumer;
    this.#bytes = bytes;
    this.#words = words;
    this.#row = row + 3;
    this.partition = /** @type {number} */ (words[row]) >>> 16;
    this.deliveries = /** @type {number} */ (words[row + 13]);
  }

  /**
   * Head at, length, data at, length, token at, length, sequence low, high, stamp low, high.
   * @param {number} index
   */
  #word(index) {
    return /** @type {number} */ (this.#words[this.#row + index]);
  }

  /** @param {number} index */
  #span(index) {
    return this.#bytes.subarray(this.#word(index), this.#word(index) + this.#word(index + 1));
  }

  get data() {
    return (this.#data ??= this.#span(2));
  }

  get headers() {
    return this.#read();
  }

  get msgId() {
    this.#read();
    return this.#msgId;
  }

  #read() {
    if (this.#headers) return this.#headers;
    if (this.#word(1) === 0) return (this.#headers = NO_HEADERS);
    const [headers, msgId] = headersOf(this.#consumer._connection, this.#span(0));
    this.#msgId = msgId;
    return (this.#headers = headers);
  }

  get station() {
    return this.#consumer.station;
  }

  get sequence() {
    return this.#word(7) * 4294967296 + this.#word(6);
  }

  get sequenceBig() {
    return (BigInt(this.#word(7)) << 32n) | BigInt(this.#word(6));
  }

  get timestampNs() {
    return (BigInt(this.#word(9)) << 32n) | BigInt(this.#word(8));
  }

  get timestamp() {
    return new Date(Number(this.timestampNs / 1000000n));
  }

  get expiresAt() {
    return expiry(this.#consumer._connection, this.#span(0), this.timestampNs);
  }

  text() {
    return decoder.decode(this.data);
  }

  json() {
    return JSON.parse(this.text());
  }

  /** @returns {unknown} */
  decode() {
    const { _schema } = this.#consumer;
    if (_schema === undefined) throw plain(this.#consumer._connection.broker, 'not_supported', 'the station has no schema', 'Use text(), json() or data.');
    return _schema.decode(this.data);
  }

  copy() {
    return this.data.slice();
  }

  /** @returns {MessageRecord} */
  record() {
    const { headers, station, partition, sequence, timestamp, deliveries } = this;
    return { data: this.copy(), headers: { ...headers }, station, partition, sequence, timestamp, deliveries };
  }

  /** @param {{ confirm?: boolean }} [options] */
  ack(options) {
    if (options === undefined) return this.#settle(0, NaN, '', false);
    let confirm;
    try {
      confirm = confirmed(options, this.#consumer._connection.broker);
    } catch (error) {
      return this.#refused(error);
    }
    return this.#settle(0, NaN, '', confirm);
  }

  nack() {
    return this.#settle(1, NaN, '', false);
  }

  /** @param {number} ms */
  delay(ms) {
    return this.#settle(2, typeof ms === 'number' ? ms : NaN, '', false);
  }

  /** @param {string} reason */
  deadLetter(reason) {
    if (typeof reason !== 'string') return quiet(Promise.reject(plain(this.#consumer._connection.broker, 'invalid_argument', 'the reason is not a string', 'Say in a few words why the message is given up; deadLetters() tells it as detail.')));
    return this.#settle(3, NaN, reason, false);
  }

  /** @param {number} [ms] */
  inProgress(ms) {
    return this.#settle(4, ms === undefined ? NaN : typeof ms === 'number' ? ms : -1, ms === undefined ? '' : 'given', false);
  }

  /**
   * @param {string} station
   * @param {Payload} [instead]
   * @param {ProduceOptions} [options]
   * @returns {Promise<void>}
   */
  resend(station, instead, options) {
    const connection = this.#consumer._connection;
    if (this.#settled) return this.#twice();
    let given;
    try {
      given = own(options, connection.broker);
    } catch (error) {
      return this.#refused(error);
    }
    const kept = instead === undefined ? undefined : copied(connection.broker, instead);
    const sent = import('./dead.js').then(({ resend }) => resend(connection, /** @type {any} */ (this), this.#consumer.group, station, this.#span(4), kept, given));
    return this.#unless(sent.then(() => {
      this.#settled = false;
      return this.#settle(0, NaN, '', false);
    }));
  }

  #twice() {
    return quiet(Promise.reject(plain(this.#consumer._connection.broker, 'invalid_argument', 'the message is settled already', 'Call one of ack, nack, delay, deadLetter or resend, once.')));
  }

  /**
   * Settled, unless this fails.
   * @param {Promise<void>} work
   */
  #unless(work) {
    this.#settled = true;
    return quiet(
      work.catch((error) => {
        this.#settled = false;
        this.#consumer._connection._log('warn', 'settle_failed', { error });
        throw error;
      }),
    );
  }

  /**
   * @param {number} what
   * @param {number} span
   * @param {string} reason
   * @param {boolean} confirm
   * @returns {Promise<void>}
   */
  #settle(what, span, reason, confirm) {
    const consumer = this.#consumer;
    const connection = consumer._connection;
    if (this.#settled) return this.#twice();
    let op;
    try {
      op = consumer._consuming.settle(consumer._id, this.partition, this.#span(4), reason, what, span, this.#word(6), this.#word(7), this.deliveries, confirm);
    } catch (error) {
      return this.#refused(error);
    }
    if (op === -2) {
      // It dies, which takes the message itself.
      const given = what === 3 ? reason : undefined;
      return this.#unless(connection._cold((engine) => engine.bury(consumer._id, this.partition, this.#word(6), this.#word(7), this.deliveries, this.#span(4), this.#span(0), this.data, given)));
    }
    if (what !== 4 && !consumer._autoAck) this.#settled = true;
    if (op === 0) return DONE;
    const promise = connection._operation(op);
    promise.catch((error) => this.#tell(error));
    return promise;
  }

  /** Nothing has been said of the message. @param {unknown} error */
  #refused(error) {
    this.#tell(error);
    return quiet(Promise.reject(error));
  }

  /** @param {unknown} error */
  #tell(error) {
    const { station, partition, sequence } = this;
    this.#consumer._connection._log('warn', 'settle_failed', { station, partition, sequence, error });
  }
}

/**
 * The one option of ack().
 * @param {any} options
 * @param {Api.BrokerKind} broker
 * @returns {boolean}
 */
function confirmed(options, broker) {
  const given = own(options, broker) ?? {};
  if (typeof given !== 'object' || Array.isArray(given)) throw plain(broker, 'invalid_argument', 'the options are not an object');
  const { confirm, ...unknown } = given;
  for (const name in unknown) throw plain(broker, 'invalid_argument', `there is no ack option ${JSON.stringify(name)}`, 'The only one is confirm.');
  if (confirm !== undefined && typeof confirm !== 'boolean') throw plain(broker, 'invalid_argument', 'confirm is not true or false');
  return confirm === true;
}

/**
 * A promise that nobody has to await.
 * @template T
 * @param {Promise<T>} promise
 */
function quiet(promise) {
  promise.catch(() => {});
  return promise;
}
