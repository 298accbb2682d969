// Three nodes, a station on all of them, and the leader killed in the middle of traffic.

import { topic } from '../kit/rows.mjs';
import { lively, readBack, server, settle, traffic } from './helpers.mjs';

const row = topic('cluster', '2 and 5');
// Election after a killed leader took about four seconds where it was measured; twice that on a busy machine.
const limits = { limitMs: 110_000 };
const ackWait = { ackWaitMs: 45_000 };

async function replicated(t, { partitionsNumber = 1, node = 'any', group, more } = {}) {
  const host = await server(t, { cluster: 3 });
  const name = t.name();
  const maker = await t.connect({ url: host.urls[0] });
  await t.until(async () => !(await t.outcome(maker.station(name, { replicas: 3, partitionsNumber }))).error, 20_000, 'the station');
  if (group) await t.until(async () => !(await t.outcome(maker.consumer(name, { consumerName: group, maxAckTimeMs: 4000 }))).error, 20_000, 'the group');
  const leader = await t.until(() => host.leaderOf(name, group), 10_000, 'a leader');
  const other = (leader.index + 1) % 3;
  const urls = node === 'leader' ? [host.urls[leader.index], host.urls[other], host.urls[(other + 1) % 3]] : [host.urls[other]];
  const connection = await t.connect(lively(urls, more));
  return { host, name, leader: leader.index, other, connection };
}

row('with ids: nothing acknowledged is lost, every message is stored once', limits, async (t) => {
  const { host, name, leader, other, connection } = await replicated(t);
  const producer = await connection.producer(name, { autoMsgId: true });
  const sum = await traffic(t, producer, 500, { options: ackWait, at: { 200: () => host.kill(leader) } });
  t.deepEqual(sum.failed, [], 'failures');
  const texts = await readBack(t, host.urls[other], name);
  settle(t, texts, sum);
  t.equal(texts.length, 500, 'stored');
});

row('without ids: nothing acknowledged is lost, every message has one outcome', limits, async (t) => {
  const { host, name, leader, other, connection } = await replicated(t);
  const producer = await connection.producer(name);
  const sum = await traffic(t, producer, 500, { options: { ackWaitMs: 15_000, limitConcurrentTasks: 100 }, at: { 200: () => host.kill(leader) } });
  for (const error of sum.failed) t.checkError(error, ['timeout', 'connection_lost'], { station: name });
  t.ok(sum.stored.length >= 200, `stored: ${sum.stored.length}`);
  settle(t, await readBack(t, host.urls[other], name), sum);
});

row('the node of the connection dies: the next URL takes over, with ids nothing is lost', limits, async (t) => {
  const { host, name, leader, other, connection } = await replicated(t, { node: 'leader' });
  const producer = await connection.producer(name, { autoMsgId: true });
  const sum = await traffic(t, producer, 500, { options: ackWait, at: { 200: () => host.kill(leader) } });
  t.deepEqual(sum.failed, [], 'failures');
  t.equal((await readBack(t, host.urls[other], name)).length, 500, 'stored');
  t.ok(connection.stats().reconnects >= 1, 'reconnects');
});

row("consumers go on when their group's leader dies", limits, async (t) => {
  const { host, name, leader, connection } = await replicated(t, { group: 'team' });
  const producer = await connection.producer(name, { autoMsgId: true });
  const members = [];
  const seen = new Set();
  for (const consumerName of ['a', 'b']) {
    const member = await connection.consumer(name, { consumerName, consumerGroup: 'team', batchMaxTimeToWaitMs: 500, pullIntervalMs: 100 });
    members.push({ member, running: member.consume(async (messages) => { for (const message of messages) { seen.add(message.text()); await message.ack(); } }) });
  }
  const sum = await traffic(t, producer, 300, { options: ackWait, at: { 120: () => host.kill(leader) } });
  t.deepEqual(sum.failed, [], 'failures');
  await t.until(() => seen.size === 300, 60_000, 'every message handled');
  await Promise.all(members.map(({ member }) => member.stop()));
  await t.within(10_000, Promise.all(members.map(({ running }) => running)), 'consume()');
});

row('a killed node that comes back serves again, with everything in it', limits, async (t) => {
  const { host, name, leader, connection } = await replicated(t, { partitionsNumber: 3, node: 'leader' });
  const producer = await connection.producer(name, { autoMsgId: true });
  const sum = await traffic(t, producer, 300, { options: ackWait, at: { 100: async () => { await host.kill(leader); await host.restart(leader); } } });
  t.deepEqual(sum.failed, [], 'failures');
  const texts = await t.until(async () => {
    const outcome = await t.outcome(readBack(t, host.urls[leader], name));
    return !outcome.error && outcome.value.length === 300 && outcome.value;
  }, 30_000, 'the restarted node serves the station');
  t.equal(new Set(texts).size, 300, 'different messages');
});

row('what a server has told of deaths outlives it: each is one letter', limits, async (t) => {
  const { host, name, connection } = await replicated(t);
  const api = async (subject, body) => (await connection.request(`$JS.API.${subject}`, body ?? '', { timeoutMs: 2000 })).json();
  const config = { name: 'theirs', durable_name: 'theirs', ack_policy: 'explicit', ack_wait: 4e9, max_deliver: 1 };
  t.equal((await api(`CONSUMER.CREATE.${name}.theirs`, { stream_name: name, action: 'create', config })).error, undefined, 'the durable');
  const producer = await connection.producer(name, { autoMsgId: true });
  await t.fill(producer, 60);
  const consumer = await t.until(async () => (await t.outcome(connection.consumer(name, { consumerGroup: 'theirs' }))).value, 20_000, 'the group');
  await t.collect(consumer, 60, { ack: false });
  const notices = `DLADV_${name}`;
  t.equal((await api(`STREAM.INFO.${notices}`)).config.num_replicas, 3, 'replicas of what is told');
  await t.until(async () => { await t.nothing(consumer, 200); return (await api(`STREAM.INFO.${notices}`)).state.messages === 60; }, 20_000, 'everything is told');
  const leader = await t.until(() => host.leaderOf(notices), 10_000, 'a leader of what is told');
  await host.kill(leader.index);
  const rest = await t.connect(lively([0, 1, 2].filter((node) => node !== leader.index).map((node) => host.urls[node])));
  const station = await t.until(async () => (await t.outcome(rest.station(name))).value, 20_000, 'the station');
  const letters = async () => {
    const list = [];
    for await (const letter of station.deadLetters()) list.push(letter.sequence);
    return list;
  };
  const all = await t.until(async () => { const { value } = await t.outcome(letters()); return value?.length >= 60 && value; }, 60_000, 'every letter');
  t.equal(new Set(all).size, 60, 'places');
  t.equal(all.length, 60, 'letters');
});
