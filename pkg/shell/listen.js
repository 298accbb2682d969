// Those who listen: a subscription with its list, iterator, stream or handler, and a responder with its handler. What joins
// the list, leaves it and may be taken is decided in Rust.

import { plain, said } from './first.js';
import { readable } from './readable.js';
import { IncomingRequest, LiveMessage } from './sound.js';

/** @import { Live } from './live.js' */
/** @import { Connection } from './connection.js' */
/** @import { Payload } from '../index.js' */

/** @template {LiveMessage} M */
class Ear {
  /** Messages that wait, the oldest first. @type {M[]} */ #list = [];
  #head = 0;
  /** @type {(() => void) | undefined} */ #unlisten;
  /** @type {(reason: unknown) => void} */ #close;
  /** It is over, and why. @type {{ reason: unknown } | undefined} */ _over;
  /** How many were lost, since nobody took them in time. */
  dropped = 0;

  /**
   * @param {Live} live
   * @param {number} id
   * @param {string} channel
   * @param {new (connection: Connection, bytes: Uint8Array<ArrayBuffer>, words: Uint32Array, row: number) => M} kind
   */
  constructor(live, id, channel, kind) {
    this._live = live;
    this._id = id;
    this._kind = kind;
    this.channel = channel;
    this.#close = () => {};
    /** @type {Promise<unknown>} */
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  /** The application's signal ends it. @param {AbortSignal | undefined} signal */
  _listen(signal) {
    if (!signal) return;
    const abort = () => void this.stop();
    signal.addEventListener('abort', abort, { once: true });
    this.#unlisten = () => signal.removeEventListener('abort', abort);
  }

  /**
   * @param {Connection} connection
   * @param {Uint8Array<ArrayBuffer>} bytes
   * @param {Uint32Array} words
   * @param {number} row
   */
  _arrived(connection, bytes, words, row) {
    this.#list.push(new this._kind(connection, bytes, words, row));
  }

  /** @param {number} count @param {number} sum */
  _dropped(count, sum) {
    this.dropped = sum;
    for (let i = 0; i < count; i++) this.#shift();
  }

  #shift() {
    const message = this.#list[this.#head];
    this.#list[this.#head++] = /** @type {any} */ (undefined);
    if (this.#head === this.#list.length) {
      this.#list = [];
      this.#head = 0;
    } else if (this.#head > 4096) {
      this.#list.splice(0, this.#head);
      this.#head = 0;
    }
    return message;
  }

  /** The next message, if there is one and it may be had. @returns {M | undefined} */
  _take() {
    return this._live._take(this._id) ? this.#shift() : undefined;
  }

  /** Nothing comes any more, and nothing runs: say so. */
  _close() {
    this.#list = [];
    this.#head = 0;
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#close(this._over?.reason);
  }

  async stop() {}
}

/** @extends {Ear<LiveMessage>} */
export class Subscription extends Ear {
  /** Readers of the iterator that wait. @type {{ resolve: (result: IteratorResult<LiveMessage, undefined>) => void, reject: (error: unknown) => void }[]} */ #readers = [];
  #iterating = false;
  /** The handler is at work. */
  #busy = false;
  /** @type {ReadableStream<LiveMessage> | undefined} */ #readable;
  #handler;

  /**
   * @param {Live} live
   * @param {number} id
   * @param {string} channel
   * @param {((message: LiveMessage) => void | Promise<void>) | undefined} handler
   */
  constructor(live, id, channel, handler) {
    super(live, id, channel, LiveMessage);
    this.#handler = handler;
  }

