// Groups whose limit of deliveries is the server's own: durables that somebody else made. The server drops what was delivered
// too often and says so once; it becomes a dead letter all the same.

import { topic } from '../kit/rows.mjs';

const row = topic('deaths that the server tells of', 6);
const brokers = ['nats'];
const wire = { brokers, needs: ['dead_letters'], waits: true };

/** How long a message of `theirs` may stay without ack. */
const ACK_MS = 600;

/** A durable as others make them. */
async function durable(t, stream, config = {}, name = 'theirs') {
  const given = { name, durable_name: name, ack_policy: 'explicit', ack_wait: ACK_MS * 1e6, max_deliver: 2, ...config };
  const answer = await t.control('api', `CONSUMER.CREATE.${stream}.${name}`, { stream_name: stream, action: 'create', config: given });
  if (answer.error) t.fail(`the durable was not made: ${t.show(answer.error)}`);
  return name;
}

/** A stream as others make them. */
async function stream(t, config) {
  const name = t.name('EVENTS');
  const answer = await t.control('api', `STREAM.CREATE.${name}`, { name, storage: 'memory', allow_direct: true, subjects: [`events.${name}`], ...config });
  if (answer.error) t.fail(`the stream was not made: ${t.show(answer.error)}`);
  t.ending(() => t.control('api', `STREAM.DELETE.${name}`));
  t.ending(() => t.control('api', `STREAM.DELETE.DLADV_${name}`));
  return name;
}

async function letters(station) {
  const list = [];
  for await (const letter of station.deadLetters()) list.push(letter);
  return list;
}

const place = ({ reason, detail, group, station, partition, sequence }) => ({ reason, detail, group, station, partition, sequence });
const some = (t, station, count = 1) => t.until(async () => { const list = await letters(station); return list.length >= count && list; }, 8000, `${count} letters`);

/** Whatever was told has been taken. */
async function recorded(t, name) {
  const info = await t.control('api', `CONSUMER.INFO.DLADV_${name}.fwd`);
  return info.num_pending === 0 && info.num_ack_pending === 0 && info.delivered.consumer_seq > 0;
}

/** The group's messages are taken, as often as it lets them, and left alone. */
async function forget(t, consumer, count, times = 2) {
  for (let i = 0; i < times; i++) await t.collect(consumer, count, { ack: false });
}

row('what nobody acknowledged is a dead letter: kind, group, place, headers and payload', wire, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name);
  await station.produce('m0', { headers: { kind: 'k' }, msgId: 'mine' });
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  await forget(t, consumer, 1);
  await t.nothing(consumer, ACK_MS * 2);
  const [letter] = await some(t, station);
  t.deepEqual(place(letter), { reason: 'deliveries', detail: undefined, group: 'theirs', station: station.name, partition: 1, sequence: 1 }, 'the letter');
  t.deepEqual([letter.text(), { ...letter.headers }, letter.record().deliveries], ['m0', { kind: 'k' }, 2], 'what it has');
  const { config } = await t.control('api', `STREAM.INFO.DLADV_${station.name}`);
  t.deepEqual(config.subjects, ['MAX_DELIVERIES', 'MSG_TERMINATED'].map((what) => `$JS.EVENT.ADVISORY.CONSUMER.${what}.${station.name}.>`), 'what the stream listens to');
  t.equal(config.max_age, 604_800e9, 'max_age');
  await t.until(() => recorded(t, station.name), 5000, 'everything told is recorded');
  t.equal((await letters(station)).length, 1, 'letters later');
});

row('it is recorded while a member is open, without anybody asking', { ...wire, needs: [...wire.needs, 'dls_station'] }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation });
  await durable(t, station.name);
  await station.produce('m0');
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  const waiting = (await connection.consume(dlsStation, { consumerName: 'w' }))[Symbol.asyncIterator]();
  const next = waiting.next();
  await forget(t, consumer, 1);
  const member = consumer.fetch({ batchMaxTimeToWaitMs: 3000 });
  const { value } = await t.within(8000, next, 'the copy');
  t.deepEqual([value.text(), value.headers['X-Dead-Reason'], value.headers['X-Dead-Group']], ['m0', 'max_deliveries', 'theirs'], 'the copy');
  await waiting.return();
  await member;
});

