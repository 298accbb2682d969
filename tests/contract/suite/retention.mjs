// What a station forgets, and when.

import { topic } from '../kit/rows.mjs';

const row = topic('retention', 1);

row('by messages: the oldest go', { needs: ['retention_messages'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'messages', retentionValue: 5 });
  await t.fill(station, 12);
  const got = await t.collect(station, 5);
  t.deepEqual(t.texts(got), ['m7', 'm8', 'm9', 'm10', 'm11'], 'kept');
  t.deepEqual(got.map((message) => message.sequence), [8, 9, 10, 11, 12], 'sequences');
});

row('by messages: the limit counts for each partition', { needs: ['retention_messages', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'messages', retentionValue: 3, partitionsNumber: 2 });
  await t.fill(station, 5, (index) => `a${index}`, { partitionNumber: 1 });
  await t.fill(station, 2, (index) => `b${index}`, { partitionNumber: 2 });
  t.deepEqual(t.texts(await t.collect(station, 5)).sort(), ['a2', 'a3', 'a4', 'b0', 'b1'], 'kept');
});

row('by bytes: the oldest go, the newest stay', { needs: ['retention_bytes', 'info'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'bytes', retentionValue: 10_000 });
  await t.fill(station, 30, (index) => String(index).padEnd(1000, '.'));
  const { messages, bytes } = await station.info();
  t.between(messages, 7, 10, 'messages kept');
  t.ok(bytes <= 10_000, `bytes kept: ${bytes}`);
  const got = await t.collect(station, messages);
  t.deepEqual(got.map((message) => Number.parseInt(message.text(), 10)), Array.from({ length: messages }, (_, index) => 30 - messages + index), 'kept');
});

row('by age: a message goes when its time is over', { needs: ['info'], waits: true }, async (t) => {
  const { station } = await t.setup({ retentionType: 'max_message_age_seconds', retentionValue: 1 });
  await t.fill(station, 4);
  t.equal((await station.info()).messages, 4, 'messages at first');
  await t.until(async () => (await station.info()).messages === 0, 10_000, 'an empty station');
  t.equal((await station.produce('later')).sequence, 5, 'sequence of the next');
});

row('by age: a young message stays beside an old one', { needs: ['info'], waits: true }, async (t) => {
  const { station } = await t.setup({ retentionType: 'max_message_age_seconds', retentionValue: 6 });
  await station.produce('old');
  await t.elapse(3500);
  await station.produce('young');
  await t.until(async () => (await station.info()).messages === 1, 10_000, 'one message left');
  t.deepEqual(t.texts(await station.fetch({ noWait: true, consumerName: 'look' })), ['young'], 'left');
});

row('ack_based: without any group a message goes at once', { needs: ['retention_ack_based', 'info'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'ack_based' });
  t.equal((await station.produce('nobody waits for it')).sequence, 1, 'sequence');
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty station');
});

row('ack_based: a message stays until its group is done with it', { needs: ['retention_ack_based', 'info'] }, async (t) => {
  const { connection, station } = await t.setup({ retentionType: 'ack_based' });
  const consumer = await connection.consumer(station.name, { consumerName: 'one' });
  await t.fill(station, 3);
  const got = await t.collect(consumer, 3, { ack: false });
  t.equal((await station.info()).messages, 3, 'messages before the acks');
  for (const message of got) await message.ack({ confirm: true });
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty station');
});

row('ack_based: a message stays until every group is done with it', { needs: ['retention_ack_based', 'info'] }, async (t) => {
  const { connection, station } = await t.setup({ retentionType: 'ack_based' });
  const one = await connection.consumer(station.name, { consumerName: 'one' });
  const two = await connection.consumer(station.name, { consumerName: 'two' });
  await t.fill(station, 2);
  for (const message of await t.collect(one, 2, { ack: false })) await message.ack({ confirm: true });
  t.equal((await station.info()).messages, 2, 'messages while the second group has not acked');
  for (const message of await t.collect(two, 2, { ack: false })) await message.ack({ confirm: true });
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty station');
});

row('ack_based: a message that a group gave up on goes too', { needs: ['retention_ack_based', 'info', 'nack'] }, async (t) => {
  const { connection, station } = await t.setup({ retentionType: 'ack_based', sendPoisonMsgToDls: false });
  const consumer = await connection.consumer(station.name, { consumerName: 'one' });
  await station.produce('hopeless');
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.deadLetter('cannot be read');
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty station');
});

row('limits: acked messages stay', { needs: ['info'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 3);
  for (const message of await t.collect(station, 3, { ack: false })) await message.ack({ confirm: true });
  t.equal((await station.info()).messages, 3, 'messages');
});

row('a message that retention removed is not delivered, and the group goes on behind it', { needs: ['retention_messages'] }, async (t) => {
  const { connection, station } = await t.setup({ retentionType: 'messages', retentionValue: 2 });
  const consumer = await connection.consumer(station.name, { consumerName: 'slow' });
  await t.fill(station, 1);
  await t.collect(consumer, 1);
  await t.fill(station, 6, (index) => `n${index}`);
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['n4', 'n5'], 'delivered');
});
