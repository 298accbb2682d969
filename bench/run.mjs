// `make bench`: starts a server, runs the rows in a bare Chromium page, in a Web Worker and in Node, and prints the tables.
//
//   --quick              fewer messages and runs, for a look while working; not for publication
//   --only ID[,ID]       some rows (ids in rows.mjs)
//   --runtime R[,R]      some of chromium, worker, node
//   --who W[,W]          some of ours, peer, raw
//   --count N --runs N   messages a run, runs a row
//   --package DIR        another build of the package than pkg/, to compare two
//   --memory             the memory run instead of the table
//   --messages N         its messages
//   --split              where publish spends its time, instead of the table
//   --write              the table and the memory run, into RESULTS.md beside this file
//
// Ends with 1 when a cell failed. A missed target is shown, not an error: machines differ.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { chromiumVersion, startChromium } from '../scripts/lib/browser.mjs';
import { startNats } from '../scripts/lib/servers.mjs';
import { StandIn } from '../tests/stand-in/memphis/index.mjs';
import { serve } from '../scripts/lib/static.mjs';
import { modules, programs, root, tool } from '../scripts/lib/tools.mjs';
import { BEHIND_HEAD, BEHIND_INTRO, asMarkdown, asText, behindLine, memoryText, runtimeTitle, splitText, summarize, summarizeBehind } from './report.mjs';
import { rows } from './rows.mjs';

const here = join(root, 'bench');
const list = (text) => text.split(',').filter((part) => part !== '');

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    runtime: { type: 'string', default: 'chromium,worker,node' },
    who: { type: 'string', default: 'peer,ours,raw' },
    count: { type: 'string' },
    runs: { type: 'string' },
    package: { type: 'string', default: 'pkg' },
    memory: { type: 'boolean', default: false },
    messages: { type: 'string', default: '1000000' },
    split: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    // Flags for a profiler, given to Node or to Chromium as they are.
    'node-flag': { type: 'string', multiple: true, default: [] },
    'chromium-flag': { type: 'string', multiple: true, default: [] },
  },
});

const packageDir = resolve(root, options.package);
const plan = {
  rows: list(options.only),
  who: list(options.who),
  count: Number(options.count ?? (options.quick ? 20_000 : 60_000)),
  runs: Number(options.runs ?? (options.quick ? 3 : 5)),
  messages: Number(options.messages),
};
const runtimes = list(options.runtime);
const wants = { table: options.write || !(options.memory || options.split), memory: options.write || options.memory };
refuseUnknown(
  '--only',
  plan.rows,
  rows.map(({ id }) => id),
);
refuseUnknown('--runtime', runtimes, ['chromium', 'worker', 'node']);
refuseUnknown('--who', plan.who, ['ours', 'peer', 'raw']);
if (!existsSync(join(packageDir, 'wasm/stationmaster_bg.wasm')) && (wants.memory || plan.who.includes('ours'))) {
  fail('the package is not built: run `make build` first, or leave it out with --who peer,raw');
}