row('it dies while none of our clients is there: who asks next finds the letter', wire, async (t) => {
  const { connection, station } = await t.setup();
  await durable(t, station.name);
  await t.fill(station, 2);
  const gone = await t.connect();
  await gone.consumer(station.name, { consumerGroup: 'theirs' });
  await gone.close();
  for (const time of ['first', 'second']) t.deepEqual(await t.control('take', station.name, 'theirs', 2), ['m0', 'm1'], `${time} delivery to others`);
  t.deepEqual(await t.control('take', station.name, 'theirs', 1), [], 'later');
  const list = await some(t, await connection.station(station.name), 2);
  t.deepEqual(list.map((letter) => `${letter.reason} ${letter.group} ${letter.text()}`).sort(), ['deliveries theirs m0', 'deliveries theirs m1'], 'letters');
});

row('several clients: each death is one letter and one copy', { ...wire, needs: [...wire.needs, 'dls_station'] }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation });
  await durable(t, station.name, { max_deliver: 1 });
  await t.fill(station, 40);
  const members = [];
  for (let i = 0; i < 3; i++) members.push(await (await t.connect()).consumer(station.name, { consumerGroup: 'theirs' }));
  await t.collect(members[0], 40, { ack: false });
  await Promise.all(members.map((member) => t.nothing(member, ACK_MS * 2)));
  const all = await Promise.all(members.map(async (member) => { await t.nothing(member, 300); return some(t, station, 40); }));
  for (const list of all) t.equal(new Set(list.map((letter) => letter.sequence)).size, 40, 'places');
  await t.until(() => recorded(t, station.name), 5000, 'everything told is recorded');
  t.equal((await letters(station)).length, 40, 'letters');
  const other = await connection.station(dlsStation);
  await t.collect(other, 40);
  await t.nothing(other, 1000);
});

row('what others give up in such a group is a letter with their reason', wire, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name);
  await t.fill(station, 1);
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  t.equal(await t.control('term', station.name, 'theirs', 'cannot be read'), 'm0', 'what they gave up');
  const [letter] = await some(t, station);
  t.deepEqual(place(letter), { reason: 'rejected', detail: 'cannot be read', group: 'theirs', station: station.name, partition: 1, sequence: 1 }, 'the letter');
  await t.nothing(consumer, 300);
});

row('what we give up there, or others in a group of ours, leaves no second letter', { ...wire, needs: [...wire.needs, 'dls_station'] }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation });
  await durable(t, station.name);
  await t.fill(station, 3);
  const theirs = await station.consumer({ consumerGroup: 'theirs' });
  const ours = await station.consumer({ consumerGroup: 'ours' });
  const [first, second, third] = await t.collect(theirs, 3, { ack: false });
  await first.deadLetter('by us');
  await second.ack();
  await third.ack();
  await (await t.collect(ours, 1, { ack: false }))[0].deadLetter('by us too');
  t.equal(await t.control('term', station.name, 'ours', 'by them'), 'm1', 'what they gave up');
  await t.until(() => recorded(t, station.name), 8000, 'everything told is recorded');
  // What we give up in such a group ends in silence: the copy's id is known for an hour, what the server tells is kept for a week.
  const { subjects } = (await t.control('api', `STREAM.INFO.DLADV_${station.name}`, { subjects_filter: '>' })).state;
  t.deepEqual(Object.entries(subjects), [[`$JS.EVENT.ADVISORY.CONSUMER.MSG_TERMINATED.${station.name}.ours`, 2]], 'what the server has told');
  t.deepEqual((await letters(station)).map((letter) => `${letter.group} ${letter.detail} ${letter.text()}`), ['theirs by us m0', 'ours by us too m0'], 'letters');
  const other = await connection.station(dlsStation);
  t.deepEqual(t.texts(await t.collect(other, 2)), ['m0', 'm0'], 'copies');
  await t.nothing(other, 1000);
});

