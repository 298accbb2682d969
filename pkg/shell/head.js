// What stands in a message's header block, as the wasm reads it.

/** @import { Connection } from './connection.js' */

/**
 * The application's headers in a block, and the message id.
 * @param {Connection} connection
 * @param {Uint8Array} head
 * @returns {[Readonly<Record<string, string>>, string | undefined]}
 */
export function headers(connection, head) {
  const list = connection._instance.glue.headers(connection._block, head);
  /** @type {Record<string, string>} */
  const headers = {};
  for (let i = 0; i + 1 < list.length; i += 2) {
    Object.defineProperty(headers, list[i], { value: list[i + 1], enumerable: true, configurable: true, writable: true });
  }
  return [Object.freeze(headers), list.length % 2 === 1 ? list[list.length - 1] : undefined];
}

/**
 * When a message with this header block goes; undefined if that is not said.
 * @param {Connection} connection
 * @param {Uint8Array} head
 * @param {bigint} stamp
 */
export function expiry(connection, head, stamp) {
  const span = head.length === 0 ? NaN : connection._instance.glue.staysFor(connection._block, head);
  return span >= 0 ? new Date(Number(stamp / 1000000n) + span) : undefined;
}
