// Stations: creating, finding, looking at and destroying them.

import { topic } from '../kit/rows.mjs';

const row = topic('station', 1);
const DEFAULTS = {
  retentionType: 'max_message_age_seconds', retentionValue: 604800, storageType: 'disk', replicas: 1, idempotencyWindowMs: 120000, schemaName: '',
  sendPoisonMsgToDls: true, sendSchemaFailedMsgToDls: true, tieredStorageEnabled: false, partitionsNumber: 1, dlsStation: '',
};

row('a new station has one partition and did not exist', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  const station = await connection.station(name);
  t.equal(station.name, name, 'name');
  t.deepEqual([...station.partitions], [1], 'partitions');
  t.equal(station.existed, false, 'existed');
  t.deepEqual([...station.differs], [], 'differs');
});

row('partitions are numbered from 1', { needs: ['partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 5 });
  t.deepEqual([...station.partitions], [1, 2, 3, 4, 5], 'partitions');
});

row('every option is accepted with its default written out, and is what a station without options has', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await connection.station(name);
  const again = await connection.station(name, { ...DEFAULTS, extra: undefined, partitionKeys: undefined });
  t.equal(again.existed, true, 'existed');
  t.deepEqual([...again.differs], [], 'differs');
});

row('a station that exists is left alone and says which options differ', { needs: ['partitions'] }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await connection.station(name, { partitionsNumber: 2, idempotencyWindowMs: 60000 });
  await connection.produce(name, 'kept');
  const again = await connection.station(name, { partitionsNumber: 3, idempotencyWindowMs: 30000, retentionValue: 3600 });
  t.equal(again.existed, true, 'existed');
  t.deepEqual([...again.differs].sort(), ['idempotencyWindowMs', 'partitionsNumber', 'retentionValue'], 'differs');
  t.deepEqual([...again.partitions], [1, 2], 'partitions');
  t.deepEqual(t.texts(await t.collect(again, 1)), ['kept'], 'messages');
  t.deepEqual([...(await connection.station(name, { partitionsNumber: 2, idempotencyWindowMs: 60000 })).differs], [], 'differs from its own options');
});

row('another retention is a difference', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await connection.station(name, { retentionType: 'messages', retentionValue: 10 });
  t.deepEqual([...(await connection.station(name, { retentionType: 'messages', retentionValue: 10 })).differs], [], 'differs from the same');
  const other = await connection.station(name, { retentionType: 'ack_based' });
  t.ok(other.differs.includes('retentionType'), `differs ${t.show([...other.differs])} lacks retentionType`);
});

row('storage in memory is created and told apart', { brokers: ['nats'] }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await connection.station(name, { storageType: 'memory' });
  t.deepEqual([...(await connection.station(name, { storageType: 'memory' })).differs], [], 'differs from the same');
  t.deepEqual([...(await connection.station(name, { storageType: 'disk' })).differs], ['storageType'], 'differs from the other');
});

row('memory takes and ignores storageType and replicas', { brokers: ['memory'] }, async (t) => {
  const connection = await t.connect();
  for (const options of [{ storageType: 'memory' }, { replicas: 3 }, { storageType: 'memory', replicas: 5 }]) {
    const name = t.name();
    t.equal((await connection.station(name, options)).existed, false, 'existed');
    t.deepEqual([...(await connection.station(name)).differs], [], `differs of ${t.show(options)}`);
  }
});

row('replicas that a single server cannot give are refused and nothing is made', { brokers: ['nats'] }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await t.rejects(connection.station(name, { replicas: 3 }), 'rejected', { says: 'replicas' });
  t.equal((await connection.station(name)).existed, false, 'existed');
});

row('two callers at once both succeed', { needs: ['partitions'] }, async (t) => {
  const connection = await t.connect();
  const other = await t.connect();
  const name = t.name();
  const both = await Promise.all([connection.station(name, { partitionsNumber: 3 }), other.station(name, { partitionsNumber: 3 })]);
  for (const station of both) t.deepEqual([...station.partitions], [1, 2, 3], 'partitions');
  t.equal((await connection.produce(name, 'x')).sequence, 1, 'sequence');
});

row('ten callers at once on one connection all succeed', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  const all = await Promise.all(Array.from({ length: 10 }, () => connection.station(name)));
  t.equal(new Set(all.map((station) => station.name)).size, 1, 'names');
});

for (const [what, make] of [
  ['producer', (connection, name) => connection.producer(name)],
  ['consumer', (connection, name) => connection.consumer(name, { consumerName: 'one' })],
  ['produce', (connection, name) => connection.produce(name, 'x')],
  ['fetch', (connection, name) => connection.fetch(name, { consumerName: 'one', noWait: true })],
  ['consume', (connection, name) => connection.consume(name, { consumerName: 'one' })],
]) {
  row(`${what} makes a missing station with the defaults`, async (t) => {
    const connection = await t.connect();
    const name = t.name();
    await make(connection, name);
    const station = await connection.station(name, DEFAULTS);
    t.equal(station.existed, true, 'existed');
    t.deepEqual([...station.differs], [], 'differs');
  });
}

