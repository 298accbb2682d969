// Messages that a group gives up on: where they can be read, and how they come back.

import { topic } from '../kit/rows.mjs';

const row = topic('dead letters', 6);
const needs = ['dead_letters', 'nack'];

/** A station with messages, and a consumer of it. */
async function setup(t, stationOptions, consumerOptions, count = 1, options = undefined) {
  const { connection, station } = await t.setup(stationOptions);
  await t.fill(station, count, undefined, options);
  const consumer = await station.consumer({ consumerName: 'c', ...consumerOptions });
  return { connection, station, consumer };
}

/** All there are. */
async function letters(station) {
  const list = [];
  for await (const letter of station.deadLetters()) list.push(letter);
  return list;
}

/** The next messages die. */
async function kill(t, consumer, count = 1, reason = 'broken') {
  for (const message of await t.collect(consumer, count, { ack: false })) await message.deadLetter(reason);
}

const place = ({ reason, detail, group, station, partition, sequence }) => ({ reason, detail, group, station, partition, sequence });

row('a station without any has none', { needs }, async (t) => {
  const { station } = await setup(t);
  t.deepEqual(await letters(station), [], 'letters');
});

row('deadLetter: kind, text, group and original place, headers and payload', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 3, (index) => ({ headers: { kind: `k${index}`, 'X-Other': 'o' }, msgId: `id-${index}` }));
  const [, second] = await t.collect(consumer, 2, { ack: false });
  const before = Date.now();
  t.equal(await second.deadLetter('cannot be read'), undefined, 'deadLetter()');
  const [letter, ...more] = await letters(station);
  t.equal(more.length, 0, 'further letters');
  t.deepEqual(place(letter), { reason: 'rejected', detail: 'cannot be read', group: 'c', station: station.name, partition: 1, sequence: 2 }, 'the letter');
  t.equal(letter.sequenceBig, 2n, 'sequenceBig');
  t.equal(letter.text(), 'm1', 'text');
  t.deepEqual([...letter.copy()], [...new TextEncoder().encode('m1')], 'copy');
  t.deepEqual({ ...letter.headers }, { kind: 'k1', 'X-Other': 'o' }, 'headers');
  t.equal(letter.msgId, undefined, 'msgId');
  t.between(letter.timestamp.getTime(), before - 5000, Date.now() + 5000, 'timestamp');
  const record = letter.record();
  t.deepEqual([record.station, record.partition, record.sequence, record.deliveries], [station.name, 1, 2, 1], 'record');
});

for (const [what, text] of [
  ['line breaks', 'first\r\nsecond\n\tthird'], ['characters beyond ASCII', 'größer als 100 % 🙂'], ['blanks around it', '  why  '],
  ['the words of another kind', 'max_deliveries'], ['the beginning of another kind', 'schema: no'],
]) {
  row(`the text is told as it was given: ${what}`, { needs }, async (t) => {
    const { station, consumer } = await setup(t);
    await kill(t, consumer, 1, text);
    t.deepEqual((await letters(station)).map((letter) => [letter.reason, letter.detail]), [['rejected', text]], 'letters');
  });
}

row('an empty text is no text; a very long one is cut', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 2);
  await kill(t, consumer, 1, '');
  await kill(t, consumer, 1, 'x'.repeat(100_000));
  const [first, second] = await letters(station);
  t.equal(first.detail, undefined, 'detail of the first');
  t.between(second.detail.length, 1000, 10_000, 'length of the second');
});

row('deadLetter without a text is refused, and the message is not settled by it', { needs }, async (t) => {
  const { station, consumer } = await setup(t);
  const [message] = await t.collect(consumer, 1, { ack: false });
  for (const wrong of [undefined, null, 7, {}]) await t.rejects(() => message.deadLetter(wrong), 'invalid_argument', { for: t.show(wrong) });
  await message.deadLetter('now');
  await t.rejects(() => message.deadLetter('again'), 'invalid_argument');
  t.deepEqual((await letters(station)).map((letter) => letter.detail), ['now'], 'letters');
});

