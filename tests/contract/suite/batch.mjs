// Many messages with one promise, and the writable stream.

import { partitionOf } from '../kit/murmur.mjs';
import { topic } from '../kit/rows.mjs';

const row = topic('batch', 2);
const list = (count, make = (index) => `m${index}`) => Array.from({ length: count }, (_, index) => make(index));

row('receipts come in the order of the messages', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const receipts = await producer.produceBatch(list(300));
  t.deepEqual(receipts.map((receipt) => receipt.sequence), list(300, (index) => index + 1), 'sequences');
  t.ok(receipts.every((receipt) => receipt.station === station.name && receipt.partition === 1 && receipt.duplicate === false), 'every receipt is whole');
  t.deepEqual(t.texts(await t.collect(station, 300)), list(300), 'stored');
});

row('a batch may mix every kind of payload', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await producer.produceBatch(['text', { an: 'object' }, new Uint8Array([49, 50]), new Uint8Array([51]).buffer, '']);
  t.deepEqual(t.texts(await t.collect(station, 5)), ['text', '{"an":"object"}', '12', '3', ''], 'stored');
});

row('an empty batch resolves with nothing', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  t.deepEqual(await producer.produceBatch([]), [], 'receipts');
});

row('headers and a key of a batch count for every message', { needs: ['partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 4 });
  const producer = await station.producer();
  const receipts = await producer.produceBatch(list(8), { headers: { kind: 'bulk' }, partitionKey: 'k' });
  t.deepEqual([...new Set(receipts.map((receipt) => receipt.partition))], [partitionOf('k', station.partitions, t.broker)], 'partitions');
  for (const message of await t.collect(station, 8)) t.deepEqual({ ...message.headers }, { kind: 'bulk' }, 'headers');
});

row('without a key a batch takes turns', { needs: ['partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const receipts = await (await station.producer()).produceBatch(list(6));
  t.deepEqual(receipts.map((receipt) => receipt.partition), [1, 2, 3, 1, 2, 3], 'partitions');
});

row('onProgress rises to the total', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const calls = [];
  await producer.produceBatch(list(1200), { onProgress: (done, total) => { calls.push([done, total]); } });
  t.ok(calls.length > 0, 'onProgress was called');
  t.ok(calls.every(([done, total], index) => total === 1200 && done >= (calls[index - 1]?.[0] ?? 0)), `rising: ${t.show(calls)}`);
  t.deepEqual(calls.at(-1), [1200, 1200], 'the last call');
});

row('a batch larger than what may be pending feeds itself and never is queue_full', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingMessages: 10 });
  const producer = await connection.producer(station.name);
  const receipts = await producer.produceBatch(list(205));
  t.deepEqual(receipts.map((receipt) => receipt.sequence), list(205, (index) => index + 1), 'sequences');
});

row('a batch with more bytes than may be pending feeds itself too', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingBytes: 5000 });
  const producer = await connection.producer(station.name);
  const receipts = await producer.produceBatch(list(60, () => 'x'.repeat(900)));
  t.equal(receipts.at(-1).sequence, 60, 'last sequence');
});

row('a batch with a small limitConcurrentTasks keeps its order', async (t) => {
  const { station } = await t.setup();
  await (await station.producer()).produceBatch(list(40), { limitConcurrentTasks: 3 });
  t.deepEqual(t.texts(await t.collect(station, 40)), list(40), 'stored');
});

row('autoMsgId gives every message of a batch its own id', { needs: ['msg_id'] }, async (t) => {
  const { station } = await t.setup();
  const receipts = await (await station.producer({ autoMsgId: true })).produceBatch(list(20));
  t.equal(new Set(receipts.map((receipt) => receipt.msgId)).size, 20, 'different ids');
});

row('what is no list, or has no payload in it, is refused', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  for (const wrong of [undefined, null, 'text', 5, {}]) await t.rejects(() => producer.produceBatch(wrong), 'invalid_argument', { for: t.show(wrong) });
  const error = await t.rejects(() => producer.produceBatch(['fine', 7, 'fine']), 'invalid_argument');
  const { sequence } = await producer.produce('next');
  const stored = error instanceof t.api.BatchError ? error.outcomes.filter((outcome) => !(outcome instanceof t.api.BrokerError)).length : 0;
  t.equal(sequence, stored + 1, 'sequence of the next: as many as the error says were stored');
});

row('one message that fails: a BatchError after all have an outcome, in order', { brokers: ['nats'] }, async (t) => {
  const { connection, station } = await t.setup();
  const { maxPayloadBytes } = await connection.ping();
  const producer = await station.producer();
  const error = await t.rejects(producer.produceBatch(['a', new Uint8Array(maxPayloadBytes + 1), 'c']), 'too_large');
  t.ok(error instanceof t.api.BatchError, `a BatchError: ${t.show(error)}`);
  t.equal(error.outcomes.length, 3, 'outcomes');
  t.deepEqual([error.outcomes[0].sequence, error.outcomes[2].sequence], [1, 2], 'sequences of the good ones');
  t.checkError(error.outcomes[1], 'too_large');
  t.deepEqual(t.texts(await t.collect(station, 2)), ['a', 'c'], 'stored');
});

