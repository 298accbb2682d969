// Rights of live messages and questions.

import { topic } from '../kit/rows.mjs';
import { server } from './helpers.mjs';

const row = topic('rights of live messages', 8);

/** A page that may send to and listen on "open.>" only. */
async function page(t) {
  const { url } = await server(t, { extra: `authorization { timeout: 10, users: [
    { user: "owner", password: "s3cret" },
    { user: "page", password: "s3cret", permissions: { publish: { allow: ["open.>", "_INBOX.>"] }, subscribe: { allow: ["open.>", "_INBOX.>"] } } }
  ] }` });
  return { url, connection: await t.connect({ url, username: 'page', password: 's3cret' }) };
}

row('a subscription that is not allowed is permission_denied, with the channel; the others live on', async (t) => {
  const { connection } = await page(t);
  const good = await connection.subscribe('open.a');
  await t.rejects(t.within(8000, connection.subscribe('secret.a'), 'subscribe()'), 'permission_denied', { says: 'secret.a' });
  await t.rejects(t.within(8000, connection.subscribe('secret.>', { group: 'g' }), 'subscribe()'), 'permission_denied', { says: 'secret.>' });
  await t.rejects(t.within(8000, connection.respond('secret.a', () => {}), 'respond()'), 'permission_denied', { says: 'secret.a' });
  t.equal(connection.isConnected(), true, 'isConnected()');
  await connection.publish('open.a', 'x');
  t.equal((await t.within(5000, good[Symbol.asyncIterator]().next(), 'next()')).value.text(), 'x', 'message');
});

row('a question that is not allowed is permission_denied, with the channel, and not delivered', async (t) => {
  const { connection } = await page(t);
  await t.rejects(t.within(8000, connection.request('secret.a', 'x'), 'request()'), 'permission_denied', { says: 'secret.a', maybeDelivered: false });
  await t.rejects(() => connection.request('open.a', 'x'), 'timeout', { retryable: true });
});

row('what is published where it is not allowed shows in status()', async (t) => {
  const { connection } = await page(t);
  const failed = (async () => {
    let messages = 0;
    for await (const status of connection.status()) {
      if (status.type !== 'produce_failed') continue;
      messages += status.messages;
      if (messages === 3) return status;
    }
    return undefined;
  })();
  for (let index = 0; index < 3; index += 1) await connection.publish('secret.a', 'x');
  const status = await t.within(8000, failed, 'the status');
  t.equal(status.station, 'secret.a', 'station');
  t.checkError(status.error, 'permission_denied', { says: 'secret.a' });
  t.equal(connection.isConnected(), true, 'isConnected()');
});
