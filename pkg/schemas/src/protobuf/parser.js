// A .proto text (proto2, proto3, edition 2023) into the descriptors that protoc would make of it, with what the grammar and a
// message's own numbers and names forbid refused. Names of types are left as written; linker.js says what they mean.

import { Lexer } from './lexer.js';

/** @import { Token } from './lexer.js' */

/**
 * A reference or a name, with where it stands.
 * @typedef {object} Pending
 * @property {any} field its descriptor
 * @property {string} scope full name of what it stands in
 * @property {number} at
 */

/** FieldDescriptorProto.Type. @type {Record<string, number>} */
export const TYPES = {
  double: 1, float: 2, int64: 3, uint64: 4, int32: 5, fixed64: 6, fixed32: 7, bool: 8, string: 9, group: 10, message: 11, bytes: 12,
  uint32: 13, enum: 14, sfixed32: 15, sfixed64: 16, sint32: 17, sint64: 18,
};
const LABELS = { optional: 1, required: 2, repeated: 3 };
const MAP_KEYS = ['int32', 'int64', 'uint32', 'uint64', 'sint32', 'sint64', 'fixed32', 'fixed64', 'sfixed32', 'sfixed64', 'bool', 'string'];
const MAX_NUMBER = 536870911;
/** Messages inside each other. */
const MAX_DEPTH = 100;

/** What each kind of declaration takes beside custom options. */
const OPTIONS = {
  file: ['java_package', 'java_outer_classname', 'java_multiple_files', 'java_generate_equals_and_hash', 'java_string_check_utf8', 'optimize_for', 'go_package', 'cc_generic_services', 'java_generic_services', 'py_generic_services', 'deprecated', 'cc_enable_arenas', 'objc_class_prefix', 'csharp_namespace', 'swift_prefix', 'php_class_prefix', 'php_namespace', 'php_generic_services', 'php_metadata_namespace', 'ruby_package'],
  message: ['message_set_wire_format', 'no_standard_descriptor_accessor', 'deprecated', 'deprecated_legacy_json_field_conflicts'],
  field: ['ctype', 'packed', 'jstype', 'lazy', 'unverified_lazy', 'deprecated', 'weak', 'debug_redact', 'retention', 'targets', 'edition_defaults', 'feature_support'],
  oneof: [],
  enum: ['allow_alias', 'deprecated', 'deprecated_legacy_json_field_conflicts'],
  value: ['deprecated', 'debug_redact', 'feature_support'],
  range: ['declaration', 'verification'],
  service: ['deprecated'],
  method: ['deprecated', 'idempotency_level'],
};
/** @type {Record<string, [string, Record<string, number>]>} */
const FEATURES = {
  field_presence: ['fieldPresence', { EXPLICIT: 1, IMPLICIT: 2, LEGACY_REQUIRED: 3 }],
  enum_type: ['enumType', { OPEN: 1, CLOSED: 2 }],
  repeated_field_encoding: ['repeatedFieldEncoding', { PACKED: 1, EXPANDED: 2 }],
  utf8_validation: ['utf8Validation', { VERIFY: 2, NONE: 3 }],
  message_encoding: ['messageEncoding', { LENGTH_PREFIXED: 1, DELIMITED: 2 }],
  json_format: ['jsonFormat', { ALLOW: 1, LEGACY_BEST_EFFORT: 2 }],
};

export class Parser {
  /** Types to look up. @type {(Pending & { type?: string, extendee?: string })[]} */
  references = [];
  /** Options of somebody's own, which must be known as well. @type {{ name: string, scope: string, at: number }[]} */
  custom = [];
  /** Full name of what is being read. */
  scope = '';
  /** Where declarations stand, for errors that are found later. @type {Map<any, number>} */
  places = new Map();
  syntax = 'proto2';

  /** @param {string} text */
  constructor(text) {
    this.lexer = new Lexer(text);
  }

  // ---- words

  /** @param {string} text */
  is(text) {
    return this.lexer.next.text === text && (this.lexer.next.kind === 'symbol' || this.lexer.next.kind === 'name');
  }

