// Producers: order, limits, lists of stations, flush and the end.

import { topic } from '../kit/rows.mjs';

const row = topic('producer', 2);

row('a producer has the name it was given, else a random one', async (t) => {
  const { station } = await t.setup();
  t.equal((await station.producer({ producerName: 'till' })).name, 'till', 'name');
  const [one, two] = [await station.producer(), await station.producer()];
  t.ok(one.name.length > 0 && two.name.length > 0 && one.name !== two.name, `random names: ${t.show([one.name, two.name])}`);
});

row('every option of a producer is accepted with its default written out', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer({ producerName: undefined, autoMsgId: false, deduplicate: false, routing: 'hash' });
  t.equal((await producer.produce('x')).sequence, 1, 'sequence');
});

row("what only rabbitmq's producers have is not_supported", { brokers: ['memory', 'nats'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(() => station.producer({ deduplicate: true }), 'not_supported', { says: 'deduplicate' });
  await t.rejects(() => station.producer({ routing: 'key' }), 'not_supported', { says: 'routing' });
  await t.rejects(async () => (await station.producer()).lastPublishingId(), 'not_supported');
});

row('options of a producer that make no sense are refused', async (t) => {
  const { station } = await t.setup();
  await t.rejects(() => station.producer({ autoMsgId: 'yes' }), 'invalid_argument', { says: 'autoMsgId' });
  await t.rejects(() => station.producer({ routing: 'random' }), 'invalid_argument', { says: 'routing' });
  await t.rejects(() => station.producer({ autoMsgID: true }), 'invalid_argument', { says: ['autoMsgID', 'autoMsgId'] });
  await t.rejects(() => station.producer('fast'), 'invalid_argument');
});

row('calls that have to wait for their code keep their place among the others', async (t) => {
  const { connection, station } = await t.setup();
  const producer = await station.producer();
  const sent = [
    producer.produce('m0', { ackWaitMs: 4321 }), producer.produce('m1'), producer.produceBatch(['m2', 'm3']), producer.produce('m4'),
    producer.produce('m5', { ackWaitMs: 4321, headers: { a: 'b' } }), producer.produce('m6'),
  ];
  const rest = [
    connection.produce(station.name, 'm7', { producerName: 'other', limitConcurrentTasks: 77 }), connection.produce(station.name, 'm8', { producerName: 'other' }),
  ];
  await Promise.all(sent);
  await Promise.all(rest);
  const texts = t.texts(await t.collect(station, 9));
  t.deepEqual(texts.filter((text) => text < 'm7'), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'], 'of the producer');
  t.deepEqual(texts.filter((text) => text >= 'm7'), ['m7', 'm8'], 'of the connection\'s own');
});

row('a batch with any options keeps its place among the calls', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const unusual = { ackWaitMs: 5000n };
  await Promise.all([
    producer.produce('m0'), producer.produceBatch(['m1', 'm2'], unusual), producer.produce('m3', unusual), producer.produceBatch(['m4'], { headers: { a: 'b' } }),
    producer.produceBatch(['m5'], unusual), producer.produce('m6'),
  ]);
  t.deepEqual(t.texts(await t.collect(station, 7)), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'], 'messages');
});

row('a thousand messages that nobody waited for are stored in the order of the calls', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const receipts = await t.fill(producer, 1000);
  t.deepEqual(receipts.map((receipt) => receipt.sequence), Array.from({ length: 1000 }, (_, index) => index + 1), 'sequences');
  const got = await t.collect(station, 1000);
  t.deepEqual(t.texts(got), Array.from({ length: 1000 }, (_, index) => `m${index}`), 'messages');
});

row('limitConcurrentTasks 1 keeps the order and loses nothing', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const receipts = await t.fill(producer, 50, (index) => `m${index}`, { limitConcurrentTasks: 1 });
  t.deepEqual(receipts.map((receipt) => receipt.sequence), Array.from({ length: 50 }, (_, index) => index + 1), 'sequences');
});

