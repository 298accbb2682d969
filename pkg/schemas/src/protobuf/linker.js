// What the names in a parsed .proto text mean, and what may not carry the same name. Imports are the well-known types; other files
// are not fetched.

import { Parser, TYPES, jsonName } from './parser.js';
import { wellKnown } from './wellknown.js';

/** FieldDescriptorProto.Label.REPEATED. */
const REPEATED = 3;
/** FeatureSet.FieldPresence. */
const IMPLICIT = 2;

/**
 * @param {string} text
 * @returns {any} what a FileDescriptorProto is made from
 */
export function parseProto(text) {
  const parser = new Parser(text);
  const file = parser.file();
  new Linker(parser, file).link();
  return file;
}

class Linker {
  /** Full name to what it is, and the descriptor of a message or an enum of this text. @type {Map<string, { kind: string, type?: any, closed?: boolean }>} */
  #symbols = new Map();

  /** @param {Parser} parser @param {any} file */
  constructor(parser, file) {
    this.parser = parser;
    this.file = file;
  }

  link() {
    for (const name of this.file.dependency) this.#import(name);
    this.#package(this.file.package);
    for (const type of this.file.enumType) this.#enum(type, this.file.package);
    for (const type of this.file.messageType) this.#message(type, this.file.package);
    for (const field of this.file.extension) this.#add(this.file.package, field, 'extension');
    for (const reference of this.parser.references) this.#resolve(reference);
    for (const { name, scope, at } of this.parser.custom) this.#find(name, scope, at, ['extension'], 'an option that is defined');
  }