  /** @param {string} text */
  eat(text) {
    if (!this.is(text)) return false;
    this.lexer.take();
    return true;
  }

  /** @param {string} text */
  want(text) {
    if (!this.eat(text)) throw this.lexer.no(`"${text}"`);
  }

  /** @param {Token['kind']} kind @param {string} what */
  word(kind, what) {
    if (this.lexer.next.kind !== kind) throw this.lexer.no(what);
    return this.lexer.take();
  }

  name() {
    return this.word('name', 'a name').text;
  }

  /** `a.b.C`, or `.a.b.C` where a type is meant. @param {boolean} [absolute] */
  path(absolute = false) {
    let text = absolute && this.eat('.') ? '.' : '';
    do text += `${text === '' || text === '.' ? '' : '.'}${this.name()}`; while (this.eat('.'));
    return text;
  }

  strings() {
    let text = this.word('string', 'a string').text;
    while (this.lexer.next.kind === 'string') text += this.lexer.take().text;
    return text;
  }

  /** @param {number} least @param {number} most @param {string} what */
  integer(least, most, what) {
    const { at } = this.lexer.next;
    const negative = least < 0 && this.eat('-');
    const { text } = this.word('integer', what);
    const value = (negative ? -1 : 1) * (/^0\d/.test(text) ? parseInt(text, 8) : Number(text));
    if (!(value >= least && value <= most)) throw this.lexer.no(what, String(value), at);
    return value;
  }

  // ---- the file

  file() {
    /** @type {any} */
    const file = { name: 'schema.proto', package: '', dependency: [], messageType: [], enumType: [], extension: [], service: [], options: {} };
    if (this.is('syntax') || this.is('edition')) this.dialect(file);
    else file.syntax = 'proto2';
    let packaged = false;
    while (this.lexer.next.kind !== 'end') {
      if (this.eat(';')) continue;
      const { at } = this.lexer.next;
      if (this.eat('import')) {
        if (!this.eat('public')) this.eat('weak');
        const place = this.lexer.next.at;
        const name = this.strings();
        if (file.dependency.includes(name)) throw this.lexer.no('every import once', name, place);
        file.dependency.push(name);
        this.places.set(`import ${name}`, place);
        this.want(';');
      } else if (this.eat('package')) {
        if (packaged) throw this.lexer.no('one package', 'another', at);
        packaged = true;
        file.package = this.path();
        this.scope = file.package;
        this.want(';');
      } else if (this.eat('option')) {
        this.option('file', file.options);
        this.want(';');
      } else if (this.eat('message')) {
        file.messageType.push(this.message(file.package, at));
      } else if (this.eat('enum')) {
        file.enumType.push(this.enum(at));
      } else if (this.eat('extend')) {
        this.extend(file.extension, file.messageType, file.package);
      } else if (this.eat('service')) {
        this.service(file.package);
      } else {
        throw this.lexer.no('a declaration such as message, enum, import or option');
      }
    }
    return file;
  }

  /** @param {any} file */
  dialect(file) {
    const keyword = this.lexer.take().text;
    this.want('=');
    const { at } = this.lexer.next;
    const value = this.strings();
    this.want(';');
    if (keyword === 'syntax') {
      if (value !== 'proto2' && value !== 'proto3') throw this.lexer.no('"proto2" or "proto3"', value, at);
      this.syntax = value;
    } else {
      if (value !== '2023') throw this.lexer.no('edition "2023"', value, at);
      this.syntax = 'editions';
      file.edition = 1000;
    }
    file.syntax = this.syntax;
  }

  // ---- messages

  /** After the keyword. @param {string} outer full name of what it stands in @param {number} at @param {number} [depth] */
  message(outer, at, depth = 1) {
    if (depth > MAX_DEPTH) throw this.lexer.no(`messages of at most ${MAX_DEPTH} levels`, undefined, at);
    const name = this.name();
    return this.body(name, outer, at, depth);
  }