row('messages with different limitConcurrentTasks stay first in, first out', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await t.fill(producer, 60, (index) => `m${index}`, (index) => ({ limitConcurrentTasks: index % 7 === 0 ? 1 : 500 }));
  t.deepEqual(t.texts(await t.collect(station, 60)), Array.from({ length: 60 }, (_, index) => `m${index}`), 'messages');
});

row('one message more than maxPendingMessages is queue_full at once, the others are stored', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingMessages: 5 });
  const producer = await connection.producer(station.name);
  const calls = Array.from({ length: 8 }, (_, index) => t.outcome(producer.produce(`m${index}`)));
  const outcomes = await Promise.all(calls);
  t.deepEqual(outcomes.map((outcome) => outcome.error), [false, false, false, false, false, true, true, true], 'refused');
  for (const { reason } of outcomes.slice(5)) t.checkError(reason, 'queue_full', { retryable: true });
  t.equal((await producer.produce('later')).sequence, 6, 'sequence once there is room');
  t.deepEqual(t.texts(await t.collect(station, 6)), ['m0', 'm1', 'm2', 'm3', 'm4', 'later'], 'stored');
});

row('more bytes than maxPendingBytes are queue_full', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingBytes: 1000 });
  const producer = await connection.producer(station.name);
  const outcomes = await Promise.all(Array.from({ length: 3 }, () => t.outcome(producer.produce('x'.repeat(400)))));
  t.deepEqual(outcomes.map((outcome) => outcome.error), [false, false, true], 'refused');
  t.checkError(outcomes[2].reason, 'queue_full', { retryable: true });
});

row('the limit counts over all producers of the connection', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingMessages: 4 });
  const [one, two] = [await connection.producer(station.name), await connection.producer(station.name)];
  const outcomes = await Promise.all([one.produce('a'), one.produce('b'), two.produce('c'), two.produce('d'), two.produce('e')].map((call) => t.outcome(call)));
  t.equal(outcomes.filter((outcome) => outcome.error).length, 1, 'refused');
  t.checkError(outcomes[4].reason, 'queue_full');
});

row('stats tell what is pending, and nothing is in the end', async (t) => {
  const { connection, station } = await t.setup();
  const producer = await connection.producer(station.name);
  const calls = t.fill(producer, 10, () => 'x'.repeat(10));
  const during = connection.stats();
  await calls;
  const after = connection.stats();
  t.equal(during.pendingMessages, 10, 'pendingMessages during');
  t.ok(during.pendingBytes >= 100, `pendingBytes during: ${during.pendingBytes}`);
  t.equal(after.pendingMessages, 0, 'pendingMessages after');
  t.equal(after.pendingBytes, 0, 'pendingBytes after');
});

// ---- lists of stations ----

row('a list of stations: each has the message, the receipt is the last one and has the others', async (t) => {
  const connection = await t.connect();
  const names = [t.name(), t.name(), t.name()];
  await connection.produce(names[1], 'before');
  const receipt = await connection.produce(names, 'to all');
  t.equal(receipt.station, names[2], 'station');
  t.equal(receipt.sequence, 1, 'sequence');
  t.deepEqual(receipt.others.map(({ station, sequence }) => `${station}/${sequence}`), [`${names[0]}/1`, `${names[1]}/2`], 'others');
  for (const name of names) t.equal(t.texts(await t.collect(await connection.station(name), name === names[1] ? 2 : 1)).at(-1), 'to all', `in ${name}`);
});

row('a producer of a list knows its stations', async (t) => {
  const connection = await t.connect();
  const names = [t.name(), t.name()];
  const producer = await connection.producer(names);
  t.deepEqual([...producer.stations], names, 'stations');
  t.equal((await producer.produce('x')).others.length, 1, 'others');
});

row('a list with one station has no others', async (t) => {
  const connection = await t.connect();
  const receipt = await connection.produce([t.name()], 'x');
  t.ok(receipt.others === undefined || receipt.others.length === 0, `others: ${t.show(receipt.others)}`);
});

