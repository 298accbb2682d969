// status(), tap() and stats().

import { topic } from '../kit/rows.mjs';

const row = topic('status', 5);

row('status begins at its call and ends with closed', async (t) => {
  const connection = await t.connect();
  const status = connection.status();
  await connection.close();
  const seen = [];
  await t.within(3000, (async () => { for await (const entry of status) seen.push(entry); })(), 'the loop over status()');
  t.equal(seen.at(-1)?.type, 'closed', 'the last entry');
  t.equal(seen.at(-1).reason, undefined, 'reason');
  t.equal(seen.filter((entry) => entry.type === 'closed').length, 1, 'closed entries');
});

row('two readers of status both see everything', async (t) => {
  const connection = await t.connect();
  const read = async (status) => { const types = []; for await (const entry of status) types.push(entry.type); return types; };
  const both = Promise.all([read(connection.status()), read(connection.status())]);
  await connection.close();
  for (const types of await t.within(3000, both, 'both loops')) t.equal(types.at(-1), 'closed', 'the last entry');
});

row('leaving a loop over status ends it, and the connection goes on', async (t) => {
  const connection = await t.connect();
  const iterator = connection.status()[Symbol.asyncIterator]();
  const next = iterator.next();
  await t.within(3000, iterator.return(), 'return()');
  t.equal((await t.within(3000, next, 'next()')).done, true, 'done');
  t.equal(connection.isConnected(), true, 'isConnected()');
});

row('status after close ends at once', async (t) => {
  const connection = await t.connect();
  await connection.close();
  const outcome = await t.within(3000, t.outcome((async () => { const seen = []; for await (const entry of connection.status()) seen.push(entry.type); return seen; })()), 'the loop');
  if (outcome.error) t.checkError(outcome.reason, 'closed');
  else t.ok(outcome.value.length <= 1, `entries: ${t.show(outcome.value)}`);
});

/** Reads frames until one fits; resolves with all of them. */
async function until(frames, fits) {
  const seen = [];
  for await (const frame of frames) {
    seen.push(frame);
    if (fits(frame)) break;
  }
  return seen;
}

row('tap shows frames in both directions, with what is in them', async (t) => {
  const { connection, station } = await t.setup();
  const frames = connection.tap();
  const began = Date.now();
  await station.produce('out and back');
  await t.collect(station, 1);
  const holds = (frame) => new TextDecoder().decode(frame.data).includes('out and back');
  const seen = await t.within(5000, until(frames, (frame) => frame.direction === 'in' && holds(frame)), 'tap()');
  const sent = seen.find((frame) => frame.direction === 'out' && holds(frame));
  t.ok(sent, `no frame with what was produced: ${t.show(seen.map((frame) => frame.summary))}`);
  for (const frame of seen) {
    t.ok(['in', 'out'].includes(frame.direction), `direction ${t.show(frame.direction)}`);
    t.ok(frame.at instanceof Date, `at ${t.show(frame.at)}`);
    t.between(frame.at.getTime(), began - 1500, Date.now() + 1500, 'at');
    t.ok(frame.data instanceof Uint8Array && Number.isSafeInteger(frame.bytes), `data ${t.show(frame)}`);
    t.ok(typeof frame.summary === 'string' && frame.summary.length > 0 && !frame.summary.includes('\n'), `summary ${t.show(frame.summary)}`);
  }
  t.ok(sent.bytes >= 'out and back'.length, `bytes ${sent.bytes}`);
});

row('tap begins at its call, not at the first next()', async (t) => {
  const { connection, station } = await t.setup();
  await station.produce('before');
  const frames = connection.tap();
  await station.produce('after');
  const seen = await t.within(5000, until(frames, (frame) => new TextDecoder().decode(frame.data).includes('after')), 'tap()');
  t.ok(!seen.some((frame) => new TextDecoder().decode(frame.data).includes('before')), 'what was before its call');
});

row('several readers of tap see the same, one that leaves does not disturb the other', async (t) => {
  const { connection, station } = await t.setup();
  const [left, right] = [connection.tap(), connection.tap()];
  await station.produce('one');
  const has = (text) => (frame) => new TextDecoder().decode(frame.data).includes(text);
  const first = await t.within(5000, until(left, has('one')), 'the first');
  await station.produce('two');
  const second = await t.within(5000, until(right, has('two')), 'the second');
  t.ok(second.some(has('one')), 'the second has seen both');
  t.equal(first.some(has('two')), false, 'the first has left');
});

