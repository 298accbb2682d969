// Live messages: to whoever listens now, stored nowhere.

import { topic } from '../kit/rows.mjs';

const row = topic('live', 8);
const live = { needs: ['live'] };

/** A connection that sends and one that listens, with a channel of their own. */
async function pair(t, options) {
  const [sender, listener] = await Promise.all([t.connect(options), t.connect()]);
  return { sender, listener, channel: t.name('ch') };
}

/** Takes that many messages out of a subscription. */
async function take(t, subscription, count, ms = 8000) {
  const iterator = subscription[Symbol.asyncIterator]();
  const got = [];
  while (got.length < count) {
    const { value, done } = await t.within(ms, iterator.next(), `message ${got.length + 1} of ${count}`);
    if (done) t.fail(`ended after ${got.length} of ${count} messages`);
    got.push(value);
  }
  return got;
}

/** A handler that keeps the texts, and how to wait for them. */
function keeper(t) {
  const texts = [];
  return { texts, handler: (message) => { texts.push(message.text()); }, until: (count) => t.until(() => texts.length >= count, 8000, `${count} messages`) };
}

/** Everything that was sent before has been given to whoever listens: one more message has come all the way. */
async function settled(t, sender, listener) {
  const channel = t.name('mark');
  const mark = await listener.subscribe(channel);
  await sender.publish(channel, 'mark');
  await take(t, mark, 1);
  await mark.stop();
}

row('live messages and requests are offered', live, async (t) => {
  const { capabilities } = await t.connect();
  t.deepEqual([capabilities.has('live'), capabilities.has('requests')], [true, true], 'capabilities');
});

row('a message reaches whoever listens, and is stored nowhere', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  await sender.publish(channel, 'too early');
  await settled(t, sender, listener);
  const subscription = await listener.subscribe(channel);
  t.equal(await sender.publish(channel, 'heard'), undefined, 'publish()');
  t.deepEqual(t.texts(await take(t, subscription, 1)), ['heard'], 'messages');
});

row('everybody without a group gets every message', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const ears = [keeper(t), keeper(t), keeper(t)];
  for (const ear of ears) await listener.subscribe(channel, {}, ear.handler);
  for (let index = 0; index < 5; index += 1) await sender.publish(channel, `m${index}`);
  for (const ear of ears) {
    await ear.until(5);
    t.deepEqual(ear.texts, ['m0', 'm1', 'm2', 'm3', 'm4'], 'messages');
  }
});

row('in a group one member gets each message, and groups do not see each other', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const third = await t.connect();
  const [a, b, other, all] = [keeper(t), keeper(t), keeper(t), keeper(t)];
  await listener.subscribe(channel, { group: 'workers' }, a.handler);
  await third.subscribe(channel, { group: 'workers' }, b.handler);
  await listener.subscribe(channel, { group: 'others' }, other.handler);
  await listener.subscribe(channel, { group: '' }, all.handler);
  for (let index = 0; index < 60; index += 1) await sender.publish(channel, `m${index}`);
  await other.until(60);
  await all.until(60);
  await t.until(() => a.texts.length + b.texts.length >= 60, 8000, 'the members of the group');
  await settled(t, sender, listener);
  await settled(t, sender, third);
  t.equal(new Set([...a.texts, ...b.texts]).size, 60, 'different messages in the group');
  t.equal(a.texts.length + b.texts.length, 60, 'messages in the group');
  t.ok(a.texts.length > 0 && b.texts.length > 0, `both members work: ${a.texts.length} and ${b.texts.length}`);
});

row('wildcards: one part, and all that follow', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const [one, rest, exact] = [keeper(t), keeper(t), keeper(t)];
  await listener.subscribe(`${channel}.*.x`, {}, one.handler);
  await listener.subscribe(`${channel}.>`, {}, rest.handler);
  await listener.subscribe(`${channel}.a.x`, {}, exact.handler);
  for (const name of ['a.x', 'b.x', 'a.y', 'a.b.x', 'a']) await sender.publish(`${channel}.${name}`, name);
  await sender.publish(channel, 'none of them');
  await settled(t, sender, listener);
  t.deepEqual([one.texts, rest.texts, exact.texts], [['a.x', 'b.x'], ['a.x', 'b.x', 'a.y', 'a.b.x', 'a'], ['a.x']], 'messages');
});

