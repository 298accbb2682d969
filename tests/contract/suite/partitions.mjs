// Which partition a message goes to, and reading one or all of them.

import { murmur3, partitionOf } from '../kit/murmur.mjs';
import { topic } from '../kit/rows.mjs';

const row = topic('partitions', 2);
const needs = ['partitions'];
const KEYS = ['a', 'b', 'user-17', 'user-18', 'Zürich', 'ключ', 'x'.repeat(300), '🙂', 'order/2026/11'];

row("the suite's own hash gives the published values", async (t) => {
  t.equal(murmur3('hello', 0), 0x248bfa47, 'hello');
  t.equal(murmur3('hello, world', 0), 0x149bbb7f, 'hello, world');
  t.equal(murmur3('The quick brown fox jumps over the lazy dog', 0), 0x2e4ff723, 'the fox');
  t.equal(murmur3('', 1), 0x514e28b7, 'nothing, seed 1');
});

row('a key chooses the partition by its hash', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 7 });
  for (const partitionKey of KEYS) {
    const { partition } = await station.produce('x', { partitionKey });
    t.equal(partition, partitionOf(partitionKey, station.partitions, t.broker), `partition of the key ${t.show(partitionKey)}`);
  }
});

row('all messages of one key go to one partition, from every producer', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 5 });
  const other = await (await t.connect()).producer(station.name);
  const receipts = [...await t.fill(station, 6, () => 'x', { partitionKey: 'k' }), ...await t.fill(other, 6, () => 'x', { partitionKey: 'k' })];
  t.equal(new Set(receipts.map((receipt) => receipt.partition)).size, 1, 'partitions used');
});

row('an id that the application gave chooses the partition by its hash', { needs: ['partitions', 'msg_id'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 5 });
  for (let index = 0; index < 10; index += 1) {
    const msgId = `id-${index}`;
    t.equal((await station.produce('x', { msgId })).partition, partitionOf(msgId, station.partitions, t.broker), `partition of the id ${msgId}`);
  }
});

row('a repeat with an id meets its first copy', { needs: ['partitions', 'msg_id'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 5 });
  for (let index = 0; index < 10; index += 1) await station.produce('x', { msgId: `id-${index}` });
  for (let index = 9; index >= 0; index -= 1) t.equal((await station.produce('x', { msgId: `id-${index}` })).duplicate, true, `duplicate id-${index}`);
});

row('a number beats nothing, a key beats an id', { needs: ['partitions', 'msg_id'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 5 });
  const key = partitionOf('key', station.partitions, t.broker);
  const msgId = Array.from({ length: 50 }, (_, index) => `id-${index}`).find((id) => partitionOf(id, station.partitions, t.broker) !== key);
  t.equal((await station.produce('x', { partitionKey: 'key', msgId })).partition, key, 'by key');
  const number = station.partitions.find((partition) => partition !== key);
  t.equal((await station.produce('x', { partitionNumber: number, msgId: 'other' })).partition, number, 'by number');
});

row('without any of them partitions take turns, from the first', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const producer = await station.producer();
  t.deepEqual((await t.fill(producer, 7)).map((receipt) => receipt.partition), [1, 2, 3, 1, 2, 3, 1], 'partitions');
});

row('every producer counts its own turns', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const one = await station.producer({ producerName: 'one' });
  const two = await station.producer({ producerName: 'two' });
  t.deepEqual((await t.fill(one, 2)).map((receipt) => receipt.partition), [1, 2], 'of the first producer');
  t.deepEqual((await t.fill(two, 2)).map((receipt) => receipt.partition), [1, 2], 'of the second producer');
  t.deepEqual((await t.fill(one, 2)).map((receipt) => receipt.partition), [3, 1], 'of the first producer again');
});

row('an id made by autoMsgId does not choose: partitions take turns', { needs: ['partitions', 'msg_id'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const producer = await station.producer({ autoMsgId: true });
  t.deepEqual((await t.fill(producer, 6)).map((receipt) => receipt.partition), [1, 2, 3, 1, 2, 3], 'partitions');
});

row('a partition that does not exist is refused', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const consumer = await station.consumer({ consumerName: 'c' });
  for (const partitionNumber of [0, 4, -1, 1.5, Number.NaN, '1']) {
    await t.rejects(() => station.produce('x', { partitionNumber }), 'invalid_argument', { says: 'partition', for: t.show(partitionNumber) });
    await t.rejects(() => consumer.fetch({ partitionNumber, noWait: true }), 'invalid_argument', { says: 'partition', for: t.show(partitionNumber) });
  }
});

row('a key and a number exclude each other', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  const both = { partitionKey: 'k', partitionNumber: 1 };
  const consumer = await station.consumer({ consumerName: 'c' });
  const producer = await station.producer();
  await t.rejects(() => station.produce('x', both), 'invalid_argument', { says: ['partitionKey', 'partitionNumber'] });
  await t.rejects(() => producer.produce('x', both), 'invalid_argument');
  await t.rejects(() => producer.produceBatch(['x'], both), 'invalid_argument');
  await t.rejects(() => consumer.fetch({ ...both, noWait: true }), 'invalid_argument');
  await t.rejects(() => consumer.consume(() => {}, both), 'invalid_argument');
});

