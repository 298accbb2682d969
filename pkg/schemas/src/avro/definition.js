// An Avro schema out of its JSON: names and namespaces resolved, everything the specification forbids refused with its place.
// Logical types are annotations: a message is checked against the type underneath.

import { pointer, refused, show } from '../violations.js';

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {Type} type
 * @property {boolean} optional it has a default
 *
 * A type. Which of the rest is there goes by `kind`.
 * @typedef {object} Type
 * @property {'null' | 'boolean' | 'int' | 'long' | 'float' | 'double' | 'bytes' | 'string' | 'array' | 'map' | 'union' | 'record' | 'enum' | 'fixed'} kind
 * @property {string} name the full name, or the kind where a type has none: what a union calls its branch
 * @property {Map<string, Field>} [fields]
 * @property {Set<string>} [symbols]
 * @property {number} [size]
 * @property {Type} [inner] of an array's items or a map's values
 * @property {Type[]} [branches]
 */

const PRIMITIVES = ['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'];
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** Levels of a definition. */
const MAX_DEPTH = 200;

/** @param {any} value */
export const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

export class Definition {
  /** @type {Map<string, Type>} */
  #named = new Map();
  /** Defaults are checked when every type is known: a record's own fields can be of its type. @type {{ type: Type, value: any, at: (string | number)[] }[]} */
  defaults = [];

  /**
   * @param {any} json
   * @param {string} namespace the enclosing one
   * @param {(string | number)[]} at
   * @returns {Type}
   */
  type(json, namespace, at) {
    if (at.length > MAX_DEPTH) throw this.#no(at.slice(0, 4), `a schema of at most ${MAX_DEPTH} levels`);
    if (typeof json === 'string') return this.#reference(json, namespace, at);
    if (Array.isArray(json)) return this.#union(json, namespace, at);
    if (!isObject(json)) throw this.#no(at, 'a type: a name, an object or an array', json);
    const kind = own(json, 'type');
    switch (kind) {
      case 'record':
      case 'error':
        return this.#record(json, namespace, at);
      case 'enum':
        return this.#enum(json, namespace, at);
      case 'fixed':
        return this.#fixed(json, namespace, at);
      case 'array':
      case 'map': {
        const key = kind === 'array' ? 'items' : 'values';
        if (!Object.hasOwn(json, key)) throw this.#no([...at, key], 'a type');
        return { kind, name: kind, inner: this.type(json[key], namespace, [...at, key]) };
      }
      case undefined:
        throw this.#no([...at, 'type'], 'a type');
      default:
        return this.type(kind, namespace, [...at, 'type']);
    }
  }