row('a message names the channel it was sent to, not the pattern', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(`${channel}.>`);
  t.equal(subscription.channel, `${channel}.>`, 'channel of the subscription');
  await sender.publish(`${channel}.a.b`, 'x');
  const [message] = await take(t, subscription, 1);
  t.equal(message.channel, `${channel}.a.b`, 'channel of the message');
});

row('messages of one publisher come in order', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const ear = keeper(t);
  await listener.subscribe(channel, {}, ear.handler);
  for (let index = 0; index < 5000; index += 1) void sender.publish(channel, `${index}`);
  await ear.until(5000);
  t.deepEqual(ear.texts, Array.from({ length: 5000 }, (_, index) => `${index}`), 'messages');
});

row('what is published in one task keeps its order, whatever else is called among it', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const ear = keeper(t);
  await listener.subscribe(`${channel}.>`, {}, ear.handler);
  const responder = await listener.respond(channel, () => 'answer');
  await sender.publish(`${channel}.a`, 'begin');
  const sent = ['begin'];
  const answers = [];
  const bytes = new TextEncoder();
  const publish = (part, text, options, as = (value) => value) => {
    sent.push(text);
    void sender.publish(`${channel}.${part}`, as(text), options);
  };
  for (let turn = 0; turn < 3; turn += 1) {
    for (let index = 0; index < 400; index += 1) {
      publish('a', `${turn}.${index}`, undefined, (text) => bytes.encode(text));
      publish('a', `${turn}.${index} ${'ö'.repeat(index)}`);
      if (index % 7 === 0) publish('b', `other ${index}`);
      if (index % 31 === 0) publish('a', `with headers ${index}`, { headers: { index: `${index}` } });
      if (index % 97 === 0) publish(`c${index}`, 'x'.repeat(80_000 + index));
      if (index % 101 === 0) publish('a', '', undefined, () => new Uint8Array(0));
      if (index % 151 === 0) answers.push(sender.request(channel, 'question'));
      if (index % 199 === 0) sender.stats();
    }
    // The rest of this turn, and then another one.
    if (turn === 0) await Promise.resolve();
    else await sender.ping();
  }
  await ear.until(sent.length);
  t.deepEqual(ear.texts, sent, 'messages');
  for (const answer of await Promise.all(answers)) t.equal(answer.text(), 'answer', 'answer');
  t.equal(sender.stats().sentMessages, sent.length + answers.length, 'sentMessages');
  await responder.stop();
});

row('payloads: bytes, text, JSON, nothing', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  const bytes = Uint8Array.from([0, 255, 13, 10, 7]);
  await sender.publish(channel, bytes);
  await sender.publish(channel, bytes.buffer);
  await sender.publish(channel, 'größer\r\nPING\r\n');
  await sender.publish(channel, { a: [1, null] });
  await sender.publish(channel, '');
  const got = await take(t, subscription, 5);
  t.deepEqual([...got[0].data], [...bytes], 'bytes');
  t.deepEqual([...got[1].copy()], [...bytes], 'an ArrayBuffer');
  t.equal(got[2].text(), 'größer\r\nPING\r\n', 'text');
  t.deepEqual(got[3].json(), { a: [1, null] }, 'JSON');
  t.equal(got[4].data.length, 0, 'nothing');
  t.ok(got[0].copy().buffer !== got[0].data.buffer, 'copy() has a buffer of its own');
});

for (const [what, value] of [['null', null], ['undefined', undefined], ['a number', 7], ['a function', () => {}], ['a promise', Promise.resolve('x')], ['a Map', new Map()]]) {
  row(`${what} is no payload`, live, async (t) => {
    const connection = await t.connect();
    await t.rejects(() => connection.publish('a', value), 'invalid_argument');
    await t.rejects(() => connection.request('a', value), 'invalid_argument');
    // The first calls of a connection wait for code to be loaded; these do not.
    await t.rejects(() => connection.publish('a', value), 'invalid_argument');
    await t.rejects(() => connection.request('a', value), 'invalid_argument');
  });
}

