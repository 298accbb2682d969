// Live messages and questions when the server dies.

import { topic } from '../kit/rows.mjs';
import { lively, server } from './helpers.mjs';

const row = topic('live and the link', '5 and 8');
const waits = { waits: true, limitMs: 60_000 };

async function linked(t, more) {
  const host = await server(t);
  const connection = await t.connect(lively(host.url, more));
  return { host, connection, channel: t.name('ch') };
}

async function down(t, host, ...connections) {
  await host.kill();
  for (const connection of connections) await t.until(() => !connection.isConnected(), 5000, 'the link is seen as lost');
}

row('subscriptions and responders come back after kill -9 and restart', waits, async (t) => {
  const { host, connection, channel } = await linked(t);
  const other = await t.connect(lively(host.url));
  const seen = [];
  const subscription = await connection.subscribe(`${channel}.*`, {}, (message) => { seen.push(message.text()); });
  await connection.respond(`${channel}.ask.me`, () => 'here', { group: 'g' });
  await other.publish(`${channel}.a`, 'before');
  await t.until(() => seen.length === 1, 5000, 'the first message');
  await down(t, host, connection, other);
  await host.restart();
  await t.until(() => connection.isConnected() && other.isConnected(), 15_000, 'connected again');
  await connection.ping();
  await other.publish(`${channel}.a`, 'after');
  await t.until(() => seen.length === 2, 5000, 'the second message');
  t.deepEqual(seen, ['before', 'after'], 'messages');
  t.equal((await other.request(`${channel}.ask.me`, 'x')).text(), 'here', 'the answer');
  await subscription.stop();
  t.equal(await t.within(2000, subscription.closed, 'closed'), undefined, 'closed');
});

row('what is published while the link is down waits for it, in order', waits, async (t) => {
  const { host, connection, channel } = await linked(t);
  const seen = [];
  await connection.subscribe(channel, {}, (message) => { seen.push(message.text()); });
  await down(t, host, connection);
  const calls = Array.from({ length: 50 }, (_, index) => connection.publish(channel, `m${index}`));
  t.equal(connection.stats().pendingMessages, 50, 'pendingMessages');
  await host.restart();
  await t.within(20_000, Promise.all(calls), 'the messages');
  await t.until(() => seen.length === 50, 5000, 'the messages');
  t.deepEqual(seen, Array.from({ length: 50 }, (_, index) => `m${index}`), 'messages');
});

row('while the link is down: limits, signals, and subscribing', waits, async (t) => {
  const { host, connection, channel } = await linked(t, { maxPendingMessages: 4 });
  await connection.publish(channel, 'x');
  await down(t, host, connection);
  const controller = new AbortController();
  const calls = Array.from({ length: 5 }, (_, index) => t.outcome(connection.publish(channel, `m${index}`, index === 1 ? { signal: controller.signal } : undefined)));
  t.checkError((await t.within(1000, calls[4], 'the refusal')).reason, 'queue_full', { maybeDelivered: false });
  const reason = new Error('not this one');
  controller.abort(reason);
  t.checkError((await t.within(1000, calls[1], 'the aborted one')).reason, 'aborted', { maybeDelivered: false, cause: reason });
  const opening = connection.subscribe(channel);
  await host.restart();
  for (const call of [calls[0], calls[2], calls[3]]) t.equal((await t.within(20_000, call, 'the message')).error, false, 'sent');
  const subscription = await t.within(10_000, opening, 'subscribe()');
  await connection.publish(channel, 'heard');
  const texts = [];
  for await (const message of subscription) {
    texts.push(message.text());
    if (message.text() === 'heard') break;
  }
  t.equal(texts.at(-1), 'heard', 'the last message');
});

row('a question that was on its way is connection_lost, maybeDelivered; one asked while the link is down waits for it', waits, async (t) => {
  const { host, connection, channel } = await linked(t);
  let go;
  const slow = new Promise((resolve) => { go = resolve; });
  let asked = 0;
  await connection.respond(channel, async (request) => {
    asked += 1;
    if (request.text() === 'slow') await slow;
    return `re ${request.text()}`;
  }, { concurrency: 5 });
  const lost = t.outcome(connection.request(channel, 'slow', { timeoutMs: 30_000 }));
  await t.until(() => asked === 1, 5000, 'the question');
  await down(t, host, connection);
  const { error, reason } = await t.within(5000, lost, 'the question');
  t.equal(error, true, 'rejected');
  t.checkError(reason, 'connection_lost', { maybeDelivered: true });
  const late = connection.request(channel, 'late', { timeoutMs: 30_000 });
  await t.rejects(() => connection.request(channel, 'never', { timeoutMs: 200 }), 'timeout', { maybeDelivered: false });
  await host.restart();
  t.equal((await t.within(20_000, late, 'the answer')).text(), 're late', 'the answer');
  go();
});

row('close while the link is down: what waits rejects with closed', waits, async (t) => {
  const { host, connection, channel } = await linked(t);
  const subscription = await connection.subscribe(channel);
  await down(t, host, connection);
  const calls = [t.outcome(connection.publish(channel, 'x')), t.outcome(connection.request(channel, 'x'))];
  await t.within(3000, connection.close(), 'close()');
  for (const call of calls) t.checkError((await t.within(1000, call, 'the call')).reason, 'closed', { maybeDelivered: false });
  t.equal(await t.within(1000, subscription.closed, 'closed'), undefined, 'closed');
});

row('a connection that gives up ends its subscriptions with the reason', waits, async (t) => {
  const { host, connection, channel } = await linked(t, { maxReconnect: 1 });
  const looped = await connection.subscribe(channel);
  const waiting = t.outcome(looped[Symbol.asyncIterator]().next());
  const handled = await connection.respond(`${channel}.ask`, () => 'x');
  await host.kill();
  const reason = await t.within(15_000, connection.closed, 'closed');
  t.checkError(reason, 'connect_failed');
  t.ok(await t.within(1000, looped.closed, 'closed') === reason, 'closed of the subscription');
  t.ok(await t.within(1000, handled.closed, 'closed') === reason, 'closed of the responder');
  t.ok((await t.within(1000, waiting, 'the reader')).reason === reason, 'the reader rejects');
});
