// Payloads and texts into the scratch that Rust reads: bytes as they are, a string as UTF-8, anything else as JSON.

import { because, plain } from './errors.js';

/** @import { Connection } from './connection.js' */
/** @import { BrokerKind } from '../index.js' */

export const encoder = new TextEncoder();
const HINT = 'A payload is a Uint8Array, an ArrayBuffer, a string, or an object that JSON can hold.';

/** Memory of its own for what is written, in the wasm. */
export class Scratch {
  #at = 0;
  #room = 0;

  /** @param {Connection} connection */
  constructor(connection) {
    this.connection = connection;
  }

  /** Where the next bytes go; the room for them is there. @param {number} length */
  reserve(length) {
    if (length > this.#room) {
      this.#at = this.connection._engine.scratch(length);
      this.#room = length;
    }
    return this.#at;
  }

  /** The scratch was taken away; a large one is given back. */
  forget() {
    this.#room = 0;
  }

  /** After use. */
  trim() {
    if (this.#room > 1 << 20) {
      this.connection._engine.trimScratch();
      this.#room = 0;
    }
  }

  /**
   * Write a payload at the beginning; its length comes back.
   * @param {unknown} message
   */
  payload(message) {
    if (message instanceof Uint8Array) return this.#raw(message);
    if (typeof message === 'string') return this.#text(message, 0);
    if (message instanceof ArrayBuffer) return this.#raw(new Uint8Array(message));
    if (ArrayBuffer.isView(message)) return this.#raw(new Uint8Array(message.buffer, message.byteOffset, message.byteLength));
    return this.#text(json(this.connection.broker, message), 0);
  }

  /**
   * Write a payload behind its length after `offset` bytes; the new offset comes back.
   * @param {unknown} message
   * @param {number} offset
   */
  framed(message, offset) {
    const at = offset + 4;
    let length;
    if (message instanceof ArrayBuffer || ArrayBuffer.isView(message)) {
      const bytes = message instanceof Uint8Array ? message : message instanceof ArrayBuffer ? new Uint8Array(message) : new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
      const start = this.#keep(at, bytes.length) + at;
      this.connection._instance.view().set(bytes, start);
      length = bytes.length;
    } else length = this.#text(typeof message === 'string' ? message : json(this.connection.broker, message), at);
    this.words().setUint32(offset, length, true);
    return at + length;
  }

  /** What the scratch holds, for numbers. */
  words() {
    return new DataView(this.connection._instance.memory.buffer, this.#at);
  }

  /** @param {Uint8Array} bytes */
  #raw(bytes) {
    const at = this.reserve(bytes.length);
    this.connection._instance.view().set(bytes, at);
    return bytes.length;
  }

  /**
   * Write a text after `offset` bytes.
   * @param {string} text
   * @param {number} offset
   */
  #text(text, offset) {
    const at = this.#keep(offset, text.length * 3) + offset;
    return encoder.encodeInto(text, this.connection._instance.view().subarray(at, at + text.length * 3)).written;
  }

  /**
   * Room for more after what has been written already, which stays.
   * @param {number} offset
   * @param {number} more
   */
  #keep(offset, more) {
    if (offset + more <= this.#room) return this.#at;
    const old = this.connection._instance.view().slice(this.#at, this.#at + offset);
    const at = this.reserve(Math.max(offset + more, 2 * offset));
    this.connection._instance.view().set(old, at);
    return at;
  }

  /**
   * Write a tagged text after `offset` bytes; the new offset comes back.
   * @param {number} tag
   * @param {string} text
   * @param {number} offset
   */
  tagged(tag, text, offset) {
    const written = this.#text(text, offset + 5);
    const view = this.connection._instance.view();
    const at = this.#at + offset;
    view[at] = tag;
    view[at + 1] = written;
    view[at + 2] = written >> 8;
    view[at + 3] = written >> 16;
    view[at + 4] = written >> 24;
    return offset + 5 + written;
  }

  /**
   * Write bytes, then a text; the text's length comes back.
   * @param {Uint8Array} bytes
   * @param {string} text
   */
  token(bytes, text) {
    this.#raw(bytes);
    return text === '' ? 0 : this.#text(text, bytes.length);
  }
}

/** @param {BrokerKind} broker */
function wrongFor(broker) {
  return (/** @type {string} */ what) => plain(broker, 'invalid_argument', `${what} cannot be a payload`, HINT);
}

/**
 * What is neither bytes nor a string has to be an object, and none of those whose JSON says nothing.
 * @param {unknown} message
 * @param {BrokerKind} broker
 */
export function checkObject(message, broker) {
  const wrong = wrongFor(broker);
  if (message === null || typeof message !== 'object') throw wrong(message === null ? 'null' : `a ${typeof message}`);
  let kind = '';
  let thenable;
  try {
    kind = Object.prototype.toString.call(message).slice(8, -1);
    thenable = typeof (/** @type {any} */ (message).then) === 'function';
  } catch (error) {
    throw because(wrong('an object that cannot be read'), error);
  }
  if (thenable || ['Promise', 'Blob', 'File', 'Map', 'Set', 'WeakMap', 'WeakSet'].includes(kind)) throw wrong(`a ${kind}`);
  return message;
}

/**
 * An object as JSON; what is none cannot be a payload.
 * @param {BrokerKind} broker
 * @param {unknown} message
 */
function json(broker, message) {
  const wrong = wrongFor(broker);
  checkObject(message, broker);
  let text;
  try {
    text = JSON.stringify(message);
  } catch (error) {
    throw because(wrong(`an object that JSON cannot hold (${/** @type {any} */ (error)?.message})`), error);
  }
  if (text === undefined) throw wrong('an object whose JSON is undefined');
  return text;
}

/**
 * A payload that stays as it is now, for a call that has to wait until it can be written.
 * @param {BrokerKind} broker
 * @param {unknown} message
 * @returns {any}
 */
export function snapshot(broker, message) {
  if (typeof message === 'string') return message;
  if (message instanceof ArrayBuffer) return message.slice(0);
  if (ArrayBuffer.isView(message)) return new Uint8Array(message.buffer, message.byteOffset, message.byteLength).slice();
  return json(broker, message);
}

/**
 * The same, but for objects, which a schema may want in another form than JSON: they stay objects, where they can be copied. What cannot
 * be a payload stays what it is, and is refused when its turn comes.
 * @param {BrokerKind} broker
 * @param {unknown} message
 * @returns {any}
 */
export function copied(broker, message) {
  try {
    return cloned(message) ?? snapshot(broker, message);
  } catch {
    return message;
  }
}

/**
 * A copy of an object that is not bytes, with the same JSON; undefined where there is none.
 * @param {unknown} message
 * @returns {any}
 */
export function cloned(message) {
  if (typeof message !== 'object' || message === null || ArrayBuffer.isView(message) || message instanceof ArrayBuffer) return undefined;
  let copy;
  try {
    copy = structuredClone(message);
  } catch {
    return undefined;
  }
  try {
    const text = JSON.stringify(message);
    // A copy has no class, and so none of its toJSON().
    if (JSON.stringify(copy) !== text) Object.defineProperty(copy, 'toJSON', { value: () => text && JSON.parse(text) });
  } catch {
    // Only a schema may take it.
  }
  return copy;
}