row('the bytes are taken at the call', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  const bytes = Uint8Array.from([1]);
  const object = { n: 1 };
  const calls = [];
  for (const n of [1, 2, 3]) {
    bytes[0] = n;
    object.n = n;
    calls.push(sender.publish(channel, bytes), sender.publish(channel, object));
  }
  bytes[0] = object.n = 9;
  await Promise.all(calls);
  const got = await take(t, subscription, 6);
  t.deepEqual(got.map((message) => (message.data.length === 1 ? message.data[0] : message.json().n)), [1, 1, 2, 2, 3, 3], 'messages');
});

row('headers, id and metadata travel along', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  await sender.publish(channel, 'x', { headers: { 'x-a': '1', 'X-B': 'two words' }, id: 'id-1', metadata: 'a line\nand 100 % größer' });
  await sender.publish(channel, 'y');
  const [first, second] = await take(t, subscription, 2);
  t.deepEqual({ ...first.headers }, { 'x-a': '1', 'X-B': 'two words' }, 'headers');
  t.deepEqual([first.id, first.metadata], ['id-1', 'a line\nand 100 % größer'], 'id and metadata');
  t.deepEqual([{ ...second.headers }, second.id, second.metadata], [{}, undefined, undefined], 'of a plain message');
});

row('a large message among small ones', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  const large = new Uint8Array(700_000).map((_, index) => index % 251);
  await Promise.all(['before', large, 'after'].map((payload) => sender.publish(channel, payload)));
  const got = await take(t, subscription, 3);
  t.deepEqual([got[0].text(), got[2].text()], ['before', 'after'], 'the small ones');
  t.ok(got[1].data.length === large.length && got[1].data.every((byte, index) => byte === index % 251), 'the large one is whole');
});

row('a connection hears itself', live, async (t) => {
  const connection = await t.connect();
  const channel = t.name('ch');
  const subscription = await connection.subscribe(channel);
  await connection.publish(channel, 'echo');
  t.deepEqual(t.texts(await take(t, subscription, 1)), ['echo'], 'messages');
});

row('the handler is called once at a time, in order', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const seen = [];
  let running = 0;
  let most = 0;
  await listener.subscribe(channel, {}, async (message) => {
    running += 1;
    most = Math.max(most, running);
    await t.turn();
    seen.push(message.text());
    running -= 1;
  });
  for (let index = 0; index < 20; index += 1) void sender.publish(channel, `m${index}`);
  await t.until(() => seen.length === 20, 8000, 'the messages');
  t.deepEqual([most, seen], [1, Array.from({ length: 20 }, (_, index) => `m${index}`)], 'calls at once, messages');
});

row('a handler that throws ends its subscription, and closed gives what it threw', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const thrown = new Error('no more');
  const calls = [];
  const other = keeper(t);
  const subscription = await listener.subscribe(channel, {}, (message) => {
    calls.push(message.text());
    if (calls.length === 2) throw thrown;
  });
  await listener.subscribe(channel, {}, other.handler);
  for (const text of ['a', 'b', 'c', 'd']) await sender.publish(channel, text);
  t.ok(await t.within(5000, subscription.closed, 'closed') === thrown, 'closed');
  await other.until(4);
  t.deepEqual(calls, ['a', 'b'], 'calls');
});

row('leaving the loop ends the subscription', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  await sender.publish(channel, 'a');
  await sender.publish(channel, 'b');
  const seen = [];
  for await (const message of subscription) {
    seen.push(message.text());
    break;
  }
  t.deepEqual(seen, ['a'], 'messages');
  t.equal(await t.within(2000, subscription.closed, 'closed'), undefined, 'closed');
  t.deepEqual(await subscription[Symbol.asyncIterator]().next(), { value: undefined, done: true }, 'another loop');
});

row('a second iterator, or one beside a handler, is refused', live, async (t) => {
  const { listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  const waiting = subscription[Symbol.asyncIterator]().next();
  await t.rejects(() => subscription[Symbol.asyncIterator]().next(), 'invalid_argument');
  await subscription.stop();
  t.equal((await waiting).done, true, 'the first one ended');
  const handled = await listener.subscribe(channel, {}, () => {});
  await t.rejects(() => handled[Symbol.asyncIterator]().next(), 'invalid_argument');
});

row('a stream of messages; cancelling it ends the subscription', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  const reader = subscription.readable.getReader();
  await sender.publish(channel, 'a');
  await sender.publish(channel, 'b');
  t.equal((await t.within(5000, reader.read(), 'read()')).value.text(), 'a', 'first');
  t.equal((await t.within(5000, reader.read(), 'read()')).value.text(), 'b', 'second');
  await reader.cancel();
  t.equal(await t.within(2000, subscription.closed, 'closed'), undefined, 'closed');
});

