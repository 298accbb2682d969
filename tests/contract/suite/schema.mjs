// Schemas: making them, enforcing them, what they refuse, what they decode, and how changes reach what is running.

import { topic } from '../kit/rows.mjs';

const row = topic('schema', 7);
const needs = { needs: ['schemas'] };
/** Where another version counts as soon as it is made. */
const versions = { ...needs, brokers: ['memory', 'nats'] };

export const PERSON = JSON.stringify({ type: 'object', properties: { id: { type: 'integer' }, name: { type: 'string' } }, required: ['id'] });
const NAMED = JSON.stringify({ type: 'object', required: ['name'] });
const AVRO = JSON.stringify({ type: 'record', name: 'Person', fields: [{ name: 'id', type: 'int' }] });
const SDL = 'type Query { person(id: Int!): Person } type Person { id: Int! name: String }';
const PROTO = 'syntax = "proto3"; package shop; message Order { int64 id = 1; bytes raw = 2; repeated string tags = 3; } message Other { string x = 1; }';

/** A schema of a name nobody else has, and a station that enforces it. */
export async function enforced(t, definition = PERSON, type = 'json', options = {}) {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, type, definition);
  const station = await connection.station(t.name(), { schemaName: schema, ...options });
  return { connection, schema, station };
}

/** The entries of status() that are about schemas, from now on. */
export function told(connection) {
  const entries = [];
  void (async () => {
    for await (const entry of connection.status()) if (entry.type === 'schema') entries.push(entry);
  })();
  return entries;
}

/** The next entry that `want` describes. */
async function heard(t, entries, want) {
  const matches = (entry) => Object.entries(want).every(([key, value]) => entry[key] === value);
  await t.until(() => entries.some(matches), 5000, `status() tells ${t.show(want)}`);
}

const stored = async (station) => (await station.info()).messages;

// ---- making them ----------------------------------------------------------------------------------------------------

row('a schema is made, and made again with the same text', needs, async (t) => {
  const connection = await t.connect();
  const name = t.name('schema');
  t.equal(await connection.createSchema(name, 'json', PERSON), undefined, 'createSchema() resolves with nothing');
  await connection.createSchema(name, 'json', PERSON);
  await (await t.connect()).createSchema(name, 'json', PERSON);
});

row('two who make the same schema at once both succeed', versions, async (t) => {
  const [connection, other] = [await t.connect(), await t.connect()];
  const name = t.name('schema');
  await Promise.all([connection, other, connection, other].map((each) => each.createSchema(name, 'json', PERSON)));
  const texts = Array.from({ length: 6 }, (_, index) => JSON.stringify({ const: index }));
  await Promise.all(texts.map((text, index) => (index % 2 ? connection : other).createSchema(name, 'json', text)));
  const station = await connection.station(t.name(), { schemaName: name });
  const fits = await Promise.all(texts.map((_, index) => t.outcome(station.produce(String(index)))));
  t.equal(fits.filter((outcome) => !outcome.error).length, 1, 'versions that count');
});

for (const [type, good, bad, says] of [
  ['json', PERSON, '{"type":7}', 'type'],
  ['json', PERSON, '{"type":', ''],
  ['avro', AVRO, '{"type":"record"}', ''],
  ['graphql', SDL, 'type Query { person: Nobody }', 'Nobody'],
  ['protobuf', PROTO, 'syntax = "proto3"; message A { Nobody x = 1; }', 'Nobody'],
  ['protobuf', PROTO, 'syntax = "proto3";', ''],
]) {
  row(`a definition that does not compile is refused with its places, and nothing is stored: ${type} ${bad}`, needs, async (t) => {
    const connection = await t.connect();
    const name = t.name('schema');
    const error = await t.rejects(connection.createSchema(name, type, bad), 'schema_violation', { says: [name, says] });
    t.ok(Array.isArray(error.violations) && error.violations.length > 0, `violations: ${t.show(error.violations)}`);
    for (const violation of error.violations) t.ok(typeof violation.path === 'string' && violation.expected.length > 0, `violation: ${t.show(violation)}`);
    const station = await connection.station(t.name());
    await t.rejects(connection.enforceSchema(name, station.name), 'rejected', { says: name });
    await connection.createSchema(name, type, good);
    await t.rejects(connection.createSchema(name, type, bad), 'schema_violation');
    await connection.enforceSchema(name, station.name);
  });
}

