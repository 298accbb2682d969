// One server that is killed, restarted or frozen in the middle of traffic.

import { topic } from '../kit/rows.mjs';
import { lively, readBack, record, server, settle, traffic } from './helpers.mjs';

const row = topic('link', '2 and 5');
const waits = { waits: true, limitMs: 70_000 };

async function linked(t, more, stationOptions) {
  const host = await server(t);
  const connection = await t.connect(lively(host.url, more));
  const station = await connection.station(t.name(), stationOptions);
  return { host, connection, station };
}

async function bounce(t, host, connection, downMs = 300) {
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  await t.elapse(downMs);
  await host.restart();
}

row('kill -9 and restart in the middle of traffic, with ids: every message is stored once, in order', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name, { autoMsgId: true });
  const sum = await traffic(t, producer, 600, { options: { ackWaitMs: 40_000 }, at: { 250: () => bounce(t, host, connection) } });
  t.deepEqual(sum.failed, [], 'failures');
  const texts = await readBack(t, host.url, station.name);
  t.deepEqual(texts, Array.from({ length: 600 }, (_, index) => `m${index}`), 'stored');
  t.ok(connection.stats().reconnects >= 1, 'reconnects');
});

row('kill -9 and restart in the middle of traffic, without ids: what was written is connection_lost, the rest is stored', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name);
  const sum = await traffic(t, producer, 600, { options: { ackWaitMs: 40_000, limitConcurrentTasks: 20 }, at: { 250: () => bounce(t, host, connection) } });
  for (const error of sum.failed) t.checkError(error, 'connection_lost', { maybeDelivered: true, station: station.name });
  t.ok(sum.failed.length <= 20, `failures: ${sum.failed.length}, more than can have been written`);
  settle(t, await readBack(t, host.url, station.name), sum);
});

/** A message with an id is on its way when the server dies; it is repeated when that is back. */
async function repeated(t, more) {
  const { host, connection, station } = await linked(t, more);
  const producer = await connection.producer(station.name);
  await producer.produce('first');
  await host.freeze();
  const call = producer.produce('second', { msgId: 'id-2', ackWaitMs: 30_000 });
  await t.turn();
  await bounce(t, host, connection);
  return { host, station, receipt: await t.within(30_000, call, 'the message') };
}

row('a message with an id that was on its way is repeated and stored once', waits, async (t) => {
  const { host, station, receipt } = await repeated(t);
  t.equal(receipt.sequence, 2, 'sequence');
  t.deepEqual(await readBack(t, host.url, station.name), ['first', 'second'], 'stored');
});

row('a message without an id that was on its way is connection_lost, maybeDelivered', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name);
  await producer.produce('first');
  await host.freeze();
  const call = t.outcome(producer.produce('second', { ackWaitMs: 30_000 }));
  await t.turn();
  await bounce(t, host, connection);
  const outcome = await t.within(10_000, call, 'the message');
  t.equal(outcome.error, true, 'rejected');
  t.checkError(outcome.reason, 'connection_lost', { maybeDelivered: true });
});

row('a message produced while the link is down waits and is stored, with and without an id', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const calls = [producer.produce('plain'), producer.produce('with id', { msgId: 'x' }), producer.produce('last')];
  await host.restart();
  const receipts = await t.within(20_000, Promise.all(calls), 'the messages');
  t.deepEqual(receipts.map((receipt) => receipt.sequence), [2, 3, 4], 'sequences');
});

row('ackWaitMs runs while the link is down: timeout, not delivered', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const began = t.now();
  await t.rejects(producer.produce('never sent', { ackWaitMs: 700 }), 'timeout', { maybeDelivered: false });
  t.between(t.now() - began, 600, 3000, 'milliseconds');
  await host.restart();
  await t.until(() => connection.isConnected(), 10_000, 'connected again');
  t.equal((await producer.produce('after')).sequence, 2, 'sequence: the one that timed out was not sent later');
});

