// What only Memphis has: its logins, its names, its rows, answers that are none, and stations of older brokers.

import { topic } from '../kit/rows.mjs';

const row = topic('memphis', 5);
const memphis = { brokers: ['memphis'] };
const given = (...controls) => ({ ...memphis, controls });

/** A connection attempt with these options alone, on the broker under test. */
const dial = (t, options, url = t.url) => t.api.connect({ broker: 'memphis', url, timeoutMs: 10_000, ...options });

row('a wrong password, an unknown user, and a token where a password is wanted: auth_failed, in the broker\'s words', memphis, async (t) => {
  const { password, connectionToken } = t.options();
  const wrong = connectionToken === undefined
    ? [{ username: 'root', password: `${password}x` }, { username: t.name('nobody'), password }, { username: 'root', connectionToken: 'memphis' }]
    : [{ username: 'root', connectionToken: `${connectionToken}x` }, { username: 'root', password: 'memphis' }];
  for (const options of wrong) {
    await t.rejects(dial(t, options), 'auth_failed', { serverCode: 'Authorization Violation', retryable: false, for: t.show(options) });
  }
});

row('a password where a token is wanted: auth_failed; the token logs in, and stations can be made', given('inside'), async (t) => {
  const url = await t.control('tokenUrl');
  await t.rejects(dial(t, { username: 'root', password: 'memphis' }, url), 'auth_failed', { serverCode: 'Authorization Violation' });
  await t.rejects(dial(t, { username: 'root', connectionToken: 'wrong' }, url), 'auth_failed', { serverCode: 'Authorization Violation' });
  const connection = await dial(t, { username: 'root', connectionToken: 'memphis' }, url);
  t.ending(() => connection.close());
  t.equal((await connection.produce(t.name(), 'x')).sequence, 1, 'sequence');
  const stranger = await dial(t, { username: 'nobody', connectionToken: 'memphis' }, url);
  t.ending(() => stranger.close());
  // The broker says yes and makes nothing.
  await t.rejects(stranger.station(t.name()), 'permission_denied');
  await t.rejects(stranger.produce(t.name(), 'x'), 'permission_denied');
});

row('one of password and connectionToken, and a username: told before anything is sent', memphis, async (t) => {
  for (const options of [{}, { username: 'root' }, { username: 'root', password: 'p', connectionToken: 't' }, { password: 'p' }, { connectionToken: 't' }, { username: '', password: 'p' }, { username: 'root$1', password: 'p' }, { username: 'a::b', password: 'p' }]) {
    await t.rejects(dial(t, options, 'ws://127.0.0.1:1'), 'invalid_argument', { for: t.show(options) });
  }
  for (const accountId of [0, -1, 1.5, '2', Number.NaN]) {
    await t.rejects(dial(t, { username: 'root', password: 'p', accountId }, 'ws://127.0.0.1:1'), 'invalid_argument', { says: 'accountId', for: t.show(accountId) });
  }
});

row('a broker that does not know the account knows the user without it', memphis, async (t) => {
  const connection = await t.connect({ accountId: 7 });
  t.equal((await connection.produce(t.name(), 'x')).sequence, 1, 'sequence');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('names with dots: station, producer, consumer and group', memphis, async (t) => {
  const connection = await t.connect();
  const name = `${t.name()}.a.b`;
  const station = await connection.station(name, { partitionsNumber: 2 });
  const producer = await connection.producer(name, { producerName: 'p.one' });
  await t.fill(producer, 4, undefined, (index) => ({ partitionNumber: 1 + (index % 2) }));
  const consumer = await connection.consumer(name, { consumerName: 'c.one', consumerGroup: 'g.one.two' });
  const got = await t.collect(consumer, 4);
  t.deepEqual(got.map(({ station: from }) => from), Array(4).fill(name), 'stations');
  t.equal((await station.info()).messages, 4, 'messages');
  await consumer.destroy();
  await producer.destroy();
  await station.destroy();
  await t.rejects(() => station.info(), 'no_such_station');
});

row('partition 0 and partitions that are not there', memphis, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 2 });
  for (const partitionNumber of [0, -1, 3]) {
    await t.rejects(() => station.produce('x', { partitionNumber }), 'invalid_argument', { for: `produce to ${partitionNumber}` });
    const consumer = await connection.consumer(station.name, { consumerName: 'c' });
    await t.rejects(() => consumer.fetch({ partitionNumber, noWait: true }), 'invalid_argument', { for: `fetch from ${partitionNumber}` });
  }
  await t.rejects(() => station.produce('x', { partitionNumber: 1, partitionKey: 'k' }), 'invalid_argument', { for: 'key and number' });
});

