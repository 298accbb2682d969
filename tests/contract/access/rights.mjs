// Narrow rights, reply subjects, domains.

import { topic } from '../kit/rows.mjs';
import { operated, server } from './helpers.mjs';

const row = topic('rights', '5 and 9');

/** A server with an owner, and a user who has only the rights given. */
async function narrow(t, permissions, more = '') {
  return server(t, { extra: `authorization { timeout: 10, users: [
    { user: "owner", password: "s3cret" },
    { user: "page", password: "s3cret", permissions: ${permissions} }
  ] }\n${more}` });
}

const OWNER = { username: 'owner', password: 's3cret' };
const PAGE = { username: 'page', password: 's3cret' };

/** What a page needs that produces to a station and consumes from it (jetstream.md section 8.3). */
function leastRights(station, group, inbox) {
  const publish = [`stations.${station}.>`, '$JS.API.INFO', `$JS.API.STREAM.INFO.${station}`, `$JS.API.CONSUMER.*.${station}.${group}`, `$JS.API.CONSUMER.CREATE.${station}.${group}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${station}.${group}`, `$JS.ACK.${station}.${group}.>`];
  return `{ publish: { allow: ${JSON.stringify(publish)} }, subscribe: { allow: ["${inbox}.>"] } }`;
}

row('the least rights that are documented suffice to produce and to consume, with a narrow inbox', async (t) => {
  const name = t.name();
  const { url } = await narrow(t, leastRights(name, 'billing', '_INBOX.page'));
  await (await t.connect({ url, ...OWNER })).station(name);
  const connection = await t.connect({ url, ...PAGE, inboxPrefix: '_INBOX.page' });
  const producer = await connection.producer(name);
  await t.fill(producer, 5);
  const consumer = await connection.consumer(name, { consumerName: 'billing' });
  const got = await t.collect(consumer, 5, { ack: false });
  for (const message of got) await message.ack({ confirm: true });
  t.deepEqual(t.texts(got), ['m0', 'm1', 'm2', 'm3', 'm4'], 'messages');
  t.equal(await consumer.position(), 5n, 'position');
});

row('an inbox that the user may not subscribe to: connect rejects with permission_denied and names inboxPrefix', async (t) => {
  const { url } = await narrow(t, '{ publish: { allow: [">"] }, subscribe: { allow: ["_INBOX.page.>"] } }');
  await t.rejects(t.within(8000, t.connect({ url, ...PAGE }), 'connect()'), 'permission_denied', { retryable: false, says: ['_INBOX.', 'inboxPrefix'] });
  await t.rejects(t.within(8000, t.connect({ url, ...PAGE, inboxPrefix: 'elsewhere' }), 'connect()'), 'permission_denied', { says: 'elsewhere.' });
});

row('operator mode: rights in the JWT count too', async (t) => {
  const { url, user } = await operated(t);
  const inbox = { allow: ['mine.>'] };
  const { creds } = await user({ sub: inbox, pub: { deny: ['stations.secret.>'] } });
  await t.rejects(t.connect({ url, creds }), 'permission_denied', { says: 'inboxPrefix' });
  const connection = await t.connect({ url, creds, inboxPrefix: 'mine' });
  await connection.produce('open', 'x');
  await t.rejects(t.within(8000, connection.produce('secret', 'x'), 'produce()'), 'permission_denied', { says: 'stations.secret.1', station: 'secret' });
});

