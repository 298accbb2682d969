// Live messages and questions between the package and nats.js, in both directions: the other client runs here, the package in
// Node or in a page.
//
//   node tests/contract/interop.mjs --runtime node|chromium [--only TEXT]

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { modules } from '../../scripts/lib/tools.mjs';
import { startNats } from '../../scripts/lib/servers.mjs';
import { options, run } from './host.mjs';

const values = options();

const { headers, wsconnect } = createRequire(join(modules, 'x.js'))('@nats-io/nats-core');
const server = await startNats();
const peer = await wsconnect({ servers: server.url });

/** What the other client heard, by subscription. */
const ears = [];
const decoder = new TextDecoder();
const seen = (message) => ({
  subject: message.subject,
  data: Array.from(message.data),
  headers: Object.fromEntries((message.headers?.keys() ?? []).map((name) => [name, message.headers.get(name)])),
});
const block = (given) => {
  if (!given) return undefined;
  const list = headers();
  for (const [name, value] of Object.entries(given)) list.set(name, value);
  return list;
};

const control = {
  publish: async (subject, text, given) => {
    peer.publish(subject, text, { headers: block(given) });
    await peer.flush();
  },
  subscribe: async (subject, queue) => {
    const heard = [];
    peer.subscribe(subject, { queue, callback: (_, message) => heard.push(seen(message)) });
    await peer.flush();
    return ears.push(heard) - 1;
  },
  heard: async (ear) => ears[ear],
  request: async (subject, text, given) => seen(await peer.request(subject, text, { timeout: 5000, headers: block(given) })),
  /** Answers each question with `answers`, one after the other; with headers where an answer has some. */
  respond: async (subject, answers, queue) => {
    peer.subscribe(subject, {
      queue,
      callback: (_, message) => {
        for (const { text, headers: given } of answers) message.respond(text.replace('{}', decoder.decode(message.data)), { headers: block(given) });
      },
    });
    await peer.flush();
  },
};
await run(values, [{ rows: 'interop/index.mjs', broker: 'nats', url: server.url }], {
  control,
  after: async () => {
    await peer.close();
    await server.stop();
  },
});