  /** @param {string} name @param {string} outer @param {number} at @param {number} depth */
  body(name, outer, at, depth) {
    /** @type {any} */
    const message = { name, field: [], extension: [], nestedType: [], enumType: [], extensionRange: [], oneofDecl: [], options: {}, reservedRange: [], reservedName: [] };
    this.places.set(message, at);
    const full = outer === '' ? name : `${outer}.${name}`;
    this.scope = full;
    this.want('{');
    while (!this.eat('}')) {
      if (this.eat(';')) continue;
      const { at } = this.lexer.next;
      if (this.lexer.next.kind === 'end') throw this.lexer.no('"}"');
      if (this.eat('message')) message.nestedType.push(this.message(full, at, depth + 1));
      else if (this.eat('enum')) message.enumType.push(this.enum(at));
      else if (this.eat('extend')) this.extend(message.extension, message.nestedType, full, depth);
      else if (this.eat('extensions')) this.ranges(message);
      else if (this.eat('reserved')) this.reserved(message.reservedRange, message.reservedName, 1, MAX_NUMBER, 1);
      else if (this.eat('oneof')) this.oneof(message, full, depth);
      else if (this.eat('option')) {
        this.option('message', message.options);
        this.want(';');
      } else this.field(message.field, message.nestedType, full, { message, depth });
    }
    this.scope = outer;
    // They come after those that are written.
    for (const field of message.field) {
      if (!field.proto3Optional) continue;
      field.oneofIndex = message.oneofDecl.length;
      message.oneofDecl.push({ name: `_${field.name}` });
    }
    this.numbers(message);
    return message;
  }

  /**
   * One field into `into`; what a group or a map needs goes into `types`.
   * @param {any[]} into @param {any[]} types @param {string} scope
   * @param {{ message?: any, oneof?: number, extendee?: string, depth: number }} where
   */
  field(into, types, scope, { message, oneof, extendee, depth }) {
    const { at } = this.lexer.next;
    if (this.is('map') && this.lexer.followedBy('<')) return this.map(into, types, scope, at, oneof !== undefined || extendee !== undefined);
    /** @type {any} */
    const field = { name: '', number: 0, label: LABELS.optional, options: {} };
    const label = /** @type {keyof typeof LABELS | undefined} */ (Object.keys(LABELS).find((label) => this.eat(label)));
    if (oneof !== undefined) {
      if (label) throw this.lexer.no('no label inside a oneof', label, at);
      field.oneofIndex = oneof;
    } else if (!label && this.syntax === 'proto2' && !this.is('group')) {
      throw this.lexer.no('a label: optional, required or repeated');
    } else if (label === 'required' && this.syntax === 'proto3') {
      throw this.lexer.no('no required fields in proto3', label, at);
    } else if (label && label !== 'repeated' && this.syntax === 'editions') {
      throw this.lexer.no('features.field_presence instead of a label', label, at);
    }
    if (label) field.label = LABELS[label];
    if (label === 'optional' && this.syntax === 'proto3' && extendee === undefined) field.proto3Optional = true;
    const group = this.is('group') && !this.lexer.followedBy('.') && this.lexer.next.kind === 'name';
    const typeAt = this.lexer.next.at;
    if (group && this.syntax !== 'proto2') throw this.lexer.no('no groups but in proto2', 'group', typeAt);
    const type = group ? this.name() : this.path(true);
    const nameAt = this.lexer.next.at;
    field.name = this.name();
    this.want('=');
    const numberAt = this.lexer.next.at;
    field.number = this.integer(1, message?.options.messageSetWireFormat || extendee ? 2 ** 31 - 2 : MAX_NUMBER, `a field number from 1 to ${MAX_NUMBER}`);
    if (field.number >= 19000 && field.number <= 19999) throw this.lexer.no('a field number outside of 19000 to 19999', String(field.number), numberAt);
    this.places.set(field, nameAt);
    const options = this.fieldOptions(field);
    if (group) {
      if (!/^[A-Z]/.test(field.name)) throw this.lexer.no('a group name that begins with a capital letter', field.name, nameAt);
      types.push(this.body(field.name, scope, nameAt, depth + 1));
      this.references.push({ field, scope, at: nameAt, type: field.name, ...(extendee === undefined ? {} : { extendee }) });
      field.type = TYPES.group;
      field.name = field.name.toLowerCase();
    } else {
      this.want(';');
      const scalar = Object.hasOwn(TYPES, type) && !['group', 'message', 'enum'].includes(type) ? TYPES[type] : undefined;
      if (scalar !== undefined) field.type = scalar;
      if (scalar === undefined || extendee !== undefined) this.references.push({ field, scope, at: typeAt, ...(scalar === undefined ? { type } : {}), ...(extendee === undefined ? {} : { extendee }) });
    }
    field.jsonName ??= jsonName(field.name);
    if (options.packed !== undefined && (field.label !== LABELS.repeated || [9, 10, 12].includes(field.type))) throw this.lexer.no('packed on repeated numbers only', field.name, nameAt);
    if (options.default) this.defaultOf(field, options.default);
    into.push(field);
    return field;
  }

