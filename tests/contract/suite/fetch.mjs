// One batch at a time.

import { topic } from '../kit/rows.mjs';

const row = topic('fetch', 4);

async function setup(t, consumerOptions, count = 0, stationOptions) {
  const { connection, station } = await t.setup(stationOptions);
  if (count > 0) await t.fill(station, count);
  const consumer = await station.consumer({ consumerName: 'c', ...consumerOptions });
  return { connection, station, consumer };
}

row('resolves at once when batchSize messages are there, never with more', async (t) => {
  const { consumer } = await setup(t, {}, 10);
  const began = t.now();
  t.deepEqual(t.texts(await consumer.fetch({ batchSize: 4, batchMaxTimeToWaitMs: 10_000 })), ['m0', 'm1', 'm2', 'm3'], 'first');
  t.deepEqual(t.texts(await consumer.fetch({ batchSize: 6, batchMaxTimeToWaitMs: 10_000 })), ['m4', 'm5', 'm6', 'm7', 'm8', 'm9'], 'second');
  t.between(t.now() - began, 0, 5000, 'milliseconds for both');
});

row("without options the consumer's own batchSize counts", async (t) => {
  const { consumer } = await setup(t, { batchSize: 3, batchMaxTimeToWaitMs: 10_000 }, 7);
  t.deepEqual(t.texts(await consumer.fetch()), ['m0', 'm1', 'm2'], 'messages');
});

row('the default batchSize is 10', async (t) => {
  const { consumer } = await setup(t, {}, 25);
  t.equal((await consumer.fetch()).length, 10, 'messages');
});

row('resolves when the wait is over, with what there is', { waits: true }, async (t) => {
  const { consumer } = await setup(t, {}, 3);
  const began = t.now();
  t.deepEqual(t.texts(await consumer.fetch({ batchSize: 10, batchMaxTimeToWaitMs: 1000 })), ['m0', 'm1', 'm2'], 'messages');
  t.between(t.now() - began, 900, 5000, 'milliseconds');
});

row('resolves with nothing when nothing came', { waits: true }, async (t) => {
  const { consumer } = await setup(t);
  const began = t.now();
  t.deepEqual(await consumer.fetch({ batchMaxTimeToWaitMs: 800 }), [], 'messages');
  t.between(t.now() - began, 700, 5000, 'milliseconds');
});

row('the default wait is 5 s', { waits: true }, async (t) => {
  const { consumer } = await setup(t);
  const began = t.now();
  t.deepEqual(await consumer.fetch(), [], 'messages');
  t.between(t.now() - began, 4800, 9000, 'milliseconds');
});

for (const maxMsgDeliveries of [1, 10]) {
  row(`a wait longer than maxAckTimeMs loses nothing, with maxMsgDeliveries ${maxMsgDeliveries}`, { needs: ['ack'], waits: true }, async (t) => {
    const { consumer } = await setup(t, { maxAckTimeMs: 1000, maxMsgDeliveries }, 2);
    const got = await consumer.fetch({ batchSize: 5, batchMaxTimeToWaitMs: 3000 });
    t.deepEqual(got.map((message) => [message.text(), message.deliveries]), [['m0', 1], ['m1', 1]], 'messages');
    for (const message of got) await message.ack({ confirm: true });
    t.equal(await consumer.position(), 2n, 'position');
  });
}

row('messages that come during the wait are in it', async (t) => {
  const { station, consumer } = await setup(t);
  const waiting = consumer.fetch({ batchSize: 3, batchMaxTimeToWaitMs: 10_000 });
  for (let index = 0; index < 3; index += 1) await station.produce(`m${index}`);
  t.deepEqual(t.texts(await t.within(5000, waiting, 'fetch()')), ['m0', 'm1', 'm2'], 'messages');
});

row('batchMaxTimeToWaitMs 1 is a wait too', async (t) => {
  const { consumer } = await setup(t, { batchMaxTimeToWaitMs: 1 });
  const began = t.now();
  t.deepEqual(await consumer.fetch(), [], 'messages');
  t.between(t.now() - began, 0, 4000, 'milliseconds');
});

row('noWait: what is there now', async (t) => {
  const { consumer } = await setup(t, {}, 3);
  const began = t.now();
  t.deepEqual(t.texts(await consumer.fetch({ batchSize: 10, noWait: true })), ['m0', 'm1', 'm2'], 'messages');
  t.deepEqual(await consumer.fetch({ batchSize: 10, noWait: true }), [], 'messages of an empty station');
  t.between(t.now() - began, 0, 3000, 'milliseconds');
});

