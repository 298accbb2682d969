// Streams that somebody else made, as stations; and streams that take nothing, or not everything.

import { topic } from '../kit/rows.mjs';

const row = topic('foreign streams', '1 and 9');
const brokers = ['nats'];

async function all(iterable) {
  const list = [];
  for await (const each of iterable) list.push(each);
  return list;
}

/** A stream as others make them. */
async function stream(t, config, name = t.name('EVENTS')) {
  const answer = await t.control('api', `STREAM.CREATE.${name}`, { name, storage: 'memory', ...config });
  if (answer.error) t.fail(`the stream was not made: ${t.show(answer.error)}`);
  t.ending(() => t.control('api', `STREAM.DELETE.${name}`));
  return name;
}

const config = async (t, name) => (await t.control('api', `STREAM.INFO.${name}`)).config;

row('a stream with one subject is a station of one partition: both sides read and write, and it is never changed', { brokers }, async (t) => {
  const connection = await t.connect();
  const subject = `events.${t.name()}`;
  const name = await stream(t, { subjects: [subject], allow_direct: true, max_msgs: 1000, metadata: { owner: 'others' } });
  const before = await config(t, name);
  const station = await connection.station(name);
  t.equal(station.existed, true, 'existed');
  t.deepEqual([...station.partitions], [1], 'partitions');
  await t.control('publish', subject, 'theirs', { kind: 'x' });
  t.equal((await station.produce('ours', { msgId: 'o-1', headers: { kind: 'y' } })).sequence, 2, 'sequence');
  t.equal((await t.control('publish', subject, 'again', { 'Nats-Msg-Id': 'o-1' })).duplicate, true, 'their copy of our id');
  const messages = await t.collect(station, 2);
  t.deepEqual(messages.map((message) => [message.text(), message.headers.kind, message.sequence]), [['theirs', 'x', 1], ['ours', 'y', 2]], 'what we read');
  t.deepEqual((await t.control('read', name, 2)).map(({ text, headers }) => [text, headers.kind]), [['theirs', 'x'], ['ours', 'y']], 'what they read');
  t.deepEqual(t.texts(await all(station.browse())), ['theirs', 'ours'], 'browsed');
  const info = await station.info();
  t.deepEqual([info.messages, info.firstSequence, info.lastSequence, info.options.retentionType, info.options.retentionValue], [2, 1, 2, 'messages', 1000], 'info');
  t.equal(await station.purge(), 2, 'purged');
  t.deepEqual(await config(t, name), before, 'the configuration');
});

row('a foreign stream says what is stored otherwise', { brokers }, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`events.${t.name()}`], max_age: 60_000_000_000, max_msg_size: 500, duplicate_window: 30_000_000_000 });
  const same = { retentionType: 'max_message_age_seconds', retentionValue: 60, storageType: 'memory', replicas: 1, idempotencyWindowMs: 30_000, partitionsNumber: 1, sendPoisonMsgToDls: true, extra: { max_msg_size: 500, deny_purge: false } };
  t.deepEqual([...(await connection.station(name, same)).differs], [], 'asked as it is');
  const other = { retentionType: 'messages', retentionValue: 5, storageType: 'disk', replicas: 3, idempotencyWindowMs: 1000, partitionsNumber: 2, sendPoisonMsgToDls: false, extra: { max_msg_size: 501 } };
  t.deepEqual([...(await connection.station(name, other)).differs].sort(), Object.keys(other).sort(), 'asked otherwise');
  t.deepEqual([...(await connection.station(name, { retentionValue: 61, extra: { deny_purge: true } })).differs], ['retentionValue', 'extra'], 'in part');
});

row('differs of a station of our own names extra too', { brokers }, async (t) => {
  const { connection, station } = await t.setup({ extra: { max_msg_size: 100 } });
  t.deepEqual([...(await connection.station(station.name, { extra: { max_msg_size: 100 } })).differs], [], 'the same');
  t.deepEqual([...(await connection.station(station.name, { extra: { max_msg_size: 101 } })).differs], ['extra'], 'another');
});

for (const [what, subjects] of [['several subjects', (base) => [`${base}.a`, `${base}.b`]], ['a wildcard', (base) => [`${base}.*`]]]) {
  row(`a stream with ${what}: reading works, produce is not_supported`, { brokers }, async (t) => {
    const connection = await t.connect();
    const base = `events.${t.name()}`;
    const name = await stream(t, { subjects: subjects(base), allow_direct: true });
    for (const [index, token] of ['a', 'b', 'a'].entries()) await t.control('publish', `${base}.${token}`, `m${index}`);
    const station = await connection.station(name);
    t.deepEqual(t.texts(await all(station.browse())), ['m0', 'm1', 'm2'], 'browsed');
    t.deepEqual(t.texts(await all(station.browse({ start: { lastMessages: 2 } }))), ['m1', 'm2'], 'the last two');
    t.deepEqual(t.texts(await t.collect(station, 3)), ['m0', 'm1', 'm2'], 'consumed');
    await t.rejects(station.produce('x'), 'not_supported', { says: 'stationmaster.subject', station: name });
    await t.rejects(connection.producer(name), 'not_supported', { says: 'stationmaster.subject' });
  });
}

