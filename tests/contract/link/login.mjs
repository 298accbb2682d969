// Logins on further links: those of a connection that dials again, and those of a move to another node. What tap() shows of
// them, and the credentials() that they ask for.

import { topic } from '../kit/rows.mjs';
import { Watch, hidden } from '../access/helpers.mjs';
import { lively, record, server } from './helpers.mjs';

const row = topic('login', 5);
const limits = { limitMs: 110_000 };
/** Long enough for a look at a link that nobody takes over. */
const lame = 'lame_duck_grace_period: "5s"\nlame_duck_duration: "30s"';

async function operated(t) {
  const { operator, lines } = await t.control('operator');
  const host = await server(t, { cluster: 3, extra: `${lines}\n${lame}` });
  return { host, user: (options) => t.control('user', operator, options) };
}

const locked = (t, lines) => server(t, { cluster: 3, extra: `authorization { timeout: 10, ${lines} }\n${lame}` });

/** Everything that tap() shows, and everything that an application can see. */
function watched(connection, watch) {
  const frames = [];
  const keep = async () => { for await (const frame of connection.tap()) { frames.push(frame); watch.see(frame); } };
  keep().catch((error) => watch.see(error));
  const entries = record(connection);
  return { frames, entries };
}

const KINDS = {
  password: async (t) => ({ host: await locked(t, 'user: app, password: "s3cret-s3cret-s3cret"'), given: { username: 'app', password: 's3cret-s3cret-s3cret' }, secrets: ['s3cret-s3cret-s3cret'] }),
  token: async (t) => ({ host: await locked(t, 'token: "t0ken-t0ken-t0ken"'), given: { connectionToken: 't0ken-t0ken-t0ken' }, secrets: ['t0ken-t0ken-t0ken'] }),
  'seed of a key': async (t) => {
    const key = await t.control('key');
    return { host: await locked(t, `users: [ { nkey: ${key.public} } ]`), given: { nkeySeed: key.seed }, secrets: [key.seed] };
  },
  'JWT and its seed': async (t) => {
    const { host, user } = await operated(t);
    const { jwt, seed } = await user();
    return { host, given: { jwt, nkeySeed: seed }, secrets: [seed, jwt.split('.')[2]] };
  },
};

