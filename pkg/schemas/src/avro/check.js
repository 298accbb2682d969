// A JSON value against an Avro type. In a union a value stands by itself, as applications write it, or under its branch's name, as
// Avro's JSON encoding has it: both fit.

import { MAX_VIOLATIONS, Stop, pointer, show, violation } from '../violations.js';
import { isObject } from './definition.js';

/** @import { Violation } from '../../index.js' */
/** @import { Type } from './definition.js' */

/** Values inside each other. */
const MAX_DEPTH = 500;
/** Types tried for one message, and how many more for each of its bytes: unions inside unions can ask for any number. */
const MAX_WORK = 1_000_000;
const MAX_WORK_A_BYTE = 100;

const INT = 2 ** 31;
const LONG = 2n ** 63n;

const EXPECTED = {
  null: 'null', boolean: 'a boolean', int: 'an integer of 32 bits', long: 'an integer of 64 bits', float: 'a number', double: 'a number',
  bytes: 'bytes: a string of characters up to U+00FF', string: 'a string', array: 'an array', map: 'an object',
};

/** @param {any} value */
const isBytes = (value) => typeof value === 'string' && !/[^\u0000-\u00ff]/.test(value);

/** @type {Record<string, (value: any) => boolean>} */
const PRIMITIVES = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  int: (value) => Number.isInteger(value) && value >= -INT && value < INT,
  long: (value) => Number.isSafeInteger(value) || (typeof value === 'bigint' && value >= -LONG && value < LONG) || (Number.isInteger(value) && Math.abs(value) < 2 ** 63),
  float: (value) => typeof value === 'bigint' || Number.isFinite(value),
  double: (value) => typeof value === 'bigint' || Number.isFinite(value),
  bytes: isBytes,
  string: (value) => typeof value === 'string',
};

export class Check {
  /** @type {Violation[]} */
  violations = [];
  /** @type {(string | number)[]} */
  #path;
  /** While above 0 only the verdict counts. */
  #quiet = 0;
  #work;
  #depth = 0;

  /** @param {number} size @param {(string | number)[]} [path] */
  constructor(size, path = []) {
    this.#work = MAX_WORK + size * MAX_WORK_A_BYTE;
    this.#path = path;
  }

  /** @param {string} expected @param {unknown} found @returns {false} */
  #fail(expected, found) {
    if (!this.#over) this.violations.push(violation(pointer(this.#path), expected, found === undefined ? undefined : show(found)));
    return false;
  }

  get #over() {
    return this.#quiet > 0 || this.violations.length >= MAX_VIOLATIONS;
  }

  /** @param {Type} type @param {any} value @returns {boolean} */
  check(type, value) {
    if (--this.#work < 0) throw new Stop(violation('', 'a message that can be checked in reasonable time against this schema'));
    const primitive = PRIMITIVES[type.kind];
    if (primitive) return primitive(value) || this.#fail(EXPECTED[/** @type {keyof typeof EXPECTED} */ (type.kind)], value);
    if (++this.#depth > MAX_DEPTH) throw new Stop(violation(pointer(this.#path), `a message of at most ${MAX_DEPTH} levels`));
    const good = this.#complex(type, value);
    this.#depth -= 1;
    return good;
  }

  /** @param {Type} type @param {any} value @returns {boolean} */
  #complex(type, value) {
    switch (type.kind) {
      case 'array':
        if (!Array.isArray(value)) return this.#fail(EXPECTED.array, value);
        return this.#every(value.entries(), type);
      case 'map':
        if (!isObject(value)) return this.#fail(EXPECTED.map, value);
        return this.#every(Object.entries(value), type);
      case 'enum': {
        const symbols = [.../** @type {Set<string>} */ (type.symbols)];
        return type.symbols?.has(value) || this.#fail(`one of ${symbols.slice(0, 10).join(', ')}${symbols.length > 10 ? ', ...' : ''}`, value);
      }
      case 'fixed':
        return (isBytes(value) && value.length === type.size) || this.#fail(`${type.size} bytes: a string of ${type.size} characters up to U+00FF`, value);
      case 'record':
        return this.#record(type, value);
      default:
        return this.#union(/** @type {Type[]} */ (type.branches), value);
    }
  }

  /** @param {Iterable<[string | number, any]>} entries @param {Type} type */
  #every(entries, type) {
    let good = true;
    for (const [key, value] of entries) {
      if (this.#below(/** @type {Type} */ (type.inner), value, key)) continue;
      good = false;
      if (this.#over) break;
    }
    return good;
  }

  /** @param {Type} type @param {any} value @param {string | number} key */
  #below(type, value, key) {
    this.#path.push(key);
    const good = this.check(type, value);
    this.#path.pop();
    return good;
  }

  /** @param {Type} type @param {any} value */
  #record(type, value) {
    if (!isObject(value)) return this.#fail(`an object: the record ${type.name}`, value);
    const fields = /** @type {NonNullable<Type['fields']>} */ (type.fields);
    let good = true;
    for (const field of fields.values()) {
      if (this.#over && !good) return false;
      if (Object.hasOwn(value, field.name)) good = this.#below(field.type, value[field.name], field.name) && good;
      else if (!field.optional) good = this.#at(field.name, 'a value (the field has no default)', undefined);
    }
    for (const name of Object.keys(value)) if (!fields.has(name)) good = this.#at(name, `only fields of the record ${type.name}`, value[name]);
    return good;
  }

  /** @param {string} key @param {string} expected @param {unknown} found */
  #at(key, expected, found) {
    this.#path.push(key);
    this.#fail(expected, found);
    this.#path.pop();
    return false;
  }

  /** @param {Type[]} branches @param {any} value */
  #union(branches, value) {
    this.#quiet += 1;
    const good = branches.some((branch) => this.check(branch, value)) || this.#tagged(branches, value);
    this.#quiet -= 1;
    return good || this.#explain(branches, value);
  }

  /** `{"branch": value}`. @param {Type[]} branches @param {any} value */
  #tagged(branches, value) {
    const branch = this.#named(branches, value);
    return branch !== undefined && this.#below(branch, value[branch.name], branch.name);
  }

  /** @param {Type[]} branches @param {any} value */
  #named(branches, value) {
    const names = isObject(value) ? Object.keys(value) : [];
    return names.length === 1 ? branches.find(({ kind, name }) => kind !== 'null' && name === names[0]) : undefined;
  }

  /**
   * No branch fits. Where the value names one, or could only be meant for one, what is wrong inside says more.
   * @param {Type[]} branches @param {any} value @returns {false}
   */
  #explain(branches, value) {
    if (this.#over) return false;
    if (this.#named(branches, value)) {
      this.#tagged(branches, value);
      return false;
    }
    const shaped = branches.filter(({ kind }) => (kind === 'array' ? Array.isArray(value) : (kind === 'record' || kind === 'map') && isObject(value)));
    const [only] = shaped;
    if (shaped.length === 1 && only) return this.check(only, value) && false;
    return this.#fail(`one of ${branches.map(({ name }) => name).join(', ')}`, value);
  }
}