row('a type, a name or a definition that is none is refused', needs, async (t) => {
  const connection = await t.connect();
  for (const [name, type, definition] of [
    ['a', 'xml', '{}'], ['a', 'JSON', '{}'], ['a', '', '{}'], ['a', undefined, '{}'], ['a', 'toString', '{}'],
    ['', 'json', '{}'], ['a b', 'json', '{}'], ['.a', 'json', '{}'], ['_station.x', 'json', '{}'], ['a*', 'json', '{}'], ['x'.repeat(129), 'json', '{}'], [7, 'json', '{}'], [null, 'json', '{}'],
    ['a', 'json', undefined], ['a', 'json', { type: 'object' }], ['a', 'json', new Uint8Array(2)],
  ]) {
    await t.rejects(() => connection.createSchema(name, type, definition), 'invalid_argument', { for: t.show([name, type, definition]) });
  }
});

row('a schema keeps its type', needs, async (t) => {
  const connection = await t.connect();
  const name = t.name('schema');
  await connection.createSchema(name, 'json', PERSON);
  await t.rejects(connection.createSchema(name, 'avro', AVRO), 'already_exists', { says: ['json', name] });
});

row('after close() nothing of schemas can be called', needs, async (t) => {
  const connection = await t.connect();
  await connection.close();
  await t.rejects(() => connection.createSchema('a', 'json', '{}'), 'closed');
  await t.rejects(() => connection.enforceSchema('a', 'b'), 'closed');
  await t.rejects(() => connection.attachSchema('a', 'b'), 'closed');
  await t.rejects(() => connection.detachSchema('b'), 'closed');
});

// ---- enforcing them -------------------------------------------------------------------------------------------------

row('a schema that is not there, or for a station that is not, cannot be enforced', needs, async (t) => {
  const connection = await t.connect();
  const name = t.name('schema');
  const station = await connection.station(t.name());
  await t.rejects(connection.enforceSchema(name, station.name), 'rejected', { station: station.name, says: name });
  await connection.createSchema(name, 'json', PERSON);
  const missing = t.name();
  await t.rejects(connection.enforceSchema(name, missing), 'no_such_station', { station: missing });
  await t.rejects(connection.detachSchema(missing), 'no_such_station', { station: missing });
  t.equal((await connection.station(missing)).existed, false, 'made by it');
  for (const wrong of ['', 'A b', undefined, 7]) {
    await t.rejects(() => connection.enforceSchema(wrong, station.name), 'invalid_argument', { for: t.show(wrong) });
    await t.rejects(() => connection.enforceSchema(name, wrong), 'invalid_argument', { for: t.show(wrong) });
    await t.rejects(() => connection.detachSchema(wrong), 'invalid_argument', { for: t.show(wrong) });
  }
});

row('schemaName: the station begins with it, and info() tells', needs, async (t) => {
  const { connection, schema, station } = await enforced(t);
  const info = await station.info();
  t.equal(info.schema, schema, 'info().schema');
  t.equal(info.options.schemaName, schema, 'info().options.schemaName');
  await t.rejects(station.produce({ id: 'x' }), 'schema_violation', { station: station.name });
  t.deepEqual([...(await connection.station(station.name, { schemaName: schema })).differs], [], 'differs from the same');
  t.deepEqual([...(await connection.station(station.name, { schemaName: '' })).differs], ['schemaName'], 'differs from none');
  const bare = await connection.station(t.name());
  t.equal((await bare.info()).schema, undefined, 'info().schema without one');
});

row('schemaName of a schema that is not there: no station is made', needs, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  const schema = t.name('schema');
  await t.rejects(connection.station(name, { schemaName: schema }), 'rejected', { station: name, says: schema });
  await t.rejects(() => connection.station(name, { schemaName: 'a b' }), 'invalid_argument');
  await t.rejects(() => connection.station(name, { schemaName: 7 }), 'invalid_argument');
  t.equal((await connection.station(name)).existed, false, 'existed');
});

