// Calls made before the code that they need is there: each counts from when it was made.

export class Early {
  /** One of them is beginning: it is let through whatever has been called meanwhile. */ letting = false;
  /** Until they have begun. @type {Set<Promise<unknown>>} */ #waiting = new Set();
  /** The last of them in each order. @type {Map<unknown, Promise<void>>} */ #last = new Map();

  /** Whether an earlier call of this order still waits for its code. @param {unknown} order */
  isBehind(order) {
    return this.#last.size > 0 && !this.letting && this.#last.has(order);
  }

  /**
   * A call that has to wait for its code, as one from before whatever is called meanwhile: close(), flush() and destroy() let it begin,
   * and of what has an order, such as the messages of a producer, the next begins after it.
   * @template T, V
   * @param {Promise<V> | undefined} loading
   * @param {(loaded: V) => T} work
   * @param {unknown} [order]
   * @returns {Promise<Awaited<T>>}
   */
  async wait(loading, work, order) {
    const before = this.#last.get(order);
    const begun = (before ? before.then(() => loading) : /** @type {Promise<V>} */ (loading)).then((loaded) => {
      this.letting = true;
      try {
        return [work(/** @type {V} */ (loaded))];
      } finally {
        this.letting = false;
      }
    });
    this.#waiting.add(begun);
    const over = () => {
      this.#waiting.delete(begun);
      if (this.#last.get(order) === ended) this.#last.delete(order);
    };
    const ended = begun.then(over, over);
    if (order !== undefined) this.#last.set(order, ended);
    const [outcome] = /** @type {[T]} */ (await begun);
    return await outcome;
  }

  /** Until those that wait now, and what else is given, have begun or failed; undefined if there is nothing to wait for. @param {Promise<unknown>} [other] */
  begun(other) {
    const all = other ? [...this.#waiting, other] : [...this.#waiting];
    return all.length > 0 ? Promise.allSettled(all) : undefined;
  }
}
