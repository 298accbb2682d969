// What the engines have in common: violations, their limits, the error they are thrown in, and the frame around read and write.
// Knows no type of schema.

/** @import { Schema, Violation } from '../index.js' */

/** More would help nobody, and a hostile message could make millions. */
export const MAX_VIOLATIONS = 100;
/** How much of a value is shown as `found`. */
const SHOWN = 80;
/** Of any `found`: libraries list what they found. */
const LONGEST = 300;
/** How many violations stand in an error's text. */
const TOLD = 3;

export class SchemaError extends Error {
  /**
   * @param {'definition' | 'message'} reason
   * @param {readonly Violation[]} violations
   */
  constructor(reason, violations) {
    const told = violations.slice(0, TOLD).map(sentence).join('; ');
    const more = violations.length > TOLD ? `; and ${violations.length - TOLD} more` : '';
    super(`${reason === 'definition' ? 'the schema does not compile' : 'the message does not fit the schema'}: ${told}${more}`);
    this.name = /** @type {const} */ ('SchemaError');
    this.reason = reason;
    this.violations = violations;
  }
}

/** @param {Violation} violation */
function sentence({ path, expected, found }) {
  return `${path === '' ? '' : `at ${path} `}expected ${expected}${found === undefined ? '' : `, found ${found}`}`;
}

/**
 * @param {string} path
 * @param {string} expected
 * @param {string} [found]
 * @returns {Violation}
 */
export function violation(path, expected, found) {
  return found === undefined ? { path, expected } : { path, expected, found: found.length > LONGEST ? `${found.slice(0, LONGEST)}…` : found };
}

/**
 * Thrown by compilers at the first thing that makes going on pointless.
 * @param {string} path
 * @param {string} expected
 * @param {string} [found]
 */
export function refused(path, expected, found) {
  return new SchemaError('definition', [violation(path, expected, found)]);
}

/** A value as `found` shows it: short, and never another object's code. @param {unknown} value */
export function show(value) {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (typeof value === 'string') return shorten(JSON.stringify(value.length > SHOWN ? value.slice(0, SHOWN + 1) : value));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (typeof value === 'object') {
    const names = Object.keys(value);
    return names.length === 0 ? 'an empty object' : `an object with ${shorten(names.slice(0, 5).map((name) => JSON.stringify(name)).join(', '))}${names.length > 5 ? `, and ${names.length - 5} more` : ''}`;
  }
  return `a ${typeof value}`;
}

/** @param {string} text */
function shorten(text) {
  return text.length > SHOWN ? `${text.slice(0, SHOWN - 1)}…` : text;
}

/** @param {readonly (string | number)[]} keys */
export function pointer(keys) {
  let text = '';
  for (const key of keys) text += `/${typeof key === 'number' ? key : key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return text;
}

/** Where an offset of a text is, both counted from 1. @param {string} text @param {number} offset */
export function lineColumn(text, offset) {
  const before = text.slice(0, offset);
  const start = before.lastIndexOf('\n') + 1;
  return `${before.split('\n').length}:${offset - start + 1}`;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** @typedef {{ value?: unknown, bytes?: Uint8Array, violations: readonly Violation[] }} Outcome */

/**
 * A schema out of the two things that differ: how bytes are read and how a value that is neither bytes nor text is written.
 * @param {object} parts
 * @param {Schema['type']} parts.type
 * @param {string} [parts.message]
 * @param {(bytes: Uint8Array) => Outcome} parts.read
 * @param {(value: unknown) => Outcome} parts.write
 * @returns {Schema}
 */
export function schema({ type, message, read, write }) {
  /** @param {unknown} payload @returns {Outcome} */
  const outcome = (payload) => {
    const bytes = bytesOf(payload);
    if (bytes === undefined) return guarded(() => write(payload));
    const { violations } = guarded(() => read(bytes));
    return { bytes, violations };
  };
  return {
    type,
    ...(message === undefined ? {} : { message }),
    check: (payload) => outcome(payload).violations,
    encode(payload) {
      const { bytes, violations } = outcome(payload);
      return violations.length > 0 || bytes === undefined ? violations : bytes;
    },
    decode(bytes) {
      const { value, violations } = guarded(() => read(bytes));
      if (violations.length > 0) throw new SchemaError('message', violations);
      return value;
    },
  };
}

/** @param {unknown} payload @returns {Uint8Array | undefined} */
function bytesOf(payload) {
  if (payload instanceof Uint8Array) return payload;
  if (typeof payload === 'string') return encoder.encode(payload);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  return undefined;
}

/** Ends a run at once: too deep, or too much work. */
export class Stop {
  /** @param {Violation} violation */
  constructor(violation) {
    this.violation = violation;
  }
}

/** @param {unknown} error */
function isStackEnd(error) {
  // Firefox has an error of its own for it.
  return (error instanceof RangeError && /stack|recursion/i.test(error.message)) || /** @type {any} */ (error)?.name === 'InternalError';
}

/**
 * Compiles; thousands of brackets end the stack before any limit counts them.
 * @template T
 * @param {() => T} compile
 */
export function compiled(compile) {
  try {
    return compile();
  } catch (error) {
    if (isStackEnd(error)) throw refused('', 'a schema that is not nested so deeply');
    throw error;
  }
}

/**
 * The limits are meant to be met first; should the stack end before, that is a violation as well.
 * @param {() => Outcome} run
 * @returns {Outcome}
 */
function guarded(run) {
  try {
    return run();
  } catch (error) {
    if (error instanceof Stop) return { violations: [error.violation] };
    if (isStackEnd(error)) return { violations: [violation('', 'a message that is not nested so deeply')] };
    throw error;
  }
}

/**
 * UTF-8 as it must be, or undefined. A byte order mark stays, and what reads the text will not like it.
 * @param {Uint8Array} bytes
 */
export function utf8(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** @param {string} text */
export function bytesOfText(text) {
  return encoder.encode(text);
}
