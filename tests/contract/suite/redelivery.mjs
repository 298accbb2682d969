// Messages that come again, and those that never do.

import { topic } from '../kit/rows.mjs';

const row = topic('redelivery', 3);
const needs = ['ack'];

async function setup(t, consumerOptions, count = 1) {
  const { connection, station } = await t.setup({ sendPoisonMsgToDls: false });
  await t.fill(station, count);
  const consumer = await station.consumer({ consumerName: 'c', ...consumerOptions });
  return { connection, station, consumer };
}

row('nack: again at once, with one delivery more', { needs: ['nack'] }, async (t) => {
  const { consumer } = await setup(t);
  for (let deliveries = 1; deliveries <= 4; deliveries += 1) {
    const [message] = await t.collect(consumer, 1, { ack: false, ms: 3000 });
    t.equal(message.text(), 'm0', 'text');
    t.equal(message.sequence, 1, 'sequence');
    t.equal(message.deliveries, deliveries, 'deliveries');
    if (deliveries < 4) await message.nack();
    else await message.ack();
  }
});

row('nack: another member may get it', { needs: ['nack', 'groups'] }, async (t) => {
  const { station, consumer } = await setup(t, { consumerGroup: 'team' });
  const other = await station.consumer({ consumerName: 'd', consumerGroup: 'team' });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.nack();
  const [again] = await t.collect(other, 1);
  t.deepEqual([again.text(), again.deliveries], ['m0', 2], 'what the other member gets');
});

row('nack concerns its own group only', { needs: ['nack', 'groups'] }, async (t) => {
  const { station, consumer } = await setup(t);
  const other = await station.consumer({ consumerName: 'other' });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.nack();
  const [theirs] = await t.collect(other, 1);
  t.equal(theirs.deliveries, 1, 'deliveries in the other group');
  await t.nothing(other, 300);
});

row('a repeat comes between the others, first deliveries keep their order', { needs: ['nack'] }, async (t) => {
  const { consumer } = await setup(t, {}, 6);
  const [first, second] = await t.collect(consumer, 2, { ack: false });
  await first.nack();
  await second.ack();
  const rest = await t.collect(consumer, 5);
  const firsts = rest.filter((message) => message.deliveries === 1);
  t.deepEqual(t.texts(firsts), ['m2', 'm3', 'm4', 'm5'], 'first deliveries');
  t.deepEqual(rest.filter((message) => message.deliveries > 1).map((message) => `${message.text()}/${message.deliveries}`), ['m0/2'], 'repeats');
});

row('delay: again, and not before', { needs: ['delay'], waits: true }, async (t) => {
  const { consumer } = await setup(t);
  const [message] = await t.collect(consumer, 1, { ack: false });
  const began = t.now();
  await message.delay(1200);
  const [again] = await t.collect(consumer, 1);
  t.between(t.now() - began, 1150, 5000, 'milliseconds until it came again');
  t.deepEqual([again.text(), again.deliveries], ['m0', 2], 'what came');
});

row('delay: others overtake', { needs: ['delay'], waits: true }, async (t) => {
  const { consumer } = await setup(t, {}, 3);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.delay(1000);
  t.deepEqual(t.texts(await t.collect(consumer, 3)), ['m1', 'm2', 'm0'], 'the order');
});

row('delay 0 is at once', { needs: ['delay'] }, async (t) => {
  const { consumer } = await setup(t);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.delay(0);
  t.equal((await t.collect(consumer, 1, { ms: 3000 }))[0].deliveries, 2, 'deliveries');
});

row('delay may be longer than the ack time', { needs: ['delay'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxAckTimeMs: 500 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.delay(2500);
  await t.nothing(consumer, 1800);
  t.equal((await t.collect(consumer, 1))[0].deliveries, 2, 'deliveries');
});

row('not acked within maxAckTimeMs: delivered again, and not before', { needs, waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxAckTimeMs: 1000 });
  const began = t.now();
  const [message] = await t.collect(consumer, 1, { ack: false });
  t.equal(message.deliveries, 1, 'deliveries at first');
  const [again] = await t.collect(consumer, 1, { ack: false });
  t.between(t.now() - began, 900, 6000, 'milliseconds until it came again');
  t.deepEqual([again.text(), again.deliveries], ['m0', 2], 'what came');
  await again.ack();
  await t.nothing(consumer, 1800);
});

row('not acked in time: another member gets it', { needs: ['ack', 'groups'], waits: true }, async (t) => {
  const { station, consumer } = await setup(t, { consumerGroup: 'team', maxAckTimeMs: 800 });
  await t.collect(consumer, 1, { ack: false });
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'd', consumerGroup: 'team' });
  const [again] = await t.collect(other, 1);
  t.deepEqual([again.text(), again.deliveries], ['m0', 2], 'what the other member gets');
});

