// Another client on the same server, for rows about what others made: @nats-io's, outside of the page under test.

import { tool } from '../../scripts/lib/tools.mjs';

/**
 * `control` has, for rows:
 * - api(subject, body): one question to the JetStream API; its answer, errors included
 * - publish(subject, text, headers): a message into a stream, by @nats-io/jetstream; its receipt
 * - term(stream, group, reason): the group's next message, given up by @nats-io/jetstream; its text
 * - take(stream, group, count): the group's next messages, taken by @nats-io/jetstream and left alone; their texts
 * - read(stream, count): so many messages as @nats-io/jetstream reads them, from the first on
 * @param {string} url
 */
export function jetstream(url) {
  /** @type {Promise<any> | undefined} */
  let connecting;
  const connection = () => (connecting ??= tool('@nats-io/nats-core').then(({ wsconnect }) => wsconnect({ servers: url, reconnect: false })));
  const client = async () => (await tool('@nats-io/jetstream')).jetstream(await connection());
  const control = {
    async api(subject, body) {
      const answer = await (await connection()).request(`$JS.API.${subject}`, body === undefined ? '' : JSON.stringify(body), { timeout: 5000 });
      return answer.json();
    },
    async publish(subject, text, given = {}) {
      const { headers } = await tool('@nats-io/nats-core');
      const list = headers();
      for (const [name, value] of Object.entries(given)) list.set(name, value);
      const { stream, seq, duplicate } = await (await client()).publish(subject, text, { headers: list });
      return { stream, seq, duplicate };
    },
    async term(stream, group, reason) {
      const consumer = await (await client()).consumers.get(stream, group);
      const message = await consumer.next({ expires: 2000 });
      message?.term(reason);
      await (await connection()).flush();
      return message?.string();
    },
    async take(stream, group, count) {
      const consumer = await (await client()).consumers.get(stream, group);
      const texts = [];
      for await (const message of await consumer.fetch({ max_messages: count, expires: 2000 })) texts.push(message.string());
      return texts;
    },
    async read(stream, count) {
      const consumer = await (await client()).consumers.get(stream);
      const messages = [];
      for await (const message of await consumer.fetch({ max_messages: count, expires: 2000 })) {
        const headers = Object.fromEntries([...(message.headers ?? [])].map(([name, [value]]) => [name, value]));
        messages.push({ subject: message.subject, seq: message.seq, text: message.string(), headers });
      }
      return messages;
    },
  };
  return { control, close: async () => (await connecting?.catch(() => undefined))?.close() };
}
