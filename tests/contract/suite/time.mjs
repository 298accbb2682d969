// Messages that vanish and messages that appear later.

import { topic } from '../kit/rows.mjs';

const row = topic('time', '2 and 9');

async function all(iterable) {
  const list = [];
  for await (const each of iterable) list.push(each);
  return list;
}

const browsed = async (t, station) => t.texts(await all(station.browse()));

// ---- expirationMs ---------------------------------------------------------------------------------------------------

const vanishing = { needs: ['expiration', 'get'], waits: true };

/** Looks until so few messages are left, and none is missing in an answer that came before its time was over. */
async function goneInTime(t, station, left, expiresAt) {
  await t.until(async () => {
    const { length } = await browsed(t, station);
    // Whole milliseconds, and two clocks of one machine.
    if (length === left) t.ok(Date.now() >= expiresAt.getTime() - 5, `gone ${expiresAt.getTime() - Date.now()} ms before its time`);
    return length === left;
  }, 8000, 'it is gone');
}

row('a message vanishes after its expirationMs, the others stay', vanishing, async (t) => {
  const { station } = await t.setup();
  await station.produce('stays');
  const before = Date.now();
  const receipt = await station.produce('goes', { expirationMs: 2000 });
  t.between(receipt.expiresAt.getTime(), before + 1500, Date.now() + 2500, 'expiresAt of the receipt');
  await station.produce('stays too');
  t.equal(receipt.sequence, 2, 'sequence');
  const [plain, going] = await all(station.browse());
  t.equal(plain.expiresAt, undefined, 'expiresAt of a plain message');
  t.equal(going.expiresAt.getTime(), going.timestamp.getTime() + 2000, 'expiresAt of the stored one');
  t.deepEqual({ ...going.headers }, {}, 'headers');
  await goneInTime(t, station, 2, going.expiresAt);
  t.deepEqual(await browsed(t, station), ['stays', 'stays too'], 'what is left');
  t.equal((await station.produce('next')).sequence, 4, 'the next sequence');
});

row('a message does not vanish before its time', vanishing, async (t) => {
  const { station } = await t.setup();
  await station.produce('goes', { expirationMs: 1900 });
  const [going] = await all(station.browse());
  // Of its own, not what is told of it: that may follow from the same mistake.
  await goneInTime(t, station, 0, new Date(going.timestamp.getTime() + 1900));
});

row('a consumer sees when a message vanishes, and gets none that has', { needs: ['expiration', 'groups'], waits: true }, async (t) => {
  const { station } = await t.setup();
  await station.produce('quick', { expirationMs: 1000, headers: { k: 'v' }, msgId: 'q' });
  await station.produce('slow', { expirationMs: 60_000 });
  await station.produce('for ever');
  const first = await station.consumer({ consumerName: 'first' });
  const seen = await t.collect(first, 3);
  t.deepEqual(seen.map((message) => message.expiresAt && message.expiresAt.getTime() - message.timestamp.getTime()), [1000, 60_000, undefined], 'expiresAt');
  t.deepEqual([seen[0].headers.k, seen[0].msgId, Object.keys(seen[0].headers).length], ['v', 'q', 1], 'headers and msgId');
  await t.elapse(2500);
  const second = await station.consumer({ consumerName: 'second' });
  t.deepEqual(t.texts(await t.collect(second, 2)), ['slow', 'for ever'], 'what a later group gets');
});

row('a message that vanished while a group held it is not delivered again', { needs: ['expiration', 'groups', 'nack'], waits: true }, async (t) => {
  const { station } = await t.setup();
  await station.produce('goes', { expirationMs: 1000 });
  const consumer = await station.consumer({ consumerName: 'c' });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await t.elapse(2500);
  await message.nack();
  await t.nothing(consumer, 500);
  await station.produce('next');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['next'], 'the group goes on');
});

