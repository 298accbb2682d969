// What is loaded when it is first used.

/** @template T @typedef {AsyncGenerator<T, undefined>} Run */

/** @typedef {typeof import('./look.js')} Looking */

/** @type {Looking | undefined} */
let there;

/** @type {Promise<Looking> | undefined} */
let looking;

/**
 * Use the module for looking: at once if it is there. A load that failed is tried again by the next call.
 * @template T
 * @param {(module: Looking) => T} use
 * @returns {Promise<T>}
 */
export async function look(use) {
  if (there) return use(there);
  looking ??= import('./look.js');
  looking.catch(() => {
    looking = undefined;
  });
  there = await looking;
  return use(there);
}

/**
 * An iterable whose first iteration begins at the call; each further one begins anew.
 * @template T
 * @param {() => Promise<Run<T>>} load
 * @returns {AsyncIterable<T>}
 */
export function later(load) {
  /** @type {Promise<Run<T>> | undefined} */
  let first = load();
  first.catch(() => {});
  return {
    [Symbol.asyncIterator]() {
      let loading = first;
      first = undefined;
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
