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
    const given = bytesOrText(this.connection.broker, message);
    return typeof given === 'string' ? this.#text(given, 0) : this.#raw(given);
  }

  /**
   * Write a payload behind its length after `offset` bytes; the new offset comes back.
   * @param {unknown} message
   * @param {number} offset
   */
  framed(message, offset) {
    const at = offset + 4;
    const given = bytesOrText(this.connection.broker, message);
    let length;
    if (typeof given === 'string') length = this.#text(given, at);
    else {
      const start = this.#keep(at, given.length) + at;
      this.connection._instance.view().set(given, start);
      length = given.length;
    }
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

/** @param {BrokerKind} broker @param {unknown} message @returns {Uint8Array | string} */
function bytesOrText(broker, message) {
  return typeof message === 'string' ? message : bytesOf(broker, message) ?? json(broker, message);
}

/**
 * A payload's bytes, if it has some. Those of a buffer that was handed on are gone: it is empty now, and not meant to be.
 * @param {BrokerKind} broker
 * @param {unknown} message
 * @returns {Uint8Array | undefined}
 */
export function bytesOf(broker, message) {
  try {
    if (message instanceof Uint8Array && message.length > 0) return message;
    if (message instanceof ArrayBuffer) return new Uint8Array(message);
    if (ArrayBuffer.isView(message)) return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
  } catch (error) {
    throw because(wrongFor(broker)(`what does not give its bytes (${said(error)})`), error);
  }
  return undefined;
}

/**
 * An object as JSON. What its own code throws meanwhile is its fault, and no defect of the package.
 * @param {BrokerKind} broker
 * @param {unknown} message
 */
function json(broker, message) {
  checkObject(message, broker);
  let text;
  try {
    text = JSON.stringify(message);
  } catch (error) {
    throw because(wrongFor(broker)(`an object that JSON cannot hold (${said(error)})`), error);
  }
  if (text === undefined) throw wrongFor(broker)('an object whose JSON is undefined');
  return text;
}

/** What somebody else's code threw, in words. @param {any} thrown */
export function said(thrown) {
  try {
    return String(thrown?.message ?? thrown);
  } catch {
    return 'it cannot be told what';
  }
}

/**
 * What is neither bytes nor a string has to be an object, and none of those whose JSON says nothing.
 * @param {unknown} message
 * @param {BrokerKind} broker
 */
export function checkObject(message, broker) {
  const wrong = wrongFor(broker);
  if (message === null || typeof message !== 'object') throw wrong(message === null ? 'null' : `a ${typeof message}`);
  let kind;
  try {
    kind = typeof (/** @type {any} */ (message).then) === 'function' ? 'Promise' : Object.prototype.toString.call(message).slice(8, -1);
  } catch (error) {
    throw because(wrong(`an object that does not let itself be read (${said(error)})`), error);
  }
  if (['Promise', 'Blob', 'File', 'Map', 'Set', 'WeakMap', 'WeakSet', 'SharedArrayBuffer', 'ReadableStream', 'FormData'].includes(kind)) throw wrong(`a ${kind}`);
  return message;
}

/**
 * A payload that stays as it is now, for a call that has to wait until it can be written.
 * @param {BrokerKind} broker
 * @param {unknown} message
 * @returns {any}
 */
export function snapshot(broker, message) {
  const given = bytesOrText(broker, message);
  // Not slice(): that of a Buffer is no copy.
  return typeof given === 'string' ? given : new Uint8Array(given);
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
  let copy;
  try {
    if (typeof message !== 'object' || message === null || ArrayBuffer.isView(message) || message instanceof ArrayBuffer) return undefined;
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