row('expirationMs in a batch, on partitions, and in a list of stations', vanishing, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 2 });
  const other = await t.station(connection);
  const producer = await connection.producer([station.name, other.name]);
  const receipts = await producer.produceBatch(['a', 'b', 'c', 'd'], { expirationMs: 1000 });
  t.ok(receipts.every((receipt) => receipt.expiresAt instanceof Date), 'every receipt has expiresAt');
  t.equal((await browsed(t, station)).length + (await browsed(t, other)).length, 8, 'messages at first');
  await t.until(async () => (await browsed(t, station)).length + (await browsed(t, other)).length === 0, 8000, 'all are gone');
});

row('expirationMs must be a sensible number', { needs: ['expiration'] }, async (t) => {
  const { station } = await t.setup();
  for (const expirationMs of [999, 0, -1, 1000.5, Number.NaN, Number.POSITIVE_INFINITY, '1000', 2 ** 53]) {
    await t.rejects(station.produce('x', { expirationMs }), 'invalid_argument', { says: 'expirationMs', for: t.show(expirationMs) });
  }
  t.equal((await station.info()).messages, 0, 'messages');
});

row('the first message that vanishes keeps its place among the others', { needs: ['expiration', 'get'] }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const order = ['a', 'b', 'c', 'd', 'e'];
  await Promise.all(order.map((text) => producer.produce(text, text === 'b' || text === 'd' ? { expirationMs: 60_000 } : undefined)));
  t.deepEqual(await browsed(t, station), order, 'messages');
  const fresh = await station.producer();
  const [first] = await Promise.all([fresh.produce('f', { expirationMs: 60_000 }), fresh.destroy()]);
  t.equal(first.sequence, 6, 'a producer that is destroyed meanwhile');
});

// ---- delayMs --------------------------------------------------------------------------------------------------------

const later = { needs: ['delayed_produce', 'get'], waits: true };

row('a message with delayMs stays hidden, then comes behind what came meanwhile', later, async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const began = t.now();
  const receipt = await station.produce('later', { delayMs: 1000, headers: { k: 'v' }, msgId: 'l-1' });
  t.between(receipt.visibleAt.getTime(), Date.now() + 200, Date.now() + 1200, 'visibleAt of the receipt');
  await station.produce('now');
  t.deepEqual(await browsed(t, station), ['now'], 'browsed at first');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['now'], 'consumed at first');
  const [message] = await t.collect(consumer, 1);
  t.between(t.now() - began, 950, 4000, 'milliseconds');
  t.deepEqual([message.text(), message.msgId, { ...message.headers }, message.deliveries], ['later', 'l-1', { k: 'v' }, 1], 'the message');
  t.ok(message.sequence > receipt.sequence, 'its sequence is a new one');
  t.deepEqual(await browsed(t, station), ['now', 'later'], 'browsed in the end');
  t.equal((await station.info()).messages, 2, 'messages');
});

row('a waiting consumer gets a delayed message when its time has come', later, async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const began = t.now();
  await station.produce('later', { delayMs: 1200 });
  const [message] = await consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 10_000 });
  t.equal(message.text(), 'later', 'message');
  t.between(t.now() - began, 1150, 6000, 'milliseconds');
});

row('delayed messages appear by their time, not by their order', later, async (t) => {
  const { station } = await t.setup();
  await Promise.all([1600, 400, 1000].map((delayMs) => station.produce(`after ${delayMs}`, { delayMs })));
  await t.until(async () => (await browsed(t, station)).length === 3, 8000, 'all are there');
  t.deepEqual(await browsed(t, station), ['after 400', 'after 1000', 'after 1600'], 'messages');
});

row('a delayed message and its msgId: the second is a duplicate', later, async (t) => {
  const { station } = await t.setup();
  const first = await station.produce('once', { delayMs: 500, msgId: 'd' });
  const second = await station.produce('once', { delayMs: 500, msgId: 'd' });
  t.deepEqual([first.duplicate, second.duplicate, second.sequence], [false, true, first.sequence], 'receipts');
  await t.until(async () => (await browsed(t, station)).length === 1, 6000, 'it is there');
  await t.elapse(1000);
  t.deepEqual(await browsed(t, station), ['once'], 'once');
});

