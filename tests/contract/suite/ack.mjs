// Settling messages.

import { topic } from '../kit/rows.mjs';

const row = topic('ack', 3);
const needs = ['ack'];

async function one(t, consumerOptions, stationOptions) {
  const { connection, station } = await t.setup(stationOptions);
  await station.produce('m');
  const consumer = await station.consumer({ consumerName: 'c', ...consumerOptions });
  const [message] = await t.collect(consumer, 1, { ack: false });
  return { connection, station, consumer, message };
}

row('a message tells all about itself', { needs }, async (t) => {
  const before = Date.now();
  const { station } = await t.setup();
  await station.produce({ a: [1, 'ü'] }, { headers: { h: '1' } });
  const [message] = await t.collect(station, 1);
  t.equal(message.station, station.name, 'station');
  t.equal(message.partition, 1, 'partition');
  t.equal(message.sequence, 1, 'sequence');
  t.equal(message.sequenceBig, 1n, 'sequenceBig');
  t.equal(message.deliveries, 1, 'deliveries');
  t.deepEqual(message.json(), { a: [1, 'ü'] }, 'json()');
  t.ok(message.data instanceof Uint8Array, 'data is a Uint8Array');
  t.ok(message.timestamp instanceof Date, 'timestamp is a Date');
  t.between(message.timestamp.getTime(), before - 5000, Date.now() + 5000, 'timestamp');
  t.equal(typeof message.timestampNs, 'bigint', 'type of timestampNs');
  t.equal(Number(message.timestampNs / 1_000_000n), message.timestamp.getTime(), 'milliseconds of timestampNs');
});

row('timestamps do not go backwards', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 20);
  const times = (await t.collect(station, 20)).map((message) => message.timestampNs);
  t.ok(times.every((time, index) => index === 0 || time >= times[index - 1]), `times: ${t.show(times)}`);
});

row('copy() is an own copy, record() can be cloned', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2, (index) => `body ${index}`, { headers: { h: 'v' } });
  const [message, next] = await t.collect(station, 2);
  const copy = message.copy();
  t.equal(copy.byteLength, copy.buffer.byteLength, 'the copy has a buffer of its own');
  copy.fill(0);
  t.equal(message.text(), 'body 0', 'text after the copy was overwritten');
  const record = structuredClone(message.record(), { transfer: [] });
  t.equal(new TextDecoder().decode(record.data), 'body 0', 'data of the record');
  t.deepEqual({ ...record, data: 0, timestamp: 0 }, { data: 0, headers: { h: 'v' }, station: station.name, partition: 1, sequence: 1, timestamp: 0, deliveries: 1 }, 'record');
  const own = message.record();
  structuredClone(own, { transfer: [own.data.buffer] });
  t.equal(next.text(), 'body 1', 'the neighbour after the record was transferred');
});

row('json() of what is no JSON throws', { needs }, async (t) => {
  const { message } = await one(t);
  let thrown;
  try { message.json(); } catch (error) { thrown = error; }
  t.ok(thrown instanceof Error, `json() of "m" gave ${t.show(thrown)}`);
});

row('messages stay readable after their connection has closed', { needs }, async (t) => {
  const { connection, message } = await one(t);
  await message.ack();
  await connection.close();
  t.equal(message.text(), 'm', 'text');
  t.equal(message.sequence, 1, 'sequence');
});

row('ack resolves, with and without confirm', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2);
  const [first, second] = await t.collect(station, 2, { ack: false });
  t.equal(await first.ack(), undefined, 'ack()');
  t.equal(await second.ack({ confirm: true }), undefined, 'ack({ confirm: true })');
});

row('after ack with confirm the broker has recorded it', { needs: ['ack', 'groups'] }, async (t) => {
  const { consumer, message } = await one(t);
  await message.ack({ confirm: true });
  t.equal(await consumer.position(), 1n, 'position');
});

row('an acked message does not come again', { needs, waits: true }, async (t) => {
  const { consumer, message } = await one(t, { maxAckTimeMs: 700 });
  await message.ack();
  await t.nothing(consumer, 2500);
});

