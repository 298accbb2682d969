// Names, checked before anything is sent.

import { topic } from '../kit/rows.mjs';

const row = topic('names', 1);

// [name, the character that is wrong or undefined]: wrong on every broker.
const WRONG = [['', undefined], ['two words', ' '], ['a/b', '/'], ['star*', '*'], ['more>', '>'], ['größe', 'ö'], ['.hidden', '.'], ['hidden.', '.'],
  ['line\nbreak', undefined], ['tab\there', undefined], ['zero\0', undefined], ['a$b', '$'], ['a#b', '#'], ['back\\slash', '\\'], ['smile🙂', '🙂'], ['x'.repeat(129), undefined]];

for (const [name, character] of WRONG) {
  row(`a station cannot be called ${JSON.stringify(name.length > 20 ? `${name.slice(0, 3)}... (${name.length} characters)` : name)}`, async (t) => {
    const connection = await t.connect();
    const says = character === undefined ? {} : { says: character };
    await t.rejects(() => connection.station(name), 'invalid_argument', says);
    await t.rejects(() => connection.produce(name, 'x'), 'invalid_argument', says);
    await t.rejects(() => connection.fetch(name, { noWait: true }), 'invalid_argument', says);
    await t.rejects(() => connection.consume(name), 'invalid_argument', says);
    await t.rejects(() => connection.producer(name), 'invalid_argument', says);
    await t.rejects(() => connection.consumer(name), 'invalid_argument', says);
  });
}

row('a name must be text', async (t) => {
  const connection = await t.connect();
  for (const name of [undefined, null, 7, {}, true]) await t.rejects(() => connection.station(name), 'invalid_argument', { for: t.show(name) });
});

row('letters, digits, dots, lines and 128 characters are right', async (t) => {
  const connection = await t.connect();
  const names = [`${t.name()}.with.dots`, `${t.name()}_with_lines`, `0${t.name()}9`, t.name().padEnd(128, 'x')];
  for (const name of names) {
    const station = await connection.station(name);
    t.equal(station.name, name, 'name');
    t.equal((await station.produce('x')).station, name, 'station of the receipt');
    const [message] = await t.collect(station, 1);
    t.equal(message.station, name, 'station of the message');
  }
});

row('names that differ in one character are different stations', async (t) => {
  const connection = await t.connect();
  const base = t.name();
  for (const [index, name] of [`${base}.x`, `${base}_x`, `${base}-x`, `${base}x`].entries()) {
    const station = await connection.station(name);
    t.equal(station.existed, false, `${name} existed`);
    t.equal((await station.produce(`in ${index}`)).sequence, 1, `sequence in ${name}`);
  }
});

row('capital letters are wrong on memory', { brokers: ['memory'] }, async (t) => {
  const connection = await t.connect();
  await t.rejects(connection.station('Orders'), 'invalid_argument', { says: 'O' });
  await t.rejects(connection.consumer(t.name(), { consumerName: 'Billing' }), 'invalid_argument', { says: 'B' });
});

row('a name begins and ends with a letter or digit on memory', { brokers: ['memory'] }, async (t) => {
  const connection = await t.connect();
  for (const name of ['-a', 'a-', '_a', 'a_']) await t.rejects(connection.station(name), 'invalid_argument', { for: name });
});

row('capital letters are kept on nats', { brokers: ['nats'] }, async (t) => {
  const connection = await t.connect();
  const lower = t.name('case');
  await connection.produce(lower.toUpperCase(), 'upper');
  t.equal((await connection.station(lower)).existed, false, 'the small one existed');
  t.deepEqual(t.texts(await t.collect(await connection.station(lower.toUpperCase()), 1)), ['upper'], 'messages');
});

for (const option of ['consumerName', 'consumerGroup']) {
  row(`${option} is checked like a station's name`, async (t) => {
    const { connection, station } = await t.setup();
    for (const name of ['two words', 'a/b', 'a*', 'größe', '.a', 'x'.repeat(129), 7]) {
      const options = option === 'consumerGroup' ? { consumerName: 'fine', consumerGroup: name } : { consumerName: name };
      await t.rejects(() => connection.consumer(station.name, options), 'invalid_argument', { for: t.show(name), says: option === 'consumerGroup' ? 'roup' : 'ame' });
    }
    t.equal((await connection.consumer(station.name, { [option]: 'fine.name-1_2', ...(option === 'consumerGroup' ? { consumerName: 'c' } : {}) })).station, station.name, 'a good one');
  });
}

row("producerName is checked like a station's name", async (t) => {
  const { connection, station } = await t.setup();
  for (const producerName of ['two words', 'a/b', 'größe', 'x'.repeat(129), 7]) {
    await t.rejects(() => connection.producer(station.name, { producerName }), 'invalid_argument', { for: t.show(producerName) });
  }
  t.equal((await connection.producer(station.name, { producerName: 'fine.name-1_2' })).name, 'fine.name-1_2', 'name');
});

row('names are checked before the link is asked: a refused name leaves nothing behind', async (t) => {
  const connection = await t.connect();
  const before = connection.stats();
  await t.rejects(connection.produce('not a name', 'x'), 'invalid_argument');
  t.equal(connection.stats().sentMessages, before.sentMessages, 'sentMessages');
});
