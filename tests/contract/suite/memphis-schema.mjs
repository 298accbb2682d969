// Schemas on Memphis: the registry is the broker's own, and only its pages make another version count.

import { topic } from '../kit/rows.mjs';
import { PERSON, enforced, told } from './schema.mjs';

const row = topic('memphis schemas', 7);
const memphis = { brokers: ['memphis'] };
const pages = { ...memphis, controls: ['pages'] };
const reports = { ...pages, waits: true };
/** The broker collects reports for some seconds before it works on them. */
const REPORTED = 15_000;

const NAMED = JSON.stringify({ type: 'object', required: ['name'] });
const PROTO = 'syntax = "proto3"; package shop; message Order { int64 id = 1; } message Other { string x = 1; }';

const heard = (t, entries, schema) => t.until(() => entries.some((entry) => entry.schema === schema), 8000, `status() tells ${schema}`);
const rows = (t, station, count) => t.until(async () => {
  const list = await t.control('deadRows', station.name);
  return list.length >= count && list;
}, REPORTED, `${count} dead letters of ${station.name}`);

// ---- making and enforcing -------------------------------------------------------------------------------------------

row('the broker\'s own text is kept with what it refuses', memphis, async (t) => {
  const { connection, schema, station } = await enforced(t);
  const gone = t.name('schema');
  const missing = await t.rejects(connection.enforceSchema(gone, station.name), 'rejected', { says: gone });
  t.equal(missing.serverCode, `Schema ${gone} does not exist`, 'serverCode');
  const nowhere = t.name();
  t.equal((await t.rejects(connection.enforceSchema(schema, nowhere), 'no_such_station', { station: nowhere })).serverCode, `memphis: Station ${nowhere} does not exist`, 'serverCode');
  t.equal((await t.rejects(connection.detachSchema(nowhere), 'no_such_station', { station: nowhere })).serverCode, `station ${nowhere} does not exist`, 'serverCode');
  const other = await t.rejects(connection.createSchema(schema, 'avro', '{"type":"record","name":"A","fields":[]}'), 'already_exists', { says: schema });
  t.equal(other.serverCode, `${schema} already exist with type - json`, 'serverCode');
});

row('a schema whose name looks like a station\'s error is told from it', memphis, async (t) => {
  const { connection, station } = await enforced(t);
  const gone = `${t.name('schema')}-station`;
  await t.rejects(connection.enforceSchema(gone, station.name), 'rejected', { says: gone });
});

row('names with dots', memphis, async (t) => {
  const connection = await t.connect();
  const schema = `${t.name('schema')}.v.one`;
  const name = `${t.name()}.eu.west`;
  await connection.createSchema(schema, 'json', PERSON);
  const station = await connection.station(name);
  const entries = told(connection);
  await station.produce({ id: 'anything' });
  await (await t.connect()).enforceSchema(schema, name);
  await heard(t, entries, schema);
  await t.rejects(station.produce({ id: 'x' }), 'schema_violation', { station: name });
  await station.produce({ id: 1 });
});

row('what the broker would not survive never reaches it', memphis, async (t) => {
  const connection = await t.connect();
  const schema = t.name('schema');
  for (const text of ['syntax = "proto3";', 'syntax = "proto3"; enum A { B = 0; }', 'syntax = "proto3"; package a; service S {}', '']) {
    await t.rejects(connection.createSchema(schema, 'protobuf', text), 'schema_violation', { for: text });
  }
  t.ok((await connection.ping()).rttMs >= 0, 'the broker answers');
});

row('protobuf: a descriptor set compiles here and not there', memphis, async (t) => {
  const connection = await t.connect();
  // FileDescriptorSet { file { name "a.proto" message_type { name "A" } syntax "proto3" } }
  const set = btoa(String.fromCharCode(0x0a, 0x16, 0x0a, 0x07, ...new TextEncoder().encode('a.proto'), 0x22, 0x03, 0x0a, 0x01, 0x41, 0x62, 0x06, ...new TextEncoder().encode('proto3')));
  const error = await t.rejects(connection.createSchema(t.name('schema'), 'protobuf', set), 'schema_violation');
  t.ok(typeof error.serverCode === 'string' && error.serverCode.length > 0, `serverCode: ${t.show(error.serverCode)}`);
});

