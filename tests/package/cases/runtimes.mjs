// Node, Deno and Bun: the packed tarball from the command line of each.

import { spawn } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { modules, programs } from '../../../scripts/lib/tools.mjs';

/** A process that has not ended by itself by then holds something it should have let go. */
const LIMIT_MS = 60_000;

/** @param {any} ctx */
export function runtimeCases(ctx) {
  const node = (program, more = []) => (dir, file, config) => run(program, [...more, file, config], dir);
  const journeys = [
    ['node 26', node(programs.node)],
    ['node 22', node(programs.node22)],
    ['deno', (dir, file, config) => run(programs.deno, ['run', '--no-prompt', '--allow-net=127.0.0.1', '--no-lock', '--node-modules-dir=manual', file, config], dir)],
    ['bun', (dir, file, config) => run(programs.bun, [file, config], dir)],
  ];
  const simple = (name, file, start, config) => ({
    name,
    async run() {
      const dir = await ctx.project(name);
      return start(dir, file, JSON.stringify(config?.() ?? { url: ctx.nats.url, station: ctx.stationName(name) }));
    },
  });
  return [
    ...journeys.map(([name, start]) => simple(name, 'main.mjs', start)),
    {
      name: 'node 20 without a WebSocket',
      async run() {
        if (!process.version.startsWith('v20.')) return { detail: `the machine's Node is ${process.version}: node 22 and 26 stand for it` };
        const dir = await ctx.project('node20');
        await symlink(join(modules, 'ws'), join(dir, 'node_modules', 'ws'));
        return run(programs.hostNode, ['without-websocket.mjs', JSON.stringify({ url: ctx.nats.url, station: ctx.stationName('node20') })], dir);
      },
    },
    simple('require() in node 22', 'require.cjs', node(programs.node22)),
    simple('a trap leaves nothing hanging', 'trap.mjs', node(programs.node)),
    simple('calls before their code is there are as later ones', 'early.mjs', node(programs.node)),
    simple('importing does nothing: node entry', 'imports.mjs', node(programs.node), () => ({ specifier: 'stationmaster' })),
    simple('importing does nothing: browser entry', 'imports.mjs', node(programs.node), () => ({ specifier: './node_modules/stationmaster/index.js' })),
    simple('importing does nothing: bun', 'imports.mjs', (dir, file, config) => run(programs.bun, [file, config], dir), () => ({ specifier: 'stationmaster' })),
  ];
}

/** Runs a program that prints one line of JSON and ends. @param {string} program @param {string[]} args @param {string} cwd @param {Record<string, string>} [env] */
export function run(program, args, cwd, env = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS, killSignal: 'SIGKILL' });
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => { out += chunk; });
    child.stderr.on('data', (chunk) => { err += chunk; });
    child.once('error', reject);
    child.once('close', (code, signal) => {
      let report;
      try {
        report = JSON.parse(out.trim().split('\n').at(-1));
      } catch {
        report = undefined;
      }
      if (report?.ok && code === 0) resolve(report);
      else if (signal) reject(new Error(`did not end by itself within ${LIMIT_MS} ms\n${out}${err}`));
      else reject(new Error(report?.error ?? `exit code ${code}\n${out}${err}`));
    });
  });
}
