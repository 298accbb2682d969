// A consumer's promises, its messages and its iterator. When and what is handed over is decided in Rust.

import { own, plain } from './first.js';
import { readable } from './readable.js';

/** @import { Connection } from './connection.js' */
/** @import { Consuming } from './consuming.js' */
/** @import { Message } from './message.js' */
/** @import { ConsumeOptions, FetchOptions, MessageHandler } from '../index.js' */

export class Consumer {
  /** Messages that Rust holds, in their order. @type {Message[]} */ #held = [];
  /** Their numbers. @type {number[]} */ #numbers = [];
  #head = 0;
  #context = /** @type {unknown} */ (undefined);
  /** @type {MessageHandler | undefined} */ #handler;
  /** How the present run ends. @type {{ resolve: () => void, reject: (error: unknown) => void } | undefined} */ #run;
  /** The handler's promise has not settled. */
  #busy = false;
  /** @type {{ failed: boolean, error?: unknown } | undefined} */ #ending;
  /** Readers of the iterator that wait. @type {{ resolve: (result: IteratorResult<Message, undefined>) => void, reject: (error: unknown) => void }[]} */ #readers = [];
  #iterating = false;
  #started = false;
  #ended = /** @type {unknown} */ (undefined);
  #over = false;
  /** @type {Promise<unknown>} */ #closed = new Promise(() => {});
  /** @type {((value: unknown) => void) | undefined} */ #close;
  /** @type {ReadableStream<Message> | undefined} */ #readable;
  /** @type {(() => void) | undefined} */ #unlisten;
  /** @type {Promise<void> | undefined} */ #destroyed;

  /**
   * @param {Connection} connection
   * @param {Consuming} consuming
   * @param {number} id
   * @param {string} station
   * @param {string} name
   * @param {string} group
   * @param {boolean} autoAck
   */
  constructor(connection, consuming, id, station, name, group, autoAck) {
    this._connection = connection;
    this._consuming = consuming;
    this._id = id;
    this._autoAck = autoAck;
    /** What its messages are decoded by, if the station has a schema. @type {import('./schema.js').Bound | undefined} */
    this._schema = undefined;
    /** The application's predicate, if it has one. @type {import('./judge.js').Judge | undefined} */
    this._judge = undefined;
    this.station = station;
    this.name = name;
    this.group = group;
    this.#reopen();
  }