row('many of them: all are letters before the first is read', wire, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name, { max_deliver: 1, max_ack_pending: -1 });
  await t.fill(station, 500);
  const gone = await t.connect();
  const consumer = await gone.consumer(station.name, { consumerGroup: 'theirs' });
  await t.collect(consumer, 500, { ack: false });
  await gone.close();
  await t.elapse(ACK_MS * 2);
  t.deepEqual(await t.control('take', station.name, 'theirs', 1), [], 'what others get');
  const kept = async () => (await t.control('api', `STREAM.INFO.DLADV_${station.name}`)).state.messages === 500;
  await t.until(kept, 8000, 'everything is told');
  const list = await letters(station);
  t.deepEqual([list.length, new Set(list.map((letter) => letter.sequence)).size], [500, 500], 'letters and places');
});

row('such letters can be resent and discarded', wire, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name, { max_deliver: 1 });
  await t.fill(station, 2);
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  await forget(t, consumer, 2, 1);
  await t.nothing(consumer, ACK_MS * 2);
  const [first, second] = await some(t, station, 2);
  t.equal((await first.resend()).sequence, 3, 'sequence');
  await second.discard();
  t.deepEqual(t.texts(await t.collect(consumer, 1)), [first.text()], 'what comes again');
  t.deepEqual(await letters(station), [], 'letters');
});

row('a partition keeps its number', { ...wire, needs: [...wire.needs, 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  await durable(t, `${station.name}$3`, { max_deliver: 1 });
  for (const partitionNumber of [1, 3]) await station.produce(`p${partitionNumber}`, { partitionNumber });
  const consumer = await station.consumer({ consumerGroup: 'theirs', maxAckTimeMs: 20_000 });
  await t.collect(consumer, 2, { ack: false });
  await t.nothing(consumer, ACK_MS * 2);
  const [letter] = await some(t, station);
  t.deepEqual([letter.text(), letter.partition, letter.sequence], ['p3', 3, 1], 'the letter');
});

row("a stream of somebody else's: its letters too", wire, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { subjects: [`events.${t.name()}.*`], allow_direct: false });
  const { config: { subjects: [pattern] } } = await t.control('api', `STREAM.INFO.${name}`);
  await t.control('publish', pattern.replace('*', 'a'), 'theirs', { kind: 'x' });
  await durable(t, name, { max_deliver: 1 });
  const station = await connection.station(name);
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  await forget(t, consumer, 1, 1);
  await t.nothing(consumer, ACK_MS * 2);
  const [letter] = await some(t, station);
  t.deepEqual({ ...place(letter), text: letter.text(), headers: { ...letter.headers } }, {
    reason: 'deliveries', detail: undefined, group: 'theirs', station: name, partition: 1, sequence: 1, text: 'theirs', headers: { kind: 'x' },
  }, 'the letter');
  const names = [];
  for await (const info of connection.stations()) names.push(info.name);
  t.deepEqual(names.filter((each) => each.includes(name)), [name], 'stations');
});

row('a work queue does not keep what is dead', wire, async (t) => {
  const connection = await t.connect();
  const name = await stream(t, { retention: 'workqueue' });
  await t.control('publish', `events.${name}`, 'job');
  await durable(t, name, { max_deliver: 1 });
  const station = await connection.station(name);
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  await forget(t, consumer, 1, 1);
  await t.nothing(consumer, ACK_MS * 2);
  t.deepEqual(t.texts(await some(t, station)), ['job'], 'letters');
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty queue');
});

row('with ack_based retention a dead message goes, unless another group has not had it', wire, async (t) => {
  const { station } = await t.setup({ retentionType: 'ack_based' });
  await durable(t, station.name, { max_deliver: 1 });
  const other = await station.consumer({ consumerName: 'other' });
  await t.fill(station, 2);
  const [first] = await t.collect(other, 1, { ack: false });
  await first.ack({ confirm: true });
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  await forget(t, consumer, 2, 1);
  await t.nothing(consumer, ACK_MS * 2);
  await some(t, station, 2);
  await t.until(() => recorded(t, station.name), 5000, 'everything told is recorded');
  t.equal((await station.info()).messages, 1, 'messages left');
  t.deepEqual(t.texts(await t.collect(other, 1)), ['m1'], 'what the other group gets');
});

