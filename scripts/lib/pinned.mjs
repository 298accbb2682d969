// A Node without a WebSocket (20) can be neither a client, nor what stands in for a page or a server with clients: a program that
// imports this before anything else goes on in the pinned one.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { programs } from './tools.mjs';

if (typeof WebSocket !== 'function') {
  if (!existsSync(programs.node)) throw new Error('this Node has no WebSocket and the pinned one is missing: run make setup');
  const { status, error } = spawnSync(programs.node, process.argv.slice(1), { stdio: 'inherit' });
  if (error) throw error;
  process.exit(status ?? 1);
}