row('while the link is down more than maxPendingMessages is queue_full', waits, async (t) => {
  const { host, connection, station } = await linked(t, { maxPendingMessages: 3 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const calls = Array.from({ length: 5 }, (_, index) => t.outcome(producer.produce(`m${index}`)));
  for (const call of calls.slice(3)) t.checkError((await t.within(1000, call, 'the refusal')).reason, 'queue_full', { retryable: true });
  await host.restart();
  for (const call of calls.slice(0, 3)) t.equal((await t.within(20_000, call, 'the message')).error, false, 'stored');
});

row('a silent server: a message on its way is timeout, maybeDelivered, and the link goes on afterwards', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const began = t.now();
  await t.rejects(producer.produce('lost in silence', { ackWaitMs: 1200 }), 'timeout', { maybeDelivered: true, station: station.name });
  t.between(t.now() - began, 1100, 4000, 'milliseconds');
  await host.thaw();
  const receipt = await t.within(10_000, producer.produce('after'), 'the next message');
  t.ok(receipt.sequence >= 2, `sequence ${receipt.sequence}`);
});

row('a silent server: a message with an id is sent again and stored once', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const call = producer.produce('once', { msgId: 'once', ackWaitMs: 20_000 });
  await t.elapse(3500);
  await host.thaw();
  t.equal((await t.within(15_000, call, 'the message')).sequence, 2, 'sequence');
  t.deepEqual(await readBack(t, host.url, station.name), ['before', 'once'], 'stored');
});

row('a message that waits behind a silent one times out as not delivered', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const first = t.outcome(producer.produce('on its way', { ackWaitMs: 2500 }));
  await t.rejects(producer.produce('waiting', { ackWaitMs: 900, limitConcurrentTasks: 1 }), 'timeout', { maybeDelivered: false });
  t.checkError((await first).reason, 'timeout', { maybeDelivered: true });
  await host.thaw();
  t.ok(!(await readBack(t, host.url, station.name)).includes('waiting'), 'the one that waited is not stored');
});

row('abort of a message on its way: aborted at once, maybeDelivered', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const controller = new AbortController();
  const reason = new Error('enough');
  const call = t.outcome(producer.produce('half sent', { signal: controller.signal, ackWaitMs: 30_000 }));
  await t.turn();
  controller.abort(reason);
  t.checkError((await t.within(1000, call, 'the message')).reason, 'aborted', { maybeDelivered: true, cause: reason });
  t.equal(connection.stats().pendingMessages, 0, 'pendingMessages: its slot is free');
  await host.thaw();
  t.ok((await t.within(10_000, producer.produce('after'), 'the next')).sequence >= 2, 'the next is stored');
});

row('a link that went silent is given up after two unanswered probes', waits, async (t) => {
  const { host, connection } = await linked(t, { pingIntervalMs: 600 });
  const entries = record(connection);
  const began = t.now();
  await host.freeze();
  await t.until(() => !connection.isConnected(), 8000, 'the link is seen as lost');
  t.between(t.now() - began, 600, 5000, 'milliseconds until it was given up');
  await host.thaw();
  await t.until(() => connection.isConnected(), 10_000, 'connected again');
  t.ok(entries.some((entry) => entry.type === 'disconnected'), 'a disconnected entry');
});

row('status tells the story: disconnected, reconnecting, connected', waits, async (t) => {
  const { host, connection } = await linked(t);
  const entries = record(connection);
  await bounce(t, host, connection, 700);
  await t.until(() => connection.isConnected(), 10_000, 'connected again');
  await connection.close();
  await t.until(() => entries.at(-1)?.type === 'closed', 3000, 'the closed entry');
  const types = entries.map((entry) => entry.type);
  t.ok(types.indexOf('disconnected') < types.indexOf('reconnecting') && types.indexOf('reconnecting') < types.indexOf('connected'), `order: ${t.show(types)}`);
  t.checkError(entries.find((entry) => entry.type === 'disconnected').reason, 'connection_lost', { retryable: true });
  const attempts = entries.filter((entry) => entry.type === 'reconnecting');
  t.ok(attempts.every((entry, index) => entry.attempt === attempts[0].attempt + index && entry.inMs >= 0), `attempts: ${t.show(attempts)}`);
  t.equal(new URL(entries.find((entry) => entry.type === 'connected').url).host, new URL(host.url).host, 'url');
  t.equal(connection.stats().reconnects, 1, 'reconnects');
});

