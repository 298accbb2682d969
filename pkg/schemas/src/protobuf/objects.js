// Objects by protobuf's JSON mapping: what JavaScript has beside JSON becomes what the mapping asks for, and when the library refuses an
// object, every place that is wrong is found by asking it about each part.

import { fromJson } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import { MAX_VIOLATIONS, Stop, show, violation } from '../violations.js';
import { MAX_DEPTH } from './wire.js';

/** @import { DescField, DescMessage, Message, Registry } from '@bufbuild/protobuf' */
/** @import { ReflectMessage } from '@bufbuild/protobuf/reflect' */
/** @import { Violation } from '../../index.js' */

/** Messages whose JSON is not an object with their fields. */
const SPECIAL = /^google\.protobuf\.(?:Any|Timestamp|Duration|FieldMask|Struct|Value|ListValue|(?:Double|Float|U?Int64|U?Int32|Bool|String|Bytes)Value)$/;
/** FieldDescriptorProto.Type to words. */
const WORDS = [
  '', 'a number', 'a number', 'an integer of 64 bits', 'an unsigned integer of 64 bits', 'an integer of 32 bits', 'an unsigned integer of 64 bits', 'an unsigned integer of 32 bits', 'true or false',
  'a string', '', '', 'bytes or base64', 'an unsigned integer of 32 bits', '', 'an integer of 32 bits', 'an integer of 64 bits', 'an integer of 32 bits', 'an integer of 64 bits',
];
const TIMESTAMP = 'google.protobuf.Timestamp';
/** FeatureSet.FieldPresence.LEGACY_REQUIRED. */
const REQUIRED = 3;

/**
 * As JSON would hold it: bytes in base64, bigints and what is no finite number as text.
 * @param {any} value @param {string} [path] @param {number} [depth] @returns {any}
 */
export function plain(value, path = '', depth = 0) {
  if (depth > MAX_DEPTH * 2) throw new Stop(violation(path, `a message of at most ${MAX_DEPTH} levels`));
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value);
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return base64(value);
  if (value instanceof ArrayBuffer) return base64(new Uint8Array(value));
  if (typeof value.toJSON === 'function') return plain(value.toJSON(), path, depth + 1);
  if (Array.isArray(value)) return value.map((item, index) => plain(item, `${path}[${index}]`, depth + 1));
  /** @type {Record<string, any>} */
  const out = Object.create(null);
  // As JSON.stringify does; a name such as __proto__ stays one.
  for (const name of Object.keys(value)) if (value[name] !== undefined) out[name] = plain(value[name], join(path, name), depth + 1);
  return out;
}

