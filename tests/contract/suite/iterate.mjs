// Reading messages one by one: iterators and readable streams.

import { topic } from '../kit/rows.mjs';

const row = topic('iterate', 4);

async function setup(t, consumerOptions, count = 0, stationOptions) {
  const { connection, station } = await t.setup(stationOptions);
  if (count > 0) await t.fill(station, count);
  const consumer = await station.consumer({ consumerName: 'c', ...consumerOptions });
  return { connection, station, consumer };
}

async function take(consumer, count, { ack = true } = {}) {
  const seen = [];
  for await (const message of consumer) {
    seen.push(message);
    if (ack) await message.ack();
    if (seen.length === count) break;
  }
  return seen;
}

row('one message at a time, in order', async (t) => {
  const { consumer } = await setup(t, {}, 120);
  t.deepEqual(t.texts(await take(consumer, 120)), Array.from({ length: 120 }, (_, index) => `m${index}`), 'messages');
});

row('messages that come later are waited for, without time-outs', { waits: true }, async (t) => {
  const { station, consumer } = await setup(t, { batchMaxTimeToWaitMs: 200, pullIntervalMs: 50 });
  const taking = take(consumer, 3);
  for (let index = 0; index < 3; index += 1) {
    // Longer than a batch is waited for.
    await t.elapse(700);
    await station.produce(`m${index}`);
  }
  t.deepEqual(t.texts(await t.within(10_000, taking, 'the loop')), ['m0', 'm1', 'm2'], 'messages');
});

row('a message that comes while the loop waits is there at once', async (t) => {
  const { station, consumer } = await setup(t, { pullIntervalMs: 60_000, batchMaxTimeToWaitMs: 60_000 });
  const iterator = consumer[Symbol.asyncIterator]();
  for (let index = 0; index < 5; index += 1) {
    const next = iterator.next();
    await station.produce(`m${index}`);
    const { value } = await t.within(3000, next, 'next()');
    t.equal(value.text(), `m${index}`, 'text');
    await value.ack();
  }
});

row('break stops the consumer, iterating again starts it again', async (t) => {
  const { consumer } = await setup(t, {}, 9);
  t.deepEqual(t.texts(await take(consumer, 3)), ['m0', 'm1', 'm2'], 'messages of the first loop');
  // What was held at the break is delivered again, and repeats have no order.
  const rest = [...await take(consumer, 3), ...await take(consumer, 3)];
  t.deepEqual(t.texts(rest).sort(), ['m3', 'm4', 'm5', 'm6', 'm7', 'm8'], 'messages of the second and third loop');
});

row('break lets closed resolve with undefined', async (t) => {
  const { consumer } = await setup(t, {}, 1);
  const { closed } = consumer;
  await take(consumer, 1);
  t.equal(await t.within(3000, closed, 'closed'), undefined, 'closed');
});

row('an error thrown in the loop is passed on and stops the consumer', async (t) => {
  const { consumer } = await setup(t, {}, 2);
  const mine = new Error('mine');
  let thrown;
  try {
    for await (const message of consumer) { await message.ack(); throw mine; }
  } catch (error) { thrown = error; }
  t.ok(thrown === mine, `thrown: ${t.show(thrown)}`);
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'what a fetch gets afterwards');
});

row('stop ends the loop without an error', async (t) => {
  const { consumer } = await setup(t, {}, 2);
  const seen = [];
  const loop = (async () => { for await (const message of consumer) { seen.push(message.text()); await message.ack(); } })();
  await t.until(() => seen.length === 2, 5000, 'both messages');
  t.equal(await consumer.stop(), undefined, 'stop()');
  t.equal(await t.within(3000, loop, 'the loop'), undefined, 'the loop');
});

row('stop inside the loop ends it', async (t) => {
  const { consumer } = await setup(t, {}, 5);
  const seen = [];
  await t.within(5000, (async () => {
    for await (const message of consumer) { seen.push(message.text()); await message.ack(); if (seen.length === 2) await consumer.stop(); }
  })(), 'the loop');
  t.deepEqual(seen, ['m0', 'm1'], 'seen');
});

row('stop of a consumer that does not run resolves, twice as well', async (t) => {
  const { consumer } = await setup(t);
  t.equal(await consumer.stop(), undefined, 'stop()');
  t.equal(await consumer.stop(), undefined, 'stop() again');
  t.deepEqual(await consumer.fetch({ noWait: true }), [], 'a fetch afterwards');
});

