// Questions and answers.

import { topic } from '../kit/rows.mjs';

const row = topic('requests', 8);
const requests = { needs: ['requests'] };

/** A connection that asks and one that answers, with a channel of their own. */
async function pair(t, options) {
  const [asker, worker] = await Promise.all([t.connect(options), t.connect()]);
  return { asker, worker, channel: t.name('ask') };
}

/** A promise and what resolves it. */
function gate() {
  let open;
  const promise = new Promise((resolve) => { open = resolve; });
  return { promise, open };
}

row('a question is answered, with what goes along', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const responder = await worker.respond(channel, (request) => {
    request.answer.headers = { 'x-a': request.headers['x-q'] };
    request.answer.metadata = `for ${request.metadata}`;
    return { channel: request.channel, text: request.text(), id: request.id, kind: request.kind };
  });
  t.equal(responder.channel, channel, 'channel');
  const reply = await asker.request(channel, 'what?', { headers: { 'x-q': 'why' }, id: 'q-1', metadata: 'you' });
  t.deepEqual(reply.json(), { channel, text: 'what?', id: 'q-1', kind: 'query' }, 'data');
  t.deepEqual([{ ...reply.headers }, reply.metadata, reply.executed, reply.error, reply.cacheHit], [{ 'x-a': 'why' }, 'for you', true, undefined, false], 'beside the data');
});

for (const [what, given, expected] of [
  ['a text', () => 'größer', 'größer'], ['bytes', () => Uint8Array.from([97, 98]), 'ab'], ['an object', () => ({ a: 1 }), '{"a":1}'], ['nothing', () => undefined, ''],
  ['a promise of a text', async () => 'later', 'later'], ['an empty text', () => '', ''],
]) {
  row(`the handler returns ${what}`, requests, async (t) => {
    const { asker, worker, channel } = await pair(t);
    await worker.respond(channel, given);
    const reply = await asker.request(channel, 'x');
    t.deepEqual([reply.text(), reply.executed], [expected, true], 'the answer');
  });
}

for (const [what, handler, text] of [
  ['throws', () => { throw new Error('out of order'); }, 'out of order'], ['rejects', async () => { throw new Error('later than late'); }, 'later than late'],
  ['throws a text', () => { throw 'just a text'; }, 'just a text'], ['returns a function', () => () => {}, 'payload'], ['returns a number', async () => 7, 'payload'],
  ['sets a header that is none', (request) => { request.answer.headers = { a: 1 }; return 'x'; }, 'header'], ['sets a header of the broker', (request) => { request.answer.headers = { 'Nats-X': 'y' }; return 'x'; }, 'Nats-X'],
]) {
  row(`a handler that ${what} answers executed: false with the text`, requests, async (t) => {
    const { asker, worker, channel } = await pair(t);
    let calls = 0;
    const responder = await worker.respond(channel, (request) => {
      calls += 1;
      return calls === 1 ? handler(request) : 'fine';
    });
    const reply = await asker.request(channel, 'x');
    t.equal(reply.executed, false, 'executed');
    t.ok(reply.error.includes(text), `error: ${reply.error}`);
    const next = await asker.request(channel, 'x');
    t.deepEqual([next.executed, next.text()], [true, 'fine'], 'the next one');
    await responder.stop();
    t.equal(await t.within(3000, responder.closed, 'closed'), undefined, 'closed');
  });
}

row('executed and error as the handler sets them', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  await worker.respond(channel, (request) => {
    Object.assign(request.answer, request.json());
    return 'data';
  });
  const ask = async (answer) => {
    const reply = await asker.request(channel, answer);
    return [reply.executed, reply.error, reply.text()];
  };
  t.deepEqual(await ask({ executed: false, error: 'no' }), [false, 'no', 'data'], 'both');
  t.deepEqual(await ask({ error: 'no' }), [false, 'no', 'data'], 'an error alone');
  t.deepEqual(await ask({ executed: true, error: 'only just' }), [true, 'only just', 'data'], 'an error beside an answer that counts');
  t.deepEqual(await ask({ executed: true }), [true, undefined, 'data'], 'executed alone');
  const [executed, error] = await ask({ executed: false });
  t.deepEqual([executed, typeof error === 'string' && error.length > 0], [false, true], 'not executed, without a text');
});

row('the text of a failure may have several lines and any letters', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  await worker.respond(channel, () => { throw new Error('größer\r\nas allowed'); });
  const { error } = await asker.request(channel, 'x');
  t.ok(error.includes('größer') && error.includes('as allowed') && !error.includes('\n'), `error: ${error}`);
});