row('nack on the last delivery: dead at once', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, { maxMsgDeliveries: 2 });
  for (const deliveries of [1, 2]) {
    t.deepEqual(await letters(station), [], `letters before delivery ${deliveries} is given back`);
    const [message] = await t.collect(consumer, 1, { ack: false });
    await message.nack();
  }
  const [letter] = await letters(station);
  t.deepEqual(place(letter), { reason: 'deliveries', detail: undefined, group: 'c', station: station.name, partition: 1, sequence: 1 }, 'the letter');
  t.equal(letter.record().deliveries, 2, 'deliveries');
  await t.nothing(consumer, 400);
});

row('delay on the last delivery: dead at once', { needs: [...needs, 'delay'] }, async (t) => {
  const { station, consumer } = await setup(t, {}, { maxMsgDeliveries: 1 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.delay(60_000);
  t.deepEqual((await letters(station)).map((letter) => letter.reason), ['deliveries'], 'letters');
});

row('ack times that run out: dead after the last one', { needs, waits: true }, async (t) => {
  const { station, consumer } = await setup(t, {}, { maxMsgDeliveries: 2, maxAckTimeMs: 600 });
  for (const deliveries of [1, 2]) t.equal((await t.collect(consumer, 1, { ack: false }))[0].deliveries, deliveries, 'deliveries');
  await t.nothing(consumer, 1500);
  const [letter] = await t.until(async () => { const list = await letters(station); return list.length > 0 && list; }, 5000, 'a letter');
  t.deepEqual(place(letter), { reason: 'deliveries', detail: undefined, group: 'c', station: station.name, partition: 1, sequence: 1 }, 'the letter');
  await t.nothing(consumer, 1500);
  t.equal((await letters(station)).length, 1, 'letters');
});

row('it dies although its only client is gone at that moment', { needs: [...needs, 'groups'], waits: true }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 1);
  const gone = await t.connect();
  await t.collect(await gone.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 1, maxAckTimeMs: 500 }), 1, { ack: false });
  await gone.close();
  // Its ack time passes with nobody there.
  await t.elapse(900);
  const other = await connection.consumer(station.name, { consumerName: 'c' });
  await station.produce('next');
  t.deepEqual(t.texts(await t.collect(other, 1)), ['next'], 'what another member gets');
  const list = await t.until(async () => { const found = await letters(station); return found.length > 0 && found; }, 5000, 'a letter');
  t.deepEqual(t.texts(list), ['m0'], 'letters');
});

row('a consumer that iterates goes on past the dead', { needs, waits: true }, async (t) => {
  const { connection, station } = await t.setup();
  await t.fill(station, 30);
  const gone = await t.connect();
  await t.collect(await gone.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 1, maxAckTimeMs: 500 }), 30, { ack: false });
  await gone.close();
  // Its ack time passes with nobody there.
  await t.elapse(900);
  const consumer = await connection.consume(station.name, { consumerName: 'c', prefetchMessages: 10 });
  const iterator = consumer[Symbol.asyncIterator]();
  const next = iterator.next();
  await station.produce('alive');
  const { value } = await t.within(8000, next, 'the next message');
  t.equal(value.text(), 'alive', 'what came');
  await value.ack();
  await iterator.return();
  await t.until(async () => (await letters(station)).length === 30, 5000, 'thirty letters');
});

row('dead in one group only; each group that gives up has its own letter', { needs: [...needs, 'groups'] }, async (t) => {
  const { station, consumer } = await setup(t);
  const other = await station.consumer({ consumerName: 'other' });
  await kill(t, consumer, 1, 'mine');
  t.deepEqual((await letters(station)).map((letter) => letter.group), ['c'], 'groups');
  await kill(t, other, 1, 'theirs');
  t.deepEqual((await letters(station)).map((letter) => `${letter.group} ${letter.detail}`), ['c mine', 'other theirs'], 'letters');
});

row('the station itself keeps the message as its retention says', { needs: [...needs, 'info'] }, async (t) => {
  const { station, consumer } = await setup(t);
  await kill(t, consumer);
  t.equal((await station.info()).messages, 1, 'messages');
  t.equal((await station.info()).lastSequence, 1, 'lastSequence');
});

row('with ack_based retention a dead message goes, and its letter stays', { needs: [...needs, 'retention_ack_based', 'info'] }, async (t) => {
  const { station } = await t.setup({ retentionType: 'ack_based' });
  const consumer = await station.consumer({ consumerName: 'c' });
  await t.fill(station, 2);
  await kill(t, consumer);
  await t.collect(consumer, 1);
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty station');
  t.deepEqual(t.texts(await letters(station)), ['m0'], 'letters');
});

