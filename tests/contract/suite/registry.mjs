// The registry of schemas on NATS: a bucket that every client reads, and what others may have made of it.

import { topic } from '../kit/rows.mjs';
import { PERSON } from './schema.mjs';

const row = topic('registry', 7);
const nats = { brokers: ['nats'] };

async function made(t) {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  return { connection, schema };
}

/** The next entry of status() that `want` describes; undefined if the connection ends before. */
async function told(connection, want) {
  for await (const entry of connection.status()) {
    if (entry.type === 'schema' && Object.entries(want).every(([key, value]) => entry[key] === value)) return entry;
  }
  return undefined;
}

row('a schema is a value that other clients read, with its versions', nats, async (t) => {
  const { connection, schema } = await made(t);
  const entry = await t.control('kvGet', schema);
  const value = JSON.parse(entry.text);
  t.deepEqual({ ...value, at: undefined }, { v: 1, name: schema, type: 'json', definition: PERSON, at: undefined }, 'value');
  t.ok(Math.abs(Date.parse(value.at) - Date.now()) < 600_000, `at: ${value.at}`);
  await connection.createSchema(schema, 'json', PERSON);
  t.equal((await t.control('kvGet', schema)).revision, entry.revision, 'the same text again is not written');
  await connection.createSchema(schema, 'json', '{"type":"array"}');
  await connection.createSchema(schema, 'json', PERSON);
  const history = (await t.control('kvHistory', schema)).map(({ text }) => JSON.parse(text));
  t.deepEqual(history.map(({ v, definition }) => [v, definition]), [[1, PERSON], [2, '{"type":"array"}'], [3, PERSON]], 'history');
  t.ok((await t.control('kvKeys')).includes(schema), 'keys() has it');
  t.deepEqual((await t.control('kvWatch', schema, 1)).map((text) => JSON.parse(text).v), [3], 'watch()');
});

row('protobuf: the value names the message that counts', nats, async (t) => {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, 'protobuf', 'syntax = "proto3"; package shop; message Order { int32 id = 1; } message Other { string x = 1; }');
  t.equal(JSON.parse((await t.control('kvGet', schema)).text).message, 'shop.Order', 'message');
});

row('enforcing writes the name into the station\'s metadata, and rings its bell', nats, async (t) => {
  const { connection, schema } = await made(t);
  const name = `${t.name()}.eu`;
  await connection.station(name, { partitionsNumber: 2, extra: { max_msg_size: 1000 } });
  const before = (await t.control('kvApi', `STREAM.INFO.${name.replaceAll('.', '#')}`)).config;
  await connection.enforceSchema(schema, name);
  const after = (await t.control('kvApi', `STREAM.INFO.${name.replaceAll('.', '#')}`)).config;
  t.deepEqual(after, { ...before, metadata: { ...before.metadata, 'stationmaster.schema': schema } }, 'configuration');
  await connection.detachSchema(name);
  t.deepEqual((await t.control('kvApi', `STREAM.INFO.${name.replaceAll('.', '#')}`)).config, before, 'configuration after detach');
  const bell = await t.control('kvApi', 'STREAM.MSG.GET.KV_stationmaster_schemas', { last_by_subj: `$KV.stationmaster_schemas._station.${name.replaceAll('.', '#')}` });
  t.equal(bell.message?.data, undefined, 'the bell after detach is empty');
});

row('another client\'s version reaches a running producer', nats, async (t) => {
  const { connection, schema } = await made(t);
  const station = await connection.station(t.name(), { schemaName: schema });
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 1 });
  const change = told(connection, { station: station.name, schema });
  await t.control('kvPut', schema, JSON.stringify({ v: 2, name: schema, type: 'json', definition: '{"type":"string"}', at: new Date().toISOString() }));
  await t.within(5000, change, 'status()');
  await t.rejects(producer.produce({ id: 1 }), 'schema_violation');
  await producer.produce('"a"');
  await connection.createSchema(schema, 'json', PERSON);
  t.equal(JSON.parse((await t.control('kvGet', schema)).text).v, 3, 'the next version');
});

for (const [how, drop] of [['deleted', 'kvDelete'], ['purged', 'kvPurge']]) {
  row(`a schema that is ${how} while a station enforces it: nothing is stored unchecked, until it is there again or detached`, nats, async (t) => {
    const { connection, schema } = await made(t);
    const station = await connection.station(t.name(), { schemaName: schema });
    const producer = await connection.producer(station.name);
    await producer.produce({ id: 1 });
    const consumer = await connection.consumer(station.name);
    const change = told(connection, { station: station.name, schema });
    await t.control(drop, schema);
    await t.within(5000, change, 'status()');
    await t.rejects(producer.produce({ id: 1 }), 'schema_violation', { station: station.name, says: schema, retryable: true });
    await t.rejects((await t.connect()).produce(station.name, { id: 1 }), 'schema_violation', { says: schema, retryable: true });
    const [message] = await consumer.fetch({ batchSize: 1 });
    t.equal(message.text(), '{"id":1}', 'messages are handed over');
    t.equal((await t.outcome((async () => message.decode())())).reason?.code, 'schema_violation', 'decode()');
    await t.rejects(connection.enforceSchema(schema, (await connection.station(t.name())).name), 'rejected', { says: schema });
    t.equal((await station.info()).messages, 1, 'messages');
    await connection.createSchema(schema, 'json', PERSON);
    await producer.produce({ id: 2 });
    t.deepEqual(message.decode(), { id: 1 }, 'decode()');
    await t.control(drop, schema);
    await connection.detachSchema(station.name);
    await producer.produce('anything');
  });
}

for (const [what, text] of [
  ['no JSON', 'hello'], ['nothing', ''], ['JSON of another shape', '{"schema":{}}'], ['an unknown type', '{"v":1,"type":"xml","definition":"<a/>"}'], ['no version', '{"type":"json","definition":"{}"}'],
]) {
  row(`a value that is not ours: ${what}`, nats, async (t) => {
    const { connection } = await made(t);
    const schema = t.name('schema');
    const station = await connection.station(t.name());
    await t.control('kvPut', schema, text);
    await t.rejects(connection.enforceSchema(schema, station.name), 'rejected', { station: station.name, says: schema });
    await t.rejects(connection.createSchema(schema, 'json', PERSON), 'rejected', { says: schema });
    await t.rejects(connection.station(t.name(), { schemaName: schema }), 'rejected', { says: schema });
    t.equal((await t.control('kvGet', schema)).text, text, 'the value is left alone');
    await station.produce('x');
  });
}

row('a value becomes none of ours, or one that does not compile, while a producer runs', nats, async (t) => {
  const { connection, schema } = await made(t);
  const station = await connection.station(t.name(), { schemaName: schema });
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 1 });
  for (const text of ['hello', JSON.stringify({ v: 7, name: schema, type: 'json', definition: '{"type":7}' }), JSON.stringify({ v: 8, name: schema, type: 'avro', definition: '{' })]) {
    await t.control('kvPut', schema, text);
    // What is not there may come; what is there and does not compile stays wrong.
    const refused = async () => {
      const { reason } = await t.outcome(producer.produce({ id: 1 }));
      return reason?.retryable === (text === 'hello') && reason;
    };
    const error = await t.until(refused, 5000, `it is refused: ${text}`);
    t.checkError(error, 'schema_violation', { station: station.name, says: schema, retryable: text === 'hello' });
  }
  await t.control('kvPut', schema, JSON.stringify({ v: 9, name: schema, type: 'json', definition: PERSON }));
  await t.until(async () => !(await t.outcome(producer.produce({ id: 1 }))).error, 5000, 'it goes on');
});
