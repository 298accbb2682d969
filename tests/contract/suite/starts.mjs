// Where a new group begins.

import { topic } from '../kit/rows.mjs';

const row = topic('starts', 3);

async function filled(t, count = 6, stationOptions) {
  const { connection, station } = await t.setup(stationOptions);
  await t.fill(station, count);
  return { connection, station };
}

async function begins(t, station, options, expected) {
  const consumer = await station.consumer({ consumerName: t.name('g'), ...options });
  if (expected.length > 0) t.deepEqual(t.texts(await t.collect(consumer, expected.length)), expected, `messages from ${t.show(options)}`);
  await t.nothing(consumer, 200);
  return consumer;
}

for (const [what, options] of [
  ['without any option', {}], ["start 'first'", { start: 'first' }], ['startConsumeFromSequence 1', { startConsumeFromSequence: 1 }], ['lastMessages -1', { lastMessages: -1 }],
  ['all three defaults', { start: 'first', startConsumeFromSequence: 1, lastMessages: -1 }],
]) {
  row(`${what}: from the first message`, async (t) => {
    const { station } = await filled(t, 3);
    await begins(t, station, options, ['m0', 'm1', 'm2']);
  });
}

for (const [what, options] of [["start 'next'", { start: 'next' }], ['lastMessages 0', { lastMessages: 0 }]]) {
  row(`${what}: only what comes now`, async (t) => {
    const { station } = await filled(t, 3);
    const consumer = await begins(t, station, options, []);
    await station.produce('new');
    t.deepEqual(t.texts(await t.collect(consumer, 1)), ['new'], 'what came afterwards');
  });
}

row("start 'last': the newest message and what comes after it", async (t) => {
  const { station } = await filled(t, 4);
  const consumer = await begins(t, station, { start: 'last' }, ['m3']);
  await station.produce('new');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['new'], 'what came afterwards');
});

row("start 'last' and 'next' on an empty station: everything that comes", async (t) => {
  for (const start of ['last', 'next']) {
    const { station } = await t.setup();
    const consumer = await station.consumer({ consumerName: 'c', start });
    await t.fill(station, 2);
    t.deepEqual(t.texts(await t.collect(consumer, 2)), ['m0', 'm1'], `start ${start}`);
  }
});

for (const [what, options] of [['start { sequence }', { start: { sequence: 4 } }], ['start { sequence } as a bigint', { start: { sequence: 4n } }], ['startConsumeFromSequence', { startConsumeFromSequence: 4 }]]) {
  row(`${what}: from that message on`, { needs: ['start_sequence'] }, async (t) => {
    const { station } = await filled(t, 6);
    await begins(t, station, options, ['m3', 'm4', 'm5']);
  });
}

row('a sequence that is gone: from the next one that exists', { needs: ['start_sequence', 'retention_messages'] }, async (t) => {
  const { station } = await filled(t, 8, { retentionType: 'messages', retentionValue: 3 });
  await begins(t, station, { start: { sequence: 2 } }, ['m5', 'm6', 'm7']);
});

row('a sequence that is still to come: it waits for it', { needs: ['start_sequence'] }, async (t) => {
  // The broker's own doing, and nothing says so to the client.
  if (t.broker === 'memphis' || t.broker === 'nats' && !(await t.connect()).capabilities.has('expiration')) t.notOffered('servers before 2.11 begin with the next message instead');
  const { station } = await filled(t, 2);
  const consumer = await begins(t, station, { start: { sequence: 4 } }, []);
  await t.fill(station, 3, (index) => `n${index}`);
  t.deepEqual(t.texts(await t.collect(consumer, 2)), ['n1', 'n2'], 'from the fourth on');
});

row('a sequence counts in every partition', { needs: ['start_sequence', 'partitions'] }, async (t) => {
  const { station } = await filled(t, 8, { partitionsNumber: 2 });
  const consumer = await station.consumer({ consumerName: 'c', start: { sequence: 3 } });
  t.deepEqual(t.texts(await t.collect(consumer, 4)).sort(), ['m4', 'm5', 'm6', 'm7'], 'messages');
});

for (const [what, options] of [['start { lastMessages }', { start: { lastMessages: 2 } }], ['lastMessages', { lastMessages: 2 }]]) {
  row(`${what}: the last ones`, { needs: ['last_messages'] }, async (t) => {
    const { station } = await filled(t, 5);
    await begins(t, station, options, ['m3', 'm4']);
  });
}