for (const [what, denied, call, says] of [
  ['make a station', '$JS.API.STREAM.CREATE.>', (connection, name) => connection.station(`${name}-new`), 'STREAM.CREATE'],
  ['look at a station', '$JS.API.STREAM.INFO.>', (connection, name) => connection.station(name), 'STREAM.INFO'],
  ['make a group', '$JS.API.CONSUMER.>', (connection, name) => connection.consumer(name, { consumerName: 'g' }), 'CONSUMER'],
  ['produce', 'stations.>', (connection, name) => connection.produce(name, 'x'), 'stations.'],
]) {
  row(`no right to ${what}: permission_denied with the subject`, async (t) => {
    const { url } = await narrow(t, `{ publish: { deny: ["${denied}"] }, subscribe: { allow: [">"] } }`);
    const name = t.name();
    await (await t.connect({ url, ...OWNER })).station(name);
    const connection = await t.connect({ url, ...PAGE });
    await t.rejects(t.within(8000, call(connection, name), what), 'permission_denied', { says });
    t.equal(connection.isConnected(), true, 'the link itself is good');
  });
}

/** Everything of a walk; where it may not go on, it rejects. */
async function all(iterable) {
  const list = [];
  for await (const each of iterable) list.push(each);
  return list;
}

for (const [what, denied, call, says, left = 4] of [
  ['list all streams', '$JS.API.STREAM.LIST', (connection) => all(connection.stations()), '$JS.API.STREAM.LIST'],
  ['read stored messages', '$JS.API.DIRECT.GET.>', (_, station) => all(station.browse()), '$JS.API.DIRECT.GET.'],
  ['read dead letters', '$JS.API.STREAM.INFO.NAME$dls', (_, station) => all(station.deadLetters()), '$JS.API.STREAM.INFO.'],
  ['purge', '$JS.API.STREAM.PURGE.>', (_, station) => station.purge(), '$JS.API.STREAM.PURGE.'],
  ['purge one of the partitions', '$JS.API.STREAM.PURGE.NAME$2', (_, station) => station.purge(), '$2', 2],
  ['look at one of the partitions', '$JS.API.STREAM.INFO.NAME$2', (_, station) => station.info(), '$2'],
  ['look at a group', '$JS.API.CONSUMER.INFO.NAME.g', (_, __, consumer) => consumer.position(1), '$JS.API.CONSUMER.INFO.'],
  ['remove a group', '$JS.API.CONSUMER.DELETE.>', (_, __, consumer) => consumer.destroy(), '$JS.API.CONSUMER.DELETE.'],
  ['change a station', '$JS.API.STREAM.UPDATE.>', (_, station) => station.produce('x', { expirationMs: 5000 }), '$JS.API.STREAM.UPDATE.'],
  ['remove a station', '$JS.API.STREAM.DELETE.>', (_, station) => station.destroy(), '$JS.API.STREAM.DELETE.'],
]) {
  row(`no right to ${what}: permission_denied with the subject, and the link and the station live`, async (t) => {
    const name = t.name();
    const { url } = await narrow(t, `{ publish: { deny: ["${denied.replace('NAME', name)}"] }, subscribe: { allow: [">"] } }`);
    const owner = await (await t.connect({ url, ...OWNER })).station(name, { partitionsNumber: 2 });
    await t.fill(owner, 4);
    const connection = await t.connect({ url, ...PAGE });
    const station = await connection.station(name);
    const consumer = await connection.consumer(name, { consumerName: 'g' });
    await t.rejects(t.within(8000, call(connection, station, consumer), what), 'permission_denied', { says, retryable: false });
    t.deepEqual([connection.isConnected(), connection.stats().reconnects], [true, 0], 'the link itself is good');
    t.equal((await owner.info()).messages, left, 'messages');
    t.equal((await t.within(8000, station.produce('y'), 'produce()')).sequence, 3, 'sequence');
  });
}