const scratch = await mkdtemp(join(tmpdir(), 'stationmaster-bench-'));
const peerFile = join(scratch, 'peer.js');
const server = await startNats();
// Of Memphis; in this process, which waits while the rows run.
const standIn = rows.some(({ id, behind }) => behind && (plan.rows.length === 0 || plan.rows.includes(id))) ? await StandIn.start() : undefined;
const behind = standIn && { url: standIn.url, server: standIn.server };
let failures = 0;
try {
  await bundlePeer();
  const machine = await machineLine();
  console.log(machine);
  const parts = [];
  for (const runtime of runtimes) {
    const part = [`## ${runtimeTitle(runtime)}`];
    if (wants.table) part.push(tablePart(runtime, await runIn(runtime, 'table')));
    if (wants.memory) part.push(memoryPart(await runIn(runtime, 'memory')));
    if (options.split) console.log(splitText((await runIn(runtime, 'split')).splits));
    parts.push(part.join('\n\n'));
  }
  console.log(`\n${loadLine()}`);
  if (options.write) await writeFile(join(here, 'RESULTS.md'), markdown(machine, parts));
} finally {
  await standIn?.stop();
  await server.stop();
  await rm(scratch, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;

/** Bundled, as an application ships it, and the same file for every runtime. */
async function bundlePeer() {
  const { build } = await tool('esbuild');
  await build({
    entryPoints: [join(here, 'peer-entry.mjs')],
    outfile: peerFile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    nodePaths: [modules],
    logLevel: 'error',
  });
}

async function runIn(runtime, task) {
  const result = { cells: [], splits: [], memory: undefined };
  const started = Date.now();
  console.log(`\n${runtimeTitle(runtime)}: ${task}`);
  const onEntry = (entry) => {
    if (entry.rate !== undefined) {
      result.cells.push(entry);
      console.log(`  ${entry.row.padEnd(15)} ${entry.who.padEnd(5)} run ${entry.run}  ${Math.round(entry.rate).toLocaleString('en-US')} msg/s`);
    } else if (entry.split !== undefined) {
      result.splits.push(entry);
    } else if (entry.memory !== undefined) {
      result.memory = entry.memory;
    } else if (entry.error !== undefined) {
      failures += 1;
      console.error(`  ${entry.row ?? runtime} ${entry.who ?? ''}: ${entry.error}`);
    }
  };
  await (runtime === 'node' ? inNode(task, onEntry) : inChromium(runtime, task, onEntry));
  console.log(`  ${Math.round((Date.now() - started) / 1000)} s`);
  return result;
}

async function inNode(task, onEntry) {
  const nodePlan = {
    ...plan,
    task,
    runtime: 'node',
    label: 'n',
    url: server.url,
    behind,
    modules: { ours: pathToFileURL(join(packageDir, 'index.inline.js')).href, peer: pathToFileURL(peerFile).href },
  };
  const child = spawn(programs.node, ['--expose-gc', ...options['node-flag'], join(here, 'node.mjs'), JSON.stringify(nodePlan)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  let ended = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line);
    ended ||= entry.end === true;
    onEntry(entry);
  }
  const code = await gone;
  if (!ended) onEntry({ error: `Node ended with ${code} before it was done` });
}

async function inChromium(runtime, task, onEntry) {
  const pagePlan = { ...plan, task, runtime, label: runtime[0], url: server.url, behind, modules: { ours: '/pkg/index.js', peer: '/peer.js' } };
  let done;
  const finished = new Promise((resolve) => {
    done = resolve;
  });
  const mounts = {
    '/': here,
    '/pkg': packageDir,
    '/peer.js': peerFile,
    '/plan.json': { body: JSON.stringify(pagePlan), type: 'application/json' },
  };
  const site = await serve(mounts, {
    onPost: (_path, body) => {
      const entry = JSON.parse(body.toString());
      onEntry(entry);
      if (entry.end) done();
    },
  });
  const browser = await startChromium(`${site.url}/page.html`, {
    args: ['--enable-precise-memory-info', '--js-flags=--expose-gc', ...options['chromium-flag']],
  });
  try {
    const early = await Promise.race([finished, browser.ended.then((code) => ({ code }))]);
    if (early !== undefined) onEntry({ error: `Chromium ended with ${early.code} before it was done` });
  } finally {
    await browser.close();
    await site.close();
  }
}

async function machineLine() {
  const [cpu] = cpus();
  return (
    `${cpus().length} cores (${cpu.model.trim()}), nats-server ${server.version}, Chromium ${await chromiumVersion()}, ` +
    `Node ${await versionOf(programs.node)}, nats.js ${await peerVersion()}; server, browser and clients share the machine`
  );
}

/** Figures of a busy machine are no figures: what the reader has to know to judge them. */
function loadLine() {
  const [minute, , quarter] = loadavg();
  return `Load average at the end, the bench itself included: ${minute.toFixed(1)} over one minute, ${quarter.toFixed(1)} over fifteen.`;
}

async function versionOf(program) {
  const child = spawn(program, ['--version'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of child.stdout) text += chunk;
  return text.trim().replace(/^v/, '');
}

async function peerVersion() {
  const {
    default: { version },
  } = await import(pathToFileURL(join(modules, '@nats-io/jetstream/package.json')).href, { with: { type: 'json' } });
  return version;
}

function tablePart(runtime, { cells }) {
  const summary = summarize(cells, runtime, plan.rows);
  if (summary.length > 0) console.log(`\n${asText(summary)}`);
  const own = summarizeBehind(cells, plan.rows);
  if (own.length === 0) return asMarkdown(summary);
  console.log(`\n${asText(own, BEHIND_HEAD, behindLine)}`);
  return [...(summary.length > 0 ? [asMarkdown(summary)] : []), BEHIND_INTRO, asMarkdown(own, BEHIND_HEAD, behindLine)].join('\n\n');
}

function memoryPart({ memory }) {
  if (memory === undefined) return 'The memory run gave no figure.';
  const { ok, text } = memoryText(memory);
  if (!ok) failures += 1;
  console.log(`  ${text}`);
  return text;
}

function markdown(machine, parts) {
  return `# Figures

Made by \`node bench/run.mjs --write\` on ${machine}.

${plan.count.toLocaleString('en-US')} messages of 128 bytes, memory storage, ${plan.runs} runs: medians (least..most), messages a second. The contestants take
turns, each run on a fresh connection and a fresh stream; nats.js gets the window and prefetch sizes of the package. "raw" is a bare
WebSocket that writes prepared lines and counts the lines that come back. ${loadLine()}

${parts.join('\n\n')}
`;
}

function refuseUnknown(option, given, known) {
  for (const value of given) if (!known.includes(value)) fail(`${option}: ${value} is none of ${known.join(', ')}`);
}

function fail(text) {
  console.error(`bench: ${text}`);
  process.exit(2);
}