row('a stream names the subject to produce to in its metadata', { brokers }, async (t) => {
  const connection = await t.connect();
  const base = `events.${t.name()}`;
  const name = await stream(t, { subjects: [`${base}.*`], metadata: { 'stationmaster.subject': `${base}.new` } });
  t.equal((await connection.produce(name, 'x')).sequence, 1, 'sequence');
  t.equal((await t.control('read', name, 1))[0].subject, `${base}.new`, 'subject');
});

row('a stream without direct access is browsed through its leader', { brokers }, async (t) => {
  const connection = await t.connect();
  const subject = `events.${t.name()}`;
  const name = await stream(t, { subjects: [subject], allow_direct: false });
  for (let i = 0; i < 50; i++) await t.control('publish', subject, `m${i}`, i === 1 ? { kind: 'x' } : {});
  for (let i = 5; i < 45; i++) await t.control('api', `STREAM.MSG.DELETE.${name}`, { seq: i });
  const station = await connection.station(name);
  const messages = await all(station.browse());
  t.deepEqual(messages.map((message) => message.sequence), [1, 2, 3, 4, 45, 46, 47, 48, 49, 50], 'sequences');
  t.deepEqual([messages[1].text(), messages[1].headers.kind, messages[4].text()], ['m1', 'x', 'm44'], 'what they have');
  t.deepEqual(t.texts(await all(station.browse({ start: { sequence: 10 }, limit: 2 }))), ['m44', 'm45'], 'from a hole on');
  t.deepEqual(t.texts(await all(station.browse({ start: { time: messages[4].timestamp }, limit: 1 }))), ['m44'], 'from a time');
  t.deepEqual(t.texts(await all(station.browse({ start: 'last' }))), ['m49'], 'the last');
});

row('deleted messages are passed over', { brokers }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 600);
  for (const seq of [1, 2, 300, 301, 600]) await t.control('api', `STREAM.MSG.DELETE.${station.name}`, { seq });
  const sequences = (await all(station.browse())).map((message) => message.sequence);
  t.deepEqual(sequences, Array.from({ length: 600 }, (_, index) => index + 1).filter((sequence) => ![1, 2, 300, 301, 600].includes(sequence)), 'sequences');
  t.deepEqual((await all(station.browse({ start: { lastMessages: 1 } }))).map((message) => message.sequence), [599], 'the last');
});

row('buckets, dead letters and parts are no stations', { brokers, needs: ['list'] }, async (t) => {
  const connection = await t.connect();
  const mine = await connection.station(t.name(), { partitionsNumber: 3 });
  const bucket = t.name('bucket').replaceAll('-', '_');
  const hidden = [];
  for (const name of [`KV_${bucket}`, `OBJ_${bucket}`, `${mine.name}$dls`]) hidden.push(await stream(t, { subjects: [`helpers.${name}`] }, name));
  const shown = await stream(t, { subjects: [`events.${t.name()}`] });
  const names = (await all(connection.stations())).map((info) => info.name);
  t.deepEqual(names.filter((name) => name.includes(mine.name)), [mine.name], 'the station');
  t.ok(names.includes(shown), 'the foreign stream');
  t.deepEqual(names.filter((name) => hidden.includes(name)), [], 'helpers');
});

row('a half-made station is not listed, and made whole by the next call', { brokers, needs: ['list'] }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await stream(t, { storage: 'file', subjects: [`stations.${name}.2`], metadata: { 'stationmaster.v': '1', 'stationmaster.station': name, 'stationmaster.partition': '2', 'stationmaster.partitions': '2' } }, `${name}$2`);
  t.ok(!(await all(connection.stations())).some((info) => info.name.startsWith(name)), 'it is not listed');
  const station = await connection.station(name, { partitionsNumber: 2 });
  t.deepEqual([...station.partitions], [1, 2], 'partitions');
  t.equal((await station.produce('x', { partitionNumber: 2 })).partition, 2, 'partition of the receipt');
});

// ---- streams that do not take everything ------------------------------------------------------------------------------

row('a sealed stream: reading works, produce and purge are rejected', { brokers }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 2);
  const stored = await config(t, station.name);
  const answer = await t.control('api', `STREAM.UPDATE.${station.name}`, { ...stored, sealed: true });
  t.equal(answer.error, undefined, 'sealing');
  await t.rejects(station.produce('x'), 'rejected', { serverCode: 10109, retryable: false });
  await t.rejects(station.purge(), 'rejected', { serverCode: 10109, says: 'sealed' });
  t.deepEqual(t.texts(await all(station.browse())), ['m0', 'm1'], 'browsed');
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['m0', 'm1'], 'consumed');
});

