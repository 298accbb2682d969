// Filters: a consumer sees only the messages that were produced with one of its values.

import { topic } from '../kit/rows.mjs';

const row = topic('filters', 9);
const needs = ['filters', 'groups'];

/** m0 with a, m1 with b, m2 with c, m3 without, m4 with a, ... */
async function filled(t, count, stationOptions) {
  const { connection, station } = await t.setup(stationOptions);
  const value = (index) => ['a', 'b', 'c', undefined][index % 4];
  await t.fill(station, count, (index) => `m${index}`, (index) => ({ filterValue: value(index) }));
  return { connection, station };
}

row('only messages with one of the values arrive, in order', { needs }, async (t) => {
  const { station } = await filled(t, 12);
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['a', 'c'] } });
  t.deepEqual(t.texts(await t.collect(consumer, 6)), ['m0', 'm2', 'm4', 'm6', 'm8', 'm10'], 'messages');
  await t.nothing(consumer, 300);
});

row('matchUnfiltered lets messages without a value pass too', { needs }, async (t) => {
  const { station } = await filled(t, 8);
  const some = await station.consumer({ consumerName: 'some', filter: { values: ['b'], matchUnfiltered: true } });
  t.deepEqual(t.texts(await t.collect(some, 4)), ['m1', 'm3', 'm5', 'm7'], 'with b or none');
  const none = await station.consumer({ consumerName: 'none', filter: { values: [], matchUnfiltered: true } });
  t.deepEqual(t.texts(await t.collect(none, 2)), ['m3', 'm7'], 'with none');
});

row('a predicate checks again, with the whole message', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  for (let i = 0; i < 10; i++) await station.produce({ i }, { filterValue: i % 2 ? 'odd' : 'even', headers: { n: String(i) }, partitionNumber: 1 + (i % 2) });
  const seen = [];
  const predicate = (message) => {
    seen.push([message.station === station.name, message.headers.n, message.json().i, message.sequence > 0]);
    return message.json().i > 4;
  };
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['odd'], predicate } });
  t.deepEqual((await t.collect(consumer, 3)).map((message) => message.json().i), [5, 7, 9], 'messages');
  t.deepEqual(seen, [1, 3, 5, 7, 9].map((i) => [true, String(i), i, true]), 'what the predicate saw');
});

row('what does not fit counts for no batch', { needs }, async (t) => {
  const { station } = await filled(t, 400);
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['b'], predicate: (message) => Number(message.text().slice(1)) % 8 === 1 } });
  const first = await consumer.fetch({ batchSize: 20, batchMaxTimeToWaitMs: 5000 });
  t.deepEqual(t.texts(first), Array.from({ length: 20 }, (_, index) => `m${index * 8 + 1}`), 'a full batch');
  for (const message of first) await message.ack();
  const rest = await consumer.fetch({ batchSize: 100, batchMaxTimeToWaitMs: 1000 });
  t.equal(rest.length, 30, 'the rest');
  t.deepEqual(t.texts(await consumer.fetch({ noWait: true })), [], 'nothing more');
});

row('noWait looks at everything that is there', { needs }, async (t) => {
  const { station } = await filled(t, 200);
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['c'], predicate: (message) => message.text() === 'm198' } });
  t.deepEqual(t.texts(await consumer.fetch({ noWait: true, batchSize: 5 })), ['m198'], 'messages');
});

row('what does not fit is done: the position passes it, and nobody gets it again', { needs: [...needs, 'ack'], waits: true }, async (t) => {
  const { station } = await filled(t, 9);
  const consumer = await station.consumer({ consumerName: 'c', maxAckTimeMs: 1000, filter: { values: ['a'], predicate: (message) => message.text() !== 'm4' } });
  for (const message of await t.collect(consumer, 2, { ack: false })) await message.ack({ confirm: true });
  await t.until(async () => (await consumer.position()) === 9n, 5000, 'position 9');
  await consumer.stop();
  await t.elapse(1500);
  const other = await station.consumer({ consumerName: 'd', consumerGroup: 'c' });
  await t.nothing(other, 500);
});

