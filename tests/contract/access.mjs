// Who may do what, on real servers: passwords, keys, JWTs that expire, narrow rights, domains. And what is seen of it:
// frames, log entries and errors, in which no secret may stand.
//
//   node tests/contract/access.mjs --runtime node|chromium [--only TEXT]

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { freePorts, startNats } from '../../scripts/lib/servers.mjs';
import { newKey, newOperator } from './access/keys.mjs';
import { options, run } from './host.mjs';

const values = options();
const servers = [];
/** Private halves of operators stay here. */
const operators = [];

const control = {
  async start(given) {
    const server = await startNats(given);
    return { id: servers.push(server) - 1, url: server.url, tcp: server.tcp };
  },
  reconfigure: (id, given) => servers[id].reconfigure(given),
  restart: (id) => servers[id].restart(),
  stop: async (id) => {
    const server = servers[id];
    servers[id] = undefined;
    await server?.stop();
  },
  port: async () => (await freePorts(1))[0],
  key: (kind) => newKey(kind),
  async operator() {
    const operator = await newOperator();
    return { operator: operators.push(operator) - 1, lines: operator.lines, accountJwt: operator.accountJwt };
  },
  /** Whether a text stands anywhere in the wasm's memory; undefined where the package runs in a page. */
  async holds(text) {
    if (values.runtime !== 'node') return undefined;
    const { wasmMemory } = await import(pathToFileURL(join(values.package, 'wasm', 'stationmaster.js')).href);
    return Buffer.from(wasmMemory().buffer).includes(text);
  },
  revoke: (operator, key) => operators[operator].revoke(key),
  user: (operator, given) => operators[operator].user(given),
};

const base = await startNats();
await run(values, [{ rows: 'access/index.mjs', broker: 'nats', url: base.url, quick: 4, waiting: 4 }], {
  control,
  after: async () => { await Promise.all([base, ...servers].map((server) => server?.stop())); },
});
