// The packed tarball, installed as a user would, in every runtime and bundler the README names.
//
//   node tests/package/run.mjs [--only TEXT] [--tarball FILE] [--keep]
//
// Prints a row a case and ends with "N passed, N failed".

import { execFileSync } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openPage } from '../../scripts/lib/browser.mjs';
import { startNats } from '../../scripts/lib/servers.mjs';
import { root } from '../../scripts/lib/tools.mjs';
import { pageCases } from './cases/pages.mjs';
import { runtimeCases } from './cases/runtimes.mjs';
import { workerdCases } from './cases/workerd.mjs';

/** As many cases at a time; each is one or two processes. */
const AT_ONCE = 3;

const { values: options } = parseArgs({ options: { only: { type: 'string', default: '' }, tarball: { type: 'string' }, keep: { type: 'boolean', default: false } } });

const dir = await mkdtemp(join(tmpdir(), 'stationmaster-package-'));
const template = await install(await tarball());
const nats = await startNats();
const browser = await openPage();
let number = 0;
const ctx = {
  nats,
  context: browser.context,
  /** A fresh folder with the package installed and the fixtures beside it. */
  async project(name) {
    const home = join(dir, `${++number}-${name.replace(/[^a-z0-9]+/gi, '-')}`);
    await cp(template, home, { recursive: true });
    return home;
  },
  stationName: (name) => `${name.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '')}`,
};

const cases = [...runtimeCases(ctx), ...pageCases(ctx), ...workerdCases(ctx)].filter(({ name }) => name.includes(options.only));
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

/** The tarball given, or a fresh one from what is built. */
async function tarball() {
  if (options.tarball) return resolve(options.tarball);
  execFileSync(process.execPath, [join(root, 'scripts', 'pack.mjs')], { stdio: ['ignore', 'inherit', 'inherit'] });
  const found = (await readdir(root)).filter((name) => /^stationmaster-.*\.tgz$/.test(name));
  if (found.length !== 1) throw new Error(`one tarball expected, not ${found}`);
  return join(root, found[0]);
}

/** A project with the package from the file, by npm without a network, and nothing else. */
async function install(file) {
  const home = join(dir, 'template');
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', file], { cwd: home, stdio: ['ignore', 'ignore', 'inherit'] });
  const installed = (await readdir(join(home, 'node_modules'))).filter((name) => !name.startsWith('.'));
  if (installed.join() !== 'stationmaster') throw new Error(`the package brought along ${installed}`);
  await cp(join(root, 'tests', 'package', 'fixtures'), home, { recursive: true });
  return home;
}