row('after stop nothing is handed over', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const ear = keeper(t);
  const subscription = await listener.subscribe(channel, {}, ear.handler);
  await sender.publish(channel, 'a');
  await ear.until(1);
  t.equal(await subscription.stop(), undefined, 'stop()');
  t.equal(await subscription.stop(), undefined, 'a second stop()');
  t.equal(await t.within(2000, subscription.closed, 'closed'), undefined, 'closed');
  await sender.publish(channel, 'b');
  await settled(t, sender, listener);
  t.deepEqual(ear.texts, ['a'], 'messages');
});

row('stop inside the handler does not wait for it, closed does', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const events = [];
  const subscription = await listener.subscribe(channel, {}, async () => {
    await subscription.stop();
    events.push('stopped');
    await t.turn();
    events.push('returned');
  });
  void subscription.closed.then(() => events.push('closed'));
  await sender.publish(channel, 'a');
  await t.within(5000, subscription.closed, 'closed');
  t.deepEqual(events, ['stopped', 'returned', 'closed'], 'what happened');
});

row('leaving the block of `await using` stops a subscription', live, async (t) => {
  const { listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  t.equal(await subscription[Symbol.asyncDispose](), undefined, 'dispose');
  t.equal(await t.within(2000, subscription.closed, 'closed'), undefined, 'closed');
});

row('signals: before, during and after', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const reason = new Error('enough');
  await t.rejects(() => sender.publish(channel, 'x', { signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
  await t.rejects(() => listener.subscribe(channel, { signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
  const controller = new AbortController();
  const subscription = await listener.subscribe(channel, { signal: controller.signal });
  const waiting = subscription[Symbol.asyncIterator]().next();
  controller.abort();
  t.equal((await t.within(2000, waiting, 'the reader')).done, true, 'the reader ends');
  t.equal(await t.within(2000, subscription.closed, 'closed'), undefined, 'closed');
});

row('drop_oldest: the newest stay, the others are counted and told', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const statuses = [];
  void (async () => { for await (const status of listener.status()) statuses.push(status); })();
  const subscription = await listener.subscribe(channel, { prefetchMessages: 10 });
  for (let index = 0; index < 100; index += 1) await sender.publish(channel, `m${index}`);
  await settled(t, sender, listener);
  t.equal(subscription.dropped, 90, 'dropped');
  t.deepEqual(t.texts(await take(t, subscription, 10)), Array.from({ length: 10 }, (_, index) => `m${index + 90}`), 'messages');
  const slow = statuses.filter((status) => status.type === 'slow_consumer');
  t.deepEqual(slow, [{ type: 'slow_consumer', station: channel, pending: 10 }], 'statuses');
});

row('drop_newest: the oldest stay', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel, { prefetchMessages: 10, overflow: 'drop_newest' });
  for (let index = 0; index < 100; index += 1) await sender.publish(channel, `m${index}`);
  await settled(t, sender, listener);
  t.equal(subscription.dropped, 90, 'dropped');
  const texts = t.texts(await take(t, subscription, 10));
  t.deepEqual(texts, Array.from({ length: 10 }, (_, index) => `m${index}`), 'messages');
});

row('error: too slow ends it with slow_consumer', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel, { prefetchMessages: 10, overflow: 'error' });
  for (let index = 0; index < 11; index += 1) await sender.publish(channel, `m${index}`);
  t.checkError(await t.within(5000, subscription.closed, 'closed'), 'slow_consumer', { retryable: true });
  await t.rejects(() => subscription[Symbol.asyncIterator]().next(), 'slow_consumer');
  t.equal(subscription.dropped, 1, 'dropped');
  const again = await listener.subscribe(channel, { prefetchMessages: 10, overflow: 'error' });
  await sender.publish(channel, 'again');
  t.deepEqual(t.texts(await take(t, again, 1)), ['again'], 'a new subscription');
});

row('whoever keeps up loses nothing', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  let count = 0;
  const subscription = await listener.subscribe(channel, {}, () => { count += 1; });
  for (let index = 0; index < 8000; index += 1) void sender.publish(channel, 'x');
  await t.until(() => count === 8000, 8000, 'the messages');
  t.equal(subscription.dropped, 0, 'dropped');
});