row('an answer that is too large is an answer that says so', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const { maxPayloadBytes } = await worker.ping();
  await worker.respond(channel, () => new Uint8Array(maxPayloadBytes + 1));
  const reply = await asker.request(channel, 'x');
  t.equal(reply.executed, false, 'executed');
  t.ok(reply.error.includes('bytes'), `error: ${reply.error}`);
});

row('nobody there: timeout at once, worth trying again', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const began = t.now();
  await t.rejects(() => asker.request(channel, 'x', { timeoutMs: 60_000 }), 'timeout', { retryable: true, maybeDelivered: false });
  t.between(t.now() - began, 0, 4000, 'milliseconds');
  await worker.respond(channel, () => 'now');
  t.equal((await asker.request(channel, 'x')).text(), 'now', 'a responder came');
});

row('a handler slower than the asker waits: timeout, and the late answer goes to nobody', { ...requests, waits: true }, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const slow = gate();
  const answered = [];
  await worker.respond(channel, async (request) => {
    if (request.text() === 'slow') await slow.promise;
    answered.push(request.text());
    return `to ${request.text()}`;
  }, { concurrency: 2 });
  const began = t.now();
  await t.rejects(() => asker.request(channel, 'slow', { timeoutMs: 400 }), 'timeout', { maybeDelivered: true });
  t.between(t.now() - began, 390, 3000, 'milliseconds');
  slow.open();
  await t.until(() => answered.includes('slow'), 5000, 'the late answer');
  for (const text of ['a', 'b']) t.equal((await asker.request(channel, text)).text(), `to ${text}`, 'the next answers');
});

row('timeoutMs is 5000 by default', { ...requests, waits: true }, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const never = gate();
  await worker.respond(channel, () => never.promise);
  const began = t.now();
  await t.rejects(() => asker.request(channel, 'x'), 'timeout');
  t.between(t.now() - began, 4900, 7500, 'milliseconds');
  never.open();
});

for (const [what, options, code] of [
  ['timeoutMs 0', { timeoutMs: 0 }, 'invalid_argument'], ['timeoutMs NaN', { timeoutMs: NaN }, 'invalid_argument'], ['timeoutMs -1', { timeoutMs: -1 }, 'invalid_argument'], ['a text as timeoutMs', { timeoutMs: '5' }, 'invalid_argument'],
  ['a command', { kind: 'command' }, 'not_supported'], ['a cache key', { cacheKey: 'k' }, 'not_supported'], ['a cache time', { cacheTtlMs: 5 }, 'not_supported'],
]) {
  row(`options of request: ${what}`, { ...requests, brokers: ['memory', 'nats'] }, async (t) => {
    const connection = await t.connect();
    await t.rejects(() => connection.request('a', 'x', options), code);
  });
}

for (const [what, options, code] of [
  ['no concurrency', { concurrency: 0 }, 'invalid_argument'], ['half a handler', { concurrency: 1.5 }, 'invalid_argument'], ['a group with a blank', { group: 'a b' }, 'invalid_argument'],
  ['an unknown name', { workers: 2 }, 'invalid_argument'], ['commands', { kind: 'command' }, 'not_supported'],
]) {
  row(`options of respond: ${what}`, { ...requests, brokers: ['memory', 'nats'] }, async (t) => {
    const connection = await t.connect();
    await t.rejects(() => connection.respond('a', () => {}, options), code);
  });
}

row('defaults may be written out', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  await worker.respond(channel, () => 'x', { kind: 'query', group: '', signal: undefined });
  t.equal((await asker.request(channel, 'x', { kind: 'query', timeoutMs: 5000, cacheKey: undefined })).text(), 'x', 'the answer');
});

row('one question at a time, unless concurrency says more', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  for (const [options, expected] of [[undefined, 1], [{ concurrency: 3 }, 3]]) {
    let running = 0;
    let most = 0;
    const responder = await worker.respond(channel, async () => {
      running += 1;
      most = Math.max(most, running);
      await t.turn();
      await t.turn();
      running -= 1;
    }, options);
    await Promise.all(Array.from({ length: 12 }, () => asker.request(channel, 'x')));
    t.equal(most, expected, 'handlers at once');
    await responder.stop();
    await t.within(3000, responder.closed, 'closed');
  }
});

row('many questions at once, each gets its own answer', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  await worker.respond(channel, async (request) => {
    if (Number(request.text()) % 7 === 0) await t.turn();
    return `re ${request.text()}`;
  }, { concurrency: 50 });
  const replies = await Promise.all(Array.from({ length: 800 }, (_, index) => asker.request(channel, `${index}`)));
  t.deepEqual(t.texts(replies), Array.from({ length: 800 }, (_, index) => `re ${index}`), 'answers');
});