row('a batch that the broker refuses in part tells who was stored', { brokers: ['nats'] }, async (t) => {
  const { station } = await t.setup({ extra: { discard: 'new', max_msgs: 3 } });
  const producer = await station.producer();
  const error = await t.rejects(producer.produceBatch(list(5)), 'rejected');
  t.ok(error instanceof t.api.BatchError, `a BatchError: ${t.show(error)}`);
  t.deepEqual(error.outcomes.map((outcome) => outcome.sequence ?? outcome.code), [1, 2, 3, 'rejected', 'rejected'], 'outcomes');
});

row('a batch to a vanished station: every outcome is no_such_station', { needs: ['destroy'] }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await producer.produce('x');
  await station.destroy();
  const error = await t.rejects(producer.produceBatch(list(4)), 'no_such_station');
  t.ok(error instanceof t.api.BatchError, `a BatchError: ${t.show(error)}`);
  t.deepEqual(error.outcomes.map((outcome) => outcome.code), list(4, () => 'no_such_station'), 'outcomes');
});

row('a batch with a signal that is aborted already stores nothing', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await t.rejects(() => producer.produceBatch(list(4), { signal: AbortSignal.abort(new Error('no')) }), 'aborted');
  t.equal((await producer.produce('next')).sequence, 1, 'sequence of the next');
});

row('a batch aborted on its way: each message has one outcome, and the stored ones are stored', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingMessages: 20 });
  const producer = await connection.producer(station.name);
  const controller = new AbortController();
  const calling = t.outcome(producer.produceBatch(list(400), { signal: controller.signal, onProgress: (done) => { if (done >= 40) controller.abort(); } }));
  const outcome = await calling;
  const sum = outcome.error ? outcome.reason.outcomes : outcome.value;
  t.equal(sum.length, 400, 'outcomes');
  const receipts = sum.filter((each) => !(each instanceof t.api.BrokerError));
  const maybe = sum.filter((each) => each.maybeDelivered === true).length;
  for (const each of sum) if (each instanceof t.api.BrokerError) t.checkError(each, 'aborted');
  t.ok(receipts.length >= 40, `receipts: ${receipts.length}`);
  const { sequence } = await producer.produce('after');
  t.between(sequence - 1, receipts.length, receipts.length + maybe, 'stored');
});

row('compression none is the default; another is not_supported where it is not offered', { without: ['compression'] }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  t.equal((await producer.produceBatch(['x'], { compression: 'none' })).length, 1, 'receipts');
  for (const compression of ['gzip', 'zstd']) await t.rejects(() => producer.produceBatch(['x'], { compression }), 'not_supported', { says: 'compression' });
  await t.rejects(() => producer.produceBatch(['x'], { compression: 'rar' }), ['invalid_argument', 'not_supported'], { says: 'compression' });
});

row('an onProgress that is no function is refused', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await t.rejects(() => producer.produceBatch(['x'], { onProgress: 5 }), 'invalid_argument', { says: 'onProgress' });
});

row('an unknown option of produceBatch names the nearest known one', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await t.rejects(() => producer.produceBatch(['x'], { onprogress: () => {} }), 'invalid_argument', { says: ['onprogress', 'onProgress'] });
});

row('a batch keeps its place among single messages', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await Promise.all([producer.produce('a'), producer.produceBatch(['b', 'c']), producer.produce('d'), producer.produceBatch(['e']), producer.produce('f')]);
  t.deepEqual(t.texts(await t.collect(station, 6)), ['a', 'b', 'c', 'd', 'e', 'f'], 'stored');
});

row('a batch with a payload that is none sends the others, each with its outcome', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const error = await t.rejects(producer.produceBatch(['a', null, 'b', () => {}, 'c', Promise.resolve()]), 'invalid_argument');
  t.deepEqual(error.outcomes.map((outcome) => outcome.sequence ?? outcome.code), [1, 'invalid_argument', 2, 'invalid_argument', 3, 'invalid_argument'], 'outcomes');
  t.deepEqual(t.texts(await t.collect(station, 3)), ['a', 'b', 'c'], 'stored');
});

row('a batch with bad payloads that has to feed itself too', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingMessages: 4 });
  const producer = await connection.producer(station.name);
  const error = await t.rejects(producer.produceBatch(list(60, (index) => (index % 3 === 2 ? 5 : `m${index}`))), 'invalid_argument');
  const good = error.outcomes.flatMap((outcome, index) => (outcome instanceof t.api.BrokerError ? [] : [[index, outcome.sequence]]));
  t.deepEqual(good, list(60).flatMap((_, index) => (index % 3 === 2 ? [] : [[index, index - Math.floor(index / 3) + 1]])), 'places and sequences');
});

