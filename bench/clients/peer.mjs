// nats.js, written the way its own documentation shows, with the window and prefetch sizes of the package so that both ask the
// server for the same.

import { GROUP, subjectOf } from '../wire.mjs';
import { PAYLOAD } from '../rows.mjs';
import { lanes } from './lanes.mjs';

export const name = 'peer';

export async function open({ url, stream, admin, modules }) {
  const { jetstream, wsconnect } = await import(modules.peer);
  const link = await wsconnect({ servers: url });
  const js = jetstream(link);
  const subject = subjectOf(stream);
  const payload = new Uint8Array(PAYLOAD).fill(120);
  let group;

  return {
    createStream: () => admin.createStream(stream),
    async createGroup(policy) {
      await admin.createGroup(stream, policy);
      group = await js.consumers.get(stream, GROUP);
    },

    produceLanes: (count, width) => lanes(count, width, () => js.publish(subject, payload)),

    async produceAll(count) {
      const receipts = new Array(count);
      for (let i = 0; i < count; i += 1) receipts[i] = js.publish(subject, payload);
      await Promise.all(receipts);
    },

    // It has no batch without conditions of its own; this is how its users send many.
    produceBatch(count) {
      return this.produceAll(count);
    },

    async firstMessage(times) {
      for (let i = 0; i < times; i += 1) {
        const own = await wsconnect({ servers: url });
        const messages = await (await jetstream(own).consumers.get(stream, GROUP)).fetch({ max_messages: 1, expires: 5000 });
        for await (const message of messages) message.ack();
        await own.close();
      }
    },

    async consume(count, ack) {
      let seen = 0;
      const messages = await group.consume({ max_messages: ack ? 500 : 2000 });
      for await (const message of messages) {
        if (message.data.length !== PAYLOAD) throw new Error('a message arrived with another length');
        if (ack) message.ack();
        seen += 1;
        if (seen === count) break;
      }
      await link.flush();
    },

    // There is no prefetch to ask for; the row that has one compares with the same loop.
    async fetch(count) {
      for (let seen = 0; seen < count;) {
        const batch = await group.fetch({ max_messages: 10, expires: 5000 });
        for await (const message of batch) {
          if (message.data.length !== PAYLOAD) throw new Error('a message arrived with another length');
          message.ack();
          seen += 1;
        }
      }
      await link.flush();
    },

    async publishAll(count) {
      const channel = `${stream}.live`;
      for (let i = 0; i < count; i += 1) link.publish(channel, payload);
      await link.flush();
    },

    async requests(count, width) {
      const channel = `${stream}.ask`;
      const worker = await wsconnect({ servers: url });
      worker.subscribe(channel, { callback: (_, request) => request.respond(request.data) });
      await worker.flush();
      await lanes(count, width, async () => {
        const reply = await link.request(channel, payload, { timeout: 5000 });
        if (reply.data.length !== PAYLOAD) throw new Error('an answer came with another length');
      });
      await worker.close();
    },

    close: () => link.close(),
  };
}
