// One loaded wasm: its memory, the connections that live in it, and what happens when it traps.

import { plain } from './errors.js';

/** @import { Connection } from './connection.js' */

export class Instance {
  /** @param {any} glue what wasm-bindgen made */
  constructor(glue) {
    this.glue = glue;
    /** @type {WebAssembly.Memory} */
    this.memory = glue.wasmMemory();
    this.bytes = new Uint8Array(this.memory.buffer);
    /** @type {Set<string>} */
    this.fastNames = new Set();
    this.feedEntries = 0;
    /** @type {Set<Connection>} */
    this.connections = new Set();
    this.#fresh();
  }

  #fresh() {
    this.memory = this.glue.wasmMemory();
    this.bytes = new Uint8Array(this.memory.buffer);
    // A panic outside every call of ours, in a task of its own.
    this.glue.onPanic(() => queueMicrotask(() => this.trap(undefined, true)));
    this.fastNames = new Set(this.glue.produceNames());
    this.feedEntries = this.glue.feedEntries();
  }

  /** The memory's bytes; the view is renewed when the memory has grown. */
  view() {
    if (this.bytes.byteLength === 0) this.bytes = new Uint8Array(this.memory.buffer);
    return this.bytes;
  }

  /**
   * A trap: everything pending is rejected, and the next connect has a fresh instance.
   * @param {unknown} error what was thrown
   * @param {boolean} [panicked] the instance has asked for its successor itself
   */
  trap(error, panicked = false) {
    if (!panicked && !(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) {
      // Not a trap, but nothing that was foreseen either: the state behind it cannot be trusted.
      console.error(error);
    }
    const all = [...this.connections];
    this.connections.clear();
    try {
      if (!panicked) this.glue.renew();
      this.#fresh();
    } catch (again) {
      console.error(again);
    }
    for (const connection of all) connection._trapped(error);
  }

  /**
   * Wrap a function that the platform calls.
   * @param {(...args: any[]) => any} work
   */
  guard(work) {
    return (/** @type {any[]} */ ...args) => {
      try {
        return work(...args);
      } catch (error) {
        this.trap(error);
      }
    };
  }
}

/**
 * @param {any} broker
 * @param {unknown} cause
 */
export function internal(broker, cause) {
  const text = cause instanceof Error ? `: ${cause.message}` : '';
  return plain(broker, 'internal', `the package has failed${text}`, 'This is a defect of stationmaster; connect again, and please report it.', true);
}
