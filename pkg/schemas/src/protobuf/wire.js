// Bytes against a message type: whether they parse, told with the field where they stop doing so. The library that decodes afterwards
// trusts its input more than protobuf's parsers do: it reads a field whatever wire type it has, and past the end of a message
// inside another.

import { MAX_VIOLATIONS, Stop, utf8, violation } from '../violations.js';

/** @import { DescField, DescMessage } from '@bufbuild/protobuf' */
/** @import { Violation } from '../../index.js' */

/** Messages inside each other, as protobuf's own parsers have it. */
export const MAX_DEPTH = 100;
const MAX_NUMBER = 536870911;

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const GROUP = 3;
const END = 4;
const FIXED32 = 5;

/** What a scalar travels as, by its FieldDescriptorProto.Type. */
const SCALAR_WIRE = [-1, FIXED64, FIXED32, VARINT, VARINT, VARINT, FIXED64, FIXED32, VARINT, BYTES, -1, -1, BYTES, VARINT, -1, FIXED32, FIXED64, VARINT, VARINT];
const STRING = 9;

/** @param {DescField} field */
function wireOf(field) {
  if (field.message) return field.fieldKind !== 'map' && /** @type {any} */ (field).delimitedEncoding ? GROUP : BYTES;
  if (field.fieldKind === 'map') return BYTES;
  return field.enum ? VARINT : SCALAR_WIRE[/** @type {number} */ (field.scalar)];
}

/** @typedef {Map<number, DescField>} Table */

/** @type {WeakMap<object, Table>} */
const tables = new WeakMap();

/** @param {DescMessage} desc */
function fieldsOf(desc) {
  let table = tables.get(desc);
  if (!table) tables.set(desc, table = new Map(desc.fields.map((field) => [field.number, field])));
  return table;
}

/** A map travels as messages of two fields. @param {any} field */
function entryOf(field) {
  let table = tables.get(field);
  if (!table) {
    const key = { name: 'key', number: 1, fieldKind: 'scalar', scalar: field.mapKey, utf8Validation: field.utf8Validation };
    const value = { ofMap: true, name: 'value', number: 2, fieldKind: field.mapKind, scalar: field.scalar, enum: field.enum, message: field.message, utf8Validation: field.utf8Validation };
    tables.set(field, table = new Map([[1, /** @type {any} */ (key)], [2, /** @type {any} */ (value)]]));
  }
  return table;
}

/** What a field that holds others is made of. @param {DescField} field */
function innerOf(field) {
  return field.fieldKind === 'map' ? entryOf(field) : field.message && fieldsOf(field.message);
}

/** @type {WeakMap<object, Set<number>>} */
const values = new WeakMap();

/** What a repeated closed enum can hold; the library looks at single ones only. @param {DescField} field */
function strict(field) {
  if (!field.enum || field.enum.open || (field.fieldKind !== 'list' && !(/** @type {any} */ (field).ofMap))) return undefined;
  let numbers = values.get(field.enum);
  if (!numbers) values.set(field.enum, numbers = new Set(field.enum.values.map(({ number }) => number)));
  return numbers;
}

