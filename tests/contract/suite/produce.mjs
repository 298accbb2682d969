// One message: its payload, its headers, its receipt.

import { topic } from '../kit/rows.mjs';

const row = topic('produce', 2);

async function roundTrip(t, payload, options) {
  const { station } = await t.setup();
  await station.produce(payload, options);
  const [message] = await t.collect(station, 1);
  return message;
}

row('the receipt tells where the message is', async (t) => {
  const { station } = await t.setup();
  const receipt = await station.produce('hello');
  t.equal(receipt.station, station.name, 'station');
  t.equal(receipt.partition, 1, 'partition');
  t.equal(receipt.sequence, 1, 'sequence');
  t.equal(receipt.duplicate, false, 'duplicate');
  t.equal(receipt.msgId, undefined, 'msgId');
});

row('sequences rise', async (t) => {
  const { station } = await t.setup();
  const sequences = [];
  for (let index = 0; index < 5; index += 1) sequences.push((await station.produce('x')).sequence);
  t.deepEqual(sequences, [1, 2, 3, 4, 5], 'sequences');
});

row('the promise resolves when the message is stored: whoever looks then finds it', async (t) => {
  const { station } = await t.setup();
  const other = await t.connect();
  for (let index = 0; index < 5; index += 1) {
    await station.produce(`m${index}`);
    t.deepEqual(t.texts(await other.fetch(station.name, { consumerName: 'look', batchSize: 1, batchMaxTimeToWaitMs: 3000 })), [`m${index}`], 'found');
  }
});

for (const [what, payload, text] of [
  ['a string as UTF-8', 'grüße 🙂', 'grüße 🙂'],
  ['an empty string', '', ''],
  ['an object as JSON', { a: 1, b: ['x', null], c: { d: 'ü' } }, '{"a":1,"b":["x",null],"c":{"d":"ü"}}'],
  ['an array as JSON', [1, 2, { three: 3 }], '[1,2,{"three":3}]'],
  ['bytes as they are', new TextEncoder().encode('bytes'), 'bytes'],
  ['an ArrayBuffer as it is', new TextEncoder().encode('buffer').buffer, 'buffer'],
  ['empty bytes', new Uint8Array(0), ''],
  ['bytes that look like the wire', 'x\r\nPUB a 1\r\ny\r\nMSG a 1 0\r\n\r\n', 'x\r\nPUB a 1\r\ny\r\nMSG a 1 0\r\n\r\n'],
]) {
  row(`${what}`, async (t) => {
    const message = await roundTrip(t, payload);
    t.equal(message.text(), text, 'text');
    t.equal(message.data.length, new TextEncoder().encode(text).length, 'length');
  });
}

row('every byte value travels', async (t) => {
  const all = Uint8Array.from({ length: 1024 }, (_, index) => index & 255);
  t.deepEqual((await roundTrip(t, all)).copy(), all, 'bytes');
});

row('a view sends its own part of the buffer only', async (t) => {
  const whole = Uint8Array.from({ length: 100 }, (_, index) => index);
  t.deepEqual((await roundTrip(t, whole.subarray(10, 20))).copy(), whole.slice(10, 20), 'bytes');
});

row('the bytes are copied at the call', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  const bytes = new Uint8Array([1, 2, 3]);
  const first = producer.produce(bytes);
  bytes.fill(9);
  const second = producer.produce(bytes);
  bytes.fill(7);
  await Promise.all([first, second]);
  const got = await t.collect(station, 2);
  t.deepEqual(got.map((message) => [...message.data]), [[1, 2, 3], [9, 9, 9]], 'bytes');
});

row('payloads of many sizes arrive whole and in order', async (t) => {
  const { station } = await t.setup();
  const sizes = [0, 1, 127, 128, 129, 1000, 4095, 4096, 4097, 10_000, 65_535, 65_536, 65_537, 131_072, 200_000, 500_000];
  const make = (size) => Uint8Array.from({ length: size }, (_, index) => (index * 7 + size) & 255);
  await t.fill(station, sizes.length, (index) => make(sizes[index]));
  const got = await t.collect(station, sizes.length);
  for (const [index, message] of got.entries()) t.deepEqual(message.copy(), make(sizes[index]), `message of ${sizes[index]} bytes`);
});

for (const [what, make] of [
  ['a number', () => 5], ['null', () => null], ['undefined', () => undefined], ['a function', () => () => 1], ['a Promise', () => Promise.resolve('x')],
  ['a Map', () => new Map([[1, 2]])], ['a Set', () => new Set([1])], ['a Blob', () => new Blob(['x'])], ['a boolean', () => true], ['a symbol', () => Symbol('x')], ['a bigint', () => 5n],
]) {
  row(`${what} is no payload`, async (t) => {
    const { connection, station } = await t.setup();
    const producer = await station.producer();
    await t.rejects(() => connection.produce(station.name, make()), 'invalid_argument');
    await t.rejects(() => producer.produce(make()), 'invalid_argument');
    t.equal((await producer.produce('a good one')).sequence, 1, 'sequence of the next: nothing was stored');
  });
}