row('a slow reader of tap keeps 1,000 frames: the oldest go, are counted, and the logger hears of it', async (t) => {
  const entries = [];
  const { connection, station } = await t.setup(undefined, { logger: (entry) => { entries.push(entry); } });
  const frames = connection.tap();
  // What shows frames has come when it shows one.
  await Promise.all([t.within(5000, until(connection.tap(), () => true), 'tap()'), station.produce('first')]);
  await t.fill(station, 1500, (index) => `frame ${index}`);
  await connection.close();
  const seen = [];
  for await (const frame of frames) seen.push(frame);
  t.equal(seen.length, 1000, 'frames that were kept');
  t.ok(frames.dropped >= 500, `dropped: ${frames.dropped}`);
  t.deepEqual(entries.filter((entry) => entry.event === 'entries_dropped'), [{ level: 'warn', event: 'entries_dropped', detail: { of: 'tap' } }], 'log entries');
});

row('tap ends with the connection', async (t) => {
  const connection = await t.connect();
  const frames = connection.tap();
  const loop = (async () => { for await (const frame of frames) t.ok(frame.summary.length > 0, 'a summary'); })();
  await connection.close();
  await t.within(3000, loop, 'the loop');
  for await (const frame of connection.tap()) t.fail(`a frame after close: ${frame.summary}`);
});

row('the logger hears of the connection and of acks that came to nothing, each as level, event and detail', async (t) => {
  const entries = [];
  const { connection, station } = await t.setup(undefined, { logger: (entry) => { entries.push(entry); } });
  await station.produce('x');
  const [message] = await t.collect(station, 1, { ack: false });
  const { sequence } = message;
  await connection.close();
  // Nobody awaits it, and it is no unhandled rejection.
  void message.ack();
  await t.turn();
  const events = entries.map((entry) => entry.event);
  t.ok(events.includes('connected') && events.includes('closed'), `events ${t.show(events)}`);
  for (const entry of entries) t.ok(['debug', 'info', 'warn', 'error'].includes(entry.level), `level ${t.show(entry.level)}`);
  t.equal(entries.find((entry) => entry.event === 'closed').level, 'info', 'level of an end that was asked for');
  const failed = entries.find((entry) => entry.event === 'settle_failed');
  t.ok(failed, `no entry about the ack: ${t.show(events)}`);
  t.equal(failed.level, 'warn', 'level');
  t.equal(failed.detail.station, station.name, 'station');
  t.equal(failed.detail.sequence, sequence, 'sequence');
  t.checkError(failed.detail.error, 'closed');
});

row('the logger hears of messages that are given back', async (t) => {
  const entries = [];
  const { connection, station } = await t.setup(undefined, { logger: (entry) => { entries.push(entry); } });
  await t.fill(station, 5);
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  for await (const message of consumer) { await message.ack(); break; }
  await t.until(() => entries.some((entry) => entry.event === 'given_back'), 5000, 'an entry');
  const { level, detail } = entries.find((entry) => entry.event === 'given_back');
  t.equal(level, 'debug', 'level');
  t.deepEqual(detail, { station: station.name, group: 'c' }, 'detail');
});

row('stats count what went out and what came in', async (t) => {
  const { connection, station } = await t.setup();
  const before = connection.stats();
  await t.fill(station, 10, () => 'x'.repeat(100));
  await t.collect(station, 10);
  const after = connection.stats();
  t.equal(after.sentMessages - before.sentMessages, 10, 'sentMessages');
  t.equal(after.receivedMessages - before.receivedMessages, 10, 'receivedMessages');
  t.ok(after.sentBytes - before.sentBytes >= 1000, `sentBytes: ${after.sentBytes - before.sentBytes}`);
  t.ok(after.receivedBytes - before.receivedBytes >= 1000, `receivedBytes: ${after.receivedBytes - before.receivedBytes}`);
});

row('stats have every member, as numbers', async (t) => {
  const stats = (await t.connect()).stats();
  for (const key of ['sentMessages', 'sentBytes', 'receivedMessages', 'receivedBytes', 'pendingMessages', 'pendingBytes', 'reconnects', 'wasmMemoryBytes']) {
    t.ok(Number.isSafeInteger(stats[key]) && stats[key] >= 0, `${key}: ${t.show(stats[key])}`);
  }
  t.between(stats.wasmMemoryBytes, 65_536, 1024 * 1024 * 1024, 'wasmMemoryBytes');
  t.equal(stats.reconnects, 0, 'reconnects');
});

row('stats are a snapshot', async (t) => {
  const { connection, station } = await t.setup();
  const before = connection.stats();
  const { sentMessages } = before;
  await station.produce('x');
  t.equal(before.sentMessages, sentMessages, 'sentMessages of the old one');
});

row('isConnected is true from connect to close', async (t) => {
  const connection = await t.connect();
  t.equal(connection.isConnected(), true, 'after connect');
  const closing = connection.close();
  await closing;
  t.equal(connection.isConnected(), false, 'after close');
});
