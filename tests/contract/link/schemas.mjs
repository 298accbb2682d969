// Schemas on servers of their own: buckets that somebody else made, links that were down, rights that are missing.

import { topic } from '../kit/rows.mjs';
import { lively, record, server } from './helpers.mjs';

const row = topic('schemas and servers', 7);
const waits = { waits: true, limitMs: 40_000 };
const BUCKET = 'STREAM.CREATE.KV_stationmaster_schemas';
const DEFINITION = '{"type":"object","required":["id"]}';

row('the bucket is made by the first createSchema, not by producing or consuming', waits, async (t) => {
  const host = await server(t);
  const connection = await t.connect({ url: host.url });
  const station = await connection.station(t.name());
  await station.produce('x');
  await station.fetch({ batchSize: 1 });
  await connection.detachSchema(station.name);
  await t.rejects(connection.enforceSchema('person', station.name), 'rejected', { says: 'person' });
  t.equal(await t.control('kvExists', host.url), false, 'bucket');
  await connection.createSchema('person', 'json', DEFINITION);
  t.equal(await t.control('kvExists', host.url), true, 'bucket');
  const { config } = await t.control('kvApi', 'STREAM.INFO.KV_stationmaster_schemas', undefined, host.url);
  const { subjects, max_msgs_per_subject, discard, allow_rollup_hdrs, deny_delete, deny_purge, allow_direct, num_replicas, storage, retention } = config;
  t.deepEqual({ subjects, max_msgs_per_subject, discard, allow_rollup_hdrs, deny_delete, deny_purge, allow_direct, num_replicas, storage, retention },
    { subjects: ['$KV.stationmaster_schemas.>'], max_msgs_per_subject: 64, discard: 'new', allow_rollup_hdrs: true, deny_delete: true, deny_purge: false, allow_direct: true, num_replicas: 1, storage: 'file', retention: 'limits' }, 'configuration');
});

for (const [what, config] of [
  ['of another history and without direct reads', { subjects: ['$KV.stationmaster_schemas.>'], max_msgs_per_subject: 1, allow_direct: false, allow_rollup_hdrs: true }],
  ['in memory, with more subjects', { subjects: ['$KV.stationmaster_schemas.>', 'elsewhere.>'], storage: 'memory', allow_direct: true }],
]) {
  row(`a bucket that somebody else made, ${what}, is used as it is`, waits, async (t) => {
    const host = await server(t);
    t.equal((await t.control('kvApi', BUCKET, { name: 'KV_stationmaster_schemas', ...config }, host.url)).error, undefined, 'the bucket is made');
    const connection = await t.connect({ url: host.url });
    await connection.createSchema('person', 'json', '{}');
    await connection.createSchema('person', 'json', DEFINITION);
    await connection.createSchema('person', 'json', DEFINITION);
    const station = await connection.station(t.name(), { schemaName: 'person' });
    await t.rejects(station.produce({}), 'schema_violation');
    await station.produce({ id: 1 });
    const other = await t.connect({ url: host.url });
    await other.createSchema('person', 'json', '{"type":"array"}');
    await t.until(async () => (await t.outcome(station.produce({ id: 1 }))).error, 5000, 'the new version');
  });
}

for (const [what, config, code, says] of [
  ['has other subjects', { name: 'KV_stationmaster_schemas', subjects: ['else.>'] }, 'already_exists', 'KV_stationmaster_schemas'],
  ['under another name captures the subjects', { name: 'other', subjects: ['$KV.>'] }, 'already_exists', '$KV.stationmaster_schemas'],
  ['takes only small values', { name: 'KV_stationmaster_schemas', subjects: ['$KV.stationmaster_schemas.>'], max_msg_size: 40 }, 'too_large', 'max_msg_size'],
  ['is sealed', { name: 'KV_stationmaster_schemas', subjects: ['$KV.stationmaster_schemas.>'], sealed: true }, 'rejected', 'person'],
]) {
  row(`a bucket that is in the way because it ${what}: ${code}`, waits, async (t) => {
    const host = await server(t);
    const made = await t.control('kvApi', `STREAM.CREATE.${config.name}`, { ...config, sealed: undefined }, host.url);
    t.equal(made.error, undefined, 'the stream is made');
    if (config.sealed) t.equal((await t.control('kvApi', `STREAM.UPDATE.${config.name}`, { ...made.config, sealed: true }, host.url)).error, undefined, 'the stream is sealed');
    const connection = await t.connect({ url: host.url });
    await t.rejects(connection.createSchema('person', 'json', DEFINITION), code, { says });
    await (await connection.station(t.name())).produce('x');
  });
}

