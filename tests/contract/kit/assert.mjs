// Comparing and printing values. Knows nothing about brokers, rows or runtimes, so the same file serves Node and a page.

/** A difference between what was promised and what was seen; everything else that a row throws is reported as a crash of the row. */
export class Difference extends Error {
  constructor(message) {
    super(message);
    this.name = 'Difference';
  }
}

export function fail(message) {
  throw new Difference(message);
}

/** What a row is about is not to be had here; the reason is told with the row. */
export class NotOffered extends Error {}

/** A short text of any value; bytes and long strings are cut, because a failing row should fit on a screen. */
export function show(value, depth = 0) {
  if (typeof value === 'string') return value.length > 120 ? `${JSON.stringify(value.slice(0, 117))}... (${value.length} characters)` : JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'symbol' || typeof value === 'undefined') return String(value);
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (value === null || typeof value !== 'object') return String(value);
  if (value instanceof Date) return `Date(${Number.isNaN(value.getTime()) ? 'invalid' : value.toISOString()})`;
  if (value instanceof Error) return showError(value);
  if (ArrayBuffer.isView(value)) return `bytes(${value.byteLength})[${[...new Uint8Array(value.buffer, value.byteOffset, Math.min(value.byteLength, 16))].join(' ')}]`;
  if (depth > 2) return Array.isArray(value) ? '[...]' : '{...}';
  if (Array.isArray(value)) {
    const head = value.slice(0, 24).map((item) => show(item, depth + 1));
    return `[${head.join(', ')}${value.length > 24 ? `, ... ${value.length} in all` : ''}]`;
  }
  return `{${Object.entries(value).slice(0, 16).map(([key, item]) => `${key}: ${show(item, depth + 1)}`).join(', ')}}`;
}

function showError(error) {
  const known = ['code', 'retryable', 'station', 'maybeDelivered', 'serverCode', 'hint'].filter((key) => error[key] !== undefined);
  return `${error.name}(${error.message}${known.map((key) => `; ${key} ${String(error[key])}`).join('')})`;
}

/** Deep equality by value; -0 equals 0, NaN equals NaN, and a missing member is not the same as one that is undefined. */
export function same(actual, expected) {
  if (Object.is(actual, expected) || (actual === 0 && expected === 0)) return true;
  if (typeof actual !== 'object' || typeof expected !== 'object' || actual === null || expected === null) return false;
  if (actual instanceof Date && expected instanceof Date) return actual.getTime() === expected.getTime();
  if (ArrayBuffer.isView(actual) && ArrayBuffer.isView(expected)) {
    const left = new Uint8Array(actual.buffer, actual.byteOffset, actual.byteLength);
    const right = new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength);
    return left.length === right.length && left.every((byte, index) => byte === right[index]);
  }
  if (Array.isArray(actual) !== Array.isArray(expected)) return false;
  const keys = Object.keys(expected);
  return Object.keys(actual).length === keys.length
    && keys.every((key) => Object.hasOwn(actual, key) && same(actual[key], expected[key]));
}

export function ok(condition, what) {
  if (!condition) fail(what);
}

export function equal(actual, expected, what = 'value') {
  if (!Object.is(actual, expected) && !(actual === 0 && expected === 0)) fail(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

export function deepEqual(actual, expected, what = 'value') {
  if (!same(actual, expected)) fail(`${what}: expected ${show(expected)}, got ${show(actual)}`);
}

export function between(actual, low, high, what = 'value') {
  if (!(actual >= low && actual <= high)) fail(`${what}: expected ${low} to ${high}, got ${show(actual)}`);
}

// Faults of the caller stay faults when the same call is made again, so none of them may invite a retry loop.
const NEVER_RETRYABLE = new Set(['aborted', 'closed', 'invalid_argument', 'not_supported', 'too_large', 'auth_failed', 'permission_denied', 'no_such_station', 'schema_violation', 'already_exists']);
// These pass by themselves.
const ALWAYS_RETRYABLE = new Set(['queue_full']);

/** What every error of the package owes its reader: class, code, broker, a sentence to act on and a plain answer about retrying. */
export function checkError(api, broker, error, code, expected = {}) {
  ok(error instanceof api.BrokerError, `expected a BrokerError with ${code}, got ${show(error)}`);
  ok(error instanceof Error, `a BrokerError is an Error, got ${show(error)}`);
  const codes = Array.isArray(code) ? code : [code];
  ok(codes.includes(error.code), `code: expected ${codes.join(' or ')}, got ${show(error)}`);
  if (broker !== undefined && expected.broker === undefined) equal(error.broker, broker, `broker of ${show(error)}`);
  ok(typeof error.message === 'string' && error.message.length > 0, `an error without a message: ${show(error)}`);
  ok(typeof error.hint === 'string' && error.hint.trim().length > 0, `an error without a hint: ${show(error)}`);
  equal(typeof error.retryable, 'boolean', `retryable of ${show(error)}`);
  if (NEVER_RETRYABLE.has(error.code) && expected.retryable === undefined) equal(error.retryable, false, `retryable of ${show(error)}`);
  if (ALWAYS_RETRYABLE.has(error.code)) equal(error.retryable, true, `retryable of ${show(error)}`);
  const { says, cause, ...members } = expected;
  for (const [key, value] of Object.entries(members)) deepEqual(error[key], value, `${key} of ${show(error)}`);
  if ('cause' in expected) ok(error.cause === cause, `cause: expected ${show(cause)}, got ${show(error.cause)}`);
  for (const text of [says ?? []].flat()) {
    ok(`${error.message} ${error.hint}`.includes(text), `expected ${show(text)} in the message or the hint of ${show(error)}`);
  }
  return error;
}
