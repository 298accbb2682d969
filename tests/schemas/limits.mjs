// What must never happen: a payload or a schema that hangs an engine, ends its stack, or makes it throw anything but a SchemaError.

/** A row takes at most this long, on any machine. */
const PATIENCE = 10_000;

/** The same numbers in every run. @param {number} seed */
export function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const encoder = new TextEncoder();

/** @param {any} schema @param {unknown} payload */
function survives(schema, payload) {
  const violations = schema.check(payload);
  if (violations.length > 100) throw new Error(`${violations.length} violations`);
  const encoded = schema.encode(payload);
  if (encoded instanceof Uint8Array !== (violations.length === 0)) throw new Error('check and encode disagree');
  if (!(payload instanceof Uint8Array)) return violations;
  try {
    schema.decode(payload);
    if (violations.length > 0) throw new Error('check and decode disagree');
  } catch (error) {
    if (error.name !== 'SchemaError' || violations.length === 0) throw error;
  }
  return violations;
}

/** Up to four places of these bytes are other ones, or are gone. @param {(below: number) => number} next @param {Uint8Array} seed */
function bend(next, seed) {
  let bytes = Uint8Array.from(seed);
  for (let changes = next(4); changes >= 0; changes--) {
    const at = next(bytes.length + 1);
    if (next(3) === 0) bytes = bytes.slice(0, at);
    else if (next(2) === 0) bytes = Uint8Array.from([...bytes.slice(0, at), next(256), ...bytes.slice(at)]);
    else if (at < bytes.length) bytes[at] = next(256);
  }
  return bytes;
}

/** Valid payloads of a schema, bent. @param {any} schema @param {Uint8Array[]} seeds @param {number} rounds */
function bent(schema, seeds, rounds) {
  const next = random(7);
  for (let i = 0; i < rounds; i++) survives(schema, bend(next, seeds[next(seeds.length)]));
}

/**
 * The body of the fuzz driver: a definition and a payload, either or both bent, end as they must: not compiled, refused, or taken.
 * @param {(below: number) => number} next @param {any} engine @param {{ definition: string, extra?: any, payloads: Uint8Array[] }} seed
 */
export function fuzz(next, engine, { definition, extra, payloads }) {
  let text = definition;
  let given = extra;
  if (next(2) === 0) text = new TextDecoder().decode(bend(next, encoder.encode(text)));
  if (typeof given?.descriptor === 'string' && next(2) === 0) given = { ...given, descriptor: new TextDecoder().decode(bend(next, encoder.encode(given.descriptor))) };
  let schema;
  try {
    schema = engine.compile(text, given);
  } catch (error) {
    if (error.name !== 'SchemaError' || error.reason !== 'definition' || error.violations.length === 0) throw error;
    return;
  }
  if (payloads.length > 0) survives(schema, bend(next, payloads[next(payloads.length)]));
}

/** @param {any} schema @param {unknown} payload @param {RegExp} [expected] */
function refuses(schema, payload, expected = /./) {
  const violations = survives(schema, payload);
  if (violations.length === 0) throw new Error('it fits');
  if (!violations.some((violation) => expected.test(violation.expected))) throw new Error(`not for that reason: ${JSON.stringify(violations[0])}`);
}

/** @param {any} engine @param {string} definition @param {any} [extra] */
function uncompilable(engine, definition, extra) {
  try {
    engine.compile(definition, extra);
  } catch (error) {
    if (error.name === 'SchemaError' && error.reason === 'definition' && error.violations.length > 0) return;
    throw error;
  }
  throw new Error('it compiles');
}

const TREE = JSON.stringify({ properties: { a: { $ref: '#' }, n: { type: 'integer' } }, items: { $ref: '#' }, unevaluatedProperties: false });
const PROTO = `syntax = "proto3"; message M { string s = 1; repeated M m = 2; map<string, M> map = 3; int64 i = 4; repeated int32 p = 5; double d = 6;
  oneof o { bytes b = 7; bool t = 8; } E e = 9; } enum E { ZERO = 0; ONE = 1; }`;
const AVRO = JSON.stringify({ type: 'record', name: 'R', fields: [{ name: 'next', type: ['null', 'R', { type: 'array', items: 'R' }], default: null }, { name: 'x', type: ['null', 'long', { type: 'map', values: 'bytes' }] }] });
const SDL = 'type Query { a(x: Int, l: [In!]): Query b: String u: U } input In { v: Float } union U = Query';

