// JSON as text, for the engines whose messages travel as JSON: reading with the place of a mistake, writing without surprises.
// Knows no schema.

import { bytesOfText, lineColumn, refused, show, utf8, violation } from './violations.js';

/** @import { Violation } from '../index.js' */
/** @import { Outcome } from './violations.js' */

/** @typedef {(value: unknown, size: number) => readonly Violation[]} Check */

/** A definition; files have byte order marks. @param {string} text @returns {any} */
export function parse(text) {
  try {
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    throw refused(mistake(String(text)), 'a schema in JSON', show(String(text)));
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {Check} check
 * @param {boolean} [exact] integers that a number cannot hold become bigints
 * @returns {Outcome}
 */
export function readJson(bytes, check, exact = false) {
  const text = utf8(bytes);
  if (text === undefined) return { violations: [violation('', 'JSON in UTF-8', 'bytes that are not UTF-8')] };
  return readText(text, bytes.length, check, exact);
}

/** @param {string} text @param {number} size @param {Check} check @param {boolean} exact @returns {Outcome} */
function readText(text, size, check, exact) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return { violations: [violation('', 'JSON', `no JSON at ${mistake(text)}`)] };
  }
  if (exact && LONG.test(text)) value = parseExact(text);
  return { value, violations: check(value, size) };
}

/** Where a number may have lost digits. */
const LONG = /\d{16}/;
/** More digits than any 64-bit integer has. */
const LONGEST = 20;
/** The text is JSON already: no string is without its end, over which the inner repetition could take for ever. */
const LITERAL = /"(?:[^"\\]+|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** The text is JSON already. @param {string} text */
function parseExact(text) {
  const mark = unused(text);
  const marked = text.replace(LITERAL, (literal) => (/^-?\d{16,}$/.test(literal) && literal.length <= LONGEST && !Number.isSafeInteger(Number(literal)) ? `"${mark}${literal}"` : literal));
  return JSON.parse(marked, (_, value) => (typeof value === 'string' && value.startsWith(mark) ? BigInt(value.slice(mark.length)) : value));
}

/** Letters that do not occur in a text. @param {string} text */
function unused(text) {
  let mark = 'integer';
  while (text.includes(mark)) mark += mark.length;
  return mark;
}

/**
 * What is checked is what the other side will read: dates are strings by then, and undefined is gone.
 * @param {unknown} value
 * @param {Check} check
 * @param {boolean} [exact] bigints are integers, and bytes a string of the characters up to U+00FF
 * @returns {Outcome}
 */
export function writeJson(value, check, exact = false) {
  let text;
  try {
    text = exact ? stringifyExact(value) : JSON.stringify(value);
  } catch (error) {
    // A circle, a bigint, or a toJSON that throws.
    return { violations: [violation('', 'a value that JSON can hold', String(/** @type {Error} */ (error)?.message))] };
  }
  if (text === undefined) return { violations: [violation('', 'a value that JSON can hold', show(value))] };
  const bytes = bytesOfText(text);
  return { bytes, violations: readText(text, bytes.length, check, exact).violations };
}

/** @param {unknown} value */
function stringifyExact(value) {
  let big = false;
  /** @param {string} mark */
  const stringify = (mark) => JSON.stringify(value, function replace(name, inner) {
    // Before its toJSON: a Buffer has one.
    const raw = this[name];
    if (raw instanceof Uint8Array) return Array.from(raw, (byte) => String.fromCharCode(byte)).join('');
    if (typeof inner !== 'bigint') return inner;
    big = true;
    return `${mark}${inner}`;
  });
  const text = stringify('');
  if (!big) return text;
  const mark = unused(text);
  return stringify(mark).replace(new RegExp(`"${mark}(-?\\d+)"`, 'g'), '$1');
}

const TOKEN = /[\t\n\r ]*(?:[{}[\],:]|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\d.eE+-])|(?:true|false|null)(?!\w))/y;

/** Where a text stops being JSON, as line:column. The platforms' own texts differ and are not always there. @param {string} text */
function mistake(text) {
  /** What closes each open bracket. @type {string[]} */
  const open = [];
  let at = 0;
  // What may come next: a value, a name, a colon, a comma or an end.
  let next = 'value';
  for (;;) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0].trim();
    if (token === undefined) break;
    const closing = (token === '}' || token === ']') && open.at(-1) === token && (next === 'end' || next === (token === '}' ? 'first name' : 'first value'));
    if (closing) {
      open.pop();
      next = 'end';
    } else if (next === 'end') {
      if (token !== ',' || open.length === 0) break;
      next = open.at(-1) === '}' ? 'name' : 'value';
    } else if (next === 'colon') {
      if (token !== ':') break;
      next = 'value';
    } else if (next.endsWith('name')) {
      if (!token.startsWith('"')) break;
      next = 'colon';
    } else if (token === '{' || token === '[') {
      open.push(token === '{' ? '}' : ']');
      next = token === '{' ? 'first name' : 'first value';
    } else if (/^[}\],:]/.test(token)) {
      break;
    } else {
      next = 'end';
    }
    at = TOKEN.lastIndex;
  }
  const blank = text.slice(at).match(/^[\t\n\r ]*/)?.[0].length ?? 0;
  return lineColumn(text, at + blank);
}
