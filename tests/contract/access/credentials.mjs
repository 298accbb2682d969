// Logging in: keys, JWTs, .creds, and credentials that are asked for.

import { topic } from '../kit/rows.mjs';
import { Watch, hidden, operated, server } from './helpers.mjs';

const row = topic('credentials', 5);
const waits = { waits: true, limitMs: 60_000 };

async function keyed(t) {
  const key = await t.control('key');
  return { key, ...await server(t, { extra: `authorization { timeout: 10, users: [ { nkey: ${key.public} } ] }` }) };
}

/** It produces and reads what it produced. */
async function works(t, connection) {
  const station = await connection.station(t.name());
  t.equal((await station.produce('x')).sequence, 1, 'sequence');
  t.deepEqual(t.texts(await t.collect(station, 1)), ['x'], 'messages');
}

row('a seed alone: the key is shown and proved', async (t) => {
  const { url, key } = await keyed(t);
  await works(t, await t.connect({ url, nkeySeed: key.seed }));
});

row('the seed of somebody else is auth_failed, at once and without a retry', async (t) => {
  const { url } = await keyed(t);
  const other = await t.control('key');
  const began = t.now();
  const error = await t.rejects(t.connect({ url, nkeySeed: other.seed }), 'auth_failed', { retryable: false });
  t.between(t.now() - began, 0, 8000, 'milliseconds');
  const watch = new Watch();
  watch.see(error);
  hidden(t, watch, other.seed);
});

row('a seed on a server that wants none is no obstacle', async (t) => {
  const key = await t.control('key');
  t.equal((await t.connect({ nkeySeed: key.seed })).isConnected(), true, 'isConnected()');
});

row('operator mode: JWT and seed', async (t) => {
  const { url, user } = await operated(t);
  const { jwt, seed } = await user();
  await works(t, await t.connect({ url, jwt, nkeySeed: seed }));
});

row('operator mode: the text of a .creds file, with either line end', async (t) => {
  const { url, user } = await operated(t);
  const { creds } = await user();
  await works(t, await t.connect({ url, creds }));
  await works(t, await t.connect({ url, creds: creds.replaceAll('\n', '\r\n').trimEnd() }));
});

row('operator mode: a bearer JWT needs no seed, any other does', async (t) => {
  const { url, user } = await operated(t);
  const bearer = await user({ bearer_token: true });
  await works(t, await t.connect({ url, jwt: bearer.jwt }));
  const usual = await user();
  await t.rejects(t.connect({ url, jwt: usual.jwt }), 'auth_failed', { retryable: false });
});

row('operator mode: no credentials, a password, and the key alone are auth_failed', async (t) => {
  const { url, user } = await operated(t);
  const { seed } = await user();
  for (const given of [{}, { username: 'app', password: 's3cret' }, { connectionToken: 't0ken' }, { nkeySeed: seed }]) {
    await t.rejects(t.connect({ url, ...given }), 'auth_failed', { retryable: false });
  }
});

row('operator mode: a JWT that has expired is auth_failed', async (t) => {
  const { url, user } = await operated(t);
  const { creds } = await user({ livesMs: -60_000 });
  await t.rejects(t.connect({ url, creds }), 'auth_failed', { retryable: false, says: 'expired' });
});

row('what is wrong with a seed, a JWT or a .creds file is said before anything is dialed, and never shown', async (t) => {
  const { user, accountJwt } = await operated(t);
  const { jwt, seed, public: open, creds } = await user();
  const other = await user();
  const account = await t.control('key', 'Account');
  const watch = new Watch();
  // Nobody listens there: what is refused for itself is refused without a dial.
  const url = 'ws://127.0.0.1:1';
  for (const [given, says] of [
    [{ nkeySeed: '' }, 'SU'],
    [{ nkeySeed: open }, 'public key'],
    [{ nkeySeed: account.seed }, 'account'],
    [{ nkeySeed: seed.slice(0, 40) }, '40'],
    [{ nkeySeed: `${seed.slice(0, 20)}${seed[20] === 'A' ? 'B' : 'A'}${seed.slice(21)}` }, 'checksum'],
    [{ nkeySeed: `${seed.slice(0, 20)}0${seed.slice(21)}` }, 'A to Z'],
    [{ nkeySeed: 7 }, 'nkeySeed'],
    [{ jwt: 'not one', nkeySeed: seed }, 'JWT'],
    [{ jwt: jwt.slice(0, -20), nkeySeed: seed }, 'JWT'],
    [{ jwt: accountJwt, nkeySeed: seed }, 'user'],
    [{ jwt, nkeySeed: other.seed }, 'same user'],
    [{ creds: creds.slice(0, creds.indexOf('-----BEGIN USER')) }, 'seed'],
    [{ creds: creds.slice(creds.indexOf('-----BEGIN USER')) }, 'JWT'],
    [{ creds: creds.slice(0, creds.indexOf(seed) + 30) }, '30'],
    [{ creds: creds.slice(0, creds.indexOf(jwt) + 90) }, 'seed'],
    [{ creds: './app.creds' }, 'text'],
    [{ creds, jwt }, 'exclude'],
    [{ creds, username: 'app', password: 's3cret' }, 'exclude'],
    [{ nkeySeed: seed, connectionToken: 't0ken' }, 'exclude'],
  ]) {
    watch.see(await t.rejects(t.connect({ url, ...given }), 'invalid_argument', { says, for: says }));
  }
  hidden(t, watch, seed, other.seed, account.seed);
});

