// The window in which a second copy is not stored.

import { topic } from '../kit/rows.mjs';

const row = topic('msgId', 2);
const needs = ['msg_id'];

row('a second message with the id is a duplicate and has the first sequence', { needs }, async (t) => {
  const { station } = await t.setup();
  await station.produce('before');
  const first = await station.produce('one', { msgId: 'id-1' });
  await station.produce('between');
  const second = await station.produce('two', { msgId: 'id-1' });
  t.equal(first.duplicate, false, 'duplicate of the first');
  t.equal(first.sequence, 2, 'sequence of the first');
  t.equal(second.duplicate, true, 'duplicate of the second');
  t.equal(second.sequence, 2, 'sequence of the second');
  t.deepEqual(t.texts(await t.collect(station, 3)), ['before', 'one', 'between'], 'stored');
});

row('different ids are different messages', { needs }, async (t) => {
  const { station } = await t.setup();
  const receipts = [];
  for (const msgId of ['a', 'A', 'a-', 'aa', 'b']) receipts.push(await station.produce('x', { msgId }));
  t.deepEqual(receipts.map((receipt) => receipt.duplicate), [false, false, false, false, false], 'duplicates');
});

row('the receipt and the message carry the id', { needs }, async (t) => {
  const { station } = await t.setup();
  t.equal((await station.produce('x', { msgId: 'order 7/e' })).msgId, 'order 7/e', 'msgId of the receipt');
  const [message] = await t.collect(station, 1);
  t.equal(message.msgId, 'order 7/e', 'msgId of the message');
  t.deepEqual({ ...message.headers }, {}, 'headers');
});

row('a message without an id has none', { needs }, async (t) => {
  const { station } = await t.setup();
  await station.produce('x', { headers: { a: 'b' } });
  t.equal((await t.collect(station, 1))[0].msgId, undefined, 'msgId');
});

row('two copies on their way at once: one is stored', { needs }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const receipts = await Promise.all([producer.produce('first', { msgId: 'same' }), producer.produce('second', { msgId: 'same' }), producer.produce('third', { msgId: 'same' })]);
  t.deepEqual(receipts.map((receipt) => receipt.duplicate), [false, true, true], 'duplicates');
  t.deepEqual(receipts.map((receipt) => receipt.sequence), [1, 1, 1], 'sequences');
  t.equal((await station.produce('next')).sequence, 2, 'sequence of the next');
});

row('a copy from another producer and another connection is a duplicate', { needs }, async (t) => {
  const { station } = await t.setup();
  const other = await (await t.connect()).producer(station.name);
  t.equal((await station.produce('mine', { msgId: 'same' })).duplicate, false, 'the first');
  t.equal((await other.produce('yours', { msgId: 'same' })).duplicate, true, 'the second');
});

row('another station knows nothing of the id', { needs }, async (t) => {
  const { connection, station } = await t.setup();
  const other = await t.station(connection);
  await station.produce('x', { msgId: 'same' });
  t.equal((await other.produce('x', { msgId: 'same' })).duplicate, false, 'duplicate');
});

row('each partition has its own window', { needs: ['msg_id', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  t.equal((await station.produce('x', { msgId: 'same', partitionNumber: 1 })).duplicate, false, 'in partition 1');
  t.equal((await station.produce('x', { msgId: 'same', partitionNumber: 2 })).duplicate, false, 'in partition 2');
  t.equal((await station.produce('x', { msgId: 'same', partitionNumber: 2 })).duplicate, true, 'again in partition 2');
});

row('a consumed message is still remembered', { needs }, async (t) => {
  const { station } = await t.setup();
  await station.produce('x', { msgId: 'same' });
  await t.collect(station, 1);
  t.equal((await station.produce('x', { msgId: 'same' })).duplicate, true, 'duplicate');
});

row('after the window the id is new', { needs, waits: true }, async (t) => {
  const { station } = await t.setup({ idempotencyWindowMs: 500 });
  await station.produce('one', { msgId: 'same' });
  t.equal((await station.produce('two', { msgId: 'same' })).duplicate, true, 'duplicate within the window');
  await t.elapse(1500);
  const third = await station.produce('three', { msgId: 'same' });
  t.equal(third.duplicate, false, 'duplicate after the window');
  t.equal(third.sequence, 2, 'sequence after the window');
});

row('the window runs from the first copy; a second one does not make it longer', { needs, waits: true }, async (t) => {
  const { station } = await t.setup({ idempotencyWindowMs: 4000 });
  await station.produce('one', { msgId: 'same' });
  for (let index = 0; index < 3; index += 1) {
    await t.elapse(800);
    t.equal((await station.produce('copy', { msgId: 'same' })).duplicate, true, `duplicate after ${(index + 1) * 800} ms`);
  }
  await t.elapse(2500);
  t.equal((await station.produce('two', { msgId: 'same' })).duplicate, false, 'duplicate after the window of the first');
});

row('autoMsgId gives every message an id of its own', { needs }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer({ autoMsgId: true });
  const receipts = await t.fill(producer, 20);
  t.ok(receipts.every((receipt) => typeof receipt.msgId === 'string' && receipt.msgId.length > 0), 'every receipt has an id');
  t.equal(new Set(receipts.map((receipt) => receipt.msgId)).size, 20, 'different ids');
  t.ok(receipts.every((receipt) => !receipt.duplicate), 'none is a duplicate');
  const got = await t.collect(station, 20);
  t.deepEqual(got.map((message) => message.msgId), receipts.map((receipt) => receipt.msgId), 'ids of the messages');
});

row('two producers with autoMsgId never choose the same id', { needs }, async (t) => {
  const { station } = await t.setup();
  const one = await station.producer({ autoMsgId: true });
  const two = await (await t.connect()).producer(station.name, { autoMsgId: true });
  const receipts = [...await t.fill(one, 10), ...await t.fill(two, 10)];
  t.ok(receipts.every((receipt) => !receipt.duplicate), 'none is a duplicate');
  t.equal(new Set(receipts.map((receipt) => receipt.msgId)).size, 20, 'different ids');
});

row('an id that the application gives wins over autoMsgId', { needs }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer({ autoMsgId: true });
  t.equal((await producer.produce('x', { msgId: 'mine' })).msgId, 'mine', 'msgId');
  t.equal((await producer.produce('x', { msgId: 'mine' })).duplicate, true, 'duplicate');
});

row('an id with a line break, or that is no text, is refused', { needs }, async (t) => {
  const { station } = await t.setup();
  for (const msgId of ['a\r\nb', 'a\nb', 'a\0b', 7, {}]) {
    await t.rejects(() => station.produce('x', { msgId }), 'invalid_argument', { says: 'msgId', for: `msgId ${t.show(msgId)}` });
  }
  t.equal((await station.produce('x')).sequence, 1, 'sequence of the next: nothing was stored');
});

row('a window that is no sensible number is refused', { needs }, async (t) => {
  const connection = await t.connect();
  for (const idempotencyWindowMs of [-1, Number.NaN, 1.5, 2 ** 53 + 2, '5']) {
    await t.rejects(() => connection.station(t.name(), { idempotencyWindowMs }), 'invalid_argument', { says: 'idempotencyWindowMs', for: t.show(idempotencyWindowMs) });
  }
});