row('nothing else makes a station: a look at a vanished one fails', { needs: ['info', 'destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  await station.destroy();
  await t.rejects(station.info(), 'no_such_station', { station: station.name });
  t.equal((await connection.station(station.name)).existed, false, 'existed afterwards');
});

row('a station keeps its methods: produce, fetch, consume, producer, consumer', async (t) => {
  const { station } = await t.setup();
  t.equal((await station.produce('a')).sequence, 1, 'sequence');
  const producer = await station.producer();
  t.deepEqual([...producer.stations], [station.name], 'stations of the producer');
  await producer.produce('b');
  const consumer = await station.consumer({ consumerName: 'one' });
  t.equal(consumer.station, station.name, 'station of the consumer');
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['a', 'b'], 'through consumer()');
  t.deepEqual(t.texts(await station.fetch({ batchSize: 2, consumerName: 'two' })), ['a', 'b'], 'through fetch()');
  const running = await station.consume({ consumerName: 'three' });
  const { value } = await running[Symbol.asyncIterator]().next();
  t.equal(value.text(), 'a', 'through consume()');
});

row('sequences are counted for each partition', { needs: ['partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  const receipts = [];
  for (const partitionNumber of [1, 2, 2, 1, 2]) receipts.push(await station.produce('x', { partitionNumber }));
  t.deepEqual(receipts.map(({ partition, sequence }) => `${partition}/${sequence}`), ['1/1', '2/1', '2/2', '1/2', '2/3'], 'places');
});

// ---- destroy ----

row('destroy removes the messages: a station of that name begins anew', { needs: ['destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 3);
  t.equal(await station.destroy(), undefined, 'destroy()');
  t.equal((await connection.station(station.name)).existed, false, 'existed');
  t.equal((await connection.produce(station.name, 'new')).sequence, 1, 'sequence');
});

row('destroy removes every partition', { needs: ['destroy', 'partitions'] }, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 3 });
  await t.fill(station, 6);
  await station.destroy();
  const again = await connection.station(station.name, { partitionsNumber: 3 });
  t.equal(again.existed, false, 'existed');
  const receipts = await t.fill(again, 3);
  t.deepEqual(receipts.map((receipt) => receipt.sequence), [1, 1, 1], 'sequences');
});

row('a producer whose station vanished rejects with no_such_station and does not bring it back', { needs: ['destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await station.destroy();
  const error = await t.rejects(producer.produce('after'), 'no_such_station', { station: station.name });
  t.ok(error.maybeDelivered !== true, 'maybeDelivered of a message that the broker said it has not');
  t.equal((await connection.station(station.name)).existed, false, 'existed');
});

row('destroy ends producers of other connections', { needs: ['destroy'] }, async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  const producer = await other.producer(station.name);
  await producer.produce('before');
  await station.destroy();
  await t.rejects(producer.produce('after'), 'no_such_station');
});

row('destroy ends a running handler of another connection with no_such_station', { needs: ['destroy'] }, async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'one', batchMaxTimeToWaitMs: 500, pullIntervalMs: 100 });
  const running = consumer.consume(async (messages) => { for (const message of messages) await message.ack(); });
  await station.produce('x');
  const ended = t.rejects(t.within(10_000, running, 'consume()'), 'no_such_station');
  await station.destroy();
  await ended;
  t.checkError(await t.within(5000, consumer.closed, 'closed'), 'no_such_station');
});