row('credentials() may bring them, is asked before every dial and told why', waits, async (t) => {
  const { url, user, restart } = await operated(t);
  const asked = [];
  const connection = await t.connect({
    url, reconnectIntervalMs: 100, maxReconnect: -1,
    credentials: async (attempt) => { asked.push(attempt); const { jwt, seed } = await user(); return { jwt, nkeySeed: seed }; },
  });
  await works(t, connection);
  t.equal(asked.length, 1, 'times it was asked');
  t.equal(asked[0].reason, undefined, 'reason of the first');
  t.ok(asked[0].signal instanceof AbortSignal, 'a signal');
  await restart();
  await t.until(() => connection.stats().reconnects === 1, 20_000, 'the link is back');
  t.ok(asked.length >= 2, 'asked again');
  t.checkError(asked.at(-1).reason, ['connection_lost', 'connect_failed']);
});

row('credentials() with a wrong seed: invalid_argument, as if it had been given to connect', async (t) => {
  const { url } = await keyed(t);
  await t.rejects(t.connect({ url, credentials: () => ({ nkeySeed: 'SUAB' }) }), 'invalid_argument', { says: 'seed' });
  await t.rejects(t.connect({ url, credentials: () => ({ seed: 'SUAB' }) }), 'invalid_argument', { says: 'seed' });
});

row('a JWT that expires during the session: credentials() is asked again, and the session goes on', waits, async (t) => {
  const { url, user } = await operated(t);
  const asked = [];
  const watch = new Watch();
  const seeds = [];
  const connection = watch.attach(await t.connect({
    url, reconnectIntervalMs: 50, logger: watch.logger,
    credentials: async (attempt) => {
      asked.push(attempt);
      const { jwt, seed } = await user(asked.length === 1 ? { livesMs: 4000 } : {});
      seeds.push(seed);
      return { jwt, nkeySeed: seed };
    },
  }));
  const station = await connection.station(t.name());
  const consumer = await station.consumer({ consumerName: 'c' });
  await station.produce('before');
  await t.until(() => connection.stats().reconnects === 1 && connection.isConnected(), 20_000, 'the session goes on');
  await station.produce('after');
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['before', 'after'], 'messages');
  t.equal(asked.length, 2, 'times it was asked');
  t.checkError(asked[1].reason, 'auth_failed', { says: 'no longer good' });
  hidden(t, watch, ...seeds);
});

row('a JWT that expires, without a function to ask: the connection ends with auth_failed', waits, async (t) => {
  const { url, user } = await operated(t);
  const { creds } = await user({ livesMs: 3000 });
  const connection = await t.connect({ url, creds, reconnectIntervalMs: 50 });
  t.checkError(await t.within(20_000, connection.closed, 'closed'), 'auth_failed', { retryable: false, says: 'as a function' });
});

const rotating = (password) => `authorization { timeout: 10, user: app, password: "${password}" }`;

row('a password that is changed on the server: credentials() is asked for the new one, and the session goes on', waits, async (t) => {
  const { url, reconfigure } = await server(t, { extra: rotating('first') });
  let password = 'first';
  const asked = [];
  const connection = await t.connect({ url, reconnectIntervalMs: 50, credentials: (attempt) => { asked.push(attempt); return { username: 'app', password }; } });
  const station = await connection.station(t.name());
  const consumer = await station.consumer({ consumerName: 'c' });
  await station.produce('before');
  password = 'second';
  await reconfigure({ extra: rotating(password) });
  await t.until(() => connection.stats().reconnects === 1 && connection.isConnected(), 20_000, 'the session goes on');
  await station.produce('after');
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['before', 'after'], 'messages');
  t.equal(asked.length, 2, 'times it was asked');
  // The server may say why, or only close the socket.
  t.checkError(asked[1].reason, ['auth_failed', 'connection_lost']);
});