row('the message may have been removed by retention when it is given up', { needs: [...needs, 'retention_messages'] }, async (t) => {
  const { station, consumer } = await setup(t, { retentionType: 'messages', retentionValue: 1 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await station.produce('m1');
  const outcome = await t.outcome(message.deadLetter('late'));
  t.ok(!outcome.error, `deadLetter(): ${t.show(outcome.reason)}`);
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'the next message');
  t.deepEqual((await letters(station)).map((letter) => [letter.text(), letter.reason, letter.detail]), [['m0', 'rejected', 'late']], 'its letter');
});

row('sendPoisonMsgToDls false: gone', { needs }, async (t) => {
  const { station, consumer } = await setup(t, { sendPoisonMsgToDls: false }, { maxMsgDeliveries: 1 }, 2);
  await kill(t, consumer);
  const [message] = await t.collect(consumer, 1, { ack: false });
  await message.nack();
  t.deepEqual(await letters(station), [], 'letters');
  await t.nothing(consumer, 400);
});

row('autoAck: delivered means done, nothing dies', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, { autoAck: true, maxMsgDeliveries: 1 });
  const [message] = await t.collect(consumer, 1, { ack: false });
  await t.rejects(() => message.deadLetter('no'), 'not_supported');
  t.deepEqual(await letters(station), [], 'letters');
});

row('what dies in several partitions keeps its place', { needs: [...needs, 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 3 });
  const receipts = [];
  for (const partitionNumber of [1, 2, 3, 3]) receipts.push(await station.produce(`p${partitionNumber}`, { partitionNumber }));
  const consumer = await station.consumer({ consumerName: 'c' });
  await kill(t, consumer, 4);
  const found = (await letters(station)).map((letter) => `${letter.text()} ${letter.partition}/${letter.sequence}`).sort();
  t.deepEqual(found, ['p1 1/1', 'p2 2/1', 'p3 3/1', 'p3 3/2'], 'places');
});

row('many letters come in order, past those that were removed', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 60);
  const messages = await t.collect(consumer, 60, { ack: false });
  for (const message of messages) await message.deadLetter(`r${message.text()}`);
  const all = await letters(station);
  t.deepEqual(t.texts(all), messages.map((message) => message.text()), 'letters');
  for (const [index, letter] of all.entries()) if (index < 25 || index % 3 === 0) await letter.discard();
  t.deepEqual(t.texts(await letters(station)), messages.map((message) => message.text()).filter((_, index) => index >= 25 && index % 3 !== 0), 'what is left');
});

row('many deaths at once: each has its letter', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 100);
  const messages = await t.collect(consumer, 100, { ack: false });
  await Promise.all(messages.map((message) => message.deadLetter('all')));
  t.deepEqual((await letters(station)).map((letter) => letter.sequence).sort((a, b) => a - b), messages.map((message) => message.sequence).sort((a, b) => a - b), 'sequences');
});

row('deadLetters() ends at what was the newest when it was called', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 3);
  await kill(t, consumer, 2);
  const called = station.deadLetters();
  const iterator = called[Symbol.asyncIterator]();
  const first = await iterator.next();
  await kill(t, consumer, 1);
  const seen = [first.value.text()];
  for (let step = await iterator.next(); !step.done; step = await iterator.next()) seen.push(step.value.text());
  t.deepEqual(seen, ['m0', 'm1'], 'letters');
  t.deepEqual(t.texts(await letters(station)), ['m0', 'm1', 'm2'], 'letters of a later call');
});

row('leaving the loop early is fine, and so is not iterating at all', { needs }, async (t) => {
  const { connection, station, consumer } = await setup(t, {}, {}, 3);
  await kill(t, consumer, 3);
  for await (const letter of station.deadLetters()) { t.equal(letter.text(), 'm0', 'the first'); break; }
  station.deadLetters();
  await connection.close();
  await t.rejects(async () => { for await (const letter of station.deadLetters()) t.show(letter); }, 'closed');
});

