// Dead letters on Memphis: only its pages list them, and send them again to the groups that gave up on them.

import { topic } from '../kit/rows.mjs';

const row = topic('memphis dead letters', 6);
const pages = { brokers: ['memphis'], controls: ['pages'], waits: true };
/** The broker collects reports for some seconds before it works on them. */
const REPORTED = 15_000;

/** A message that a group has given up on, and its row in the broker's pages. */
async function died(t, { station: options = {}, consumer: more = {}, text = 'broken', headers = { trace: '1' } } = {}) {
  const { connection, station } = await t.setup(options);
  const consumer = await connection.consumer(station.name, { consumerName: 'c', consumerGroup: 'g.one', ...more });
  await station.produce(text, { headers, msgId: 'm-1' });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.deadLetter('no use');
  const [letter] = await t.until(async () => {
    const list = await t.control('deadRows', station.name);
    return list.length > 0 && list;
  }, REPORTED, 'a dead letter');
  return { connection, station, consumer, letter, resend: () => t.control('resend', station.name, [letter.id]) };
}

const gone = (t, station) => t.until(async () => (await t.control('deadRows', station.name)).length === 0, REPORTED, 'no dead letters');

row('one that is sent again comes without a place; ack() takes it from the list', pages, async (t) => {
  const { consumer, station, resend } = await died(t);
  await resend();
  const [message] = await t.collect(consumer, 1, { ack: false });
  t.deepEqual([message.text(), message.partition, message.sequence, message.deliveries, message.station], ['broken', 0, 0, 1, station.name], 'message');
  t.deepEqual({ ...message.headers }, { trace: '1' }, 'headers');
  await message.inProgress();
  await message.ack();
  await t.rejects(() => message.ack(), 'invalid_argument');
  await gone(t, station);
  await t.nothing(consumer, 300);
});

row('it can only be acknowledged, and stays in the list otherwise', pages, async (t) => {
  const { consumer, station, resend } = await died(t);
  for (const verb of [(message) => message.nack(), (message) => message.delay(10), (message) => message.deadLetter('again')]) {
    await resend();
    const [message] = await t.collect(consumer, 1, { ack: false });
    await t.rejects(() => verb(message), 'not_supported');
  }
  t.equal((await t.control('deadRows', station.name)).length, 1, 'dead letters');
  await t.nothing(consumer, 300);
});

row('resend() of several goes to another station, each once, and takes them from the list', { ...pages, needs: ['resend'] }, async (t) => {
  const { connection, consumer, station } = await died(t);
  await station.produce('also broken');
  const [second] = await t.collect(consumer, 1, { ack: false });
  await second.deadLetter('no use');
  const letters = await t.until(async () => {
    const list = await t.control('deadRows', station.name);
    return list.length === 2 && list;
  }, REPORTED, 'two dead letters');
  const target = await connection.station(t.name());
  await t.control('resend', station.name, letters.map(({ id }) => id));
  for (const message of await t.collect(consumer, 2, { ack: false })) await message.resend(target.name);
  t.deepEqual(t.texts(await t.collect(target, 2)).sort(), ['also broken', 'broken'], 'copies');
  await gone(t, station);
});

row('ack with confirm resolves as well', pages, async (t) => {
  const { consumer, station, resend } = await died(t);
  await resend();
  const [message] = await t.collect(consumer, 1, { ack: false });
  await t.within(3000, message.ack({ confirm: true }), 'ack()');
  await gone(t, station);
});

row('iterators and handlers get it between the others', pages, async (t) => {
  const { connection, consumer, station, resend } = await died(t);
  const got = [];
  const iterating = (async () => {
    for await (const message of consumer) {
      got.push([message.sequence > 0, message.text()]);
      await message.ack();
      if (got.length === 3) break;
    }
  })();
  await station.produce('before');
  await t.until(() => got.length === 1, 5000, 'the first');
  await resend();
  await t.until(() => got.length === 2, 5000, 'the dead letter');
  await station.produce('after');
  await t.within(5000, iterating, 'the loop');
  t.deepEqual(got, [[true, 'before'], [false, 'broken'], [true, 'after']], 'messages');
  await gone(t, station);
  await connection.ping();
});

