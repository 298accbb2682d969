// Plays the cases of tests/vectors/schemas against the engines, in Node as in a page. Knows neither.
//
// A file holds groups: `what`, `schema` (a text, or JSON that is sent as text), `extra`, and either `refused`, the places where it does not
// compile, or `fits` and `fails`, payloads and for the latter the places. A payload stands for itself (JSON, or a text for graphql), but
// for {"$text"}, {"$hex"} and {"$value"}: text and bytes as they are, and a value with {"$bigint"} and {"$bytes"} in it. A protobuf
// payload that is no bytes is a value. `decodes`: pairs of a payload and what it is decoded to. `message`: the message type that is found.

/** @import { load as Load } from '../../pkg/schemas/index.js' */

const encoder = new TextEncoder();

/**
 * @param {object} given
 * @param {typeof Load} given.load
 * @param {{ type: string, file: string, groups: any[] }[]} given.files
 * @param {(row: { name: string, problem?: string }) => void} given.report
 * @param {string} [given.only]
 */
export async function play({ load, files, report, only }) {
  for (const { type, file, groups } of files) {
    for (const group of groups) {
      const name = `${type} ${file}: ${group.what}`;
      if (only && !name.includes(only)) continue;
      let problem;
      try {
        problem = played(await load(/** @type {any} */ (type)), group);
      } catch (error) {
        problem = String(error?.stack ?? error);
      }
      report({ name, problem });
    }
  }
}

/** @returns {string | undefined} what is wrong */
function played(engine, group) {
  const text = typeof group.schema === 'string' ? group.schema : JSON.stringify(group.schema);
  const extra = group.extra && JSON.parse(JSON.stringify(group.extra));
  if (group.refused) {
    try {
      engine.compile(text, extra);
    } catch (error) {
      if (error.name !== 'SchemaError' || error.reason !== 'definition') return `it threw ${error.stack}`;
      return differ(error.violations, group.refused);
    }
    return 'it compiles';
  }
  const schema = engine.compile(text, extra);
  if (schema.type !== engine.type) return `its type is ${schema.type}`;
  if (group.message && schema.message !== group.message) return `its message is ${schema.message}`;
  for (const payload of group.fits ?? []) {
    const problem = fitting(schema, payload);
    if (problem) return `${JSON.stringify(payload)}: ${problem}`;
  }
  for (const [payload, expected] of group.decodes ?? []) {
    const problem = fitting(schema, payload, expected);
    if (problem) return `${JSON.stringify(payload)}: ${problem}`;
  }
  for (const [payload, places] of group.fails ?? []) {
    const problem = failing(schema, payload, places);
    if (problem) return `${JSON.stringify(payload)}: ${problem}`;
  }
  return undefined;
}

/** The ways to hand a payload over, which must all end the same. */
function ways(schema, payload) {
  if (payload !== null && typeof payload === 'object') {
    if ('$text' in payload) return [payload.$text, encoder.encode(payload.$text), encoder.encode(payload.$text).buffer];
    if ('$hex' in payload) return [Uint8Array.from(payload.$hex.match(/../g) ?? [], (byte) => parseInt(byte, 16))];
    if ('$value' in payload) return [revived(payload.$value)];
  }
  if (schema.type === 'graphql') return [payload, encoder.encode(payload)];
  if (schema.type === 'protobuf') return [revived(payload)];
  const text = JSON.stringify(payload);
  // A text is sent as it is, so a string as a value would be JSON without its quotes.
  return payload !== null && typeof payload === 'object' ? [payload, text, encoder.encode(text)] : [text, encoder.encode(text)];
}

function revived(value) {
  if (value === null || typeof value !== 'object') return value;
  if ('$bigint' in value) return BigInt(value.$bigint);
  if ('$bytes' in value) return Uint8Array.from(value.$bytes);
  if ('$number' in value) return Number(value.$number);
  if (Array.isArray(value)) return value.map(revived);
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revived(inner)]));
}

function fitting(schema, payload, expected) {
  for (const way of ways(schema, payload)) {
    const violations = schema.check(way);
    if (violations.length > 0) return `it does not fit: ${JSON.stringify(violations)}`;
    const bytes = schema.encode(way);
    if (!(bytes instanceof Uint8Array)) return `it was not encoded: ${JSON.stringify(bytes)}`;
    if (way instanceof Uint8Array && bytes !== way) return 'bytes were copied';
    const value = schema.decode(bytes);
    const wanted = expected === undefined && schema.type !== 'protobuf' && !isMarked(payload) ? payload : revived(expected);
    if (wanted !== undefined && text(value) !== text(wanted)) return `decoded to ${text(value)}, not ${text(wanted)}`;
  }
  return undefined;
}

const isMarked = (payload) => payload !== null && typeof payload === 'object' && Object.keys(payload).some((name) => name.startsWith('$'));

/** Names in order: what comes back need not have the order of what went in. */
function text(value) {
  return JSON.stringify(value, (_, inner) => {
    if (typeof inner === 'bigint') return `${inner}n`;
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.keys(inner).sort().map((name) => [name, inner[name]]));
  });
}

function failing(schema, payload, places) {
  for (const way of ways(schema, payload)) {
    const violations = schema.check(way);
    if (violations.length === 0) return 'it fits';
    const problem = differ(violations, places);
    if (problem) return problem;
    if (schema.encode(way) instanceof Uint8Array) return 'it was encoded';
    if (!(way instanceof Uint8Array)) continue;
    try {
      schema.decode(way);
      return 'it was decoded';
    } catch (error) {
      if (error.name !== 'SchemaError' || error.reason !== 'message' || differ(error.violations, places)) return `decoding threw ${error.stack}`;
    }
  }
  return undefined;
}

function differ(violations, places) {
  const found = violations.map(({ path }) => path);
  for (const { path, expected, found } of violations) {
    if (typeof path !== 'string' || typeof expected !== 'string' || expected === '' || (found !== undefined && (typeof found !== 'string' || found === ''))) return `a violation is incomplete: ${JSON.stringify({ path, expected, found })}`;
  }
  return text([...found].sort()) === text([...places].sort()) ? undefined : `the places are ${JSON.stringify(violations)}, not ${JSON.stringify(places)}`;
}
