// Connecting, and what a connection says about itself.

import { topic } from '../kit/rows.mjs';

const row = topic('connect', 5);

// Capabilities that section 9 promises for sections 1 to 5, on every broker the suite knows today; one of them not on Memphis.
const PROMISED = ['partitions', 'groups', 'ack', 'nack', 'delay', 'in_progress', 'msg_id', 'start_sequence', 'last_messages', 'destroy',
  'info', 'retention_messages', 'retention_bytes', 'retention_ack_based'];
const ALL = [...PROMISED, 'start_time', 'dead_letters', 'dls_station', 'schemas', 'purge', 'list', 'get', 'live', 'requests', 'expiration', 'delayed_produce',
  'filters', 'compression', 'resend', 'storage_type', 'replicas', 'tiered_storage'];

row('a connection knows its broker and is connected', async (t) => {
  const connection = await t.connect();
  t.equal(connection.broker, t.broker, 'broker');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('capabilities are known when connect resolves', async (t) => {
  const { capabilities } = await t.connect();
  const promised = t.broker === 'memphis' ? PROMISED : [...PROMISED, 'start_time'];
  for (const feature of promised) t.ok(capabilities.has(feature), `${feature} is promised, but: ${capabilities.why(feature)}`);
});

row('capabilities.has, why and list agree about every feature', async (t) => {
  const { capabilities } = await t.connect();
  for (const feature of ALL) {
    const has = capabilities.has(feature);
    t.equal(typeof has, 'boolean', `has(${feature})`);
    t.equal(capabilities.list.includes(feature), has, `list has ${feature}`);
    if (has) t.equal(capabilities.why(feature), undefined, `why(${feature})`);
    else t.ok(typeof capabilities.why(feature) === 'string' && capabilities.why(feature).length > 0, `why(${feature}) says nothing`);
  }
  for (const feature of capabilities.list) t.ok(ALL.includes(feature), `${feature} is no feature of the contract`);
  t.equal(new Set(capabilities.list).size, capabilities.list.length, 'different features in the list');
});

row('the package exports its functions and error classes', async (t) => {
  for (const name of ['init', 'connect', 'station', 'produce', 'fetch', 'consume']) t.equal(typeof t.api[name], 'function', name);
  t.ok(t.api.BrokerError.prototype instanceof Error, 'BrokerError extends Error');
  t.ok(t.api.BatchError.prototype instanceof t.api.BrokerError, 'BatchError extends BrokerError');
});

row('init may be called any number of times', async (t) => {
  t.equal(await t.api.init(), undefined, 'init()');
  t.equal(await t.api.init(), undefined, 'init() again');
  t.equal((await t.connect()).isConnected(), true, 'isConnected()');
});

row('ping is one round trip and names the product', async (t) => {
  const info = await (await t.connect()).ping();
  t.ok(typeof info.product === 'string' && info.product.length > 0, `product: ${t.show(info.product)}`);
  t.ok(Number.isFinite(info.rttMs) && info.rttMs >= 0, `rttMs: ${t.show(info.rttMs)}`);
});

row('every option of connect is accepted with its default written out', async (t) => {
  const connection = await t.connect({
    reconnect: true, maxReconnect: 10, reconnectIntervalMs: 1500, timeoutMs: 2000, pingIntervalMs: 20000,
    maxPendingMessages: 10000, maxPendingBytes: 64 * 1024 * 1024,
    username: undefined, password: undefined, connectionToken: undefined, credentials: undefined, signal: undefined, logger: undefined, name: undefined,
    accountId: undefined, jwt: undefined, nkeySeed: undefined, creds: undefined, domain: '', inboxPrefix: '_INBOX', vhost: '/', socket: undefined, resolveAddress: undefined,
  });
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('a name, a logger and maxReconnect -1 are accepted', async (t) => {
  const entries = [];
  const connection = await t.connect({ name: 'contract suite', maxReconnect: -1, logger: (entry) => { entries.push(entry); } });
  await connection.ping();
  await connection.close();
  for (const entry of entries) {
    t.ok(['debug', 'info', 'warn', 'error'].includes(entry.level), `level ${t.show(entry.level)}`);
    t.ok(typeof entry.event === 'string' && entry.event.length > 0, `event ${t.show(entry.event)}`);
  }
});

row('a logger that throws disturbs nobody', async (t) => {
  const connection = await t.connect({ logger: () => { throw new Error('from the logger'); } });
  const receipt = await connection.produce(t.name(), 'x');
  t.equal(receipt.sequence, 1, 'sequence');
});

row('without a broker, or with one that does not exist, connect is refused', async (t) => {
  for (const options of [{}, { broker: 'kafka' }, { broker: '' }, { broker: 7 }, { broker: null }]) {
    const outcome = await t.outcome(t.api.connect(options));
    t.ok(outcome.error && outcome.reason instanceof t.api.BrokerError, `connect(${t.show(options)}) gave ${t.show(outcome)}`);
    t.ok(['invalid_argument', 'not_supported'].includes(outcome.reason.code), `code of ${t.show(outcome.reason)}`);
    t.equal(outcome.reason.retryable, false, 'retryable');
    t.ok(outcome.reason.hint?.length > 0, 'a hint');
  }
});

row('connect without an options object is refused', async (t) => {
  for (const options of [undefined, null, 'memory', 5]) {
    const outcome = await t.outcome(t.api.connect(options));
    t.ok(outcome.error, `connect(${t.show(options)}) resolved`);
    t.equal(outcome.reason.code, 'invalid_argument', `code for ${t.show(options)}`);
  }
});

row('keys, domain and inboxPrefix are not_supported where the broker has none', { brokers: ['memory'] }, async (t) => {
  for (const [option, value] of [['jwt', 'a.b.c'], ['nkeySeed', 'SUAB'], ['creds', '-----BEGIN'], ['domain', 'hub'], ['inboxPrefix', 'mine']]) {
    await t.rejects(t.connect({ [option]: value }), 'not_supported', { says: option });
  }
  await t.rejects(t.connect({ credentials: () => ({ nkeySeed: 'SUAB' }) }), 'not_supported', { says: 'nkeySeed' });
});

row('an unknown option of connect names the nearest known one', async (t) => {
  await t.rejects(t.connect({ reconect: true }), 'invalid_argument', { says: ['reconect', 'reconnect'] });
  await t.rejects(t.connect({ timeoutMS: 5 }), 'invalid_argument', { says: ['timeoutMS', 'timeoutMs'] });
  await t.rejects(t.connect({ user: 'me' }), 'invalid_argument', { says: 'user' });
});

for (const [option, more] of [['timeoutMs', [0]], ['reconnectIntervalMs', []], ['maxReconnect', [-2]], ['pingIntervalMs', [0]], ['maxPendingMessages', [0]], ['maxPendingBytes', [0]]]) {
  row(`${option} must be a sensible number`, async (t) => {
    const negative = option === 'maxReconnect' ? [] : [-1];
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, 'ten', ...negative, ...more]) {
      await t.rejects(t.connect({ [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
    }
  });
}

row('url and host exclude each other', async (t) => {
  await t.rejects(t.connect({ url: t.url ?? 'memory:', host: '127.0.0.1' }), 'invalid_argument', { says: ['url', 'host'] });
});

row('a URL that is none is refused before anything is dialled', async (t) => {
  for (const url of ['not a url', '', [], 'ftp://127.0.0.1/', 7]) {
    await t.rejects(t.api.connect({ broker: t.broker, url }), 'invalid_argument', { for: `url ${t.show(url)}` });
  }
});

row('a signal that is aborted already ends connect', async (t) => {
  const reason = new Error('changed my mind');
  await t.rejects(t.connect({ signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
});

row('a signal aborted after connect has resolved changes nothing', async (t) => {
  const controller = new AbortController();
  const connection = await t.connect({ signal: controller.signal });
  controller.abort(new Error('too late'));
  t.equal((await connection.produce(t.name(), 'still here')).sequence, 1, 'sequence');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('a signal that is no AbortSignal is refused', async (t) => {
  await t.rejects(t.connect({ signal: {} }), 'invalid_argument', { says: 'signal' });
  await t.rejects(t.connect({ signal: 'stop' }), 'invalid_argument', { says: 'signal' });
});

row('memory: and memory:NAME are different brokers, each one for the process', { brokers: ['memory'] }, async (t) => {
  const plain = await t.connect({ url: 'memory:' });
  const named = await t.connect({ url: `memory:${t.name('broker')}` });
  const name = t.name();
  await plain.produce(name, 'here');
  t.equal((await (await t.connect()).station(name)).existed, true, 'existed on the same broker');
  t.equal((await named.station(name)).existed, false, 'existed on the other broker');
});

row('a memory broker outlives its connections', { brokers: ['memory'] }, async (t) => {
  const url = `memory:${t.name('broker')}`;
  const first = await t.connect({ url });
  await first.produce('kept', 'x');
  await first.close();
  t.deepEqual(t.texts(await t.collect(await (await t.connect({ url })).station('kept'), 1)), ['x'], 'messages');
});

row('the next URL is tried when one refuses', { brokers: ['nats'] }, async (t) => {
  const connection = await t.connect({ url: ['ws://127.0.0.1:24/', t.url] });
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('host and port do instead of a URL', { brokers: ['nats'] }, async (t) => {
  const { hostname, port } = new URL(t.url);
  const connection = await t.api.connect({ broker: t.broker, host: hostname, port: Number(port), tls: false });
  t.equal((await connection.ping()).product.length > 0, true, 'ping');
  await connection.close();
});

row('port must be a port', { brokers: ['nats'] }, async (t) => {
  for (const port of [0, -1, 65536, 1.5, Number.NaN, '8080']) {
    await t.rejects(t.api.connect({ broker: t.broker, host: '127.0.0.1', port }), 'invalid_argument', { says: 'port', for: `port ${t.show(port)}` });
  }
});

row('a refused connection is connect_failed, and retryable', { brokers: ['nats'] }, async (t) => {
  const began = t.now();
  await t.rejects(t.connect({ url: 'ws://127.0.0.1:24/', timeoutMs: 1000 }), 'connect_failed', { retryable: true });
  t.between(t.now() - began, 0, 3000, 'milliseconds until it was refused');
});

row('every URL refused is one connect_failed, without back-off in between', { brokers: ['nats'] }, async (t) => {
  const began = t.now();
  await t.rejects(t.connect({ url: ['ws://127.0.0.1:24/', 'ws://127.0.0.1:26/'], timeoutMs: 1000, reconnectIntervalMs: 20000 }), 'connect_failed');
  t.between(t.now() - began, 0, 5000, 'milliseconds until it was refused');
});

row('http: is not a way to nats', { brokers: ['nats'] }, async (t) => {
  await t.rejects(t.connect({ url: t.url.replace(/^ws/, 'http') }), ['invalid_argument', 'not_supported']);
});

row('credentials() is asked before the dial and may be asynchronous', { brokers: ['nats'] }, async (t) => {
  const asked = [];
  await t.connect({ credentials: async (attempt) => { asked.push(attempt); return {}; } });
  t.equal(asked.length, 1, 'times it was asked');
  t.equal(typeof asked[0].attempt, 'number', 'attempt');
  t.ok(asked[0].signal instanceof AbortSignal, 'a signal goes along');
});

row('credentials() that fails ends connect with its error as the cause', { brokers: ['nats'] }, async (t) => {
  const cause = new Error('the vault is shut');
  const outcome = await t.outcome(t.connect({ credentials: () => { throw cause; } }));
  t.ok(outcome.error && outcome.reason instanceof t.api.BrokerError, `expected a BrokerError, got ${t.show(outcome)}`);
  t.ok(['auth_failed', 'connect_failed'].includes(outcome.reason.code), `code of ${t.show(outcome.reason)}`);
  t.ok(outcome.reason.cause === cause, `cause: ${t.show(outcome.reason.cause)}`);
});

row('credentials() that throws what cannot be told: as with any other error', { brokers: ['nats'] }, async (t) => {
  for (const cause of [Object.create(null), Symbol('why'), { get message() { throw new Error('no'); } }]) {
    const { error, reason } = await t.outcome(t.connect({ credentials: () => { throw cause; } }));
    t.equal(error, true, 'rejects');
    t.checkError(reason, 'connect_failed');
    t.ok(reason.cause === cause, 'the cause');
  }
});

row('socket() opens the socket and is given the URL', { brokers: ['nats'] }, async (t) => {
  const urls = [];
  const connection = await t.connect({ socket: (url) => { urls.push(url); return new WebSocket(url); } });
  t.equal((await connection.produce(t.name(), 'through it')).sequence, 1, 'sequence');
  t.equal(urls.length, 1, 'sockets opened');
  t.equal(new URL(urls[0]).host, new URL(t.url).host, 'host of the URL');
});

row('socket() that throws ends connect with its error as the cause', { brokers: ['nats'] }, async (t) => {
  const cause = new Error('no socket today');
  await t.rejects(t.connect({ socket: () => { throw cause; }, timeoutMs: 1000 }), 'connect_failed', { cause });
  await t.rejects(t.connect({ socket: async () => { throw cause; }, timeoutMs: 1000 }), 'connect_failed', { cause });
});

row('two connections of one program do not disturb each other', async (t) => {
  const first = await t.connect();
  const second = await t.connect();
  const name = t.name();
  await first.produce(name, 'one');
  await first.close();
  t.equal(second.isConnected(), true, 'the second is connected');
  t.equal((await second.produce(name, 'two')).sequence, 2, 'sequence');
});

row('the five functions do the same as the methods', async (t) => {
  const connection = await t.connect();
  const name = t.name();
  const station = await t.api.station(connection, name, { partitionsNumber: 2 });
  t.deepEqual([...station.partitions], [1, 2], 'partitions');
  const receipt = await t.api.produce(connection, name, 'by function', { partitionNumber: 2 });
  t.equal(receipt.partition, 2, 'partition');
  const [message] = await t.api.fetch(connection, name, { consumerName: 'reader', batchSize: 1 });
  t.equal(message.text(), 'by function', 'text');
  await message.ack();
  const consumer = await t.api.consume(connection, name, { consumerName: 'other' });
  for await (const again of consumer) {
    t.equal(again.text(), 'by function', 'text in the other group');
    await again.ack();
    break;
  }
});

row('the five functions refuse what is no connection', async (t) => {
  for (const wrong of [undefined, null, {}, 'memory']) {
    for (const call of ['station', 'produce', 'fetch', 'consume']) {
      let outcome;
      try {
        outcome = await t.outcome(t.api[call](wrong, 'name', call === 'produce' ? 'x' : undefined));
      } catch (error) {
        t.fail(`${call}(${t.show(wrong)}) threw at once: ${t.show(error)}`);
      }
      t.ok(outcome.error, `${call}(${t.show(wrong)}) resolved`);
      t.equal(outcome.reason.code, 'invalid_argument', `code of ${call}(${t.show(wrong)})`);
    }
  }
});
