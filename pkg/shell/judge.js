// The application's predicate: messages wait for it in Rust, and count for nothing before it has let them pass.

/** @import { Consumer } from './consumer.js' */
/** @import { Message } from './message.js' */

export class Judge {
  /** @type {[number, Message][]} */ #waiting = [];
  #consumer;
  #predicate;

  /**
   * @param {Consumer} consumer
   * @param {(message: any) => unknown} predicate
   */
  constructor(consumer, predicate) {
    this.#consumer = consumer;
    this.#predicate = predicate;
  }

  /**
   * User code never runs while the table is being read.
   * @param {number} number
   * @param {Message} message
   */
  add(number, message) {
    if (this.#waiting.push([number, message]) === 1) queueMicrotask(() => this.#run());
  }

  #run() {
    const consumer = this.#consumer;
    const connection = consumer._connection;
    for (const [number, message] of this.#waiting.splice(0)) {
      let fits = true;
      try {
        fits = Boolean(this.#predicate(message));
      } catch (error) {
        // Whether it fits is not known: better seen once too often than lost.
        connection._log('error', 'filter_failed', { station: consumer.station, error });
      }
      connection._released((engine) => {
        if (engine.judge(consumer._id, number, fits)) consumer._pull(number);
      });
    }
  }
}