row('a stream that forbids purging says so', { brokers }, async (t) => {
  const connection = await t.connect();
  const subject = `events.${t.name()}`;
  const name = await stream(t, { subjects: [subject], deny_purge: true });
  await t.control('publish', subject, 'x');
  const station = await connection.station(name);
  await t.rejects(station.purge(), 'rejected', { says: 'deny_purge', station: name, retryable: false });
  t.equal((await station.info()).messages, 1, 'messages');
});

for (const [what, limits] of [['messages', { max_msgs: 3 }], ['bytes', { max_bytes: 200 }], ['messages a subject', { max_msgs_per_subject: 3, discard_new_per_subject: true }]]) {
  row(`a full stream that discards what is new (${what}): rejected, retryable, and nothing is lost`, { brokers }, async (t) => {
    const connection = await t.connect();
    const name = await stream(t, { subjects: [`events.${t.name()}`], discard: 'new', ...limits });
    let stored = 0;
    const error = await t.rejects(async () => {
      for (;;) {
        await connection.produce(name, `m${stored}`);
        stored += 1;
      }
    }, 'rejected', { retryable: true, station: name });
    t.equal(error.serverCode, 10077, 'serverCode');
    t.equal((await (await connection.station(name)).info()).messages, stored, 'messages');
    await (await connection.station(name)).purge();
    await connection.produce(name, 'fits again');
  });
}

row('a message larger than the stream takes: too_large', { brokers }, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`events.${t.name()}`], max_msg_size: 100 });
  await t.rejects(connection.produce(name, 'x'.repeat(200)), 'too_large', { serverCode: 10054 });
  t.equal((await connection.produce(name, 'x')).sequence, 1, 'sequence');
});

row('a mirror is read, and not written to', { brokers }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 3);
  const name = await stream(t, { mirror: { name: station.name }, allow_direct: true });
  const mirror = await connection.station(name);
  await t.until(async () => (await mirror.info()).messages === 3, 5000, 'the mirror has them');
  t.deepEqual(t.texts(await all(mirror.browse())), ['m0', 'm1', 'm2'], 'browsed');
  t.deepEqual(t.texts(await t.collect(mirror, 3)), ['m0', 'm1', 'm2'], 'consumed');
  await t.rejects(mirror.produce('x'), 'not_supported', { station: name });
});

row('a stream that never confirms takes no messages', { brokers }, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`events.${t.name()}`], no_ack: true });
  await t.rejects(connection.produce(name, 'x'), 'not_supported', { says: 'no_ack' });
});

row('a work queue has one group, which reads it from its beginning', { brokers }, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`jobs.${t.name()}`], retention: 'workqueue', allow_direct: true });
  const station = await connection.station(name);
  await t.fill(station, 3);
  const consumer = await station.consumer({ consumerName: 'workers' });
  await t.rejects(station.consumer({ consumerName: 'others' }), 'already_exists', { says: 'work queue' });
  for (const message of await t.collect(consumer, 3, { ack: false })) await message.ack({ confirm: true });
  await t.until(async () => (await station.info()).messages === 0, 3000, 'done messages are gone');
  t.equal((await station.info()).options.retentionType, 'ack_based', 'retentionType');
});

row("a work queue's group cannot begin elsewhere, nor do without acks", { brokers }, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`jobs.${t.name()}`], retention: 'workqueue' });
  await t.rejects(connection.consumer(name, { consumerName: 'g', start: 'next' }), 'rejected', { says: 'work queue' });
  await t.rejects(connection.consumer(name, { consumerName: 'g', autoAck: true }), 'rejected', { says: 'work queue' });
});

row('a stream that is gone while it is produced to: no_such_station', { brokers }, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`events.${t.name()}`] });
  const producer = await connection.producer(name);
  await producer.produce('x');
  await t.control('api', `STREAM.DELETE.${name}`);
  await t.rejects(producer.produce('y'), 'no_such_station', { station: name });
});

row('capitals and lines at the edge of a name are right on nats', { brokers }, async (t) => {
  const connection = await t.connect();
  for (const name of [`_${t.name('Lines')}_`, `-${t.name('Dash')}-`]) {
    await stream(t, { subjects: [`events.${t.name()}`] }, name);
    t.equal((await connection.station(name)).existed, true, `${name} existed`);
    t.equal((await connection.produce(name, 'x')).station, name, 'station of the receipt');
  }
});

row('a consumer that cannot be a group is refused: one that pushes, and one whose acks count for all earlier messages', { brokers }, async (t) => {
  const { station } = await t.setup();
  for (const [name, config] of [['pushes', { ack_policy: 'explicit', deliver_subject: t.name() }], ['settles', { ack_policy: 'all' }]]) {
    const made = await t.control('api', `CONSUMER.CREATE.${station.name}.${name}`, { stream_name: station.name, config: { durable_name: name, name, ...config } });
    t.equal(made.error, undefined, `${name} is made`);
    const { hint } = await t.rejects(() => station.consumer({ consumerGroup: name }), 'already_exists', { station: station.name, for: name });
    t.ok(hint.includes('another group name'), `hint: ${hint}`);
  }
});