row('resend: a new message in its partition, and the letter is gone', { needs: [...needs, 'partitions'] }, async (t) => {
  const { station } = await t.setup({ partitionsNumber: 2 });
  await station.produce('poison', { partitionNumber: 2, headers: { kind: 'k' } });
  const consumer = await station.consumer({ consumerName: 'c' });
  await kill(t, consumer);
  const [letter] = await letters(station);
  const receipt = await letter.resend();
  t.deepEqual([receipt.station, receipt.partition, receipt.sequence, receipt.duplicate], [station.name, 2, 2, false], 'the receipt');
  const [message] = await t.collect(consumer, 1, { ack: false });
  t.deepEqual([message.text(), message.partition, message.sequence, message.deliveries], ['poison', 2, 2, 1], 'what came');
  t.deepEqual({ ...message.headers }, { kind: 'k' }, 'headers');
  t.equal(receipt.msgId, message.msgId, 'msgId');
  t.deepEqual(await letters(station), [], 'letters');
  await message.deadLetter('again');
  t.deepEqual((await letters(station)).map((one) => [one.detail, one.sequence]), [['again', 2]], 'the second death');
});

row('resend by two pages at once: stored once', { needs }, async (t) => {
  const { station, consumer } = await setup(t);
  await kill(t, consumer);
  const other = await (await t.connect()).station(station.name);
  const [[mine], [theirs]] = [await letters(station), await letters(other)];
  const outcomes = await Promise.all([mine.resend(), theirs.resend()].map((promise) => t.outcome(promise)));
  t.ok(outcomes.some((outcome) => !outcome.error), `outcomes ${t.show(outcomes)}`);
  for (const outcome of outcomes.filter((each) => each.error)) t.checkError(outcome.reason, 'rejected');
  const sequences = outcomes.filter((each) => !each.error).map((each) => each.value.sequence);
  t.ok(sequences.every((sequence) => sequence === 2), `sequences ${t.show(sequences)}`);
  t.equal((await t.collect(consumer, 1)).length, 1, 'messages');
  await t.nothing(consumer, 400);
  t.deepEqual(await letters(station), [], 'letters');
});

row('discard: the letter is gone, for everybody', { needs }, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 2);
  await kill(t, consumer, 2);
  const other = await (await t.connect()).station(station.name);
  const [theirs] = await letters(other);
  const [mine] = await letters(station);
  t.equal(await mine.discard(), undefined, 'discard()');
  t.deepEqual(t.texts(await letters(station)), ['m1'], 'what is left');
  for (const late of [() => mine.discard(), () => theirs.discard(), () => mine.resend(), () => theirs.resend()]) await t.rejects(late, 'rejected', { says: 'dead letter' });
  await t.nothing(consumer, 300);
});

row('discard by two pages at once: one of them does it', { needs }, async (t) => {
  const { station, consumer } = await setup(t);
  await kill(t, consumer);
  const other = await (await t.connect()).station(station.name);
  const [[mine], [theirs]] = [await letters(station), await letters(other)];
  const outcomes = await Promise.all([mine.discard(), theirs.discard()].map((promise) => t.outcome(promise)));
  t.equal(outcomes.filter((outcome) => !outcome.error).length, 1, 'how many succeeded');
  t.checkError(outcomes.find((outcome) => outcome.error).reason, 'rejected');
});

row('a letter whose time is over cannot be resent any more', { needs, limitMs: 10 * 24 * 3600 * 1000 }, async (t) => {
  if (!t.virtual) t.notOffered('a week passes on the virtual clock only');
  const { station, consumer } = await setup(t);
  await kill(t, consumer);
  const [letter] = await letters(station);
  await t.elapse(8 * 24 * 3600 * 1000);
  t.deepEqual(await letters(station), [], 'letters after a week');
  await t.rejects(() => letter.resend(), 'rejected', { says: 'dead letter' });
  await t.rejects(() => letter.discard(), 'rejected', { says: 'dead letter' });
});

row('with the station its dead letters go', { needs: [...needs, 'destroy'] }, async (t) => {
  const { connection, station, consumer } = await setup(t);
  await kill(t, consumer);
  const [letter] = await letters(station);
  await station.destroy();
  await t.rejects(() => letter.resend(), 'no_such_station');
  await t.rejects(() => letter.discard(), 'no_such_station');
  await t.rejects(() => letters(station), 'no_such_station');
  const again = await t.station(connection, {}, station.name);
  t.equal(again.existed, false, 'existed');
  t.deepEqual(await letters(again), [], 'letters of the new one');
  await t.rejects(() => letter.resend(), 'rejected');
});

