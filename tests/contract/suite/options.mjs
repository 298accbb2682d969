// Options of stations, and what is left to brokers that offer it.

import { topic } from '../kit/rows.mjs';

const row = topic('options', '1 and 5');

row('an unknown option of a station names the nearest known one', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await t.rejects(() => connection.station(name, { partitionNumber: 3 }), 'invalid_argument', { says: ['partitionNumber', 'partitionsNumber'] });
  await t.rejects(() => connection.station(name, { retentiontype: 'messages' }), 'invalid_argument', { says: ['retentiontype', 'retentionType'] });
  t.equal((await connection.station(name)).existed, false, 'existed');
});

row('an unknown option of consume names the nearest known one', async (t) => {
  const { connection, station } = await t.setup();
  await t.rejects(() => connection.consume(station.name, { consumerName: 'c', prefetchMessage: 5 }), 'invalid_argument', { says: ['prefetchMessage', 'prefetchMessages'] });
  const consumer = await station.consumer({ consumerName: 'c' });
  await t.rejects(() => consumer.consume(() => {}, { prefetch: 5 }), 'invalid_argument', { says: 'prefetch' });
});

row('an option far from all known ones is refused too', async (t) => {
  const { connection, station } = await t.setup();
  await t.rejects(() => connection.station(t.name(), { xyzzy: 1 }), 'invalid_argument', { says: 'xyzzy' });
  await t.rejects(() => station.produce('x', { xyzzy: 1 }), 'invalid_argument', { says: 'xyzzy' });
  await t.rejects(() => station.fetch({ xyzzy: 1 }), 'invalid_argument', { says: 'xyzzy' });
});

row('an unknown option that is undefined is unknown all the same, or ignored: never a crash', async (t) => {
  const { station } = await t.setup();
  const outcome = await t.outcome(station.produce('x', { xyzzy: undefined }));
  if (outcome.error) t.checkError(outcome.reason, 'invalid_argument', { says: 'xyzzy' });
  else t.equal(outcome.value.sequence, 1, 'sequence');
});

row('an option that is null counts as not given', async (t) => {
  const { connection, station } = await t.setup();
  for (const name of ['headers', 'msgId', 'partitionKey', 'partitionNumber', 'ackWaitMs', 'waitForAck', 'limitConcurrentTasks', 'expirationMs', 'delayMs', 'filterValue']) {
    t.equal((await station.produce('x', { [name]: null })).msgId, undefined, name);
    t.equal((await connection.produce(station.name, 'x', { [name]: null })).duplicate, false, name);
  }
  t.deepEqual((await (await station.producer()).produceBatch(['x'], { headers: null })).length, 1, 'receipts of a batch');
});

row('options that are no object are refused', async (t) => {
  const { connection, station } = await t.setup();
  const consumer = await station.consumer({ consumerName: 'c' });
  const producer = await station.producer();
  for (const options of ['fast', 5, true, [], new Map(), () => {}]) {
    await t.rejects(() => connection.station(t.name(), options), 'invalid_argument', { for: t.show(options) });
    await t.rejects(() => connection.producer(station.name, options), 'invalid_argument', { for: t.show(options) });
    await t.rejects(() => station.produce('x', options), 'invalid_argument', { for: t.show(options) });
    await t.rejects(() => producer.produceBatch(['x'], options), 'invalid_argument', { for: t.show(options) });
    await t.rejects(() => station.consumer(options), 'invalid_argument', { for: t.show(options) });
    await t.rejects(() => consumer.fetch(options), 'invalid_argument', { for: t.show(options) });
    if (connection.capabilities.has('live')) await t.rejects(() => connection.publish(t.name(), 'x', options), 'invalid_argument', { for: t.show(options) });
  }
});

row('a retention that does not exist is refused', async (t) => {
  const connection = await t.connect();
  for (const retentionType of ['forever', '', 5, 'MESSAGES']) {
    await t.rejects(() => connection.station(t.name(), { retentionType }), 'invalid_argument', { says: 'retentionType', for: t.show(retentionType) });
  }
});