row('protobuf: the broker\'s descriptor decides, and its first message', memphis, async (t) => {
  const { station } = await enforced(t, PROTO, 'protobuf');
  await station.produce({ id: 5 });
  await t.rejects(station.produce({ x: 'a' }), 'schema_violation');
  const [message] = await t.collect(station, 1);
  t.deepEqual([[...message.data], message.decode()], [[8, 5], { id: '5' }], 'message');
});

row('two who make the same schema at once both succeed; the first version counts', memphis, async (t) => {
  const [connection, other] = [await t.connect(), await t.connect()];
  const name = t.name('schema');
  await Promise.all([connection, other, connection, other].map((each) => each.createSchema(name, 'json', PERSON)));
  await Promise.all(Array.from({ length: 6 }, (_, index) => (index % 2 ? connection : other).createSchema(name, 'json', JSON.stringify({ const: index }))));
  const station = await connection.station(t.name(), { schemaName: name });
  await station.produce({ id: 1 });
  await t.rejects(station.produce('1'), 'schema_violation');
});

row('what the same connection changes counts when the call has resolved', memphis, async (t) => {
  const { connection, schema, station } = await enforced(t);
  const other = t.name('schema');
  await connection.createSchema(other, 'json', NAMED);
  const producer = await connection.producer(station.name);
  for (let round = 0; round < 3; round += 1) {
    await producer.produce({ id: 1 });
    await connection.enforceSchema(other, station.name);
    await t.rejects(producer.produce({ id: 1 }), 'schema_violation');
    await connection.detachSchema(station.name);
    await producer.produce('anything');
    await connection.enforceSchema(schema, station.name);
    await t.rejects(producer.produce('anything'), 'schema_violation');
  }
  t.equal((await station.info()).messages, 6, 'messages');
});

row('a second version is stored, and counts when the pages have activated it and it is enforced anew', pages, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await station.produce({ id: 1 });
  await connection.createSchema(schema, 'json', NAMED);
  await station.produce({ id: 2 });
  await t.rejects(station.produce({ name: 'x' }), 'schema_violation');
  await t.control('activate', schema, 2);
  await connection.enforceSchema(schema, station.name);
  await t.rejects(station.produce({ id: 3 }), 'schema_violation');
  await station.produce({ name: 'x' });
});

row('a producer that is made after the activation has the new version at once', pages, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await connection.createSchema(schema, 'json', NAMED);
  await t.control('activate', schema, 2);
  const later = await t.connect();
  await t.rejects(later.produce(station.name, { id: 3 }), 'schema_violation');
  await later.produce(station.name, { name: 'x' });
});

// ---- changes by others ----------------------------------------------------------------------------------------------

row('a schema that the pages enforce, and one that they delete, reach what is running', pages, async (t) => {
  const connection = await t.connect();
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  const station = await connection.station(t.name());
  const entries = told(connection);
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await station.produce({ id: 'x' });
  const [message] = await consumer.fetch({ batchSize: 1 });
  await t.control('useSchema', schema, station.name);
  await heard(t, entries, schema);
  await t.rejects(station.produce({ id: 'x' }), 'schema_violation', { station: station.name });
  let thrown;
  try { message.decode(); } catch (error) { thrown = error; }
  t.checkError(thrown, 'schema_violation');
  await t.control('removeSchema', schema);
  await heard(t, entries, null);
  await station.produce({ id: 'x' });
});

row('a schema that is dropped while messages are on their way: each has its outcome', pages, async (t) => {
  const { connection, schema, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 0 });
  const entries = told(connection);
  const outcomes = [];
  let going = true;
  const sending = (async () => {
    for (let n = 1; going; n += 1) {
      outcomes.push(t.outcome(producer.produce({ id: n % 2 ? n : 'x' })));
      await t.turn();
    }
  })();
  await t.control('removeSchema', schema);
  await heard(t, entries, null);
  await producer.produce({ id: 'x' });
  going = false;
  await sending;
  const ended = await t.within(10_000, Promise.all(outcomes), 'all outcomes');
  for (const { error, reason } of ended) if (error) t.checkError(reason, 'schema_violation', { maybeDelivered: false });
  t.equal((await station.info()).messages, ended.filter(({ error }) => !error).length + 2, 'messages');
});