row('a definition larger than the server takes is too_large, and the link lives', waits, async (t) => {
  const host = await server(t, { maxPayload: 4096 });
  const connection = await t.connect({ url: host.url });
  await t.rejects(connection.createSchema('person', 'json', JSON.stringify({ title: 'x'.repeat(5000) })), 'too_large');
  await connection.createSchema('person', 'json', DEFINITION);
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});

row('what changed while the link was down counts after the reconnect', waits, async (t) => {
  const host = await server(t);
  const connection = await t.connect(lively(host.url, { reconnectIntervalMs: 3000 }));
  await connection.createSchema('person', 'json', DEFINITION);
  const station = await connection.station(t.name(), { schemaName: 'person' });
  const free = await connection.station(t.name());
  const producers = [await connection.producer(station.name), await connection.producer(free.name)];
  await producers[0].produce({ id: 1 });
  await producers[1].produce('x');
  const entries = record(connection);
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  await host.restart();
  const other = await t.connect(lively(host.url));
  await other.createSchema('person', 'json', '{"type":"array"}');
  await other.enforceSchema('person', free.name);
  await t.until(() => entries.filter((entry) => entry.type === 'schema').length >= 2, 20_000, 'status() tells both');
  await t.rejects(producers[0].produce({ id: 1 }), 'schema_violation');
  await t.rejects(producers[1].produce('x'), 'schema_violation');
  await producers[0].produce([1]);
});

const rights = (more) => `authorization { timeout: 10, users: [
  { user: "owner", password: "s3cret" },
  { user: "page", password: "s3cret", permissions: ${more} }
] }`;
const OWNER = { username: 'owner', password: 's3cret' };
const PAGE = { username: 'page', password: 's3cret' };

row('without the right to make or read the bucket: permission_denied with the subject; what is enforced refuses', waits, async (t) => {
  const host = await server(t, { extra: rights('{ publish: { deny: ["$KV.>", "$JS.API.DIRECT.GET.KV_stationmaster_schemas.>"] } }') });
  const owner = await t.connect({ url: host.url, ...OWNER });
  await owner.createSchema('person', 'json', DEFINITION);
  const station = await owner.station(t.name(), { schemaName: 'person' });
  await station.produce({ id: 1 });
  const connection = await t.connect({ url: host.url, ...PAGE });
  await t.rejects(connection.createSchema('other', 'json', DEFINITION), 'permission_denied', { says: ['$JS.API.DIRECT.GET.KV_stationmaster_schemas', 'rights'] });
  await t.rejects(connection.enforceSchema('person', station.name), 'permission_denied', { says: 'DIRECT.GET' });
  await t.rejects(connection.produce(station.name, { id: 1 }), 'schema_violation', { says: 'may not publish', station: station.name, retryable: true });
  const [message] = await connection.fetch(station.name, { batchSize: 1 });
  t.equal(message.text(), '{"id":1}', 'messages are handed over');
  t.equal((await t.outcome((async () => message.decode())())).reason?.code, 'schema_violation', 'decode()');
});

row('without the right to listen to the bucket schemas count all the same, and the link lives', waits, async (t) => {
  const host = await server(t, { extra: rights('{ subscribe: { allow: ["_INBOX.>"] } }') });
  const owner = await t.connect({ url: host.url, ...OWNER });
  await owner.createSchema('person', 'json', DEFINITION);
  const station = await owner.station(t.name(), { schemaName: 'person' });
  const connection = await t.connect({ url: host.url, ...PAGE });
  const producer = await connection.producer(station.name);
  await t.rejects(producer.produce({}), 'schema_violation');
  await producer.produce({ id: 1 });
  await connection.createSchema('person', 'json', '{"type":"array"}');
  await t.rejects(producer.produce({ id: 1 }), 'schema_violation');
  t.equal(connection.stats().reconnects, 0, 'reconnects');
});

// ---- three nodes ----------------------------------------------------------------------------------------------------

const cluster = { waits: true, limitMs: 110_000 };
const STREAM = 'KV_stationmaster_schemas';
const [first, second] = ['{"type":"object","required":["id"]}', '{"type":"object","required":["name"]}'];

/** A station on three nodes with a schema; `makers` are connections to every node. */
async function replicated(t) {
  const host = await server(t, { cluster: 3 });
  const makers = await Promise.all(host.urls.map((url, at) => t.connect(lively([url, ...host.urls.filter((_, other) => other !== at)]))));
  await t.until(async () => !(await t.outcome(makers[0].createSchema('person', 'json', first))).error, 30_000, 'the schema');
  const name = t.name();
  await t.until(async () => !(await t.outcome(makers[0].station(name, { replicas: 3, schemaName: 'person' }))).error, 30_000, 'the station');
  const leader = await t.until(() => host.leaderOf(STREAM), 10_000, 'a leader of the bucket');
  return { host, makers, name, leader: leader.index, others: makers.filter((_, at) => at !== leader.index) };
}