row('an object that refers to itself is no payload', async (t) => {
  const { station } = await t.setup();
  const circle = {};
  circle.self = circle;
  await t.rejects(() => station.produce(circle), 'invalid_argument');
  t.equal((await station.produce('a good one')).sequence, 1, 'sequence of the next');
});

// ---- headers ----

row('headers travel, with their case and nothing added', async (t) => {
  const headers = { 'Content-Type': 'text/plain', trace: 'a:b c;d=e', UPPER: '1', lower: '2', 'x-long': 'y'.repeat(2000) };
  t.deepEqual({ ...(await roundTrip(t, 'x', { headers })).headers }, headers, 'headers');
});

row('a message without headers has none', async (t) => {
  t.deepEqual({ ...(await roundTrip(t, 'x')).headers }, {}, 'headers');
  t.deepEqual({ ...(await roundTrip(t, 'x', { headers: {} })).headers }, {}, 'headers of an empty list');
});

row('names that differ in case are two headers, and an empty value is a value', async (t) => {
  const headers = { k: 'small', K: 'large', empty: '' };
  t.deepEqual({ ...(await roundTrip(t, 'x', { headers })).headers }, headers, 'headers');
});

row('fifty headers travel', async (t) => {
  const headers = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`h${index}`, `value ${index}`]));
  t.deepEqual({ ...(await roundTrip(t, '', { headers })).headers }, headers, 'headers');
});

row('headers do not leak into the payload or the msgId', async (t) => {
  const message = await roundTrip(t, 'body', { headers: { a: 'b' }, msgId: 'id-1' });
  t.equal(message.text(), 'body', 'text');
  t.deepEqual({ ...message.headers }, { a: 'b' }, 'headers');
  t.equal(message.msgId, 'id-1', 'msgId');
});

for (const [what, headers] of [
  ['a line break in a value', { a: 'b\r\nc: d' }], ['a lone LF in a value', { a: 'b\nc' }], ['a lone CR in a value', { a: 'b\rc' }], ['a zero byte in a value', { a: 'b\0c' }],
  ['a line break in a name', { 'a\r\nb': 'c' }], ['a colon in a name', { 'a:b': 'c' }], ['a blank in a name', { 'a b': 'c' }], ['an empty name', { '': 'c' }],
  ['a name that is not ASCII', { größe: '1' }], ['a value that is not ASCII', { size: 'groß' }], ['a value that is a number', { a: 1 }], ['a value that is null', { a: null }],
]) {
  row(`headers: ${what} is refused`, async (t) => {
    const { station } = await t.setup();
    await t.rejects(() => station.produce('x', { headers }), 'invalid_argument', { says: 'eader' });
    t.equal((await station.produce('a good one')).sequence, 1, 'sequence of the next: nothing was stored');
  });
}

row('headers that are no object are refused', async (t) => {
  const { station } = await t.setup();
  for (const headers of ['a: b', 5, ['a', 'b'], true]) await t.rejects(() => station.produce('x', { headers }), 'invalid_argument', { says: 'eader', for: t.show(headers) });
});

row("headers that would command the server are refused", { brokers: ['nats'] }, async (t) => {
  const { station } = await t.setup();
  for (const name of ['Nats-Msg-Id', 'nats-ttl', 'NATS-Expected-Stream', 'Nats-Rollup']) {
    await t.rejects(() => station.produce('x', { headers: { [name]: '1' } }), 'invalid_argument', { says: name, for: name });
  }
});

// ---- size ----

row('a message of exactly what the broker takes is stored', { brokers: ['nats'] }, async (t) => {
  const { connection, station } = await t.setup();
  const { maxPayloadBytes } = await connection.ping();
  t.equal(typeof maxPayloadBytes, 'number', 'maxPayloadBytes');
  await station.produce(new Uint8Array(maxPayloadBytes));
  const [message] = await t.collect(station, 1);
  t.equal(message.data.length, maxPayloadBytes, 'length');
});