row('a change while the link is down is known when it is back, to producers and consumers', { ...memphis, controls: ['pages', 'cut'] }, async (t) => {
  const connection = await t.connect({ reconnectIntervalMs: 300 });
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  const station = await connection.station(t.name());
  const entries = told(connection);
  const producer = await connection.producer(station.name);
  await producer.produce({ id: 'x' });
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await t.control('cut', station.name);
  await t.control('useSchema', schema, station.name);
  await heard(t, entries, schema);
  await t.rejects(producer.produce({ id: 'x' }), 'schema_violation');
  await producer.produce({ id: 1 });
  const [, good] = await t.collect(consumer, 2);
  t.deepEqual(good.decode(), { id: 1 }, 'decoded');
});

// ---- reports --------------------------------------------------------------------------------------------------------

row('what fails is reported for the dead letters: bytes, headers as texts, producer, and what is wrong', reports, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name, { producerName: t.name('p') });
  const bytes = new Uint8Array([0, 1, 15, 16, 255]);
  await t.rejects(producer.produce(bytes, { headers: { trace: '1' } }), 'schema_violation');
  await t.rejects(producer.produce({ id: 'héllo ✓' }), 'schema_violation');
  const letters = await rows(t, station, 2);
  const [raw, text] = ['\ufffd', 'héllo'].map((part) => letters.find((letter) => letter.text.includes(part)));
  t.deepEqual([raw?.text, raw?.headers.trace], ['\0\u0001\u000f\u0010\ufffd', '1'], 'bytes and a header');
  t.equal(raw?.headers.$memphis_producedBy, producer.name, 'producer');
  t.equal(text?.text, '{"id":"héllo ✓"}', 'text');
  t.equal((await station.info()).messages, 0, 'messages of the station');
});

row('the first message of a producer that does not know the schema yet is reported as well', reports, async (t) => {
  const { station } = await enforced(t);
  const connection = await t.connect();
  await t.rejects(connection.produce(station.name, { id: 'x' }, { headers: { a: 'b' } }), 'schema_violation');
  const [letter] = await rows(t, station, 1);
  t.deepEqual([letter.text, letter.headers.a], ['{"id":"x"}', 'b'], 'letter');
});

row('with a dlsStation a copy goes there, also of a message without headers', reports, async (t) => {
  const copies = t.name();
  const { connection, station } = await enforced(t, PERSON, 'json', { dlsStation: copies });
  await t.rejects(station.produce({ id: 'x' }), 'schema_violation');
  const [copy] = await t.collect(await connection.consumer(copies, { consumerName: 'c' }), 1, { ms: REPORTED });
  t.equal(copy.text(), '{"id":"x"}', 'text');
  t.deepEqual([copy.headers.station, copy.headers.type], [station.name, 'failed_schema'], 'where it came from');
});

row('sendSchemaFailedMsgToDls: false reports nothing', reports, async (t) => {
  const { connection, schema, station } = await enforced(t, PERSON, 'json', { sendSchemaFailedMsgToDls: false });
  await t.rejects(station.produce({ id: 'x' }), 'schema_violation');
  const other = await connection.station(t.name(), { schemaName: schema });
  await t.rejects(other.produce({ id: 'y' }), 'schema_violation');
  await rows(t, other, 1);
  t.deepEqual(await t.control('deadRows', station.name), [], 'dead letters');
});

row('reports are switched off and on while a producer runs', reports, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name);
  // What the broker tells of it may come after its pages have answered.
  let told = 0;
  void (async () => {
    for await (const { direction, data } of connection.tap()) {
      const text = new TextDecoder().decode(data);
      if (direction === 'in' && text.includes('schemaverse_to_dls') && text.includes(`"station_name":"${station.name}"`)) told += 1;
    }
  })();
  const switched = async (on, id) => {
    const before = told;
    await t.control('switchDls', station.name, true, on);
    await t.until(() => told > before, 5000, 'the switch is told');
    // The answer to one that makes a consumer says nothing of reports.
    await connection.consumer(station.name);
    await t.rejects(producer.produce({ id }), 'schema_violation');
  };
  await switched(false, 'off');
  await switched(true, 'on');
  await switched(false, 'off again');
  await switched(true, 'on again');
  const letters = await rows(t, station, 2);
  t.deepEqual(letters.map(({ text }) => JSON.parse(text).id).sort(), ['on', 'on again'], 'reported');
});