/** What may be tried again is, until it succeeds. */
async function insist(t, action, what) {
  const { value } = await t.until(async () => {
    const outcome = await t.outcome(action());
    if (outcome.error && !outcome.reason.retryable) throw outcome.reason;
    return !outcome.error && outcome;
  }, 40_000, what);
  return value;
}

row('in a cluster the bucket has three replicas, and schemas are there while any one node is not', cluster, async (t) => {
  const { host, name, leader, others } = await replicated(t);
  const { config } = await t.control('kvApi', `STREAM.INFO.${STREAM}`, undefined, host.urls[(leader + 1) % 3]);
  t.equal(config.num_replicas, 3, 'replicas');
  await host.kill(leader);
  const fresh = await t.connect(lively(host.urls[(leader + 2) % 3]));
  const producer = await insist(t, () => fresh.producer(name), 'a producer');
  // The registry may not have answered when it was made.
  const refused = await t.until(async () => {
    const { reason } = await t.outcome(producer.produce({ name: 'x' }, { ackWaitMs: 40_000 }));
    t.checkError(reason, 'schema_violation', { retryable: reason?.retryable });
    return !reason.retryable && reason;
  }, 30_000, 'a producer that checks');
  t.equal(refused.violations?.length, 1, 'violations');
  await insist(t, () => others[0].createSchema('person', 'json', second), 'a new version');
  await t.until(async () => (await t.outcome(producer.produce({ id: 1 }, { ackWaitMs: 40_000 }))).reason?.code === 'schema_violation', 20_000, 'the new version counts');
  t.ok((await producer.produce({ name: 'x' }, { ackWaitMs: 40_000 })).sequence > 0, 'sequence');
  await insist(t, () => others[1].detachSchema(name), 'detachSchema()');
  await t.until(async () => !(await t.outcome(producer.produce([], { ackWaitMs: 40_000 }))).error, 20_000, 'no schema counts');
});

row('a version and an enforcement while the leader of the bucket is killed in the middle of traffic: each reaches every producer once', cluster, async (t) => {
  const { host, makers, name, leader, others } = await replicated(t);
  const free = t.name();
  await insist(t, () => others[0].station(free, { replicas: 3 }), 'the other station');
  const producers = [];
  for (const maker of makers) for (const station of [name, free]) producers.push(await insist(t, () => maker.producer(station, { autoMsgId: true }), 'a producer'));
  const entries = makers.map(record);
  // Neither version takes both; the other station takes all until it has the schema.
  let stop = false;
  const outcomes = [];
  const talk = producers.map(async (producer, at) => {
    for (let index = 0; !stop; index += 1) {
      const given = index % 2 === 0 ? { id: index } : { name: `${index}` };
      const outcome = await t.outcome(producer.produce(given, { ackWaitMs: 45_000 }));
      outcomes.push({ at, station: producer.stations[0], given, ...outcome });
      await t.elapse(5);
    }
  });
  await t.until(() => outcomes.length > 60, 10_000, 'traffic');
  const [version, enforced] = [insist(t, () => others[0].createSchema('person', 'json', second), 'a new version'), insist(t, () => others[1].enforceSchema('person', free), 'enforceSchema()')];
  await host.kill(leader);
  await t.within(60_000, Promise.all([version, enforced]), 'both');
  const now = () => producers.map((_, at) => {
    const of = outcomes.filter((outcome) => outcome.at === at);
    return [of.findLast(({ given }) => 'id' in given), of.findLast(({ given }) => 'name' in given)];
  });
  await t.until(() => now().every(([id, named]) => id?.error && named && !named.error), 30_000, 'every producer takes what the new version takes, and nothing else');
  stop = true;
  await t.within(50_000, Promise.all(talk), 'the traffic');
  const reasons = outcomes.filter(({ error }) => error).map(({ reason }) => reason);
  for (const reason of reasons) t.checkError(reason, 'schema_violation', { retryable: reason.retryable });
  // A schema that was not there for a moment is another reason than a message that does not fit.
  t.deepEqual(reasons.filter(({ retryable }) => retryable).map(({ message }) => message).slice(0, 3), [], 'messages refused because the schema could not be had');
  for (const [at, list] of entries.entries()) {
    const told = list.filter(({ type }) => type === 'schema').map(({ station, schema }) => `${station === name ? 'first' : 'other'} ${schema}`);
    t.deepEqual([...new Set(told)].sort(), ['first person', 'other person'], `told to ${at === leader ? 'the one whose node died' : 'another'}`);
  }
});