row('closing waits for what is dying', { needs }, async (t) => {
  const { connection, station, consumer } = await setup(t, {}, {}, 20);
  const other = await (await t.connect()).station(station.name);
  const dying = (await t.collect(consumer, 20, { ack: false })).map((message) => t.outcome(message.deadLetter('last words')));
  await connection.close();
  const settled = await Promise.all(dying);
  t.ok(settled.every((outcome) => !outcome.error), `outcomes ${t.show(settled.map((outcome) => outcome.reason))}`);
  t.equal((await letters(other)).length, 20, 'letters');
});

row('capabilities say so', { needs }, async (t) => {
  const connection = await t.connect();
  for (const feature of ['dead_letters', 'dls_station', 'resend']) t.ok(connection.capabilities.has(feature), feature);
});

// ---- the station named for them -------------------------------------------------------------------------------------

const also = [...needs, 'dls_station'];

/** A station whose dead go to another one as well. */
async function withOther(t, options, consumerOptions, count) {
  const dlsStation = t.name('dls');
  const { connection, station, consumer } = await setup(t, { dlsStation, ...options }, consumerOptions, count, { headers: { kind: 'k' } });
  const other = await connection.station(dlsStation);
  return { connection, station, consumer, other };
}

row('dlsStation: made along with the station, with the defaults', { needs: [...also, 'info'] }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation, partitionsNumber: 2, retentionType: 'messages', retentionValue: 7 });
  t.equal((await station.info()).options.dlsStation, dlsStation, 'dlsStation as stored');
  const other = await connection.station(dlsStation);
  t.equal(other.existed, true, 'existed');
  t.deepEqual([...other.partitions], [1], 'partitions');
  const { options } = await other.info();
  t.deepEqual([options.retentionType, options.retentionValue, options.dlsStation], ['max_message_age_seconds', 604_800, ''], 'its options');
});

row('dlsStation: one that exists is left as it is', { needs: also }, async (t) => {
  const connection = await t.connect();
  const other = await t.station(connection, { partitionsNumber: 2 });
  await other.produce('before');
  const station = await t.station(connection, { dlsStation: other.name });
  t.deepEqual([station.existed, [...(await connection.station(other.name)).partitions]], [false, [1, 2]], 'stations');
});

row('dlsStation, sendPoisonMsgToDls, sendSchemaFailedMsgToDls: stored, and differs tells', { needs: [...also, 'info'] }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation, sendPoisonMsgToDls: false, sendSchemaFailedMsgToDls: false });
  const { options } = await station.info();
  t.deepEqual([options.dlsStation, options.sendPoisonMsgToDls, options.sendSchemaFailedMsgToDls], [dlsStation, false, false], 'options');
  t.deepEqual([...(await connection.station(station.name, { dlsStation, sendPoisonMsgToDls: false })).differs], [], 'differs of the same');
  const differs = (await connection.station(station.name, { dlsStation: 'another', sendPoisonMsgToDls: true, sendSchemaFailedMsgToDls: true })).differs;
  t.deepEqual([...differs].sort(), ['dlsStation', 'sendPoisonMsgToDls', 'sendSchemaFailedMsgToDls'], 'differs');
});

row('dlsStation: names are checked, and a station cannot be its own', { needs: also }, async (t) => {
  const connection = await t.connect();
  const name = t.name();
  await t.rejects(() => connection.station(name, { dlsStation: name }), 'invalid_argument', { says: 'dlsStation' });
  for (const dlsStation of ['a b', '.a', 'x'.repeat(200), 7]) await t.rejects(() => connection.station(name, { dlsStation }), 'invalid_argument', { says: 'dlsStation', for: t.show(dlsStation) });
});