/** The low 32 bits of a varint. @param {Uint8Array} bytes @param {number} at */
function int32(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    const byte = /** @type {number} */ (bytes[at]);
    if (shift < 32) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

export class Wire {
  /** @type {Violation[]} */
  violations = [];
  /** A known field came with another wire type, or several values of a closed enum with one it does not have: they count as unknown. */
  mismatched = false;
  #at = 0;
  /** @type {string[]} */
  #path = [];
  #bytes;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  /** @param {DescMessage} desc */
  check(desc) {
    this.#message(fieldsOf(desc), this.#bytes.length, 1);
  }

  /** Nothing after it can be made sense of. @param {string} expected @param {number} at */
  #stop(expected, at) {
    return new Stop(violation(this.#path.join(''), expected, at < this.#bytes.length ? `something else at byte ${at}` : 'the end of the bytes'));
  }

  /** @param {number} end */
  #varint(end) {
    const start = this.#at;
    for (let length = 1; length <= 10; length++) {
      if (this.#at >= end) throw this.#stop('a whole varint', this.#at);
      if (/** @type {number} */ (this.#bytes[this.#at++]) < 0x80) return;
    }
    throw this.#stop('a varint of at most 10 bytes', start);
  }

  /** A varint that counts or names something: 32 bits. @param {number} end @param {string} what */
  #number(end, what) {
    const start = this.#at;
    this.#varint(end);
    let value = 0;
    for (let at = start, scale = 1; at < this.#at; at++, scale *= 128) value += (/** @type {number} */ (this.#bytes[at]) & 0x7f) * scale;
    if (value > 0xffffffff) throw this.#stop(what, start);
    return value;
  }

  /** The end of what a length announces. @param {number} end */
  #length(end) {
    const start = this.#at;
    const length = this.#number(end, 'a length');
    if (length > end - this.#at) throw this.#stop(`${length} bytes, as the length says`, start);
    return this.#at + length;
  }

  /** @param {number} end @returns {[number, number]} */
  #tag(end) {
    const start = this.#at;
    const tag = this.#number(end, 'a tag');
    const number = Math.floor(tag / 8);
    const type = tag % 8;
    if (number === 0 || number > MAX_NUMBER || type > FIXED32) throw this.#stop('a field number and a wire type that exist', start);
    return [number, type];
  }

  /** @param {number} type @param {number} number @param {number} end @param {number} depth */
  #skip(type, number, end, depth) {
    if (depth > MAX_DEPTH) throw new Stop(violation(this.#path.join(''), `a message of at most ${MAX_DEPTH} levels`));
    if (type === VARINT) this.#varint(end);
    else if (type === BYTES) this.#at = this.#length(end);
    else if (type === FIXED32 || type === FIXED64) this.#fixed(type, end);
    else {
      for (;;) {
        const start = this.#at;
        const [inner, innerType] = this.#tag(end);
        if (innerType !== END) this.#skip(innerType, inner, end, depth + 1);
        else if (inner === number) return;
        else throw this.#stop('the end of the group that began last', start);
      }
    }
  }

  /** @param {number} type @param {number} end */
  #fixed(type, end) {
    const size = type === FIXED32 ? 4 : 8;
    if (size > end - this.#at) throw this.#stop(`${size} bytes`, this.#at);
    this.#at += size;
  }

  /** @param {Table} fields @param {number} end @param {number} depth @param {number} [group] the number that ends it */
  #message(fields, end, depth, group) {
    if (depth > MAX_DEPTH) throw new Stop(violation(this.#path.join(''), `a message of at most ${MAX_DEPTH} levels`));
    /** How many of each repeated field came. @type {Map<DescField, number> | undefined} */
    let counts;
    while (group !== undefined || this.#at < end) {
      const start = this.#at;
      const [number, type] = this.#tag(end);
      if (type === END) {
        if (number === group) return;
        throw this.#stop('the end of the group that began last', start);
      }
      const field = fields.get(number);
      if (!field) {
        this.#skip(type, number, end, depth + 1);
        continue;
      }
      const many = field.fieldKind === 'list' || field.fieldKind === 'map';
      let index = 0;
      if (many) {
        counts ??= new Map();
        index = counts.get(field) ?? 0;
        counts.set(field, index + 1);
      }
      this.#path.push(`${this.#path.length > 0 ? '.' : ''}${field.name}${many ? `[${index}]` : ''}`);
      this.#field(field, type, end, depth);
      this.#path.pop();
    }
  }

  /** @param {DescField} field @param {number} type @param {number} end @param {number} depth */
  #field(field, type, end, depth) {
    const wire = wireOf(field);
    if (type !== wire) {
      if (type === BYTES && field.fieldKind === 'list' && (wire === VARINT || wire === FIXED32 || wire === FIXED64)) return this.#packed(field, wire, this.#length(end));
      this.mismatched = true;
      return this.#skip(type, field.number, end, depth + 1);
    }
    if (wire === VARINT) return this.#scalar(field, end);
    if (wire !== BYTES && wire !== GROUP) return this.#fixed(/** @type {number} */ (wire), end);
    const inner = innerOf(field);
    if (wire === GROUP) return this.#message(/** @type {Table} */ (inner), end, depth + 1, field.number);
    const after = this.#length(end);
    if (inner) this.#message(inner, after, depth + 1);
    else if (field.scalar === STRING) this.#text(field, after);
    else this.#at = after;
    return undefined;
  }

  /** @param {DescField} field @param {number} end */
  #scalar(field, end) {
    const start = this.#at;
    this.#varint(end);
    if (strict(field) && !strict(field)?.has(int32(this.#bytes, start))) this.mismatched = true;
  }

  /** @param {DescField} field @param {number} wire @param {number} end */
  #packed(field, wire, end) {
    while (this.#at < end) {
      if (wire === VARINT) this.#scalar(field, end);
      else this.#fixed(wire, end);
    }
  }

  /** @param {DescField} field @param {number} end */
  #text(field, end) {
    const text = this.#bytes.subarray(this.#at, end);
    if (field.utf8Validation !== false && utf8(text) === undefined && this.violations.length < MAX_VIOLATIONS) {
      this.violations.push(violation(this.#path.join(''), 'a string in UTF-8', `${text.length} bytes that are not UTF-8`));
    }
    this.#at = end;
  }
}

/**
 * The same message without the known fields that came with another wire type. The bytes have been checked.
 * @param {DescMessage} desc
 * @param {Uint8Array} bytes
 */
export function without(desc, bytes) {
  return Uint8Array.from(new Cleaner(bytes).message(fieldsOf(desc), bytes.length));
}

class Cleaner {
  #at = 0;
  /** The value of the map's entry that is being read. */
  #dropped = false;
  #bytes;

  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.#bytes = bytes;
  }

  /** The packed values that an enum has, from where their length stands to here. @param {Set<number>} numbers @param {number} from */
  #known(numbers, from) {
    const end = this.#at;
    this.#at = from;
    this.#number();
    const out = [];
    while (this.#at < end) {
      const start = this.#at;
      this.#number();
      if (numbers.has(int32(this.#bytes, start))) out.push(...this.#bytes.subarray(start, this.#at));
    }
    return out;
  }

  #number() {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = /** @type {number} */ (this.#bytes[this.#at++]);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
  }

  /** @param {number} type @param {number} number */
  #skip(type, number) {
    if (type === VARINT) this.#number();
    else if (type === BYTES) this.#at = this.#number() + this.#at;
    else if (type === FIXED32) this.#at += 4;
    else if (type === FIXED64) this.#at += 8;
    else for (let tag = this.#number(); tag !== number * 8 + END; tag = this.#number()) this.#skip(tag % 8, Math.floor(tag / 8));
  }

  /** @param {Table} fields @param {number} end @param {number} [group] @returns {number[]} */
  message(fields, end, group) {
    /** @type {number[]} */
    const out = [];
    while (this.#at < end) {
      const start = this.#at;
      const tag = this.#number();
      const [number, type] = [Math.floor(tag / 8), tag % 8];
      const afterTag = this.#at;
      if (group !== undefined && tag === group * 8 + END) break;
      const field = fields.get(number);
      const wire = field && wireOf(field);
      const packed = field?.fieldKind === 'list' && type === BYTES && wire !== GROUP;
      const inner = field && innerOf(field);
      if (inner && type === wire) {
        const after = type === GROUP ? end : this.#number() + this.#at;
        const body = this.message(inner, after, type === GROUP ? number : undefined);
        // An entry of a map whose value is none of its enum is unknown as a whole.
        if (this.#dropped && field.fieldKind === 'map') {
          this.#dropped = false;
          continue;
        }
        for (let at = start; at < afterTag; at++) out.push(/** @type {number} */ (this.#bytes[at]));
        if (type === BYTES) out.push(...varint(body.length));
        for (const byte of body) out.push(byte);
        if (type === GROUP) out.push(...varint(number * 8 + END));
        continue;
      }
      this.#skip(type, number);
      if (field && type !== wire && !packed) continue;
      const numbers = field && strict(field);
      if (field && numbers && type === BYTES) {
        const kept = this.#known(numbers, afterTag);
        out.push(...this.#bytes.subarray(start, afterTag), ...varint(kept.length));
        for (const byte of kept) out.push(byte);
        continue;
      }
      if (field && numbers && !numbers.has(int32(this.#bytes, afterTag))) {
        this.#dropped = /** @type {any} */ (field).ofMap === true;
        continue;
      }
      for (let at = start; at < this.#at; at++) out.push(/** @type {number} */ (this.#bytes[at]));
    }
    return out;
  }
}

/** @param {number} value */
function varint(value) {
  const out = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  return [...out, value];
}
