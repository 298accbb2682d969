// What the demo's page does: a station of three partitions, 10,000 messages into it, a group of two consumers out of it.
// It posts each step, and at the end what it saw, to the program that opened it.

import { connect } from '../pkg/index.js';

const MESSAGES = 10_000;
/** Messages without a receipt at a time; the rest of the list waits here instead of in the client. */
const AT_ONCE = 1_000;
const LIMIT_MS = 60_000;

const url = new URLSearchParams(location.search).get('url');
const post = (path, body) => fetch(path, { method: 'POST', body: JSON.stringify(body) });

try {
  await post('/result', await run());
} catch (error) {
  await post('/result', { error: [error?.stack ?? String(error), error?.code, error?.hint].filter(Boolean).join('\n') });
}

async function run() {
  const pages = await Promise.all([1, 2, 3].map(() => connect({ broker: 'nats', url })));
  const [sender, ...members] = pages;
  const { version } = await sender.ping();
  const station = await sender.station('demo', { partitionsNumber: 3 });
  await post('/step', { text: `connected to nats-server ${version}; station "demo" has partitions ${station.partitions.join(', ')}` });

  const seen = new Set();
  let duplicated = 0;
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const consumers = await Promise.all(members.map((member) => member.consumer('demo', { consumerGroup: 'passengers' })));
  const shares = consumers.map(async (consumer) => {
    let share = 0;
    for await (const message of consumer) {
      const { n } = message.json();
      if (seen.has(n)) duplicated++;
      seen.add(n);
      share++;
      message.ack();
      if (seen.size === MESSAGES) finish();
    }
    return share;
  });

  const begin = performance.now();
  const producer = await station.producer();
  const receipts = [];
  for (let n = 0; n < MESSAGES; n += AT_ONCE) {
    const batch = Array.from({ length: Math.min(AT_ONCE, MESSAGES - n) }, (_, i) => ({ n: n + i, text: `train ${n + i}` }));
    receipts.push(...await Promise.all(batch.map((message) => producer.produce(message))));
  }
  await post('/step', { text: `${receipts.length} produced in ${((performance.now() - begin) / 1000).toFixed(1)} s` });

  await Promise.race([finished, ...shares, new Promise((resolve) => setTimeout(resolve, LIMIT_MS))]);
  const seconds = (performance.now() - begin) / 1000;
  await Promise.all(consumers.map((consumer) => consumer.stop()));
  const taken = await Promise.all(shares);
  await post('/step', { text: `${seen.size} consumed, by the two members of the group: ${taken.join(' and ')}` });
  await Promise.all(pages.map((page) => page.close()));
  return { produced: receipts.length, consumed: seen.size, lost: receipts.length - seen.size, duplicated, seconds, version, taken };
}