row('dlsStation: a copy goes there, with headers that tell where it came from', { needs: also }, async (t) => {
  const { station, consumer, other } = await withOther(t, {}, {}, 1);
  await kill(t, consumer, 1, 'cannot be read');
  const [copy] = await t.collect(other, 1);
  t.equal(copy.text(), 'm0', 'text');
  t.deepEqual({ ...copy.headers }, {
    'X-Dead-Reason': 'cannot be read', 'X-Dead-Station': station.name, 'X-Dead-Partition': '1', 'X-Dead-Sequence': '1', 'X-Dead-Group': 'c', 'X-Dead-Deliveries': '1', kind: 'k',
  }, 'headers');
  t.equal((await letters(station)).length, 1, 'letters as well');
});

row('dlsStation: what was delivered too often goes there too, once', { needs: also }, async (t) => {
  const { consumer, other } = await withOther(t, {}, { maxMsgDeliveries: 1 }, 3);
  for (const message of await t.collect(consumer, 3, { ack: false })) await message.nack();
  const copies = await t.collect(other, 3);
  t.deepEqual(copies.map((copy) => copy.headers['X-Dead-Reason']), Array(3).fill('max_deliveries'), 'reasons');
  t.deepEqual(copies.map((copy) => copy.headers['X-Dead-Sequence']).sort(), ['1', '2', '3'], 'sequences');
  await t.nothing(other, 400);
});

row('dlsStation with sendPoisonMsgToDls false: the copy goes there alone', { needs: also }, async (t) => {
  const { station, consumer, other } = await withOther(t, { sendPoisonMsgToDls: false }, {}, 1);
  await kill(t, consumer);
  t.deepEqual(t.texts(await t.collect(other, 1)), ['m0'], 'copies');
  t.deepEqual(await letters(station), [], 'letters');
});

row('dlsStation: who waits there gets the copy when time has run out', { needs: also, waits: true }, async (t) => {
  const { connection, consumer, other } = await withOther(t, {}, { maxMsgDeliveries: 1, maxAckTimeMs: 600 }, 1);
  await t.collect(consumer, 1, { ack: false });
  const waiting = (await connection.consume(other.name, { consumerName: 'w' }))[Symbol.asyncIterator]();
  const next = waiting.next();
  // On a broker that does not count by itself a member has to be there.
  const member = consumer.fetch({ batchMaxTimeToWaitMs: 3000 });
  const { value } = await t.within(8000, next, 'the copy');
  t.equal(value.headers['X-Dead-Reason'], 'max_deliveries', 'reason');
  await waiting.return();
  await member;
});

row('dlsStation: one that has vanished is made anew', { needs: [...also, 'destroy'] }, async (t) => {
  const { connection, consumer, other } = await withOther(t, {}, {}, 1);
  await other.destroy();
  await kill(t, consumer);
  t.deepEqual(t.texts(await t.collect(await connection.station(other.name), 1)), ['m0'], 'copies');
});

row('dlsStation: a message that dies there again tells its last death', { needs: also }, async (t) => {
  const { consumer, other } = await withOther(t, {}, {}, 1);
  await kill(t, consumer, 1, 'first');
  await kill(t, await other.consumer({ consumerName: 'second' }), 1, 'second');
  const [letter] = await letters(other);
  t.deepEqual(place(letter), { reason: 'rejected', detail: 'second', group: 'second', station: other.name, partition: 1, sequence: 1 }, 'the letter');
  t.deepEqual({ ...letter.headers }, { kind: 'k' }, 'headers');
});

// ---- on the wire ----------------------------------------------------------------------------------------------------

const wire = { needs, brokers: ['nats'] };

row('a client that dies between the copy and its last word leaves one letter, and one copy', { ...wire, needs: also, waits: true }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation });
  await station.produce('poison');
  const socket = (url) => {
    const made = new WebSocket(url);
    const send = made.send.bind(made);
    made.send = (bytes) => {
      if (new TextDecoder('latin1').decode(bytes).includes('+TERM')) made.close();
      else send(bytes);
    };
    return made;
  };
  const gone = await t.connect({ socket, reconnect: false });
  const doomed = await gone.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 1, maxAckTimeMs: 1200 });
  const [message] = await t.collect(doomed, 1, { ack: false });
  const given = t.outcome(message.nack());
  await t.within(8000, gone.closed, 'the end of the client');
  t.ok((await given).error, 'the message was given up, as far as that client knows');
  t.deepEqual(t.texts(await letters(station)), ['poison'], 'letters before');
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  await t.nothing(consumer, 3000);
  await t.until(async () => (await connection.consumer(station.name, { consumerName: 'c' })).position().then((at) => at === 1n), 5000, 'the group is done with it');
  t.deepEqual((await letters(station)).map((letter) => `${letter.reason} ${letter.text()}`), ['deliveries poison'], 'letters');
  const other = await connection.station(dlsStation);
  t.deepEqual(t.texts(await t.collect(other, 1)), ['poison'], 'copies');
  await t.nothing(other, 300);
});