row('alerts are sent when the broker asks for them, and not before', { ...reports, controls: ['pages', 'inside'] }, async (t) => {
  const { connection, station } = await enforced(t);
  const producer = await connection.producer(station.name, { producerName: t.name('p') });
  const of = async () => (await t.control('alerts')).filter(({ msg }) => msg.includes(station.name));
  await t.rejects(producer.produce({ id: 'x' }), 'schema_violation');
  await t.control('switchNotifications', true);
  await connection.ping();
  t.ending(() => t.control('switchNotifications', false));
  await t.rejects(producer.produce({ id: 'y' }), 'schema_violation');
  const [alert] = await t.until(async () => { const list = await of(); return list.length > 0 && list; }, 5000, 'an alert');
  t.deepEqual([alert.type, alert.title, alert.code], ['schema_validation_fail_alert', 'Schema validation has failed', '{"id":"y"}'], 'alert');
  t.ok(alert.msg.includes(`Producer: ${producer.name}`), alert.msg);
  await t.control('switchNotifications', false);
  await connection.ping();
  await t.rejects(producer.produce({ id: 'z' }), 'schema_violation');
  await rows(t, station, 3);
  t.equal((await of()).length, 1, 'alerts');
});

// ---- what others may have made --------------------------------------------------------------------------------------

const inside = { ...memphis, controls: ['inside'] };

for (const [what, type, content, descriptor] of [
  ['a reference to another document', 'json', '{"$ref":"https://example.com/other.json"}'],
  ['text that is no schema', 'avro', 'nothing of the kind'],
  ['a descriptor that is none', 'protobuf', 'syntax = "proto3"; message A {}', 'AAAA'],
  ['a type that nobody knows', 'xml', '<a/>'],
  ['a descriptor without the message', 'protobuf', 'syntax = "proto3"; message A {}', 'CgcKBWEucGIy'],
]) {
  row(`a schema that does not compile here: nothing is stored unchecked, and messages are handed over: ${what}`, inside, async (t) => {
    const connection = await t.connect();
    const station = await connection.station(t.name());
    await station.produce({ id: 1 });
    const schema = t.name('schema');
    await t.control('putSchema', schema, type, content, descriptor);
    await connection.enforceSchema(schema, station.name);
    // An engine may come with a later version of the package.
    const retryable = type === 'xml';
    await t.rejects(station.produce({ id: 2 }), 'schema_violation', { station: station.name, maybeDelivered: false, says: schema, retryable });
    await t.rejects((await t.connect()).produce(station.name, { id: 3 }), 'schema_violation', { station: station.name, retryable });
    const [message] = await t.collect(await (await t.connect()).consumer(station.name, { consumerName: 'c' }), 1);
    t.equal(message.text(), '{"id":1}', 'text');
    let thrown;
    try { message.decode(); } catch (error) { thrown = error; }
    t.checkError(thrown, 'schema_violation', { retryable });
    await connection.detachSchema(station.name);
    await station.produce({ id: 4 });
  });
}

row('updates that cannot be read change nothing', inside, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await station.produce({ id: 1 });
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  const entries = told(connection);
  const nothing = ['', 'x', '{', '[]', 'null', '7', '{}', '{"UpdateType":1}', '{"UpdateType":"2","init":7}', `${'['.repeat(20_000)}${']'.repeat(20_000)}`, '\u0000\u0001'];
  for (const body of nothing) {
    await t.control('say', `$memphis_schema_updates_${station.name}`, body);
    await t.control('say', '$memphis_sdk_clients_updates', body);
    await t.control('say', `$memphis_dls_${station.name}.c`, body);
    await t.control('say', `$memphis_dls_${station.name}.c`, body, 'NATS/1.0\r\n$memphis_pm_id: x\r\n\r\n');
  }
  await t.control('say', '$memphis_sdk_clients_updates', JSON.stringify({ station_name: station.name, type: 'nobody knows', update: {} }));
  await t.control('say', '$memphis_sdk_clients_updates', JSON.stringify({ station_name: t.name(), type: 'remove_station', update: null }));
  await connection.ping();
  await t.rejects(station.produce({ id: 'x' }), 'schema_violation');
  await station.produce({ id: 2 });
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['{"id":1}', '{"id":2}'], 'messages');
  t.deepEqual(entries, [], `entries of status() about ${schema}`);
});

