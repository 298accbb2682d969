// Calls made before the code that they need is there: each counts from when it was made.

export class Early {
  /** One of them is beginning: it is let through whatever has been called meanwhile. */ letting = false;
  /** Until they have begun. @type {Set<Promise<unknown>>} */ #waiting = new Set();
  /** The last of them in each order. @type {Map<unknown, Promise<void>>} */ #last = new Map();
  /** What the one that is beginning has to wait for once more. @type {Promise<unknown> | undefined} */ #more;

  /** Whether an earlier call of this order still waits for its code. @param {unknown} order */
  isBehind(order) {
    return this.#last.size > 0 && !this.letting && this.#last.has(order);
  }

  /**
   * A call that has to wait for its code, as one from before whatever is called meanwhile: close(), flush() and destroy() let it begin,
   * and of what has an order, such as the messages of a producer, the next begins after it. One that is beginning and has to wait again
   * keeps its place.
   * @template T, V
   * @param {Promise<V> | undefined} loading
   * @param {(loaded: V) => T} work
   * @param {unknown} [order]
   * @param {(begun: Promise<any>) => Promise<any>} [until] whoever does not wait as long as that
   * @returns {Promise<Awaited<T>>}
   */
  async wait(loading, work, order, until = (begun) => begun) {
    const again = this.letting;
    const before = again ? undefined : this.#last.get(order);
    // It may fail before its turn comes, and its outcome while nobody waits any more.
    const unheard = (/** @type {unknown} */ promise) => void Promise.allSettled([promise]);
    unheard(loading);
    const begun = Promise.resolve(before).then(() => /** @type {Promise<V>} */ (loading)).then((loaded) => {
      this.letting = true;
      this.#more = undefined;
      try {
        const outcome = work(loaded);
        unheard(outcome);
        const begun = () => [outcome];
        return this.#more ? /** @type {Promise<unknown>} */ (this.#more).then(begun, begun) : begun();
      } finally {
        this.letting = false;
      }
    });
    if (again) this.#more = begun;
    this.#waiting.add(begun);
    const over = () => {
      this.#waiting.delete(begun);
      if (this.#last.get(order) === ended) this.#last.delete(order);
    };
    const ended = begun.then(over, over);
    if (order !== undefined && !(again && this.#last.has(order))) this.#last.set(order, ended);
    const [outcome] = /** @type {[T]} */ (await until(begun));
    return await outcome;
  }

  /** Until those of this order have begun or failed; undefined if there are none. @param {unknown} order */
  of(order) {
    return this.#last.get(order);
  }

  /** Until those that wait now, and what else is given, have begun or failed; undefined if there is nothing to wait for. @param {Promise<unknown>} [other] */
  begun(other) {
    const all = other ? [...this.#waiting, other] : [...this.#waiting];
    return all.length > 0 ? Promise.allSettled(all) : undefined;
  }
}
