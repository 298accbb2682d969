// The packed tarball, installed as a user would, in every runtime and bundler the README names.
//
//   node tests/package/run.mjs [--only TEXT] [--tarball FILE] [--keep]
//
// Prints a row a case and ends with "N passed, N failed".

import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openPage } from '../../scripts/lib/browser.mjs';
import { startNats } from '../../scripts/lib/servers.mjs';
import { root } from '../../scripts/lib/tools.mjs';
import { keyCases, startOperated } from './cases/keys.mjs';
import { moduleCases } from './cases/module.mjs';
import { pageCases } from './cases/pages.mjs';
import { runtimeCases } from './cases/runtimes.mjs';
import { startSecure, tcpCases } from './cases/tcp.mjs';
import { workerdCases } from './cases/workerd.mjs';
import { install, tarball } from './install.mjs';

/** As many cases at a time; each is one or two processes. */
const AT_ONCE = 3;

const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' }, tarball: { type: 'string' }, keep: { type: 'boolean', default: false } } });

const dir = await mkdtemp(join(tmpdir(), 'stationmaster-package-'));
const template = join(dir, 'template');
await install(await tarball(options.tarball), template);
await cp(join(root, 'tests', 'package', 'fixtures'), template, { recursive: true });
const nats = await startNats();
const secure = await startSecure(dir);
const operated = await startOperated();
// Miniflare hands these on to workerd.
process.env.NODE_EXTRA_CA_CERTS = secure.files.ca;
const browser = await openPage();
let number = 0;
const ctx = {
  nats,
  secure,
  operated,
  context: browser.context,
  /** A fresh folder with the package installed and the fixtures beside it. */
  async project(name) {
    const home = join(dir, `${++number}-${name.replace(/[^a-z0-9]+/gi, '-')}`);
    await cp(template, home, { recursive: true });
    return home;
  },
  stationName: (name) => `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}`,
};

const cases = [...moduleCases(ctx), ...runtimeCases(ctx), ...pageCases(ctx), ...workerdCases(ctx), ...tcpCases(ctx), ...keyCases(ctx)].filter(({ name }) => name.includes(options.only));
let passed = 0;
const failures = [];
try {
  const queue = [...cases];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await one(next);
  }));
} finally {
  await browser.close();
  await nats.stop();
  await secure.stop();
  await operated.stop();
  if (options.keep) console.log(`kept: ${dir}`);
  else await rm(dir, { recursive: true, force: true, maxRetries: 5 });
}
for (const { name, error } of failures) console.log(`\nFAILED ${name}\n${String(error?.stack ?? error)}`);
console.log(`${passed} passed, ${failures.length} failed`);
// Bundlers and browsers may leave handles behind, and the figures are in.
process.exit(failures.length > 0 || passed === 0 ? 1 : 0);

async function one({ name, run }) {
  const start = performance.now();
  const took = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
  try {
    const report = await run();
    passed++;
    console.log(`ok      ${name.padEnd(62)}${took().padStart(7)}  ${summary(report)}`);
  } catch (error) {
    failures.push({ name, error });
    console.log(`FAILED  ${name.padEnd(62)}${took().padStart(7)}`);
  }
}

function summary(report) {
  if (report.detail) return report.detail;
  return ['memory', 'nats'].filter((broker) => report[broker]).map((broker) => `${broker} ${report[broker].produced}/${report[broker].fetched}/${report[broker].consumed}`).join(', ');
}
