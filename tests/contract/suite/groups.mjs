// Groups: who gets what, where a group stands, and what is left of it.

import { topic } from '../kit/rows.mjs';

const row = topic('groups', 3);
const needs = ['groups'];

row('every group gets every message', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 5);
  for (const consumerName of ['one', 'two', 'three']) {
    const consumer = await station.consumer({ consumerName });
    const got = await t.collect(consumer, 5);
    t.deepEqual(t.texts(got), ['m0', 'm1', 'm2', 'm3', 'm4'], `messages of ${consumerName}`);
    t.ok(got.every((message) => message.deliveries === 1), 'first deliveries');
  }
});

row('the group of a consumer is its name, unless one is given', { needs }, async (t) => {
  const { station } = await t.setup();
  const alone = await station.consumer({ consumerName: 'alone' });
  t.deepEqual([alone.name, alone.group], ['alone', 'alone'], 'name and group');
  const member = await station.consumer({ consumerName: 'member', consumerGroup: 'team' });
  t.deepEqual([member.name, member.group], ['member', 'team'], 'name and group');
});

row('two members share: each message goes to exactly one', { needs }, async (t) => {
  const { station } = await t.setup();
  const members = [await station.consumer({ consumerName: 'a', consumerGroup: 'team' }), await station.consumer({ consumerName: 'b', consumerGroup: 'team' })];
  await t.fill(station, 60);
  const seen = [];
  await t.until(async () => {
    for (const member of members) {
      for (const message of await member.fetch({ batchSize: 5, noWait: true })) { seen.push(message.text()); await message.ack(); }
    }
    return seen.length >= 60;
  }, 10_000, 'all messages fetched');
  t.equal(new Set(seen).size, 60, 'different messages');
  t.equal(seen.length, 60, 'messages');
  for (const member of members) await t.nothing(member, 200);
});

row('members on two connections share too, and both get some', { needs }, async (t) => {
  const { connection, station } = await t.setup();
  const other = await t.connect();
  const seen = { a: [], b: [] };
  const consumers = [];
  for (const [name, link] of [['a', connection], ['b', other]]) {
    const consumer = await link.consumer(station.name, { consumerName: name, consumerGroup: 'team', batchSize: 4, batchMaxTimeToWaitMs: 300, pullIntervalMs: 50 });
    consumers.push(consumer);
    void consumer.consume(async (messages) => { for (const message of messages) { seen[name].push(message.text()); await message.ack(); } }, { prefetchMessages: 8 }).catch(() => {});
  }
  for (let round = 0; round < 20; round += 1) await t.fill(station, 20, (index) => `m${round * 20 + index}`);
  await t.until(() => seen.a.length + seen.b.length >= 400, 15_000, 'all messages handled');
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  t.equal(new Set([...seen.a, ...seen.b]).size, 400, 'different messages');
  t.equal(seen.a.length + seen.b.length, 400, 'messages');
  t.ok(seen.a.length > 0 && seen.b.length > 0, `both get some: ${seen.a.length} and ${seen.b.length}`);
});

row('a group goes on where it stood after its consumer stopped', { needs }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 6);
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['m0', 'm1'], 'at first');
  await consumer.stop();
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['m2', 'm3'], 'the same consumer again');
  const later = await connection.consumer(station.name, { consumerName: 'c2', consumerGroup: 'c' });
  t.deepEqual(t.texts(await t.collect(later, 2)), ['m4', 'm5'], 'another consumer of the group');
});

row('a named group outlives its connection', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 4);
  const first = await t.connect();
  for (const message of await t.collect(await first.consumer(station.name, { consumerName: 'c' }), 2, { ack: false })) await message.ack({ confirm: true });
  await first.close();
  const second = await t.connect();
  t.deepEqual(t.texts(await t.collect(await second.consumer(station.name, { consumerName: 'c' }), 2)), ['m2', 'm3'], 'on the next connection');
});

row('the first consumer decides where a group begins; a later one joins where it stands', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 4);
  const first = await station.consumer({ consumerName: 'a', consumerGroup: 'team', start: { sequence: 3 } });
  const second = await station.consumer({ consumerName: 'b', consumerGroup: 'team', start: 'first' });
  const third = await station.consumer({ consumerName: 'c', consumerGroup: 'team', start: 'next' });
  t.deepEqual(t.texts(await t.collect(second, 1)), ['m2'], 'the member that asked for the first');
  t.deepEqual(t.texts(await t.collect(third, 1)), ['m3'], 'the member that asked for the next');
  await t.nothing(first, 200);
});

row('without a name a consumer has a group of its own with a random name', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 3);
  const [one, two] = [await station.consumer(), await station.consumer()];
  t.ok(one.name.length > 0 && one.group.length > 0 && one.group !== two.group, `groups ${t.show([one.group, two.group])}`);
  for (const consumer of [one, two]) t.deepEqual(t.texts(await t.collect(consumer, 3)), ['m0', 'm1', 'm2'], 'messages');
});

row('a group without a name stays at stop and goes at destroy', { needs: ['groups', 'info'] }, async (t) => {
  const { station } = await t.setup({});
  const consumer = await station.consumer();
  await t.fill(station, 2);
  await t.collect(consumer, 1);
  t.equal((await station.info()).groups, 1, 'groups');
  await consumer.stop();
  t.equal((await station.info()).groups, 1, 'groups after stop');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'the next message after stop');
  await consumer.destroy();
  await t.until(async () => (await station.info()).groups === 0, 5000, 'no group after destroy');
});

