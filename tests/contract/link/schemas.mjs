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
