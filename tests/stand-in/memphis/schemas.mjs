// What the broker does with the text of a new schema (memphis.md 6.6): its own checks, with its own words.

import { tool } from '../../../scripts/lib/tools.mjs';

const protobuf = await tool('protobufjs').then((/** @type {any} */ module) => module.default ?? module);
const graphql = /** @type {any} */ (await tool('graphql'));

const AVRO = ['record', 'enum', 'array', 'map', 'fixed', 'null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'];

/**
 * The version's parts, or the broker's refusal.
 * @param {string} type @param {string} content @param {string} name
 */
export function described(type, content, name) {
  if (content === '') throw new Error('your schema content is invalid');
  switch (type) {
    case 'protobuf': return proto(content, name);
    case 'json':
      return plain(content, () => {
        const schema = JSON.parse(content);
        const types = ['object', 'array', 'string', 'number', 'integer', 'boolean', 'null'];
        const given = schema?.type === undefined ? [] : [schema.type].flat();
        if (typeof schema !== 'object' || schema === null || given.some((/** @type {unknown} */ one) => !types.includes(String(one)) || typeof one !== 'string')) throw new Error('no schema');
      }, () => 'your json schema is invalid');
    case 'graphql': return plain(content, () => graphql.buildSchema(content), (error) => error.message);
    case 'avro':
      return plain(content, () => {
        const schema = JSON.parse(content);
        if (typeof schema === 'object' && schema.type === 'record' && !Array.isArray(schema.fields)) throw new Error('record without fields');
        if (typeof schema === 'object' && !Array.isArray(schema) && !AVRO.includes(schema.type)) throw new Error(`avro: unknown type: ${schema.type}`);
      }, (error) => `your Avro file is invalid: ${error.message}`);
    default: throw new Error(`invalid input value for enum enum_type: "${type}"`);
  }
}

/** @param {string} content @param {() => unknown} check @param {(error: Error) => string} words */
function plain(content, check, words) {
  try {
    check();
  } catch (error) {
    throw new Error(words(/** @type {Error} */ (error)));
  }
  return { content, descriptor: '', message: '' };
}

/** @param {string} content @param {string} name */
function proto(content, name) {
  let parsed;
  try {
    parsed = protobuf.parse(content, { keepCase: true });
  } catch (error) {
    throw new Error(`your Proto file is invalid: ${/** @type {Error} */ (error).message}`);
  }
  const root = parsed.root.resolveAll();
  const space = parsed.package ? root.lookup(parsed.package) : root;
  const [first] = space.nestedArray.filter((/** @type {any} */ one) => one instanceof protobuf.Type);
  // The real broker crashes here; a stand-in that does the same would only end the test.
  if (!first) throw new Error('the broker would crash: a protobuf schema without a message');
  const syntax = /syntax\s*=\s*["']proto3["']/.test(content) ? 'proto3' : '';
  return { content, descriptor: descriptor(parsed, space, name, syntax), message: first.name };
}

const TYPES = { double: 1, float: 2, int64: 3, uint64: 4, int32: 5, fixed64: 6, fixed32: 7, bool: 8, string: 9, bytes: 12, uint32: 13, sfixed32: 15, sfixed64: 16, sint32: 17, sint64: 18 };

/**
 * A FileDescriptorSet with the one file, as protoc writes it: messages, enums and fields, in base64.
 * @param {any} parsed @param {any} space @param {string} name @param {string} syntax
 */
function descriptor(parsed, space, name, syntax) {
  const schema = protobuf.parse(`syntax = "proto3"; package g;
    message Set { repeated File file = 1; }
    message File { string name = 1; string package = 2; repeated Message message_type = 4; repeated Enum enum_type = 5; string syntax = 12; }
    message Message { string name = 1; repeated Field field = 2; repeated Message nested_type = 3; repeated Enum enum_type = 4; Options options = 7; repeated OneOf oneof_decl = 8; }
    message Options { optional bool map_entry = 7; }
    message OneOf { string name = 1; }
    message Field { string name = 1; int32 number = 3; int32 label = 4; int32 type = 5; string type_name = 6; optional int32 oneof_index = 9; string json_name = 10; optional bool proto3_optional = 17; }
    message Enum { string name = 1; repeated Value value = 2; }
    message Value { string name = 1; int32 number = 2; }`).root;
  const enumOf = (/** @type {any} */ one) => ({ name: one.name, value: Object.entries(one.values).map(([key, number]) => ({ name: key, number })) });
  const messageOf = (/** @type {any} */ type) => {
    /** @type {any[]} */
    const entries = [];
    const oneofs = type.oneofsArray.map((/** @type {any} */ one) => ({ name: one.name }));
    const field = type.fieldsArray.map((/** @type {any} */ one) => {
      const made = { name: one.name, number: one.id, jsonName: camel(one.name), label: one.required ? 2 : one.repeated || one.map ? 3 : 1, ...typed(one) };
      if (one.partOf) Object.assign(made, { oneofIndex: type.oneofsArray.indexOf(one.partOf), ...(one.options?.proto3_optional ? { proto3Optional: true } : {}) });
      if (one.map) {
        const entry = `${one.name.replace(/(^|_)(.)/g, (/** @type {string} */ _all, /** @type {string} */ _bar, /** @type {string} */ letter) => letter.toUpperCase())}Entry`;
        entries.push({ name: entry, options: { mapEntry: true }, field: [{ name: 'key', number: 1, label: 1, type: TYPES[/** @type {keyof typeof TYPES} */ (one.keyType)] }, { name: 'value', number: 2, label: 1, ...typed(one) }] });
        Object.assign(made, { type: 11, typeName: `${type.fullName}.${entry}` });
      }
      return made;
    });
    return {
      name: type.name, field, oneofDecl: oneofs, nestedType: [...type.nestedArray.filter((/** @type {any} */ one) => one instanceof protobuf.Type).map(messageOf), ...entries],
      enumType: type.nestedArray.filter((/** @type {any} */ one) => one instanceof protobuf.Enum).map(enumOf),
    };
  };
  const file = {
    name: `${name}_1.proto`, package: parsed.package ?? '', syntax,
    messageType: space.nestedArray.filter((/** @type {any} */ one) => one instanceof protobuf.Type).map(messageOf),
    enumType: space.nestedArray.filter((/** @type {any} */ one) => one instanceof protobuf.Enum).map(enumOf),
  };
  const set = schema.lookupType('g.Set');
  return Buffer.from(set.encode(set.fromObject({ file: [file] })).finish()).toString('base64');
}

/** @param {string} name */
const camel = (name) => name.replace(/_(.)/g, (_all, letter) => letter.toUpperCase());

/** @param {any} field */
function typed(field) {
  field.resolve();
  const scalar = TYPES[/** @type {keyof typeof TYPES} */ (field.type)];
  if (scalar) return { type: scalar };
  return { type: field.resolvedType instanceof protobuf.Enum ? 14 : 11, typeName: field.resolvedType.fullName };
}
