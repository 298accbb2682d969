// The two error classes. What stands in them comes from Rust; nothing here decides anything.

/** @import { BrokerKind, ErrorCode, Receipt } from '../index.js' */

/** @typedef {[ErrorCode, string, boolean, string | undefined, string | undefined, (number | string) | undefined, boolean | undefined]} Fields */

export class BrokerError extends Error {
  /**
   * @param {Fields} fields
   * @param {BrokerKind} broker
   */
  constructor([code, message, retryable, hint, station, serverCode, maybeDelivered], broker) {
    super(message);
    this.code = code;
    this.broker = broker;
    this.retryable = retryable;
    /** @type {Record<string, unknown>} */
    const more = { station, serverCode, maybeDelivered, hint };
    for (const name in more) if (more[name] !== undefined) Object.assign(this, { [name]: more[name] });
  }
}
Object.defineProperty(BrokerError.prototype, 'name', { value: 'BrokerError', configurable: true, writable: true });

export class BatchError extends BrokerError {
  /**
   * @param {BrokerError} first the first failure, whose code and hint count
   * @param {readonly (Receipt | BrokerError)[]} outcomes
   */
  constructor(first, outcomes) {
    const failed = outcomes.filter((outcome) => outcome instanceof BrokerError).length;
    const { hint, station, serverCode, maybeDelivered, violations } = /** @type {any} */ (first);
    super([first.code, `${failed} of ${outcomes.length} messages failed; the first: ${first.message}`, first.retryable, hint, station, serverCode, maybeDelivered], first.broker);
    this.outcomes = outcomes;
    if (violations !== undefined) Object.assign(this, { violations });
  }
}
Object.defineProperty(BatchError.prototype, 'name', { value: 'BatchError', configurable: true, writable: true });

/**
 * An error that has to be made before, or without, the wasm.
 * @param {BrokerKind} broker
 * @param {ErrorCode} code
 * @param {string} message
 * @param {string} [hint]
 * @param {boolean} [retryable]
 */
export function plain(broker, code, message, hint, retryable = false) {
  return new BrokerError([code, message, retryable, hint ?? HINTS[code] ?? 'The typings and the README say what is allowed.', undefined, undefined, undefined], broker);
}

/** What to do where nothing better is known. @type {Partial<Record<ErrorCode, string>>} */
const HINTS = {
  aborted: 'It was withdrawn on request; call again to try again.',
  closed: 'Connect again, or make another producer or consumer.',
};

/**
 * The same error with what made it.
 * @template {BrokerError} E
 * @param {E} error
 * @param {unknown} cause
 * @returns {E}
 */
export function because(error, cause) {
  if (cause !== undefined) Object.defineProperty(error, 'cause', { value: cause, configurable: true, writable: true });
  return error;
}

/**
 * Of an abort, that nothing has been sent.
 * @param {any} error
 * @returns {any}
 */
export function withdrawn(error) {
  if (error.code === 'aborted') error.maybeDelivered = false;
  return error;
}

/**
 * A copy of the application's options: what reads them further runs nothing of the application's, which may throw, or call us.
 * @template T
 * @param {T} options
 * @param {BrokerKind} broker
 * @returns {T}
 */
export function own(options, broker) {
  if (typeof options !== 'object' || options === null) return options;
  try {
    // A list, a Map and their like have no options, and are refused.
    if (Symbol.iterator in options) return /** @type {any} */ ([]);
    /** @type {any} */
    const copy = { ...options };
    for (const name in copy) {
      // A signal is passed on as it is; one that cannot be read shows that here.
      if (name === 'signal') void copy[name]?.aborted;
      else copy[name] = within(copy[name], 4);
    }
    return copy;
  } catch (error) {
    throw because(plain(broker, 'invalid_argument', 'the options cannot be read', 'A getter or a proxy among them has thrown.'), error);
  }
}

/** No option is nested deeper; a Map, or what is like one, becomes a list, which is no set of names. @param {any} value @param {number} depth @returns {any} */
function within(value, depth) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (depth === 0) return undefined;
  if (Symbol.iterator in value) return Array.from(value, (each) => within(each, depth - 1));
  if (value instanceof Date) return new Date(value.getTime());
  /** @type {any} */
  const copy = { ...value };
  for (const name in copy) copy[name] = within(copy[name], depth - 1);
  return copy;
}
