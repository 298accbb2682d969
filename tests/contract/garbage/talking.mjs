// Servers that go wrong after the login, and frames cut in every way.

import { topic } from '../kit/rows.mjs';

const row = topic('bad talk', 5);
const lively = { timeoutMs: 1500, reconnect: false };

async function talk(t, given, options) {
  const { url, id } = await t.control('standIn', given);
  t.ending(() => t.control('stopStandIn', id));
  return t.connect({ url, ...lively, ...options });
}

// Of every kind that a session knows, and of none; then a word that shows that they were read.
const UNASKED = [0, 2, 3, 8193, 8195, 2147483647, 4294901760, 4294967294, 4294967295]
  .flatMap((sid) => ['$KV.stationmaster_schemas.s.x', 'a'].map((subject) => `MSG ${subject} ${sid} $JS.ACK.a.b.1.2.3.4.5 1\r\nx\r\n`)).join('');

// [what comes, its bytes]: each breaks the protocol, so the link must end with `protocol`, and nothing may be left waiting.
for (const [what, text] of [
  ['a message of 2 GB', 'MSG _INBOX.a 1 2147483648\r\nhello'],
  ['a message of 2^53 bytes and more', 'MSG _INBOX.a 1 99999999999999999999\r\n'],
  ['a message of less than nothing', 'MSG _INBOX.a 1 -5\r\n'],
  ['a length that is no number', 'MSG _INBOX.a 1 five\r\nhello\r\n'],
  ['a header larger than its message', 'HMSG _INBOX.a 1 50 20\r\n'],
  ['a message without a length', 'MSG _INBOX.a\r\n'],
  ['a message that does not end where it says', 'MSG _INBOX.a 1 2\r\nhello\r\n'],
  ['an unknown word', 'WHAT is this\r\n'],
  ['messages that nobody asked for, and an unknown word', `${UNASKED}WHAT is this\r\n`],
  ['a line of a million letters', 'A'.repeat(1_000_000)],
  ['zero bytes', '\0\0\0\0\0\0\r\n'],
  ['an INFO that is no JSON', 'INFO {{{\r\n'],
]) {
  row(`${what}: the link ends with protocol`, async (t) => {
    const connection = await talk(t, { behaviour: 'after', text });
    const reason = await t.within(5000, connection.closed, 'closed');
    t.checkError(reason, 'protocol');
    t.equal(connection.isConnected(), false, 'isConnected()');
    await t.rejects(() => t.within(2000, connection.produce('st', 'x'), 'produce()'), ['closed', 'protocol', 'connection_lost']);
  });
}

row('half a message and then the end: connection_lost', async (t) => {
  const connection = await talk(t, { behaviour: 'afterCloses', text: 'MSG _INBOX.a 1 100\r\nhalf of it' });
  t.checkError(await t.within(5000, connection.closed, 'closed'), ['connection_lost', 'protocol']);
});

row('close while a request is not answered: the request rejects', async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: {} });
  const outcome = t.outcome(connection.station('st'));
  await t.turn();
  await t.within(7000, connection.close(), 'close()');
  t.checkError((await t.within(1000, outcome, 'station()')).reason, ['closed', 'connection_lost', 'timeout']);
});

row('a server that never answers requests: timeout, retryable', { waits: true }, async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: {} });
  const began = t.now();
  await t.rejects(t.within(15_000, connection.station('st'), 'station()'), 'timeout', { retryable: true });
  t.between(t.now() - began, 1000, 14_000, 'milliseconds');
});

row('an answer that is no JSON is protocol', async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API': '{"type":"io.nats' } });
  await t.rejects(t.within(8000, connection.station('st'), 'station()'), 'protocol');
});

row('an answer that is JSON, but of another kind, is protocol', async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API': '[1,"two"]' } });
  await t.rejects(t.within(8000, connection.station('st'), 'station()'), 'protocol');
});

row('an error the client has never heard of is rejected, with its code and text as data', async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API': '{"error":{"code":418,"err_code":19999,"description":"short and stout"}}' } });
  const error = await t.rejects(t.within(8000, connection.station('st'), 'station()'), ['rejected', 'not_supported']);
  t.ok(error.serverCode === 19999 || `${error.message}${error.serverCode}`.includes('short and stout'), `serverCode: ${t.show(error)}`);
});

for (const [what, body] of [['no JSON', '{"stream":"st","seq'], ['a sequence of nothing', '{"stream":"st","seq":0}'], ['no stream', '{"seq":5}'], ['another thing', '"ok"']]) {
  row(`a receipt that is ${what}: one typed outcome`, async (t) => {
    const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API': FOUND, 'stations.': body } });
    const producer = await t.within(8000, connection.producer('st'), 'producer()');
    await t.rejects(t.within(8000, producer.produce('x', { ackWaitMs: 2000 }), 'produce()'), ['protocol', 'timeout']);
  });
}

