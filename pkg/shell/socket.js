// The socket in use, kept so that it can be closed when the wasm cannot do it any more, and the application's own factory.

/** @import { SocketFactory } from '../index.js' */

export class SocketKeeper {
  /** @type {any} */ #live;
  /** What a callback of the application threw last: the cause of the error that follows. @type {unknown} */
  cause;

  /** @param {SocketFactory | undefined} factory */
  constructor(factory) {
    /** Is told of every socket. @param {any} socket */
    this.live = (socket) => {
      this.#live = socket;
    };
    this.factory =
      factory &&
      (async (/** @type {string} */ url) => {
        try {
          return await factory(url);
        } catch (error) {
          this.cause = error;
          throw error;
        }
      });
  }

  /** Close it without the wasm. */
  drop() {
    const socket = this.#live;
    this.#live = undefined;
    if (typeof socket?.close === 'function') {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.onerror = () => {};
      socket.close();
    } else socket?.cancel?.().catch(() => {});
  }
}