for (const [what, channel] of [
  ['an empty one', ''], ['a blank', 'a b'], ['a tab', 'a\tb'], ['a line break', 'a\r\nPUB b 1'], ['an empty part', 'a..b'], ['a dot at the beginning', '.a'],
  ['a dot at the end', 'a.'], ['a null', 'a\0'], ['one that is too long', 'a'.repeat(5000)], ['a wildcard inside a part', 'a.b*'], ['more after ">"', 'a.>.b'], ['a number', 7], ['nothing', undefined],
]) {
  row(`bad channels: ${what}`, live, async (t) => {
    const connection = await t.connect();
    for (let twice = 0; twice < 2; twice += 1) {
      await t.rejects(() => connection.publish(channel, 'x'), 'invalid_argument');
      await t.rejects(() => connection.request(channel, 'x'), 'invalid_argument');
      await t.rejects(() => connection.subscribe(channel), 'invalid_argument');
      await t.rejects(() => connection.respond(channel, () => {}), 'invalid_argument');
    }
    t.equal(connection.isConnected(), true, 'isConnected()');
  });
}

row('wildcards are refused where something is sent', live, async (t) => {
  const connection = await t.connect();
  for (const channel of ['*', '>', 'a.*', 'a.>', '*.a']) {
    await t.rejects(() => connection.publish(channel, 'x'), 'invalid_argument', { says: 'wildcard' });
    await t.rejects(() => connection.request(channel, 'x'), 'invalid_argument', { says: 'wildcard' });
  }
});

for (const [what, options] of [
  ['an unknown name', { header: {} }], ['a header that is no string', { headers: { a: 1 } }], ['headers in a list', { headers: ['a'] }], ['a name with a blank', { headers: { 'a b': 'x' } }],
  ['a value with a line break', { headers: { a: 'x\r\ny' } }], ['a header of the broker', { headers: { 'Nats-Service-Error': 'x' } }], ['an id that is no string', { id: 7 }], ['an empty id', { id: '' }],
  ['metadata that is no string', { metadata: {} }], ['a signal that is none', { signal: {} }], ['a text', 'headers'],
]) {
  row(`bad options of publish and request: ${what}`, live, async (t) => {
    const connection = await t.connect();
    await t.rejects(() => connection.publish('a', 'x', options), 'invalid_argument');
    await t.rejects(() => connection.request('a', 'x', options), 'invalid_argument');
  });
}

for (const [what, options] of [
  ['an unknown name', { prefetch: 1 }], ['a group with a blank', { group: 'a b' }], ['a group that is no string', { group: 7 }], ['room for nothing', { prefetchMessages: 0 }],
  ['half a message', { prefetchMessages: 1.5 }], ['an unknown rule', { overflow: 'block' }], ['a signal that is none', { signal: 7 }],
]) {
  row(`bad options of subscribe: ${what}`, live, async (t) => {
    const connection = await t.connect();
    await t.rejects(() => connection.subscribe('a', options), 'invalid_argument');
  });
}

row('a handler that is none is refused', live, async (t) => {
  const connection = await t.connect();
  await t.rejects(() => connection.subscribe('a', {}, 'handler'), 'invalid_argument');
  await t.rejects(() => connection.respond('a', undefined), 'invalid_argument');
});

row('options that are undefined count as not given', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel, { group: undefined, prefetchMessages: undefined, overflow: undefined, signal: undefined });
  await sender.publish(channel, 'x', { headers: undefined, id: undefined, metadata: undefined, signal: undefined });
  t.deepEqual(t.texts(await take(t, subscription, 1)), ['x'], 'messages');
});

row('larger than the broker takes is too_large, and nothing else happens', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  const { maxPayloadBytes } = await sender.ping();
  const large = new Uint8Array(maxPayloadBytes + 1);
  await t.rejects(() => sender.publish(channel, large), 'too_large');
  await t.rejects(() => sender.request(channel, large), 'too_large');
  await t.rejects(() => sender.publish(channel, large.subarray(1), { headers: { a: 'b' } }), 'too_large');
  await sender.publish(channel, large.subarray(1));
  const [message] = await take(t, subscription, 1);
  t.equal(message.data.length, maxPayloadBytes, 'the largest that goes');
});