row('a window larger than the retention: the broker\'s refusal; the default window gives way', memphis, async (t) => {
  const connection = await t.connect();
  await t.rejects(connection.station(t.name(), { retentionValue: 60, idempotencyWindowMs: 90_000 }), 'invalid_argument', { serverCode: 'idempotency window cannot be greater than the station retention' });
  await t.rejects(connection.station(t.name(), { retentionValue: 200_000, idempotencyWindowMs: 86_400_001 }), 'invalid_argument', { serverCode: 'idempotency window can not exceed 24 hours' });
  const station = await t.station(connection, { retentionValue: 60 });
  t.equal((await station.produce('x')).sequence, 1, 'sequence');
});

row('what the broker would change without a word is refused', memphis, async (t) => {
  const { connection, station } = await t.setup();
  const name = t.name();
  for (const replicas of [2, 4, 6]) await t.rejects(connection.station(name, { replicas }), ['not_supported', 'invalid_argument'], { for: `${replicas} replicas` });
  t.equal((await t.station(connection, {}, name)).existed, false, 'existed');
  await t.rejects(connection.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 11 }), 'not_supported', { station: station.name });
  t.equal((await connection.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 10 })).name, 'c', 'with 10');
});

// The stand-in is one node; a broker that is given may be a cluster, which has them.
row('more replicas than the cluster has: rejected, in the broker\'s words, and no station', given('inside'), async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await t.rejects(connection.station(name, { replicas: 3 }), 'rejected', { serverCode: 'station can not be created, probably since replicas count is larger than the cluster size', station: name });
  t.equal((await t.station(connection, {}, name)).existed, false, 'existed');
});

row('header names of the broker are refused, msg-id among them', memphis, async (t) => {
  const { station } = await t.setup();
  for (const name of ['$memphis_producedBy', '$memphis_pm_id', 'msg-id', 'Nats-Rollup']) {
    await t.rejects(() => station.produce('x', { headers: { [name]: 'v' } }), 'invalid_argument', { says: name });
  }
  t.equal((await station.produce('x', { headers: { 'x-msg-id': 'v' }, msgId: 'one' })).duplicate, false, 'duplicate');
  t.equal((await station.produce('x', { headers: { 'x-msg-id': 'v' }, msgId: 'one' })).duplicate, true, 'the same again');
});

row('the headers that an application gave are left as they were', memphis, async (t) => {
  const { connection, station } = await t.setup();
  const headers = { trace: '1' };
  await station.produce('x', { headers, msgId: 'one' });
  t.deepEqual(headers, { trace: '1' }, 'headers after produce');
  const [message] = await t.collect(await connection.consumer(station.name, { consumerName: 'c' }), 1);
  t.deepEqual({ ...message.headers }, { trace: '1' }, 'headers of the message');
});

row('a station that its pages remove while it is consumed and produced to: no_such_station', given('pages'), async (t) => {
  const { connection, station } = await t.setup();
  const producer = await connection.producer(station.name);
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await producer.produce('x');
  const running = t.outcome(consumer.consume(async (messages) => { for (const message of messages) await message.ack(); }));
  await t.control('removeStation', station.name);
  t.checkError((await t.within(10_000, running, 'consume()')).reason, 'no_such_station', { station: station.name });
  await t.rejects(() => producer.produce('y'), 'no_such_station', { station: station.name });
  // And can be made again.
  t.equal((await connection.produce(station.name, 'z')).sequence, 1, 'sequence');
});

row('a station that somebody destroys while it is consumed: no_such_station', memphis, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 2 });
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  const running = t.outcome(consumer.consume(() => undefined));
  await (await (await t.connect()).station(station.name)).destroy();
  t.checkError((await t.within(10_000, running, 'consume()')).reason, 'no_such_station', { station: station.name });
});

