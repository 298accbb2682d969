// Logging in with a key, and looking at frames: both load parts of their own, in every runtime with a command line and in workerd.

import { startNats } from '../../../scripts/lib/servers.mjs';
import { programs } from '../../../scripts/lib/tools.mjs';
import { newOperator } from '../../contract/access/keys.mjs';
import { run } from './runtimes.mjs';

/** A server in operator mode, and the text of a .creds file for it. */
export async function startOperated() {
  const operator = await newOperator();
  const [server, { creds }] = [await startNats({ extra: operator.lines }), await operator.user()];
  return { url: server.url, creds, stop: server.stop };
}

/** @param {any} ctx */
export function keyCases(ctx) {
  const inside = (runtime, start) => ({
    name: `a .creds file, and frames: ${runtime}`,
    async run() {
      const dir = await ctx.project(`keys ${runtime}`);
      const { url, creds } = ctx.operated;
      return start(dir, 'keys.mjs', JSON.stringify({ url, creds, station: ctx.stationName(`keys ${runtime}`) }));
    },
  });
  return [
    inside('node 26', (dir, file, config) => run(programs.node, [file, config], dir)),
    inside('node 22', (dir, file, config) => run(programs.node22, [file, config], dir)),
    inside('deno', (dir, file, config) => run(programs.deno, ['run', '--no-prompt', '--allow-net=127.0.0.1', '--no-lock', '--node-modules-dir=manual', file, config], dir)),
    inside('bun', (dir, file, config) => run(programs.bun, [file, config], dir)),
  ];
}
