// A list that somebody reads later: entries wait for a slow reader, the oldest go first, and it is counted how many.

/** @template T */
export class Feed {
  /** @type {T[]} */ #entries = [];
  /** @type {((result: IteratorResult<T, undefined>) => void)[]} */ #readers = [];
  #over = false;
  /** @type {{ error: unknown } | undefined} */ #failure;
  /** Entries that nobody read in time. */
  dropped = 0;

  /**
   * @param {number} most
   * @param {() => void} leave called when nobody reads any more
   * @param {() => void} [slow] called when the first entry is dropped
   */
  constructor(most, leave, slow) {
    this.slow = slow;
    this.most = most;
    this.leave = leave;
  }

  /** @param {T} entry */
  push(entry) {
    if (this.#over) return;
    const reader = this.#readers.shift();
    if (reader) return reader({ value: entry, done: false });
    this.#entries.push(entry);
    if (this.#entries.length > this.most) {
      this.#entries.shift();
      if (this.dropped++ === 0) this.slow?.();
    }
  }

  /** Nothing more comes, because of this. @param {unknown} error */
  fail(error) {
    this.#failure = { error };
    this.#over = true;
    for (const reader of this.#readers.splice(0)) reader(/** @type {any} */ (Promise.reject(error)));
  }

  end() {
    this.#over = true;
    for (const reader of this.#readers.splice(0)) reader({ value: undefined, done: true });
  }

  /** @returns {Promise<IteratorResult<T, undefined>>} */
  next() {
    const entry = this.#entries.shift();
    if (entry !== undefined) return Promise.resolve({ value: entry, done: false });
    if (this.#failure) {
      const { error } = this.#failure;
      this.#failure = undefined;
      return Promise.reject(error);
    }
    if (this.#over) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** @returns {Promise<IteratorResult<T, undefined>>} */
  return() {
    this.#entries = [];
    this.end();
    this.leave();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator]() {
    return this;
  }
}

/**
 * An iterable that fails.
 * @param {() => unknown} error
 * @returns {AsyncIterable<never>}
 */
export function failing(error) {
  return { [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error()) }) };
}