row('maxReconnect attempts in vain end the connection: closed tells why, what was pending rejects', waits, async (t) => {
  const { host, connection, station } = await linked(t, { maxReconnect: 2, reconnectIntervalMs: 100, timeoutMs: 500 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  const waiting = t.outcome(consumer.fetch({ batchMaxTimeToWaitMs: 60_000, batchSize: 5 }));
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const pending = t.outcome(producer.produce('pending', { ackWaitMs: 60_000 }));
  const reason = await t.within(15_000, connection.closed, 'closed');
  t.checkError(reason, ['connect_failed', 'connection_lost']);
  const outcome = await t.within(2000, pending, 'the pending message');
  t.checkError(outcome.reason, ['connection_lost', 'connect_failed', 'closed']);
  const fetched = await t.within(2000, waiting, 'the fetch');
  if (fetched.error) t.checkError(fetched.reason, ['connection_lost', 'connect_failed', 'closed']);
  await t.rejects(() => connection.produce(station.name, 'late'), ['closed', 'connection_lost', 'connect_failed']);
  t.equal(connection.isConnected(), false, 'isConnected()');
});

row('reconnect false: the first loss ends the connection', waits, async (t) => {
  const { host, connection, station } = await linked(t, { reconnect: false });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const pending = t.outcome(producer.produce('on its way', { ackWaitMs: 60_000 }));
  await t.turn();
  await host.kill();
  t.checkError(await t.within(8000, connection.closed, 'closed'), 'connection_lost');
  t.checkError((await t.within(2000, pending, 'the message')).reason, ['connection_lost', 'closed'], { maybeDelivered: true });
  t.equal(connection.isConnected(), false, 'isConnected()');
});

row('close while the link is down does not wait', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.kill();
  await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
  const pending = t.outcome(producer.produce('pending'));
  const began = t.now();
  await connection.close();
  t.between(t.now() - began, 0, 1500, 'milliseconds');
  t.checkError((await t.within(500, pending, 'the message')).reason, 'closed');
});

row('close waits for what is pending for 5 s at most', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const pending = t.outcome(producer.produce('pending', { ackWaitMs: 60_000 }));
  await t.turn();
  const began = t.now();
  await t.within(9000, connection.close(), 'close()');
  t.between(t.now() - began, 3500, 7500, 'milliseconds');
  t.checkError((await t.within(500, pending, 'the message')).reason, 'closed', { maybeDelivered: true });
});

row('destroy of a producer flushes for 5 s at most', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const pending = t.outcome(producer.produce('pending', { ackWaitMs: 60_000 }));
  await t.turn();
  const began = t.now();
  await t.within(9000, producer.destroy(), 'destroy()');
  t.between(t.now() - began, 3500, 7500, 'milliseconds');
  t.checkError((await t.within(500, pending, 'the message')).reason, 'closed');
});

row('flush resolves although what it waited for failed', waits, async (t) => {
  const { host, connection, station } = await linked(t, { pingIntervalMs: 60_000 });
  const producer = await connection.producer(station.name);
  await producer.produce('before');
  await host.freeze();
  const pending = t.outcome(producer.produce('pending', { ackWaitMs: 800 }));
  t.equal(await t.within(6000, producer.flush(), 'flush()'), undefined, 'flush()');
  t.equal((await pending).error, true, 'the message failed');
});

row('a batch across a kill -9, with ids: every receipt comes', waits, async (t) => {
  const { host, connection, station } = await linked(t);
  const producer = await connection.producer(station.name, { autoMsgId: true });
  let killed;
  const receipts = await t.within(50_000, producer.produceBatch(Array.from({ length: 3000 }, (_, index) => `m${index}`), {
    ackWaitMs: 40_000, onProgress: (done) => { if (done >= 500) killed ??= bounce(t, host, connection); },
  }), 'produceBatch()');
  await killed;
  t.equal(receipts.length, 3000, 'receipts');
  const texts = await readBack(t, host.url, station.name);
  t.equal(texts.length, 3000, 'stored');
  t.equal(new Set(texts).size, 3000, 'different messages');
});

row('the logger hears of a lost link and of messages that were sent again', waits, async (t) => {
  const entries = [];
  const { station } = await repeated(t, { logger: (entry) => { entries.push(entry); } });
  const events = entries.map((entry) => entry.event);
  for (const event of ['connected', 'disconnected', 'reconnecting', 'produce_repeated']) t.ok(events.includes(event), `no ${event} in ${t.show(events)}`);
  t.deepEqual(entries.find((entry) => entry.event === 'produce_repeated'), { level: 'warn', event: 'produce_repeated', detail: { station: station.name, messages: 1 } }, 'entry');
});

row('credentials are asked again for every dial, with the reason', waits, async (t) => {
  const host = await server(t);
  const asked = [];
  const connection = await t.connect(lively(host.url, { credentials: (attempt) => { asked.push(attempt); return {}; } }));
  await bounce(t, host, connection);
  await t.until(() => connection.isConnected(), 10_000, 'connected again');
  t.ok(asked.length >= 2, `times it was asked: ${asked.length}`);
  t.ok(asked.at(-1).reason instanceof t.api.BrokerError, `reason: ${t.show(asked.at(-1).reason)}`);
  t.ok(asked.at(-1).attempt > asked[0].attempt, `attempts: ${t.show(asked.map((each) => each.attempt))}`);
});