  /** @param {string} name */
  #import(name) {
    const proto = wellKnown(name);
    if (!proto) throw this.#no(this.parser.places.get(`import ${name}`), 'an import of google/protobuf (other files are not fetched)', name);
    this.#package(proto.package);
    for (const type of proto.enumType) this.#symbols.set(`${proto.package}.${type.name}`, { kind: 'enum', closed: proto.syntax !== 'proto3' });
    const messages = (/** @type {any[]} */ types, /** @type {string} */ scope) => {
      for (const type of types) {
        this.#symbols.set(`${scope}.${type.name}`, { kind: 'message', type });
        messages(type.nestedType, `${scope}.${type.name}`);
        for (const inner of type.enumType) this.#symbols.set(`${scope}.${type.name}.${inner.name}`, { kind: 'enum', closed: proto.syntax !== 'proto3' });
      }
    };
    messages(proto.messageType, proto.package);
  }

  /** @param {string} name */
  #package(name) {
    const parts = name === '' ? [] : name.split('.');
    for (let i = 1; i <= parts.length; i++) this.#symbols.set(parts.slice(0, i).join('.'), { kind: 'package' });
  }

  /** @param {number | undefined} at @param {string} expected @param {string} found */
  #no(at, expected, found) {
    return this.parser.lexer.no(expected, found, at ?? 0);
  }

  /** @param {string} scope @param {any} declared @param {string} kind @param {any} [more] */
  #add(scope, declared, kind, more) {
    const full = scope === '' ? declared.name : `${scope}.${declared.name}`;
    const there = this.#symbols.get(full);
    if (there && !(there.kind === 'package' && kind === 'package')) throw this.#no(this.parser.places.get(declared), `every name once (${full} is there already)`, declared.name);
    this.#symbols.set(full, { kind, ...more });
    return full;
  }

  /** @param {any} type @param {string} scope */
  #enum(type, scope) {
    const closed = type.options.features?.enumType === 2 || (this.parser.syntax === 'proto2') || (type.options.features?.enumType === undefined && this.file.options.features?.enumType === 2);
    this.#add(scope, type, 'enum', { type, closed });
    const [first] = type.value;
    if (!closed && first.number !== 0) throw this.#no(this.parser.places.get(first), '0 as the first value of an open enum', String(first.number));
    // Values are siblings of their enum, as in C++.
    for (const value of type.value) this.#add(scope, value, 'value');
  }

  /** @param {any} message @param {string} scope */
  #message(message, scope) {
    const full = this.#add(scope, message, 'message', { type: message });
    for (const type of message.enumType) this.#enum(type, full);
    for (const type of message.nestedType) this.#message(type, full);
    for (const oneof of message.oneofDecl) this.#add(full, oneof, 'oneof');
    for (const field of message.extension) this.#add(full, field, 'extension');
    /** @type {Map<string, string>} */
    const names = new Map();
    for (const field of message.field) {
      this.#add(full, field, 'field');
      const other = names.get(field.jsonName);
      // Proto2 has always let it pass, unless it was asked for by name.
      if (other !== undefined && (this.parser.syntax !== 'proto2' || field.jsonName !== jsonName(field.name))) throw this.#no(this.parser.places.get(field), `every JSON name once (${other} has it)`, `${field.name} as "${field.jsonName}"`);
      names.set(field.jsonName, field.name);
    }
  }

  /** @param {import('./parser.js').Parser['references'][number]} reference */
  #resolve({ field, scope, at, type, extendee }) {
    if (type !== undefined) {
      const [full, symbol] = this.#find(type, scope, at);
      if (!field) {
        if (symbol.kind !== 'message') throw this.#no(at, 'a message', type);
        return;
      }
      field.typeName = `.${full}`;
      if (symbol.kind === 'enum') {
        field.type = TYPES.enum;
        if (this.#isMapValue(field, scope) && symbol.type && symbol.type.value[0].number !== 0) throw this.#no(at, 'an enum that begins with 0, in a map', type);
        const presence = field.options?.features?.fieldPresence ?? this.file.options.features?.fieldPresence;
        if (presence === IMPLICIT && symbol.closed && field.label !== REPEATED && field.oneofIndex === undefined && extendee === undefined) throw this.#no(at, 'an open enum, since the field has no presence', type);
        if (this.parser.syntax === 'proto3' && symbol.closed) throw this.#no(at, 'an enum of proto3', type);
        const wanted = field.wantedDefault;
        if (wanted && symbol.type && !symbol.type.value.some((/** @type {any} */ { name }) => name === wanted.text)) throw this.#no(wanted.at, `a value of ${full}`, wanted.text);
      } else {
        field.type ??= TYPES.message;
        if (field.wantedDefault) throw this.#no(field.wantedDefault.at, 'no default value on a message', field.wantedDefault.text);
        if (field.options?.packed !== undefined) throw this.#no(at, 'packed on repeated numbers only', field.name);
        if (symbol.type?.options?.mapEntry && field.label !== REPEATED) throw this.#no(at, 'a type that is not made for a map', type);
      }
      delete field.wantedDefault;
    }
    if (extendee !== undefined) {
      const [full, symbol] = this.#find(extendee, scope, at);
      if (symbol.kind !== 'message') throw this.#no(at, 'a message to extend', extendee);
      if (!symbol.type?.extensionRange.some((/** @type {any} */ { start, end }) => field.number >= start && field.number < end)) throw this.#no(this.parser.places.get(field), `a number in the extension ranges of ${full}`, String(field.number));
      field.extendee = `.${full}`;
    }
  }

  /**
   * From the innermost scope outwards; the first part of a name decides which scope it is.
   * @param {string} name @param {string} scope @param {number} at
   * @param {string[]} [kinds] what is looked for
   * @param {string} [expected]
   * @returns {[string, { kind: string, type?: any, closed?: boolean }]}
   */
  #find(name, scope, at, kinds = ['message', 'enum'], expected = 'a type that is defined or imported') {
    const isType = (/** @type {{ kind: string } | undefined} */ symbol) => symbol !== undefined && kinds.includes(symbol.kind);
    const holds = (/** @type {{ kind: string } | undefined} */ symbol) => symbol !== undefined && ['message', 'enum', 'package'].includes(symbol.kind);
    if (name.startsWith('.')) {
      const symbol = this.#symbols.get(name.slice(1));
      if (!symbol || !isType(symbol)) throw this.#no(at, expected, name);
      return [name.slice(1), symbol];
    }
    const [first = '', ...rest] = name.split('.');
    for (let outer = scope; ; outer = outer.slice(0, Math.max(0, outer.lastIndexOf('.')))) {
      const prefix = outer === '' ? '' : `${outer}.`;
      const found = this.#symbols.get(prefix + first);
      if (rest.length === 0 ? isType(found) : holds(found)) {
        const symbol = this.#symbols.get(prefix + name);
        if (symbol && isType(symbol)) return [prefix + name, symbol];
        if (found?.kind !== 'package') break;
      }
      if (outer === '') break;
    }
    throw this.#no(at, expected, name);
  }

  /** @param {any} field @param {string} scope of the entry */
  #isMapValue(field, scope) {
    const entry = this.#symbols.get(scope)?.type;
    return entry?.options?.mapEntry === true && entry.field.includes(field);
  }
}
