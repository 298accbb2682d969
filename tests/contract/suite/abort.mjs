// Signals, wherever the contract has one.

import { topic } from '../kit/rows.mjs';

const row = topic('abort', '2 and 4');

row('produce with a signal that is aborted already: nothing is stored, and the reason is the cause', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const reason = new Error('changed my mind');
  await t.rejects(() => producer.produce('x', { signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
  await t.rejects(() => station.produce('x', { signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
  t.equal((await producer.produce('next')).sequence, 1, 'sequence of the next');
});

row('a message aborted while it waits is withdrawn, and the ones behind it are not', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const controller = new AbortController();
  const reason = new Error('not this one');
  const first = producer.produce('first');
  const second = t.outcome(producer.produce('second', { limitConcurrentTasks: 1, signal: controller.signal }));
  const third = producer.produce('third');
  controller.abort(reason);
  const outcome = await second;
  t.equal(outcome.error, true, 'the second was withdrawn');
  t.checkError(outcome.reason, 'aborted', { maybeDelivered: false, cause: reason });
  await Promise.all([first, third]);
  t.deepEqual(t.texts(await t.collect(station, 2)), ['first', 'third'], 'stored');
});

row('a message aborted on its way has one outcome, and says what may have happened', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const outcomes = [];
  for (let index = 0; index < 20; index += 1) {
    const controller = new AbortController();
    const outcome = t.outcome(producer.produce(`m${index}`, { signal: controller.signal }));
    for (let step = 0; step < index; step += 1) await Promise.resolve();
    controller.abort();
    outcomes.push(await outcome);
  }
  const failed = outcomes.filter((outcome) => outcome.error).map((outcome) => outcome.reason);
  for (const error of failed) {
    t.checkError(error, 'aborted');
    t.equal(typeof error.maybeDelivered, 'boolean', 'maybeDelivered');
  }
  const { sequence } = await producer.produce('after');
  t.between(sequence - 1, 20 - failed.length, 20 - failed.filter((error) => error.maybeDelivered === false).length, 'stored');
});

row('abort after the receipt changes nothing', async (t) => {
  const { station } = await t.setup();
  const controller = new AbortController();
  const receipt = await station.produce('x', { signal: controller.signal });
  controller.abort();
  t.equal(receipt.sequence, 1, 'sequence');
  t.deepEqual(t.texts(await t.collect(station, 1)), ['x'], 'stored');
});

row('one signal may end many messages', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const controller = new AbortController();
  const calls = Array.from({ length: 30 }, (_, index) => t.outcome(producer.produce(`m${index}`, { limitConcurrentTasks: 1, signal: controller.signal })));
  controller.abort();
  const outcomes = await Promise.all(calls);
  t.ok(outcomes.filter((outcome) => outcome.error).length >= 28, 'those that waited were withdrawn');
  for (const { error, reason } of outcomes) if (error) t.checkError(reason, 'aborted');
});

row('fetch with a signal that is aborted already', async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2);
  const consumer = await station.consumer({ consumerName: 'c' });
  const reason = new Error('no');
  await t.rejects(() => consumer.fetch({ signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
  t.deepEqual((await t.collect(consumer, 2)).map((message) => `${message.text()}/${message.deliveries}`), ['m0/1', 'm1/1'], 'what the next fetch gets');
});

row('a fetch that waits is aborted with the reason as the cause', async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const controller = new AbortController();
  const reason = new Error('enough');
  const waiting = t.outcome(consumer.fetch({ batchMaxTimeToWaitMs: 20_000, signal: controller.signal }));
  await t.turn();
  controller.abort(reason);
  const outcome = await t.within(3000, waiting, 'fetch()');
  t.equal(outcome.error, true, 'fetch() rejected');
  t.checkError(outcome.reason, 'aborted', { cause: reason });
});

row('messages that arrive for an aborted fetch go to the next one: none is lost, none counts twice', { needs: ['partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  const consumer = await station.consumer({ consumerName: 'c' });
  const seen = [];
  for (let round = 0; round < 10; round += 1) {
    const controller = new AbortController();
    const waiting = t.outcome(consumer.fetch({ batchSize: 50, batchMaxTimeToWaitMs: 20_000, signal: controller.signal }));
    await t.fill(station, 4, (index) => `r${round}-${index}`);
    controller.abort();
    const outcome = await waiting;
    if (outcome.error) t.checkError(outcome.reason, 'aborted');
    else for (const message of outcome.value) { seen.push(message); await message.ack(); }
  }
  if (seen.length < 40) seen.push(...await t.collect(consumer, 40 - seen.length));
  t.equal(new Set(seen.map((message) => message.text())).size, 40, 'different messages');
  t.ok(seen.every((message) => message.deliveries === 1), `first deliveries: ${t.show(seen.map((message) => message.deliveries))}`);
});

row('an aborted fetch lets the queued one go on', async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const controller = new AbortController();
  const first = t.outcome(consumer.fetch({ batchMaxTimeToWaitMs: 20_000, signal: controller.signal }));
  const second = consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 20_000 });
  await t.turn();
  controller.abort();
  t.equal((await first).error, true, 'the first was aborted');
  await station.produce('x');
  t.deepEqual(t.texts(await t.within(5000, second, 'the second fetch')), ['x'], 'what the second gets');
});

