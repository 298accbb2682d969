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

row('tap shows frames in both directions, or says that it is not there yet', async (t) => {
  const { connection, station } = await t.setup();
  const seen = [];
  const loop = t.outcome((async () => { for await (const frame of connection.tap()) { seen.push(frame); if (new Set(seen.map((each) => each.direction)).size === 2) break; } })());
  await t.turn();
  await station.produce('x');
  await t.collect(station, 1);
  const outcome = await t.within(3000, loop, 'tap()');
  if (outcome.error) { t.checkError(outcome.reason, 'not_supported'); return; }
  for (const frame of seen) {
    t.ok(['in', 'out'].includes(frame.direction), `direction ${t.show(frame.direction)}`);
    t.ok(frame.at instanceof Date && frame.data instanceof Uint8Array && frame.bytes >= 0 && typeof frame.summary === 'string', `frame ${t.show(frame)}`);
  }
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