row('enforce, attach under its old name, replace, detach; again changes nothing', needs, async (t) => {
  const connection = await t.connect();
  const [one, two] = [t.name('schema'), t.name('schema')];
  await connection.createSchema(one, 'json', PERSON);
  await connection.createSchema(two, 'json', NAMED);
  const station = await connection.station(t.name());
  await connection.detachSchema(station.name);
  t.equal(await connection.enforceSchema(one, station.name), undefined, 'enforceSchema() resolves with nothing');
  await connection.enforceSchema(one, station.name);
  t.equal((await station.info()).schema, one, 'schema');
  await t.rejects(station.produce({ name: 'x' }), 'schema_violation');
  await connection.attachSchema(two, station.name);
  t.equal((await station.info()).schema, two, 'schema');
  await station.produce({ name: 'x' });
  t.equal(await connection.detachSchema(station.name), undefined, 'detachSchema() resolves with nothing');
  await connection.detachSchema(station.name);
  t.equal((await station.info()).schema, undefined, 'schema');
  await station.produce('anything');
});

row('enforcing leaves a station\'s options and messages as they are', { needs: ['schemas', 'partitions'] }, async (t) => {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  const options = { retentionType: 'messages', retentionValue: 100, idempotencyWindowMs: 30_000, partitionsNumber: 3, sendPoisonMsgToDls: false };
  const station = await connection.station(t.name(), options);
  await t.fill(station, 9);
  await connection.enforceSchema(schema, station.name);
  const again = await connection.station(station.name, options);
  t.deepEqual([...again.differs], [], 'differs');
  t.deepEqual([...again.partitions], [1, 2, 3], 'partitions');
  t.equal(await stored(station), 9, 'messages');
  // Every partition checks.
  for (const partitionNumber of [1, 2, 3]) await t.rejects(station.produce('x', { partitionNumber }), 'schema_violation');
  await station.produce({ id: 1 }, { partitionNumber: 3 });
});

// ---- producing ------------------------------------------------------------------------------------------------------

row('what does not fit rejects with every place, and nothing is stored', needs, async (t) => {
  const { schema, station } = await enforced(t, JSON.stringify({ type: 'object', properties: { id: { type: 'integer' }, tags: { items: { type: 'string' } } }, required: ['id', 'name'] }));
  const error = await t.rejects(station.produce({ id: 'x', tags: ['a', 1, 2] }), 'schema_violation', { station: station.name, maybeDelivered: false, says: schema });
  t.deepEqual(error.violations.map(({ path }) => path).sort(), ['/id', '/name', '/tags/1', '/tags/2'], 'places');
  const [id] = error.violations.filter(({ path }) => path === '/id');
  t.ok(/integer/.test(id.expected) && id.found === '"x"', `violation: ${t.show(id)}`);
  t.equal(await stored(station), 0, 'messages');
});

for (const [how, call] of [
  ['produce of the connection', (connection, name, message) => connection.produce(name, message)],
  ['a producer', async (connection, name, message) => (await connection.producer(name)).produce(message)],
  ['produceBatch', async (connection, name, message) => (await connection.producer(name)).produceBatch([message])],
  ['without a receipt', (connection, name, message) => connection.produce(name, message, { waitForAck: false })],
]) {
  row(`${how} checks from the first message on`, needs, async (t) => {
    const { station } = await enforced(t);
    const connection = await t.connect();
    const error = await t.rejects(call(connection, station.name, { id: 'x' }), 'schema_violation', { station: station.name });
    t.deepEqual(error.violations.map(({ path }) => path), ['/id'], 'places');
    await call(connection, station.name, { id: 1 });
    await t.until(async () => await stored(station) === 1, 3000, 'the message that fits is stored');
  });
}

row('messages produced before the schema is known are checked, each for itself, in their order', needs, async (t) => {
  const { station } = await enforced(t);
  const connection = await t.connect();
  const messages = [{ id: 1 }, { id: 'x' }, '{"id":2}', '{"id":"y"}', 'no JSON', new TextEncoder().encode('{"id":3}'), new Uint8Array([255, 0]), { id: 4 }, {}];
  const outcomes = await Promise.all(messages.map((message) => t.outcome(connection.produce(station.name, message))));
  t.deepEqual(outcomes.map((outcome) => (outcome.error ? outcome.reason.code : outcome.value.sequence)),
    [1, 'schema_violation', 2, 'schema_violation', 'schema_violation', 3, 'schema_violation', 4, 'schema_violation'], 'outcomes');
  for (const { reason } of outcomes.filter((outcome) => outcome.error)) {
    t.checkError(reason, 'schema_violation', { station: station.name, maybeDelivered: false });
    t.ok(reason.violations.length > 0, 'violations');
  }
  t.deepEqual((await t.collect(station, 4)).map((message) => message.json().id), [1, 2, 3, 4], 'stored');
});