  /** @param {any[]} into @param {any[]} types @param {string} scope @param {number} at @param {boolean} forbidden */
  map(into, types, scope, at, forbidden) {
    if (forbidden) throw this.lexer.no('no map in a oneof or an extension', 'map', at);
    this.name();
    this.want('<');
    const keyAt = this.lexer.next.at;
    const key = this.name();
    if (!MAP_KEYS.includes(key)) throw this.lexer.no('an integer type, bool or string as key', key, keyAt);
    this.want(',');
    const valueAt = this.lexer.next.at;
    const value = this.path(true);
    this.want('>');
    const nameAt = this.lexer.next.at;
    const name = this.name();
    this.want('=');
    const numberAt = this.lexer.next.at;
    const number = this.integer(1, MAX_NUMBER, `a field number from 1 to ${MAX_NUMBER}`);
    if (number >= 19000 && number <= 19999) throw this.lexer.no('a field number outside of 19000 to 19999', String(number), numberAt);
    const entry = `${name.replace(/(?:^|_)+([A-Za-z0-9]?)/g, (_, letter) => letter.toUpperCase())}Entry`;
    /** @type {any} */
    const field = { name, number, label: LABELS.repeated, type: TYPES.message, options: {} };
    this.places.set(field, nameAt);
    this.fieldOptions(field);
    this.want(';');
    field.jsonName ??= jsonName(name);
    const scalar = Object.hasOwn(TYPES, value) && !['group', 'message', 'enum'].includes(value) ? TYPES[value] : undefined;
    /** @type {any} */
    const second = { name: 'value', number: 2, label: LABELS.optional, jsonName: 'value', ...(scalar === undefined ? {} : { type: scalar }) };
    const type = {
      name: entry, options: { mapEntry: true }, nestedType: [], enumType: [], extension: [], oneofDecl: [], reservedRange: [], reservedName: [], extensionRange: [],
      field: [{ name: 'key', number: 1, label: LABELS.optional, type: TYPES[key], jsonName: 'key' }, second],
    };
    this.places.set(type, nameAt);
    types.push(type);
    this.references.push({ field, scope, at: nameAt, type: entry });
    if (scalar === undefined) this.references.push({ field: second, scope: scope === '' ? entry : `${scope}.${entry}`, at: valueAt, type: value });
    into.push(field);
    return field;
  }

  /** @param {any} message @param {string} full @param {number} depth */
  oneof(message, full, depth) {
    const { at } = this.lexer.next;
    const name = this.name();
    const declaration = { name, options: {} };
    this.places.set(declaration, at);
    const index = message.oneofDecl.push(declaration) - 1;
    let fields = 0;
    this.want('{');
    while (!this.eat('}')) {
      if (this.lexer.next.kind === 'end') throw this.lexer.no('"}"');
      if (this.eat('option')) {
        this.option('oneof', declaration.options);
        this.want(';');
        continue;
      }
      this.field(message.field, message.nestedType, full, { message, oneof: index, depth });
      fields += 1;
    }
    if (fields === 0) throw this.lexer.no('a oneof with at least one field', name, at);
  }

