// What a broker can do, and why not where it cannot.

/** @import * as Api from '../index.js' */

/**
 * @param {string[]} lacks feature and reason in turn
 * @returns {Api.Capabilities}
 */
export function capabilities(lacks) {
  /** @type {Map<string, string>} */
  const missing = new Map();
  for (let i = 0; i < lacks.length; i += 2) missing.set(/** @type {string} */ (lacks[i]), /** @type {string} */ (lacks[i + 1]));
  const list = Object.freeze(FEATURES.filter((feature) => !missing.has(feature)));
  return { has: (feature) => list.includes(feature), why: (feature) => missing.get(feature), list };
}

/** @type {readonly Api.Feature[]} */
const FEATURES = [
  'partitions', 'groups', 'ack', 'nack', 'delay', 'in_progress', 'dead_letters', 'dls_station', 'msg_id', 'schemas', 'start_sequence', 'start_time', 'last_messages',
  'purge', 'destroy', 'info', 'list', 'get', 'live', 'requests', 'expiration', 'delayed_produce', 'filters', 'compression', 'resend', 'retention_messages',
  'retention_bytes', 'retention_ack_based', 'storage_type', 'replicas', 'tiered_storage',
];