row('a second iterator, a handler and a reader are refused while one runs', async (t) => {
  const { consumer } = await setup(t, {}, 1);
  const iterator = consumer[Symbol.asyncIterator]();
  await (await iterator.next()).value.ack();
  await t.rejects(async () => { const second = consumer[Symbol.asyncIterator](); await second.next(); }, 'invalid_argument');
  await t.rejects(() => consumer.consume(() => {}), 'invalid_argument');
  await t.rejects(async () => { const reader = consumer.readable.getReader(); await reader.read(); }, 'invalid_argument');
  await iterator.return();
  t.deepEqual(await consumer.fetch({ noWait: true }), [], 'a fetch after the first is over');
});

row('two next() at once are served in turn', async (t) => {
  const { station, consumer } = await setup(t);
  const iterator = consumer[Symbol.asyncIterator]();
  const both = Promise.all([iterator.next(), iterator.next()]);
  await t.fill(station, 2);
  t.deepEqual((await t.within(5000, both, 'both')).map(({ value }) => value.text()), ['m0', 'm1'], 'messages');
  await iterator.return();
});

row('return() ends a next() that waits', async (t) => {
  const { consumer } = await setup(t);
  const iterator = consumer[Symbol.asyncIterator]();
  const next = iterator.next();
  await t.turn();
  await t.within(3000, iterator.return(), 'return()');
  t.equal((await t.within(3000, next, 'next()')).done, true, 'done');
  t.equal((await iterator.next()).done, true, 'done afterwards');
});

row('what is held when the loop ends goes to others at once', { needs: ['nack', 'groups'] }, async (t) => {
  const { station, consumer } = await setup(t, { consumerGroup: 'team', maxAckTimeMs: 60_000 }, 30);
  await take(consumer, 5);
  const other = await station.consumer({ consumerName: 'd', consumerGroup: 'team' });
  const rest = await t.collect(other, 25, { ms: 5000 });
  t.deepEqual(t.texts(rest).sort(), Array.from({ length: 25 }, (_, index) => `m${index + 5}`).sort(), 'what the other member gets');
});

row('what is held when the connection closes goes to others at once', { needs: ['nack', 'groups'] }, async (t) => {
  const { station } = await setup(t, {}, 30);
  const other = await t.connect();
  const frames = other.tap();
  const consumer = await other.consumer(station.name, { consumerName: 'x', consumerGroup: 'team', maxAckTimeMs: 60_000 });
  const iterator = consumer[Symbol.asyncIterator]();
  await (await iterator.next()).value.ack();
  // All are held: what is still on its way comes again after its ack time only.
  await t.within(5000, t.passes(frames, 'in', 'm29'), 'the last message');
  await other.close();
  const rest = await t.collect(await station.consumer({ consumerName: 'd', consumerGroup: 'team' }), 29, { ms: 6000 });
  t.equal(new Set(t.texts(rest)).size, 29, 'what the other member gets');
});

row('connection.consume gives a consumer that is already running', async (t) => {
  const { connection, station } = await setup(t, {}, 3);
  const consumer = await connection.consume(station.name, { consumerName: 'running' });
  t.equal(consumer.name, 'running', 'name');
  t.deepEqual(t.texts(await take(consumer, 3)), ['m0', 'm1', 'm2'], 'messages');
});

row('connection.consume with a handler calls it', async (t) => {
  const { connection, station } = await setup(t, {}, 3);
  const seen = [];
  const consumer = await connection.consume(station.name, { consumerName: 'running', batchSize: 10 }, async (messages) => {
    for (const message of messages) { seen.push(message.text()); await message.ack(); }
  });
  await t.until(() => seen.length === 3, 5000, 'three messages');
  await consumer.stop();
  t.equal(await t.within(3000, consumer.closed, 'closed'), undefined, 'closed');
  t.deepEqual(seen, ['m0', 'm1', 'm2'], 'messages');
});

row('connection.consume: a handler that throws shows in closed', async (t) => {
  const { connection, station } = await setup(t, {}, 1);
  const mine = new Error('mine');
  const consumer = await connection.consume(station.name, { consumerName: 'running' }, () => { throw mine; });
  t.ok(await t.within(5000, consumer.closed, 'closed') === mine, 'closed resolves with the very value');
});