  /** @param {any[]} into @param {any[]} types @param {string} scope @param {number} [depth] */
  extend(into, types, scope, depth = 0) {
    const { at } = this.lexer.next;
    const extendee = this.path(true);
    this.want('{');
    let fields = 0;
    while (!this.eat('}')) {
      if (this.lexer.next.kind === 'end') throw this.lexer.no('"}"');
      const field = this.field(into, types, scope, { extendee, depth });
      if (field.label === LABELS.required) throw this.lexer.no('no required extensions', field.name, this.places.get(field));
      fields += 1;
    }
    if (fields === 0) throw this.lexer.no('an extension with at least one field', extendee, at);
  }

  // ---- numbers and names that are set aside

  /** @param {any} message */
  ranges(message) {
    if (this.syntax === 'proto3') throw this.lexer.no('no extension ranges in proto3');
    const { at } = this.lexer.next;
    do message.extensionRange.push(this.range(1, message.options.messageSetWireFormat ? 2 ** 31 - 2 : MAX_NUMBER, 1)); while (this.eat(','));
    if (this.eat('[')) this.optionList('range', {});
    this.want(';');
    this.places.set(message.extensionRange, at);
  }

  /** @param {number} least @param {number} most @param {number} over how far the end is past the last: 1 in messages, 0 in enums */
  range(least, most, over) {
    const { at } = this.lexer.next;
    const start = this.integer(least, most, 'a number');
    const end = this.eat('to') ? (this.eat('max') ? most : this.integer(least, most, 'a number or max')) : start;
    if (end < start) throw this.lexer.no('a range that ends after it begins', `${start} to ${end}`, at);
    return { start, end: end + over };
  }

  /** @param {any[]} ranges @param {string[]} names @param {number} least @param {number} most @param {number} over */
  reserved(ranges, names, least, most, over) {
    do {
      if (this.lexer.next.kind === 'string') names.push(this.strings());
      else if (this.syntax === 'editions' && this.lexer.next.kind === 'name') names.push(this.name());
      else ranges.push(this.range(least, most, over));
    } while (this.eat(','));
    this.want(';');
  }

  /** @param {any} message */
  numbers(message) {
    /** @type {Map<number, string>} */
    const used = new Map();
    for (const field of message.field) {
      const at = this.places.get(field);
      const other = used.get(field.number);
      if (other !== undefined) throw this.lexer.no(`every field number once (${other} has it)`, `${field.name} = ${field.number}`, at);
      used.set(field.number, field.name);
      const within = (/** @type {any} */ { start, end }) => field.number >= start && field.number < end;
      if (message.reservedRange.some(within)) throw this.lexer.no('a field number that is not reserved', `${field.name} = ${field.number}`, at);
      if (message.extensionRange.some(within)) throw this.lexer.no('a field number outside of the extension ranges', `${field.name} = ${field.number}`, at);
      if (message.reservedName.includes(field.name)) throw this.lexer.no('a field name that is not reserved', field.name, at);
    }
    const ranges = [...message.reservedRange, ...message.extensionRange].sort((a, b) => a.start - b.start);
    for (let i = 1; i < ranges.length; i++) if (ranges[i].start < ranges[i - 1].end) throw this.lexer.no('ranges that do not overlap', `${ranges[i].start}`, this.places.get(message));
  }

  // ---- enums and services

