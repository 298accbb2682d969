// What the link owes when servers die: single servers killed, restarted and frozen, and a cluster that loses its leader.
//
//   node tests/contract/cluster.mjs --runtime node|chromium [--only TEXT]
//
// Every row has servers of its own.

import { readFileSync, readdirSync } from 'node:fs';
import { startNats } from '../../scripts/lib/servers.mjs';
import { until } from '../../scripts/lib/until.mjs';
import { newKey, newOperator } from './access/keys.mjs';
import { bucket } from './bucket.mjs';
import { options, run } from './host.mjs';

const values = options();

/** Servers of the rows, by the number a row knows them by: a page cannot hold them. */
const servers = [];
/** Private halves of operators stay here. */
const operators = [];

const control = {
  async start(given) {
    const server = await startNats(given);
    const { url, urls, tcpUrls, names } = server;
    return { id: servers.push(server) - 1, url, urls, tcpUrls, names };
  },
  async kill(id, node) {
    // At once, and without waking a server that stands still: it would answer what it was not to answer.
    process.kill(servers[id].pids[node ?? 0], 'SIGKILL');
    await servers[id].kill(node);
  },
  restart: (id, node) => servers[id].restart(node),
  async freeze(id, node) {
    servers[id].freeze(node);
    // The signal is only on its way: the server may answer once more until every thread of it has stopped.
    const tasks = `/proc/${servers[id].pids[node ?? 0]}/task`;
    await until(() => readdirSync(tasks).every((task) => readFileSync(`${tasks}/${task}/stat`, 'utf8').split(') ')[1].startsWith('T')), { what: 'the server stands still' });
  },
  thaw: (id, node) => servers[id].thaw(node),
  lameDuck: (id, node) => servers[id].lameDuck(node),
  stop: async (id) => {
    const server = servers[id];
    servers[id] = undefined;
    await server?.stop();
  },
  key: () => newKey(),
  async operator() {
    const operator = await newOperator();
    return { operator: operators.push(operator) - 1, lines: operator.lines };
  },
  user: (operator, given) => operators[operator].user(given),
  /** Which node leads the station's stream, or the group on it; undefined while nobody does. */
  async leader(id, station, group) {
    const { monitors, names } = servers[id];
    for (const monitor of monitors) {
      const answer = await fetch(`${monitor}/jsz?streams=true&consumers=true`).then((reply) => reply.json(), () => undefined);
      for (const account of answer?.account_details ?? []) {
        const stream = account.stream_detail?.find((each) => each.name === station);
        const found = group ? stream?.consumer_detail?.find((each) => each.name === group) : stream;
        const index = names.indexOf(found?.cluster?.leader);
        if (index >= 0) return { index };
      }
    }
    return undefined;
  },
};

const base = await startNats();
const beside = bucket(base.url);
// Two clusters at a time: three nodes that elect a leader mostly wait, but want to be heard in time.
await run(values, [{ rows: 'link/index.mjs', broker: 'nats', url: base.url, quick: 2, waiting: 6 }], {
  control: { ...beside.control, ...control },
  after: async () => { await beside.close(); await Promise.all([base, ...servers].map((server) => server?.stop())); },
});