row('noWait reads all partitions', { needs: ['partitions'] }, async (t) => {
  const { consumer } = await setup(t, {}, 8, { partitionsNumber: 4 });
  t.deepEqual(t.texts(await consumer.fetch({ batchSize: 100, noWait: true })).sort(), ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7'], 'messages');
});

row('noWait never brings more than batchSize', { needs: ['partitions'] }, async (t) => {
  const { consumer } = await setup(t, {}, 12, { partitionsNumber: 4 });
  const seen = [];
  for (const size of [5, 5, 2]) {
    const batch = await consumer.fetch({ batchSize: size, noWait: true });
    t.equal(batch.length, size, 'messages');
    seen.push(...t.texts(batch));
  }
  t.equal(new Set(seen).size, 12, 'different messages');
});

row('a batch of 5000', async (t) => {
  const { station, consumer } = await setup(t);
  await (await station.producer()).produceBatch(Array.from({ length: 5000 }, (_, index) => String(index)));
  const got = await consumer.fetch({ batchSize: 5000, batchMaxTimeToWaitMs: 15_000 });
  t.equal(got.length, 5000, 'messages');
  t.ok(got.every((message, index) => message.text() === String(index)), 'in order');
});

row('ends early at 16 MiB, and the rest comes with the next', async (t) => {
  const { station, consumer } = await setup(t, { maxAckTimeMs: 60_000 });
  const size = 1_000_000;
  for (let index = 0; index < 20; index += 1) await station.produce(new Uint8Array(size).fill(index));
  const first = await consumer.fetch({ batchSize: 20, batchMaxTimeToWaitMs: 12_000 });
  t.between(first.length, 10, 17, 'messages of the first fetch');
  const rest = await t.collect(consumer, 20 - first.length);
  t.deepEqual([...first, ...rest].map((message) => message.data[0]), Array.from({ length: 20 }, (_, index) => index), 'all messages in order');
});

for (const [option, bad] of [['batchSize', [0, 5001]], ['batchMaxTimeToWaitMs', [0]]]) {
  row(`${option} must be a sensible number`, async (t) => {
    const { station, consumer } = await setup(t);
    for (const value of [...bad, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
      const says = { says: option, for: `${option} ${t.show(value)}` };
      await t.rejects(() => consumer.fetch({ [option]: value }), 'invalid_argument', says);
      await t.rejects(() => station.fetch({ consumerName: 'd', [option]: value }), 'invalid_argument', says);
      await t.rejects(() => station.consumer({ consumerName: 'e', [option]: value }), 'invalid_argument', says);
    }
  });
}

row('pullIntervalMs must be a sensible number', async (t) => {
  const { station } = await setup(t);
  for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
    await t.rejects(() => station.consumer({ consumerName: 'e', pullIntervalMs: value }), 'invalid_argument', { says: 'pullIntervalMs', for: t.show(value) });
  }
});

row('every option is accepted with its default written out', async (t) => {
  const { station } = await setup(t, {}, 1);
  const consumer = await station.consumer({ consumerName: 'd', consumerGroup: undefined, pullIntervalMs: 1000, batchSize: 10, batchMaxTimeToWaitMs: 5000, maxAckTimeMs: 30_000,
    maxMsgDeliveries: 10, startConsumeFromSequence: undefined, lastMessages: undefined, start: undefined, autoAck: false, filter: undefined, broadcast: false, onActive: undefined });
  const got = await consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 5000, partitionKey: undefined, partitionNumber: undefined, noWait: false, prefetch: false, signal: undefined });
  t.deepEqual(t.texts(got), ['m0'], 'messages');
  for (const beginning of [{ start: 'first' }, { startConsumeFromSequence: 1 }, { lastMessages: -1 }]) {
    t.equal((await station.consumer({ consumerName: t.name('c'), ...beginning })).station, station.name, `the default ${t.show(beginning)}`);
  }
});

row('an unknown option names the nearest known one', async (t) => {
  const { station, consumer } = await setup(t);
  await t.rejects(() => consumer.fetch({ batchsize: 5 }), 'invalid_argument', { says: ['batchsize', 'batchSize'] });
  await t.rejects(() => station.consumer({ maxAckTime: 5 }), 'invalid_argument', { says: ['maxAckTime', 'maxAckTimeMs'] });
  await t.rejects(() => station.fetch({ no_wait: true }), 'invalid_argument', { says: ['no_wait', 'noWait'] });
});

row('filters are not_supported where they are not offered', { without: ['filters'] }, async (t) => {
  const { station } = await setup(t);
  await t.rejects(() => station.consumer({ consumerName: 'd', filter: { values: ['a'] } }), 'not_supported', { says: 'filter' });
});

// ---- several at once ----

row('fetches of one consumer queue up', async (t) => {
  const { consumer } = await setup(t, {}, 9);
  const batches = await Promise.all([2, 3, 4].map((batchSize) => consumer.fetch({ batchSize, batchMaxTimeToWaitMs: 5000 })));
  t.deepEqual(batches.map((batch) => t.texts(batch)), [['m0', 'm1'], ['m2', 'm3', 'm4'], ['m5', 'm6', 'm7', 'm8']], 'batches');
});

row('a queued fetch waits its own time after the one before it', { waits: true }, async (t) => {
  const { consumer } = await setup(t, {}, 1);
  const began = t.now();
  const [first, second] = await Promise.all([consumer.fetch({ batchSize: 5, batchMaxTimeToWaitMs: 600 }), consumer.fetch({ batchSize: 5, batchMaxTimeToWaitMs: 600 })]);
  t.deepEqual([t.texts(first), t.texts(second)], [['m0'], []], 'batches');
  t.between(t.now() - began, 1000, 6000, 'milliseconds for both');
});

