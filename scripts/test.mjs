// `make test`: every stage with its time beside its budget, side by side where one waits and another computes. What a stage
// says is kept in .tools/logs/test-NAME.log and shown when it fails. The last line is "N passed, N failed".
//
//   node scripts/test.mjs [STAGE...]     only the stages whose names contain one of these words; "build" runs before

import { execFileSync, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { environment, programs, root, tools } from './lib/tools.mjs';

const { version } = JSON.parse(await readFile(join(root, 'pkg', 'package.json'), 'utf8'));

/** A stage that takes this many times its budget hangs. */
const PATIENCE = 8;
/** How much of a failed stage is shown. */
const SHOWN_LINES = 60;

const packed = join(tools, 'packed', 'package');
const node = (script, ...args) => [process.execPath, join(root, script), ...args];
const contract = (program, ...args) => node(`tests/contract/${program}.mjs`, '--package', packed, '--quiet', ...args);

/**
 * Cargo's stages wait for each other's lock on the build folder, so they stand in one lane. The others begin once there is
 * a tarball, the long ones first. Budgets are seconds with the tools installed and everything to compile.
 */
const cargoStages = [
  { name: 'rust', budget: 150, command: ['cargo', 'test', '--no-fail-fast'] },
  { name: 'wasm in chromium', budget: 90, command: ['wasm-pack', 'test', '--headless', '--chrome', '--chromedriver', programs.chromedriver, '--mode', 'no-install', join(root, 'tests', 'browser')], env: { CARGO_TARGET_DIR: process.env.CARGO_TARGET_DIR ?? join(root, 'target') } },
  { name: 'lint', budget: 90, command: [join(root, 'scripts', 'lint.sh')] },
];
const packageStages = [
  { name: 'contract nats chromium', budget: 120, command: contract('run', '--broker', 'nats', '--runtime', 'chromium') },
  { name: 'contract nats node', budget: 120, command: contract('run', '--broker', 'nats', '--runtime', 'node') },
  { name: 'contract nats 2.10 node', budget: 120, command: contract('run', '--broker', 'nats', '--server', '2.10', '--runtime', 'node') },
  { name: 'contract memphis chromium', budget: 120, command: contract('run', '--broker', 'memphis', '--runtime', 'chromium') },
  { name: 'contract memphis node', budget: 120, command: contract('run', '--broker', 'memphis', '--runtime', 'node') },
  { name: 'contract memory real clock', budget: 90, command: contract('run', '--broker', 'memory', '--runtime', 'node', '--real-clock') },
  { name: 'cluster node', budget: 90, command: contract('cluster', '--runtime', 'node') },
  { name: 'cluster chromium', budget: 90, command: contract('cluster', '--runtime', 'chromium') },
  { name: 'contract memory node', budget: 20, command: contract('run', '--broker', 'memory', '--runtime', 'node') },
  { name: 'contract memory chromium', budget: 30, command: contract('run', '--broker', 'memory', '--runtime', 'chromium') },
  { name: 'interop node', budget: 20, command: contract('interop', '--runtime', 'node') },
  { name: 'interop chromium', budget: 30, command: contract('interop', '--runtime', 'chromium') },
  { name: 'bad servers node', budget: 45, command: contract('garbage', '--runtime', 'node') },
  { name: 'bad servers chromium', budget: 45, command: contract('garbage', '--runtime', 'chromium') },
  { name: 'access node', budget: 30, command: contract('access', '--runtime', 'node') },
  { name: 'access chromium', budget: 30, command: contract('access', '--runtime', 'chromium') },
  { name: 'typings', budget: 45, command: node('tests/package/typings.mjs', '--tarball', tarball()) },
  { name: 'console', budget: 60, command: node('tests/console/run.mjs', packed) },
  { name: 'demo', budget: 30, command: node('scripts/demo.mjs'), env: { CI: '1' }, count: countDemo },
  { name: 'schemas node', budget: 15, command: node('tests/schemas/run.mjs', '--package', packed, '--quiet', '--runtime', 'node') },
  { name: 'schemas chromium', budget: 20, command: node('tests/schemas/run.mjs', '--package', packed, '--quiet', '--runtime', 'chromium') },
  { name: 'samples', budget: 30, command: node('tests/samples/run.mjs', '--package', packed) },
  { name: 'stand-in of memphis', budget: 30, command: node('tests/stand-in/memphis/check.mjs') },
  { name: 'parts', budget: 10, command: node('tests/parts/run.mjs') },
  { name: 'parts rust', budget: 30, command: ['cargo', 'test', '--locked', '--manifest-path', join(root, 'tools', 'parts', 'Cargo.toml'), '--target-dir', join(root, 'target', 'tools')] },
  { name: 'size', budget: 10, command: node('scripts/size.mjs', '--growth') },
];
/** Bundlers, browsers and runtimes by the dozen, with the time limits that users have: nothing runs beside them. */
const aloneStages = [
  { name: 'package', budget: 60, command: node('tests/package/run.mjs', '--tarball', tarball()) },
];
/** Two cores: one lane compiles, this many of the others mostly wait for servers and clocks. */
const LANES = 2;

const wanted = process.argv.slice(2);
const chosen = (stages) => (wanted.length === 0 ? stages : stages.filter(({ name }) => wanted.some((word) => name.includes(word))));
const begin = performance.now();
const results = [];
await mkdir(join(tools, 'logs'), { recursive: true });

const built = await stage({ name: 'build', budget: 90, command: [join(root, 'scripts', 'build.sh')], count: () => ({ passed: 1, failed: 0 }) });
const lanes = [lane(chosen(cargoStages))];
if (built && await stage({ name: 'pack', budget: 5, command: node('scripts/pack.mjs'), count: unpack })) {
  const queue = chosen(packageStages);
  for (let i = 0; i < LANES; i++) lanes.push(lane(queue));
  await Promise.all(lanes);
  await lane(chosen(aloneStages));
} else {
  // Nothing to test them with, but they must not look as if they had passed.
  for (const { name } of chosen([...packageStages, ...aloneStages])) results.push({ name, passed: 0, failed: 1, seconds: 0 });
}
await Promise.all(lanes);

const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
const seconds = (performance.now() - begin) / 1000;
console.log(`${'all stages'.padEnd(30)}${seconds.toFixed(0).padStart(6)} s`);
for (const { name, failed } of results) if (failed > 0) console.log(`failed: ${name} (${failed}), .tools/logs/${logName(name)}`);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exit(total('failed') > 0 ? 1 : 0);

/** Takes stages from the queue until it is empty; several lanes may share one. */
async function lane(queue) {
  for (let next = queue.shift(); next; next = queue.shift()) await stage(next);
}

/** Runs one stage and reports it; true when nothing in it failed. */
async function stage({ name, budget, command, env = {}, count = countRows }) {
  const start = performance.now();
  const { code, text, late } = await run(name, command, env, budget * PATIENCE * 1000);
  let counts;
  try {
    counts = await count(text, code);
  } catch (error) {
    counts = { passed: 0, failed: 1, note: String(error?.message ?? error) };
  }
  // A stage that ended badly, or tested nothing, has failed whatever it printed.
  if ((code !== 0 || counts.passed === 0) && counts.failed === 0) counts.failed = 1;
  const seconds = (performance.now() - start) / 1000;
  results.push({ name, seconds, passed: counts.passed, failed: counts.failed });
  const verdict = counts.failed > 0 ? 'FAILED' : 'ok';
  console.log(`${name.padEnd(30)}${seconds.toFixed(0).padStart(6)} s of ${String(budget).padStart(4)} s  ${String(counts.passed).padStart(5)} passed ${String(counts.failed).padStart(4)} failed  ${verdict}${late ? ' (stopped: it hangs)' : ''}${counts.note ? `  ${counts.note}` : ''}`);
  if (counts.failed > 0) console.log(text.trimEnd().split('\n').slice(-SHOWN_LINES).map((line) => `    ${line}`).join('\n'));
  return counts.failed === 0;
}

/** @returns {Promise<{ code: number | null, text: string, late: boolean }>} */
function run(name, [program, ...args], env, limit) {
  return new Promise((resolve) => {
    const log = createWriteStream(join(tools, 'logs', logName(name)));
    // A group of its own, so that a stage that hangs goes with everything it started.
    const child = spawn(program, args, { cwd: root, env: environment({ CHROMEDRIVER: programs.chromedriver, ...env }), stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let text = '';
    let late = false;
    const take = (chunk) => { text += chunk; log.write(chunk); };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const timer = setTimeout(() => { late = true; end(child); }, limit);
    const stop = () => end(child);
    process.once('exit', stop);
    const done = (code) => {
      clearTimeout(timer);
      process.removeListener('exit', stop);
      log.end(() => resolve({ code, text, late }));
    };
    child.once('error', (error) => { take(`${error}\n`); done(127); });
    child.once('close', done);
  });
}

function end(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

/** Ctrl-C must not leave servers and browsers behind. */
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

function logName(name) {
  return `test-${name.replaceAll(' ', '-')}.log`;
}

/** Sums cargo's "test result" lines, or takes the last "N passed, N failed". */
function countRows(text) {
  const cargo = [...text.matchAll(/test result: \w+\. (\d+) passed; (\d+) failed/g)];
  const own = [...text.matchAll(/^(\d+) passed, (\d+) failed$/gm)].slice(-1);
  const found = cargo.length > 0 ? cargo : own;
  if (found.length === 0) throw new Error('it printed no counts');
  return found.reduce((sum, [, passed, failed]) => ({ passed: sum.passed + Number(passed), failed: sum.failed + Number(failed) }), { passed: 0, failed: 0 });
}

/** The demo's last line is its promise: as many consumed as produced. */
function countDemo(text) {
  const line = text.trimEnd().split('\n').at(-1) ?? '';
  const good = /^demo: 10000 produced, 10000 consumed, 0 lost, 0 duplicated, \d+\.\d s, nats-server \d+\.\d+\.\d+, Chromium \d+$/.test(line);
  return { passed: good ? 1 : 0, failed: good ? 0 : 1, note: line };
}

/** The stages test what is shipped: the tarball, unpacked. */
async function unpack() {
  const folder = join(tools, 'packed');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  execFileSync('tar', ['-xzf', tarball(), '-C', folder]);
  if (!existsSync(join(packed, 'package.json'))) throw new Error('the tarball has no package/package.json');
  return { passed: 1, failed: 0, note: `${(await readdir(packed)).length} entries` };
}

function tarball() {
  return join(root, `stationmaster-${version}.tgz`);
}