row('a password that is changed on the server, given once: the connection ends with auth_failed', waits, async (t) => {
  const { url, reconfigure } = await server(t, { extra: rotating('first') });
  const connection = await t.connect({ url, reconnectIntervalMs: 50, username: 'app', password: 'first' });
  await reconfigure({ extra: rotating('second') });
  t.checkError(await t.within(20_000, connection.closed, 'closed'), 'auth_failed', { retryable: false });
});

row('a JWT that is revoked during the session: credentials() brings another one, and the session goes on', waits, async (t) => {
  const { url, user, revoke } = await operated(t);
  const users = [await user(), await user()];
  const asked = [];
  const connection = await t.connect({ url, reconnectIntervalMs: 50, credentials: (attempt) => { const { jwt, seed } = users[asked.push(attempt) - 1]; return { jwt, nkeySeed: seed }; } });
  const station = await connection.station(t.name());
  await revoke(users[0].public);
  await t.until(() => connection.stats().reconnects === 1 && connection.isConnected(), 20_000, 'the session goes on');
  t.equal((await station.produce('after')).sequence, 1, 'sequence');
  t.checkError(asked[1].reason, ['auth_failed', 'connection_lost']);
  await t.rejects(t.connect({ url, creds: users[0].creds }), 'auth_failed', { retryable: false });
});

row('credentials() that goes on giving what has expired ends with auth_failed, not never', waits, async (t) => {
  const { url, user } = await operated(t);
  const { jwt, seed } = await user({ livesMs: 3000 });
  const connection = await t.connect({ url, reconnectIntervalMs: 50, credentials: () => ({ jwt, nkeySeed: seed }) });
  t.checkError(await t.within(20_000, connection.closed, 'closed'), 'auth_failed');
});

row('no secret is to be seen: not in frames, log entries, states or errors', waits, async (t) => {
  const { url, user, restart } = await operated(t);
  const { jwt, seed } = await user();
  const watch = new Watch();
  const connection = watch.attach(await t.connect({ url, jwt, nkeySeed: seed, reconnectIntervalMs: 50, logger: watch.logger }));
  await works(t, connection);
  await restart();
  await t.until(() => connection.stats().reconnects === 1, 20_000, 'the link is back');
  await works(t, connection);
  await connection.close();
  hidden(t, watch, seed, jwt.split('.')[2]);
});

row('what the wasm held of a seed is overwritten', async (t) => {
  const { url, user } = await operated(t);
  const holds = async (seed) => [await t.control('holds', seed), await t.control('holds', seed.slice(8, 40))];
  for (const kind of ['given', 'creds', 'asked']) {
    const { jwt, seed, creds } = await user();
    const options = { given: { jwt, nkeySeed: seed }, creds: { creds }, asked: { credentials: () => ({ jwt, nkeySeed: seed }) } };
    const connection = await t.connect({ url, ...options[kind] });
    await works(t, connection);
    if (kind === 'given') t.ok((await holds(seed))[0] !== false, 'the look itself finds nothing');
    // What was given once is needed for the next dial; what is asked for before every dial is not.
    if (kind === 'asked') t.ok(!(await holds(seed)).includes(true), 'it is there while the link is up');
    await connection.close();
    // The connection gives back what it holds when its last turn is over.
    await t.until(async () => !(await holds(seed)).includes(true), 1000, `${kind}: the end of it after close`);
  }
});

for (const [what, extra, given] of [
  ['password', 'authorization { timeout: 10, user: app, password: "s3cret-s3cret" }', { username: 'app', password: 's3cret-s3cret' }],
  ['token', 'authorization { timeout: 10, token: "t0ken-t0ken-t0ken" }', { connectionToken: 't0ken-t0ken-t0ken' }],
]) {
  row(`no ${what} is to be seen either`, waits, async (t) => {
    const { url, restart } = await server(t, { extra });
    const watch = new Watch();
    const connection = watch.attach(await t.connect({ url, ...given, reconnectIntervalMs: 50, logger: watch.logger }));
    await restart();
    await t.until(() => connection.stats().reconnects === 1, 20_000, 'the link is back');
    await works(t, connection);
    await connection.close();
    hidden(t, watch, given.password ?? given.connectionToken);
  });
}