/** @type {Record<string, (load: (type: any) => Promise<any>) => Promise<void>>} */
export const rows = {
  'json: any bytes': async (load) => bent((await load('json')).compile(TREE), ['{"a":{"n":5}}', '[[],[{"n":1}]]', '{"n":"x","é":[null,true,1.5e3]}'].map((text) => encoder.encode(text)), 20_000),
  'avro: any bytes': async (load) => bent((await load('avro')).compile(AVRO), ['{"x":5}', '{"x":12345678901234567890,"next":{"R":{"x":null}}}', '{"x":{"k":"\\u00ff"},"next":[{"x":1}]}'].map((text) => encoder.encode(text)), 20_000),
  'graphql: any bytes': async (load) => bent((await load('graphql')).compile(SDL), ['query Q($x: Int = 1) { a(x: $x, l: [{v: 1.5}]) { b ...F } } fragment F on Query { u { ... on Query { b } } }', '{ b # c\n }', '"""block""" query { __typename }'].map((text) => encoder.encode(text)), 4000),
  'protobuf: any bytes': async (load) => {
    const schema = (await load('protobuf')).compile(PROTO);
    const seeds = [{ s: 'é', m: [{ i: 5 }, { p: [1, -1] }], map: { k: { d: 1.5 } }, b: 'AQI=', e: 'ONE' }, { p: [300, 5], t: true }].map((value) => schema.encode(value));
    bent(schema, seeds, 20_000);
  },
  'protobuf: any descriptor set': async (load) => {
    const engine = await load('protobuf');
    const next = random(3);
    for (let i = 0; i < 2000; i++) {
      const bytes = Uint8Array.from({ length: next(40) }, () => (next(3) === 0 ? 10 : next(40)));
      try {
        engine.compile('', { descriptor: bytes });
      } catch (error) {
        if (error.name !== 'SchemaError') throw error;
      }
    }
  },
  'any text as a definition': async (load) => {
    const next = random(11);
    const words = ['{', '}', '[', ']', '(', ')', '"', "'", '\\', ':', ',', ';', '=', '<', '>', '.', '/', '/*', '//', '#', '"""', '\n', ' ', 'message', 'type', 'record', 'string', 'syntax', '"proto3"', 'map', 'oneof', '1', '-5', '0x', '1e', 'null', 'é', '😀', '\u0000', '"name"', '"type"', '"$ref"', 'enum', 'Query', 'import', 'extend', 'reserved', 'to', 'max', 'option'];
    for (const type of ['json', 'avro', 'graphql', 'protobuf']) {
      const engine = await load(type);
      for (let i = 0; i < 3000; i++) {
        const text = Array.from({ length: next(12) }, () => words[next(words.length)]).join(next(2) === 0 ? '' : ' ');
        try {
          engine.compile(text);
        } catch (error) {
          if (error.name !== 'SchemaError') throw new Error(`${type} ${JSON.stringify(text)}: ${error.stack}`);
        }
      }
    }
  },
  'a payload of a hundred thousand brackets': async (load) => {
    const deep = 100_000;
    const json = (await load('json')).compile(TREE);
    refuses(json, encoder.encode('['.repeat(deep) + ']'.repeat(deep)), /end within|deep/);
    refuses(json, encoder.encode('{"a":'.repeat(deep) + '1' + '}'.repeat(deep)), /end within|deep/);
    refuses((await load('json')).compile('{"uniqueItems":true}'), encoder.encode(`[${'['.repeat(deep)}${']'.repeat(deep)},1]`), /deep/);
    refuses((await load('avro')).compile(AVRO), encoder.encode('{"x":1,"next":'.repeat(deep) + 'null' + '}'.repeat(deep)), /levels|deep/);
    refuses((await load('graphql')).compile(SDL), encoder.encode('{a'.repeat(deep) + '}'.repeat(deep)), /levels/);
    const protobuf = (await load('protobuf')).compile(PROTO);
    refuses(protobuf, encoder.encode('\x13'.repeat(deep)), /levels/);
    let inner = new Uint8Array(0);
    for (let i = 0; i < 120; i++) inner = Uint8Array.from([0x12, ...(inner.length < 128 ? [inner.length] : [(inner.length & 127) | 128, inner.length >> 7]), ...inner]);
    refuses(protobuf, inner, /levels/);
    let value = {};
    for (let i = 0; i < 5000; i++) value = { m: [value] };
    refuses(protobuf, value, /levels/);
  },
  'a value that refers to itself': async (load) => {
    const value = { m: [] };
    value.m.push(value);
    refuses((await load('protobuf')).compile(PROTO), value, /levels/);
    refuses((await load('json')).compile('{}'), value, /JSON can hold/);
    refuses((await load('avro')).compile(AVRO), value, /JSON can hold/);
    refuses((await load('graphql')).compile(SDL), value, /text or a parsed document/);
    refuses((await load('graphql')).compile(SDL), { kind: 'Document' }, /document/);
  },
  'a definition of a hundred thousand brackets': async (load) => {
    const deep = 100_000;
    uncompilable(await load('json'), '{"not":'.repeat(deep) + '{}' + '}'.repeat(deep));
    uncompilable(await load('avro'), '{"type":"array","items":'.repeat(deep) + '"int"' + '}'.repeat(deep));
    uncompilable(await load('avro'), '['.repeat(deep) + ']'.repeat(deep));
    uncompilable(await load('graphql'), `type Query { a: ${'['.repeat(deep)}Int${']'.repeat(deep)} }`);
    uncompilable(await load('protobuf'), `syntax = "proto3"; ${'message A { '.repeat(deep)}${'}'.repeat(deep)}`);
    uncompilable(await load('protobuf'), `syntax = "proto3"; message A { option (x) = ${'{ a '.repeat(deep)}`);
  },
  'a schema that multiplies the work': async (load) => {
    const twice = (index) => ({ anyOf: [{ $ref: `#/$defs/d${index}` }, { $ref: `#/$defs/d${index}` }] });
    const $defs = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`d${index}`, index === 59 ? { type: 'null' } : twice(index + 1)]));
    refuses((await load('json')).compile(JSON.stringify({ ...twice(0), $defs })), encoder.encode('1'), /reasonable time/);
    const record = { type: 'record', name: 'R', fields: [{ name: 'a', type: ['null', { type: 'record', name: 'S', fields: [{ name: 'a', type: ['null', 'R', 'S', { type: 'map', values: ['R', 'S', { type: 'map', values: 'R' }] }] }] }, 'R'] }] };
    survives((await load('avro')).compile(JSON.stringify(record)), encoder.encode('{"a":'.repeat(80) + '5' + '}'.repeat(80)));
  },
  'a message of four megabytes': async (load) => {
    const long = 'x\\"y {['.repeat(600_000);
    // The library reads these at a few megabytes a second.
    const short = long.slice(0, 300_000);
    const fits = (schema, payload) => {
      const violations = survives(schema, payload);
      if (violations.length > 0) throw new Error(JSON.stringify(violations[0]));
    };
    fits((await load('json')).compile('{"items":{"minLength":1000}}'), encoder.encode(`["${long}"]`));
    fits((await load('avro')).compile('{"type":"array","items":["long","string"]}'), encoder.encode(`[12345678901234567,"${long}"]`));
    fits((await load('graphql')).compile('type Query { a(s: String): Int }'), encoder.encode(`{ a(s: "${short}") b: a(s: """${short} \\""" " "" \\ """) }`));
    fits((await load('protobuf')).compile(PROTO), { s: long });
    refuses((await load('avro')).compile('"string"'), encoder.encode(`"${long}`));
    refuses((await load('graphql')).compile(SDL), encoder.encode(`{ b(s: "${short}`));
    refuses((await load('graphql')).compile(SDL), encoder.encode(`{ b(s: """${short}`));
  },
  'more mistakes than are told': async (load) => {
    const violations = survives((await load('json')).compile('{"items":{"type":"null"}}'), encoder.encode(JSON.stringify(Array(1000).fill(1))));
    if (violations.length !== 100) throw new Error(`${violations.length} violations`);
    const fields = Array.from({ length: 300 }, (_, index) => [`f${index}`, 1]);
    const objects = survives((await load('protobuf')).compile(PROTO), Object.fromEntries(fields));
    if (objects.length !== 100) throw new Error(`${objects.length} violations`);
    const queries = survives((await load('graphql')).compile(SDL), encoder.encode(`{ ${fields.map(([name]) => name).join(' ')} }`));
    if (queries.length !== 100) throw new Error(`${queries.length} violations`);
  },
  'no code from text': async () => {
    // As the page's policy and the switch of Node have it; the engines have just run under them.
    try {
      new Function('return 1');
    } catch {
      return;
    }
    throw new Error('this run allows eval');
  },
};

/**
 * @param {object} given
 * @param {(type: any) => Promise<any>} given.load
 * @param {(row: { name: string, problem?: string }) => void} given.report
 * @param {string} [given.only]
 */
export async function endure({ load, report, only }) {
  for (const [name, row] of Object.entries(rows)) {
    if (only && !name.includes(only)) continue;
    const start = performance.now();
    let problem;
    try {
      await row(load);
    } catch (error) {
      problem = String(error?.stack ?? error);
    }
    const took = performance.now() - start;
    report({ name, problem: problem ?? (took > PATIENCE ? `it took ${Math.round(took)} ms` : undefined) });
  }
}
