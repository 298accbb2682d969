// What is loaded when it is first used.

/** @template T @typedef {AsyncGenerator<T, undefined>} Run */

/** @type {Promise<typeof import('./look.js')> | undefined} */
let looking;

/** The module for looking. A load that failed is tried again by the next call. */
export function look() {
  looking ??= import('./look.js');
  looking.catch(() => {
    looking = undefined;
  });
  return looking;
}

/**
 * An iterable that is made when it is first asked for something; each iteration begins anew.
 * @template T
 * @param {() => Promise<Run<T>>} load
 * @returns {AsyncIterable<T>}
 */
export function later(load) {
  return {
    [Symbol.asyncIterator]() {
      /** @type {Promise<Run<T>> | undefined} */
      let loading;
      let over = false;
      return {
        async next() {
          if (over) return { value: undefined, done: true };
          return (await (loading ??= load())).next();
        },
        async return() {
          over = true;
          await (await loading)?.return(undefined);
          return { value: undefined, done: true };
        },
      };
    },
  };
}