row('responders of a group share the questions', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const other = await t.connect();
  const counts = [0, 0];
  await worker.respond(channel, () => { counts[0] += 1; }, { group: 'g' });
  await other.respond(channel, () => { counts[1] += 1; }, { group: 'g' });
  await Promise.all(Array.from({ length: 60 }, () => asker.request(channel, 'x')));
  t.equal(counts[0] + counts[1], 60, 'handler calls');
  t.ok(counts[0] > 0 && counts[1] > 0, `both work: ${counts}`);
});

row('several answers to one question: the first counts, the others disturb nobody', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const late = gate();
  let done = 0;
  await worker.respond(channel, (request) => `first ${request.text()}`);
  await worker.respond(channel, async (request) => {
    await late.promise;
    done += 1;
    return `second ${request.text()}`;
  }, { concurrency: 10 });
  const ask = async (text) => (await asker.request(channel, text)).text();
  t.deepEqual(await Promise.all([ask('a'), ask('b')]), ['first a', 'first b'], 'answers');
  late.open();
  await t.until(() => done === 2, 5000, 'the second answers');
  t.equal(await ask('c'), 'first c', 'the next answer');
});

row('a responder may listen to a pattern', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  await worker.respond(`${channel}.*`, (request) => request.channel);
  t.equal((await asker.request(`${channel}.a`, 'x')).text(), `${channel}.a`, 'the answer');
});

row('a connection may answer itself, and ask while it answers', requests, async (t) => {
  const connection = await t.connect();
  const [outer, inner] = [t.name('ask'), t.name('ask')];
  await connection.respond(inner, () => 'from within');
  await connection.respond(outer, async () => (await connection.request(inner, 'x')).text());
  t.equal((await connection.request(outer, 'x')).text(), 'from within', 'the answer');
});

row('what is published to a responder is worked on, and answered to nobody', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const seen = [];
  await worker.respond(channel, (request) => {
    seen.push(request.text());
    return 'an answer';
  });
  await asker.publish(channel, 'just so');
  t.equal((await asker.request(channel, 'asked')).text(), 'an answer', 'the answer');
  t.deepEqual(seen, ['just so', 'asked'], 'questions');
});

row('stop finishes what runs and what has come, and then nobody is there', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const go = gate();
  let begun = 0;
  const responder = await worker.respond(channel, async (request) => {
    begun += 1;
    await go.promise;
    return `re ${request.text()}`;
  });
  const calls = ['a', 'b', 'c'].map((text) => asker.request(channel, text));
  await t.until(() => begun === 1, 5000, 'the first question');
  await worker.ping();
  let closed = false;
  void responder.closed.then(() => { closed = true; });
  t.equal(await t.within(2000, responder.stop(), 'stop()'), undefined, 'stop()');
  await worker.ping();
  t.equal(closed, false, 'closed before the answers');
  await t.rejects(() => asker.request(channel, 'too late'), 'timeout', { retryable: true });
  go.open();
  t.deepEqual(t.texts(await t.within(5000, Promise.all(calls), 'the answers')), ['re a', 're b', 're c'], 'answers');
  t.equal(await t.within(3000, responder.closed, 'closed'), undefined, 'closed');
  t.equal(await responder.stop(), undefined, 'a second stop()');
});

row('a responder may be stopped by its own handler, by a signal, and by leaving a block', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const own = await worker.respond(channel, async () => {
    await own.stop();
    return 'last';
  });
  t.equal((await asker.request(channel, 'x')).text(), 'last', 'the last answer');
  t.equal(await t.within(3000, own.closed, 'closed'), undefined, 'closed');
  const controller = new AbortController();
  const signalled = await worker.respond(channel, () => 'x', { signal: controller.signal });
  controller.abort();
  t.equal(await t.within(3000, signalled.closed, 'closed'), undefined, 'closed by a signal');
  const block = await worker.respond(channel, () => 'x');
  await block[Symbol.asyncDispose]();
  t.equal(await t.within(3000, block.closed, 'closed'), undefined, 'closed by a block');
  await t.rejects(() => asker.request(channel, 'x'), 'timeout', { retryable: true });
});

row('a question that is aborted says what may have happened', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const go = gate();
  await worker.respond(channel, () => go.promise, { concurrency: 5 });
  const reason = new Error('never mind');
  await t.rejects(() => asker.request(channel, 'x', { signal: AbortSignal.abort(reason) }), 'aborted', { cause: reason });
  const controller = new AbortController();
  const call = t.outcome(asker.request(channel, 'x', { signal: controller.signal }));
  await asker.ping();
  controller.abort(reason);
  const { reason: error } = await t.within(2000, call, 'the call');
  t.checkError(error, 'aborted', { cause: reason, maybeDelivered: true });
  go.open();
  t.equal((await asker.request(channel, 'y')).executed, true, 'the next one');
});