row('what a closed connection had not acked comes to others', { needs: ['ack', 'groups'], waits: true }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 3);
  const gone = await t.connect();
  await t.collect(await gone.consumer(station.name, { consumerName: 'c', maxAckTimeMs: 800 }), 3, { ack: false });
  await gone.close();
  const got = await t.collect(await connection.consumer(station.name, { consumerName: 'c' }), 3);
  t.deepEqual(t.texts(got).sort(), ['m0', 'm1', 'm2'], 'messages');
  t.ok(got.every((message) => message.deliveries === 2), `deliveries ${t.show(got.map((message) => message.deliveries))}`);
});

row('inProgress starts the ack time again', { needs: ['in_progress'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxAckTimeMs: 1200 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  for (let round = 0; round < 4; round += 1) {
    await t.nothing(consumer, 700);
    await message.inProgress();
  }
  await message.ack({ confirm: true });
  await t.nothing(consumer, 1800);
});

row('after inProgress alone the message comes again', { needs: ['in_progress'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxAckTimeMs: 900 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await t.nothing(consumer, 500);
  const began = t.now();
  await message.inProgress();
  const [again] = await t.collect(consumer, 1);
  t.between(t.now() - began, 800, 5000, 'milliseconds after inProgress');
  t.equal(again.deliveries, 2, 'deliveries');
});

row('maxMsgDeliveries: after that many nacks the group never sees it again', { needs: ['nack'] }, async (t) => {
  const { station, consumer } = await setup(t, { maxMsgDeliveries: 3 });
  for (let deliveries = 1; deliveries <= 3; deliveries += 1) {
    const [message] = await t.collect(consumer, 1, { ack: false, ms: 4000 });
    t.equal(message.deliveries, deliveries, 'deliveries');
    await message.nack();
  }
  await t.nothing(consumer, 800);
  await station.produce('next');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['next'], 'the next message');
});

row('maxMsgDeliveries 1: one try', { needs: ['nack'] }, async (t) => {
  const { consumer } = await setup(t, { maxMsgDeliveries: 1 }, 2);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.nack();
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'the next message');
  await t.nothing(consumer, 500);
});

row('maxMsgDeliveries counts ack times that ran out', { needs, waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxMsgDeliveries: 2, maxAckTimeMs: 600 });
  for (const deliveries of [1, 2]) t.equal((await t.collect(consumer, 1, { ack: false }))[0].deliveries, deliveries, 'deliveries');
  await t.nothing(consumer, 2500);
});

row('a delay on the last delivery does not bring it back', { needs: ['delay'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxMsgDeliveries: 1 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.delay(300);
  await t.nothing(consumer, 1500);
});

row('the limit of the group counts, whoever receives', { needs: ['nack', 'groups'] }, async (t) => {
  const { station, consumer } = await setup(t, { consumerGroup: 'team', maxMsgDeliveries: 2 });
  const other = await (await t.connect()).consumer(station.name, { consumerName: 'd', consumerGroup: 'team' });
  for (const member of [consumer, other]) {
    const [message] = await t.collect(member, 1, { ack: false });
    await message.nack();
  }
  await t.nothing(consumer, 400);
  await t.nothing(other, 400);
});

row('a dead message is dead for its group only', { needs: ['nack', 'groups'] }, async (t) => {
  const { station, consumer } = await setup(t, { maxMsgDeliveries: 1 });
  await (await t.collect(consumer, 1, { ack: false }))[0].nack();
  await t.nothing(consumer, 300);
  t.deepEqual(t.texts(await t.collect(await station.consumer({ consumerName: 'other' }), 1)), ['m0'], 'in another group');
});

row('deadLetter: the group never sees it again, at the first delivery already', { needs: ['nack'], waits: true }, async (t) => {
  const { consumer } = await setup(t, { maxAckTimeMs: 600 }, 2);
  const [message] = await t.collect(consumer, 1, { ack: false });
  t.equal(await message.deadLetter('cannot be read'), undefined, 'deadLetter()');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'the next message');
  await t.nothing(consumer, 1800);
});

row('deadLetter works for every station with the default options', { needs: ['nack'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2);
  const consumer = await station.consumer({ consumerName: 'c' });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.deadLetter('cannot be read');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'the next message');
  await t.nothing(consumer, 400);
});

row('resend puts the message into another station and settles it', { needs: ['resend'] }, async (t) => {
  const { connection, consumer } = await setup(t);
  const target = await t.station(connection);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.resend(target.name);
  t.deepEqual(t.texts(await t.collect(target, 1)), ['m0'], 'in the other station');
  await t.rejects(() => message.ack(), 'invalid_argument');
});

for (const [option, bad] of [['maxAckTimeMs', [0]], ['maxMsgDeliveries', [0]]]) {
  row(`${option} must be a sensible number, at least 1`, { needs }, async (t) => {
    const { station } = await t.setup();
    for (const value of [...bad, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
      await t.rejects(() => station.consumer({ consumerName: 'c', [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
    }
  });
}