row('what is not confirmed counts for maxPendingBytes: queue_full, and room again afterwards', live, async (t) => {
  const { sender, listener, channel } = await pair(t, { maxPendingBytes: 20_000 });
  const ear = keeper(t);
  await listener.subscribe(channel, {}, ear.handler);
  await sender.publish(channel, 'first');
  const payload = 'x'.repeat(1000);
  const outcomes = await Promise.all(Array.from({ length: 60 }, () => t.outcome(sender.publish(channel, payload))));
  const refused = outcomes.filter((outcome) => outcome.error);
  t.between(refused.length, 38, 45, 'refused');
  for (const { reason } of refused) t.checkError(reason, 'queue_full', { maybeDelivered: false });
  await ear.until(1 + outcomes.length - refused.length);
  await t.until(async () => !(await t.outcome(sender.publish(channel, payload))).error, 8000, 'room');
  await t.until(() => sender.stats().pendingBytes === 0, 8000, 'everything is confirmed');
});

row('whoever awaits publish never gets queue_full', live, async (t) => {
  const { sender, listener, channel } = await pair(t, { maxPendingBytes: 50_000 });
  let count = 0;
  await listener.subscribe(channel, {}, () => { count += 1; });
  const payload = 'x'.repeat(1000);
  for (let index = 0; index < 1000; index += 1) await sender.publish(channel, payload);
  await t.until(() => count === 1000, 8000, 'the messages');
});

row('stats count what is sent and taken', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const subscription = await listener.subscribe(channel);
  for (let index = 0; index < 3; index += 1) await sender.publish(channel, 'abc');
  await take(t, subscription, 3);
  t.equal(sender.stats().sentMessages, 3, 'sentMessages');
  t.equal(listener.stats().receivedMessages, 3, 'receivedMessages');
});

row('close ends loops and subscriptions without an error', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const handled = await listener.subscribe(channel, {}, () => {});
  const looped = await listener.subscribe(channel);
  const seen = [];
  const loop = (async () => { for await (const message of looped) seen.push(message.text()); })();
  await sender.publish(channel, 'a');
  await t.until(() => seen.length === 1, 5000, 'the message');
  await listener.close();
  await t.within(2000, loop, 'the loop');
  t.deepEqual([await t.within(2000, handled.closed, 'closed'), await t.within(2000, looped.closed, 'closed')], [undefined, undefined], 'closed');
  await t.rejects(() => listener.publish(channel, 'x'), 'closed');
  await t.rejects(() => listener.subscribe(channel), 'closed');
  await t.rejects(() => listener.respond(channel, () => {}), 'closed');
  await t.rejects(() => listener.request(channel, 'x'), 'closed');
  t.equal(await handled.stop(), undefined, 'stop()');
});

row('megabytes of one task come whole and in order, with what is laid down behind large ones, and leave before close', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const got = [];
  await listener.subscribe(channel, {}, (message) => void got.push([message.data[0], message.data.length]));
  await sender.publish(channel, new Uint8Array([1]));
  // Beyond each of the limits behind which bytes are gathered: 64 KiB, 128 KiB, 256 KiB, 1 MiB.
  const lengths = [1, ...Array(9).fill([...Array(99).fill(700), 130_000, 40, 300_000, 1, ...Array(9).fill(66_000)]).flat(), 20];
  for (const [index, length] of lengths.entries()) if (index > 0) void sender.publish(channel, new Uint8Array(length).fill(index & 255));
  await sender.close();
  await t.until(() => got.length === lengths.length, 8000, 'the messages');
  t.deepEqual(got, lengths.map((length, index) => [index === 0 ? 1 : index & 255, length]), 'first bytes and lengths');
});

row('what was published before close still leaves', live, async (t) => {
  const { sender, listener, channel } = await pair(t);
  const ear = keeper(t);
  await listener.subscribe(channel, {}, ear.handler);
  await sender.publish(channel, 'first');
  for (let index = 0; index < 99; index += 1) void sender.publish(channel, `m${index}`);
  await sender.close();
  await ear.until(100);
});
