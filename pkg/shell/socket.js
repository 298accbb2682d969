// The sockets in use, kept so that they can be closed when the wasm cannot do it any more, and how they are opened where the
// platform's WebSocket is not meant: raw TCP, or the application's own factory.

/** @import { SocketFactory } from '../index.js' */

export class SocketKeeper {
  /** @type {Set<any>} */ #live = new Set();
  /** What a callback of the application threw last: the cause of the error that follows. @type {unknown} */
  cause;

  /** @param {SocketFactory | undefined} factory */
  constructor(factory) {
    /** Is told of every socket. @param {any} socket */
    this.live = (socket) => {
      for (const old of this.#live) if (old.readyState === 3) this.#live.delete(old);
      this.#live.add(socket);
    };
    /** The application opens every socket. */
    this.own = factory !== undefined;
    this.open = async (/** @type {string} */ url, /** @type {string} */ name, /** @type {boolean} */ encrypted) => {
      try {
        if (!factory) return this.#heard(await (await tcp()).open(url, name, encrypted));
        const made = /** @type {any} */ (await factory(url));
        if (!made?.readable || !made.writable) return made;
        const { StreamSocket } = await import('./raw.js');
        return this.#heard(new StreamSocket(made, name));
      } catch (error) {
        this.cause = /** @type {any} */ (error)?.cause ?? error;
        throw error;
      }
    };
  }

  /** @param {import('./raw.js').RawSocket} socket */
  #heard(socket) {
    socket.failed = (error) => {
      this.cause = error;
    };
    return socket;
  }

  /** Close it without the wasm. */
  drop() {
    for (const socket of this.#live) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.onerror = () => {};
      socket.close();
    }
    this.#live.clear();
  }
}

/** What opens raw TCP here: package.json chooses by platform. */
async function tcp() {
  try {
    return /** @type {any} */ (await import('#tcp'));
  } catch (error) {
    // A page without a bundler knows no names, and has no raw sockets either.
    if (error instanceof TypeError) return import('./tcp/none.js');
    throw error;
  }
}