row('one row a name in the broker\'s database, however many of ours stand on it, also after a lost link', given('inside', 'cut'), async (t) => {
  const { connection, station } = await t.setup({}, { reconnectIntervalMs: 100 });
  // What asks for the schema has a row for as long as it takes.
  const rows = (producers, consumers, when) => t.until(async () => {
    const found = await t.control('rows', station.name);
    return found.producers === producers && found.consumers === consumers;
  }, 3000, `${producers} and ${consumers} rows ${when}`);
  const producers = [await connection.producer(station.name, { producerName: 'p' }), await connection.producer(station.name, { producerName: 'p' })];
  const consumers = [await connection.consumer(station.name, { consumerName: 'c', consumerGroup: 'g' }), await connection.consumer(station.name, { consumerName: 'c', consumerGroup: 'g' })];
  await rows(1, 1, 'of two each');
  await producers[0].produce('x', { msgId: 'a' });
  const status = connection.status()[Symbol.asyncIterator]();
  await t.control('cut', station.name);
  for (let change = ''; change !== 'connected';) change = (await t.within(5000, status.next(), 'connected')).value.type;
  await producers[1].produce('y', { msgId: 'b' });
  t.deepEqual(t.texts(await t.collect(consumers[0], 2)), ['x', 'y'], 'messages');
  await rows(1, 1, 'after a lost link');
  await producers[0].destroy();
  await rows(1, 1, 'after the first has gone');
  await producers[1].destroy();
  await consumers[0].destroy();
  await consumers[1].destroy();
  await rows(0, 0, 'when all have gone');
});

row('a producer whose link was lost while the broker made it has one row, and none when it has gone', given('inside', 'cut'), async (t) => {
  const { connection, station } = await t.setup({}, { reconnectIntervalMs: 100 });
  // Whose link breaks is known by what it listens to.
  await connection.consumer(station.name, { consumerName: 'c' });
  await t.control('loseNext', '$memphis_producer_creations', `"${station.name}"`);
  const producer = await t.within(10_000, connection.producer(station.name, { producerName: 'p' }), 'producer()');
  t.equal((await producer.produce('x')).sequence, 1, 'sequence');
  t.equal((await t.control('rows', station.name)).producers, 1, 'rows');
  await producer.destroy();
  t.equal((await t.control('rows', station.name)).producers, 0, 'rows of producers');
});

row('a producer of several stations, one of which refuses, leaves no row behind', given('inside'), async (t) => {
  const { connection, station } = await t.setup();
  const other = await t.station(connection);
  const rows = (name, count) => t.until(async () => (await t.control('rows', name)).producers === count, 3000, `${count} rows at ${name}`);
  const kept = await connection.producer(station.name, { producerName: 'p' });
  for (const producerName of ['p', 'q']) {
    await t.control('answerNext', '$memphis_producer_creations', `"${other.name}"`, ['pq: out of memory']);
    await t.rejects(connection.producer([station.name, other.name], { producerName }), 'rejected', { station: other.name });
    await Promise.all([rows(station.name, 1), rows(other.name, 0)]);
  }
  await kept.produce('x');
  await kept.destroy();
  await rows(station.name, 0);
});

row('a consumer whose link was lost while the broker made it leaves no row behind', given('inside', 'cut'), async (t) => {
  const { connection, station } = await t.setup({}, { reconnectIntervalMs: 100 });
  await connection.producer(station.name, { producerName: 'p' });
  await t.control('loseNext', '$memphis_consumer_creations', `"${station.name}"`);
  const consumer = await t.within(10_000, connection.consumer(station.name, { consumerName: 'c' }), 'consumer()');
  await station.produce('x');
  await t.collect(consumer, 1);
  await consumer.destroy();
  t.equal((await t.control('rows', station.name)).consumers, 0, 'rows of consumers');
});

