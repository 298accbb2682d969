// Live messages, questions and answers: from a payload to the wasm, and from a row of the table to whom it concerns.
// Loaded when first used. What is held, lost, asked and answered is decided in Rust; the rows are those of src/face/live.rs.

import { BrokerError, encoder, own, plain } from './first.js';
import { IncomingRequest, LiveMessage, Reply } from './sound.js';
import { Responder, Subscription } from './listen.js';

/** @import { Connection } from './connection.js' */
/** @import * as Api from '../index.js' */

const NONE = 0xffffffff;
const FULL = -2;
const DONE = Promise.resolve();
const MESSAGE_WORDS = 10;

/** Options that travel as they are, and their types; any other takes the slow path, where Rust makes the error. */
const PUBLISH = new Map([['headers', 'object'], ['id', 'string'], ['metadata', 'string'], ['signal', 'object']]);
const REQUEST = new Map([...PUBLISH, ['timeoutMs', 'number']]);

export class Live {
  /** By the number that Rust gave. @type {Map<number, Subscription | Responder>} */ #ears = new Map();
  /** Numbers of channels that are sent to. @type {Map<string, number>} */ #channels = new Map();
  /** The one that was published to last: the next is mostly the same. @type {string | symbol} */ #last = Symbol();
  #lastNumber = 0;
  /** Whoever publishes more than has been confirmed waits here, together. @type {Promise<void> | undefined} */ #room;
  #endWait = () => {};
  /** Where messages may be laid down, at which address. */ #tray = new Uint8Array(0);
  #numbers = new DataView(this.#tray.buffer);
  #at = 0;
  #size = 0;
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  // ---- sending ------------------------------------------------------------------------------------------------------