row('a group without a name goes with dispose, and with its connection', { needs: ['groups', 'info', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  const other = await t.connect();
  const disposed = await other.consumer(station.name);
  await other.consumer(station.name);
  t.equal((await station.info()).groups, 2, 'groups');
  await disposed[Symbol.asyncDispose]();
  await t.until(async () => (await station.info()).groups === 1, 5000, 'one group after dispose');
  await other.close();
  await t.until(async () => (await station.info()).groups === 0, 5000, 'no group after close');
});

row('a named group stays when its consumer is disposed of or its connection closed', { needs: ['groups', 'info'] }, async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  const consumer = await other.consumer(station.name, { consumerName: 'kept' });
  await consumer[Symbol.asyncDispose]();
  t.equal((await station.info()).groups, 1, 'groups after dispose');
  await other.close();
  t.equal((await station.info()).groups, 1, 'groups after close');
});

row('destroy of the last member removes a named group: it begins anew', { needs: ['groups', 'info'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 3);
  const consumer = await station.consumer({ consumerName: 'c' });
  await t.collect(consumer, 3);
  t.equal(await consumer.destroy(), undefined, 'destroy()');
  await t.until(async () => (await station.info()).groups === 0, 5000, 'no group after destroy');
  t.deepEqual(t.texts(await t.collect(await station.consumer({ consumerName: 'c' }), 3)), ['m0', 'm1', 'm2'], 'messages of the new group');
});

row('destroy of one member keeps the group for another of this connection', { needs: ['groups', 'info'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 4);
  const one = await station.consumer({ consumerName: 'a', consumerGroup: 'team' });
  const two = await station.consumer({ consumerName: 'b', consumerGroup: 'team' });
  await t.collect(one, 2);
  await one.destroy();
  t.equal((await station.info()).groups, 1, 'groups');
  t.deepEqual(t.texts(await t.collect(two, 2)), ['m2', 'm3'], 'what the other gets');
});

row('destroy of one member keeps the group for another connection that waits', { needs: ['groups', 'info'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2);
  const other = await t.connect();
  const one = await station.consumer({ consumerName: 'a', consumerGroup: 'team' });
  await t.collect(one, 2);
  const two = await other.consumer(station.name, { consumerName: 'b', consumerGroup: 'team' });
  const waiting = two.fetch({ batchSize: 1, batchMaxTimeToWaitMs: 15_000 });
  await two.position().catch(() => {});
  await one.destroy();
  await station.produce('after');
  t.deepEqual(t.texts(await t.within(10_000, waiting, 'the fetch of the other member')), ['after'], 'what the other gets');
});

row('calls on a destroyed consumer are closed', { needs }, async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  await consumer.destroy();
  await t.rejects(() => consumer.fetch({ noWait: true }), 'closed');
  await t.rejects(() => consumer.consume(() => {}), 'closed');
  await t.rejects(() => consumer[Symbol.asyncIterator]().next(), 'closed');
  t.equal(await t.within(2000, consumer.closed, 'closed'), undefined, 'closed');
  t.equal(await consumer.destroy(), undefined, 'destroy() again');
});

row('position: nothing at first, then the last sequence the group is done with', { needs }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 5);
  const consumer = await station.consumer({ consumerName: 'c' });
  t.equal(await consumer.position(), undefined, 'position at first');
  for (const message of await t.collect(consumer, 3, { ack: false })) await message.ack({ confirm: true });
  t.equal(await consumer.position(), 3n, 'position after three acks');
});

row('position needs a partition number where there are several', { needs: ['groups', 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  await t.fill(station, 3, undefined, { partitionNumber: 2 });
  const consumer = await station.consumer({ consumerName: 'c' });
  for (const message of await t.collect(consumer, 3, { ack: false })) await message.ack({ confirm: true });
  await t.rejects(() => consumer.position(), 'invalid_argument', { says: 'partition' });
  await t.rejects(() => consumer.position(3), 'invalid_argument', { says: 'partition' });
  t.equal(await consumer.position(1), undefined, 'position in partition 1');
  t.equal(await consumer.position(2), 3n, 'position in partition 2');
});

row("storing a position, broadcast, onActive are rabbitmq's", { brokers: ['memory', 'nats'] }, async (t) => {
  const { station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  await t.rejects(() => consumer.storePosition(1), 'not_supported');
  await t.rejects(() => station.consumer({ consumerName: 'd', broadcast: true }), 'not_supported', { says: 'broadcast' });
  await t.rejects(() => station.consumer({ consumerName: 'd', onActive: () => undefined }), 'not_supported', { says: 'onActive' });
  t.equal((await station.consumer({ consumerName: 'd', broadcast: false })).name, 'd', 'the default written out');
});

row('joining a group of the other kind is already_exists', { needs: ['groups', 'ack'] }, async (t) => {
  const { station } = await t.setup();
  await station.consumer({ consumerName: 'acking' });
  await station.consumer({ consumerName: 'taking', autoAck: true });
  await t.rejects(() => station.consumer({ consumerName: 'acking', autoAck: true }), 'already_exists');
  await t.rejects(() => station.consumer({ consumerName: 'taking' }), 'already_exists');
});

row('joining a group of the other kind from another connection is already_exists', { needs: ['groups', 'ack'] }, async (t) => {
  const { station } = await t.setup();
  await station.consumer({ consumerName: 'acking' });
  const other = await t.connect();
  await t.rejects(() => other.consumer(station.name, { consumerName: 'b', consumerGroup: 'acking', autoAck: true }), 'already_exists');
});