for (const [what, make] of [
  ['station_creations', (connection, name) => connection.station(name)],
  ['producer_creations', (connection, name) => connection.producer(name)],
  ['consumer_creations', (connection, name) => connection.consumer(name, { consumerName: 'c' })],
  ['station_destructions', async (connection, name) => (await connection.station(name)).destroy()],
]) {
  row(`${what}: answers that are not JSON are errors, with the text`, given('inside'), async (t) => {
    const connection = await t.connect();
    for (const text of ['nonsense', '{"error":', '[1]', 'pq: out of memory']) {
      const name = t.name();
      if (!what.startsWith('station')) await connection.station(name);
      await t.control('answerNext', `$memphis_${what}`, `"${name}"`, [text]);
      await t.rejects(make(connection, name), ['rejected', 'protocol'], { serverCode: text, station: name, for: text });
    }
  });

  row(`${what}: an answer that never comes is a timeout, and the connection goes on`, { ...given('inside'), waits: true }, async (t) => {
    const connection = await t.connect();
    const name = t.name();
    if (!what.startsWith('station')) await connection.station(name);
    await t.control('answerNext', `$memphis_${what}`, `"${name}"`, []);
    await t.rejects(t.within(30_000, make(connection, name), what), 'timeout', { station: name });
    t.equal((await connection.produce(t.name(), 'x')).sequence, 1, 'another station');
  });
}

row('only the first answer to the making of a consumer counts; an empty one is an error', given('inside'), async (t) => {
  const { connection, station } = await t.setup();
  await t.control('answerNext', '$memphis_consumer_creations', `"${station.name}"`, ['*', '{"error":"too late"}']);
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await station.produce('x');
  await t.collect(consumer, 1);
  const other = await t.station(connection);
  await t.control('answerNext', '$memphis_consumer_creations', `"${other.name}"`, ['deliver policy can not be updated (10012)', '{"partitions_update":{"partitions_list":[]},"error":""}']);
  await t.rejects(connection.consumer(other.name, { consumerName: 'd' }), 'already_exists', { serverCode: 'deliver policy can not be updated (10012)' });
  await t.control('answerNext', '$memphis_consumer_creations', `"${other.name}"`, ['']);
  await t.rejects(connection.consumer(other.name, { consumerName: 'e' }), 'protocol', { station: other.name });
});

row('a user without the right to a station: permission_denied, in the broker\'s words', given('inside'), async (t) => {
  const connection = await t.connect();
  for (const [what, make] of [['producer_creations', () => connection.producer], ['consumer_creations', () => connection.consumer]]) {
    const name = t.name();
    await connection.station(name);
    const text = `user root is not allowed to access station ${name}`;
    await t.control('answerNext', `$memphis_${what}`, `"${name}"`, [what.startsWith('producer') ? JSON.stringify({ error: text }) : text]);
    await t.rejects(make().call(connection, name, what.startsWith('consumer') ? { consumerName: 'c' } : undefined), 'permission_denied', { serverCode: text, station: name });
  }
});

row('a station without partitions, of an older broker: produce, consume, ack, give up', given('inside'), async (t) => {
  const connection = await t.connect();
  const name = `${t.name()}.old`;
  await t.control('oldStation', name);
  const station = await connection.station(name);
  t.equal(station.existed, true, 'existed');
  const first = await station.produce('x', { msgId: 'one', headers: { trace: '1' } });
  t.deepEqual([first.sequence, first.duplicate], [1, false], 'receipt');
  t.equal((await station.produce('x', { msgId: 'one' })).duplicate, true, 'duplicate');
  await station.produce('y');
  const consumer = await connection.consumer(name, { consumerName: 'c', consumerGroup: 'g.h' });
  const [one, two] = await t.collect(consumer, 2, { ack: false });
  t.deepEqual(t.texts([one, two]), ['x', 'y'], 'messages');
  await one.ack({ confirm: true });
  // A report of it would end the broker, which the run checks.
  await two.deadLetter('no use');
  await t.nothing(consumer, 500);
  await consumer.destroy();
});

row('a station in memory whose broker was started again is made anew', given('inside'), async (t) => {
  const { connection, station } = await t.setup({ storageType: 'memory' });
  await station.produce('x');
  await t.control('loseMemory', station.name);
  await t.rejects(() => station.produce('y', { ackWaitMs: 5000 }), 'no_such_station', { station: station.name });
  const again = await connection.station(station.name, { storageType: 'memory' });
  t.equal(again.existed, false, 'existed');
  t.equal((await again.produce('z')).sequence, 1, 'sequence');
});
