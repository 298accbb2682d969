// A clock that jumps. Installed before the package is loaded, it stands in for every timer and clock that a program can see,
// and moves straight to the next timer whenever nothing else is left to run, so an ack time of 30 s takes none.
// It knows nothing about the package; it is right only where all work is promises and timers, which is what `memory` is.

const REAL = {
  setTimeout: globalThis.setTimeout.bind(globalThis),
  clearTimeout: globalThis.clearTimeout.bind(globalThis),
  setInterval: globalThis.setInterval.bind(globalThis),
  clearInterval: globalThis.clearInterval.bind(globalThis),
  Date: globalThis.Date,
  now: performance.now.bind(performance),
};

// Turns of the real event loop without anything to do before time may jump. Streams and message ports need more than one; in a
// page an import of what is loaded already needs a dozen.
const QUIET_TURNS = typeof window === 'undefined' ? 4 : 40;

export class VirtualClock {
  #now = 0;
  #wall = REAL.Date.now();
  #timers = new Map();
  #next = 1;
  #running = false;
  /** Ends the wait for a timer, while there is none. */
  #wake = () => {};

  /** Replaces the globals. Promises, queueMicrotask and message ports stay real. */
  install() {
    const clock = this;
    globalThis.setTimeout = (callback, ms = 0, ...args) => clock.#add(callback, ms, undefined, args);
    globalThis.setInterval = (callback, ms = 0, ...args) => clock.#add(callback, ms, Math.max(1, ms), args);
    globalThis.clearTimeout = (id) => { clock.#timers.delete(id); };
    globalThis.clearInterval = globalThis.clearTimeout;
    Object.defineProperty(performance, 'now', { value: () => clock.#now, configurable: true, writable: true });
    globalThis.Date = class Date extends REAL.Date {
      constructor(...args) {
        if (args.length === 0) super(clock.#wall + clock.#now);
        else super(...args);
      }

      static now() {
        return Math.floor(clock.#wall + clock.#now);
      }
    };
  }

  /** Lets time flow. Before this, timers only collect: loading the wasm is real work that no timer shows. */
  start() {
    if (this.#running) return;
    this.#running = true;
    void this.#pump();
  }

  /** Gives the real clocks back. Timers that never became due are forgotten. */
  uninstall() {
    this.#running = false;
    this.#wake();
    for (const name of ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date']) globalThis[name] = REAL[name];
    Object.defineProperty(performance, 'now', { value: REAL.now, configurable: true, writable: true });
  }

  #add(callback, ms, every, args) {
    const id = this.#next++;
    const delay = Number.isFinite(ms) && ms > 0 ? ms : 0;
    this.#timers.set(id, { id, at: this.#now + delay, every, callback, args });
    this.#wake();
    return id;
  }

  async #pump() {
    const turn = turns();
    while (this.#running) {
      for (let quiet = 0; quiet < QUIET_TURNS; quiet += 1) await turn();
      const due = this.#first();
      if (!due) {
        await new Promise((resolve) => { this.#wake = resolve; });
        continue;
      }
      this.#now = Math.max(this.#now, due.at);
      if (due.every === undefined) this.#timers.delete(due.id);
      else due.at = this.#now + due.every;
      try {
        due.callback(...due.args);
      } catch (error) {
        // As the platform does: an uncaught error of its own, and time goes on.
        queueMicrotask(() => { throw error; });
      }
    }
  }

  // The earliest timer, the older one of two: a Map keeps the order of creation.
  #first() {
    let best;
    for (const timer of this.#timers.values()) if (!best || timer.at < best.at) best = timer;
    return best;
  }
}

/** Real time, for watchdogs over a virtual run. */
export const real = REAL;

function turns() {
  if (typeof setImmediate === 'function') return () => new Promise((resolve) => { setImmediate(resolve); });
  const { port1, port2 } = new MessageChannel();
  const waiting = [];
  port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => {
    waiting.push(resolve);
    port2.postMessage(0);
  });
}
