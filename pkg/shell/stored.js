// A stored message that nobody was given for work: an ordinary object with its own bytes.

import { expiry, headers as headersOf } from './head.js';
import { plain } from './first.js';

/** @import { Connection } from './connection.js' */
/** @import { MessageRecord } from '../index.js' */

const decoder = new TextDecoder();
const NO_HEADERS = Object.freeze({});

export class Stored {
  #connection;
  #head;
  #schema;
  /** @type {Readonly<Record<string, string>> | undefined} */ #headers;
  /** @type {string | undefined} */ #msgId;

  /**
   * @param {Connection} connection
   * @param {string} station
   * @param {number} partition
   * @param {bigint} sequence
   * @param {bigint} stamp
   * @param {Uint8Array<ArrayBuffer>} head
   * @param {Uint8Array<ArrayBuffer>} data
   * @param {{ decode: (bytes: Uint8Array) => unknown }} [schema]
   */
  constructor(connection, station, partition, sequence, stamp, head, data, schema) {
    this.#connection = connection;
    this.#schema = schema;
    this.#head = head;
    this.station = station;
    this.partition = partition;
    this.sequence = Number(sequence);
    this.sequenceBig = sequence;
    this.timestampNs = stamp;
    this.data = data;
  }

  get timestamp() {
    return new Date(Number(this.timestampNs / 1000000n));
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
    if (this.#head.length === 0) return (this.#headers = NO_HEADERS);
    const [headers, msgId] = headersOf(this.#connection, this.#head);
    this.#msgId = msgId;
    return (this.#headers = headers);
  }

  get expiresAt() {
    return expiry(this.#connection, this.#head, this.timestampNs);
  }

  text() {
    return decoder.decode(this.data);
  }

  json() {
    return JSON.parse(this.text());
  }

  /** @returns {unknown} */
  decode() {
    if (this.#schema) return this.#schema.decode(this.data);
    throw plain(this.#connection.broker, 'not_supported', 'the station has no schema', 'Use text(), json() or data.');
  }

  copy() {
    return this.data.slice();
  }

  /** @returns {MessageRecord} */
  record() {
    const { headers, station, partition, sequence, timestamp } = this;
    return { data: this.copy(), headers: { ...headers }, station, partition, sequence, timestamp, deliveries: 0 };
  }
}