row('a fetch while a handler runs, or an iteration, is refused', async (t) => {
  const { consumer } = await setup(t, {}, 1);
  const running = consumer.consume(async (messages) => { for (const message of messages) await message.ack(); });
  await t.rejects(() => consumer.fetch({ noWait: true }), 'invalid_argument');
  await consumer.stop();
  await running;
  const iterator = consumer[Symbol.asyncIterator]();
  const next = iterator.next();
  await t.rejects(() => consumer.fetch({ noWait: true }), 'invalid_argument');
  await consumer.stop();
  t.equal((await next).done, true, 'the iteration after stop');
  t.ok(Array.isArray(await consumer.fetch({ noWait: true })), 'a fetch after stop');
});

// ---- what fetch() keeps ----

row('connection.fetch keeps its consumer: the next call goes on', async (t) => {
  const { connection, station } = await setup(t, {}, 6);
  for (const expected of [['m0', 'm1'], ['m2', 'm3'], ['m4', 'm5']]) {
    const batch = await connection.fetch(station.name, { batchSize: 2 });
    t.deepEqual(t.texts(batch), expected, 'messages');
    for (const message of batch) await message.ack();
  }
});

row("connection.fetch: the first call's options count, but for batch, wait, partition and signal", async (t) => {
  const { connection, station } = await setup(t, {}, 6);
  const first = await connection.fetch(station.name, { consumerName: 'kept', batchSize: 1, start: { sequence: 3 } });
  const second = await connection.fetch(station.name, { consumerName: 'kept', batchSize: 2, start: 'first' });
  t.deepEqual([t.texts(first), t.texts(second)], [['m2'], ['m3', 'm4']], 'messages');
});

row('connection.fetch keeps one consumer for a name and one for none', async (t) => {
  const { connection, station } = await setup(t, {}, 2);
  t.deepEqual(t.texts(await connection.fetch(station.name, { consumerName: 'named', batchSize: 1 })), ['m0'], 'named');
  t.deepEqual(t.texts(await connection.fetch(station.name, { batchSize: 1 })), ['m0'], 'without a name');
  t.deepEqual(t.texts(await connection.fetch(station.name, { consumerName: 'named', batchSize: 1 })), ['m1'], 'named again');
});

// ---- prefetch: true ----

row('prefetch: the next fetch finds its batch', async (t) => {
  const { station, consumer } = await setup(t, {}, 30);
  const seen = [];
  for (let round = 0; round < 6; round += 1) {
    const batch = await consumer.fetch({ batchSize: 5, prefetch: true, batchMaxTimeToWaitMs: 5000 });
    for (const message of batch) { seen.push(message.text()); await message.ack(); }
  }
  t.deepEqual(seen, Array.from({ length: 30 }, (_, index) => `m${index}`), 'messages');
  await station.produce('late');
  t.deepEqual(t.texts(await consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 5000 })), ['late'], 'what came afterwards');
});

row('prefetch: a fetch of another size gets what was brought first, and loses nothing', async (t) => {
  const { consumer } = await setup(t, {}, 12);
  const sizes = [4, 2, 1, 5];
  const seen = [];
  for (const batchSize of sizes) {
    const batch = await consumer.fetch({ batchSize, prefetch: true, batchMaxTimeToWaitMs: 5000 });
    t.ok(batch.length <= batchSize, `at most ${batchSize}: ${batch.length}`);
    for (const message of batch) { seen.push(message.text()); await message.ack(); }
  }
  for (const message of await t.collect(consumer, 12 - seen.length)) seen.push(message.text());
  t.deepEqual(seen, Array.from({ length: 12 }, (_, index) => `m${index}`), 'messages');
});

row('prefetch: an iteration begins with what was brought', async (t) => {
  const { consumer } = await setup(t, {}, 6);
  const seen = t.texts(await consumer.fetch({ batchSize: 3, prefetch: true }));
  for await (const message of consumer) {
    seen.push(message.text());
    t.equal(message.deliveries, 1, 'deliveries');
    await message.ack();
    if (seen.length === 6) break;
  }
  t.deepEqual(seen, ['m0', 'm1', 'm2', 'm3', 'm4', 'm5'], 'messages');
});

row('prefetch: what nobody takes is given back at half the ack time', { needs: ['ack', 'groups'], waits: true }, async (t) => {
  const { station, consumer } = await setup(t, { consumerGroup: 'team', maxAckTimeMs: 4000 }, 6);
  for (const message of await consumer.fetch({ batchSize: 3, prefetch: true })) await message.ack();
  const other = await station.consumer({ consumerName: 'd', consumerGroup: 'team' });
  const began = t.now();
  t.deepEqual(t.texts(await t.collect(other, 3)).sort(), ['m3', 'm4', 'm5'], 'what the other member gets');
  t.between(t.now() - began, 0, 3900, 'milliseconds, less than the ack time');
});
