// Cloudflare's workerd through miniflare: produce from requests, consume in a Durable Object.

import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { tool } from '../../../scripts/lib/tools.mjs';

/** Late enough that WebSockets of the platform deliver Blobs unless told otherwise. */
const COMPATIBILITY_DATE = '2026-04-01';

/** @param {any} ctx */
export function workerdCases(ctx) {
  const inWorkerd = (name, work) => ({
    name,
    async run() {
      const dir = await ctx.project(name);
      const worker = await start(dir, ctx.nats.url);
      try {
        return await work(worker, ctx.stationName(name));
      } finally {
        await worker.dispose();
      }
    },
  });
  return [
    inWorkerd('workerd: tcp and tls', async (worker, station) => {
      const { urls, refused } = ctx.secure;
      return ask(worker, '/tcp', { station, urls: [ctx.nats.tcp, ...urls], refused });
    }),
    inWorkerd('workerd: socket with connect() of the platform', async (worker, station) => ask(worker, '/socket', { station, urls: [ctx.nats.tcp, ctx.secure.urls[0]] })),
    inWorkerd('a .creds file, and frames: workerd', async (worker, station) => ask(worker, '/keys', { station, ...ctx.operated })),
    inWorkerd('workerd: the journey in a request', async (worker, station) => ask(worker, '/journey', { station })),
    inWorkerd('workerd: produce from requests, consume in a Durable Object', async (worker, station) => {
      const first = await Promise.all(range(0, 8).map((n) => ask(worker, '/produce', { station, text: `m${n}` })));
      const one = await ask(worker, '/object', { station, wanted: 8 });
      await Promise.all(range(8, 12).map((n) => ask(worker, '/produce', { station, text: `m${n}` })));
      // A second request to the same object: it goes on with the connection that the first one opened.
      const two = await ask(worker, '/object', { station, wanted: 4 });
      const sequences = new Set(first.map(({ receipt }) => receipt.sequence));
      if (sequences.size !== 8) throw new Error(`eight sequences, not ${[...sequences]}`);
      const seen = [one.texts.toSorted(), two.texts.toSorted()];
      const wanted = [range(0, 8).map((n) => `m${n}`), range(8, 12).map((n) => `m${n}`).toSorted()];
      if (JSON.stringify(seen) !== JSON.stringify(wanted)) throw new Error(`the object saw ${JSON.stringify(seen)}`);
      return { produced: 12, consumed: 12 };
    }),
  ];
}

const range = (from, to) => Array.from({ length: to - from }, (_, n) => from + n);

/** As wrangler does it: esbuild with its conditions, the wasm as a module of its own. */
async function start(dir, url) {
  const { build } = await tool('esbuild');
  await build({
    entryPoints: [join(dir, 'workerd.js')], absWorkingDir: dir, bundle: true, format: 'esm', outdir: join(dir, 'dist'), conditions: ['workerd', 'worker', 'browser'],
    loader: { '.wasm': 'copy' }, external: ['cloudflare:*'], logLevel: 'silent',
  });
  const wasm = (await readdir(join(dir, 'dist'))).filter((name) => name.endsWith('.wasm'));
  if (!wasm.some((name) => name.startsWith('stationmaster_bg'))) throw new Error(`the wasm beside the worker, not ${wasm}`);
  const { Miniflare } = await tool('miniflare');
  const worker = new Miniflare({
    cf: false, compatibilityDate: COMPATIBILITY_DATE, scriptPath: join(dir, 'dist', 'workerd.js'), modules: true, modulesRoot: join(dir, 'dist'),
    modulesRules: [{ type: 'ESModule', include: ['**/*.js'] }, { type: 'CompiledWasm', include: ['**/*.wasm'] }],
    bindings: { NATS_URL: url }, durableObjects: { COLLECTOR: 'Collector' },
  });
  await worker.ready;
  return worker;
}

async function ask(worker, path, body) {
  const response = await worker.dispatchFetch(`http://worker${path}`, { method: 'POST', body: JSON.stringify(body) });
  const report = await response.json();
  if (!report.ok) throw new Error(report.error);
  return report;
}