row('messages produced before the schema is known keep their order, also around one that only the schema can take', needs, async (t) => {
  const maker = await t.connect();
  const schema = t.name('schema');
  await maker.createSchema(schema, 'avro', '{"type":"record","name":"r","fields":[{"name":"n","type":"long"}]}');
  const station = await maker.station(t.name(), { schemaName: schema });
  const connection = await t.connect();
  const values = [1, 2n, 3, 4n, 5, 'x', 2n ** 62n, 7];
  const outcomes = await Promise.all(values.map((n, index) => t.outcome(connection.produce(station.name, { n }, index % 3 === 2 ? { msgId: `id-${index}` } : undefined))));
  t.deepEqual(outcomes.map((outcome) => (outcome.error ? outcome.reason.code : outcome.value.sequence)), [1, 2, 3, 4, 5, 'schema_violation', 6, 7], 'outcomes');
});

row('a message that was changed after the call is checked and stored as it was', needs, async (t) => {
  const { station } = await enforced(t);
  const connection = await t.connect();
  const message = { id: 1 };
  const bytes = new TextEncoder().encode('{"id":2}');
  const calls = [connection.produce(station.name, message), connection.produce(station.name, bytes)];
  message.id = 'x';
  bytes.fill(0);
  await Promise.all(calls);
  t.deepEqual(t.texts(await t.collect(station, 2)), ['{"id":1}', '{"id":2}'], 'stored');
});

row('what cannot be a payload is still invalid_argument', needs, async (t) => {
  const { connection, station } = await enforced(t);
  await station.produce({ id: 1 });
  for (const wrong of [null, 7, true, undefined, () => 1, new Map([['id', 1]]), Promise.resolve({ id: 1 })]) {
    await t.rejects(() => station.produce(wrong), 'invalid_argument', { for: t.show(wrong) });
  }
  t.equal(connection.isConnected(), true, 'connected');
});

row('produceBatch: what fits is stored, the rest has its error', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  const error = await t.rejects(producer.produceBatch([{ id: 1 }, { id: 'x' }, { id: 2 }, 'x']), 'schema_violation');
  t.ok(error instanceof t.api.BatchError, 'a BatchError');
  t.deepEqual(error.outcomes.map((outcome) => outcome.code ?? outcome.sequence), [1, 'schema_violation', 2, 'schema_violation'], 'outcomes');
  t.deepEqual(error.outcomes[1].violations.map(({ path }) => path), ['/id'], 'places');
  t.deepEqual(error.violations, error.outcomes[1].violations, 'violations of the first');
  t.equal(await stored(station), 2, 'messages');
});

row('a batch with a signal: what is refused first does not disturb the others', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  const controller = new AbortController();
  const error = await t.rejects(producer.produceBatch(['x', { id: 1 }], { signal: controller.signal }), 'schema_violation');
  t.deepEqual(error.outcomes.map((outcome) => outcome.code ?? outcome.sequence), ['schema_violation', 1], 'outcomes');
  controller.abort();
});

row('writable: what does not fit fails the stream', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const writer = (await connection.producer(station.name)).writable.getWriter();
  await writer.write({ id: 1 });
  await t.outcome(writer.write({ id: 'x' }));
  await t.rejects(writer.closed, 'schema_violation', { station: station.name });
  await t.until(async () => await stored(station) === 1, 3000, 'the message that fits is stored');
});

row('flush() and closing a writable wait for what does not fit', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 1 });
  let outcome;
  producer.produce({ id: 'x' }).catch((error) => { outcome = error.code; });
  await producer.flush();
  t.equal(outcome, 'schema_violation', 'outcome after flush()');
  const writer = producer.writable.getWriter();
  writer.closed.catch(() => {});
  await writer.write({ id: 'x' });
  await t.rejects(() => writer.close(), 'schema_violation', { station: station.name });
});

