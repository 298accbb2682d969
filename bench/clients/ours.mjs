// The package, as its contract shows it.

import { GROUP } from '../wire.mjs';
import { PAYLOAD } from '../rows.mjs';
import { lanes } from './lanes.mjs';

export const name = 'ours';

/** `login`: the broker and who logs in, where it is not a bare nats-server. `size`: bytes of a message. */
export async function open({ url, stream, modules, login = { broker: 'nats' }, size = PAYLOAD, count = 0 }) {
  const { connect } = await import(modules.ours);
  // The row that makes all calls at once is about the cost of a call, not about the limit on how many may wait.
  const link = await connect({
    ...login,
    url,
    name: 'bench',
    maxPendingMessages: Math.max(10_000, count),
    maxPendingBytes: Math.max(64 * 1024 * 1024, count * 1024),
  });
  const payload = new Uint8Array(size).fill(120);
  let consumer;

  return {
    link,
    createStream: () => link.station(stream, { storageType: 'memory' }),
    async createGroup(policy) {
      consumer = await link.consumer(stream, { consumerName: GROUP, autoAck: policy === 'none' });
    },

    async produceLanes(total, width) {
      const producer = await link.producer(stream);
      await lanes(total, width, () => producer.produce(payload));
    },

    async produceAll(total) {
      const producer = await link.producer(stream);
      const receipts = new Array(total);
      for (let i = 0; i < total; i += 1) receipts[i] = producer.produce(payload);
      await Promise.all(receipts);
    },

    async produceBatch(total) {
      const producer = await link.producer(stream);
      await producer.produceBatch(new Array(total).fill(payload));
    },

    // The wasm has been loaded by then, as in a page that has connected before.
    async firstMessage(times) {
      for (let i = 0; i < times; i += 1) {
        const own = await connect({ ...login, url });
        const [message] = await own.fetch(stream, { consumerName: GROUP, batchSize: 1 });
        await message.ack();
        await own.close();
      }
    },

    async consume(total, ack) {
      let seen = 0;
      for await (const message of consumer) {
        if (message.data.length !== size) throw new Error('a message arrived with another length');
        if (ack) message.ack();
        seen += 1;
        if (seen === total) break;
      }
      await link.ping();
    },

    async fetch(total, prefetch) {
      const options = { batchSize: 10, batchMaxTimeToWaitMs: 5000, prefetch };
      for (let seen = 0; seen < total;) {
        const batch = await consumer.fetch(options);
        for (const message of batch) {
          if (message.data.length !== size) throw new Error('a message arrived with another length');
          message.ack();
          seen += 1;
        }
      }
      await link.ping();
    },

    async publishAll(total) {
      const channel = `${stream}.live`;
      // What is needed is loaded by the first call.
      await link.publish(channel, payload);
      for (let i = 1; i < total; i += 1) link.publish(channel, payload);
      await link.ping();
    },

    async requests(total, width) {
      const channel = `${stream}.ask`;
      const worker = await connect({ ...login, url, name: 'bench' });
      await worker.respond(channel, (request) => request.data, { concurrency: width });
      await lanes(total, width, async () => {
        const reply = await link.request(channel, payload);
        if (reply.data.length !== size) throw new Error('an answer came with another length');
      });
      await worker.close();
    },

    close: () => link.close(),
  };
}
