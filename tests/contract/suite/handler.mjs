// Batches given to a handler.

import { topic } from '../kit/rows.mjs';

const row = topic('handler', 4);

async function setup(t, consumerOptions, count = 0) {
  const { connection, station } = await t.setup();
  if (count > 0) await t.fill(station, count);
  const consumer = await station.consumer({ consumerName: 'c', batchMaxTimeToWaitMs: 500, pullIntervalMs: 100, ...consumerOptions });
  return { connection, station, consumer };
}

const ackAll = (messages) => Promise.all(messages.map((message) => message.ack()));

row('it gets what is there, up to batchSize', async (t) => {
  const { consumer } = await setup(t, { batchSize: 4 }, 10);
  const batches = [];
  await t.within(10_000, consumer.consume(async (messages) => {
    batches.push(t.texts(messages));
    await ackAll(messages);
    if (batches.flat().length === 10) await consumer.stop();
  }), 'consume()');
  t.deepEqual(batches.flat(), Array.from({ length: 10 }, (_, index) => `m${index}`), 'messages');
  t.ok(batches.every((batch) => batch.length >= 1 && batch.length <= 4), `sizes ${t.show(batches.map((batch) => batch.length))}`);
});

row('what is there comes at once: one message does not wait for a full batch', async (t) => {
  const { consumer } = await setup(t, { batchSize: 100, batchMaxTimeToWaitMs: 20_000 }, 1);
  const began = t.now();
  await t.within(5000, consumer.consume(async (messages) => { await ackAll(messages); await consumer.stop(); }), 'consume()');
  t.between(t.now() - began, 0, 4000, 'milliseconds');
});

row('one call at a time: the next one when the promise of the last has settled', { waits: true }, async (t) => {
  const { consumer } = await setup(t, { batchSize: 1 }, 5);
  let running = 0;
  let most = 0;
  let calls = 0;
  await t.within(15_000, consumer.consume(async (messages) => {
    running += 1;
    most = Math.max(most, running);
    // A handler that takes its time.
    await t.elapse(100);
    await ackAll(messages);
    running -= 1;
    calls += 1;
    if (calls === 5) await consumer.stop();
  }), 'consume()');
  t.equal(most, 1, 'calls at the same time');
});

row('the handler gets messages, no error and the context', async (t) => {
  const { consumer } = await setup(t, { batchSize: 1 }, 3);
  const calls = [];
  const context = { a: 1 };
  await t.within(10_000, consumer.consume(async (...args) => {
    calls.push(args);
    await ackAll(args[0]);
    if (calls.length === 1) consumer.setContext(context);
    if (calls.length === 3) await consumer.stop();
  }), 'consume()');
  t.deepEqual(calls.map((args) => args.length >= 3 || args[2] === undefined), [true, true, true], 'three arguments');
  t.ok(calls.every(([messages, error]) => Array.isArray(messages) && messages.length === 1 && error === undefined), 'messages and no error');
  t.equal(calls[0][2], undefined, 'context of the first call');
  t.ok(calls[1][2] === context && calls[2][2] === context, 'context of the later calls');
});

row('nothing in time: an empty batch with a timeout, and the context', { waits: true }, async (t) => {
  const { consumer } = await setup(t, { batchMaxTimeToWaitMs: 600 });
  consumer.setContext('ctx');
  const began = t.now();
  const calls = [];
  await t.within(10_000, consumer.consume(async (messages, error, context) => {
    calls.push({ messages, error, context, at: t.now() - began });
    await consumer.stop();
  }), 'consume()');
  t.deepEqual(calls[0].messages, [], 'messages');
  t.checkError(calls[0].error, 'timeout');
  t.equal(calls[0].context, 'ctx', 'context');
  t.between(calls[0].at, 500, 5000, 'milliseconds until it was called');
});