row('a message larger than the broker takes is too_large, and the link lives', { brokers: ['nats'] }, async (t) => {
  const { connection, station } = await t.setup();
  const { maxPayloadBytes } = await connection.ping();
  const producer = await station.producer();
  await t.rejects(() => producer.produce(new Uint8Array(maxPayloadBytes + 1)), 'too_large', { station: station.name });
  await t.rejects(() => producer.produce(new Uint8Array(maxPayloadBytes), { headers: { a: 'b' } }), 'too_large');
  await t.rejects(() => producer.produce(new Uint8Array(maxPayloadBytes), { msgId: 'also in the header' }), 'too_large');
  t.equal((await producer.produce('small')).sequence, 1, 'sequence of the next');
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});

row('more headers than the broker takes are too_large', { brokers: ['nats'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(station.produce('x', { headers: { a: 'b'.repeat(70_000) } }), 'too_large');
  t.equal((await station.produce('small')).sequence, 1, 'sequence of the next');
});

row("the broker's refusal is rejected, with its own code as data", { brokers: ['nats'] }, async (t) => {
  const { station } = await t.setup({ extra: { discard: 'new', max_msgs: 2 } });
  await t.fill(station, 2);
  await t.rejects(station.produce('one too many'), 'rejected', { retryable: true, serverCode: 10077, station: station.name });
  const [first] = await t.collect(station, 1);
  t.equal(first.text(), 'm0', 'the first message');
});

// ---- waitForAck ----

row('waitForAck false resolves and the message is stored all the same', async (t) => {
  const { station } = await t.setup();
  for (let index = 0; index < 5; index += 1) await station.produce(`m${index}`, { waitForAck: false });
  t.deepEqual(t.texts(await t.collect(station, 5)), ['m0', 'm1', 'm2', 'm3', 'm4'], 'messages');
});

row('a failure after waitForAck false shows in status(), once for all of a turn', { brokers: ['nats'] }, async (t) => {
  const { connection, station } = await t.setup({ extra: { discard: 'new', max_msgs: 1 } });
  const producer = await station.producer();
  await producer.produce('fits');
  const status = connection.status()[Symbol.asyncIterator]();
  const ids = ['a', 'b', 'c'];
  await Promise.all(ids.map((msgId) => producer.produce('too many', { waitForAck: false, msgId })));
  let messages = 0;
  const seen = [];
  while (messages < ids.length) {
    const { value } = await t.within(10_000, status.next(), 'status()');
    if (value.type !== 'produce_failed') continue;
    t.equal(value.station, station.name, 'station');
    t.checkError(value.error, 'rejected');
    messages += value.messages;
    seen.push(...(value.msgIds ?? []));
  }
  t.equal(messages, ids.length, 'messages that failed');
  t.deepEqual(seen.sort(), ids, 'msgIds');
});

row('waitForAck false: what is wrong with the call itself still rejects', async (t) => {
  const { station } = await t.setup();
  await t.rejects(() => station.produce(5, { waitForAck: false }), 'invalid_argument');
  await t.rejects(() => station.produce('x', { waitForAck: false, partitionNumber: 2 }), 'invalid_argument');
});

row('waitForAck false: flush waits for the outcome', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  for (let index = 0; index < 20; index += 1) await producer.produce(`m${index}`, { waitForAck: false });
  t.equal(await producer.flush(), undefined, 'flush()');
  t.equal((await producer.produce('last')).sequence, 21, 'sequence');
});

// ---- the options of one message ----

