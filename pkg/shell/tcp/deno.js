// Raw TCP and TLS in Deno.

import { RawSocket, failure, place } from '../raw.js';

const { Deno } = /** @type {any} */ (globalThis);

/** @param {string} url @param {string} name @param {boolean} encrypted */
export function open(url, name, encrypted) {
  return new DenoSocket(url, name, encrypted);
}

class DenoSocket extends RawSocket {
  /** @type {any} */ #conn;
  /** Ends a dial that nobody waits for any more. */
  #dialing = new AbortController();
  #name;
  #encrypting = false;
  #reading = false;
  /** Written and not yet taken by the socket. @type {Uint8Array[]} */ #queue = [];
  #writing = false;

  /** @param {string} url @param {string} name @param {boolean} encrypted */
  constructor(url, name, encrypted) {
    super();
    const { hostname, port } = place(url);
    this.#name = name || hostname;
    void this.#dial(hostname, port, encrypted);
  }

  /** @param {string} hostname @param {number} port @param {boolean} encrypted */
  async #dial(hostname, port, encrypted) {
    try {
      this.#conn = await Deno.connect({ hostname, port, signal: this.#dialing.signal });
    } catch (error) {
      return this._gone(failure(error));
    }
    try {
      if (this.readyState === 3) return this.#conn.close();
      this.#conn.setNoDelay(true);
      if (encrypted) await this.encrypt();
      this._opened();
      await this.#read();
    } catch (error) {
      this._gone(error);
    }
  }

  async _encrypt() {
    this.#encrypting = true;
    this.#conn = await Deno.startTls(this.#conn, { hostname: this.#name });
    await this.#conn.handshake();
    this.#encrypting = false;
    if (this.readyState === 1 && !this.#reading) void this.#read();
  }

  async #read() {
    this.#reading = true;
    try {
      const buffer = new Uint8Array(64 * 1024);
      while (this.readyState === 1 && !this.#encrypting) {
        const length = await this.#conn.read(buffer);
        if (length === null) return this._gone(undefined);
        this.onmessage?.({ data: buffer.subarray(0, length) });
      }
    } catch (error) {
      this._gone(error);
    } finally {
      this.#reading = false;
    }
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    this.#queue.push(bytes);
    if (!this.#writing) void this.#write();
  }

  async #write() {
    this.#writing = true;
    try {
      for (let bytes = this.#queue.shift(); bytes; bytes = this.#queue.shift()) {
        for (let at = 0; at < bytes.length; ) at += await this.#conn.write(bytes.subarray(at));
      }
    } catch (error) {
      this._gone(error);
    } finally {
      this.#writing = false;
      if (this.readyState === 3) this.#close();
    }
  }

  #close() {
    try {
      this.#conn?.close();
    } catch {
      // Closed by the other side, or taken by a handshake that failed.
    }
  }

  /** @param {boolean} politely */
  _release(politely) {
    this.#dialing.abort();
    if (!politely || !this.#writing) this.#close();
  }
}