row('the next timeout does not come sooner than pullIntervalMs and the wait', { waits: true }, async (t) => {
  const { consumer } = await setup(t, { batchMaxTimeToWaitMs: 300, pullIntervalMs: 900 });
  const times = [];
  await t.within(15_000, consumer.consume(async (messages, error) => {
    t.checkError(error, 'timeout');
    times.push(t.now());
    if (times.length === 3) await consumer.stop();
  }), 'consume()');
  for (const index of [1, 2]) t.between(times[index] - times[index - 1], 1100, 6000, `milliseconds between timeout ${index} and the next`);
});

row('a message that arrives ends the pause', { waits: true }, async (t) => {
  const { station, consumer } = await setup(t, { batchMaxTimeToWaitMs: 300, pullIntervalMs: 30_000 });
  const seen = [];
  let timeouts = 0;
  const running = consumer.consume(async (messages, error) => {
    if (error) { timeouts += 1; return; }
    seen.push(...t.texts(messages));
    await ackAll(messages);
    await consumer.stop();
  });
  await t.until(() => timeouts === 1, 8000, 'the first timeout');
  const began = t.now();
  await station.produce('wake up');
  await t.within(8000, running, 'consume()');
  t.deepEqual(seen, ['wake up'], 'messages');
  t.between(t.now() - began, 0, 5000, 'milliseconds from the message to its call');
});

for (const [what, handler] of [['throws', (value) => () => { throw value; }], ['rejects', (value) => async () => { throw value; }]]) {
  row(`a handler that ${what} stops the consumer, and consume rejects with the very value`, async (t) => {
    for (const value of [new Error('mine'), 'a string', undefined, { plain: true }]) {
      const { consumer } = await setup(t, {}, 1);
      const outcome = await t.within(8000, t.outcome(consumer.consume(handler(value))), 'consume()');
      t.equal(outcome.error, true, 'rejected');
      t.ok(outcome.reason === value, `expected the very value ${t.show(value)}, got ${t.show(outcome.reason)}`);
    }
  });
}

row('after a handler threw, closed has its error and the message comes again', { needs: ['ack', 'groups'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxAckTimeMs: 900 }, 1);
  const mine = new Error('mine');
  const { closed } = consumer;
  await t.outcome(consumer.consume(() => { throw mine; }));
  t.ok(await t.within(3000, closed, 'closed') === mine, 'closed resolves with the very value');
  const [again] = await t.collect(consumer, 1);
  t.deepEqual([again.text(), again.deliveries], ['m0', 2], 'what a fetch gets afterwards');
});

row('consume resolves after the last call of the handler', { waits: true }, async (t) => {
  const { consumer } = await setup(t, { batchSize: 1 }, 2);
  let finished = false;
  let entered = false;
  const running = consumer.consume(async (messages) => {
    entered = true;
    // Slower than stop() is.
    await t.elapse(600);
    await ackAll(messages);
    finished = true;
  });
  await t.until(() => entered, 5000, 'the first call');
  await consumer.stop();
  await t.within(5000, running, 'consume()');
  t.equal(finished, true, 'the handler had finished');
});

row('stop inside the handler does not wait for it', async (t) => {
  const { consumer } = await setup(t, { batchSize: 2 }, 6);
  const seen = [];
  await t.within(8000, consumer.consume(async (messages) => {
    seen.push(...t.texts(messages));
    await ackAll(messages);
    await consumer.stop();
  }), 'consume()');
  t.ok(seen.length <= 2, `seen after stop: ${t.show(seen)}`);
  t.deepEqual(t.texts(await t.collect(consumer, 6 - seen.length)).length, 6 - seen.length, 'the rest');
});

row('destroy inside the handler does not wait for it', async (t) => {
  const { consumer } = await setup(t, { batchSize: 1 }, 3);
  let calls = 0;
  await t.within(8000, consumer.consume(async (messages) => { calls += 1; await ackAll(messages); await consumer.destroy(); }), 'consume()');
  t.equal(calls, 1, 'calls');
  await t.rejects(() => consumer.fetch({ noWait: true }), 'closed');
});

