// One loaded wasm: its memory, the connections that live in it, and what happens when it traps.

import { because, plain } from './errors.js';
import { usual } from './options.js';

/** @import { Connection } from './connection.js' */

/** JavaScript that is loaded when it is used, with the part of the wasm of the same name where there is one. @type {Record<string, () => Promise<any>>} */
const SCRIPTS = {
  batch: () => import('./batch.js'),
  station: () => import('./station.js'),
  consuming: () => import('./consuming.js'),
  live: () => import('./live.js'),
};

export class Instance {
  /** Parts on their way. @type {Map<string, Promise<void>>} */ #loading = new Map();
  #source;

  /**
   * @param {any} glue what wasm-bindgen made
   * @param {(part: string) => any} source where a part's wasm comes from
   */
  constructor(glue, source) {
    this.glue = glue;
    this.#source = source;
    /** The JavaScript of the parts that are there. @type {Record<string, any>} */
    this.scripts = {};
    // In a task of its own, outside every call of ours.
    glue.parts.trapped = (/** @type {unknown} */ error) => this.trap(error);
    glue.parts.load = (/** @type {string} */ name) => this.part(name);
    /** @type {WebAssembly.Memory} */
    this.memory = glue.wasmMemory();
    this.bytes = new Uint8Array(this.memory.buffer);
    /** Options of produce, and of producers, that are passed on as they are. */
    this.usual = usual('');
    this.feedEntries = 0;
    /** @type {Set<Connection>} */
    this.connections = new Set();
    /** @type {Connection | undefined} */
    this.last = undefined;
    this.#fresh();
  }

  #fresh() {
    this.memory = this.glue.wasmMemory();
    this.bytes = new Uint8Array(this.memory.buffer);
    this.usual = usual(this.glue.produceOptions());
    this.feedEntries = this.glue.feedEntries();
  }

  /** The memory's bytes; the view is renewed when the memory has grown. */
  view() {
    if (this.bytes.byteLength === 0) this.bytes = new Uint8Array(this.memory.buffer);
    return this.bytes;
  }

  /**
   * A connection has ended. It is kept until another one has: engines forget what they compiled for a class when no object of it is
   * left, and the next connection would begin slowly, with its first 60,000 messages in twice the time.
   * @param {Connection} connection
   */
  left(connection) {
    this.connections.delete(connection);
    this.last = connection;
  }

  /**
   * A trap: everything pending is rejected, and the next connect has a fresh instance.
   * @param {unknown} error what was thrown
   */
  trap(error) {
    // A trap says where in the wasm. Something else was not foreseen either: the state behind it cannot be trusted.
    console.error(error);
    const all = [...this.connections];
    this.connections.clear();
    try {
      this.glue.renew();
      this.#fresh();
    } catch (again) {
      console.error(again);
    }
    for (const connection of all) connection._trapped(error);
  }

  /**
   * Have a part of the package loaded: undefined if it is there. One that could not be loaded is tried again at the next call.
   * @param {string} name
   * @returns {Promise<void> | undefined}
   */
  part(name) {
    if (name in this.scripts) return undefined;
    let loading = this.#loading.get(name);
    if (!loading) {
      loading = this.#load(name).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  /** @param {string} name */
  async #load(name) {
    const needs = this.glue.parts.needs[name];
    try {
      const wasm = needs === undefined ? undefined : this.glue.attach(name, this.#source(name));
      const [scripts] = await Promise.all([SCRIPTS[name]?.(), wasm, ...(needs ?? []).map((/** @type {string} */ needed) => this.part(needed))]);
      this.scripts[name] = scripts;
    } catch (/** @type {any} */ error) {
      const hint = 'The files of the package lie beside each other and are of one version: is this one served there, with the same content type and under the same security policy as the first?';
      throw because(plain('memory', 'not_supported', `a part of the package, ${name}, could not be loaded: ${error?.message ?? error}`, hint, true), error);
    }
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