  /** After the keyword. @param {number} at */
  enum(at) {
    /** @type {any} */
    const type = { name: this.name(), value: [], options: {}, reservedRange: [], reservedName: [] };
    this.places.set(type, at);
    this.want('{');
    while (!this.eat('}')) {
      if (this.eat(';')) continue;
      if (this.lexer.next.kind === 'end') throw this.lexer.no('"}"');
      if (this.is('option') && !this.lexer.followedBy('=')) {
        this.lexer.take();
        this.option('enum', type.options);
        this.want(';');
        continue;
      }
      if (this.is('reserved') && !this.lexer.followedBy('=')) {
        this.lexer.take();
        this.reserved(type.reservedRange, type.reservedName, -(2 ** 31), 2 ** 31 - 1, 0);
        continue;
      }
      const { at } = this.lexer.next;
      const name = this.name();
      this.want('=');
      const value = { name, number: this.integer(-(2 ** 31), 2 ** 31 - 1, 'an integer of 32 bits') };
      this.places.set(value, at);
      if (this.eat('[')) this.optionList('value', {});
      this.want(';');
      type.value.push(value);
    }
    this.values(type, at);
    return type;
  }

  /** @param {any} type @param {number} at */
  values(type, at) {
    const [first] = type.value;
    if (!first) throw this.lexer.no('an enum with at least one value', type.name, at);
    if (this.syntax === 'proto3' && first.number !== 0) throw this.lexer.no('0 as the first value of an enum in proto3', String(first.number), this.places.get(first));
    /** @type {Set<number>} */
    const used = new Set();
    for (const value of type.value) {
      const place = this.places.get(value);
      if (used.has(value.number) && !type.options.allowAlias) throw this.lexer.no('every number once (or option allow_alias)', `${value.name} = ${value.number}`, place);
      used.add(value.number);
      if (type.reservedRange.some((/** @type {any} */ { start, end }) => value.number >= start && value.number <= end)) throw this.lexer.no('a number that is not reserved', `${value.name} = ${value.number}`, place);
      if (type.reservedName.includes(value.name)) throw this.lexer.no('a name that is not reserved', value.name, place);
    }
  }

  /** Nothing of it is needed, but it must be right. @param {string} scope */
  service(scope) {
    this.name();
    this.want('{');
    while (!this.eat('}')) {
      if (this.eat(';')) continue;
      if (this.eat('option')) {
        this.option('service', {});
        this.want(';');
        continue;
      }
      this.want('rpc');
      this.name();
      for (const end of ['returns', '']) {
        this.want('(');
        this.eat('stream');
        const { at } = this.lexer.next;
        this.references.push({ field: undefined, scope, at, type: this.path(true) });
        this.want(')');
        if (end !== '') this.want(end);
      }
      if (this.eat(';')) continue;
      this.want('{');
      while (!this.eat('}')) {
        if (this.eat(';')) continue;
        this.want('option');
        this.option('method', {});
        this.want(';');
      }
    }
  }

  // ---- options

  /** @param {any} field */
  fieldOptions(field) {
    return this.eat('[') ? this.optionList('field', field.options, field) : {};
  }

  /** After the bracket. @param {keyof typeof OPTIONS} kind @param {any} options @param {any} [field] @returns {{ packed?: boolean, default?: Token }} */
  optionList(kind, options, field) {
    const found = {};
    do this.option(kind, options, field, found); while (this.eat(','));
    this.want(']');
    return found;
  }