row('questions without an answer count for maxPendingMessages', requests, async (t) => {
  const { asker, worker, channel } = await pair(t, { maxPendingMessages: 5 });
  const go = gate();
  await worker.respond(channel, () => go.promise, { concurrency: 10 });
  const calls = Array.from({ length: 8 }, () => t.outcome(asker.request(channel, 'x')));
  for (const call of calls.slice(5)) t.checkError((await t.within(2000, call, 'the refusal')).reason, 'queue_full');
  go.open();
  for (const call of calls.slice(0, 5)) t.equal((await t.within(5000, call, 'the answer')).error, false, 'answered');
});

row('close lets a question finish; a responder ends with its connection', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const go = gate();
  const responder = await worker.respond(channel, () => go.promise.then(() => 'done'));
  const call = asker.request(channel, 'x');
  await worker.ping();
  const closing = asker.close();
  go.open();
  t.equal((await t.within(4000, call, 'the answer')).text(), 'done', 'the answer');
  await t.within(4000, closing, 'close()');
  await worker.close();
  t.equal(await t.within(2000, responder.closed, 'closed'), undefined, 'closed');
});

row('close lets handlers that run give their answers, for five seconds at most; what nobody has begun is left', requests, async (t) => {
  const asker = await t.connect();
  const worker = await t.connect();
  const channel = t.name('ch');
  let go;
  const gate = new Promise((resolve) => { go = resolve; });
  const begun = [];
  const responder = await worker.respond(channel, async (request) => { begun.push(request.text()); await gate; return `re ${request.text()}`; }, { concurrency: 2 });
  const answers = ['a', 'b', 'c'].map((text) => t.outcome(asker.request(channel, text, { timeoutMs: 1500 })));
  await t.until(() => begun.length === 2, 5000, 'two handlers at work');
  const closing = worker.close();
  // A promise about time: as long as the handlers run.
  t.equal(await Promise.race([closing.then(() => 'closed'), t.elapse(100).then(() => 'waits')]), 'waits', 'close()');
  go();
  await t.within(3000, closing, 'close()');
  const [first, second, third] = await Promise.all(answers);
  t.deepEqual([first.value?.text(), second.value?.text()], ['re a', 're b'], 'answers');
  t.checkError(third.reason, 'timeout');
  t.deepEqual(begun, ['a', 'b'], 'questions that were begun');
  t.equal(await t.within(2000, responder.closed, 'closed'), undefined, 'closed');
});

row('close does not wait for a handler for ever', { ...requests, waits: true, limitMs: 20_000 }, async (t) => {
  const asker = await t.connect();
  const worker = await t.connect();
  const channel = t.name('ch');
  let begun = false;
  await worker.respond(channel, () => { begun = true; return new Promise(() => {}); });
  const answer = t.outcome(asker.request(channel, 'x', { timeoutMs: 10_000 }));
  await t.until(() => begun, 5000, 'the handler');
  const since = t.now();
  await worker.close();
  t.between(t.now() - since, 4000, 7000, 'close()');
  await asker.close();
  await answer;
});

row('a handler throws what cannot be told: an answer all the same', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  for (const thrown of [{ toString() { throw new Error('no'); } }, Symbol('why'), undefined, Object.create(null)]) {
    const responder = await worker.respond(channel, () => { throw thrown; });
    const { executed, error } = await asker.request(channel, 'x');
    t.deepEqual([executed, typeof error], [false, 'string'], t.show(typeof thrown));
    await responder.stop();
  }
});

row('an answer that cannot be read is one that was not carried out, and harms nothing else', requests, async (t) => {
  const { asker, worker, channel } = await pair(t);
  const unreadable = () => ({ get a() { throw new Error('not readable'); } });
  for (const what of ['headers', 'metadata', 'error']) {
    const responder = await worker.respond(channel, (request) => {
      Object.assign(request.answer, { executed: false, [what]: unreadable() });
      return 'x';
    });
    t.equal((await asker.request(channel, 'x')).executed, false, what);
    await responder.stop();
  }
  const responder = await worker.respond(channel, (request) => {
    request.answer = null;
    return 'x';
  });
  t.equal((await asker.request(channel, 'x')).text(), 'x', 'nothing beside it');
  await responder.stop();
  t.equal(worker.isConnected(), true, 'connected');
});