row('several stations: every station\'s schema is checked before anything is sent', needs, async (t) => {
  const connection = await t.connect();
  const [one, two] = [t.name('schema'), t.name('schema')];
  await connection.createSchema(one, 'json', PERSON);
  await connection.createSchema(two, 'json', NAMED);
  const first = await connection.station(t.name(), { schemaName: one });
  const second = await connection.station(t.name(), { schemaName: two });
  const free = await connection.station(t.name());
  const list = [free.name, first.name, second.name];
  await t.rejects((await t.connect()).produce(list, { id: 1 }), 'schema_violation', { station: second.name });
  await t.rejects(connection.produce(list, { name: 'x' }), 'schema_violation', { station: first.name });
  t.deepEqual(await Promise.all([free, first, second].map(stored)), [0, 0, 0], 'messages');
  const receipt = await connection.produce(list, { id: 1, name: 'x' });
  t.equal(receipt.station, second.name, 'station of the receipt');
  t.deepEqual(await Promise.all([free, first, second].map(stored)), [1, 1, 1], 'messages');
});

// ---- the four types -------------------------------------------------------------------------------------------------

row('json: objects, texts and bytes; decode() gives the value', needs, async (t) => {
  const { station } = await enforced(t);
  await station.produce({ id: 1, name: 'ä' });
  await station.produce('{"id": 2}');
  await station.produce(new TextEncoder().encode('{"id":3}').buffer);
  const got = await t.collect(station, 3);
  t.deepEqual(got.map((message) => message.decode()), [{ id: 1, name: 'ä' }, { id: 2 }, { id: 3 }], 'decoded');
  t.equal(got[1].text(), '{"id": 2}', 'stored as it was given');
});

row('avro: JSON against the schema; an int is an integer', needs, async (t) => {
  const { station } = await enforced(t, AVRO, 'avro');
  const error = await t.rejects(station.produce({ id: 1.5 }), 'schema_violation');
  t.deepEqual(error.violations.map(({ path }) => path), ['/id'], 'places');
  await t.rejects(station.produce('{"id":"1"}'), 'schema_violation');
  await station.produce({ id: 7 });
  const [message] = await t.collect(station, 1);
  t.deepEqual([message.text(), message.decode()], ['{"id":7}', { id: 7 }], 'message');
});

row('graphql: documents against the schema; decode() gives the text', needs, async (t) => {
  const { station } = await enforced(t, SDL, 'graphql');
  const error = await t.rejects(station.produce('{ person(id: 1) { id age } }'), 'schema_violation');
  t.ok(/^\d+:\d+$/.test(error.violations[0].path), `a place: ${t.show(error.violations)}`);
  await t.rejects(station.produce('{ person('), 'schema_violation');
  const document = 'query { person(id: 1) { id } }';
  await station.produce(document);
  await station.produce(new TextEncoder().encode(document));
  t.deepEqual((await t.collect(station, 2)).map((message) => message.decode()), [document, document], 'decoded');
});

row('protobuf: objects become bytes, bytes have to parse; decode() gives an object', needs, async (t) => {
  const { station } = await enforced(t, PROTO, 'protobuf');
  const connection = await t.connect();
  // The first message, before the schema is known, and one after it.
  await connection.produce(station.name, { id: 5, tags: ['a'] });
  await connection.produce(station.name, { id: 5, tags: ['a'] });
  await station.produce(new Uint8Array([8, 5, 26, 1, 97]));
  const error = await t.rejects(connection.produce(station.name, { id: 'x' }), 'schema_violation');
  t.deepEqual(error.violations.map(({ path }) => path), ['id'], 'places');
  await t.rejects(connection.produce(station.name, { nobody: 1 }), 'schema_violation');
  await t.rejects(connection.produce(station.name, new Uint8Array([8])), 'schema_violation');
  const got = await t.collect(station, 3);
  for (const message of got) {
    t.deepEqual(message.data, new Uint8Array([8, 5, 26, 1, 97]), 'bytes');
    t.deepEqual(message.decode(), { id: '5', tags: ['a'] }, 'decoded');
  }
});