row('a consumer that was stopped has a closed of its own for the next start', async (t) => {
  const { consumer } = await setup(t, {}, 2);
  await take(consumer, 1);
  await t.within(3000, consumer.closed, 'closed after the first loop');
  const iterator = consumer[Symbol.asyncIterator]();
  await (await iterator.next()).value.ack();
  await consumer.stop();
  t.equal(await t.within(3000, consumer.closed, 'closed after the second'), undefined, 'closed');
});

row('all partitions are read', { needs: ['partitions'] }, async (t) => {
  const { consumer } = await setup(t, {}, 90, { partitionsNumber: 3 });
  const seen = await take(consumer, 90);
  t.equal(new Set(t.texts(seen)).size, 90, 'different messages');
  for (const partition of [1, 2, 3]) {
    t.deepEqual(seen.filter((message) => message.partition === partition).map((message) => message.sequence), Array.from({ length: 30 }, (_, index) => index + 1), `order in partition ${partition}`);
  }
});

row('three thousand messages with acks arrive once and in order', async (t) => {
  const { station, consumer } = await setup(t);
  await (await station.producer()).produceBatch(Array.from({ length: 3000 }, (_, index) => String(index)));
  let next = 0;
  for await (const message of consumer) {
    t.equal(message.text(), String(next), 'the next message');
    void message.ack();
    next += 1;
    if (next === 3000) break;
  }
  await t.until(async () => (await consumer.position()) === 3000n, 5000, 'position 3000');
});

row('large messages that come in many pieces arrive whole', async (t) => {
  const { station, consumer } = await setup(t);
  const make = (index) => Uint8Array.from({ length: 60_000 + index * 1111 }, (_, at) => (at * 31 + index) & 255);
  await t.fill(station, 20, make);
  const seen = await take(consumer, 20);
  for (const [index, message] of seen.entries()) t.deepEqual(message.copy(), make(index), `message ${index}`);
});

// ---- readable ----

row('readable: a reader gets the messages in order', async (t) => {
  const { consumer } = await setup(t, {}, 40);
  const reader = consumer.readable.getReader();
  const seen = [];
  while (seen.length < 40) {
    const { value } = await reader.read();
    seen.push(value.text());
    await value.ack();
  }
  await reader.cancel();
  t.deepEqual(seen, Array.from({ length: 40 }, (_, index) => `m${index}`), 'messages');
});

row('readable: cancel stops the consumer, which can be started again', async (t) => {
  const { consumer } = await setup(t, {}, 4);
  const reader = consumer.readable.getReader();
  await (await reader.read()).value.ack();
  await reader.cancel('enough');
  t.equal(await t.within(3000, consumer.closed, 'closed'), undefined, 'closed');
  const rest = await t.collect(consumer, 3, { ms: 4000 });
  t.deepEqual(t.texts(rest).sort(), ['m1', 'm2', 'm3'], 'what a fetch gets afterwards');
});

row('readable: stop ends the stream', async (t) => {
  const { consumer } = await setup(t, {}, 1);
  const reader = consumer.readable.getReader();
  await (await reader.read()).value.ack();
  const next = reader.read();
  await consumer.stop();
  t.equal((await t.within(3000, next, 'read()')).done, true, 'done');
});

row('readable: can be piped', async (t) => {
  const { consumer } = await setup(t, {}, 10);
  const seen = [];
  await t.within(8000, consumer.readable.pipeTo(new WritableStream({
    async write(message) { seen.push(message.text()); await message.ack(); if (seen.length === 10) await consumer.stop(); },
  })), 'pipeTo()');
  t.deepEqual(seen, Array.from({ length: 10 }, (_, index) => `m${index}`), 'messages');
});

row('readable: while it is read, an iterator, a handler and a fetch are refused', async (t) => {
  const { consumer } = await setup(t, {}, 1);
  const reader = consumer.readable.getReader();
  await (await reader.read()).value.ack();
  await t.rejects(() => consumer[Symbol.asyncIterator]().next(), 'invalid_argument');
  await t.rejects(() => consumer.consume(() => {}), 'invalid_argument');
  await t.rejects(() => consumer.fetch({ noWait: true }), 'invalid_argument');
  await reader.cancel();
});