// The server's answer to a list has no streams left out: who may not ask for it sees no stations, and is told so. Those
// whose names he knows are there all the same.
row('a user of one station alone: stations() is permission_denied, the station itself works', async (t) => {
  const name = t.name();
  const { url } = await narrow(t, `{ publish: { allow: ["$JS.API.STREAM.INFO.${name}", "$JS.API.DIRECT.GET.${name}", "$JS.API.DIRECT.GET.${name}.>", "stations.${name}.>"] }, subscribe: { allow: ["_INBOX.>"] } }`);
  const owner = await t.connect({ url, ...OWNER });
  await owner.produce(name, 'x');
  const connection = await t.connect({ url, ...PAGE });
  await t.rejects(t.within(8000, all(connection.stations()), 'stations()'), 'permission_denied', { says: '$JS.API.STREAM.LIST' });
  const station = await connection.station(name);
  t.equal((await station.info()).messages, 1, 'messages');
  t.deepEqual(t.texts(await all(station.browse())), ['x'], 'browse()');
  t.equal((await station.produce('y')).sequence, 2, 'sequence');
  await t.rejects(t.within(8000, connection.station(`${name}-other`), 'station()'), 'permission_denied', { says: `$JS.API.STREAM.INFO.${name}-other` });
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});

row('no right to ask for messages: the fetch rejects with permission_denied', async (t) => {
  const { url } = await narrow(t, '{ publish: { deny: ["$JS.API.CONSUMER.MSG.NEXT.>"] }, subscribe: { allow: [">"] } }');
  const name = t.name();
  await (await t.connect({ url, ...OWNER })).produce(name, 'x');
  const connection = await t.connect({ url, ...PAGE });
  const consumer = await connection.consumer(name, { consumerName: 'g' });
  await t.rejects(t.within(8000, consumer.fetch(), 'fetch()'), 'permission_denied', { says: 'MSG.NEXT' });
});

row('no right to acknowledge: a confirmed ack rejects with permission_denied, an unconfirmed one is logged', async (t) => {
  const { url } = await narrow(t, '{ publish: { deny: ["$JS.ACK.>"] }, subscribe: { allow: [">"] } }');
  const name = t.name();
  const owner = await t.connect({ url, ...OWNER });
  await owner.produce(name, 'x');
  await owner.produce(name, 'y');
  const entries = [];
  const connection = await t.connect({ url, ...PAGE, logger: (entry) => { entries.push(entry); } });
  await connection.subscribe('elsewhere');
  const consumer = await connection.consumer(name, { consumerName: 'g' });
  const [first, second] = await t.collect(consumer, 2, { ack: false });
  await t.rejects(t.within(8000, first.ack({ confirm: true }), 'ack()'), 'permission_denied', { says: '$JS.ACK.' });
  await second.ack();
  await t.until(() => entries.some((entry) => entry.event === 'refused'), 5000, 'an entry');
  t.checkError(entries.find((entry) => entry.event === 'refused').detail.error, 'permission_denied', { says: '$JS.ACK.' });
});

row('no right to subscribe to a channel: permission_denied with the subject, and the link lives', async (t) => {
  const { url } = await narrow(t, '{ publish: { allow: [">"] }, subscribe: { allow: ["_INBOX.>", "open.>"] } }');
  const connection = await t.connect({ url, ...PAGE });
  await t.rejects(t.within(8000, connection.subscribe('secret.news'), 'subscribe()'), 'permission_denied', { retryable: false, says: 'secret.news' });
  const heard = await connection.subscribe('open.news');
  await connection.publish('open.news', 'x');
  const { value } = await t.within(5000, heard[Symbol.asyncIterator]().next(), 'a message');
  t.equal(value.text(), 'x', 'text');
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});

