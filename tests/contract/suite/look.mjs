// Looking without taking part: stations(), browse(), purge(), exact positions.

import { topic } from '../kit/rows.mjs';

const row = topic('looking', '1 and 9');

async function all(iterable) {
  const list = [];
  for await (const each of iterable) list.push(each);
  return list;
}

async function browsed(t, station, options) {
  return t.texts(await all(station.browse(options)));
}

const needs = ['get'];

// ---- browse ---------------------------------------------------------------------------------------------------------

row('browse gives every stored message with all it has', { needs }, async (t) => {
  const { station } = await t.setup();
  const before = Date.now();
  await station.produce('plain');
  await station.produce({ id: 2 }, { headers: { Kind: 'order' }, msgId: 'm-2' });
  const [plain, order, ...more] = await all(station.browse());
  t.equal(more.length, 0, 'more messages');
  t.deepEqual([plain.text(), plain.sequence, plain.sequenceBig, plain.partition, plain.station], ['plain', 1, 1n, 1, station.name], 'the first');
  t.deepEqual({ ...plain.headers }, {}, 'its headers');
  t.equal(plain.msgId, undefined, 'its msgId');
  t.deepEqual(order.json(), { id: 2 }, 'the second');
  t.deepEqual({ ...order.headers }, { Kind: 'order' }, 'its headers');
  t.equal(order.msgId, 'm-2', 'its msgId');
  t.between(order.timestamp.getTime(), before - 2000, Date.now() + 2000, 'its timestamp');
  t.equal(order.timestamp.getTime(), Number(order.timestampNs / 1_000_000n), 'timestampNs');
  t.deepEqual(order.copy(), new TextEncoder().encode('{"id":2}'), 'copy()');
  const record = order.record();
  t.deepEqual([record.sequence, record.partition, record.headers.Kind, structuredClone(record).station], [2, 1, 'order', station.name], 'record()');
});

row('browse of an empty station ends at once', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  t.deepEqual(await browsed(t, station), [], 'messages');
});

row('browse goes partition by partition, each in order', { needs: [...needs, 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  for (let i = 0; i < 9; i++) await station.produce(`m${i}`, { partitionNumber: 3 - (i % 3) });
  const messages = await all(station.browse());
  t.deepEqual(messages.map((message) => message.partition), [1, 1, 1, 2, 2, 2, 3, 3, 3], 'partitions');
  t.deepEqual(t.texts(messages), ['m2', 'm5', 'm8', 'm1', 'm4', 'm7', 'm0', 'm3', 'm6'], 'messages');
  t.deepEqual(await browsed(t, station, { partitionNumber: 2 }), ['m1', 'm4', 'm7'], 'partition 2');
});

row('browse reads more than a page, and messages of every size', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 700, (index) => `m${index}`);
  const messages = await all(station.browse());
  t.deepEqual(messages.map((message) => message.sequence), Array.from({ length: 700 }, (_, index) => index + 1), 'sequences');
  t.equal(messages[699].text(), 'm699', 'the last');
  const { station: large } = await t.setup();
  const sizes = [0, 1, 900_000, 3, 1_000_000, 700_000];
  for (const size of sizes) await large.produce('x'.repeat(size));
  t.deepEqual((await all(large.browse())).map((message) => message.data.length), sizes, 'sizes');
});

row('browse ends at what was newest when it began', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 600);
  let seen = 0;
  for await (const message of station.browse()) {
    if (++seen === 1) await t.fill(station, 50, (index) => `new${index}`);
    t.ok(!message.text().startsWith('new'), 'a message that came later');
  }
  t.equal(seen, 600, 'messages');
});

row('browse, stations() and a second loop over them: each ends at what was there when it was called, or began', { needs: [...needs, 'list'] }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 3);
  // The code for looking is there from here on; questions are answered in their order then.
  t.equal((await all(station.browse())).length, 3, 'messages');
  const looking = station.browse();
  const listing = connection.stations();
  const made = `${station.name}.later`;
  await station.info();
  await station.produce('later');
  await connection.station(made);
  t.deepEqual((await all(looking)).map((message) => message.text()), ['m0', 'm1', 'm2'], 'messages of the call');
  t.equal((await all(listing)).some((info) => info.name === made), false, 'a station that was made later');
  t.equal((await all(looking)).at(-1).text(), 'later', 'the next loop');
  t.equal((await all(listing)).some((info) => info.name === made), true, 'the next list');
  // One that nobody reads does no harm, nor does one that fails.
  station.browse();
  connection.stations();
  const gone = station.browse({ limit: -1 });
  await station.info();
  await t.rejects(() => all(gone), 'invalid_argument');
  const unread = station.browse()[Symbol.asyncIterator]();
  t.equal((await unread.return()).done, true, 'ended');
  await connection.close();
});