for (const option of ['ackWaitMs', 'limitConcurrentTasks', 'partitionNumber']) {
  row(`${option} must be a sensible number`, async (t) => {
    const { station } = await t.setup();
    const producer = await station.producer();
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
      await t.rejects(() => producer.produce('x', { [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
    }
    t.equal((await producer.produce('x')).sequence, 1, 'sequence of the next: nothing was stored');
  });
}

row('every option of produce is accepted with its default written out', async (t) => {
  const { station } = await t.setup();
  const receipt = await station.produce('x', {
    headers: undefined, msgId: undefined, partitionKey: undefined, partitionNumber: undefined, ackWaitMs: 15000, waitForAck: true, limitConcurrentTasks: 500,
    expirationMs: undefined, delayMs: undefined, maxMsgDeliveries: undefined, deadLetterStation: undefined, filterValue: undefined, publishingId: undefined,
    amqp: undefined, metadata: undefined, signal: undefined, producerName: undefined, autoMsgId: false, deduplicate: false, routing: 'hash',
  });
  t.equal(receipt.sequence, 1, 'sequence');
});

row('an unknown option of produce names the nearest known one', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  await t.rejects(() => producer.produce('x', { msgid: '1' }), 'invalid_argument', { says: ['msgid', 'msgId'] });
  await t.rejects(() => station.produce('x', { header: {} }), 'invalid_argument', { says: ['header', 'headers'] });
  t.equal((await station.produce('x')).sequence, 1, 'sequence of the next: nothing was stored');
});

row('expirationMs is not_supported where it is not offered', { without: ['expiration'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(station.produce('x', { expirationMs: 5000 }), 'not_supported', { says: 'expirationMs' });
  t.equal((await station.produce('x')).sequence, 1, 'sequence of the next: nothing was stored');
});

row('delayMs is not_supported where it is not offered', { without: ['delayed_produce'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(station.produce('x', { delayMs: 5000 }), 'not_supported', { says: 'delayMs' });
});

row("what only other brokers have is not_supported", { brokers: ['memory', 'nats'] }, async (t) => {
  const { station } = await t.setup();
  for (const [option, value] of [['deadLetterStation', 'dead'], ['filterValue', 'v'], ['publishingId', 7], ['amqp', { header: { durable: true } }], ['metadata', 'text'], ['maxMsgDeliveries', 3]]) {
    if (option === 'filterValue' && (await t.connect()).capabilities.has('filters')) continue;
    await t.rejects(station.produce('x', { [option]: value }), 'not_supported', { says: option, for: option });
  }
});

// ---- payloads, headers and options with a will of their own ----

const handedOn = () => {
  const bytes = new Uint8Array(5);
  structuredClone(bytes, { transfer: [bytes.buffer] });
  return bytes;
};
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};

for (const [what, make] of [
  ['bytes whose buffer was handed on', handedOn],
  ['a buffer that was handed on', () => handedOn().buffer],
  ['a proxy around bytes', () => new Proxy(new Uint8Array(3), {})],
  ['a proxy that is over', revoked],
  ['a getter of then that throws', () => ({ get then() { throw new Error('then'); } })],
  ['a getter that throws', () => ({ get total() { throw new Error('total'); } })],
  ['a toJSON that throws nothing', () => ({ toJSON() { throw null; } })],
  ['a toJSON whose error throws', () => ({ toJSON() { throw { toString() { throw new Error('again'); } }; } })],
]) {
  row(`${what}: no payload, and the connection goes on`, async (t) => {
    const { connection, station } = await t.setup();
    const producer = await station.producer();
    await t.rejects(() => station.produce(make()), 'invalid_argument', { for: 'produce()' });
    await t.rejects(() => producer.produce(make()), 'invalid_argument', { for: 'produce() of a producer' });
    await t.rejects(() => producer.produce(make(), { headers: { a: '1' } }), 'invalid_argument', { for: 'with headers' });
    const { reason } = await t.outcome(producer.produceBatch(['a', make()]));
    t.deepEqual(reason?.outcomes?.map((each) => each.code ?? each.sequence), [1, 'invalid_argument'], 'outcomes of a batch');
    if (connection.capabilities.has('live')) await t.rejects(() => connection.publish(t.name(), make()), 'invalid_argument', { for: 'publish()' });
    t.equal((await station.produce('x')).sequence, 2, 'the next message');
  });
}

row('what has the bytes of others or says nothing as JSON is no payload', async (t) => {
  const { station } = await t.setup();
  const others = typeof SharedArrayBuffer === 'function' ? [new SharedArrayBuffer(4)] : [];
  for (const payload of [new FormData(), new ReadableStream(), ...others]) await t.rejects(() => station.produce(payload), 'invalid_argument', { for: t.show(payload) });
});

row('headers whose values are no texts, or that are no plain object, are refused: none is lost unseen', async (t) => {
  const { connection, station } = await t.setup();
  const producer = await station.producer();
  for (const headers of [{ a: undefined }, { a: null }, { a: new String('x') }, new Map([['a', 'b']]), new Headers({ a: 'b' }), new Set(), ['a']]) {
    await t.rejects(() => station.produce('x', { headers }), 'invalid_argument', { says: 'header', for: t.show(headers) });
    await t.rejects(() => producer.produce('x', { headers }), 'invalid_argument', { says: 'header', for: t.show(headers) });
    await t.rejects(() => producer.produceBatch(['x'], { headers }), 'invalid_argument', { says: 'header', for: t.show(headers) });
    if (connection.capabilities.has('live')) await t.rejects(() => connection.publish(t.name(), 'x', { headers }), 'invalid_argument', { says: 'header', for: t.show(headers) });
  }
  t.equal((await station.produce('x')).sequence, 1, 'the first message');
});

row('a signal that is aborted already: the error says that nothing was stored', async (t) => {
  const { station } = await t.setup();
  const producer = await station.producer();
  for (const each of [producer, station]) await t.rejects(() => each.produce('x', { signal: AbortSignal.abort() }), 'aborted', { maybeDelivered: false });
  await t.rejects(() => producer.produceBatch(['x'], { signal: AbortSignal.abort() }), 'aborted', { maybeDelivered: false });
});