row('two receipts for one message: the second is ignored, the next message gets its own', async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API': FOUND, 'stations.': ['{"stream":"st","seq":7}', '{"stream":"st","seq":8}'] } });
  const producer = await t.within(8000, connection.producer('st'), 'producer()');
  t.equal((await producer.produce('x')).sequence, 7, 'sequence');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('no receipt at all: timeout, maybeDelivered', { waits: true }, async (t) => {
  const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API': FOUND } });
  const producer = await t.within(8000, connection.producer('st'), 'producer()');
  const began = t.now();
  await t.rejects(producer.produce('x', { ackWaitMs: 1000 }), 'timeout', { maybeDelivered: true });
  t.between(t.now() - began, 900, 4000, 'milliseconds');
});

row('messages for nobody are ignored', async (t) => {
  const connection = await talk(t, { behaviour: 'after', text: 'MSG who.knows 99 5\r\nhello\r\nMSG _INBOX.nobody.zz 1 5\r\nhello\r\n+OK\r\nPING\r\n' });
  t.ok((await t.within(3000, connection.ping(), 'ping()')).rttMs >= 0, 'rttMs');
});

// An existing station of one partition, as a server would describe it.
const FOUND = JSON.stringify({
  type: 'io.nats.jetstream.api.v1.stream_info_response',
  config: { name: 'st', subjects: ['stations.st.1'], retention: 'limits', storage: 'file', num_replicas: 1, discard: 'old', max_age: 604800000000000, max_msgs: -1, max_bytes: -1,
    duplicate_window: 120000000000, allow_direct: true,
    metadata: { 'stationmaster.v': '1', 'stationmaster.station': 'st', 'stationmaster.partition': '1', 'stationmaster.partitions': '1' } },
  created: '2026-11-21T06:46:20.356647225Z',
  state: { messages: 0, bytes: 0, first_seq: 0, first_ts: '0001-01-01T00:00:00Z', last_seq: 0, last_ts: '0001-01-01T00:00:00Z', consumer_count: 0 },
});

// ---- frames ----

async function through(t, given) {
  const { url, id } = await t.control('goBetween', { target: t.url, ...given });
  t.ending(() => t.control('stopStandIn', id));
  return { id, connection: await t.connect({ url, timeoutMs: 10_000 }) };
}

for (const [what, given] of [['one byte each', { cut: 1 }], ['two bytes each', { cut: 2 }], ['seven bytes each', { cut: 7 }], ['a hundred bytes each', { cut: 100 }], ['all until a ping is answered in one', { gather: true }]]) {
  row(`frames of ${what}: produce, fetch and consume as ever`, async (t) => {
    const { id, connection } = await through(t, given);
    const station = await connection.station(t.name(), { partitionsNumber: 2 });
    const bodies = Array.from({ length: 30 }, (_, index) => `${index}:\r\nMSG x 1 3\r\n${'x'.repeat(index * 20)}`);
    const receipts = await t.fill(station, bodies.length, (index) => bodies[index], { headers: { 'a-header': 'with: colons' } });
    t.equal(receipts.length, bodies.length, 'receipts');
    const got = await t.collect(await station.consumer({ consumerName: 'f' }), bodies.length, { ms: 15_000 });
    t.deepEqual(t.texts(got).sort(), [...bodies].sort(), 'fetched');
    t.ok(got.every((message) => message.headers['a-header'] === 'with: colons'), 'headers');
    const consumer = await station.consumer({ consumerName: 'c', autoAck: true });
    const seen = [];
    for await (const message of consumer) { seen.push(message.text()); if (seen.length === bodies.length) break; }
    t.deepEqual(seen.sort(), [...bodies].sort(), 'consumed');
    if (given.gather) t.ok((await t.control('counts', id)).gathered > 0, 'some frames came in one');
  });
}

// [the server's code, its text]: a stream that cannot be reached now, and may be again.
for (const [code, description] of [[10118, 'stream is offline'], [10194, 'stream is offline: unsupported - required API level: 9, current API level: 5'], [10195, 'consumer is offline: x']]) {
  row(`a stream that is offline (${code}) is told as such, retryable`, { waits: true }, async (t) => {
    const body = JSON.stringify({ type: 'x', error: { code: 500, err_code: code, description } });
    const connection = await talk(t, { behaviour: 'answers', answers: { '$JS.API.STREAM': body } });
    for (const action of [() => connection.station('st'), () => connection.produce('st', 'x'), async () => { for await (const info of connection.stations()) t.show(info); }]) {
      await t.rejects(t.within(15_000, t.outcome(action()).then(({ value, reason, error }) => { if (error) throw reason; return value; }), 'the call'), ['timeout', 'rejected'], { retryable: true, serverCode: code, says: 'offline' });
    }
  });
}