row('close of the connection inside the handler does not wait for it', async (t) => {
  const { station } = await setup(t, {}, 3);
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'x', batchSize: 1 });
  let calls = 0;
  const outcome = await t.within(8000, t.outcome(consumer.consume(async (messages) => { calls += 1; await ackAll(messages); await other.close(); })), 'consume()');
  if (outcome.error) t.checkError(outcome.reason, 'closed');
  t.equal(calls, 1, 'calls');
  t.equal(other.isConnected(), false, 'isConnected()');
});

row('acks inside the handler need not be awaited', async (t) => {
  const { consumer } = await setup(t, { batchSize: 50 }, 200);
  let seen = 0;
  await t.within(10_000, consumer.consume((messages) => {
    for (const message of messages) void message.ack();
    seen += messages.length;
    if (seen === 200) void consumer.stop();
  }), 'consume()');
  await t.until(async () => (await consumer.position()) === 200n, 5000, 'position 200');
});

row('a handler may produce to its own station', async (t) => {
  const { station, consumer } = await setup(t, { batchSize: 1 });
  await station.produce('0');
  const seen = [];
  await t.within(10_000, consumer.consume(async ([message]) => {
    if (!message) return;
    seen.push(message.text());
    await message.ack();
    if (seen.length === 10) await consumer.stop();
    else await station.produce(String(seen.length));
  }), 'consume()');
  t.deepEqual(seen, Array.from({ length: 10 }, (_, index) => String(index)), 'messages');
});

row('a second handler is refused while one runs; afterwards it may', async (t) => {
  const { station, consumer } = await setup(t);
  const seen = [];
  const first = consumer.consume(async (messages) => { seen.push(...t.texts(messages)); await ackAll(messages); });
  await t.rejects(() => consumer.consume(() => {}), 'invalid_argument');
  await station.produce('one');
  await t.until(() => seen.length === 1, 5000, 'the first message');
  await consumer.stop();
  await first;
  await station.produce('two');
  await t.within(8000, consumer.consume(async (messages) => {
    if (messages.length === 0) return;
    seen.push(...t.texts(messages));
    await ackAll(messages);
    await consumer.stop();
  }), 'the second consume()');
  t.deepEqual(seen, ['one', 'two'], 'messages');
});

row('a handler that is no function is refused', async (t) => {
  const { connection, station, consumer } = await setup(t);
  for (const handler of [undefined, null, 5, 'f', {}]) await t.rejects(() => consumer.consume(handler), 'invalid_argument', { for: t.show(handler) });
  await t.rejects(() => connection.consume(station.name, { consumerName: 'd' }, 'f'), 'invalid_argument');
});

row('maxAckTimeMs goes on while the handler thinks', { needs: ['ack'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { batchSize: 1, maxAckTimeMs: 800 }, 1);
  const seen = [];
  await t.within(15_000, consumer.consume(async (messages) => {
    for (const message of messages) {
      seen.push(message.deliveries);
      if (message.deliveries === 1) await t.elapse(1800);
      else { await message.ack(); await consumer.stop(); }
    }
  }), 'consume()');
  t.ok(seen.length === 2 && seen[0] === 1 && seen[1] >= 2, `deliveries: ${t.show(seen)}; those that were given back unseen count too`);
});

row('no unacked message is handed to the handler twice before its time', { needs: ['ack'] }, async (t) => {
  const { consumer } = await setup(t, { batchSize: 3 }, 9);
  const seen = [];
  await t.within(8000, consumer.consume(async (messages) => { seen.push(...t.texts(messages)); if (messages.length === 0) await consumer.stop(); }), 'consume()');
  t.deepEqual(seen, Array.from({ length: 9 }, (_, index) => `m${index}`), 'messages until the first timeout');
});