row('protobuf: bigints and bytes inside an object, also in the very first message', needs, async (t) => {
  const { station } = await enforced(t, PROTO, 'protobuf');
  const connection = await t.connect();
  const message = { id: 9007199254740993n, raw: new Uint8Array([1, 2, 3]) };
  await connection.produce(station.name, message);
  await connection.produce(station.name, message);
  await (await t.connect()).produce(station.name, { raw: new Uint8Array([1, 2, 3]) });
  const got = await t.collect(station, 3);
  t.deepEqual(got[0].decode(), { id: '9007199254740993', raw: 'AQID' }, 'decoded');
  t.deepEqual(got[0].data, got[1].data, 'first and second');
  t.deepEqual(got[2].decode(), { raw: 'AQID' }, 'decoded');
});

// ---- consuming ------------------------------------------------------------------------------------------------------

row('decode() works with the first message, by fetch, iterator, handler and stream', needs, async (t) => {
  const { station } = await enforced(t);
  await station.produce({ id: 1 });
  const fresh = async () => (await t.connect()).consumer(station.name);
  const [fetched] = await (await fresh()).fetch({ batchSize: 1 });
  t.deepEqual(fetched.decode(), { id: 1 }, 'fetch');
  for await (const message of await fresh()) {
    t.deepEqual(message.decode(), { id: 1 }, 'iterator');
    break;
  }
  const handled = await new Promise((resolve, reject) => {
    void fresh().then((consumer) => consumer.consume(([message]) => resolve(message?.decode())), reject);
  });
  t.deepEqual(handled, { id: 1 }, 'handler');
  const { value } = await (await fresh()).readable.getReader().read();
  t.deepEqual(value.decode(), { id: 1 }, 'stream');
  const [kept] = await (await t.connect()).fetch(station.name, { batchSize: 1 });
  t.deepEqual(kept.decode(), { id: 1 }, 'fetch of the connection');
});

row('decode() of a message that does not fit says where; without a schema it is not_supported', needs, async (t) => {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  const station = await connection.station(t.name());
  await station.produce({ id: 'x' });
  const consumer = await connection.consumer(station.name);
  const [message] = await consumer.fetch({ batchSize: 1 });
  const failing = (code) => {
    let error;
    try {
      message.decode();
    } catch (thrown) {
      error = thrown;
    }
    t.checkError(error, code);
    return error;
  };
  failing('not_supported');
  await connection.enforceSchema(schema, station.name);
  t.deepEqual(failing('schema_violation').violations.map(({ path }) => path), ['/id'], 'places');
  t.equal(message.text(), '{"id":"x"}', 'the text is still there');
  await connection.detachSchema(station.name);
  failing('not_supported');
});

// ---- live -----------------------------------------------------------------------------------------------------------

row('an enforce by somebody else reaches running producers and consumers, and status() tells once', needs, async (t) => {
  const [connection, other] = [await t.connect(), await t.connect()];
  const schema = t.name('schema');
  await other.createSchema(schema, 'json', PERSON);
  const station = await connection.station(t.name());
  const producer = await connection.producer(station.name);
  const consumer = await connection.consumer(station.name);
  await producer.produce('anything');
  const entries = told(connection);
  await other.enforceSchema(schema, station.name);
  await heard(t, entries, { station: station.name, schema });
  await t.rejects(producer.produce('anything'), 'schema_violation', { station: station.name });
  await t.rejects(connection.produce(station.name, 'anything'), 'schema_violation');
  await producer.produce({ id: 1 });
  const got = await t.collect(consumer, 2);
  t.deepEqual(got[1].decode(), { id: 1 }, 'decoded');
  await other.detachSchema(station.name);
  await heard(t, entries, { station: station.name, schema: null });
  await producer.produce('anything');
  await other.enforceSchema(schema, station.name);
  await t.until(() => entries.length > 2, 5000, 'status() tells of it again');
  t.deepEqual(entries, [schema, null, schema].map((each) => ({ type: 'schema', station: station.name, schema: each })), 'status()');
});

row('a new version by somebody else reaches running producers and consumers', versions, async (t) => {
  const { connection, schema, station } = await enforced(t);
  const other = await t.connect();
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 1 });
  const consumer = await connection.consumer(station.name);
  const entries = told(connection);
  await other.createSchema(schema, 'json', NAMED);
  await heard(t, entries, { station: station.name, schema });
  await t.rejects(producer.produce({ id: 1 }), 'schema_violation');
  await producer.produce({ name: 'x' });
  const [old, fresh] = await t.collect(consumer, 2);
  t.deepEqual(fresh.decode(), { name: 'x' }, 'decoded');
  t.equal((await t.outcome((async () => old.decode())())).reason?.code, 'schema_violation', 'an older message');
  await other.createSchema(schema, 'json', NAMED);
  await other.detachSchema(station.name);
  await heard(t, entries, { station: station.name, schema: null });
  t.equal(entries.length, 2, 'entries; the same text again is no new version');
});

