// Promises that wait for the wasm: those that a row of the table ends, and those of its async functions.

import { deferred } from './calls.js';

/** @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void, signal: AbortSignal | undefined, abort: (() => void) | undefined }} Operation */

export class Operations {
  /** By the number that Rust gave. @type {Map<number, Operation>} */ #open = new Map();
  /** Of async functions, what makes them fail. @type {Set<(error: unknown) => void>} */ #cold = new Set();

  /**
   * The promise of an operation that a row of the table ends.
   * @param {number} op
   * @param {AbortSignal} [signal]
   * @param {() => void} [abort]
   * @returns {Promise<any>}
   */
  begin(op, signal, abort) {
    const { promise, resolve, reject } = deferred();
    this.#open.set(op, { resolve, reject, signal, abort });
    if (signal && abort) signal.addEventListener('abort', abort, { once: true });
    return promise;
  }

  /** It has ended. @param {number} op */
  take(op) {
    const operation = this.#open.get(op);
    this.#open.delete(op);
    if (operation?.signal && operation.abort) operation.signal.removeEventListener('abort', operation.abort);
    return operation;
  }

  /**
   * The outcome of something that the end of the connection, or a signal, does not wait for.
   * @template T
   * @param {Promise<T>} running
   * @param {(error: unknown) => unknown} shown what the caller sees of an error
   * @param {AbortSignal} [signal]
   * @param {(signal: AbortSignal) => unknown} [aborted] the error of an aborted signal
   * @returns {Promise<T>}
   */
  awaited(running, shown, signal, aborted) {
    return new Promise((resolve, reject) => {
      const abort = () => fail(aborted?.(/** @type {AbortSignal} */ (signal)));
      const leave = () => {
        this.#cold.delete(fail);
        signal?.removeEventListener('abort', abort);
      };
      const fail = (/** @type {unknown} */ error) => {
        leave();
        reject(error);
      };
      this.#cold.add(fail);
      signal?.addEventListener('abort', abort, { once: true });
      running.then(
        (value) => {
          leave();
          resolve(value);
        },
        (error) => fail(shown(error)),
      );
    });
  }

  /** Nothing is left behind. @param {unknown} error */
  rejectAll(error) {
    for (const op of [...this.#open.keys()]) this.take(op)?.reject(error);
    for (const fail of [...this.#cold]) fail(error);
  }
}
