// The words of a .proto text with their places. Knows no grammar.

import { lineColumn, refused } from '../violations.js';

/** @typedef {{ kind: 'name' | 'integer' | 'float' | 'string' | 'symbol' | 'end', text: string, at: number }} Token `text` of a string: what it says */

const BLANK = /(?:\s|\/\/.*|\/\*[^]*?\*\/)*/y;
const WORD = /([A-Za-z_]\w*)|((?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?[fF]?)|(0[xX][0-9a-fA-F]+|\d+)(?![\w.])|("(?:[^"\\\n]|\\[^])*"|'(?:[^'\\\n]|\\[^])*')|([^\s\w"'])/y;
/** @type {Record<string, string>} */
const ESCAPES = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\', "'": "'", '"': '"', '?': '?' };

export class Lexer {
  #at = 0;
  /** @type {Token} */
  next;

  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.next = this.#read();
  }

  /** The next word, which is used up. */
  take() {
    const token = this.next;
    this.next = this.#read();
    return token;
  }

  /** What stands after the next word. @param {string} text */
  followedBy(text) {
    BLANK.lastIndex = this.#at;
    BLANK.exec(this.text);
    return this.text.startsWith(text, BLANK.lastIndex);
  }

  /** @returns {Token} */
  #read() {
    BLANK.lastIndex = this.#at;
    BLANK.exec(this.text);
    const at = BLANK.lastIndex;
    if (at >= this.text.length) return { kind: 'end', text: 'the end', at };
    WORD.lastIndex = at;
    const [whole = '', name, float, integer, string] = WORD.exec(this.text) ?? [];
    if (whole === '' || this.text.startsWith('/*', at)) throw this.no('a word of the protobuf language', this.text.slice(at, at + 20), at);
    this.#at = at + whole.length;
    if (name !== undefined) return { kind: 'name', text: name, at };
    if (float !== undefined) return { kind: 'float', text: float, at };
    if (integer !== undefined) return { kind: 'integer', text: integer, at };
    if (string !== undefined) return { kind: 'string', text: this.#unescape(string.slice(1, -1), at), at };
    return { kind: 'symbol', text: whole, at };
  }

  /** @param {string} raw @param {number} at */
  #unescape(raw, at) {
    return raw.replace(/\\(?:x([0-9a-fA-F]{1,2})|([0-7]{1,3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([^]))/g, (whole, hex, octal, unit, point, letter) => {
      const code = hex ?? unit ?? point;
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8));
      if (code !== undefined && parseInt(code, 16) <= 0x10ffff) return String.fromCodePoint(parseInt(code, 16));
      if (ESCAPES[letter] === undefined) throw this.no('an escape sequence that exists', whole, at);
      return ESCAPES[letter];
    });
  }

  /** @param {string} expected @param {string} [found] @param {number} [at] */
  no(expected, found = this.next.text, at = this.next.at) {
    return refused(lineColumn(this.text, at), expected, found);
  }
}
