// The schema engines: each checks messages against a schema before they are sent and decodes them on receipt. An engine is a chunk
// of its own, loaded when a station with such a schema is used. Knows no broker, no station and no registry; runs no code from text.

/** @import { SchemaType } from '../index.js' */

/**
 * One place that is wrong. `path` is a JSON pointer ("" is the whole) for json and avro, a field path such as `orders[2].id` for
 * protobuf, `line:column` for graphql and for text that cannot be parsed. `found` is missing where there is nothing.
 * @typedef {{ path: string, expected: string, found?: string }} Violation
 */

/**
 * What every engine throws, recognised by its `name` as each chunk has a class of its own. `reason`: "definition" when the schema
 * does not compile, "message" when a message does not fit. `message` holds the first violations in a sentence; there are at most 100.
 * @typedef {Error & { name: 'SchemaError', reason: 'definition' | 'message', violations: readonly Violation[] }} SchemaError
 */

/**
 * A compiled schema. All three are synchronous and leave nothing behind; a payload that is nested too deeply or asks for too much
 * work is a violation like any other.
 * @typedef {object} Schema
 * @property {SchemaType} type
 * @property {string} [message] protobuf: the full name of the message type
 * @property {(payload: unknown) => readonly Violation[]} check What is wrong with it; empty when it fits.
 * @property {(payload: unknown) => Uint8Array | readonly Violation[]} encode
 *   Bytes as they are (the same view), a string as UTF-8, anything else as the type says: JSON text for json and avro, the binary form
 *   for protobuf (an object by protobuf's JSON mapping, with bytes also as Uint8Array and 64-bit integers also as bigint), a parsed
 *   document's text for graphql. Or the violations.
 * @property {(bytes: Uint8Array) => unknown} decode
 *   json, avro: the parsed value; protobuf: an object by the JSON mapping; graphql: the text. Throws a SchemaError when it does not fit.
 */

/**
 * What a definition can need beside its text.
 * @typedef {object} Extra
 * @property {string} [message] protobuf: the message type, short or full name (the first message of the file)
 * @property {string | Uint8Array} [descriptor] protobuf: a FileDescriptorSet, also as standard base64; counts instead of the text.
 *   Its first file is the one whose message is meant.
 */

/**
 * @typedef {object} Engine
 * @property {SchemaType} type
 * @property {(definition: string, extra?: Extra) => Schema} compile Throws a SchemaError with the places when it does not compile.
 */

/** What can be loaded, made by the build out of src/. @type {Record<SchemaType, () => Promise<{ engine: object }>>} */
const CHUNKS = {
  avro: () => import('./built/avro.js'),
  graphql: () => import('./built/graphql.js'),
  json: () => import('./built/json.js'),
  protobuf: () => import('./built/protobuf.js'),
};

/**
 * The engine of one type; its chunk is fetched at the first call. Rejects as `import()` does when the chunk cannot be loaded: the
 * next call tries again where the platform lets it.
 * @param {SchemaType} type
 * @returns {Promise<Engine>}
 */
export async function load(type) {
  if (!Object.hasOwn(CHUNKS, type)) throw new TypeError(`schemas are avro, graphql, json or protobuf, not ${String(type)}`);
  const { engine } = await CHUNKS[type]();
  return /** @type {Engine} */ (engine);
}