row('a key must be text', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  for (const partitionKey of [7, {}, true]) await t.rejects(() => station.produce('x', { partitionKey }), 'invalid_argument', { says: 'partitionKey', for: t.show(partitionKey) });
});

row('a station has at least one whole partition', { needs }, async (t) => {
  const connection = await t.connect();
  for (const partitionsNumber of [0, -1, 1.5, Number.NaN, 2 ** 53 + 2, '3']) {
    await t.rejects(() => connection.station(t.name(), { partitionsNumber }), 'invalid_argument', { says: 'partitionsNumber', for: t.show(partitionsNumber) });
  }
});

row('messages tell their partition, and each partition keeps its order', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 4 });
  const receipts = await t.fill(station, 40);
  const got = await t.collect(station, 40);
  t.deepEqual(got.map((message) => message.text()).sort(), receipts.map((_, index) => `m${index}`).sort(), 'messages');
  for (const partition of station.partitions) {
    const mine = got.filter((message) => message.partition === partition).map((message) => message.sequence);
    t.deepEqual(mine, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], `sequences of partition ${partition}`);
  }
});

row('fetch by number or by key reads that partition alone', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  for (const partitionNumber of [1, 2, 3]) await t.fill(station, 2, (index) => `p${partitionNumber}-${index}`, { partitionNumber });
  const consumer = await station.consumer({ consumerName: 'c' });
  t.deepEqual(t.texts(await consumer.fetch({ partitionNumber: 2, batchSize: 10, batchMaxTimeToWaitMs: 700 })), ['p2-0', 'p2-1'], 'by number');
  const partition = partitionOf('some key', station.partitions, t.broker);
  const other = await station.consumer({ consumerName: 'd' });
  t.deepEqual(t.texts(await other.fetch({ partitionKey: 'some key', batchSize: 10, batchMaxTimeToWaitMs: 700 })), [`p${partition}-0`, `p${partition}-1`], 'by key');
});

row('consume by number reads that partition alone', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  for (const partitionNumber of [1, 2, 3]) await t.fill(station, 2, (index) => `p${partitionNumber}-${index}`, { partitionNumber });
  const consumer = await station.consumer({ consumerName: 'c', batchMaxTimeToWaitMs: 300, pullIntervalMs: 100 });
  const seen = [];
  await t.within(10_000, consumer.consume(async (messages) => {
    for (const message of messages) { seen.push(message.text()); await message.ack(); }
    if (messages.length === 0) await consumer.stop();
  }, { partitionNumber: 3 }), 'consume()');
  t.deepEqual(seen, ['p3-0', 'p3-1'], 'seen');
});

row('messages that several partitions bring beyond batchSize stay for the next fetch', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 4 });
  await t.fill(station, 12);
  const consumer = await station.consumer({ consumerName: 'c' });
  const seen = [];
  for (let round = 0; round < 4; round += 1) {
    const batch = await consumer.fetch({ batchSize: 3, batchMaxTimeToWaitMs: 3000 });
    t.equal(batch.length, 3, `messages of fetch ${round + 1}`);
    for (const message of batch) { seen.push(message); await message.ack(); }
  }
  t.equal(new Set(seen.map((message) => message.text())).size, 12, 'different messages');
  t.ok(seen.every((message) => message.deliveries === 1), 'every one at its first delivery');
});

row('a message in any partition ends the wait of a fetch of one', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 4 });
  const consumer = await station.consumer({ consumerName: 'c' });
  for (const partitionNumber of [3, 1, 4]) {
    const waiting = consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 15_000 });
    await station.produce(`in ${partitionNumber}`, { partitionNumber });
    const [message] = await t.within(5000, waiting, 'fetch()');
    t.equal(message.text(), `in ${partitionNumber}`, 'text');
    await message.ack();
  }
});

row('consuming from a partition that the station does not have is refused, and the consumer goes on', async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 2 });
  const consumer = await station.consumer({ consumerName: 'c' });
  await t.rejects(() => consumer.consume(() => {}, { partitionNumber: 3 }), 'invalid_argument', { says: 'partition' });
  await t.rejects(() => t.within(3000, station.consume({ consumerName: 'kept', partitionNumber: 3 }), 'consume() of the station'), 'invalid_argument', { says: 'partition' });
  await t.rejects(() => t.within(3000, connection.consume(station.name, { consumerName: 'held', partitionNumber: 3 }, () => {}), 'consume() with a handler'), 'invalid_argument', { says: 'partition' });
  await station.produce('x', { partitionNumber: 2 });
  const seen = [];
  const running = consumer.consume((messages) => { seen.push(...t.texts(messages)); }, { partitionNumber: 2 });
  await t.until(() => seen.length === 1, 5000, 'the message');
  await consumer.stop();
  await running;
  const kept = await station.consume({ consumerName: 'kept', partitionNumber: 2 });
  for await (const message of kept) {
    t.equal(message.text(), 'x', 'what the kept one gets');
    break;
  }
});