row('a fetch of one partition gets it as well', { ...pages, needs: ['partitions'] }, async (t) => {
  const { consumer, station, resend } = await died(t, { station: { partitionsNumber: 3 } });
  await resend();
  const got = await t.collect(consumer, 1, { partitionNumber: 3 });
  t.deepEqual(got.map((message) => [message.partition, message.text()]), [[0, 'broken']], 'messages');
  await gone(t, station);
});

row('of two members one gets it', pages, async (t) => {
  const { consumer, station, resend } = await died(t);
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'd', consumerGroup: 'g.one' });
  await resend();
  const batches = await Promise.all([consumer, other].map((each) => each.fetch({ batchSize: 10, batchMaxTimeToWaitMs: 1000 })));
  t.deepEqual(t.texts(batches.flat()), ['broken'], 'messages');
});

row('of two members on one connection the one who reads gets it', pages, async (t) => {
  const { connection, consumer, station, resend } = await died(t);
  await consumer.stop();
  const other = await connection.consumer(station.name, { consumerName: 'd', consumerGroup: 'g.one' });
  const reading = t.collect(other, 1);
  await resend();
  t.deepEqual(t.texts(await reading), ['broken'], 'messages');
  await gone(t, station);
});

row('another group does not get it', pages, async (t) => {
  const { connection, station, consumer, resend } = await died(t);
  const other = await connection.consumer(station.name, { consumerName: 'other', start: 'next' });
  await resend();
  await t.collect(consumer, 1);
  await t.nothing(other, 300);
});

row('what comes while nobody takes is kept for the next fetch, past a stop', pages, async (t) => {
  const { connection, consumer, station, resend } = await died(t);
  await consumer.stop();
  const frames = connection.tap();
  await resend();
  await t.within(5000, t.passes(frames, 'in', 'broken'), 'the dead letter');
  const [message] = await t.collect(consumer, 1);
  t.deepEqual([message.text(), message.sequence], ['broken', 0], 'message');
  await gone(t, station);
});

row('what is held when a loop ends is kept for the next fetch', pages, async (t) => {
  const { connection, consumer, station, resend } = await died(t);
  const frames = connection.tap();
  await resend();
  await resend();
  await t.within(5000, t.passes(frames, 'in', 'broken', 2), 'the dead letter, twice');
  for await (const message of consumer) {
    t.equal(message.text(), 'broken', 'message');
    break;
  }
  const [message] = await t.collect(consumer, 1);
  t.deepEqual([message.text(), message.sequence], ['broken', 0], 'message');
  await gone(t, station);
});

row('of those that nobody takes a thousand are held', { ...pages, controls: ['pages', 'inside'] }, async (t) => {
  const { connection, consumer, resend } = await died(t);
  await consumer.stop();
  const frames = connection.tap();
  for (let round = 0; round < 11; round += 1) {
    await Promise.all(Array.from({ length: 100 }, resend));
    await t.within(5000, t.passes(frames, 'in', 'broken', 100), 'a hundred of them');
  }
  const got = await consumer.fetch({ batchSize: 2000, batchMaxTimeToWaitMs: 300 });
  t.equal(got.length, 1000, 'messages');
});

row('with autoAck it is acknowledged when it comes', { brokers: ['memphis'], controls: ['inside'] }, async (t) => {
  const { connection, station } = await t.setup();
  const consumer = await connection.consumer(station.name, { consumerName: 'c', autoAck: true });
  const frames = connection.tap();
  // The broker knows that it listens.
  await connection.ping();
  await t.control('say', `$memphis_dls_${station.name}.c`, 'broken', 'NATS/1.0\r\n$memphis_pm_id: 77\r\n$memphis_pm_cg_name: c\r\n\r\n');
  await t.within(5000, t.passes(frames, 'out', '{"id":77,"cg_name":"c"}'), 'the acknowledgement');
  t.deepEqual(t.texts(await t.collect(consumer, 1, { ack: false })), ['broken'], 'messages');
});

row('it comes after a lost link, too', { ...pages, controls: ['pages', 'cut'] }, async (t) => {
  const { connection, consumer, station, resend } = await died(t);
  const down = t.lost(connection);
  await t.control('cut', station.name);
  await down;
  await station.produce('one more', { msgId: 'm-2' });
  await t.collect(consumer, 1);
  await resend();
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['broken'], 'messages');
  await gone(t, station);
});