row('browse takes part in nothing: groups and acks are untouched', { needs: [...needs, 'groups', 'ack'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 4);
  const consumer = await station.consumer({ consumerName: 'c' });
  const held = await t.collect(consumer, 2, { ack: false });
  const groups = (await station.info()).groups;
  t.deepEqual(await browsed(t, station), ['m0', 'm1', 'm2', 'm3'], 'messages');
  t.equal((await station.info()).groups, groups, 'groups');
  t.deepEqual(held.map((message) => message.deliveries), [1, 1], 'deliveries');
  for (const message of held) await message.ack({ confirm: true });
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['m2', 'm3'], 'what the group gets next');
  t.deepEqual(await browsed(t, station), ['m0', 'm1', 'm2', 'm3'], 'messages that were acked are still there');
});

row('browse does not keep ack_based messages, nor take them', { needs: [...needs, 'retention_ack_based'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'ack_based' });
  const consumer = await station.consumer({ consumerName: 'c' });
  await t.fill(station, 3);
  t.deepEqual(await browsed(t, station), ['m0', 'm1', 'm2'], 'before the acks');
  for (const message of await t.collect(consumer, 3, { ack: false })) await message.ack({ confirm: true });
  await t.until(async () => (await browsed(t, station)).length === 0, 3000, 'acked messages are gone');
});

for (const [start, expected] of [
  [undefined, ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']],
  ['first', ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']],
  ['last', ['m5']],
  ['next', []],
  [{ sequence: 5 }, ['m4', 'm5']],
  [{ sequence: 5n }, ['m4', 'm5']],
  [{ sequence: 99 }, []],
  [{ lastMessages: 2 }, ['m4', 'm5']],
  [{ lastMessages: 0 }, []],
  [{ lastMessages: 100 }, ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']],
  [{ sinceMs: 3_600_000 }, ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']],
  [{ time: new Date(0) }, ['m0', 'm1', 'm2', 'm3', 'm4', 'm5']],
  [{ time: new Date(Date.UTC(2200, 0)) }, []],
]) {
  row(`browse from ${typeof start === 'object' ? Object.entries(start).map(([key, value]) => `${key} ${value instanceof Date ? value.getUTCFullYear() : `${typeof value} ${value}`}`) : start}`, { needs }, async (t) => {
    const { station } = await t.setup();
    await t.fill(station, 6);
    t.deepEqual(await browsed(t, station, start === undefined ? undefined : { start }), expected, 'messages');
  });
}

row('browse from a time in between', { needs, waits: true }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 5);
  // A moment that is surely between the two.
  await t.elapse(300);
  const receipt = await station.produce('later');
  await station.produce('latest');
  const [later] = await all(station.browse({ start: { sequence: receipt.sequence } }));
  t.deepEqual(await browsed(t, station, { start: { time: later.timestamp } }), ['later', 'latest'], 'from its own time');
  t.deepEqual(await browsed(t, station, { start: { time: new Date(later.timestamp.getTime() - 150) } }), ['later', 'latest'], 'from before it');
});

row("browse from the last messages counts each partition's own, and only what is there", { needs: [...needs, 'partitions', 'retention_ack_based', 'ack'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2, retentionType: 'ack_based' });
  const consumer = await station.consumer({ consumerName: 'c' });
  for (let i = 0; i < 12; i++) await station.produce(`m${i}`, { partitionNumber: 1 });
  await station.produce('x', { partitionNumber: 2 });
  // Holes: of the twelve, 1, 5 and 9 stay.
  for (const message of await t.collect(consumer, 13, { ack: false })) {
    if (![1, 5, 9].includes(Number(message.text().slice(1)))) await message.ack({ confirm: true });
  }
  t.deepEqual(await browsed(t, station), ['m1', 'm5', 'm9'], 'all');
  t.deepEqual(await browsed(t, station, { start: { lastMessages: 2 } }), ['m5', 'm9'], 'the last two');
  t.deepEqual(await browsed(t, station, { start: 'last' }), ['m9'], 'the last');
  t.deepEqual(await browsed(t, station, { start: { lastMessages: 3 } }), ['m1', 'm5', 'm9'], 'the last three');
  t.deepEqual(await browsed(t, station, { start: { lastMessages: 4 } }), ['m1', 'm5', 'm9'], 'the last four');
});

row('browse stops at its limit', { needs }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  for (let i = 0; i < 8; i++) await station.produce(`m${i}`, { partitionNumber: 1 + (i % 2) });
  t.deepEqual(await browsed(t, station, { limit: 3 }), ['m0', 'm2', 'm4'], 'within a partition');
  t.deepEqual(await browsed(t, station, { limit: 5 }), ['m0', 'm2', 'm4', 'm6', 'm1'], 'over two');
  t.deepEqual(await browsed(t, station, { limit: 5, start: { lastMessages: 2 } }), ['m4', 'm6', 'm5', 'm7'], 'more than there are');
});

