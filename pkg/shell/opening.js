// A producer that does not know yet what its messages have to fit: they go to Rust as usual, which keeps them until it knows.

import { cloned } from './payload.js';

/** @import { BrokerError } from './errors.js' */
/** @import { Producer } from './producer.js' */
/** @import { Receipt } from '../index.js' */

/**
 * What stands between a payload and its bytes.
 * @typedef {object} Fit
 * @property {(message: unknown) => unknown} fit The payload that is sent instead of this one; throws if it does not fit.
 * @property {(call: number, message: unknown) => void} sent It was taken.
 * @property {(error: BrokerError, message: unknown, again: (message: unknown) => Promise<Receipt>, headers?: Headers, producer?: string) => Promise<Receipt>} caught It was not.
 *
 * @typedef {Record<string, string> | (() => Promise<Record<string, string>>)} Headers
 */

/** @implements {Fit} */
export class Opening {
  /** Objects as they were given, by call: a schema may want another form of them than JSON. @type {Map<number, unknown>} */ kept = new Map();
  #open;
  #producer;

  /**
   * @param {Producer} producer
   * @param {Promise<void>} open
   */
  constructor(producer, open) {
    const over = () => {
      // Whoever has bound a schema meanwhile has put another one into this place.
      if (producer._schema === this) producer._schema = undefined;
    };
    this.#open = open.then(over, over);
    this.#producer = producer;
  }

  /** @param {unknown} message */
  fit(message) {
    return message;
  }

  /**
   * @param {number} call
   * @param {unknown} message
   */
  sent(call, message) {
    const copy = cloned(message);
    if (copy !== undefined) this.kept.set(call, copy);
  }

  /**
   * An object that JSON cannot hold may fit a schema: it waits until that is known, and those behind it wait for it.
   * @param {BrokerError} error
   * @param {unknown} message
   * @param {(message: unknown) => Promise<Receipt>} again
   * @returns {Promise<Receipt>}
   */
  async caught(error, message, again) {
    const copy = error.code === 'invalid_argument' ? cloned(message) : undefined;
    if (copy === undefined) throw error;
    return this.#producer._connection._behind(this.#open, () => again(copy), this.#producer, undefined);
  }
}
