// Which produce options take the fast path. What the slow ones mean is Rust's business.

/**
 * Whether there are options that the fast path does not take, or of other types than it expects.
 * @param {any} options
 * @param {Set<string>} fast names that it takes
 */
export function isSlow(options, fast) {
  let slow = typeof options !== 'object' || options === null;
  if (!slow) {
    for (const name in options) {
      if (!fast.has(name) && options[name] !== undefined) slow = true;
    }
    const { msgId, partitionKey, headers, waitForAck, partitionNumber, ackWaitMs, limitConcurrentTasks } = options;
    const other = (/** @type {unknown} */ value, /** @type {string} */ type) => value !== undefined && typeof value !== type;
    slow ||= other(msgId, 'string') || other(partitionKey, 'string') || other(waitForAck, 'boolean');
    slow ||= other(partitionNumber, 'number') || other(ackWaitMs, 'number') || other(limitConcurrentTasks, 'number');
    if (headers !== undefined && !slow) {
      slow = typeof headers !== 'object' || headers === null || Array.isArray(headers) || Object.keys(headers).some((name) => typeof headers[name] !== 'string');
    }
  }
  return slow;
}