row('leaving the loop stops browse, and it can begin anew', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 300);
  const looking = station.browse();
  for (let i = 0; i < 2; i++) {
    const seen = [];
    for await (const message of looking) {
      seen.push(message.text());
      if (seen.length === 2) break;
    }
    t.deepEqual(seen, ['m0', 'm1'], `round ${i + 1}`);
  }
  t.equal((await all(looking)).length, 300, 'all of them');
});

row('a look that is left while it is asked gives what it was asked for, and ends no other', { needs }, async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await t.fill(producer, 300);
  for (let round = 0; round < 5; round++) {
    const left = station.browse()[Symbol.asyncIterator]();
    const [first, , all] = await Promise.all([left.next(), left.return(), Array.fromAsync(station.browse())]);
    t.deepEqual([first.done, first.value?.text(), (await left.next()).done], [false, 'm0', true], 'of the one that was left');
    t.equal(all.length, 300, 'of the other');
  }
});

row('browse is aborted by its signal', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 300);
  const reason = new Error('enough');
  await t.rejects(() => all(station.browse({ signal: AbortSignal.abort(reason) })), 'aborted', { cause: reason });
  const controller = new AbortController();
  let seen = 0;
  await t.rejects(async () => {
    for await (const message of station.browse({ signal: controller.signal })) {
      t.ok(message, 'a message');
      if (++seen === 3) controller.abort(reason);
    }
  }, 'aborted', { cause: reason });
  t.equal(seen, 3, 'messages before');
});

row('browse refuses what it does not understand', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1);
  for (const options of [{ limit: 0 }, { limit: -1 }, { limit: 1.5 }, { limit: '3' }, { start: 'middle' }, { start: { sequence: 0 } }, { start: { time: 5 } }, { partitionNumber: 0 }, { partitionNumber: 2 }, { from: 1 }, 5, { signal: {} }]) {
    await t.rejects(() => all(station.browse(options)), 'invalid_argument', { for: t.show(options) });
  }
});

row('browse, purge and stations() of what is gone or over', { needs }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 1);
  await station.destroy();
  await t.rejects(() => all(station.browse()), 'no_such_station', { station: station.name });
  await t.rejects(() => station.purge(), 'no_such_station', { station: station.name });
  const { station: other } = await t.setup();
  await t.fill(other, 600);
  await t.rejects(async () => {
    for await (const message of other.browse()) if (message.sequence === 1) await other.destroy();
  }, 'no_such_station', { station: other.name });
  await connection.close();
  await t.rejects(() => all(station.browse()), 'closed');
  await t.rejects(() => all(connection.stations()), 'closed');
  await t.rejects(() => station.purge(), 'closed');
});

row('closing ends a browse', { needs }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 600);
  let seen = 0;
  await t.rejects(async () => {
    for await (const message of station.browse()) {
      t.ok(message, 'a message');
      if (++seen === 1) void connection.close();
    }
  }, 'closed');
});

row('many looks at once do not disturb each other', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 400);
  const counts = await Promise.all(Array.from({ length: 8 }, async (_, index) => (await all(station.browse({ start: { sequence: 1 + index * 10 } }))).length));
  t.deepEqual(counts, Array.from({ length: 8 }, (_, index) => 400 - index * 10), 'counts');
});