row('a storage that does not exist is refused', async (t) => {
  const connection = await t.connect();
  for (const storageType of ['tape', '', 5]) await t.rejects(() => connection.station(t.name(), { storageType }), 'invalid_argument', { says: 'storageType', for: t.show(storageType) });
});

for (const option of ['retentionValue', 'replicas']) {
  row(`${option} must be a sensible number`, async (t) => {
    const connection = await t.connect();
    const retentionType = option === 'retentionValue' ? { retentionType: 'messages' } : {};
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
      await t.rejects(() => connection.station(t.name(), { ...retentionType, [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
    }
  });
}

row('retentionValue is ignored for ack_based', { needs: ['retention_ack_based'] }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  t.equal((await connection.station(name, { retentionType: 'ack_based', retentionValue: 17 })).existed, false, 'existed');
  t.deepEqual([...(await connection.station(name, { retentionType: 'ack_based' })).differs], [], 'differs');
});

row('switches must be true or false', async (t) => {
  const { connection, station } = await t.setup();
  for (const option of ['sendPoisonMsgToDls', 'sendSchemaFailedMsgToDls']) {
    await t.rejects(() => connection.station(t.name(), { [option]: 'yes' }), 'invalid_argument', { says: option, for: option });
  }
  await t.rejects(() => station.consumer({ consumerName: 'c', autoAck: 1 }), 'invalid_argument', { says: 'autoAck' });
  await t.rejects(() => station.fetch({ noWait: 'no' }), 'invalid_argument', { says: 'noWait' });
  await t.rejects(() => station.produce('x', { waitForAck: 0 }), 'invalid_argument', { says: 'waitForAck' });
  await t.rejects(() => t.connect({ reconnect: 'always' }), 'invalid_argument', { says: 'reconnect' });
});

row("partitionKeys are rabbitmq's", { brokers: ['memory', 'nats'] }, async (t) => {
  const connection = await t.connect();
  await t.rejects(() => connection.station(t.name(), { partitionKeys: ['a', 'b'] }), 'not_supported', { says: 'partitionKeys' });
});

row('tiered storage is not_supported on nats', { brokers: ['nats'] }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await t.rejects(() => connection.station(name, { tieredStorageEnabled: true }), 'not_supported', { says: 'tieredStorageEnabled' });
  t.equal((await connection.station(name)).existed, false, 'existed');
});

row('memory takes and ignores tiered storage', { brokers: ['memory'] }, async (t) => {
  const connection = await t.connect();
  t.equal((await connection.station(t.name(), { tieredStorageEnabled: true })).existed, false, 'existed');
});

row("extra reaches the broker's own create", { brokers: ['nats'] }, async (t) => {
  const { station } = await t.setup({ extra: { max_msg_size: 100 } });
  await station.produce('x'.repeat(50));
  await t.rejects(station.produce('x'.repeat(200)), 'too_large', { serverCode: 10054 });
});

row('a dlsStation is not_supported where it is not offered', { without: ['dls_station'] }, async (t) => {
  const connection = await t.connect();
  await t.rejects(() => connection.station(t.name(), { dlsStation: 'dead' }), 'not_supported', { says: 'dlsStation' });
});

row('deadLetters() is not_supported where it is not offered', { without: ['dead_letters'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(async () => { for await (const letter of station.deadLetters()) t.show(letter); }, 'not_supported');
});

row('browse() is not_supported where it is not offered', { without: ['get'] }, async (t) => {
  const { station } = await t.setup();
  await t.rejects(async () => { for await (const message of station.browse()) t.show(message); }, 'not_supported');
});

row('stations() is not_supported where it is not offered', { without: ['list'] }, async (t) => {
  const connection = await t.connect();
  await t.rejects(async () => { for await (const info of connection.stations()) t.show(info); }, 'not_supported');
});

row('purge() is not_supported where it is not offered', { without: ['purge'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1);
  await t.rejects(() => station.purge(), 'not_supported');
  t.deepEqual(t.texts(await t.collect(station, 1)), ['m0'], 'the message is still there');
});

row('resend() is not_supported where it is not offered, and settles nothing', { without: ['resend'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 1);
  const [message] = await t.collect(station, 1, { ack: false });
  await t.rejects(() => message.resend('elsewhere'), 'not_supported');
  t.equal(await message.ack({ confirm: true }), undefined, 'ack() afterwards');
});

row('live messages are not_supported where they are not offered', { without: ['live'] }, async (t) => {
  const connection = await t.connect();
  await t.rejects(() => connection.publish('channel', 'x'), 'not_supported');
  await t.rejects(() => connection.subscribe('channel'), 'not_supported');
});

row('requests are not_supported where they are not offered', { without: ['requests'] }, async (t) => {
  const connection = await t.connect();
  await t.rejects(() => connection.request('channel', 'x'), 'not_supported');
  await t.rejects(() => connection.respond('channel', () => 'y'), 'not_supported');
});

row('what is left to other brokers takes its default in connect', { brokers: ['memory', 'nats'] }, async (t) => {
  await t.rejects(() => t.connect({ vhost: '/other' }), 'not_supported', { says: 'vhost' });
  await t.rejects(() => t.connect({ accountId: 2 }), 'not_supported', { says: 'accountId' });
  await t.rejects(() => t.connect({ resolveAddress: () => 'x' }), 'not_supported', { says: 'resolveAddress' });
});

row('options that throw when they are read reject the call with what was thrown, and harm nothing else', { needs: ['live', 'requests', 'get', 'last_messages'] }, async (t) => {
  const { connection, station } = await t.setup();
  const thrown = new Error('not readable');
  const fail = () => { throw thrown; };
  const getter = (name) => ({ get [name]() { return fail(); } });
  const trapped = () => new Proxy({}, { ownKeys: fail, get: fail, getPrototypeOf: fail });
  const revoked = () => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); return proxy; };
  const channel = t.name('ch');
  const producer = await station.producer();
  const consumer = await station.consumer({ consumerName: 'c' });
  const waiting = connection.request(`${channel}.slow`, 'x', { timeoutMs: 20_000 }).catch((error) => error);
  const calls = {
    station: (options) => connection.station(t.name(), options),
    producer: (options) => connection.producer(station.name, options),
    produce: (options) => producer.produce('x', options),
    'produce of the connection': (options) => connection.produce(station.name, 'x', options),
    produceBatch: (options) => producer.produceBatch(['x'], options),
    consumer: (options) => connection.consumer(station.name, options),
    fetch: (options) => consumer.fetch(options),
    'fetch of the connection': (options) => connection.fetch(station.name, options),
    consume: (options) => consumer.consume(() => {}, options),
    'consume of the connection': (options) => connection.consume(station.name, options, () => {}),
    publish: (options) => connection.publish(channel, 'x', options),
    request: (options) => connection.request(channel, 'x', options),
    subscribe: (options) => connection.subscribe(channel, options),
    respond: (options) => connection.respond(channel, () => 'x', options),
    browse: async (options) => { for await (const _ of station.browse(options)) break; },
  };
  for (const [name, call] of Object.entries(calls)) {
    for (const options of [getter('signal'), getter('xyzzy'), getter('partitionNumber'), { headers: getter('a') }, { start: getter('sequence') }, { xyzzy: getter('a') }, { ackWaitMs: trapped() }, { signal: trapped() }, trapped(), revoked()]) {
      const { error, reason } = await t.outcome((async () => call(options))());
      t.equal(error, true, `${name} rejects`);
      t.checkError(reason, 'invalid_argument');
      if (reason.message.includes('cannot be read') && !(reason.cause instanceof TypeError)) t.ok(reason.cause === thrown, `${name}: the cause`);
    }
  }
  const connecting = (more) => t.api.connect(Object.defineProperties({ broker: connection.broker, url: 'ws://127.0.0.1:9' }, Object.getOwnPropertyDescriptors(more)));
  for (const more of [getter('url'), getter('signal'), { extra: getter('x') }, { url: trapped() }]) await t.rejects(() => connecting(more), 'invalid_argument');
  // What cannot be read at all names no broker.
  t.equal((await t.outcome(t.api.connect(trapped()))).reason.code, 'invalid_argument', 'connect()');
  t.equal(connection.isConnected(), true, 'connected');
  t.equal((await producer.produce('after', { headers: { a: 'b' } })).duplicate, false, 'a message');
  const texts = [];
  await connection.subscribe(channel, {}, (message) => { texts.push(message.text()); });
  await connection.publish(channel, 'after');
  await t.until(() => texts.length === 1, 5000, 'a live message');
  t.checkError(await waiting, 'timeout');
});

