// Live messages and questions: ours for nats.js, and those of nats.js for us.

import { topic } from '../kit/rows.mjs';

const row = topic('interop', 8);
const bytes = (text) => Array.from(new TextEncoder().encode(text));

async function fresh(t) {
  return { connection: await t.connect(), channel: t.name('ch') };
}

row('they hear what we publish, with headers, id and metadata', async (t) => {
  const { connection, channel } = await fresh(t);
  const ear = await t.control('subscribe', `${channel}.*`);
  await connection.publish(`${channel}.a`, 'größer');
  await connection.publish(`${channel}.b`, Uint8Array.from([0, 13, 10, 255]), { headers: { 'x-a': 'two words' }, id: 'id-1', metadata: 'beside' });
  await connection.publish(`${channel}.c`, { a: 1 });
  const heard = await t.until(async () => {
    const all = await t.control('heard', ear);
    return all.length === 3 ? all : undefined;
  }, 5000, 'three messages');
  t.deepEqual(heard[0], { subject: `${channel}.a`, data: bytes('größer'), headers: {} }, 'a text');
  t.deepEqual(heard[1], { subject: `${channel}.b`, data: [0, 13, 10, 255], headers: { 'Nats-Msg-Id': 'id-1', 'x-a': 'two words', 'X-Metadata': 'beside' } }, 'bytes with all that goes along');
  t.deepEqual(heard[2], { subject: `${channel}.c`, data: bytes('{"a":1}'), headers: {} }, 'JSON');
});

row('we hear what they publish', async (t) => {
  const { connection, channel } = await fresh(t);
  const subscription = await connection.subscribe(`${channel}.>`);
  await t.control('publish', `${channel}.a.b`, 'größer', { 'X-Theirs': 'a: b', 'Nats-Msg-Id': 'id-2' });
  const { value } = await t.within(5000, subscription[Symbol.asyncIterator]().next(), 'next()');
  t.deepEqual([value.channel, value.text(), { ...value.headers }, value.id], [`${channel}.a.b`, 'größer', { 'X-Theirs': 'a: b' }, 'id-2'], 'the message');
});

row('one group of both clients: each message goes to one of them', async (t) => {
  const { connection, channel } = await fresh(t);
  const ours = [];
  await connection.subscribe(channel, { group: 'both' }, (message) => { ours.push(message.text()); });
  const ear = await t.control('subscribe', channel, 'both');
  for (let index = 0; index < 60; index += 1) await connection.publish(channel, `m${index}`);
  await t.until(async () => ours.length + (await t.control('heard', ear)).length >= 60, 5000, 'all messages');
  const theirs = await t.control('heard', ear);
  t.equal(ours.length + theirs.length, 60, 'messages');
  t.ok(ours.length > 0 && theirs.length > 0, `both hear some: ${ours.length} and ${theirs.length}`);
});

row('they answer us', async (t) => {
  const { connection, channel } = await fresh(t);
  await t.control('respond', channel, [{ text: 're {}', headers: { 'x-a': 'b' } }]);
  const reply = await connection.request(channel, 'us');
  t.deepEqual([reply.text(), { ...reply.headers }, reply.executed, reply.error], ['re us', { 'x-a': 'b' }, true, undefined], 'the answer');
});

row('a failure of their services is executed: false with its text', async (t) => {
  const { connection, channel } = await fresh(t);
  await t.control('respond', channel, [{ text: '', headers: { 'Nats-Service-Error': 'bad request', 'Nats-Service-Error-Code': '400' } }]);
  const reply = await connection.request(channel, 'x');
  t.deepEqual([reply.executed, reply.error, reply.data.length, { ...reply.headers }], [false, 'bad request', 0, {}], 'the answer');
});

row('a responder that answers twice: the first answer counts, the second disturbs nobody', async (t) => {
  const { connection, channel } = await fresh(t);
  await t.control('respond', channel, [{ text: 'first {}' }, { text: 'second {}' }]);
  for (const text of ['a', 'b', 'c']) t.equal((await connection.request(channel, text)).text(), `first ${text}`, 'the answer');
  const replies = await Promise.all(Array.from({ length: 100 }, (_, index) => connection.request(channel, `${index}`)));
  t.deepEqual(t.texts(replies), Array.from({ length: 100 }, (_, index) => `first ${index}`), 'answers');
});

row('we answer them, and fail as their services do', async (t) => {
  const { connection, channel } = await fresh(t);
  await connection.respond(channel, (request) => {
    if (request.text() === 'bad') throw new Error('no such thing');
    request.answer.headers = { 'x-a': request.headers['x-q'] };
    return `re ${request.text()}`;
  });
  const answer = await t.control('request', channel, 'them', { 'x-q': 'why' });
  t.deepEqual([answer.data, answer.headers], [bytes('re them'), { 'x-a': 'why' }], 'the answer');
  const failed = await t.control('request', channel, 'bad');
  t.deepEqual([failed.data, failed.headers], [[], { 'Nats-Service-Error': 'no such thing', 'Nats-Service-Error-Code': '500' }], 'the failure');
});