// ---- purge ----------------------------------------------------------------------------------------------------------

row('purge throws all messages away and says how many', { needs: ['purge', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  t.equal(await station.purge(), 0, 'of an empty station');
  await t.fill(station, 10);
  t.equal(await station.purge(), 10, 'messages');
  t.equal((await station.info()).messages, 0, 'left');
  if ((await t.connect()).capabilities.has('get')) t.deepEqual(await browsed(t, station), [], 'browsed');
  t.equal(await station.purge(), 0, 'again');
});

row('after a purge sequences go on, groups too, and ids stay remembered', { needs: ['purge', 'msg_id', 'groups'] }, async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  await station.produce('a', { msgId: 'a' });
  await t.fill(station, 3);
  const [first] = await t.collect(consumer, 1, { ack: false });
  t.equal(first.text(), 'a', 'the first');
  t.equal(await station.purge(), 4, 'messages');
  const receipt = await station.produce('new');
  t.equal(receipt.sequence, 5, 'sequence');
  t.equal((await station.produce('a', { msgId: 'a' })).duplicate, true, 'a remembered id');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['new'], 'what the group gets');
  await first.ack();
});

// ---- stations -------------------------------------------------------------------------------------------------------

row('stations() lists every station once, with its info', { needs: ['list', 'partitions'] }, async (t) => {
  const { connection, station } = await t.setup({ partitionsNumber: 3, retentionType: 'messages', retentionValue: 1000 });
  const plain = await t.station(connection);
  await t.fill(station, 7);
  const before = Date.now();
  const infos = await all(connection.stations());
  const found = infos.filter((info) => info.name === station.name);
  t.equal(found.length, 1, 'entries of the station');
  const [info] = found;
  t.deepEqual([...info.partitions], [1, 2, 3], 'partitions');
  t.equal(info.messages, 7, 'messages');
  t.deepEqual([info.options.retentionType, info.options.retentionValue, info.options.partitionsNumber], ['messages', 1000, 3], 'options');
  t.ok(info.created instanceof Date && Math.abs(info.created.getTime() - before) < 60_000, 'created');
  const { groups, bytes } = await station.info();
  t.deepEqual([info.groups, info.bytes], [groups, bytes], 'groups and bytes');
  t.equal(infos.filter((info) => info.name === plain.name).length, 1, 'entries of the other');
  const names = infos.map((info) => info.name);
  t.deepEqual(names, [...new Set(names)], 'every name once');
  t.deepEqual(names, [...names].sort(), 'by name');
  await station.destroy();
  t.ok(!(await all(connection.stations())).some((info) => info.name === station.name), 'a station that is gone');
});

row('stations() reads more than a page', { needs: ['list'], brokers: ['memory', 'nats'], limitMs: 60_000 }, async (t) => {
  const connection = await t.connect();
  const stem = t.name('many');
  const names = Array.from({ length: 150 }, (_, index) => `${stem}.${index}`);
  const stations = await Promise.all(names.map((name) => connection.station(name, { storageType: 'memory', partitionsNumber: 2 })));
  const seen = (await all(connection.stations())).map((info) => info.name).filter((name) => name.startsWith(`${stem}.`));
  t.deepEqual(seen, [...names].sort(), 'names');
  await Promise.all(stations.map((station) => station.destroy()));
});

row('leaving the loop ends stations()', { needs: ['list'] }, async (t) => {
  const { connection } = await t.setup();
  await t.station(connection);
  for await (const info of connection.stations()) {
    t.ok(info.name.length > 0, 'a name');
    break;
  }
  t.ok((await all(connection.stations())).length >= 2, 'it can be asked again');
});

// ---- positions ------------------------------------------------------------------------------------------------------

row('a position counts every ack before it, confirmed or not', { needs: ['groups', 'ack'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1000);
  const consumer = await station.consumer({ consumerName: 'c' });
  let last = 0;
  for (const batch of [1, 10, 300, 500, 189]) {
    for (const message of await t.collect(consumer, batch, { ack: false })) {
      void message.ack();
      last = message.sequence;
    }
    t.equal(await consumer.position(), BigInt(last), `position after ${last}`);
  }
});
