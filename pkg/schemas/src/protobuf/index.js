// The protobuf engine: .proto text or a descriptor set, the binary form and the JSON mapping. Descriptors, encoding and decoding are
// @bufbuild/protobuf; the parser of .proto texts and what tells places are here.

import { create, createFileRegistry, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { SchemaError, compiled, refused, schema, show, violation } from '../violations.js';
import { fields } from './fallback.js';
import { parseProto } from './linker.js';
import { Finder, plain } from './objects.js';
import { wellKnown } from './wellknown.js';
import { Wire, without } from './wire.js';

/** @import { DescFile, DescMessage, FileRegistry } from '@bufbuild/protobuf' */
/** @import { FileDescriptorProto } from '@bufbuild/protobuf/wkt' */
/** @import { Engine, Extra } from '../../index.js' */
/** @import { Outcome } from '../violations.js' */

/** @type {Engine} */
export const engine = {
  type: 'protobuf',
  compile(definition, extra = {}) {
    const { registry, desc } = compiled(() => pickFrom(definition, extra));
    return schema({ type: 'protobuf', message: desc.typeName, read: (bytes) => read(desc, registry, bytes), write: (value) => write(desc, registry, value) });
  },
};

/** @param {string} definition @param {Extra} extra */
function pickFrom(definition, extra) {
  const given = extra.descriptor || (typeof definition === 'string' ? undefined : definition);
  const set = given ? setBytes(given) : fromText(definition);
  return set ? fromSet(set, extra.message) : pick(build(create(FileDescriptorProtoSchema, parseProto(definition)), () => undefined), extra.message);
}

/** @param {DescMessage} desc @param {FileRegistry} registry @param {Uint8Array} bytes @returns {Outcome} */
function read(desc, registry, bytes) {
  const wire = new Wire(bytes);
  wire.check(desc);
  if (wire.violations.length > 0) return { violations: wire.violations };
  const message = fromBinary(desc, wire.mismatched ? without(desc, bytes) : bytes);
  const finder = new Finder(registry);
  finder.missing(desc, message);
  if (finder.violations.length > 0) return { violations: finder.violations };
  return {
    // Only decode() needs it.
    get value() {
      try {
        return toJson(desc, message, { registry });
      } catch {
        // An Any of a type that is not here, a timestamp past the year 9999: parsed, but without a JSON form.
        return fields(desc, message, registry);
      }
    },
    violations: [],
  };
}

/** @param {DescMessage} desc @param {FileRegistry} registry @param {unknown} value @returns {Outcome} */
function write(desc, registry, value) {
  const json = plain(value);
  const finder = new Finder(registry);
  let message;
  try {
    message = fromJson(desc, json, { registry });
  } catch {
    finder.message(desc, json, '');
    return { violations: finder.violations.length > 0 ? finder.violations : [violation('', `a ${desc.typeName}`, show(json))] };
  }
  finder.times(desc, json);
  finder.missing(desc, message);
  if (finder.violations.length > 0) return { violations: finder.violations };
  return { bytes: toBinary(desc, message), violations: [] };
}

/** A definition that is a descriptor set in base64: one word of a kind that begins no .proto text. @param {string} text */
function fromText(text) {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return setBytes(text);
}

/** @param {string | Uint8Array} given */
function setBytes(given) {
  if (typeof given !== 'string') return given;
  try {
    return Uint8Array.from(atob(given), (letter) => letter.charCodeAt(0));
  } catch {
    throw refused('', 'a descriptor set in base64', show(given));
  }
}

/** @param {Uint8Array} bytes @param {string} [message] */
function fromSet(bytes, message) {
  let set;
  try {
    new Wire(bytes).check(FileDescriptorSetSchema);
    set = fromBinary(FileDescriptorSetSchema, bytes);
  } catch {
    throw refused('', 'a FileDescriptorSet', `${bytes.length} bytes that are none`);
  }
  // The first one, but for sets that begin with what it imports; others count when they have the message that is asked for.
  const imported = new Set(set.file.flatMap(({ dependency }) => dependency));
  const files = set.file.filter(({ name }) => !imported.has(name)).map((proto) => build(proto, (name) => set.file.find((file) => file.name === name)));
  const [first] = files;
  if (!first) throw refused('', 'a FileDescriptorSet with a file', 'none');
  return pick(files.find((built) => message && find(built, message)) ?? first, message);
}

/** @param {FileDescriptorProto} proto @param {(name: string) => FileDescriptorProto | undefined} find */
function build(proto, find) {
  try {
    const registry = createFileRegistry(proto, (name) => find(name) ?? wellKnown(name));
    return { registry, file: /** @type {DescFile} */ (registry.getFile(proto.name) ?? [...registry.files].at(-1)) };
  } catch (error) {
    if (error instanceof SchemaError) throw error;
    throw refused('', 'descriptors that fit together', String(/** @type {Error} */ (error)?.message));
  }
}

/** @typedef {{ registry: FileRegistry, file: DescFile }} Built */

/** By its short or its full name. @param {Built} built @param {string} name */
function find({ registry, file }, name) {
  const { package: scope } = file.proto;
  return registry.getMessage(scope === '' ? name : `${scope}.${name}`) ?? registry.getMessage(name.replace(/^\./, ''));
}

/** The message that is asked for, else the first of the file. @param {Built} built @param {string} [name] */
function pick(built, name) {
  const { registry, file } = built;
  const [first] = file.messages;
  if (!first) throw refused('', 'a message', 'a file without one');
  const desc = name ? find(built, name) : first;
  if (!desc) throw refused('', `one of ${file.messages.slice(0, 10).map(({ name }) => name).join(', ')}`, name);
  return { registry, desc };
}