row('a schema of another type takes over while a producer runs', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const other = await t.connect();
  const proto = t.name('schema');
  await other.createSchema(proto, 'protobuf', PROTO);
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 1 });
  const entries = told(connection);
  await other.enforceSchema(proto, station.name);
  await heard(t, entries, { station: station.name, schema: proto });
  await producer.produce({ id: 1 });
  const [, message] = await t.collect(station, 2);
  t.deepEqual(message.data, new Uint8Array([8, 1]), 'bytes');
});

row('what the same connection changes counts when the call has resolved', versions, async (t) => {
  const { connection, schema, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  for (let round = 0; round < 3; round += 1) {
    await producer.produce({ id: 1 });
    await connection.createSchema(schema, 'json', NAMED);
    await t.rejects(producer.produce({ id: 1 }), 'schema_violation');
    await connection.detachSchema(station.name);
    await producer.produce('anything');
    await connection.createSchema(schema, 'json', PERSON);
    await connection.enforceSchema(schema, station.name);
    await t.rejects(producer.produce('anything'), 'schema_violation');
  }
  t.equal(await stored(station), 6, 'messages');
});

row('changes of other stations and schemas are not told', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const other = await t.connect();
  await connection.producer(station.name);
  const entries = told(connection);
  const elsewhere = await enforced(t);
  await other.createSchema(elsewhere.schema, 'json', NAMED);
  await other.detachSchema(elsewhere.station.name);
  await other.detachSchema(station.name);
  await heard(t, entries, { station: station.name, schema: null });
  t.equal(entries.length, 1, 'entries of status()');
});

row('a schema dropped in the middle of traffic: every message was either checked or free, in order', needs, async (t) => {
  const { connection, station } = await enforced(t);
  const other = await t.connect();
  const producer = await connection.producer(station.name);
  const outcomes = [];
  let detached;
  for (let index = 0; index < 200; index += 1) {
    outcomes.push(t.outcome(producer.produce(index % 2 ? { id: index } : `free ${index}`)));
    if (index === 60) detached = other.detachSchema(station.name);
    if (index % 10 === 9) await t.turn();
    if (index === 150) await detached;
  }
  const done = await Promise.all(outcomes);
  await detached;
  await t.until(async () => !(await t.outcome(producer.produce('free at last'))).error, 3000, 'the producer hears of it');
  t.ok(done.every((outcome, index) => index % 2 === 0 || !outcome.error), 'what fits is stored');
  t.ok(done.slice(0, 60).every((outcome, index) => index % 2 === 1 || outcome.reason?.code === 'schema_violation'), 'what does not fit is refused while the schema is there');
  const first = done.findIndex((outcome, index) => index % 2 === 0 && !outcome.error);
  if (first >= 0) t.ok(done.slice(first).every((outcome) => !outcome.error), 'once free, always free');
});

row('a station that is made again without the schema is free', { needs: ['schemas', 'destroy'] }, async (t) => {
  const { connection, station } = await enforced(t);
  await t.rejects(connection.produce(station.name, 'x'), 'schema_violation');
  await station.destroy();
  await connection.station(station.name);
  await connection.produce(station.name, 'x');
  t.equal(await stored(station), 1, 'messages');
});

// ---- looking, and dead letters --------------------------------------------------------------------------------------

const all = async (iterable) => {
  const list = [];
  for await (const item of iterable) list.push(item);
  return list;
};

row('browse(): decode() works without a consumer', { needs: ['schemas', 'get'] }, async (t) => {
  const { station } = await enforced(t);
  await station.produce({ id: 1 });
  const other = await t.connect();
  const looked = await other.station(station.name);
  t.deepEqual((await all(looked.browse())).map((message) => message.decode()), [{ id: 1 }], 'decoded');
  await (await t.connect()).detachSchema(station.name);
  const [free] = await all(looked.browse());
  t.equal((await t.outcome((async () => free.decode())())).reason?.code, 'not_supported', 'decode() without a schema');
});