for (const [first, again] of [['ack', 'ack'], ['ack', 'nack'], ['nack', 'ack'], ['delay', 'ack'], ['deadLetter', 'ack'], ['ack', 'deadLetter'], ['ack', 'delay'], ['nack', 'nack']]) {
  row(`${again} after ${first} is a second settle`, { needs: ['ack', 'nack', 'delay'] }, async (t) => {
    const { message } = await one(t);
    const args = { delay: [60_000], deadLetter: ['reason'] };
    await message[first](...(args[first] ?? []));
    await t.rejects(() => message[again](...(args[again] ?? [])), 'invalid_argument');
  });
}

row('a second settle in the same turn is one too', { needs }, async (t) => {
  const { message } = await one(t);
  const both = [t.outcome(message.ack()), t.outcome(message.ack())];
  const [first, second] = await Promise.all(both);
  t.equal(first.error, false, 'the first failed');
  t.equal(second.error, true, 'the second failed');
  t.checkError(second.reason, 'invalid_argument');
});

row('promises of this family that nobody awaits disturb nobody', { needs }, async (t) => {
  const { connection, message } = await one(t);
  void message.ack();
  void message.ack();
  void message.nack();
  await t.turn();
  await connection.close();
  void message.ack();
  await t.turn();
  t.equal(connection.isConnected(), false, 'isConnected(); a rejection that nobody caught fails the run');
});

row('inProgress does not settle', { needs: ['ack', 'in_progress'] }, async (t) => {
  const { message } = await one(t);
  t.equal(await message.inProgress(), undefined, 'inProgress()');
  await message.inProgress();
  t.equal(await message.ack({ confirm: true }), undefined, 'ack() afterwards');
});

row('inProgress after a settle is refused', { needs: ['ack', 'in_progress'] }, async (t) => {
  const { message } = await one(t);
  await message.ack();
  await t.rejects(() => message.inProgress(), 'invalid_argument');
});

row('delay and inProgress take sensible times only', { needs: ['ack', 'delay', 'in_progress'] }, async (t) => {
  const { message } = await one(t);
  for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53 + 2, 'soon', undefined]) await t.rejects(() => message.delay(ms), 'invalid_argument', { for: t.show(ms) });
  for (const ms of [-1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53 + 2, 'soon']) await t.rejects(() => message.inProgress(ms), 'invalid_argument', { for: t.show(ms) });
  t.equal(await message.ack({ confirm: true }), undefined, 'ack(): a refused call settles nothing');
});

row('a settle after close is closed', { needs }, async (t) => {
  const { connection, message } = await one(t);
  await connection.close();
  await t.rejects(() => message.ack(), 'closed');
});

row('acks given before close arrive', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 30);
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'c', maxAckTimeMs: 60_000 });
  for (const message of await t.collect(consumer, 20, { ack: false })) void message.ack();
  await other.close();
  const next = await station.consumer({ consumerName: 'c' });
  const rest = await t.collect(next, 10, { ack: false });
  t.deepEqual(t.texts(rest), Array.from({ length: 10 }, (_, index) => `m${index + 20}`), 'what the next consumer gets');
  // Only a confirmed ack has been counted when it resolves.
  for (const message of rest) await message.ack({ confirm: true });
  t.equal(await next.position(), 30n, 'position');
});

row('acks in any order: the position is the last sequence without a gap', { needs: ['ack', 'groups'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 4);
  const consumer = await station.consumer({ consumerName: 'c' });
  const got = await t.collect(consumer, 4, { ack: false });
  for (const index of [3, 1]) await got[index].ack({ confirm: true });
  t.equal(await consumer.position(), undefined, 'position with the first one open');
  await got[0].ack({ confirm: true });
  t.equal(await consumer.position(), 2n, 'position with the third one open');
  await got[2].ack({ confirm: true });
  t.equal(await consumer.position(), 4n, 'position in the end');
});

row('a thousand acks at once all count', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1000);
  const consumer = await station.consumer({ consumerName: 'c' });
  const got = await t.collect(consumer, 1000, { ack: false });
  await Promise.all(got.map((message) => message.ack()));
  await t.until(async () => (await consumer.position()) === 1000n, 5000, 'position 1000');
});

// ---- autoAck ----

row('autoAck: delivered means done', { needs: ['groups'], waits: true }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 5);
  const consumer = await station.consumer({ consumerName: 'c', autoAck: true, maxAckTimeMs: 500 });
  t.deepEqual(t.texts(await t.collect(consumer, 5, { ack: false })), ['m0', 'm1', 'm2', 'm3', 'm4'], 'messages');
  await t.nothing(consumer, 1500);
});

