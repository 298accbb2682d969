// Who watches a connection: the readers of status() and of tap().

import { Feed } from './feed.js';

/** @import { Connection } from './connection.js' */
/** @import * as Api from '../index.js' */

export class Observers {
  /** @type {Set<Feed<Api.Status>>} */ #statuses = new Set();
  /** @type {Set<Feed<Api.Frame>>} */ #taps = new Set();
  /** What shows frames, once it has been loaded. @type {typeof import('./tap.js').show | undefined} */ #show;
  /** Nothing more comes. */ #over = false;
  #connection;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** @returns {Feed<Api.Status>} */
  status() {
    return this.#made('status', this.#statuses, () => {});
  }

  /** @returns {Feed<Api.Frame>} */
  tap() {
    const connection = this.#connection;
    const feed = this.#made('tap', this.#taps, () => {
      if (this.#taps.size === 0 && !this.#over) connection._do((engine) => engine.tap(false));
    });
    if (this.#over) return feed;
    connection._do((engine) => engine.tap(true));
    this.#readyToShow().catch((error) => {
      if (this.#taps.delete(feed)) feed.fail(error);
    });
    return feed;
  }

  /**
   * @template T
   * @param {string} of
   * @param {Set<Feed<T>>} feeds
   * @param {() => void} left
   */
  #made(of, feeds, left) {
    const connection = this.#connection;
    /** @type {Feed<T>} */
    const feed = new Feed(connection._instance.feedEntries, () => {
      feeds.delete(feed);
      left();
    }, () => connection._log('warn', 'entries_dropped', { of }));
    if (this.#over) feed.end();
    else feeds.add(feed);
    return feed;
  }

  /** What came meanwhile has been kept. */
  async #readyToShow() {
    if (this.#show) return;
    const [{ show }] = await Promise.all([import('./tap.js'), this.#connection._cold((engine) => engine.tapReady())]);
    this.#show = show;
    if (!this.#over) this.tapped();
  }

  /** Frames have been kept. */
  tapped() {
    if (this.#show && this.#taps.size > 0) this.#show(this.#connection._engine.tapFrames(), this.#taps);
  }

  /** @param {Api.Status} status */
  told(status) {
    for (const feed of this.#statuses) feed.push(status);
  }

  end() {
    this.#over = true;
    for (const feed of [...this.#statuses, ...this.#taps]) feed.end();
    this.#statuses.clear();
    this.#taps.clear();
  }
}