row('an iterator, a handler and a stream see only what fits', { needs }, async (t) => {
  const { station } = await filled(t, 40);
  const filter = { values: ['a', 'b'], predicate: (message) => message.text() !== 'm0' };
  const expected = Array.from({ length: 40 }, (_, index) => index).filter((index) => index % 4 < 2 && index > 0).map((index) => `m${index}`);
  const iterated = [];
  for await (const message of await station.consumer({ consumerName: 'i', filter })) {
    iterated.push(message.text());
    await message.ack();
    if (iterated.length === expected.length) break;
  }
  t.deepEqual(iterated, expected, 'iterated');
  const handled = [];
  const consumer = await station.consumer({ consumerName: 'h', filter, batchSize: 7 });
  await t.within(10_000, consumer.consume(async (messages) => {
    for (const message of messages) {
      handled.push(message.text());
      await message.ack();
    }
    if (handled.length >= expected.length) await consumer.stop();
  }), 'consume()');
  t.deepEqual(handled, expected, 'handled');
  const reader = (await station.consumer({ consumerName: 'r', filter })).readable.getReader();
  const read = [];
  while (read.length < 5) {
    const { value } = await reader.read();
    read.push(value.text());
    await value.ack();
  }
  await reader.cancel();
  t.deepEqual(read, expected.slice(0, 5), 'read');
});

row('a filter with autoAck', { needs }, async (t) => {
  const { station } = await filled(t, 20);
  const consumer = await station.consumer({ consumerName: 'c', autoAck: true, filter: { values: ['b'], predicate: (message) => message.sequence > 5 } });
  t.deepEqual(t.texts(await t.collect(consumer, 4, { ack: false })), ['m5', 'm9', 'm13', 'm17'], 'messages');
});

row('a predicate that throws lets the message through, and the logger hears of it', { needs }, async (t) => {
  const heard = [];
  const { station } = await t.setup(undefined, { logger: ({ event }) => { heard.push(event); } });
  await station.produce('x', { filterValue: 'a' });
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['a'], predicate: () => { throw new Error('no'); } } });
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['x'], 'messages');
  await t.until(() => heard.includes('filter_failed'), 2000, 'the logger hears of it');
});

row('stopping while the predicate looks loses nothing', { needs: [...needs, 'ack'] }, async (t) => {
  const { station } = await filled(t, 40);
  let stopped = false;
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['a'], predicate: () => { if (!stopped) { stopped = true; void consumer.stop(); } return true; } } });
  await t.outcome(consumer.fetch({ batchSize: 10, batchMaxTimeToWaitMs: 500 }));
  const again = await station.consumer({ consumerName: 'd', consumerGroup: 'c', filter: { values: ['a'] } });
  t.equal((await t.collect(again, 10)).length, 10, 'messages');
});

row('filterValue travels as a header, and excludes it', { needs }, async (t) => {
  const { station } = await t.setup();
  await station.produce('x', { filterValue: 'a', headers: { k: 'v' } });
  await station.produce('y', { headers: { 'X-Filter': 'a' } });
  const consumer = await station.consumer({ consumerName: 'c', filter: { values: ['a'] } });
  const messages = await t.collect(consumer, 2);
  t.deepEqual(messages.map((message) => [message.text(), message.headers['X-Filter'], message.headers.k]), [['x', 'a', 'v'], ['y', 'a', undefined]], 'messages');
  await t.rejects(station.produce('z', { filterValue: 'a', headers: { 'X-Filter': 'b' } }), 'invalid_argument', { says: 'filterValue' });
  await t.rejects(station.produce('z', { filterValue: 5 }), 'invalid_argument', { says: 'filterValue' });
  await t.rejects(station.produce('z', { filterValue: 'a\nb' }), 'invalid_argument');
});

row('a filter in a batch', { needs }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await producer.produceBatch(['a1', 'a2'], { filterValue: 'a' });
  await producer.produceBatch(['b1', 'b2'], { filterValue: 'b' });
  t.deepEqual(t.texts(await t.collect(await station.consumer({ consumerName: 'c', filter: { values: ['b'] } }), 2)), ['b1', 'b2'], 'messages');
});

row('a filter must be understood', { needs: ['filters'] }, async (t) => {
  const { station } = await t.setup();
  for (const filter of ['a', 5, [], {}, { values: [] }, { values: 'a' }, { values: [1] }, { value: ['a'] }, { values: ['a'], predicate: 5 }, { values: ['a'], matchUnfiltered: 'yes' }]) {
    await t.rejects(station.consumer({ consumerName: 'c', filter }), 'invalid_argument', { for: t.show(filter) });
  }
});