row('dead letters can be read by others, under the names of the station', wire, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 1, { headers: { kind: 'k' }, msgId: 'mine' });
  await kill(t, consumer, 1, 'größer');
  const [message] = await t.control('read', `${station.name}$dls`, 1);
  t.deepEqual(message, {
    subject: `stations.${station.name}.dls`, seq: 1, text: 'm0',
    headers: {
      'Nats-Msg-Id': `dl:${station.name}:1:c`, 'X-Dead-Reason': 'gr%C3%B6%C3%9Fer', 'X-Dead-Station': station.name, 'X-Dead-Partition': '1', 'X-Dead-Sequence': '1', 'X-Dead-Group': 'c',
      'X-Dead-Deliveries': '1', kind: 'k',
    },
  }, 'what they read');
  const { config } = await t.control('api', `STREAM.INFO.${station.name}$dls`);
  t.deepEqual([config.retention, config.max_age, config.allow_direct, config.metadata['stationmaster.dls_of']], ['limits', 604_800e9, true, station.name], 'the stream');
});

row('what others put among the dead is a letter, without a group', wire, async (t) => {
  const { station, consumer } = await setup(t);
  await kill(t, consumer);
  await t.control('publish', `stations.${station.name}.dls`, 'theirs', { 'X-Dead-Reason': 'by hand', other: 'o' });
  const [, letter] = await letters(station);
  t.deepEqual({ ...place(letter), text: letter.text(), headers: { ...letter.headers } }, {
    reason: 'rejected', detail: 'by hand', group: undefined, station: station.name, partition: 0, sequence: 0, text: 'theirs', headers: { other: 'o' },
  }, 'the letter');
  t.equal((await letter.resend()).sequence, 2, 'sequence');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['theirs'], 'what comes');
});

row('a message that others give up is dead for the group, and leaves no letter', wire, async (t) => {
  const { station, consumer } = await setup(t, {}, {}, 2);
  t.equal(await t.control('term', station.name, 'c', 'theirs'), 'm0', 'what they gave up');
  t.deepEqual(t.texts(await t.collect(consumer, 1)), ['m1'], 'the next message');
  t.deepEqual(await letters(station), [], 'letters');
});

row('a stream in the way of the dead: the message is not given up', { ...wire, waits: true }, async (t) => {
  const { station, consumer } = await setup(t, {}, { maxAckTimeMs: 900 });
  const name = `${station.name}$dls`;
  await t.control('api', `STREAM.CREATE.${name}`, { name, subjects: [`elsewhere.${station.name}`] });
  t.ending(() => t.control('api', `STREAM.DELETE.${name}`));
  const [message] = await t.collect(consumer, 1, { ack: false });
  await t.rejects(() => message.deadLetter('no'), 'already_exists', { says: name });
  const [again] = await t.collect(consumer, 1);
  t.deepEqual([again.text(), again.deliveries], ['m0', 2], 'what comes again');
});

row('a group of others with a limit of its own: what is given back on its last delivery dies', wire, async (t) => {
  const { station } = await t.setup();
  await station.produce('poison');
  const config = { durable_name: 'theirs', name: 'theirs', ack_policy: 'explicit', deliver_policy: 'all', max_deliver: 2 };
  await t.control('api', `CONSUMER.CREATE.${station.name}.theirs`, { stream_name: station.name, config, action: 'create' });
  const consumer = await station.consumer({ consumerGroup: 'theirs' });
  for (const deliveries of [1, 2]) {
    const [message] = await t.collect(consumer, 1, { ack: false });
    t.equal(message.deliveries, deliveries, 'deliveries');
    await message.nack();
  }
  t.deepEqual((await letters(station)).map(place).map(({ reason, group }) => `${reason} ${group}`), ['deliveries theirs'], 'letters');
});