row('who only looks, and a link that comes back, leave no row in the broker\'s database', { ...memphis, controls: ['inside', 'cut'] }, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await station.info();
  for await (const message of station.browse()) t.fail(t.show(message));
  t.deepEqual(await t.control('rows', station.name), { producers: 0, consumers: 0 }, 'rows before anything is produced');
  const producer = await connection.producer(station.name, { producerName: 'p' });
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await producer.produce({ id: 1 });
  t.deepEqual(await t.control('rows', station.name), { producers: 1, consumers: 1 }, 'rows');
  const entries = told(connection);
  const down = t.lost(connection);
  await t.control('cut', station.name);
  await down;
  await (await t.connect()).detachSchema(station.name);
  await heard(t, entries, null);
  await producer.produce('anything', { msgId: 'm' });
  t.equal((await t.collect(consumer, 2)).length, 2, `messages, ${schema}`);
  await t.until(async () => t.show(await t.control('rows', station.name)) === t.show({ producers: 1, consumers: 1 }), 5000, 'one row each');
  await producer.destroy();
  await consumer.destroy();
  t.deepEqual(await t.control('rows', station.name), { producers: 0, consumers: 0 }, 'rows at the end');
});

row('who uses a station no longer does not listen to it any more', { ...memphis, controls: ['inside'] }, async (t) => {
  const { connection, station } = await t.setup();
  const heardBy = async () => (await t.control('listeners', station.name)).map((subject) => subject.replace(station.name, 'ST'));
  const [one, two] = [await connection.producer(station.name, { producerName: 'p' }), await connection.producer(station.name, { producerName: 'p' })];
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  const nameless = await connection.consumer(station.name);
  await t.until(async () => (await heardBy()).length === 3, 3000, 'three subscriptions');
  await nameless.destroy();
  await one.destroy();
  await connection.ping();
  t.deepEqual(await heardBy(), ['$memphis_dls_ST.c', '$memphis_schema_updates_ST'], 'subscriptions');
  await two.destroy();
  await consumer.destroy();
  await connection.ping();
  await t.until(async () => (await heardBy()).length === 0, 3000, 'no subscriptions');
  // And again.
  const schema = t.name('schema');
  await connection.createSchema(schema, 'json', PERSON);
  await connection.enforceSchema(schema, station.name);
  await t.rejects(connection.produce(station.name, { id: 'x' }), 'schema_violation');
  t.deepEqual(await heardBy(), ['$memphis_schema_updates_ST'], 'subscriptions');
});

// ---- answers that are none ------------------------------------------------------------------------------------------

for (const [what, text] of [['a text', 'something is wrong'], ['half of JSON', '{"error":'], ['a list', '[1]'], ['an object with an error', '{"error":"no"}']]) {
  row(`what the broker answers instead of success is told with its text: ${what}`, inside, async (t) => {
    const { connection, schema, station } = await enforced(t);
    const said = text.includes('"no"') ? 'no' : text;
    for (const [subject, part, call] of [
      ['$memphis_schema_creations', `${schema}-2`, () => connection.createSchema(`${schema}-2`, 'json', PERSON)],
      ['$memphis_schema_attachments', station.name, () => connection.enforceSchema(schema, station.name)],
      ['$memphis_schema_detachments', station.name, () => connection.detachSchema(station.name)],
    ]) {
      await t.control('answerNext', subject, part, [text]);
      t.equal((await t.rejects(call(), 'rejected', { for: subject })).serverCode, said, `serverCode of ${subject}`);
    }
    await t.rejects(station.produce({ id: 'x' }), 'schema_violation');
    await connection.createSchema(`${schema}-2`, 'json', PERSON);
  });
}

row('only the first answer counts', inside, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await t.control('answerNext', '$memphis_schema_attachments', station.name, ['', 'too late']);
  await connection.enforceSchema(schema, station.name);
  await t.control('answerNext', '$memphis_schema_attachments', station.name, ['refused', '']);
  await t.rejects(connection.enforceSchema(schema, station.name), 'rejected');
  await connection.ping();
});

row('answers that never come: timeout, and nothing hangs', { ...inside, waits: true, limitMs: 40_000 }, async (t) => {
  const { connection, schema, station } = await enforced(t);
  await t.control('answerNext', '$memphis_schema_creations', `${schema}-2`, []);
  await t.control('answerNext', '$memphis_schema_attachments', station.name, []);
  await t.control('answerNext', '$memphis_schema_detachments', station.name, []);
  await t.within(30_000, Promise.all([
    t.rejects(connection.createSchema(`${schema}-2`, 'json', PERSON), 'timeout'),
    t.rejects(connection.enforceSchema(schema, station.name), 'timeout', { station: station.name }),
    t.rejects(connection.detachSchema(station.name), 'timeout', { station: station.name }),
  ]), 'all three');
  await station.produce({ id: 1 });
});
