// Real servers that are set up otherwise: without JetStream, with passwords, rights and limits.

import { topic } from '../kit/rows.mjs';

const row = topic('real refusals', 5);
// A busy page may need longer for its password than the server's own two seconds.
const USERS = `authorization { timeout: 10, users: [
  { user: "app", password: "s3cret" },
  { user: "reader", password: "s3cret", permissions: { publish: { allow: ["$JS.>", "_INBOX.>"] }, subscribe: { allow: [">"] } } }
] }`;

async function server(t, options) {
  const { url, id } = await t.control('start', options);
  t.ending(() => t.control('stop', id));
  return url;
}

row('no JetStream on the server: not_supported, with a hint', async (t) => {
  const url = await server(t, { jetstream: false });
  const connection = await t.connect({ url });
  const began = t.now();
  await t.rejects(t.within(9000, connection.station('orders'), 'station()'), 'not_supported', { says: 'JetStream' });
  await t.rejects(t.within(9000, connection.produce('orders', 'x'), 'produce()'), 'not_supported', { says: 'JetStream' });
  t.between(t.now() - began, 0, 9000, 'milliseconds for both');
  t.ok((await connection.ping()).rttMs >= 0, 'the link itself is good');
});

row('user and password: the right ones work', async (t) => {
  const connection = await t.connect({ url: await server(t, { extra: USERS }), username: 'app', password: 's3cret' });
  t.equal((await connection.produce(t.name(), 'x')).sequence, 1, 'sequence');
});

for (const [what, given] of [['a wrong password', { username: 'app', password: 'wrong' }], ['an unknown user', { username: 'nobody', password: 's3cret' }], ['no credentials', {}], ['a token instead', { connectionToken: 's3cret' }]]) {
  row(`user and password: ${what} is auth_failed, at once and without a retry`, async (t) => {
    const url = await server(t, { extra: USERS });
    const began = t.now();
    await t.rejects(t.within(5000, t.connect({ url, ...given }), 'connect()'), 'auth_failed', { retryable: false });
    t.between(t.now() - began, 0, 4000, 'milliseconds');
  });
}

row('token: the right one works, a wrong one is auth_failed', async (t) => {
  const url = await server(t, { extra: 'authorization { timeout: 10, token: "t0ken" }' });
  t.equal((await t.connect({ url, connectionToken: 't0ken' })).isConnected(), true, 'isConnected()');
  await t.rejects(t.connect({ url, connectionToken: 'wrong' }), 'auth_failed');
});

row('credentials() may bring user and password', async (t) => {
  const url = await server(t, { extra: USERS });
  const connection = await t.connect({ url, username: 'nobody', password: 'wrong', credentials: async () => ({ username: 'app', password: 's3cret' }) });
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('no secret is written into an error', async (t) => {
  const url = await server(t, { extra: USERS });
  const error = await t.rejects(t.connect({ url, username: 'app', password: 'hunter2-secret' }), 'auth_failed');
  t.ok(!JSON.stringify([error.message, error.hint, error.stack, error.serverCode]).includes('hunter2-secret'), `the password is in ${t.show(error)}`);
});

row('no right to publish: permission_denied, once for each message', async (t) => {
  const url = await server(t, { extra: USERS });
  const name = t.name();
  await (await t.connect({ url, username: 'app', password: 's3cret' })).station(name);
  const connection = await t.connect({ url, username: 'reader', password: 's3cret' });
  const producer = await connection.producer(name);
  await t.rejects(t.within(8000, producer.produce('x'), 'produce()'), 'permission_denied', { station: name });
  const outcomes = await Promise.all([producer.produce('y'), producer.produce('z')].map((call) => t.outcome(call)));
  for (const outcome of outcomes) t.checkError(outcome.reason, 'permission_denied');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('max_payload of the server counts: too_large, and the link lives', async (t) => {
  const connection = await t.connect({ url: await server(t, { maxPayload: 2000 }) });
  t.equal((await connection.ping()).maxPayloadBytes, 2000, 'maxPayloadBytes');
  const producer = await connection.producer(t.name());
  await t.rejects(() => producer.produce('x'.repeat(2001)), 'too_large');
  await t.rejects(() => producer.produce('x'.repeat(1990), { headers: { a: 'b' } }), 'too_large');
  t.equal((await producer.produce('x'.repeat(2000))).sequence, 1, 'sequence');
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});

row('too many connections: connect_failed, retryable', async (t) => {
  const url = await server(t, { extra: 'max_connections: 1' });
  const first = await t.connect({ url });
  await t.rejects(t.within(6000, t.connect({ url }), 'connect()'), 'connect_failed', { retryable: true });
  t.equal(first.isConnected(), true, 'the first is connected');
});

row('wss: to a port without TLS: connect_failed', async (t) => {
  await t.rejects(t.within(8000, t.connect({ url: t.url.replace('ws:', 'wss:'), timeoutMs: 1500 }), 'connect()'), 'connect_failed');
});

row('ws: to the port of another protocol: connect_failed', async (t) => {
  const { tcp } = await t.control('base');
  await t.rejects(t.within(8000, t.connect({ url: tcp.replace('tcp:', 'ws:'), timeoutMs: 1500 }), 'connect()'), 'connect_failed');
});

row('a host that cannot be found: connect_failed', async (t) => {
  await t.rejects(t.within(12_000, t.connect({ url: 'ws://no-such-host.invalid:8080/', timeoutMs: 2000 }), 'connect()'), 'connect_failed');
});

row('compression on the listener is the platform’s own affair', async (t) => {
  const connection = await t.connect({ url: await server(t, { compression: true }) });
  const station = await connection.station(t.name());
  await t.fill(station, 200, (index) => `${index} ${'x'.repeat(500)}`);
  const got = await t.collect(station, 200);
  t.ok(got.every((message, index) => message.text().startsWith(`${index} x`)), 'messages');
});

row('a server that pings often is answered', { waits: true }, async (t) => {
  const connection = await t.connect({ url: await server(t, { extra: 'ping_interval: "300ms"\nping_max: 2' }) });
  let pings = 0;
  await t.within(10_000, (async () => {
    for await (const { direction, summary } of connection.tap()) if (direction === 'in' && summary === 'PING' && (pings += 1) === 8) break;
  })(), 'the eighth PING');
  t.equal(connection.isConnected(), true, 'isConnected()');
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});