row('destroy ends an iteration with no_such_station', { needs: ['destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  const consumer = await connection.consumer(station.name, { consumerName: 'one' });
  const iterator = consumer[Symbol.asyncIterator]();
  await station.produce('x');
  const { value } = await iterator.next();
  await value.ack();
  const next = iterator.next();
  const ended = t.rejects(t.within(10_000, next, 'next()'), 'no_such_station');
  await station.destroy();
  await ended;
});

row('destroy ends a fetch that waits with no_such_station', { needs: ['destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  const consumer = await connection.consumer(station.name, { consumerName: 'one' });
  const waiting = consumer.fetch({ batchMaxTimeToWaitMs: 15_000 });
  // Awaited from now on: it may end before destroy() does.
  const ended = t.rejects(t.within(10_000, waiting, 'fetch()'), 'no_such_station');
  await t.turn();
  await station.destroy();
  await ended;
});

row('the producer behind produce() is dropped with its station, and the next call makes both anew', { needs: ['destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  await connection.produce(station.name, 'old');
  await station.destroy();
  const outcome = await t.outcome(connection.produce(station.name, 'first try'));
  if (outcome.error) t.checkError(outcome.reason, 'no_such_station');
  const receipt = outcome.error ? await connection.produce(station.name, 'second try') : outcome.value;
  t.equal(receipt.sequence, 1, 'sequence in the new station');
});

row('the consumer behind fetch() is dropped with its station, and the next call makes both anew', { needs: ['destroy'] }, async (t) => {
  const { connection, station } = await t.setup();
  await station.produce('old');
  const options = { consumerName: 'one', batchSize: 1, batchMaxTimeToWaitMs: 2000 };
  t.deepEqual(t.texts(await connection.fetch(station.name, options)), ['old'], 'before');
  await station.destroy();
  const outcome = await t.outcome(connection.fetch(station.name, { ...options, noWait: true }));
  if (outcome.error) t.checkError(outcome.reason, 'no_such_station');
  await connection.produce(station.name, 'new');
  t.deepEqual(t.texts(await connection.fetch(station.name, options)), ['new'], 'after');
});

// ---- info, stations, browse, purge ----

row('info counts messages and bytes over all partitions', { needs: ['info', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const empty = await station.info();
  t.equal(empty.messages, 0, 'messages of an empty station');
  await t.fill(station, 7, () => 'x'.repeat(100));
  const info = await station.info();
  t.equal(info.name, station.name, 'name');
  t.deepEqual([...info.partitions], [1, 2, 3], 'partitions');
  t.equal(info.messages, 7, 'messages');
  t.ok(info.bytes >= 700, `bytes: ${info.bytes}`);
});

row('info tells the options that are stored', { needs: ['info'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'messages', retentionValue: 12, idempotencyWindowMs: 5000 });
  const { options } = await station.info();
  t.equal(options.retentionType, 'messages', 'retentionType');
  t.equal(options.retentionValue, 12, 'retentionValue');
  t.equal(options.idempotencyWindowMs, 5000, 'idempotencyWindowMs');
});

row('info counts groups and tells when the station was made', { needs: ['info', 'groups'] }, async (t) => {
  const before = Date.now();
  const { connection, station } = await t.setup({ partitionsNumber: 2 });
  await connection.consumer(station.name, { consumerName: 'one' });
  await connection.consumer(station.name, { consumerName: 'two' });
  const info = await station.info();
  t.equal(info.groups, 2, 'groups');
  if (info.created !== undefined) t.between(info.created.getTime(), before - 5000, Date.now() + 5000, 'created');
});

row('stations() lists every station and ends', { needs: ['list'] }, async (t) => {
  const connection = await t.connect();
  const names = [t.name(), t.name(), t.name()];
  for (const name of names) await connection.station(name, { partitionsNumber: 2 });
  const seen = [];
  for await (const info of connection.stations()) seen.push(info.name);
  for (const name of names) t.equal(seen.filter((each) => each === name).length, 1, `times ${name} is listed`);
});

row('browse shows stored messages partition by partition, up to what was newest, and touches no group', { needs: ['get', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  await t.fill(station, 6);
  const seen = [];
  for await (const message of station.browse()) {
    seen.push(`${message.partition}/${message.sequence} ${message.text()}`);
    if (seen.length === 1) await t.fill(station, 2, () => 'later');
  }
  t.deepEqual(seen, ['1/1 m0', '1/2 m2', '1/3 m4', '2/1 m1', '2/2 m3', '2/3 m5'], 'seen');
  t.equal((await t.collect(station, 8)).every((message) => message.deliveries === 1), true, 'first deliveries afterwards');
});

row('browse obeys start, partitionNumber and limit', { needs: ['get', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  await t.fill(station, 10, (index) => `m${index}`, { partitionNumber: 2 });
  const seen = [];
  for await (const message of station.browse({ start: { sequence: 4 }, partitionNumber: 2, limit: 3 })) seen.push(message.text());
  t.deepEqual(seen, ['m3', 'm4', 'm5'], 'seen');
});

row('info tells the sequence of the oldest message while there is one, and of the newest once there was one', { needs: ['info', 'purge'] }, async (t) => {
  const connection = await t.connect();
  const station = await connection.station(t.name());
  const told = async () => {
    const { firstSequence, lastSequence } = await station.info();
    return [firstSequence, lastSequence];
  };
  t.deepEqual(await told(), [undefined, undefined], 'empty');
  await station.produce('one');
  await station.produce('two');
  t.deepEqual(await told(), [1, 2], 'with messages');
  await station.purge();
  t.deepEqual(await told(), [undefined, 2], 'purged');
});

row('purge throws the messages away, says how many, and sequences go on', { needs: ['purge', 'info', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  await t.fill(station, 6);
  t.equal(await station.purge(), 6, 'purged');
  t.equal((await station.info()).messages, 0, 'messages');
  t.equal((await station.produce('x', { partitionNumber: 1 })).sequence, 4, 'sequence');
});
