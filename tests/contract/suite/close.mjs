// The end of a connection, and what it tells on the way.

import { topic } from '../kit/rows.mjs';

const row = topic('close', 5);

row('close resolves, a second call returns the same promise', async (t) => {
  const connection = await t.connect();
  const first = connection.close();
  const second = connection.close();
  t.ok(first === second, 'two calls at once return the same promise');
  t.equal(await first, undefined, 'close()');
  t.ok(connection.close() === first, 'a later call returns it too');
  t.equal(connection.isConnected(), false, 'isConnected()');
});

row('closed resolves with undefined after close', async (t) => {
  const connection = await t.connect();
  const { closed } = connection;
  let over = false;
  void closed.then(() => { over = true; });
  await connection.ping();
  t.equal(over, false, 'closed before close()');
  await connection.close();
  t.equal(await t.within(2000, closed, 'closed'), undefined, 'closed');
});

row('close lets a settle be confirmed', { needs: ['ack'] }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 1);
  const [message] = await station.fetch({ consumerName: 'c', batchSize: 1 });
  const ack = message.ack({ confirm: true });
  await connection.close();
  t.equal(await ack, undefined, 'ack()');
});

row('leaving the block of `await using` closes', async (t) => {
  const connection = await t.connect();
  t.equal(await connection[Symbol.asyncDispose](), undefined, 'dispose');
  t.equal(connection.isConnected(), false, 'isConnected()');
});

row('what is pending finishes first', async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  const producer = await other.producer(station.name);
  const calls = t.fill(producer, 100);
  await other.close();
  const receipts = await t.within(2000, calls, 'the pending messages');
  t.deepEqual(receipts.map((receipt) => receipt.sequence), Array.from({ length: 100 }, (_, index) => index + 1), 'sequences');
});

row('a produce() whose producer is being made when close is called finishes, too', async (t) => {
  const connection = await t.connect();
  const receipt = connection.produce(t.name(), 'x');
  await connection.close();
  t.equal((await t.within(2000, receipt, 'produce()')).sequence, 1, 'sequence');
});

row('a fetch that waits ends with close', async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'c' });
  const waiting = t.outcome(consumer.fetch({ batchMaxTimeToWaitMs: 60_000 }));
  await t.turn();
  await t.within(7000, other.close(), 'close()');
  const { error, value, reason } = await t.within(1000, waiting, 'fetch()');
  if (error) t.checkError(reason, 'closed');
  else t.deepEqual(value, [], 'messages');
});

row('a loop ends with close, without an error', async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1);
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'c' });
  const seen = [];
  const loop = t.outcome((async () => { for await (const message of consumer) { seen.push(message.text()); await message.ack(); } })());
  await t.until(() => seen.length === 1, 5000, 'the message');
  await other.close();
  const { error, reason } = await t.within(3000, loop, 'the loop');
  t.equal(error, false, `the loop threw ${t.show(reason)}`);
  t.equal(await t.within(1000, consumer.closed, 'closed'), undefined, 'closed');
});

row('a handler ends with close', async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'c' });
  const running = t.outcome(consumer.consume(() => {}));
  await t.turn();
  await other.close();
  const { error, reason } = await t.within(3000, running, 'consume()');
  t.equal(error, false, `consume() rejected with ${t.show(reason)}`);
});

for (const [what, call] of [
  ['connection.station', ({ connection }) => connection.station('a-name')], ['connection.produce', ({ connection }) => connection.produce('a-name', 'x')],
  ['connection.fetch', ({ connection }) => connection.fetch('a-name', { noWait: true })], ['connection.consume', ({ connection }) => connection.consume('a-name')],
  ['connection.producer', ({ connection }) => connection.producer('a-name')], ['connection.consumer', ({ connection }) => connection.consumer('a-name')],
  ['connection.ping', ({ connection }) => connection.ping()],
  ['station.produce', ({ station }) => station.produce('x')], ['station.fetch', ({ station }) => station.fetch({ noWait: true })], ['station.info', ({ station }) => station.info()],
  ['station.destroy', ({ station }) => station.destroy()],
  ['producer.produce', ({ producer }) => producer.produce('x')], ['producer.produceBatch', ({ producer }) => producer.produceBatch(['x'])],
  ['consumer.fetch', ({ consumer }) => consumer.fetch({ noWait: true })], ['consumer.consume', ({ consumer }) => consumer.consume(() => {})],
  ['consumer.position', ({ consumer }) => consumer.position()], ['an iterator', ({ consumer }) => consumer[Symbol.asyncIterator]().next()],
]) {
  row(`${what} after close is closed`, async (t) => {
    const { station: kept } = await t.setup();
    const connection = await t.connect();
    const station = await connection.station(kept.name);
    const producer = await station.producer();
    const consumer = await station.consumer({ consumerName: 'c' });
    await connection.close();
    await t.rejects(() => t.within(3000, call({ connection, station, producer, consumer }), what), 'closed');
  });
}

row('what may be called after close without harm', async (t) => {
  const { station } = await t.setup();
  const connection = await t.connect();
  const producer = await connection.producer(station.name);
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await connection.close();
  t.equal(await producer.flush(), undefined, 'flush()');
  t.equal(await producer.destroy(), undefined, 'producer.destroy()');
  t.equal(await consumer.stop(), undefined, 'stop()');
  t.equal(await t.within(1000, consumer.closed, 'closed'), undefined, 'closed');
  t.equal(connection.stats().pendingMessages, 0, 'pendingMessages');
  t.equal(connection.capabilities.has('groups'), true, 'capabilities');
});

row('closing one connection leaves the messages of another alone', async (t) => {
  const { connection, station } = await t.setup();
  const other = await t.connect();
  await other.produce(station.name, 'from the other');
  await other.close();
  t.deepEqual(t.texts(await connection.fetch(station.name, { batchSize: 1, consumerName: 'c' })), ['from the other'], 'messages');
});

row('a hundred connections open and close', { limitMs: 60_000 }, async (t) => {
  for (let round = 0; round < 5; round += 1) {
    const all = await Promise.all(Array.from({ length: 20 }, () => t.connect()));
    t.ok(all.every((connection) => connection.isConnected()), 'all connected');
    await Promise.all(all.map((connection) => connection.close()));
  }
});