row('lastMessages counts in each partition', { needs: ['last_messages', 'partitions'] }, async (t) => {
  const { station } = await filled(t, 9, { partitionsNumber: 3 });
  const consumer = await station.consumer({ consumerName: 'c', lastMessages: 1 });
  t.deepEqual(t.texts(await t.collect(consumer, 3)).sort(), ['m6', 'm7', 'm8'], 'messages');
  await t.nothing(consumer, 200);
});

row('more lastMessages than there are: all of them', { needs: ['last_messages'] }, async (t) => {
  const { station } = await filled(t, 3);
  await begins(t, station, { lastMessages: 100 }, ['m0', 'm1', 'm2']);
});

row('start { time }: from that moment on', { needs: ['start_time'], waits: true }, async (t) => {
  const { station } = await filled(t, 3);
  const [, , last] = await station.fetch({ consumerName: 'look', batchSize: 3 });
  await t.elapse(700);
  await t.fill(station, 2, (index) => `n${index}`);
  await begins(t, station, { start: { time: new Date(last.timestamp.getTime() + 200) } }, ['n0', 'n1']);
});

row('start { time } before everything, and after everything', { needs: ['start_time'] }, async (t) => {
  const { station } = await filled(t, 2);
  await begins(t, station, { start: { time: new Date(0) } }, ['m0', 'm1']);
  await begins(t, station, { start: { time: new Date(Date.now() + 3_600_000) } }, []);
});

row('start { sinceMs }: what is that young', { needs: ['start_time'], waits: true }, async (t) => {
  const { station } = await filled(t, 2);
  await t.elapse(3000);
  await t.fill(station, 2, (index) => `n${index}`);
  await begins(t, station, { start: { sinceMs: 1800 } }, ['n0', 'n1']);
});

for (const [first, second] of [['start', 'startConsumeFromSequence'], ['start', 'lastMessages'], ['startConsumeFromSequence', 'lastMessages']]) {
  row(`${first} and ${second} exclude each other`, async (t) => {
    const { station } = await filled(t, 1);
    const values = { start: 'last', startConsumeFromSequence: 2, lastMessages: 3 };
    const options = { consumerName: 'c', [first]: values[first], [second]: values[second] };
    await t.rejects(() => station.consumer(options), 'invalid_argument', { says: [first, second] });
    await t.rejects(() => station.fetch({ ...options, noWait: true }), 'invalid_argument', { says: [first, second] });
  });
}

row('defaults that are written out stand beside another beginning', async (t) => {
  const { station } = await filled(t, 5);
  const defaults = { start: 'first', startConsumeFromSequence: 1, lastMessages: -1 };
  for (const [given, first] of [[{ startConsumeFromSequence: 4 }, 4], [{ start: { sequence: 3 } }, 3]]) {
    const [message] = await station.fetch({ consumerName: `c${first}`, batchSize: 1, ...defaults, ...given });
    t.equal(message.sequence, first, t.show(given));
  }
});

row('beginnings that make no sense are refused', async (t) => {
  const { station } = await filled(t, 1);
  const wrong = ['begin', 7, {}, [], { sequence: 0 }, { sequence: -1 }, { sequence: 1.5 }, { sequence: Number.NaN }, { sequence: 2 ** 53 + 2 }, { sequence: 'one' }, { sequence: -1n },
    { time: new Date(Number.NaN) }, { time: 5 }, { sinceMs: -1 }, { sinceMs: Number.NaN }, { lastMessages: -2 }, { lastMessages: 1.5 }, { sequence: 1, lastMessages: 1 }, { seq: 1 }];
  for (const start of wrong) await t.rejects(() => station.consumer({ consumerName: 'c', start }), 'invalid_argument', { says: 'start', for: `start ${t.show(start)}` });
});

for (const [option, bad] of [['startConsumeFromSequence', [0, -1]], ['lastMessages', [-2]]]) {
  row(`${option} must be a sensible number`, async (t) => {
    const { station } = await filled(t, 1);
    for (const value of [...bad, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 2 ** 53 + 2, '5']) {
      await t.rejects(() => station.consumer({ consumerName: 'c', [option]: value }), 'invalid_argument', { says: option, for: `${option} ${t.show(value)}` });
    }
  });
}

row('a sequence beyond the newest message: what comes before it is not for the group', { needs: ['start_sequence'] }, async (t) => {
  const { station } = await t.setup();
  await t.fill(station, 2);
  const groups = [];
  for (const autoAck of [false, true]) groups.push(await station.consumer({ consumerName: `c-${autoAck}`, start: { sequence: 4 }, autoAck }));
  for (let index = 2; index < 5; index += 1) await station.produce(`m${index}`);
  for (const group of groups) t.deepEqual(t.texts(await t.collect(group, 2)), ['m3', 'm4'], group.name);
});
