// Servers that send garbage, half a line, a length of 2 GB or nothing, refuse, or lack what a station needs: each must end
// in its typed error within its deadline.
//
//   node tests/contract/garbage.mjs --runtime node|chromium [--only TEXT]

import { startNats } from '../../scripts/lib/servers.mjs';
import { goBetween, standIn } from './garbage/stand-in.mjs';
import { options, run } from './host.mjs';

const values = options();
const standIns = [];
const servers = [];
let base;

const keep = (server) => ({ id: standIns.push(server) - 1, url: server.url });
const control = {
  standIn: async (given) => keep(await standIn(given)),
  goBetween: async (given) => keep(await goBetween(given)),
  counts: (id) => standIns[id].counts,
  stopStandIn: async (id) => {
    const server = standIns[id];
    standIns[id] = undefined;
    await server?.stop();
  },
  start: async (given) => {
    const server = await startNats(given);
    return { id: servers.push(server) - 1, url: server.url };
  },
  stop: async (id) => {
    const server = servers[id];
    servers[id] = undefined;
    await server?.stop();
  },
  base: () => ({ tcp: base.tcp }),
};

base = await startNats();
const configs = [{ rows: 'garbage/index.mjs', broker: 'nats', url: base.url, quick: 6, waiting: 6 }];
if (values.runtime === 'chromium') configs.push({ rows: 'garbage/secure.mjs', broker: 'memory', secure: true });
await run(values, configs, {
  control,
  after: async () => { await Promise.all([base, ...servers, ...standIns].map((server) => server?.stop())); },
});
