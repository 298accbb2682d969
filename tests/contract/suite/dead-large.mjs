// Dead letters which, with the headers that tell where they come from, are larger than the server takes.

import { topic } from '../kit/rows.mjs';

const row = topic('large dead letters', 6);
const wire = { brokers: ['nats'], needs: ['dead_letters', 'nack'] };

async function letters(station) {
  const list = [];
  for await (const letter of station.deadLetters()) list.push(letter);
  return list;
}

/** The largest payload the server takes, no byte like its neighbour's. */
async function largest(connection) {
  const { maxPayloadBytes } = await connection.ping();
  return Uint8Array.from({ length: maxPayloadBytes }, (_, index) => (index * 31 + (index >> 8)) & 255);
}

const same = (left, right) => left.length === right.length && left.every((byte, index) => byte === right[index]);
const kept = async (t, station) => (await t.control('api', `STREAM.INFO.${station.name}$dls`)).state.messages;

row('a message that has no room for another header: kind, text, place and payload are kept', wire, async (t) => {
  const { connection, station } = await t.setup();
  const data = await largest(connection);
  await station.produce(data);
  await station.produce('small');
  const consumer = await station.consumer({ consumerName: 'c' });
  for (const message of await t.collect(consumer, 2, { ack: false })) await message.deadLetter(`cannot be read: ${'x'.repeat(3000)}`);
  const [letter, small, ...more] = await letters(station);
  t.equal(more.length, 0, 'further letters');
  t.deepEqual([letter.reason, letter.detail.length, letter.group, letter.partition, letter.sequence], ['rejected', 3016, 'c', 1, 1], 'the letter');
  t.ok(same(letter.data, data), `the payload: ${letter.data.length} bytes`);
  t.deepEqual({ ...letter.headers }, {}, 'headers');
  t.equal(small.text(), 'small', 'the other one');
  await t.nothing(consumer, 400);
});

row('it is gone from the server when it is discarded, for everybody', wire, async (t) => {
  const { connection, station } = await t.setup();
  await station.produce(await largest(connection));
  const consumer = await station.consumer({ consumerName: 'c', maxMsgDeliveries: 1 });
  await (await t.collect(consumer, 1, { ack: false }))[0].nack();
  const [letter] = await letters(station);
  t.equal(letter.reason, 'deliveries', 'reason');
  t.ok(await kept(t, station) > 1, 'it lies in pieces');
  await letter.discard();
  t.equal(await kept(t, station), 0, 'what is left of it');
  await t.rejects(() => letter.discard(), 'rejected', { says: 'dead letter' });
  t.deepEqual(await letters(station), [], 'letters');
});

row('it is resent as it was', wire, async (t) => {
  const { connection, station } = await t.setup();
  const data = await largest(connection);
  await station.produce(data);
  const consumer = await station.consumer({ consumerName: 'c' });
  await (await t.collect(consumer, 1, { ack: false }))[0].deadLetter('no');
  const receipt = await (await letters(station))[0].resend();
  t.deepEqual([receipt.sequence, receipt.duplicate, receipt.msgId], [2, false, undefined], 'the receipt');
  const [message] = await t.collect(consumer, 1);
  t.ok(same(message.data, data), 'the payload');
  t.equal(await kept(t, station), 0, 'what is left of the letter');
});

row('headers that leave no room for others are kept, too', wire, async (t) => {
  const { station } = await t.setup();
  const headers = { kind: 'k', long: 'v'.repeat(65_400) };
  await station.produce('m0', { headers });
  const consumer = await station.consumer({ consumerName: 'c' });
  await (await t.collect(consumer, 1, { ack: false }))[0].deadLetter('why');
  const [letter] = await letters(station);
  t.deepEqual([letter.text(), letter.detail, letter.headers.kind, letter.headers.long?.length], ['m0', 'why', 'k', 65_400], 'the letter');
  t.equal((await letter.resend()).sequence, 2, 'sequence');
  t.deepEqual({ ...(await t.collect(consumer, 1))[0].headers }, headers, 'headers of what is resent');
});

row('with ack_based retention too, where the message itself goes', { ...wire, needs: [...wire.needs, 'retention_ack_based', 'info'] }, async (t) => {
  const { connection, station } = await t.setup({ retentionType: 'ack_based' });
  const consumer = await station.consumer({ consumerName: 'c' });
  const data = await largest(connection);
  await station.produce(data);
  await (await t.collect(consumer, 1, { ack: false }))[0].deadLetter('no');
  await t.until(async () => (await station.info()).messages === 0, 5000, 'an empty station');
  t.ok(same((await letters(station))[0].data, data), 'the payload');
});

row('a client that dies between the pieces: the next one makes the letter whole, once', { ...wire, waits: true }, async (t) => {
  const { connection, station } = await t.setup();
  const data = await largest(connection);
  await station.produce(data);
  const socket = (url) => {
    const made = new WebSocket(url);
    const send = made.send.bind(made);
    made.send = (bytes) => {
      if (new TextDecoder('latin1').decode(bytes).includes('X-Dead-Head')) made.close();
      else send(bytes);
    };
    return made;
  };
  const gone = await t.connect({ socket, reconnect: false });
  const doomed = await gone.consumer(station.name, { consumerName: 'c', maxMsgDeliveries: 1, maxAckTimeMs: 1500 });
  const [message] = await t.collect(doomed, 1, { ack: false });
  t.ok((await t.outcome(message.nack())).error, 'the message was given up, as far as that client knows');
  t.deepEqual([await kept(t, station), (await letters(station)).length], [1, 0], 'a piece, and no letter');
  const consumer = await connection.consumer(station.name, { consumerName: 'c' });
  const list = await t.until(async () => { await t.nothing(consumer, 300); const found = await letters(station); return found.length > 0 && found; }, 8000, 'a letter');
  t.equal(list.length, 1, 'letters');
  t.ok(same(list[0].data, data), 'the payload');
  t.equal(await kept(t, station), 2, 'pieces');
});

row('the copy in the station named for them lacks what does not fit, and says so', { ...wire, needs: [...wire.needs, 'dls_station'] }, async (t) => {
  const dlsStation = t.name('dls');
  const { connection, station } = await t.setup({ dlsStation });
  const data = await largest(connection);
  await station.produce(data);
  await station.produce(data.subarray(2000), { headers: { kind: 'k' } });
  await station.produce(data.subarray(2000), { headers: { long: 'v'.repeat(1800) } });
  const consumer = await station.consumer({ consumerName: 'c' });
  for (const message of await t.collect(consumer, 3, { ack: false })) await message.deadLetter('x'.repeat(3000));
  const copies = await t.collect(await connection.station(dlsStation), 3);
  t.deepEqual(copies.map((copy) => [copy.headers['X-Dead-Cut'], copy.headers['X-Dead-Sequence'], copy.headers.kind, copy.data.length]), [
    ['text, headers, payload', '1', undefined, 0], ['text', '2', 'k', data.length - 2000], ['text, headers', '3', undefined, data.length - 2000],
  ], 'copies');
  const all = await letters(station);
  t.deepEqual(all.map((letter) => [letter.sequence, letter.detail.length, letter.data.length]), [[1, 3000, data.length], [2, 3000, data.length - 2000], [3, 3000, data.length - 2000]], 'letters');
});
