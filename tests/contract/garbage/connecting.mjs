// Servers that are none, or refuse: connect must say so in its time.

import { topic } from '../kit/rows.mjs';

const row = topic('bad server', 5);
const TIMEOUT = 800;
// Time-out, plus what a busy machine needs to notice it.
const DEADLINE = TIMEOUT + 2500;

async function refused(t, given, code, { options = {}, ...expected } = {}) {
  const { url } = await standIn(t, given);
  const began = t.now();
  const error = await t.rejects(t.within(DEADLINE, t.connect({ url, timeoutMs: TIMEOUT, ...options }), 'connect()'), code, expected);
  t.between(t.now() - began, 0, DEADLINE, 'milliseconds');
  return error;
}

async function standIn(t, given) {
  const server = await t.control('standIn', given);
  t.ending(() => t.control('stopStandIn', server.id));
  return server;
}

const UNREACHABLE = { retryable: true };

row('nobody listens', async (t) => {
  const { url, id } = await t.control('standIn', { behaviour: 'silent' });
  await t.control('stopStandIn', id);
  await t.rejects(t.within(DEADLINE, t.connect({ url, timeoutMs: TIMEOUT }), 'connect()'), 'connect_failed', UNREACHABLE);
});

row('the port takes the connection and is silent', (t) => refused(t, { behaviour: 'accepts' }, 'connect_failed', UNREACHABLE));
row('the socket opens and nothing comes', (t) => refused(t, { behaviour: 'silent' }, 'connect_failed', UNREACHABLE));
row('the socket is closed at once', (t) => refused(t, { behaviour: 'closes' }, 'connect_failed', UNREACHABLE));
row('the socket is cut at once', (t) => refused(t, { behaviour: 'terminates' }, 'connect_failed', UNREACHABLE));
for (const status of [403, 404, 500]) row(`the upgrade is answered with ${status}`, (t) => refused(t, { behaviour: 'http', status }, 'connect_failed'));

row('half an INFO and then nothing', (t) => refused(t, { behaviour: 'says', text: 'INFO {"server_id":"x","ver' }, 'connect_failed', UNREACHABLE));
row('half an INFO and then the end', (t) => refused(t, { behaviour: 'saysAndCloses', text: 'INFO {"server_id":"x","ver' }, ['connect_failed', 'protocol']));
row('an INFO that is no JSON', (t) => refused(t, { behaviour: 'says', text: 'INFO {"server_id":\r\n' }, ['protocol', 'connect_failed']));
row('an INFO that is a list', (t) => refused(t, { behaviour: 'says', text: 'INFO [1,2,3]\r\n' }, ['protocol', 'connect_failed']));
row('five thousand bytes of garbage', (t) => refused(t, { behaviour: 'random' }, ['protocol', 'connect_failed']));
row('a page of HTML', (t) => refused(t, { behaviour: 'says', text: '<!doctype html>\r\n<title>hello</title>\r\n' }, ['protocol', 'connect_failed']));
row('four megabytes without a line end', (t) => refused(t, { behaviour: 'flood' }, ['protocol', 'connect_failed']));
row('a message before the INFO', (t) => refused(t, { behaviour: 'says', text: 'MSG a 1 5\r\nhello\r\n' }, ['protocol', 'connect_failed']));
row('the login is never answered', (t) => refused(t, { behaviour: 'infoOnly' }, 'connect_failed', UNREACHABLE));
row('a server without headers', (t) => refused(t, { behaviour: 'infoOnly', more: { headers: false } }, ['not_supported', 'connect_failed']));
row('the login is refused', (t) => refused(t, { behaviour: 'refuses', error: 'Authorization Violation' }, 'auth_failed', { retryable: false, options: { username: 'me', password: 'wrong' } }));
row('the login comes too late', (t) => refused(t, { behaviour: 'refuses', error: 'Authentication Timeout' }, ['auth_failed', 'connect_failed']));
row('too many connections', (t) => refused(t, { behaviour: 'refuses', error: 'maximum connections exceeded' }, 'connect_failed', UNREACHABLE));

row('an INFO in a text frame is as good as in a binary one', async (t) => {
  const { url } = await standIn(t, { behaviour: 'text' });
  const connection = await t.within(DEADLINE, t.connect({ url, timeoutMs: TIMEOUT }), 'connect()');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('abort during connect ends it at once', async (t) => {
  const { url, id } = await standIn(t, { behaviour: 'silent' });
  const controller = new AbortController();
  const reason = new Error('never mind');
  const outcome = t.outcome(t.connect({ url, timeoutMs: 20_000, signal: controller.signal }));
  await t.until(async () => (await t.control('counts', id)).sockets === 1, 5000, 'the socket is open');
  controller.abort(reason);
  t.checkError((await t.within(1000, outcome, 'connect()')).reason, 'aborted', { cause: reason });
});

row('an initial failure is not repeated, whatever the reconnect options say', async (t) => {
  const { url, id } = await standIn(t, { behaviour: 'closes' });
  await t.rejects(t.connect({ url, timeoutMs: TIMEOUT, reconnect: true, maxReconnect: -1, reconnectIntervalMs: 10 }), 'connect_failed');
  t.equal((await t.control('counts', id)).sockets, 1, 'sockets opened');
});

row('credentials() that never answers ends with its own limit, or with the signal', async (t) => {
  const { url } = await standIn(t, { behaviour: 'silent' });
  const controller = new AbortController();
  let given;
  const outcome = t.outcome(t.connect({ url, timeoutMs: TIMEOUT, signal: controller.signal, credentials: ({ signal }) => { given = signal; return new Promise(() => {}); } }));
  await t.until(() => given, 3000, 'credentials() was asked');
  controller.abort();
  t.checkError((await t.within(1000, outcome, 'connect()')).reason, 'aborted');
  t.equal(given.aborted, true, 'its signal');
});