  /** @param {(string | number)[]} at @param {string} expected @param {unknown} [found] */
  #no(at, expected, found) {
    return refused(pointer(at), expected, found === undefined ? undefined : show(found));
  }

  /** @param {string} name @param {string} namespace @param {(string | number)[]} at @returns {Type} */
  #reference(name, namespace, at) {
    if (PRIMITIVES.includes(name)) return { kind: /** @type {Type['kind']} */ (name), name };
    const found = (!name.includes('.') && namespace !== '' && this.#named.get(`${namespace}.${name}`)) || this.#named.get(name.replace(/^\./, ''));
    if (!found) throw this.#no(at, 'the name of a type that is defined before', name);
    return found;
  }

  /** @param {any[]} json @param {string} namespace @param {(string | number)[]} at @returns {Type} */
  #union(json, namespace, at) {
    /** @type {Type[]} */
    const branches = [];
    for (const [index, branch] of json.entries()) {
      const place = [...at, index];
      if (Array.isArray(branch)) throw this.#no(place, 'no union directly inside a union');
      const type = this.type(branch, namespace, place);
      if (type.kind === 'union') throw this.#no(place, 'no union directly inside a union');
      if (branches.some(({ name }) => name === type.name)) throw this.#no(place, 'every type of a union once', type.name);
      branches.push(type);
    }
    return { kind: 'union', name: 'union', branches };
  }

  /**
   * The full name of a definition, and the namespace of what is inside.
   * @param {any} json @param {string} enclosing @param {(string | number)[]} at
   */
  #name(json, enclosing, at) {
    const given = own(json, 'name');
    if (typeof given !== 'string') throw this.#no([...at, 'name'], 'a name', given);
    const space = own(json, 'namespace');
    if (space !== undefined && space !== null && typeof space !== 'string') throw this.#no([...at, 'namespace'], 'a namespace', space);
    const dot = given.lastIndexOf('.');
    const namespace = dot >= 0 ? given.slice(0, dot) : space ?? enclosing;
    const simple = given.slice(dot + 1);
    if (!NAME.test(simple)) throw this.#no([...at, 'name'], 'a name of letters, digits and underscores', given);
    if (namespace !== '' && !namespace.split('.').every((/** @type {string} */ part) => NAME.test(part))) throw this.#no([...at, dot >= 0 ? 'name' : 'namespace'], 'names with dots between', namespace);
    if (namespace === '' && PRIMITIVES.includes(simple)) throw this.#no([...at, 'name'], 'a name that is no primitive type', simple);
    const full = namespace === '' ? simple : `${namespace}.${simple}`;
    if (this.#named.has(full)) throw this.#no([...at, 'name'], 'every name defined once', full);
    this.#aliases(json, at);
    return { full, namespace };
  }

  /** @param {any} json @param {(string | number)[]} at */
  #aliases(json, at) {
    const aliases = own(json, 'aliases');
    if (aliases === undefined) return;
    if (!Array.isArray(aliases)) throw this.#no([...at, 'aliases'], 'an array of names', aliases);
    for (const [index, alias] of aliases.entries()) {
      if (typeof alias !== 'string' || !alias.split('.').every((part) => NAME.test(part))) throw this.#no([...at, 'aliases', index], 'a name', alias);
    }
  }

  /** @param {any} json @param {string} enclosing @param {(string | number)[]} at @returns {Type} */
  #record(json, enclosing, at) {
    const { full, namespace } = this.#name(json, enclosing, at);
    const given = own(json, 'fields');
    if (!Array.isArray(given)) throw this.#no([...at, 'fields'], 'an array of fields', given);
    /** @type {Map<string, Field>} */
    const fields = new Map();
    /** @type {Type} */
    const record = { kind: 'record', name: full, fields };
    this.#named.set(full, record);
    for (const [index, json] of given.entries()) {
      const place = [...at, 'fields', index];
      if (!isObject(json)) throw this.#no(place, 'a field: an object', json);
      const name = own(json, 'name');
      if (typeof name !== 'string' || !NAME.test(name)) throw this.#no([...place, 'name'], 'a name of letters, digits and underscores', name);
      if (fields.has(name)) throw this.#no([...place, 'name'], 'every field once', name);
      const order = own(json, 'order');
      if (order !== undefined && !['ascending', 'descending', 'ignore'].includes(order)) throw this.#no([...place, 'order'], '"ascending", "descending" or "ignore"', order);
      this.#aliases(json, place);
      if (!Object.hasOwn(json, 'type')) throw this.#no([...place, 'type'], 'a type');
      const type = this.type(json.type, namespace, [...place, 'type']);
      const optional = Object.hasOwn(json, 'default');
      if (optional) this.defaults.push({ type, value: json.default, at: [...place, 'default'] });
      fields.set(name, { name, type, optional });
    }
    return record;
  }

  /** @param {any} json @param {string} enclosing @param {(string | number)[]} at @returns {Type} */
  #enum(json, enclosing, at) {
    const { full } = this.#name(json, enclosing, at);
    const given = own(json, 'symbols');
    if (!Array.isArray(given)) throw this.#no([...at, 'symbols'], 'an array of names', given);
    /** @type {Set<string>} */
    const symbols = new Set();
    for (const [index, symbol] of given.entries()) {
      if (typeof symbol !== 'string' || !NAME.test(symbol)) throw this.#no([...at, 'symbols', index], 'a name of letters, digits and underscores', symbol);
      if (symbols.has(symbol)) throw this.#no([...at, 'symbols', index], 'every symbol once', symbol);
      symbols.add(symbol);
    }
    const fallback = own(json, 'default');
    if (fallback !== undefined && !symbols.has(fallback)) throw this.#no([...at, 'default'], 'one of the symbols', fallback);
    /** @type {Type} */
    const type = { kind: 'enum', name: full, symbols };
    this.#named.set(full, type);
    return type;
  }

  /** @param {any} json @param {string} enclosing @param {(string | number)[]} at @returns {Type} */
  #fixed(json, enclosing, at) {
    const { full } = this.#name(json, enclosing, at);
    const size = own(json, 'size');
    if (!Number.isSafeInteger(size) || size < 0) throw this.#no([...at, 'size'], 'a number of bytes', size);
    /** @type {Type} */
    const type = { kind: 'fixed', name: full, size };
    this.#named.set(full, type);
    return type;
  }
}

/** @param {any} object @param {string} name */
function own(object, name) {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}