row('its ack waits for the link', { ...pages, controls: ['pages', 'cut'] }, async (t) => {
  const { connection, consumer, station, resend } = await died(t);
  await resend();
  const [message] = await t.collect(consumer, 1, { ack: false });
  const down = t.lost(connection);
  await t.control('cut', station.name);
  await down;
  await t.within(10_000, message.ack(), 'ack()');
  await gone(t, station);
});

// ---- how messages die -----------------------------------------------------------------------------------------------

const listed = (t, station, count) => t.until(async () => {
  const list = await t.control('deadRows', station.name);
  return list.length >= count && list.toSorted((a, b) => a.text.localeCompare(b.text));
}, REPORTED, `${count} dead letters`);

row('deadLetter: the pages list it, its group never sees it again, others do', { ...pages, needs: ['groups'] }, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 2 });
  const consumer = await connection.consumer(station.name, { consumerName: 'c', consumerGroup: 'g.one', maxAckTimeMs: 1000 });
  const receipts = await t.fill(station, 4, undefined, { headers: { trace: '1' } });
  for (const message of await t.collect(consumer, 4, { ack: false })) await (message.text() === 'm1' ? message.deadLetter('cannot be "read"\nat all') : message.ack());
  const [letter, ...more] = await listed(t, station, 1);
  t.deepEqual([letter.text, letter.sequence, letter.headers.trace, more], ['m1', receipts[1].sequence, '1', []], 'letter');
  await t.nothing(consumer, 1500);
  t.equal((await t.collect(await connection.consumer(station.name, { consumerName: 'other' }), 4)).length, 4, 'messages of another group');
});

row('what was delivered too often dies, by nack and by the ack time', pages, async (t) => {
  const { connection, station } = await t.setup();
  const consumer = await connection.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 2, maxAckTimeMs: 1000 });
  await t.fill(station, 2);
  for (let round = 1; round <= 2; round += 1) {
    const got = await t.collect(consumer, 2, { ack: false });
    t.deepEqual(got.map((message) => message.deliveries), [round, round], 'deliveries');
    await got.find((message) => message.text() === 'm0').nack();
    if (round === 1) t.ok(got.some((message) => message.text() === 'm1'), 'the other one');
  }
  // The broker looks when somebody pulls.
  await t.nothing(consumer, 1500);
  await t.nothing(consumer, 500);
  t.deepEqual((await listed(t, station, 2)).map(({ text }) => text), ['m0', 'm1'], 'letters');
  t.equal((await station.info()).messages, 2, 'messages of the station');
});

row('sendPoisonMsgToDls: false: gone', pages, async (t) => {
  const { connection, station } = await t.setup({ sendPoisonMsgToDls: false });
  const kept = await connection.station(t.name());
  for (const one of [station, kept]) {
    await one.produce('x');
    const [message] = await t.collect(await one.consumer({ consumerName: 'c' }), 1, { ack: false });
    await message.deadLetter('no');
  }
  await listed(t, kept, 1);
  t.deepEqual(await t.control('deadRows', station.name), [], 'letters');
});

row('dlsStation: made along, and gets one copy with the headers, and where it came from', pages, async (t) => {
  const dlsStation = `${t.name('dls')}.copies`;
  const { connection, station } = await t.setup({ dlsStation, partitionsNumber: 2 }, {});
  const other = await connection.station(dlsStation);
  t.deepEqual([other.existed, [...other.partitions]], [true, [1]], 'the station for copies');
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await station.produce('x', { headers: { kind: 'k' } });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.deadLetter('no');
  const reader = await other.consumer({ consumerName: 'r' });
  const [copy] = await t.collect(reader, 1, { ms: REPORTED });
  t.deepEqual([copy.text(), { ...copy.headers }], ['x', { kind: 'k', station: station.name, type: 'unacked' }], 'copy');
  await t.nothing(reader, 500);
});

row('closing waits for what is dying', pages, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 5);
  const connection = await t.connect();
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  for (const message of await t.collect(consumer, 5, { ack: false })) void message.deadLetter('no');
  await connection.close();
  t.deepEqual((await listed(t, station, 5)).map(({ text }) => text), ['m0', 'm1', 'm2', 'm3', 'm4'], 'letters');
});

row('deadLetters() says why it cannot', { brokers: ['memphis'] }, async (t) => {
  const { connection, station } = await t.setup();
  t.ok(connection.capabilities.why('dead_letters')?.length > 0, 'why');
  await t.rejects((async () => { for await (const letter of station.deadLetters()) t.fail(t.show(letter)); })(), 'not_supported');
});
