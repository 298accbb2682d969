// What a consumer holds ahead of the application, and what becomes of it.

import { topic } from '../kit/rows.mjs';

const row = topic('prefetch', '3 and 4');
const needs = ['ack', 'groups'];

// A member that has taken some messages and now thinks, and one that takes what is left over.
async function twoMembers(t, { count, consumer = {}, consume = {}, make } = {}) {
  const { station } = await t.setup();
  await t.fill(station, count, make);
  const options = { consumerGroup: 'team', maxAckTimeMs: 30_000, ...consumer };
  const thinking = await station.consumer({ consumerName: 'a', ...options });
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'b', ...options });
  const taken = [];
  let goOn;
  const gate = new Promise((resolve) => { goOn = resolve; });
  let entered;
  const first = new Promise((resolve) => { entered = resolve; });
  const running = thinking.consume(async (messages) => {
    if (messages.length === 0) return;
    taken.push(...messages);
    entered();
    await gate;
    await Promise.all(messages.map((message) => t.outcome(message.ack())));
  }, consume);
  running.catch(() => {});
  await t.within(5000, first, 'the first call');
  return { station, thinking, other, taken, running, goOn };
}

async function takeAll(t, consumer, rounds = 4) {
  const got = [];
  for (let round = 0; round < rounds; round += 1) {
    for (const message of await consumer.fetch({ batchSize: 1000, batchMaxTimeToWaitMs: 300 })) { got.push(message); await message.ack(); }
  }
  return got;
}

row('prefetchMessages bounds what is held', { needs }, async (t) => {
  const { thinking, other, taken, goOn } = await twoMembers(t, { count: 40, consumer: { batchSize: 1 }, consume: { prefetchMessages: 5 } });
  const got = await takeAll(t, other);
  t.equal(taken.length, 1, 'taken by the one that thinks');
  t.between(got.length, 34, 39, 'what the other member gets: all but what was taken and what is held');
  goOn();
  await thinking.stop();
});

row('prefetchBytes bounds what is held', { needs }, async (t) => {
  const { thinking, other, goOn } = await twoMembers(t, { count: 40, make: () => new Uint8Array(50_000), consumer: { batchSize: 1 }, consume: { prefetchBytes: 200_000 } });
  const got = await takeAll(t, other);
  t.ok(got.length >= 30, `the other member gets ${got.length}; at most about four of 50,000 bytes may be held`);
  goOn();
  await thinking.stop();
});

row('with maxMsgDeliveries of 3 or less at most batchSize is held', { needs }, async (t) => {
  const { thinking, other, goOn } = await twoMembers(t, { count: 40, consumer: { batchSize: 2, maxMsgDeliveries: 3 } });
  const got = await takeAll(t, other);
  t.between(got.length, 36, 39, 'what the other member gets');
  goOn();
  await thinking.stop();
});

row('held messages are kept alive while the application takes', { needs, waits: true }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 8);
  // Kept alive at half of the ack time: a machine that is busy with other rows may come more than a second late.
  const consumer = await station.consumer({ consumerName: 'c', maxAckTimeMs: 6000 });
  const seen = [];
  for await (const message of consumer) {
    seen.push(`${message.text()}/${message.deliveries}`);
    await message.ack();
    if (seen.length === 8) break;
    await t.elapse(2400);
  }
  t.deepEqual(seen, Array.from({ length: 8 }, (_, index) => `m${index}/1`), 'messages and deliveries over three ack times');
  await t.nothing(consumer, 7000);
});

row('held messages are given back when the application takes nothing for maxAckTimeMs', { needs, waits: true }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 6);
  const options = { consumerGroup: 'team', maxAckTimeMs: 1200 };
  const sleeper = await station.consumer({ consumerName: 'a', ...options });
  const iterator = sleeper[Symbol.asyncIterator]();
  const { value: first } = await iterator.next();
  await first.ack();
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'b', ...options });
  const got = await t.collect(other, 5, { ms: 12_000 });
  t.deepEqual(t.texts(got).sort(), ['m1', 'm2', 'm3', 'm4', 'm5'], 'what the other member gets');
  await iterator.return();
  await t.nothing(other, 1500);
});

