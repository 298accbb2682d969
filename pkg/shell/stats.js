// The numbers of a connection, as the application sees them.

/** @import { Stats } from '../index.js' */

/**
 * @param {ArrayLike<number>} values in Rust's order
 * @param {number} wasmMemoryBytes
 * @returns {Stats}
 */
export function counted(values, wasmMemoryBytes) {
  const [sentMessages = 0, sentBytes = 0, receivedMessages = 0, receivedBytes = 0, pendingMessages = 0, pendingBytes = 0, reconnects = 0] = Array.from(values);
  return { sentMessages, sentBytes, receivedMessages, receivedBytes, pendingMessages, pendingBytes, reconnects, wasmMemoryBytes };
}
