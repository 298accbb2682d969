// Consumers across a server that dies and comes back.

import { topic } from '../kit/rows.mjs';
import { lively, server } from './helpers.mjs';

const row = topic('restored', '3 to 5');
const waits = { waits: true, limitMs: 70_000 };

async function linked(t, consumerOptions, more) {
  const host = await server(t);
  const connection = await t.connect(lively(host.url, more));
  const station = await connection.station(t.name());
  const consumer = await connection.consumer(station.name, { consumerName: 'c', ...consumerOptions });
  return { host, connection, station, consumer };
}

// The server writes what groups have acked to its disk a little later than it confirms it.
const WRITTEN = 1000;

async function bounce(t, host, connection) {
  await t.elapse(WRITTEN);
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  await host.restart();
  await t.until(() => connection.isConnected(), 15_000, 'connected again');
}

row('a loop goes on after kill -9 and restart, and misses nothing', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { maxAckTimeMs: 3000 });
  const seen = new Set();
  const loop = (async () => { for await (const message of consumer) { seen.add(message.text()); await message.ack(); if (seen.size === 200) break; } })();
  await t.fill(station, 100);
  await t.until(() => seen.size >= 30, 10_000, 'the first messages');
  await bounce(t, host, connection);
  await t.fill(station, 100, (index) => `n${index}`);
  await t.within(30_000, loop, 'the loop');
  t.equal(seen.size, 200, 'different messages');
});

row('a lost link does not end a handler', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { batchMaxTimeToWaitMs: 500, pullIntervalMs: 100, maxAckTimeMs: 3000 });
  const seen = new Set();
  const running = t.outcome(consumer.consume(async (messages) => { for (const message of messages) { seen.add(message.text()); await message.ack(); } }));
  await t.fill(station, 20);
  await t.until(() => seen.size === 20, 10_000, 'the first messages');
  await bounce(t, host, connection);
  await t.fill(station, 20, (index) => `n${index}`);
  await t.until(() => seen.size === 40, 30_000, 'the messages after the restart');
  await consumer.stop();
  t.equal((await t.within(5000, running, 'consume()')).error, false, 'consume() rejected');
});

row('an acked message does not come again after a restart', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { maxAckTimeMs: 3000 });
  await t.fill(station, 10);
  for (const message of await t.collect(consumer, 10, { ack: false })) await message.ack({ confirm: true });
  await bounce(t, host, connection);
  await t.nothing(consumer, 4500);
});

row('a fetch that waits while the link is lost gets what comes afterwards', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t);
  const waiting = consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 25_000 });
  await t.turn();
  await bounce(t, host, connection);
  await station.produce('after');
  t.deepEqual(t.texts(await t.within(20_000, waiting, 'fetch()')), ['after'], 'messages');
});

row('a fetch ends in its time although the link is down', waits, async (t) => {
  const { host, connection, consumer } = await linked(t);
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const began = t.now();
  const outcome = await t.within(8000, t.outcome(consumer.fetch({ batchMaxTimeToWaitMs: 1500 })), 'fetch()');
  if (outcome.error) t.checkError(outcome.reason, ['connection_lost', 'timeout']);
  else t.deepEqual(outcome.value, [], 'messages');
  t.between(t.now() - began, 0, 5000, 'milliseconds');
  await host.restart();
});

row('an ack of a message from before the restart is good', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { maxAckTimeMs: 30_000 });
  await t.fill(station, 1);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await bounce(t, host, connection);
  await message.ack({ confirm: true });
  t.equal(await consumer.position(), 1n, 'position');
});

row('an ack given while the link is down waits for it', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { maxAckTimeMs: 30_000 });
  await t.fill(station, 2);
  const [first, second] = await t.collect(consumer, 2, { ack: false });
  await t.elapse(WRITTEN);
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const plain = first.ack();
  const confirmed = second.ack({ confirm: true });
  await host.restart();
  await t.within(20_000, Promise.all([plain, confirmed]), 'the acks');
  await t.until(async () => (await consumer.position()) === 2n, 5000, 'position 2');
});

row('an ack whose confirmation the link took along ends with it', waits, async (t) => {
  const { host, station, consumer } = await linked(t, { maxAckTimeMs: 30_000 });
  await t.fill(station, 1);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await host.freeze();
  const confirmed = t.outcome(message.ack({ confirm: true }));
  await t.turn();
  await host.kill();
  t.checkError((await t.within(10_000, confirmed, 'ack()')).reason, 'connection_lost');
  await host.restart();
});

row('an ack that waits for the link gives up when the ack time is over', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { maxAckTimeMs: 2000 });
  await t.fill(station, 1);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const outcome = await t.within(8000, t.outcome(message.ack({ confirm: true })), 'ack()');
  t.equal(outcome.error, true, 'ack() rejected');
  t.checkError(outcome.reason, ['connection_lost', 'timeout']);
  await host.restart();
  const [again] = await t.collect(consumer, 1, { ms: 20_000 });
  t.deepEqual([again.text(), again.deliveries >= 2], ['m0', true], 'the message comes again');
});

row('messages held when the link was lost come again, at most once each to be acked', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { maxAckTimeMs: 2500 });
  await t.fill(station, 50);
  const iterator = consumer[Symbol.asyncIterator]();
  const settled = [];
  const take = async () => {
    const { value } = await t.within(20_000, iterator.next(), 'next()');
    await value.ack({ confirm: true });
    settled.push(value.text());
  };
  for (let index = 0; index < 5; index += 1) await take();
  await bounce(t, host, connection);
  while (new Set(settled).size < 50) await take();
  await iterator.return();
  t.equal(settled.length, 50, 'messages settled; more means that a settled one came again');
});

row('autoAck: after a restart nothing comes twice', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t, { autoAck: true });
  await t.fill(station, 40);
  const seen = [];
  const loop = (async () => { for await (const message of consumer) { seen.push(message.text()); if (message.text() === 'end') break; } })();
  await t.until(() => seen.length === 40, 10_000, 'the first messages');
  await bounce(t, host, connection);
  await t.fill(station, 10, (index) => `n${index}`);
  await station.produce('end');
  await t.within(20_000, loop, 'the loop');
  t.equal(new Set(seen).size, seen.length, 'different messages');
  t.equal(seen.filter((text) => text.startsWith('n')).length, 10, 'messages after the restart');
});

row('a group without a name goes on after a restart', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const consumer = await connection.consumer(station.name, { maxAckTimeMs: 2000 });
  await t.fill(station, 4);
  for (const message of await t.collect(consumer, 2, { ack: false })) await message.ack({ confirm: true });
  await bounce(t, host, connection);
  t.deepEqual(t.texts(await t.collect(consumer, 2, { ms: 20_000 })), ['m2', 'm3'], 'messages after the restart');
});

row('producer, station and consumer made before are all good afterwards', waits, async (t) => {
  const { host, connection, station, consumer } = await linked(t);
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await t.collect(consumer, 1);
  await bounce(t, host, connection);
  t.equal((await producer.produce('after')).sequence, 2, 'sequence');
  t.equal((await station.info()).messages, 2, 'messages');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['after'], 'messages');
  t.ok((await connection.ping()).rttMs >= 0, 'ping');
});