row('what does not fit is among the dead letters when the call has failed', { needs: ['schemas', 'dead_letters'] }, async (t) => {
  const { connection, station } = await enforced(t);
  const other = await t.connect();
  const headers = { kind: 'order', 'x-y': 'a b' };
  await station.produce({ id: 1 });
  // Before the schema is known, and after it.
  await t.rejects(other.produce(station.name, { id: 'a' }, { headers }), 'schema_violation');
  await t.rejects(connection.produce(station.name, '{"id":"b"}', { headers, msgId: 'm-1' }), 'schema_violation');
  await t.rejects(other.produce(station.name, new Uint8Array([255, 0])), 'schema_violation');
  const letters = await all(station.deadLetters());
  t.deepEqual(letters.map((letter) => letter.reason), ['schema', 'schema', 'schema'], 'reasons');
  t.deepEqual([letters[0].text(), letters[1].text(), letters[2].data], ['{"id":"a"}', '{"id":"b"}', new Uint8Array([255, 0])], 'payloads');
  for (const letter of letters.slice(0, 2)) {
    t.deepEqual(letter.headers, headers, 'headers');
    t.ok(letter.detail.includes('/id'), `detail: ${letter.detail}`);
    t.equal(letter.station, station.name, 'station');
    t.equal((await t.outcome((async () => letter.decode())())).reason?.code, 'schema_violation', 'decode()');
  }
  t.equal(await stored(station), 1, 'messages of the station');
});

row('a batch of many that do not fit: each is among the dead letters, once', { needs: ['schemas', 'dead_letters'] }, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  const error = await t.rejects(producer.produceBatch(Array.from({ length: 100 }, (_, index) => ({ id: index % 2 ? index : `x${index}` }))), 'schema_violation');
  t.equal(error.outcomes.filter((outcome) => outcome.code).length, 50, 'failures');
  const letters = await all(station.deadLetters());
  t.deepEqual(letters.map((letter) => letter.json().id).sort(), Array.from({ length: 50 }, (_, index) => `x${index * 2}`).sort(), 'dead letters');
});

row('a dead letter of the schema is resent only when it fits', { needs: ['schemas', 'dead_letters', 'resend'] }, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await t.rejects(station.produce({ name: 'x' }), 'schema_violation');
  const [letter] = await all(station.deadLetters());
  await t.rejects(letter.resend(), 'schema_violation', { station: station.name });
  t.equal(await stored(station), 0, 'messages');
  await connection.createSchema(schema, 'json', NAMED);
  await letter.resend();
  t.deepEqual((await t.collect(station, 1)).map((message) => message.decode()), [{ name: 'x' }], 'messages');
  t.deepEqual(await all(station.deadLetters()), [], 'dead letters');
});

row('sendSchemaFailedMsgToDls: false keeps nothing; a dlsStation gets its copy all the same', { needs: ['schemas', 'dead_letters', 'dls_station'] }, async (t) => {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  const station = await connection.station(t.name(), { schemaName: schema, sendSchemaFailedMsgToDls: false });
  await t.rejects(station.produce({}), 'schema_violation');
  t.deepEqual(await all(station.deadLetters()), [], 'dead letters');
  const dls = t.name();
  const copied = await connection.station(t.name(), { schemaName: schema, sendSchemaFailedMsgToDls: false, dlsStation: dls });
  await t.rejects(copied.produce({ id: 'x' }), 'schema_violation');
  t.deepEqual(await all(copied.deadLetters()), [], 'dead letters');
  t.deepEqual(t.texts(await t.collect(await connection.station(dls), 1)), ['{"id":"x"}'], 'copies');
});

row('message.resend() into a station with a schema: what does not fit is not settled', { needs: ['schemas', 'resend'] }, async (t) => {
  const { connection, station } = await enforced(t);
  const source = await connection.station(t.name());
  await source.produce({ id: 'x' });
  const [message] = await (await connection.consumer(source.name, { consumerName: 'one' })).fetch({ batchSize: 1 });
  await t.rejects(message.resend(station.name), 'schema_violation', { station: station.name });
  await message.resend(station.name, { id: 1 });
  t.deepEqual((await t.collect(station, 1)).map((each) => each.decode()), [{ id: 1 }], 'messages');
});