row('delayMs and expirationMs together: its time to vanish begins when it appears', later, async (t) => {
  const { station } = await t.setup();
  const receipt = await station.produce('x', { delayMs: 1000, expirationMs: 2000 });
  t.equal(receipt.expiresAt.getTime() - receipt.visibleAt.getTime(), 2000, 'between visibleAt and expiresAt');
  await t.until(async () => (await browsed(t, station)).length === 1, 6000, 'it is there');
  const [message] = await all(station.browse());
  t.equal(message.expiresAt.getTime() - message.timestamp.getTime(), 2000, 'expiresAt');
  await t.until(async () => (await browsed(t, station)).length === 0, 8000, 'it is gone');
});

row('delayed messages in a batch, each in its partition', later, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  const producer = await station.producer();
  const receipts = await producer.produceBatch(['a', 'b', 'c', 'd'], { delayMs: 500 });
  t.deepEqual(receipts.map((receipt) => receipt.partition), [1, 2, 1, 2], 'partitions');
  await t.until(async () => (await browsed(t, station)).length === 4, 6000, 'all are there');
  t.deepEqual((await all(station.browse())).map((message) => [message.partition, message.text()]).sort(), [[1, 'a'], [1, 'c'], [2, 'b'], [2, 'd']], 'messages');
});

row('a purge takes delayed messages along', { ...later, needs: [...later.needs, 'purge'] }, async (t) => {
  const { station } = await t.setup();
  await station.produce('later', { delayMs: 700 });
  t.equal(await station.purge(), 1, 'purged');
  await t.elapse(1500);
  t.deepEqual(await browsed(t, station), [], 'messages');
});

row('delayMs 0 is no delay', { needs: ['delayed_produce', 'get'] }, async (t) => {
  const { station } = await t.setup();
  const receipt = await station.produce('now', { delayMs: 0 });
  t.deepEqual([receipt.sequence, receipt.visibleAt], [1, undefined], 'receipt');
  t.deepEqual(await browsed(t, station), ['now'], 'messages');
});

row('delayMs must be a sensible number', { needs: ['delayed_produce'] }, async (t) => {
  const { station } = await t.setup();
  for (const delayMs of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '5', 2 ** 53]) {
    await t.rejects(station.produce('x', { delayMs }), 'invalid_argument', { says: 'delayMs', for: t.show(delayMs) });
  }
  t.equal((await station.info()).messages, 0, 'messages');
});

// ---- nats: streams are made ready by the first such message -----------------------------------------------------------

const brokers = ['nats'];
const config = async (t, name) => (await t.control('api', `STREAM.INFO.${name}`)).config;

row("the first such message makes a station's streams ready, and only it", { brokers, needs: ['delayed_produce'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2, retentionType: 'messages', retentionValue: 5, extra: { max_msg_size: 1000 } });
  const before = await config(t, station.name);
  await station.produce('plain');
  t.deepEqual(await config(t, station.name), before, 'after a plain message');
  await station.produce('x', { expirationMs: 5000 });
  for (const name of [station.name, `${station.name}$2`]) t.equal((await config(t, name)).allow_msg_ttl, true, `allow_msg_ttl of ${name}`);
  t.deepEqual((await config(t, station.name)).subjects, before.subjects, 'subjects');
  await station.produce('x', { delayMs: 60_000 });
  const after = await config(t, station.name);
  t.equal(after.allow_msg_schedules, true, 'allow_msg_schedules');
  t.deepEqual(after.subjects, [`stations.${station.name}.1`, `stations.${station.name}.1.at.*`], 'subjects');
  for (const key of ['max_msgs', 'max_msg_size', 'duplicate_window', 'retention', 'storage']) t.deepEqual(after[key], before[key], key);
  t.deepEqual(Object.entries(after.metadata).filter(([key]) => key.startsWith('stationmaster.')), Object.entries(before.metadata).filter(([key]) => key.startsWith('stationmaster.')), 'metadata');
});

row('delayMs on an ack_based station is not_supported, expirationMs is', { brokers, needs: ['delayed_produce'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'ack_based' });
  await station.consumer({ consumerName: 'c' });
  const producer = await station.producer();
  const [first, second, third] = await Promise.all([producer.produce('plain'), t.outcome(producer.produce('x', { delayMs: 500 })), producer.produce('y', { expirationMs: 5000 })]);
  t.checkError(second.reason, 'not_supported', { says: 'ack_based', station: station.name });
  t.deepEqual([first.sequence, third.sequence], [1, 2], 'the others');
});