  /**
   * One option, of which only what changes a verdict is kept.
   * @param {keyof typeof OPTIONS} kind @param {any} options @param {any} [field] @param {{ packed?: boolean, default?: Token }} [found]
   */
  option(kind, options, field, found = {}) {
    const { at } = this.lexer.next;
    const custom = this.is('(');
    let name = '';
    do {
      if (this.eat('(')) {
        const place = this.lexer.next.at;
        const own = this.path(true);
        this.custom.push({ name: own, scope: this.scope, at: place });
        name += `(${own})`;
        this.want(')');
      } else {
        name += `${name === '' ? '' : '.'}${this.name()}`;
      }
    } while (this.eat('.'));
    this.want('=');
    const value = this.constant();
    if (custom) return;
    const flag = () => {
      if (value.kind !== 'name' || !['true', 'false'].includes(value.text)) throw this.lexer.no('true or false', value.text, value.at);
      return value.text === 'true';
    };
    if (name === 'default' && field) {
      found.default = value;
    } else if (name === 'json_name' && field) {
      if (value.kind !== 'string') throw this.lexer.no('a string', value.text, value.at);
      field.jsonName = value.text;
    } else if (name.startsWith('features.')) {
      const [key, values] = FEATURES[name.slice(9)] ?? [];
      if (this.syntax !== 'editions' || !key || values?.[value.text] === undefined) throw this.lexer.no('a feature of edition 2023', `${name} = ${value.text}`, at);
      (options.features ??= {})[key] = values[value.text];
    } else if (!OPTIONS[kind].includes(/** @type {never} */ (name))) {
      throw this.lexer.no(`an option of a ${kind} that exists`, name, at);
    } else if (name === 'packed') {
      if (this.syntax === 'editions') throw this.lexer.no('features.repeated_field_encoding instead of packed', name, at);
      options.packed = found.packed = flag();
    } else if (name === 'allow_alias') {
      options.allowAlias = flag();
    } else if (name === 'message_set_wire_format') {
      options.messageSetWireFormat = flag();
    } else if (name === 'deprecated') {
      flag();
    }
  }

  /** @returns {Token} */
  constant() {
    const { next } = this.lexer;
    if (next.kind === 'string') return { ...next, text: this.strings() };
    if (next.kind === 'name') return { ...next, text: this.path() };
    if (this.eat('{')) {
      this.aggregate();
      return { ...next, text: '{' };
    }
    const sign = this.eat('-') ? '-' : this.eat('+') ? '+' : '';
    const { kind, text } = this.lexer.next;
    if (kind !== 'integer' && kind !== 'float' && !(kind === 'name' && ['inf', 'nan'].includes(text))) throw this.lexer.no('a value');
    this.lexer.take();
    return { kind: kind === 'name' ? 'float' : kind, text: sign + text, at: next.at };
  }

  /** A message in text form is jumped over: only custom options have them. */
  aggregate() {
    for (let depth = 1; depth > 0;) {
      const { kind, text } = this.lexer.next;
      if (kind === 'end') throw this.lexer.no('"}"');
      if (kind === 'symbol' && text === '{') depth += 1;
      if (kind === 'symbol' && text === '}') depth -= 1;
      this.lexer.take();
    }
  }

  /** @param {any} field @param {Token} value */
  defaultOf(field, value) {
    const { type } = field;
    const no = (/** @type {string} */ expected) => this.lexer.no(expected, value.text, value.at);
    if (this.syntax === 'proto3') throw no('no default values in proto3');
    if (field.label === LABELS.repeated || type === TYPES.group) throw no('a default value on a single value only');
    if (type === TYPES.string || type === TYPES.bytes) {
      if (value.kind !== 'string') throw no('a string');
    } else if (type === TYPES.bool) {
      if (value.kind !== 'name' || !['true', 'false'].includes(value.text)) throw no('true or false');
    } else if (type === TYPES.double || type === TYPES.float) {
      if (!['integer', 'float'].includes(value.kind) && !['inf', 'nan'].includes(value.text)) throw no('a number');
    } else if (type === undefined) {
      if (value.kind !== 'name') throw no('the name of an enum value');
      field.wantedDefault = value;
    } else {
      if (value.kind !== 'integer') throw no('an integer');
      const wide = [3, 4, 6, 16, 18].includes(type);
      const unsigned = [4, 6, 7, 13].includes(type);
      const bits = wide ? 64n : 32n;
      const number = (value.text.startsWith('-') ? -1n : 1n) * BigInt(value.text.replace(/^[-+]/, '').replace(/^0(?=\d)/, '0o'));
      if (number < (unsigned ? 0n : -(1n << (bits - 1n))) || number >= 1n << (unsigned ? bits : bits - 1n)) throw no(`a value within ${bits} bits`);
    }
  }
}

/** As protobuf derives it: `_x` becomes `X`. @param {string} name */
export function jsonName(name) {
  return name.replace(/_+(\w?)/g, (_, letter) => letter.toUpperCase());
}
