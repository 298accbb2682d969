// Live messages, questions and answers: views of the bytes as they arrived. Nothing is decoded before somebody asks.

/** @import { Connection } from './connection.js' */

const decoder = new TextDecoder();

/** @typedef {{ id: string | undefined, metadata: string | undefined, error: string | undefined, executed: boolean, headers: Readonly<Record<string, string>> }} Head */

const NO_HEAD = Object.freeze({ id: undefined, metadata: undefined, error: undefined, executed: true, headers: Object.freeze({}) });

/** What came, of either kind. */
class Sound {
  /** @type {Uint8Array<ArrayBuffer> | undefined} */ #data;
  /** @type {Head | undefined} */ #head;
  #connection;
  #bytes;
  #words;
  #row;

  /**
   * @param {Connection} connection
   * @param {Uint8Array<ArrayBuffer>} bytes the chunk
   * @param {Uint32Array} words the turn's table, a copy that all its messages share
   * @param {number} row
   */
  constructor(connection, bytes, words, row) {
    this.#connection = connection;
    this.#bytes = bytes;
    this.#words = words;
    this.#row = row + 2;
  }

  /** Channel at, length, reply at, length, head at, length, data at, length. @param {number} index */
  _span(index) {
    const at = /** @type {number} */ (this.#words[this.#row + index]);
    return this.#bytes.subarray(at, at + /** @type {number} */ (this.#words[this.#row + index + 1]));
  }

  /** @returns {Head} */
  get _head() {
    if (this.#head) return this.#head;
    const block = this._span(4);
    if (block.length === 0) return (this.#head = NO_HEAD);
    const [id, metadata, error, executed, ...list] = this.#connection._instance.glue.liveHead(this.#connection._block, block);
    /** @type {Record<string, string>} */
    const headers = {};
    for (let i = 0; i < list.length; i += 2) Object.defineProperty(headers, list[i], { value: list[i + 1], enumerable: true, configurable: true, writable: true });
    return (this.#head = { id, metadata, error, executed, headers: Object.freeze(headers) });
  }

  get data() {
    return (this.#data ??= this._span(6));
  }

  get headers() {
    return this._head.headers;
  }

  get metadata() {
    return this._head.metadata;
  }

  text() {
    return decoder.decode(this.data);
  }

  json() {
    return JSON.parse(this.text());
  }

  copy() {
    return this.data.slice();
  }
}

export class LiveMessage extends Sound {
  /** @type {string | undefined} */ #channel;

  get channel() {
    return (this.#channel ??= decoder.decode(this._span(0)));
  }

  get id() {
    return this._head.id;
  }
}

export class IncomingRequest extends LiveMessage {
  kind = /** @type {const} */ ('query');
  /** What goes along with the answer. @type {{ headers?: Record<string, string>, metadata?: string, executed?: boolean, error?: string, cacheHit?: boolean }} */ answer = {};

  /** Where the answer goes; empty if nobody waits for one. */
  get _to() {
    return decoder.decode(this._span(2));
  }
}

export class Reply extends Sound {
  cacheHit = false;

  get executed() {
    return this._head.executed;
  }

  get error() {
    return this._head.error;
  }
}