row("a station that cannot hide messages refuses its own producers' alone", { brokers, needs: ['delayed_produce'] }, async (t) => {
  const { connection, station } = await t.setup({ retentionType: 'ack_based' });
  await station.consumer({ consumerName: 'c' });
  const other = await t.station(connection);
  const producers = await Promise.all([connection.producer(station.name), connection.producer(other.name)]);
  const [refused, stored] = await Promise.all(producers.map((producer) => t.outcome(producer.produce('x', { delayMs: 60_000 }))));
  t.checkError(refused.reason, 'not_supported', { station: station.name });
  t.equal(stored.value?.sequence, 1, `sequence at the other station: ${t.show(stored.reason)}`);
});

row('a foreign stream is not changed for it', { brokers, needs: ['delayed_produce'] }, async (t) => {
  const connection = await t.connect();
  const subject = `events.${t.name()}`;
  const name = t.name('EVENTS');
  await t.control('api', `STREAM.CREATE.${name}`, { name, subjects: [subject], storage: 'memory' });
  t.ending(() => t.control('api', `STREAM.DELETE.${name}`));
  const before = await config(t, name);
  await t.rejects(connection.produce(name, 'x', { expirationMs: 1000 }), 'not_supported', { says: 'allow_msg_ttl' });
  await t.rejects(connection.produce(name, 'x', { delayMs: 1000 }), 'not_supported');
  t.equal((await connection.produce(name, 'x')).sequence, 1, 'a plain message');
  t.deepEqual(await config(t, name), before, 'the configuration');
  await t.control('api', `STREAM.UPDATE.${name}`, { ...before, allow_msg_ttl: true });
  t.equal((await connection.produce(name, 'x', { expirationMs: 1000 })).sequence, 2, 'once its owner allows it');
});

row('two pages make the same station ready at once', { brokers, needs: ['delayed_produce'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const connections = await Promise.all([t.connect(), t.connect(), t.connect()]);
  const receipts = await Promise.all(connections.flatMap((connection, index) => [
    connection.produce(station.name, 'x', index === 0 ? { delayMs: 60_000 } : { expirationMs: 60_000 }),
    connection.produce(station.name, 'y', { partitionNumber: 3, delayMs: 60_000, producerName: 'other' }),
  ]));
  t.equal(receipts.length, 6, 'receipts');
});

row('what another client hides and lets vanish is seen here', { brokers, needs: ['delayed_produce', 'get'], waits: true }, async (t) => {
  const { station } = await t.setup();
  await station.produce('ready', { delayMs: 100 });
  const subject = `stations.${station.name}.1`;
  await t.control('publish', subject, 'theirs', { 'Nats-TTL': '1m30s' });
  await t.control('publish', `${subject}.at.theirs`, 'scheduled', { 'Nats-Schedule': `@at ${new Date(Date.now() + 500).toISOString()}`, 'Nats-Schedule-Target': subject });
  await t.until(async () => (await browsed(t, station)).length === 3, 6000, 'all are there');
  const messages = await all(station.browse());
  const theirs = messages.find((message) => message.text() === 'theirs');
  t.equal(theirs.expiresAt.getTime() - theirs.timestamp.getTime(), 90_000, 'expiresAt');
  t.deepEqual(t.texts(messages).sort(), ['ready', 'scheduled', 'theirs'], 'messages');
});

row('an older server: not_supported names the version that is needed', { brokers, without: ['expiration'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(station.produce('x', { expirationMs: 1000 }), 'not_supported', { says: '2.11' });
  await t.rejects(station.produce('x', { delayMs: 1000 }), 'not_supported', { says: '2.12' });
  t.equal((await station.produce('plain')).sequence, 1, 'a plain message');
  const { capabilities } = await t.connect();
  t.ok(capabilities.why('expiration').includes('2.11') && capabilities.why('delayed_produce').includes('2.12'), 'why()');
});