/** @param {Uint8Array} bytes */
function base64(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

/** @param {string} path @param {string} name */
const join = (path, name) => (path === '' ? name : `${path}.${name}`);

/** @type {WeakMap<DescMessage, boolean>} */
const timed = new WeakMap();

/** Whether a timestamp can be somewhere in it. @param {DescMessage} desc @param {Set<DescMessage>} open @returns {boolean} */
function hasTime(desc, open = new Set()) {
  const known = timed.get(desc);
  if (known !== undefined) return known;
  if (open.has(desc)) return false;
  open.add(desc);
  const found = desc.typeName === TIMESTAMP || desc.fields.some((field) => field.message && hasTime(field.message, open));
  if (open.values().next().value === desc || found) timed.set(desc, found);
  return found;
}

/** A day and an hour that exist; the rest of its form is known to be right. @param {string} text */
function exists(text) {
  const [year = 0, month = 0, day = 0, hour = 0] = text.split(/[-T:]/, 4).map(Number);
  return hour < 24 && new Date(Date.UTC(2000 + (year % 400), month - 1, day)).getUTCDate() === day;
}

export class Finder {
  /** @type {Violation[]} */
  violations = [];

  /** @param {Registry} registry */
  constructor(registry) {
    this.registry = registry;
  }

  /** What the library says; undefined when it takes it. @param {DescMessage} desc @param {any} json */
  #refusal(desc, json) {
    try {
      fromJson(desc, json, { registry: this.registry });
      return undefined;
    } catch (error) {
      return String(/** @type {Error} */ (error)?.message);
    }
  }

  /** @param {string} path @param {string} expected @param {any} [found] */
  #add(path, expected, found) {
    if (this.violations.length < MAX_VIOLATIONS) this.violations.push(violation(path, expected, found === undefined ? undefined : show(found)));
  }

  /** @param {DescMessage} desc @param {any} json @param {string} path */
  message(desc, json, path) {
    if (SPECIAL.test(desc.typeName) || json === null || typeof json !== 'object' || Array.isArray(json)) {
      if (this.#refusal(desc, json) !== undefined) this.#add(path, `a ${desc.typeName} as its JSON mapping has it`, json);
      return;
    }
    const before = this.violations.length;
    for (const name of Object.keys(json)) {
      if (this.violations.length >= MAX_VIOLATIONS) return;
      const field = desc.fields.find((field) => field.jsonName === name || field.name === name);
      if (field) this.#field(desc, field, name, json[name], join(path, name));
      else if (!/^\[.*\]$/.test(name)) this.#add(join(path, name), `only fields of ${desc.typeName}`, json[name]);
      else if (this.#refusal(desc, { [name]: json[name] }) !== undefined) this.#add(join(path, name), 'an extension that is known, with a value of its type', json[name]);
    }
    // Each part is right by itself: two fields of one oneof, or one field under both of its names.
    const refusal = this.violations.length === before ? this.#refusal(desc, json) : undefined;
    if (refusal !== undefined) this.violations.push(violation(path, `a ${desc.typeName} as its JSON mapping has it`, refusal));
  }

  /** @param {DescMessage} desc @param {DescField} field @param {string} name @param {any} value @param {string} path */
  #field(desc, field, name, value, path) {
    if (value === null) return;
    if (field.fieldKind === 'list') {
      if (!Array.isArray(value)) return this.#add(path, 'an array', value);
      return value.forEach((item, index) => {
        const place = `${path}[${index}]`;
        if (field.message) this.message(field.message, item, place);
        else if (this.#refusal(desc, { [name]: [item] }) !== undefined) this.#add(place, words(field), item);
      });
    }
    if (field.fieldKind === 'map') {
      if (typeof value !== 'object' || Array.isArray(value)) return this.#add(path, 'an object', value);
      return Object.keys(value).forEach((key) => {
        const place = `${path}[${JSON.stringify(key)}]`;
        if (this.#refusal(desc, { [name]: { [key]: value[key] } }) === undefined) return;
        const before = this.violations.length;
        if (field.message) this.message(field.message, value[key], place);
        if (this.violations.length === before) this.#add(place, `a key that is ${WORDS[field.mapKey]}, with ${words(field)}`, value[key]);
      });
    }
    if (field.message) return this.message(field.message, value, path);
    if (this.#refusal(desc, { [name]: value }) !== undefined) this.#add(path, words(field), value);
    return undefined;
  }

  /** Timestamps that the platform's Date takes for another day, in an object that is otherwise right. @param {DescMessage} desc @param {any} json @param {string} [path] */
  times(desc, json, path = '') {
    if (json === null || json === undefined || !hasTime(desc)) return;
    if (desc.typeName === TIMESTAMP) {
      if (!exists(json)) this.#add(path, `a ${TIMESTAMP} as its JSON mapping has it`, json);
      return;
    }
    if (SPECIAL.test(desc.typeName)) return;
    for (const field of desc.fields) {
      const inner = field.message;
      const name = Object.hasOwn(json, field.jsonName) ? field.jsonName : field.name;
      const value = Object.hasOwn(json, name) ? json[name] : null;
      if (!inner || value === null) continue;
      const place = join(path, name);
      if (field.fieldKind === 'message') this.times(inner, value, place);
      else if (field.fieldKind === 'list') value.forEach((/** @type {any} */ item, /** @type {number} */ index) => this.times(inner, item, `${place}[${index}]`));
      else for (const key of Object.keys(value)) this.times(inner, value[key], `${place}[${JSON.stringify(key)}]`);
    }
  }

  /** Required fields that are not there, in a message that is otherwise right. @param {DescMessage} desc @param {Message} message */
  missing(desc, message) {
    if (hasRequired(desc, new Set())) this.#missing(reflect(desc, message), '');
  }

  /** @param {ReflectMessage} message @param {string} path */
  #missing(message, path) {
    for (const field of message.fields) {
      if (field.presence === REQUIRED && !message.isSet(field)) this.#add(join(path, field.name), 'a value (required)');
      if (!field.message || !message.isSet(field)) continue;
      if (field.fieldKind === 'message') this.#missing(message.get(field), join(path, field.name));
      else if (field.fieldKind === 'list') [.../** @type {any} */ (message.get(field))].forEach((item, index) => this.#missing(item, `${join(path, field.name)}[${index}]`));
      else if (field.fieldKind === 'map') for (const [key, item] of /** @type {any} */ (message.get(field))) this.#missing(item, `${join(path, field.name)}[${JSON.stringify(String(key))}]`);
    }
  }
}

/** @type {WeakMap<DescMessage, boolean>} */
const required = new WeakMap();

/** Whether there is anything required in it, however deep. @param {DescMessage} desc @param {Set<DescMessage>} open @returns {boolean} */
function hasRequired(desc, open) {
  const known = required.get(desc);
  if (known !== undefined) return known;
  if (open.has(desc)) return false;
  open.add(desc);
  const found = desc.fields.some((field) => field.presence === REQUIRED || (field.message && hasRequired(field.message, open)));
  // Inside a circle the answer can still change; the outermost one is right.
  if (open.values().next().value === desc || found) required.set(desc, found);
  return found;
}

/** @param {DescField} field */
function words(field) {
  if (field.enum) {
    const names = field.enum.values.map(({ name }) => name);
    return `${names.slice(0, 10).join(', ')}${names.length > 10 ? ', ...' : ''} or a number${field.enum.open ? ' of 32 bits' : ' of those'}`;
  }
  return field.message ? `a ${field.message.typeName}` : WORDS[/** @type {number} */ (field.scalar)] ?? '';
}