row('a message that retention has removed meanwhile: the logger is told', wire, async (t) => {
  const entries = [];
  const { station } = await t.setup({ retentionType: 'messages', retentionValue: 1 }, { logger: (entry) => { entries.push(entry); } });
  await durable(t, station.name, { max_deliver: 1 });
  await t.fill(station, 1);
  const gone = await t.connect();
  const consumer = await gone.consumer(station.name, { consumerGroup: 'theirs' });
  await t.collect(consumer, 1, { ack: false });
  await gone.close();
  await station.produce('next');
  await t.elapse(ACK_MS);
  t.deepEqual(await t.control('take', station.name, 'theirs', 1), ['next'], 'what others take');
  await t.until(async () => { await letters(station); return entries.some((entry) => entry.event === 'dead_letters_lost'); }, 8000, 'an entry');
  const { level, detail } = entries.find((entry) => entry.event === 'dead_letters_lost');
  t.deepEqual([level, detail.station, detail.messages], ['warn', station.name, 1], 'the entry');
});

row('a station that keeps no dead letters has nothing kept for them', wire, async (t) => {
  const { station } = await t.setup({ sendPoisonMsgToDls: false });
  await durable(t, station.name, { max_deliver: 1 });
  await station.consumer({ consumerGroup: 'theirs' });
  t.equal((await t.control('api', `STREAM.INFO.DLADV_${station.name}`)).error.err_code, 10059, 'the stream');
});

row('a limit of ours that is lower than the server’s is the one that counts', wire, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name, { max_deliver: 5, metadata: { 'stationmaster.max_deliver': '1' } });
  await t.fill(station, 1);
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  await t.collect(consumer, 1, { ack: false });
  await t.nothing(consumer, ACK_MS * 2);
  const [letter] = await some(t, station);
  t.deepEqual([letter.reason, letter.group], ['deliveries', 'theirs'], 'the letter');
  t.equal((await t.control('api', `STREAM.INFO.DLADV_${station.name}`)).error.err_code, 10059, 'the stream');
});

row('with the station what was told goes', { ...wire, needs: [...wire.needs, 'destroy'] }, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name);
  await station.consumer({ consumerGroup: 'theirs' });
  t.equal((await t.control('api', `STREAM.INFO.DLADV_${station.name}`)).error, undefined, 'the stream before');
  await station.destroy();
  t.equal((await t.control('api', `STREAM.INFO.DLADV_${station.name}`)).error.err_code, 10059, 'the stream after');
});

row('another stream keeps what the server tells: it is read from there, from now on', wire, async (t) => {
  const { station } = await t.setup();
  const theirs = t.name('ADVISORIES');
  const subject = `$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.${station.name}.*`;
  await t.control('api', `STREAM.CREATE.${theirs}`, { name: theirs, storage: 'memory', subjects: [subject] });
  t.ending(() => t.control('api', `STREAM.DELETE.${theirs}`));
  await station.produce('of old');
  const told = { type: 'io.nats.jetstream.advisory.v1.max_deliver', stream: station.name, consumer: 'theirs', stream_seq: 1, deliveries: 1 };
  await t.control('publish', subject.replace('*', 'theirs'), JSON.stringify(told));
  await durable(t, station.name, { max_deliver: 1, deliver_policy: 'new' });
  await t.fill(station, 2);
  const [consumer, other] = await Promise.all([station.consumer({ consumerGroup: 'theirs' }), (await t.connect()).consumer(station.name, { consumerGroup: 'theirs' })]);
  await forget(t, consumer, 1, 1);
  t.equal(await t.control('term', station.name, 'theirs', 'by them'), 'm1', 'what they gave up');
  await t.nothing(other, ACK_MS * 2);
  const list = await some(t, station, 2);
  t.deepEqual(list.map((letter) => `${letter.reason} ${letter.text()}`).sort(), ['deliveries m0', 'rejected m1'], 'letters');
  t.equal((await t.control('api', `STREAM.INFO.${theirs}`)).state.messages, 2, 'what they keep');
});

row('another stream in the way: the consumer says what to do', wire, async (t) => {
  const { station } = await t.setup();
  await durable(t, station.name);
  const name = `DLADV_${station.name}`;
  await t.control('api', `STREAM.CREATE.${name}`, { name, storage: 'memory', subjects: [`elsewhere.${station.name}`] });
  t.ending(() => t.control('api', `STREAM.DELETE.${name}`));
  await t.rejects(station.consumer({ consumerGroup: 'theirs' }), 'already_exists', { says: [name, 'stationmaster.dls_poison'], station: station.name });
});