row('autoAck: ack() resolves and does nothing, also twice', { needs: ['groups'] }, async (t) => {
  const { message } = await one(t, { autoAck: true });
  t.equal(await message.ack(), undefined, 'ack()');
  t.equal(await message.ack({ confirm: true }), undefined, 'ack() again');
  t.equal(message.deliveries, 1, 'deliveries');
});

row('autoAck: what is held at stop stays for the next start', { needs: ['groups'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 40);
  const consumer = await station.consumer({ consumerName: 'c', autoAck: true });
  const seen = [];
  for (let round = 0; round < 4; round += 1) {
    for await (const message of consumer) {
      seen.push(message.text());
      if (seen.length % 10 === 0) break;
    }
  }
  t.deepEqual(seen, Array.from({ length: 40 }, (_, index) => `m${index}`), 'seen over four loops');
});

row('autoAck: what is held at stop comes with the next fetch', { needs: ['groups'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 10);
  const consumer = await station.consumer({ consumerName: 'c', autoAck: true });
  const seen = [];
  for await (const message of consumer) { seen.push(message.text()); if (seen.length === 3) break; }
  for (const message of await t.collect(consumer, 7, { ack: false })) seen.push(message.text());
  t.deepEqual(seen, Array.from({ length: 10 }, (_, index) => `m${index}`), 'seen');
});

row('autoAck: ten thousand messages arrive once and in order', { needs: ['groups'] }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await producer.produceBatch(Array.from({ length: 10_000 }, (_, index) => String(index)));
  const consumer = await station.consumer({ consumerName: 'c', autoAck: true });
  let next = 0;
  for await (const message of consumer) {
    t.equal(message.text(), String(next), 'the next message');
    next += 1;
    if (next === 10_000) break;
  }
});

row('options of ack() that are none or cannot be read are refused with what was thrown, and the message can still be settled', { needs }, async (t) => {
  const entries = [];
  const { station } = await t.setup({}, { logger: (entry) => { entries.push(entry); } });
  await station.produce('m');
  const consumer = await station.consumer({ consumerName: 'c' });
  const [message] = await t.collect(consumer, 1, { ack: false });
  const thrown = new Error('not readable');
  const fail = () => { throw thrown; };
  for (const options of [{ get confirm() { return fail(); } }, { get xyzzy() { return fail(); } }, new Proxy({}, { ownKeys: fail, get: fail, getPrototypeOf: fail })]) {
    t.ok((await t.rejects(() => message.ack(options), 'invalid_argument')).cause === thrown, 'the cause');
  }
  for (const [options, says] of [[7, 'object'], ['confirm', 'object'], [['confirm'], 'object'], [[], 'object'], [new Map(), 'object'], [true, 'object'], [{ confrim: true }, 'confrim'], [{ confirm: 'yes' }, 'confirm'], [{ confirm: 1 }, 'confirm'], [{ confirm: null }, 'confirm']]) {
    await t.rejects(() => message.ack(options), 'invalid_argument', { says, for: t.show(options) });
  }
  for (const [verb, value] of [['delay', { valueOf: fail }], ['inProgress', { valueOf: fail }], ['deadLetter', { toString: fail }]]) await t.rejects(() => message[verb](value), 'invalid_argument', { for: verb });
  // Nobody awaits it: the logger hears of it, and nothing else does.
  const before = entries.length;
  void message.ack({ confirm: 'yes' });
  await t.until(() => entries.length > before, 2000, 'an entry');
  t.equal(entries.at(-1).event, 'settle_failed', 'event');
  await message.ack({ confirm: true });
  t.equal(await consumer.position(), 1n, 'position');
});

row('ack() takes options that are null, empty, or say false', { needs }, async (t) => {
  const { station } = await t.setup();
  const given = [null, {}, { confirm: false }, { confirm: undefined }, undefined];
  await t.fill(station, given.length + 1);
  const consumer = await station.consumer({ consumerName: 'c' });
  const messages = await t.collect(consumer, given.length + 1, { ack: false });
  for (const [index, options] of given.entries()) await messages[index].ack(options);
  await messages.at(-1).ack({ confirm: true });
  t.equal(await consumer.position(), BigInt(given.length + 1), 'position');
});