row('no right to publish to a channel: a request rejects with permission_denied, a publish is told by status() and the logger', async (t) => {
  const { url } = await narrow(t, '{ publish: { deny: ["secret.>"] }, subscribe: { allow: [">"] } }');
  const entries = [];
  const connection = await t.connect({ url, ...PAGE, logger: (entry) => { entries.push(entry); } });
  await t.rejects(t.within(8000, connection.request('secret.question', 'x', { timeoutMs: 6000 }), 'request()'), 'permission_denied', { retryable: false, says: 'secret.question' });
  await t.outcome(connection.publish('secret.news', 'x'));
  const refused = () => entries.find((entry) => entry.event === 'produce_failed' && entry.detail.error.message.includes('secret.news'));
  await t.until(refused, 5000, 'an entry');
  t.checkError(refused().detail.error, 'permission_denied');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

/** A durable as others make them, in a station of the owner's, and what a page needs to read it. */
async function limited(t, permissions) {
  const name = t.name();
  const { url } = await narrow(t, permissions(name));
  const owner = await t.connect({ url, ...OWNER });
  const station = await owner.station(name);
  await owner.request(`$JS.API.CONSUMER.CREATE.${name}.theirs`, { stream_name: name, action: 'create', config: { name: 'theirs', durable_name: 'theirs', ack_policy: 'explicit', ack_wait: 600e6, max_deliver: 1 } });
  return { name, url, owner, station };
}

const pageRights = (name) => leastRights(name, 'theirs', '_INBOX.page');

row('a group whose limit is the server’s, and no right to keep what it drops: the consumer rejects and says what to do', async (t) => {
  const { name, url, owner, station } = await limited(t, pageRights);
  const page = await t.connect({ url, ...PAGE, inboxPrefix: '_INBOX.page' });
  await t.rejects(t.within(8000, page.consumer(name, { consumerGroup: 'theirs' }), 'consumer()'), 'permission_denied', { says: [`STREAM.CREATE.DLADV_${name}`, 'stationmaster.dls_poison'], station: name, retryable: false });
  // Without dead letters nothing has to be kept.
  const { config } = (await owner.request(`$JS.API.STREAM.INFO.${name}`, '')).json();
  await owner.request(`$JS.API.STREAM.UPDATE.${name}`, { ...config, metadata: { ...config.metadata, 'stationmaster.dls_poison': '0' } });
  await station.produce('x');
  const consumer = await page.consumer(name, { consumerGroup: 'theirs' });
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['x'], 'messages');
});

row('a group whose limit is the server’s, and somebody who may has opened it before', async (t) => {
  const more = (name) => pageRights(name).replace('"$JS.API.INFO"', `"$JS.API.INFO", "$JS.API.STREAM.INFO.DLADV_${name}", "$JS.API.CONSUMER.INFO.DLADV_${name}.fwd", "$JS.API.CONSUMER.MSG.NEXT.DLADV_${name}.fwd", "$JS.ACK.DLADV_${name}.fwd.>", "$JS.API.DIRECT.GET.${name}"`);
  const { name, url, owner, station } = await limited(t, more);
  const before = await t.connect({ url, ...OWNER });
  await before.consumer(name, { consumerGroup: 'theirs' });
  await before.close();
  // The stream of the dead letters is there as well: with the first of them the page would have to make it.
  const first = await station.consumer({ consumerName: 'first' });
  await station.produce('x');
  await (await t.collect(first, 1, { ack: false }))[0].deadLetter('first');
  const page = await t.connect({ url, ...PAGE, inboxPrefix: '_INBOX.page' });
  const consumer = await page.consumer(name, { consumerGroup: 'theirs' });
  await t.collect(consumer, 1, { ack: false });
  await t.nothing(consumer, 1500);
  const groups = async () => {
    const list = [];
    const { state: { last_seq: last } } = (await owner.request(`$JS.API.STREAM.INFO.${name}$dls`, '')).json();
    for (let seq = 1; seq <= last; seq++) list.push((await owner.request(`$JS.API.DIRECT.GET.${name}$dls`, { seq })).headers['X-Dead-Group']);
    return list;
  };
  await t.until(async () => (await groups()).join() === 'first,theirs', 8000, 'the page has recorded it');
});

row('no right to keep dead letters: the logger is told with the place, and the message comes again', async (t) => {
  const name = t.name();
  const { url } = await narrow(t, `{ publish: { deny: ["stations.${name}.dls"] }, subscribe: { allow: [">"] } }`);
  const owner = await t.connect({ url, ...OWNER });
  const station = await owner.station(name);
  await station.produce('poison');
  const entries = [];
  const page = await t.connect({ url, ...PAGE, logger: (entry) => { entries.push(entry); } });
  const consumer = await page.consumer(name, { consumerGroup: 'g', maxMsgDeliveries: 1, maxAckTimeMs: 600 });
  await t.collect(consumer, 1, { ack: false });
  const failed = () => entries.filter((entry) => entry.event === 'dead_letter_failed');
  await t.until(async () => { await t.nothing(consumer, 300); return failed().length > 1; }, 10_000, 'two entries: it has come again');
  const [{ level, detail }] = failed();
  t.deepEqual([level, detail.station, detail.partition, detail.sequence, detail.group], ['warn', name, 1, 1, 'g'], 'the entry');
  t.checkError(detail.error, 'permission_denied', { says: `stations.${name}.dls`, station: name });
  // Somebody who may makes it a letter.
  const other = await owner.consumer(name, { consumerGroup: 'g' });
  await t.until(async () => {
    await t.nothing(other, 300);
    const list = [];
    for await (const letter of station.deadLetters()) list.push(letter.text());
    return list.join() === 'poison';
  }, 10_000, 'a letter');
});

row('domain: the own one, by its name', async (t) => {
  const { url } = await server(t, { domain: 'hub' });
  const connection = await t.connect({ url, domain: 'hub' });
  const station = await connection.station(t.name());
  await t.fill(station, 3);
  const got = await t.collect(station, 3, { ack: false });
  for (const message of got) await message.ack({ confirm: true });
  t.equal((await station.info()).messages, 3, 'messages');
});

row('domain: one that nobody has is not_supported, with a hint about it', async (t) => {
  const connection = await t.connect({ domain: 'nowhere' });
  await t.rejects(t.within(15_000, connection.station(t.name()), 'station()'), 'not_supported', { says: 'domain' });
});

row('domain: that of the hub, from a leaf node', async (t) => {
  const port = await t.control('port');
  const hub = await server(t, { domain: 'hub', extra: `leafnodes { listen: "127.0.0.1:${port}" }` });
  const leaf = await server(t, { domain: 'leaf', extra: `leafnodes { remotes: [ { url: "nats://127.0.0.1:${port}" } ] }` });
  const name = t.name();
  const connection = await t.connect({ url: leaf.url, domain: 'hub' });
  const station = await t.until(async () => (await t.outcome(connection.station(name))).value, 15_000, 'a station in the other domain');
  await t.fill(station, 3);
  const got = await t.collect(station, 3, { ack: false });
  for (const message of got) await message.ack({ confirm: true });
  t.deepEqual(t.texts(got), ['m0', 'm1', 'm2'], 'messages');
  const there = await t.connect({ url: hub.url });
  t.equal((await (await there.station(name)).info()).messages, 3, 'messages at the hub');
  const here = await t.connect({ url: leaf.url });
  t.equal((await here.station(name)).existed, false, 'it is not in the own domain');
  // Schemas of one name in both: each where it belongs.
  await here.createSchema('person', 'json', '{"type":"array"}');
  await connection.createSchema('person', 'json', '{"type":"object"}');
  const checked = await connection.station(t.name(), { schemaName: 'person' });
  await t.rejects(checked.produce([]), 'schema_violation');
  await there.createSchema('person', 'json', '{"type":"object"}');
  await there.station(t.name(), { schemaName: 'person' });
});

for (const [option, wrong] of [['domain', ['a.b', 'a b', '*', '>', 'a\n', 7]], ['inboxPrefix', ['', '.', 'a..b', 'a.', '.a', 'a b', 'a.*', '>', 'x'.repeat(300), 7]]]) {
  row(`${option} is checked before anything is dialed`, async (t) => {
    for (const value of wrong) {
      await t.rejects(t.connect({ url: 'ws://127.0.0.1:1', [option]: value }), 'invalid_argument', { says: option, for: t.show(value) });
    }
  });
}
