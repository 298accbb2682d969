// The methods of the contract that this version does not offer: each says so.

import { plain } from './errors.js';

/** @import { BrokerKind } from '../index.js' */

export class Unoffered {
  /** @param {BrokerKind} broker */
  constructor(broker) {
    this.broker = broker;
  }

  /** @param {string} what */
  #later(what) {
    return plain(this.broker, 'not_supported', `${what} is not offered yet`, 'It comes with a later version of this package; capabilities tells what is there.');
  }

  /** @returns {Promise<never>} */
  async publish() {
    throw this.#later('publish');
  }

  /** @returns {Promise<never>} */
  async subscribe() {
    throw this.#later('subscribe');
  }

  /** @returns {Promise<never>} */
  async request() {
    throw this.#later('request');
  }

  /** @returns {Promise<never>} */
  async respond() {
    throw this.#later('respond');
  }
}