row('a sleeper that wakes up gets nothing that others have settled', { needs, waits: true }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 5);
  const options = { consumerGroup: 'team', maxAckTimeMs: 1000 };
  const sleeper = await station.consumer({ consumerName: 'a', ...options });
  const iterator = sleeper[Symbol.asyncIterator]();
  await (await iterator.next()).value.ack();
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'b', ...options });
  await t.collect(other, 4, { ms: 12_000 });
  const next = iterator.next();
  await station.produce('fresh');
  const { value } = await t.within(8000, next, 'next()');
  t.equal(value.text(), 'fresh', 'what the sleeper gets');
  await value.ack();
  await iterator.return();
});

row('while the application sleeps nothing more is asked for', { needs, waits: true }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2);
  const options = { consumerGroup: 'team', maxAckTimeMs: 900 };
  const sleeper = await station.consumer({ consumerName: 'a', ...options });
  const iterator = sleeper[Symbol.asyncIterator]();
  await (await iterator.next()).value.ack();
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'b', ...options });
  await t.collect(other, 1, { ms: 12_000 });
  await t.nothing(other, 1000);
  await t.fill(station, 5, (index) => `n${index}`);
  const got = await t.collect(other, 5, { ms: 4000 });
  t.ok(got.every((message) => message.deliveries === 1), `first deliveries: ${t.show(got.map((message) => message.deliveries))}`);
  await iterator.return();
});

row('stop gives back what is held, at once', { needs: ['nack', 'groups'] }, async (t) => {
  const { thinking, other, taken, running, goOn } = await twoMembers(t, { count: 20, consumer: { batchSize: 3, maxAckTimeMs: 60_000 } });
  await thinking.stop();
  const got = await t.collect(other, 20 - taken.length, { ms: 5000 });
  t.equal(new Set(t.texts(got)).size, 20 - taken.length, 'what the other member gets');
  goOn();
  await running;
});

for (const option of ['prefetchMessages', 'prefetchBytes']) {
  row(`${option} must be a sensible number, at least 1`, async (t) => {
    const { connection, station } = await t.setup();
    const consumer = await station.consumer({ consumerName: 'c' });
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
      await t.rejects(() => consumer.consume(() => {}, { [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
      await t.rejects(() => connection.consume(station.name, { consumerName: 'd', [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
    }
  });
}

row('the defaults are accepted, written out', async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 1);
  for (const [consumerName, options] of [['acking', { prefetchMessages: 500 }], ['taking', { autoAck: true, prefetchMessages: 2000 }]]) {
    const consumer = await connection.consume(station.name, { consumerName, ...options, prefetchBytes: 16 * 1024 * 1024, signal: undefined, partitionKey: undefined, partitionNumber: undefined });
    const { value } = await consumer[Symbol.asyncIterator]().next();
    t.equal(value.text(), 'm0', `the message of ${consumerName}`);
    await consumer.destroy();
  }
});

row('a prefetch of one message works', { needs }, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 3 });
  await t.fill(station, 12);
  const consumer = await connection.consume(station.name, { consumerName: 'c', prefetchMessages: 1 });
  const seen = [];
  for await (const message of consumer) { seen.push(message.text()); await message.ack(); if (seen.length === 12) break; }
  t.equal(new Set(seen).size, 12, 'different messages');
});

row('a message larger than prefetchBytes is delivered all the same', { needs }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 3, (index) => new Uint8Array(100_000).fill(index));
  const consumer = await connection.consume(station.name, { consumerName: 'c', prefetchBytes: 1000 });
  const seen = [];
  for await (const message of consumer) { seen.push(message.data[0]); await message.ack(); if (seen.length === 3) break; }
  t.deepEqual(seen, [0, 1, 2], 'messages');
});