  _ready() {
    if (this.#handler) {
      // User code never runs while the table is being read.
      queueMicrotask(() => void this.#work());
      return;
    }
    while (this.#readers.length > 0) {
      const message = this._take();
      if (!message) return;
      this.#readers.shift()?.resolve({ value: message, done: false });
    }
  }

  /** One call of the handler at a time, while there is something. */
  async #work() {
    const handler = this.#handler;
    if (this.#busy || !handler) return;
    this.#busy = true;
    try {
      while (!this._over) {
        const message = this._take();
        if (!message) break;
        const running = handler(message);
        if (typeof running?.then === 'function') await running;
      }
    } catch (thrown) {
      this.#finish(thrown);
    }
    this.#busy = false;
    if (this._over) this._close();
  }

  /** It has ended. @param {unknown} reason undefined after stop or close */
  _ended(reason) {
    if (this._over) return;
    this._over = { reason };
    for (const { resolve, reject } of this.#readers.splice(0)) {
      if (reason === undefined) resolve({ value: undefined, done: true });
      else reject(reason);
    }
    if (!this.#busy) this._close();
  }

  /** @param {unknown} reason */
  #finish(reason) {
    if (this._over) return;
    this._live._stop(this._id);
    this._live._forget(this._id);
    this._ended(reason);
  }

  async stop() {
    this.#finish(undefined);
  }

  [Symbol.asyncDispose]() {
    return this.stop();
  }

  /** @returns {AsyncIterator<LiveMessage, undefined>} */
  [Symbol.asyncIterator]() {
    let mine = false;
    let done = false;
    const begin = () => {
      if (mine) return;
      if (this.#iterating || this.#handler) throw plain(this._live.broker, 'invalid_argument', 'the subscription is in use; another iterator cannot begin', 'It serves one iterator, reader or handler; subscribe again for another.');
      this.#iterating = mine = true;
    };
    return {
      next: () => {
        if (done) return Promise.resolve({ value: undefined, done: true });
        if (this._over) {
          done = true;
          return this._over.reason === undefined ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(this._over.reason);
        }
        try {
          begin();
          if (this.#readers.length === 0) {
            const message = this._take();
            if (message) return Promise.resolve({ value: message, done: false });
          }
          return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
        } catch (error) {
          done = true;
          return Promise.reject(error);
        }
      },
      return: async () => {
        if (mine && !done) await this.stop();
        done = true;
        return { value: undefined, done: true };
      },
    };
  }

  /** @returns {ReadableStream<LiveMessage>} */
  get readable() {
    return (this.#readable ??= readable(this[Symbol.asyncIterator]()));
  }
}

/** @extends {Ear<IncomingRequest>} */
export class Responder extends Ear {
  /** Handlers at work. */
  #running = 0;
  #stopped = false;
  #handler;

  /**
   * @param {Live} live
   * @param {number} id
   * @param {string} channel
   * @param {(request: IncomingRequest) => Payload | void | Promise<Payload | void>} handler
   */
  constructor(live, id, channel, handler) {
    super(live, id, channel, IncomingRequest);
    this.#handler = handler;
  }

  _ready() {
    // User code never runs while the table is being read.
    queueMicrotask(() => this.#work());
  }

  /** As many at once as Rust hands over. */
  #work() {
    while (!this._over) {
      const request = this._take();
      if (!request) return;
      this.#running++;
      this.#serve(request);
    }
  }

  /** Answers that are there at once leave together. @param {IncomingRequest} request */
  #serve(request) {
    try {
      const given = /** @type {any} */ (this.#handler(request));
      if (typeof given?.then === 'function') void this.#wait(request, given);
      else this.#answer(request, given);
    } catch (thrown) {
      this.#failed(request, thrown);
    }
  }

  /** @param {IncomingRequest} request @param {Promise<Payload | void>} given */
  async #wait(request, given) {
    try {
      this.#answer(request, /** @type {Payload | undefined} */ (await given));
    } catch (thrown) {
      this.#failed(request, thrown);
    }
    this.#work();
  }

  /** @param {IncomingRequest} request @param {Payload | undefined} message */
  #answer(request, message) {
    const sent = this._live._reply(request, message);
    if (!sent) return this.#done();
    // More is on its way than was confirmed: the next question waits as well.
    sent.then(
      () => this.#done(),
      (error) => this.#lost(error),
    ).then(() => this.#work());
  }

  /** What the handler threw, or cannot be sent, is the answer. @param {IncomingRequest} request @param {unknown} thrown */
  #failed(request, thrown) {
    const error = said(thrown);
    this._live._log('responder_failed', { channel: this.channel, error: thrown });
    request.answer = { executed: false, error };
    try {
      this.#answer(request, undefined);
    } catch (again) {
      this.#lost(again);
    }
  }

  /** @param {unknown} error */
  #lost(error) {
    this._live._log('answer_failed', { channel: this.channel, error });
    this.#done();
  }

  #done() {
    this.#running--;
    this._live._answered(this._id);
    if (this._over && this.#running === 0) this._close();
  }

  /** It has ended, or its connection has. @param {unknown} reason */
  _ended(reason) {
    if (this._over) return;
    this._over = { reason };
    if (this.#running === 0) this._close();
  }

  /** No new questions; those that have come are still answered. */
  async stop() {
    if (this._over || this.#stopped) return;
    this.#stopped = true;
    this._live._stop(this._id);
  }

  [Symbol.asyncDispose]() {
    return this.stop();
  }
}
