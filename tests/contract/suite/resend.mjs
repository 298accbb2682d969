// A message that goes to another station, and is settled by that.

import { topic } from '../kit/rows.mjs';

const row = topic('resend', 3);
const needs = ['resend', 'ack'];

async function setup(t) {
  const { connection, station } = await t.setup();
  await station.produce('payload', { headers: { kind: 'k' } });
  const consumer = await station.consumer({ consumerName: 'c', maxAckTimeMs: 1500 });
  const target = await t.station(connection);
  const [message] = await t.collect(consumer, 1, { ack: false });
  return { connection, station, consumer, target, message };
}

row('the message with its headers, then it is settled', { needs, waits: true }, async (t) => {
  const { consumer, target, message } = await setup(t);
  t.equal(await message.resend(target.name), undefined, 'resend()');
  const [copy] = await t.collect(target, 1);
  t.equal(copy.text(), 'payload', 'text');
  t.deepEqual({ ...copy.headers }, { kind: 'k' }, 'headers');
  await t.rejects(() => message.ack(), 'invalid_argument');
  await t.rejects(() => message.resend(target.name), 'invalid_argument');
  await t.nothing(consumer, 2500);
});

row('another message instead, with options of its own', { needs }, async (t) => {
  const { target, message } = await setup(t);
  await message.resend(target.name, { other: true }, { headers: { a: 'b' }, msgId: 'given' });
  const [copy] = await t.collect(target, 1);
  t.deepEqual([copy.json(), { ...copy.headers }, copy.msgId], [{ other: true }, { a: 'b' }, 'given'], 'what came');
});

row('into its own station: at the end, as a new message', { needs }, async (t) => {
  const { station, consumer, message } = await setup(t);
  await station.produce('between');
  await message.resend(station.name);
  const got = await t.collect(consumer, 2);
  t.deepEqual(got.map((each) => `${each.text()} ${each.sequence} ${each.deliveries}`), ['between 2 1', 'payload 3 1'], 'messages');
});

row('a station that is not there is not made by it; the message stays unsettled', { needs }, async (t) => {
  const { connection, consumer, message, target } = await setup(t);
  const name = t.name();
  await t.rejects(() => message.resend(name), 'no_such_station', { station: name });
  t.equal((await connection.station(name)).existed, false, 'existed');
  await message.resend(target.name);
  t.equal((await t.collect(target, 1)).length, 1, 'copies');
  await t.nothing(consumer, 300);
});

for (const [what, args, code] of [
  ['a name that is not allowed', ['a b'], 'invalid_argument'],
  ['no name', [undefined], 'invalid_argument'],
  ['a payload that is none', [undefined, 7], 'invalid_argument'],
  ['an option that is none', [undefined, undefined, { nonsense: 1 }], 'invalid_argument'],
  ['a payload that is too large', [undefined, undefined], 'too_large'],
]) {
  row(`${what}: refused, and the message stays unsettled`, { needs, waits: true }, async (t) => {
    const { connection, consumer, target, message } = await setup(t);
    const [station, ...rest] = args;
    if (code === 'too_large') rest[0] = new Uint8Array((await connection.ping()).maxPayloadBytes ?? 2 * 1024 * 1024);
    await t.rejects(() => message.resend(what.endsWith('name') || what.startsWith('a name') ? station : target.name, ...rest), code);
    const [again] = await t.collect(consumer, 1);
    t.deepEqual([again.text(), again.deliveries], ['payload', 2], 'what comes again');
  });
}

row('a repeat of the same message does not store it twice', { needs: [...needs, 'msg_id'], waits: true }, async (t) => {
  const { consumer, target, message } = await setup(t);
  await t.rejects(() => message.resend(target.name, undefined, { nonsense: 1 }), 'invalid_argument');
  await message.resend(target.name);
  t.equal((await t.collect(target, 1)).length, 1, 'copies');
  await t.nothing(consumer, 2000);
  await t.nothing(target, 300);
});

row('what resend() is given counts as it is at the call; what cannot be read is refused, and the message stays unsettled', { needs }, async (t) => {
  const { target, message } = await setup(t);
  const thrown = new Error('not readable');
  const fail = () => { throw thrown; };
  for (const options of [{ get msgId() { return fail(); } }, { headers: { get a() { return fail(); } } }, new Proxy({}, { ownKeys: fail })]) {
    t.ok((await t.rejects(() => message.resend(target.name, 'x', options), 'invalid_argument')).cause === thrown, 'the cause');
  }
  t.ok((await t.rejects(() => message.resend(target.name, { toJSON: fail }), 'invalid_argument')).cause === thrown, 'the cause of a payload');
  for (const options of [7, 'x', true, ['x'], [], new Map()]) await t.rejects(() => message.resend(target.name, 'x', options), 'invalid_argument', { says: 'object', for: t.show(options) });
  await t.rejects(() => message.resend(target.name, null), 'invalid_argument', { says: 'null' });
  const bytes = new TextEncoder().encode('before');
  const options = { headers: { a: 'before' } };
  const sent = message.resend(target.name, bytes, options);
  bytes.fill(0);
  options.headers.a = 'after';
  options.nonsense = 1;
  await sent;
  const [got] = await t.collect(target, 1);
  t.deepEqual([got.text(), got.headers.a], ['before', 'before'], 'what was sent');
});