row('a batch of large messages is not cut short', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const sizes = list(12, (index) => 1 + index * 40_000);
  const receipts = await producer.produceBatch(sizes.map((size) => new Uint8Array(size).fill(size)));
  t.deepEqual(receipts.map((receipt) => receipt.sequence), list(12, (index) => index + 1), 'sequences');
  const got = await t.collect(station, 12);
  t.deepEqual(got.map((message) => message.data.length), sizes, 'sizes');
  t.ok(got.every((message, index) => message.data.every((byte) => byte === sizes[index] % 256)), 'bytes');
});

row('an onProgress that throws changes nothing', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const receipts = await producer.produceBatch(list(50), { onProgress: () => { throw new Error('no interest'); } });
  t.equal(receipts.length, 50, 'receipts');
});

row('an empty batch tells no progress, and a batch on a closed connection is closed for each', async (t) => {
  const { connection, station } = await t.setup();
  const producer = await connection.producer(station.name);
  const calls = [];
  await producer.produceBatch([], { onProgress: (...given) => calls.push(given) });
  t.deepEqual(calls, [], 'calls of onProgress');
  await connection.close();
  await t.rejects(() => producer.produceBatch(list(3)), 'closed');
});

row('waitForAck false of a batch resolves when all is handed over', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  t.equal((await producer.produceBatch(list(30), { waitForAck: false })).length, 30, 'receipts');
  await producer.flush();
  t.deepEqual(t.texts(await t.collect(station, 30)), list(30), 'stored');
});

row('a batch leaves in few writes', { brokers: ['nats'] }, async (t) => {
  let sends = 0;
  const socket = (url) => {
    const made = new WebSocket(url);
    const send = made.send.bind(made);
    made.send = (bytes) => { sends += 1; send(bytes); };
    return made;
  };
  const connection = await t.connect({ socket });
  const producer = await connection.producer(t.name());
  await producer.produce('open');
  sends = 0;
  await producer.produceBatch(list(2000, () => 'x'.repeat(100)), { limitConcurrentTasks: 2000 });
  t.between(sends, 1, 12, 'writes for 2000 messages');
});

// ---- writable ----

row('what is written to the stream is stored in order', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const writer = producer.writable.getWriter();
  const writes = list(50).map((text) => writer.write(text));
  await writer.close();
  await Promise.all(writes);
  t.deepEqual(t.texts(await t.collect(station, 50)), list(50), 'stored');
});

row('close of the stream waits until all is stored', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const writer = producer.writable.getWriter();
  for (const text of list(200)) void writer.write(text).catch(() => {});
  await writer.close();
  t.equal((await station.produce('next')).sequence, 201, 'sequence of the next');
});

row('a readable stream can be piped in, more than may be pending', async (t) => {
  const { connection, station } = await t.setup({}, { maxPendingMessages: 8 });
  const producer = await connection.producer(station.name);
  let next = 0;
  const source = new ReadableStream({ pull(controller) {
    if (next === 150) controller.close();
    else controller.enqueue(`m${next++}`);
  } });
  await source.pipeTo(producer.writable);
  t.deepEqual(t.texts(await t.collect(station, 150)), list(150), 'stored');
});

row('a payload that is none errors the stream', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const writer = producer.writable.getWriter();
  const over = t.outcome(writer.closed);
  await writer.write('good');
  await t.outcome(writer.write(7).then(() => writer.close()));
  const { error, reason } = await t.within(3000, over, 'the stream');
  t.equal(error, true, 'the stream is in error');
  t.checkError(reason, 'invalid_argument');
  t.equal((await t.outcome(writer.write('more'))).error, true, 'the next write fails');
  t.equal((await station.produce('next')).sequence, 2, 'sequence of the next');
});

row('the stream errors when the station vanishes', { needs: ['destroy'] }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const writer = producer.writable.getWriter();
  const over = t.outcome(writer.closed);
  await writer.write('good');
  await station.destroy();
  await t.outcome(writer.write('lost').then(() => writer.close()));
  const { error, reason } = await t.within(8000, over, 'the stream');
  t.equal(error, true, 'the stream is in error');
  t.checkError(reason, 'no_such_station');
});

row('writable: what is refused at once fails its own write', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const writer = producer.writable.getWriter();
  writer.closed.catch(() => {});
  await writer.write('fits');
  await t.rejects(() => writer.write(5), 'invalid_argument');
  await t.rejects(() => writer.closed, 'invalid_argument', { for: 'closed' });
  const other = await station.producer();
  const late = other.writable.getWriter();
  late.closed.catch(() => {});
  await other.destroy();
  await t.rejects(() => late.write('x'), 'closed');
});