  /**
   * @param {string} channel
   * @param {Api.Payload} message
   * @param {Api.PublishOptions} [options]
   * @returns {Promise<void>}
   */
  publish(channel, message, options) {
    const connection = this.#connection;
    try {
      connection._check();
      const number = channel === this.#last ? this.#lastNumber : this.#number(channel);
      if (options == null && this.#lay(number, message)) return this.#numbers.getUint32(8, true) === 0 ? DONE : this.#room ?? this.#wait();
      const length = connection._calls.scratch.payload(message);
      let texts = 0;
      let signal;
      if (options != null) {
        options = own(options, connection.broker);
        this.#check(options, PUBLISH, false);
        signal = connection._signal(options.signal);
        texts = this.#texts(options, length) - length;
      }
      const sent = connection._engine.publish(number, length, texts);
      if (length > 1 << 20) connection._calls.scratch.trim();
      return sent === 0 ? DONE : this.#sent(sent, signal);
    } catch (error) {
      return Promise.reject(error instanceof BrokerError ? error : connection._error(error));
    }
  }

  #wait() {
    /** @type {Promise<void>} */
    const room = new Promise((resolve) => void (this.#endWait = resolve));
    this.#room = room;
    return room;
  }

  /**
   * Lay bytes or a text down for the wasm to take, where it has said that there is room for more (src/client/tray.rs).
   * @param {number} channel
   * @param {unknown} message
   */
  #lay(channel, message) {
    if (this.#tray.length === 0) this.#findTray();
    const numbers = this.#numbers;
    const at = numbers.getUint32(0, true);
    const end = numbers.getUint32(4, true);
    let length;
    if (message instanceof Uint8Array) {
      length = message.length;
      if (at + 8 + length > end) return false;
      this.#tray.set(message, at + 8);
    } else {
      if (typeof message !== 'string' || at + 8 + message.length * 3 > end) return false;
      length = encoder.encodeInto(message, this.#tray.subarray(at + 8, end)).written;
    }
    numbers.setUint32(at, channel, true);
    numbers.setUint32(at + 4, length, true);
    numbers.setUint32(0, at + 8 + length, true);
    return true;
  }

  /** The memory has grown, or nothing was published before. */
  #findTray() {
    if (this.#size === 0) [this.#at, this.#size] = this.#connection._do((engine) => engine.tray());
    this.#tray = new Uint8Array(this.#connection._instance.memory.buffer, this.#at, this.#size);
    this.#numbers = new DataView(this.#tray.buffer, this.#at, this.#size);
  }

  /**
   * The promise of something that is not simply on its way.
   * @param {number} sent
   * @param {AbortSignal} [signal]
   * @returns {Promise<void>}
   */
  #sent(sent, signal) {
    if (sent === FULL) return this.#room ?? this.#wait();
    const connection = this.#connection;
    if (sent < 0) throw connection._failure();
    return connection._operation(sent, signal, signal && (() => connection._do((engine) => engine.abortLive(sent))));
  }

  /**
   * @param {string} channel
   * @param {Api.Payload} message
   * @param {Api.RequestOptions} [options]
   * @returns {Promise<Reply>}
   */
  request(channel, message, options) {
    const connection = this.#connection;
    try {
      connection._check();
      const number = this.#number(channel);
      const length = connection._calls.scratch.payload(message);
      /** @type {number | undefined} */
      let limit;
      let texts = 0;
      let signal;
      if (options != null) {
        options = own(options, connection.broker);
        limit = this.#check(options, REQUEST, true) ?? options.timeoutMs;
        signal = connection._signal(options.signal);
        texts = this.#texts(options, length) - length;
      }
      const op = connection._engine.request(number, length, texts, limit);
      if (op < 0) throw connection._failure();
      if (length > 1 << 20) connection._calls.scratch.trim();
      return connection._operation(op, signal, signal && (() => connection._do((engine) => engine.abortLive(op))));
    } catch (error) {
      return Promise.reject(error instanceof BrokerError ? error : connection._error(error));
    }
  }

  /**
   * Answer a question; nothing comes back where it is simply on its way.
   * @param {IncomingRequest} request
   * @param {Api.Payload | undefined} message
   * @returns {Promise<void> | undefined}
   */
  _reply(request, message) {
    const { scratch } = this.#connection._calls;
    const to = request._to;
    if (to === '') return undefined;
    const answer = own(request.answer, this.broker) ?? {};
    const length = scratch.payload(message ?? '');
    let end = scratch.tagged(5, to, length);
    this.#check({ headers: answer.headers, metadata: answer.metadata }, PUBLISH, false);
    end = this.#texts({ headers: answer.headers, metadata: answer.metadata }, length, end);
    if (answer.error !== undefined || answer.executed === false) end = scratch.tagged(answer.executed === true ? 8 : 7, String(answer.error ?? ''), end);
    const sent = this.#connection._do((engine) => engine.reply(length, end - length));
    return sent === 0 ? undefined : this.#sent(sent);
  }

  /**
   * Tagged texts after a payload; where they end.
   * @param {{ headers?: Record<string, string> | undefined, id?: string | undefined, metadata?: string | undefined }} options
   * @param {number} length
   * @param {number} [end]
   */
  #texts({ headers, id, metadata }, length, end = length) {
    const { scratch } = this.#connection._calls;
    if (id != null) end = scratch.tagged(1, id, end);
    if (metadata != null) end = scratch.tagged(6, metadata, end);
    if (headers != null) for (const name of Object.keys(headers)) end = scratch.tagged(4, /** @type {string} */ (headers[name]), scratch.tagged(3, name, end));
    return end;
  }

  /**
   * Options that the fast path does not take as they are: Rust makes the error, or says how long an answer is waited for.
   * @param {any} options
   * @param {Map<string, string>} known
   * @param {boolean} asks
   * @returns {number | undefined}
   */
  #check(options, known, asks) {
    let slow = typeof options !== 'object' || options === null || Array.isArray(options);
    if (!slow) {
      for (const name in options) slow ||= options[name] !== undefined && typeof options[name] !== known.get(name);
      const { headers } = options;
      slow ||= headers === null || Array.isArray(headers) || headers !== undefined && Object.keys(headers).some((name) => typeof headers[name] !== 'string');
    }
    if (!slow) return undefined;
    const limit = this.#connection._do((engine) => engine.checkLive(options, asks));
    if (limit < 0) throw this.#connection._failure();
    return limit;
  }

  /** @param {unknown} channel @returns {string} */
  #name(channel) {
    if (typeof channel !== 'string') throw plain(this.#connection.broker, 'invalid_argument', 'the channel is not a string');
    return channel;
  }

