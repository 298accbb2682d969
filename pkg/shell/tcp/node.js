// Raw TCP and TLS in Node and Bun.

import { connect, isIP } from 'node:net';
import { connect as secure } from 'node:tls';
import { RawSocket, failure, place } from '../raw.js';

/** What a socket that is closed may take for its last bytes. */
const LAST_MS = 1000;

/** @param {string} url @param {string} name @param {boolean} encrypted */
export function open(url, name, encrypted) {
  return new NodeSocket(url, name, encrypted);
}

class NodeSocket extends RawSocket {
  /** @type {any} */ #socket;
  #hostname;
  #name;
  #unlisten = () => {};

  /** @param {string} url @param {string} name @param {boolean} encrypted */
  constructor(url, name, encrypted) {
    super();
    const { hostname, port } = place(url);
    this.#hostname = hostname;
    this.#name = name;
    const socket = connect({ host: hostname, port, noDelay: true });
    this.#listen(socket);
    socket.once('connect', () => {
      if (!encrypted) return this._opened();
      this.encrypt().then(() => this._opened(), (error) => this._gone(error));
    });
  }

  /** @param {any} socket */
  #listen(socket) {
    this.#socket = socket;
    const listeners = {
      // A chunk that fills its buffer is handed on as it is.
      data: (/** @type {Uint8Array} */ chunk) => this.onmessage?.({ data: chunk.byteLength === chunk.buffer.byteLength ? chunk.buffer : chunk }),
      error: (/** @type {Error} */ error) => this._gone(this.readyState === 1 ? error : failure(error)),
      end: () => this._gone(undefined),
      close: () => this._gone(undefined),
    };
    for (const [event, listener] of Object.entries(listeners)) socket.on(event, listener);
    this.#unlisten = () => {
      for (const [event, listener] of Object.entries(listeners)) socket.off(event, listener);
    };
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    this.#socket.write(bytes);
  }

  /** @returns {Promise<void>} */
  _encrypt() {
    this.#unlisten();
    const plain = this.#socket;
    // A number is no server's name to Node; the certificate is checked against the host then.
    const servername = this.#name || (isIP(this.#hostname) ? '' : this.#hostname);
    const socket = (this.#socket = secure({ socket: plain, host: this.#hostname, servername }));
    return new Promise((resolve, reject) => {
      const failed = (/** @type {Error} */ error) => reject(error);
      const closed = () => failed(new Error('the connection was closed during the TLS handshake'));
      // These stay: an error that nobody listens to would end the process.
      plain.on('error', failed);
      socket.on('error', failed);
      socket.once('close', closed);
      socket.once('secureConnect', () => {
        socket.off('close', closed);
        this.#listen(socket);
        resolve();
      });
    });
  }

  /** @param {boolean} politely */
  _release(politely) {
    const socket = this.#socket;
    if (!politely) return socket.destroy();
    socket.end();
    // Whoever stands still at the other end must not keep this process alive.
    const timer = /** @type {any} */ (setTimeout(() => socket.destroy(), LAST_MS));
    timer.unref?.();
    socket.unref?.();
    socket.once('close', () => clearTimeout(timer));
  }
}