row('a list of stations: the first error ends it, and says who has the message', { needs: ['destroy'] }, async (t) => {
  const connection = await t.connect();
  const names = [t.name(), t.name(), t.name()];
  const producer = await connection.producer(names);
  await producer.produce('everywhere');
  await (await connection.station(names[1])).destroy();
  const error = await t.rejects(producer.produce('half way'), 'no_such_station', { station: names[1] });
  t.deepEqual(error.stored.map(({ station, sequence }) => `${station}/${sequence}`), [`${names[0]}/2`], 'stored');
  t.deepEqual(t.texts(await t.collect(await connection.station(names[0]), 2)), ['everywhere', 'half way'], 'in the first');
  const third = await (await connection.station(names[2])).consumer({ consumerName: 'look' });
  t.deepEqual(t.texts(await t.collect(third, 1)), ['everywhere'], 'in the third');
  await t.nothing(third, 300);
});

row('a list that is empty, or has a wrong name, is refused and nothing is stored', async (t) => {
  const connection = await t.connect();
  const good = t.name();
  await t.rejects(() => connection.produce([], 'x'), 'invalid_argument');
  await t.rejects(() => connection.produce([good, 'not a name'], 'x'), 'invalid_argument');
  await t.rejects(() => connection.producer([good, 7]), 'invalid_argument');
  t.equal((await connection.station(good)).existed, false, 'the good one existed');
});

// ---- what produce() keeps ----

row('produce() keeps one producer for a name and one for none', { needs: ['partitions'] }, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 3 });
  const partitions = [];
  for (let index = 0; index < 4; index += 1) partitions.push((await connection.produce(station.name, 'x')).partition);
  t.deepEqual(partitions, [1, 2, 3, 1], 'turns of the producer without a name');
  t.equal((await connection.produce(station.name, 'x', { producerName: 'other' })).partition, 1, 'first turn of the named one');
  t.equal((await connection.produce(station.name, 'x', { producerName: 'other' })).partition, 2, 'second turn of the named one');
});

row("produce(): the first call's options of the producer count", { needs: ['msg_id'] }, async (t) => {
  const { connection, station } = await t.setup();
  const first = await connection.produce(station.name, 'x', { autoMsgId: true });
  const second = await connection.produce(station.name, 'x', { autoMsgId: false });
  t.ok(first.msgId && second.msgId && first.msgId !== second.msgId, `ids: ${t.show([first.msgId, second.msgId])}`);
});

row('many produce() calls at once on a missing station make it once and keep their order', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  const receipts = await Promise.all(Array.from({ length: 50 }, (_, index) => connection.produce(name, `m${index}`)));
  t.deepEqual(receipts.map((receipt) => receipt.sequence), Array.from({ length: 50 }, (_, index) => index + 1), 'sequences');
});

// ---- flush and destroy ----

row('flush resolves when every message so far has its outcome', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  let settled = 0;
  for (let index = 0; index < 100; index += 1) void producer.produce('x').then(() => { settled += 1; });
  t.equal(await producer.flush(), undefined, 'flush()');
  t.equal(settled, 100, 'outcomes when flush resolved');
});

row('flush with nothing to do resolves, and never rejects', { needs: ['destroy'] }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  t.equal(await producer.flush(), undefined, 'flush() of an idle producer');
  await station.destroy();
  const failing = t.outcome(producer.produce('x'));
  t.equal(await producer.flush(), undefined, 'flush() while a message fails');
  t.equal((await failing).error, true, 'the message failed');
  await producer.destroy();
  t.equal(await producer.flush(), undefined, 'flush() after destroy');
});

row('destroy finishes what is pending, then everything is closed', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const calls = t.fill(producer, 50);
  t.equal(await producer.destroy(), undefined, 'destroy()');
  t.equal((await t.within(2000, calls, 'the pending messages')).length, 50, 'receipts');
  await t.rejects(() => producer.produce('late'), 'closed');
  await t.rejects(() => producer.produceBatch(['late']), 'closed');
  t.equal(await producer.destroy(), undefined, 'destroy() again');
  t.equal((await station.produce('others go on')).sequence, 51, 'sequence');
});

row('leaving the block of `await using` destroys the producer', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await producer[Symbol.asyncDispose]();
  await t.rejects(() => producer.produce('late'), 'closed');
});