  /** A number for a channel. @param {string} channel @returns {number} */
  #number(channel) {
    const number = this.#channels.get(channel) ?? this.#fresh(channel);
    this.#last = channel;
    this.#lastNumber = number;
    return number;
  }

  /** A channel that Rust does not know. @param {string} channel @returns {number} */
  #fresh(channel) {
    const number = this.#connection._do((engine) => engine.liveChannel(this.#name(channel)));
    if (number < 0) throw this.#connection._failure();
    // Rust's table is bounded, and begins anew.
    if (number === 0) this.#channels.clear();
    this.#channels.set(channel, number);
    return number;
  }

  // ---- listening ----------------------------------------------------------------------------------------------------

  /**
   * @param {string} channel
   * @param {Api.SubscribeOptions} [options]
   * @param {(message: LiveMessage) => void | Promise<void>} [handler]
   */
  async subscribe(channel, options, handler) {
    this.#callable(handler, true);
    return this.#listen(channel, options, false, (id) => new Subscription(this, id, channel, handler));
  }

  /**
   * @param {string} channel
   * @param {(request: IncomingRequest) => Api.Payload | void | Promise<Api.Payload | void>} handler
   * @param {Api.RespondOptions} [options]
   */
  async respond(channel, handler, options) {
    this.#callable(handler, false);
    return this.#listen(channel, options, true, (id) => new Responder(this, id, channel, handler));
  }

  /** @param {unknown} handler @param {boolean} optional */
  #callable(handler, optional) {
    this.#connection._check();
    if (typeof handler !== 'function' && !(optional && handler === undefined)) throw plain(this.#connection.broker, 'invalid_argument', 'the handler is not a function');
  }

  /**
   * @template {Subscription | Responder} E
   * @param {string} channel
   * @param {{ signal?: AbortSignal | undefined } | undefined} options
   * @param {boolean} answers
   * @param {(id: number) => E} make
   * @returns {Promise<E>}
   */
  async #listen(channel, options, answers, make) {
    const connection = this.#connection;
    options = own(options, connection.broker);
    const signal = connection._signal(options?.signal);
    const id = connection._do((engine) => engine.listen(this.#name(channel), options, answers));
    if (id < 0) throw connection._failure();
    const ear = make(id);
    this.#ears.set(id, ear);
    ear._listen(signal);
    try {
      await connection._operation(connection._do((engine) => engine.whenListening(id)));
    } catch (error) {
      this._forget(id);
      ear._ended(undefined);
      throw signal?.aborted ? connection._aborted(signal) : error;
    }
    return ear;
  }

  get broker() {
    return this.#connection.broker;
  }

  /** @param {number} id @returns {boolean} */
  _take(id) {
    return this.#connection._do((engine) => engine.takeLive(id));
  }

  /** @param {number} id */
  _answered(id) {
    if (this.#ears.has(id)) this.#connection._do((engine) => engine.answered(id));
  }

  /** @param {number} id */
  _stop(id) {
    if (this.#ears.has(id)) this.#connection._do((engine) => engine.listenNoMore(id));
  }

  /** @param {number} id */
  _forget(id) {
    this.#ears.delete(id);
  }

  /** @param {string} event @param {Record<string, unknown>} detail */
  _log(event, detail) {
    this.#connection._log('warn', event, detail);
  }

  // ---- the table ----------------------------------------------------------------------------------------------------

  /**
   * A row; how many words it has.
   * @param {Uint32Array} words
   * @param {number} i
   * @param {Uint8Array<ArrayBuffer> | undefined} chunk
   * @param {Uint8Array<ArrayBuffer> | undefined} own
   */
  row(words, i, chunk, own) {
    const first = /** @type {number} */ (words[i]);
    const whose = /** @type {number} */ (words[i + 1]);
    const bytes = /** @type {Uint8Array<ArrayBuffer>} */ ((first >> 8) & 1 ? own : chunk);
    switch (first & 255) {
      case 32:
        this.#ears.get(whose)?._arrived(this.#connection, bytes, words, i);
        return MESSAGE_WORDS;
      case 33:
        this.#connection._resolve(whose, new Reply(this.#connection, bytes, words, i));
        return MESSAGE_WORDS;
      case 34:
        this.#ears.get(whose)?._dropped(/** @type {number} */ (words[i + 2]), /** @type {number} */ (words[i + 3]));
        return 4;
      case 35:
        this.#ears.get(whose)?._ready();
        return 2;
      case 36: {
        const error = /** @type {number} */ (words[i + 2]);
        const ear = this.#ears.get(whose);
        this._forget(whose);
        ear?._ended(error === NONE ? undefined : this.#connection._turnError(error));
        return 3;
      }
      case 37:
        this.#roomy();
        return 1;
      default:
        return 0;
    }
  }

  #roomy() {
    this.#endWait();
    this.#room = undefined;
  }

  /** The application closes the connection: nothing is handed over any more. */
  close() {
    for (const [id, ear] of this.#ears) {
      if (ear instanceof Subscription) this._forget(id);
      ear._ended(undefined);
    }
  }

  /** The connection is over. @param {unknown} reason undefined after close() */
  over(reason) {
    const ears = [...this.#ears.values()];
    this.#ears.clear();
    for (const ear of ears) ear._ended(reason);
    this.#roomy();
  }
}
