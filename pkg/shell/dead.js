// Dead letters, and messages that are sent again: loaded when somebody asks for them. What dies and where it goes is decided
// in Rust.

import { Stored } from './stored.js';
import { plain } from './first.js';

/** @import { Connection } from './connection.js' */
/** @import * as Api from '../index.js' */

/** @typedef {[number, 'deliveries' | 'rejected' | 'schema', string | undefined, string | undefined, string, number, bigint, bigint, number, string[], Uint8Array<ArrayBuffer>, number[]]} Fields */

const NO_HEAD = new Uint8Array(0);

/** A message that a group gave up on, or that failed its schema. */
class DeadLetter extends Stored {
  #connection;
  #home;
  #number;
  #deliveries;
  #headers;
  /** What lies apart from it, and goes with it. */
  #rest;

  /**
   * @param {Connection} connection
   * @param {string} home the station whose dead it lies among
   * @param {Fields} fields
   * @param {{ decode: (bytes: Uint8Array) => unknown }} [schema]
   */
  constructor(connection, home, [number, reason, detail, group, station, partition, sequence, stamp, deliveries, headers, data, rest], schema) {
    super(connection, station, partition, sequence, stamp, NO_HEAD, data, schema);
    this.#connection = connection;
    this.#home = home;
    this.#number = number;
    this.#deliveries = deliveries;
    this.#rest = rest;
    this.reason = reason;
    if (detail !== undefined) this.detail = detail;
    if (group !== undefined) this.group = group;
    /** @type {Record<string, string>} */
    const named = {};
    for (let i = 0; i + 1 < headers.length; i += 2) {
      Object.defineProperty(named, /** @type {string} */ (headers[i]), { value: headers[i + 1], enumerable: true, configurable: true, writable: true });
    }
    /** @type {Readonly<Record<string, string>>} */
    this.#headers = Object.freeze(named);
  }

  get headers() {
    return this.#headers;
  }

  record() {
    return { ...super.record(), deliveries: this.#deliveries };
  }

  /** @returns {Promise<Api.Receipt>} */
  async resend() {
    // What it has to fit now may be something else than when it died.
    (await this.#connection._schemaOf(this.#home))?.fit(this.data);
    const [partition, sequence, duplicate, msgId] = await this.#connection._cold((engine) => engine.resendLetter(this.#home, this.#number));
    return { station: this.#home, partition, sequence, duplicate, ...(msgId && { msgId }) };
  }

  /** @returns {Promise<void>} */
  async discard() {
    await this.#connection._cold((engine) => engine.discardLetter(this.#home, this.#number, this.#rest));
  }
}

/**
 * Those that are there up to the newest one.
 * @param {Connection} connection
 * @param {string} station
 * @param {number} newest
 * @returns {AsyncGenerator<Api.DeadLetter, undefined>}
 */
export async function* letters(connection, station, newest) {
  const schema = newest > 0 ? await connection._schemaOf(station) : undefined;
  for (let from = 1; from <= newest; ) {
    /** @type {Fields[]} */
    const some = await connection._cold((engine) => engine.letters(station, from, newest));
    if (some.length === 0) return;
    for (const fields of some) {
      yield /** @type {any} */ (new DeadLetter(connection, station, fields, schema));
      from = fields[0] + 1;
    }
  }
}

/**
 * Put a message, or another one instead, into a station that is there. Under an id of its place and group, so that a repeat
 * does not store it twice.
 * @param {Connection} connection
 * @param {Api.Message} message
 * @param {string} group
 * @param {string} station
 * @param {Uint8Array} token what its delivery is known by
 * @param {Api.Payload} [instead]
 * @param {Api.ProduceOptions} [options]
 */
export async function resend(connection, message, group, station, token, instead, options) {
  if (typeof station !== 'string') throw plain(connection.broker, 'invalid_argument', 'the station name is not a string');
  await connection._cold((engine) => engine.findStation(station));
  // What has no place in a partition is a dead letter that was sent again: its token stays the same, however often that happens.
  const place = message.partition === 0 ? new TextDecoder().decode(token) : `${message.partition}:${message.sequenceBig}`;
  const msgId = `re:${message.station}:${place}:${group}`;
  const headers = instead === undefined ? message.headers : {};
  // What is no set of options is refused where all are.
  const given = typeof (options ?? {}) === 'object' && !Array.isArray(options) ? { headers, msgId, ...options } : options;
  await connection.produce(station, instead === undefined ? message.data : instead, given);
}