  #reopen() {
    if (this.#close) return;
    this.#closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  // ---- from the table -----------------------------------------------------------------------------------------------

  /**
   * @param {number} number
   * @param {Message} message
   */
  _arrived(number, message) {
    this.#held.push(message);
    this.#numbers.push(number);
    if (this._judge !== undefined) this._judge.add(number, message);
  }

  /**
   * The held message of this number, taken out.
   * @param {number} number
   */
  _pull(number) {
    let at = this.#head;
    if (this.#numbers[at] !== number) at = this.#numbers.indexOf(number, at);
    const message = /** @type {Message} */ (this.#held[at]);
    if (at === this.#head) {
      this.#held[at] = /** @type {any} */ (undefined);
      this.#head++;
      if (this.#head === this.#held.length) {
        this.#held = [];
        this.#numbers = [];
        this.#head = 0;
      } else if (this.#head > 4096) {
        this.#held.splice(0, this.#head);
        this.#numbers.splice(0, this.#head);
        this.#head = 0;
      }
    } else {
      this.#held.splice(at, 1);
      this.#numbers.splice(at, 1);
    }
    return message;
  }

  /** The iterator's next message may be there. */
  _ready() {
    while (this.#readers.length > 0) {
      const number = this._consuming.take(this._id);
      if (number === 0) return;
      this.#readers.shift()?.resolve({ value: this._pull(number), done: false });
    }
  }

  /**
   * The handler's next call.
   * @param {Message[]} messages
   * @param {unknown} error
   */
  _batch(messages, error) {
    const handler = this.#handler;
    if (!handler) return;
    this.#busy = true;
    // User code never runs while the table is being read.
    Promise.resolve()
      .then(() => handler(/** @type {any} */ (messages), /** @type {any} */ (error), this.#context))
      .then(
        () => {
          this.#busy = false;
          if (this.#ending) this.#finish();
          else if (!this.#over) this._consuming.handled(this._id);
        },
        (thrown) => {
          this.#busy = false;
          this.#ending = { failed: true, error: thrown };
          this._consuming.stop(this._id);
          this.#finish();
        },
      );
  }

  /**
   * It has ended by itself, or with its connection.
   * @param {unknown} error undefined after close()
   */
  _ended(error) {
    if (this.#over) return;
    this.#over = true;
    this.#ended = error;
    this.#held = [];
    this.#numbers = [];
    this.#head = 0;
    this.#end(error === undefined ? { failed: false } : { failed: true, error });
  }

  // ---- ends ---------------------------------------------------------------------------------------------------------

  /** @param {{ failed: boolean, error?: unknown }} ending */
  #end(ending) {
    this.#ending ??= ending;
    if (!this.#busy) this.#finish();
  }

  /** The run is over, and the last call of the handler with it. */
  #finish() {
    const ending = this.#ending ?? { failed: false };
    const run = this.#run;
    const readers = this.#readers;
    this.#ending = this.#run = this.#handler = undefined;
    this.#readers = [];
    this.#iterating = this.#started = false;
    this.#unlisten?.();
    this.#unlisten = undefined;
    for (const reader of readers) {
      if (ending.failed) reader.reject(ending.error);
      else reader.resolve({ value: undefined, done: true });
    }
    if (ending.failed) run?.reject(ending.error);
    else run?.resolve();
    this.#close?.(ending.error);
    this.#close = undefined;
  }

  /** @param {AbortSignal | undefined} signal */
  #listen(signal) {
    if (!signal) return;
    const abort = () => {
      this.#ending = { failed: true, error: this._connection._aborted(signal) };
      if (!this.#over) this._consuming.stop(this._id);
      this.#end(this.#ending);
    };
    signal.addEventListener('abort', abort, { once: true });
    this.#unlisten = () => signal.removeEventListener('abort', abort);
  }

  #check() {
    this._connection._check();
    if (this.#over) throw this.#ended ?? plain(this._connection.broker, 'closed', 'the consumer has been closed');
  }

  // ---- public -------------------------------------------------------------------------------------------------------

  /** @param {FetchOptions} [options] */
  fetch(options) {
    return this._fetch(options, false);
  }

  /**
   * @param {FetchOptions | undefined} options
   * @param {boolean} among consumer options stand among them
   * @returns {Promise<Message[]>}
   */
  _fetch(options, among) {
    try {
      this.#check();
      if (!among) options = own(options, this._connection.broker);
      const signal = this._connection._signal(options?.signal);
      return this._consuming.begin(this._id, options, among, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * @param {MessageHandler} handler
   * @param {ConsumeOptions} [options]
   */
  consume(handler, options) {
    return this._consume(handler, options, false);
  }

  /**
   * @param {MessageHandler} handler
   * @param {ConsumeOptions | undefined} options
   * @param {boolean} among
   * @returns {Promise<void>}
   */
  async _consume(handler, options, among) {
    if (typeof handler !== 'function') throw plain(this._connection.broker, 'invalid_argument', 'the handler is not a function');
    this._start(options, true, among);
    this.#handler = handler;
    /** @type {Promise<void>} */
    const ended = new Promise((resolve, reject) => {
      this.#run = { resolve, reject };
    });
    return ended;
  }

  /**
   * @param {ConsumeOptions | undefined} options
   * @param {boolean} handler
   * @param {boolean} among
   */
  _start(options, handler, among) {
    this.#check();
    if (this.#busy) throw plain(this._connection.broker, 'invalid_argument', 'the consumer is in use', 'Its handler has not returned yet.');
    if (!among) options = own(options, this._connection.broker);
    const signal = this._connection._signal(options?.signal);
    this._consuming.start(this._id, options, handler, among);
    this.#started = true;
    this.#ending = undefined;
    this.#reopen();
    this.#listen(signal);
  }

  /** @param {unknown} context */
  setContext(context) {
    this.#context = context;
  }

  /**
   * @param {number} [partitionNumber]
   * @returns {Promise<bigint | undefined>}
   */
  async position(partitionNumber) {
    this.#check();
    if (partitionNumber != null && typeof partitionNumber !== 'number') throw plain(this._connection.broker, 'invalid_argument', 'partitionNumber is not a number');
    return this._connection._cold((engine) => engine.position(this._id, partitionNumber));
  }

  /**
   * @param {number | bigint} sequence
   * @param {number} [partitionNumber]
   * @returns {Promise<void>}
   */
  async storePosition(sequence, partitionNumber) {
    void [sequence, partitionNumber];
    throw plain(this._connection.broker, 'not_supported', 'this broker keeps positions by itself', 'Ack messages, or use autoAck.');
  }

  async stop() {
    if (this.#over) return;
    this._consuming.stop(this._id);
    this.#end({ failed: false });
  }

  /** @returns {AsyncIterator<Message, undefined>} */
  [Symbol.asyncIterator]() {
    let mine = false;
    let done = false;
    const begin = () => {
      if (mine) return;
      this.#check();
      if (this.#iterating || this.#handler) throw plain(this._connection.broker, 'invalid_argument', 'the consumer is in use; a second iterator cannot begin', 'Stop it first, or make another consumer.');
      if (!this.#started) this._start(undefined, false, false);
      this.#iterating = mine = true;
    };
    return {
      next: () => {
        if (done) return Promise.resolve({ value: undefined, done: true });
        try {
          begin();
          if (!this.#iterating) {
            // Stopped meanwhile.
            done = true;
            return Promise.resolve({ value: undefined, done: true });
          }
          if (this.#readers.length === 0) {
            const number = this._consuming.take(this._id);
            if (number !== 0) return Promise.resolve({ value: this._pull(number), done: false });
          }
          return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
        } catch (error) {
          done = true;
          return Promise.reject(error);
        }
      },
      return: async () => {
        const running = mine && !done && this.#iterating;
        done = true;
        if (running) await this.stop();
        return { value: undefined, done: true };
      },
    };
  }

  /** @returns {ReadableStream<Message>} */
  get readable() {
    return (this.#readable ??= readable(this[Symbol.asyncIterator](), () => { this.#readable = undefined; }));
  }

  get closed() {
    return this.#closed;
  }

  destroy() {
    return this.#leave(true);
  }

  [Symbol.asyncDispose]() {
    return this.#leave(false);
  }

  /**
   * @param {boolean} destroys
   * @returns {Promise<void>}
   */
  async #leave(destroys) {
    if (this.#over) return this.#destroyed;
    if (!destroys) {
      const nameless = this._consuming.leave(this._id, false);
      this.#end({ failed: false });
      return nameless;
    }
    this.#destroyed = this._consuming.leave(this._id, true);
    this.#destroyed.catch(() => {});
    this._consuming.forget(this);
    this._ended(undefined);
    return this.#destroyed;
  }
}