for (const [kind, make] of Object.entries(KINDS)) {
  row(`tap() shows every login, also that of the link moved to, and no ${kind}`, limits, async (t) => {
    const { host, given, secrets } = await make(t);
    const watch = new Watch();
    const connection = await t.connect(lively(host.urls, { ...given, logger: watch.logger }));
    const { frames, entries } = watched(connection, watch);
    const logins = () => frames.filter(({ direction, summary }) => direction === 'out' && summary.startsWith('CONNECT'));
    const channel = t.name('ch');
    const heard = [];
    await connection.subscribe(channel, {}, (message) => { heard.push(message.text()); });
    const other = await t.connect({ url: host.urls[2], ...given });
    // Frames come by both links at once, cut anywhere.
    let count = 0;
    const talk = async (done) => {
      while (!done()) {
        for (let each = 0; each < 20; each += 1) void other.publish(channel, `m${count += 1}${'x'.repeat(count % 700)}`);
        await t.elapse(1);
        t.ok(count < 200_000, 'it goes on');
      }
    };
    await talk(() => heard.length > 0);
    t.deepEqual(logins(), [], 'logins before the second link');
    await host.lameDuck(0);
    await talk(() => entries.length > 0);
    await t.until(() => logins().length === 1, 5000, 'the login of the link moved to');
    t.deepEqual(entries.map(({ type }) => type), ['connected'], 'entries');
    await host.kill(host.urls.findIndex((url) => entries[0].url.startsWith(url)));
    await t.until(() => entries.filter(({ type }) => type === 'connected').length === 2, 30_000, 'the link is back');
    await t.until(() => logins().length >= 2, 5000, 'the login of the next dial');
    const before = heard.length;
    await t.until(async () => { await connection.publish(channel, 'm0'); return heard.length > before; }, 10_000, 'a live message by the next link');
    for (const { data, summary, bytes } of logins()) {
      t.ok(new TextDecoder().decode(data).includes('"***"'), `a login whose secrets are masked: ${summary}`);
      t.ok(bytes > 0, 'bytes on the wire');
    }
    // A login follows a greeting, also beside another link: no second one without another.
    const greeted = frames.filter(({ direction, summary }) => direction === 'in' && summary.startsWith('INFO') || direction === 'out' && summary.startsWith('CONNECT')).map(({ summary }) => summary.split(' ')[0]);
    t.ok(/INFO CONNECT/.test(greeted.join(' ')) && !/^CONNECT|CONNECT CONNECT/.test(greeted.join(' ')), `greetings: ${greeted.join(' ')}`);
    const strange = frames.filter(({ direction, summary }) => !(direction === 'in' ? /^(INFO \{|PING$|PONG$|\+OK$|-ERR |H?MSG [^ ]+ \d+ )/ : /^(CONNECT \{|PING$|PONG$|(SUB|UNSUB|H?PUB) )/).test(summary));
    t.deepEqual(strange.map(({ direction, summary }) => `${direction} ${summary}`), [], 'frames that are none');
    const texts = frames.filter(({ direction, summary }) => direction === 'in' && summary.startsWith('MSG')).map(({ data }) => new TextDecoder().decode(data));
    t.deepEqual(texts.filter((text) => !/\r\n(m\d+x*)?\r\n$/.test(text)).slice(0, 3), [], 'messages cut wrongly');
    await connection.close();
    hidden(t, watch, ...secrets);
  });
}

row('credentials() is asked before the dial of a move and told why, and a JWT that expires is replaced there', limits, async (t) => {
  const { host, user } = await operated(t);
  const asked = [];
  const seeds = [];
  const watch = new Watch();
  const connection = await t.connect(lively(host.urls, {
    logger: watch.logger,
    credentials: async (attempt) => {
      asked.push(attempt);
      const { jwt, seed } = await user(asked.length === 1 ? { livesMs: 15_000 } : {});
      seeds.push(seed, jwt.split('.')[2]);
      return { jwt, nkeySeed: seed };
    },
  }));
  const { entries } = watched(connection, watch);
  const began = t.now();
  t.equal(asked.length, 1, 'times it was asked');
  await host.lameDuck(0);
  await t.until(() => entries.length > 0, 12_000, 'the move');
  t.ok(host.urls.slice(1).some((url) => entries[0].url.startsWith(url)), `to another node: ${entries[0].url}`);
  t.equal(asked.length, 2, 'times it was asked, with the move');
  t.ok(asked[1].signal instanceof AbortSignal && asked[1].attempt === 1, `attempt: ${t.show(asked[1].attempt)}`);
  t.checkError(asked[1].reason, 'connection_lost', { says: 'about to shut down' });
  // The first one is over, and nobody notices.
  await t.elapse(Math.max(0, 18_000 - (t.now() - began)));
  await connection.ping();
  t.deepEqual(entries.map(({ type }) => type), ['connected'], 'entries');
  t.equal(connection.stats().reconnects, 1, 'reconnects');
  t.equal(asked.length, 2, 'times it was asked in all');
  await connection.close();
  hidden(t, watch, ...seeds);
});

for (const [what, answer, tries] of [
  ['throws', () => { throw new Error('no password today'); }, 1],
  ['rejects', () => Promise.reject(new Error('no password today')), 1],
  ['answers what is none', () => ({ nkeySeed: 'SUAB' }), 1],
  ['answers what is refused', () => ({ username: 'app', password: 'wrong' }), 1],
]) {
  row(`credentials() that ${what} during a move: the old link works as long as it lives, and the next dial asks again`, limits, async (t) => {
    const host = await locked(t, 'user: app, password: "s3cret-s3cret-s3cret"');
    const asked = [];
    let good = true;
    const connection = await t.connect(lively(host.urls, {
      credentials: (attempt) => {
        asked.push(attempt);
        return good ? { username: 'app', password: 's3cret-s3cret-s3cret' } : answer();
      },
    }));
    const entries = record(connection);
    const channel = t.name('ch');
    const heard = [];
    await connection.subscribe(channel, {}, (message) => { heard.push(message.text()); });
    good = false;
    await host.lameDuck(0);
    await t.until(() => asked.length >= 2, 5000, 'it is asked for the move');
    for (let index = 0; index < 5; index += 1) {
      await connection.publish(channel, `m${index}`);
      await connection.ping();
    }
    t.deepEqual(heard, ['m0', 'm1', 'm2', 'm3', 'm4'], 'live messages by the old link');
    t.deepEqual(entries, [], 'entries');
    t.equal(connection.isConnected(), true, 'isConnected()');
    t.ok(asked.length <= 1 + 2 * tries, `times it was asked: ${asked.length}`);
    for (const { reason } of asked.slice(1)) t.ok(reason instanceof t.api.BrokerError, `reason: ${t.show(reason)}`);
    good = true;
    await t.until(() => entries.some(({ type }) => type === 'connected'), 45_000, 'the link moves on when the server closes');
    t.deepEqual(entries.map(({ type }) => type), ['disconnected', 'reconnecting', 'connected'], 'entries');
    t.checkError(asked.at(-1).reason, 'connection_lost');
    await connection.publish(channel, 'after');
    await t.until(() => heard.at(-1) === 'after', 5000, 'live messages by the next link');
    // What a callback threw once is not why a connection ends later.
    await connection.close();
    t.equal(await connection.closed, undefined, 'closed');
  });
}

row('what credentials() threw once is the cause of that failure alone, not of a later end', limits, async (t) => {
  const host = await server(t, { extra: 'authorization { timeout: 10, user: app, password: "s3cret-s3cret-s3cret" }' });
  const thrown = new Error('no password today');
  const answers = [];
  const connection = await t.connect(lively(host.url, {
    credentials: () => {
      const answer = answers.shift() ?? 's3cret-s3cret-s3cret';
      if (answer === thrown) throw answer;
      return { username: 'app', password: answer };
    },
  }));
  answers.push(thrown);
  await host.kill();
  await t.until(() => answers.length === 0, 10_000, 'it is asked');
  await host.restart();
  await t.until(() => connection.isConnected(), 20_000, 'the link is back');
  answers.push(...Array(20).fill('wrong'));
  await host.restart();
  const reason = t.checkError(await t.within(20_000, connection.closed, 'closed'), 'auth_failed');
  t.equal(reason.cause, undefined, 'cause');
});