row('a queued fetch that is aborted leaves the one before it alone', async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const controller = new AbortController();
  const first = consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 20_000 });
  const second = t.outcome(consumer.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 20_000, signal: controller.signal }));
  controller.abort();
  t.checkError((await t.within(3000, second, 'the second fetch')).reason, 'aborted');
  await station.produce('x');
  t.deepEqual(t.texts(await t.within(5000, first, 'the first fetch')), ['x'], 'what the first gets');
});

row('a handler is ended by its signal, and not called again', async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c', batchMaxTimeToWaitMs: 500, pullIntervalMs: 100 });
  const controller = new AbortController();
  const seen = [];
  const running = t.outcome(consumer.consume(async (messages) => { for (const message of messages) { seen.push(message.text()); await message.ack(); } }, { signal: controller.signal }));
  await station.produce('before');
  await t.until(() => seen.length === 1, 5000, 'the first message');
  controller.abort();
  const outcome = await t.within(5000, running, 'consume()');
  if (outcome.error) t.checkError(outcome.reason, 'aborted');
  await station.produce('after');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['after'], 'what a fetch gets afterwards');
  t.deepEqual(seen, ['before'], 'what the handler saw');
});

row('consume with a signal that is aborted already calls nobody', async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1);
  const consumer = await station.consumer({ consumerName: 'c' });
  let calls = 0;
  const outcome = await t.within(5000, t.outcome(consumer.consume(() => { calls += 1; }, { signal: AbortSignal.abort() })), 'consume()');
  if (outcome.error) t.checkError(outcome.reason, 'aborted');
  t.equal(calls, 0, 'calls of the handler');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m0'], 'what a fetch gets afterwards');
});

row('the iteration behind consume() is ended by its signal', async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 1);
  const controller = new AbortController();
  const consumer = await connection.consume(station.name, { consumerName: 'c', signal: controller.signal });
  const seen = [];
  const loop = t.outcome((async () => {
    for await (const message of consumer) { seen.push(message.text()); await message.ack(); controller.abort(); }
  })());
  const outcome = await t.within(5000, loop, 'the loop');
  if (outcome.error) t.checkError(outcome.reason, 'aborted');
  t.deepEqual(seen, ['m0'], 'seen');
});

row('signals that are none are refused', async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const producer = await station.producer();
  for (const signal of [{}, 'stop', 5]) {
    await t.rejects(() => producer.produce('x', { signal }), 'invalid_argument', { says: 'signal', for: t.show(signal) });
    await t.rejects(() => producer.produceBatch(['x'], { signal }), 'invalid_argument', { says: 'signal', for: t.show(signal) });
    await t.rejects(() => consumer.fetch({ signal, noWait: true }), 'invalid_argument', { says: 'signal', for: t.show(signal) });
    await t.rejects(() => consumer.consume(() => {}, { signal }), 'invalid_argument', { says: 'signal', for: t.show(signal) });
  }
});

row('a signal keeps nothing of calls that are over', { needs: ['live', 'requests', 'get'] }, async (t) => {
  const { signal } = new AbortController();
  let listeners = 0;
  const { addEventListener: add, removeEventListener: remove } = signal;
  /** @type {Set<unknown>} */
  const heard = new Set();
  Object.assign(signal, {
    addEventListener: (...given) => { heard.add(given[1]); listeners++; return add.apply(signal, given); },
    removeEventListener: (...given) => { heard.delete(given[1]); return remove.apply(signal, given); },
  });
  const { connection, station } = await t.setup({}, { signal });
  const [producer, consumer, channel] = [await station.producer(), await station.consumer({ consumerName: 'c' }), t.name('ch')];
  await producer.produce('m', { signal });
  await producer.produceBatch(['m'], { signal });
  await connection.produce(station.name, 'm', { signal });
  await consumer.fetch({ signal, batchSize: 1 });
  await consumer.stop();
  const run = consumer.consume(() => consumer.stop(), { signal });
  await run;
  await connection.publish(channel, 'm', { signal });
  const subscription = await connection.subscribe(channel, { signal });
  await subscription.stop();
  await subscription.closed;
  const responder = await connection.respond(channel, () => 'a', { signal });
  await connection.request(channel, 'q', { signal });
  await responder.stop();
  await responder.closed;
  for await (const _ of station.browse({ signal })) break;
  await Promise.all([consumer.destroy(), producer.destroy()]);
  await connection.close();
  t.ok(listeners > 5, `${listeners} times it was listened to`);
  t.equal(heard.size, 0, 'what still listens');
});
