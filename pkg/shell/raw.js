// Raw bytes in the shape of a WebSocket, so that whoever uses a socket knows one kind only. Loaded when there is one.

import { plain } from './first.js';

/** @import { ByteStreams } from '../index.js' */

const NAMES = 'The certificate is checked against the authorities that the platform knows (Node and Bun: NODE_EXTRA_CA_CERTS adds some, Deno: DENO_CERT) and against the host of the URL; the option socket opens whatever else is wanted.';
const LISTENS = "Does the broker listen for TCP at that host and port? A page cannot reach it: that takes its WebSocket listener.";

/**
 * What went wrong, with what to do about it.
 * @param {any} error
 * @param {boolean} [encrypting]
 */
export function failure(error, encrypting = false) {
  if (error?.hint) return error;
  return Object.assign(new Error(error?.message || error?.code || String(error), { cause: error }), { hint: encrypting ? NAMES : LISTENS });
}

/** Host and port of a URL whose port is written out. @param {string} url */
export function place(url) {
  const [, hostname, port] = /** @type {RegExpMatchArray} */ (url.match(/^\w+:\/\/(?:\[(?=.*\]))?(.*?)\]?:(\d+)$/));
  return { hostname: /** @type {string} */ (hostname), port: Number(port) };
}

export class RawSocket {
  binaryType = 'arraybuffer';
  /** As a WebSocket counts: 0 opening, 1 open, 3 closed. */
  readyState = 0;
  /** @type {(() => void) | null} */ onopen = null;
  /** @type {((event: { error?: unknown, reason: string }) => void) | null} */ onclose = null;
  onerror = null;
  /** Is told what the platform threw. @type {((error: unknown) => void) | undefined} */ failed;
  /** @type {((event: { data: unknown }) => void) | null} */ #onmessage = null;

  get onmessage() {
    return this.#onmessage;
  }

  set onmessage(handler) {
    this.#onmessage = handler;
    if (handler) this._listened();
  }

  /** Somebody listens: what comes in is wanted from here on. */
  _listened() {}

  /** Let go of everything; with `politely` after what has been written. @param {boolean} politely */
  _release(politely) {
    void politely;
  }

  _opened() {
    if (this.readyState === 3) return;
    this.readyState = 1;
    this.onopen?.();
  }

  /** @param {unknown} error nothing where the other side has ended it */
  _gone(error) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this._release(false);
    if (error) this.failed?.(/** @type {any} */ (error).cause ?? error);
    this.onclose?.({ error, reason: error ? /** @type {any} */ (error).message || String(error) : 'the other side has ended it' });
  }

  /** Encrypt what is open; asked for while what came last is handled, so that no read is under way. */
  async encrypt() {
    try {
      await this._encrypt();
    } catch (error) {
      const told = failure(error, true);
      this.failed?.(told.cause ?? told);
      throw told;
    }
  }

  /** @returns {Promise<void>} */
  async _encrypt() {}

  close() {
    if (this.readyState === 3) return;
    const politely = this.readyState === 1;
    this.readyState = 3;
    this._release(politely);
  }
}

/** @typedef {ByteStreams & { startTls?: (options: { expectedServerHostname?: string }) => ByteStreams }} Upgradable */

/** A pair of byte streams. */
export class StreamSocket extends RawSocket {
  /** @type {Upgradable} */ #streams;
  /** @type {any} */ #reader;
  /** @type {any} */ #writer;
  #reading = false;
  #encrypting = false;
  #name;

  /** @param {Upgradable} streams @param {string} name that the certificate has to bear */
  constructor(streams, name) {
    super();
    this.#name = name;
    this.#streams = streams;
    this.#lock(streams);
    this.readyState = 1;
  }

  /** @param {Upgradable} streams */
  #lock(streams) {
    this.#streams = streams;
    this.#reader = streams.readable.getReader();
    this.#writer = streams.writable.getWriter();
  }

  _listened() {
    if (!this.#reading) void this.#read();
  }

  async #read() {
    this.#reading = true;
    try {
      while (this.readyState === 1 && !this.#encrypting) {
        const { value, done } = await this.#reader.read();
        if (this.readyState !== 1) return;
        if (done) return this._gone(undefined);
        this.onmessage?.({ data: value });
      }
    } catch (error) {
      this._gone(error ?? new Error('the readable side failed'));
    } finally {
      this.#reading = false;
    }
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    this.#writer.write(bytes).catch((/** @type {unknown} */ error) => this._gone(error ?? new Error('the writable side failed')));
  }

  async _encrypt() {
    const streams = this.#streams;
    if (typeof streams.startTls !== 'function') {
      throw plain('nats', 'not_supported', 'the server wants TLS, which the streams that the option socket gave cannot begin', 'Give streams that are encrypted, and say tls: in the URL.');
    }
    this.#encrypting = true;
    this.#reader.releaseLock();
    this.#writer.releaseLock();
    const secured = streams.startTls(this.#name ? { expectedServerHostname: this.#name } : {});
    this.#lock(secured);
    await /** @type {any} */ (secured).opened;
    this.#encrypting = false;
    if (!this.#reading) void this.#read();
  }

  /** @param {boolean} politely */
  _release(politely) {
    const quiet = (/** @type {() => Promise<unknown>} */ work) => {
      try {
        work().catch(() => {});
      } catch {
        // A lock that is given up already.
      }
    };
    quiet(() => this.#reader.cancel());
    quiet(() => (politely ? this.#writer.close() : this.#writer.abort()));
  }
}