row('arguments of types that are not foreseen are refused, and harm nothing else', { needs: ['live', 'requests'] }, async (t) => {
  const { connection, station } = await t.setup();
  const producer = await station.producer();
  const consumer = await station.consumer({ consumerName: 'c' });
  const strange = [5n, Symbol('s'), {}, Object.create(null), () => {}];
  for (const value of strange) {
    await t.rejects(() => consumer.position(value), 'invalid_argument', { says: 'partitionNumber' });
    await t.rejects(() => connection.produce(value, 'x'), 'invalid_argument');
    await t.rejects(() => connection.produce([value], 'x'), 'invalid_argument');
    await t.rejects(() => connection.fetch(value), 'invalid_argument');
    await t.rejects(() => connection.consume(station.name, { consumerName: value }), 'invalid_argument');
    await t.rejects(() => connection.produce(station.name, 'x', { producerName: value }), 'invalid_argument');
  }
  const thrown = new Error('not readable');
  const unreadable = { get then() { throw thrown; } };
  for (const send of [() => producer.produce(unreadable), () => connection.publish(t.name('ch'), unreadable)]) {
    const { reason } = await t.outcome(send());
    t.checkError(reason, 'invalid_argument');
    t.ok(reason.cause === thrown, 'the cause');
  }
  // Headers are an object with strings: what only looks like one would be stored without them.
  for (const headers of [new Map([['a', 'b']]), new Headers({ a: 'b' }), new URLSearchParams('a=b')]) await t.rejects(() => producer.produce('x', { headers }), 'invalid_argument', { says: 'headers' });
  await t.rejects(() => producer.produce('x', () => {}), 'invalid_argument');
  // Options that are null are none, and a bigint is its number.
  await connection.publish(t.name('ch'), 'x', null);
  t.checkError((await t.outcome(connection.request(t.name('ch'), 'x', null))).reason, 'timeout');
  for (const options of [{ ackWaitMs: 5000n }, { partitionNumber: 1n }, { limitConcurrentTasks: 5n }]) t.equal((await producer.produce('x', options)).partition, 1, 'partition');
  t.equal((await producer.produceBatch(['x'], { ackWaitMs: 5000n })).length, 1, 'a batch');
  t.equal(connection.isConnected(), true, 'connected');
});

row('an option of another type than its own is invalid_argument, also where the broker does not have it', async (t) => {
  const { connection, station } = await t.setup();
  const producer = await station.producer();
  for (const value of ['yes', 1, {}]) {
    await t.rejects(() => connection.producer(station.name, { deduplicate: value }), 'invalid_argument', { says: 'deduplicate', for: t.show(value) });
    await t.rejects(() => station.consumer({ consumerName: 'c', broadcast: value }), 'invalid_argument', { says: 'broadcast', for: t.show(value) });
  }
  await t.rejects(() => producer.produceBatch(['x'], { compression: 5 }), 'invalid_argument', { says: 'compression' });
  if (connection.capabilities.has('requests')) await t.rejects(() => connection.request(t.name(), 'x', { kind: 5 }), 'invalid_argument', { says: 'kind' });
});
