// Which code of the first download a page runs that does nothing but connect and produce, on a NATS server of its own; the rest is
// what could be loaded later, if it can be had where it is needed. The whole module with counters runs, not its parts.
//
//   node scripts/profile.mjs [--part first] [--least 60] [--all] [--layers]
//
// Prints, for each function of these parts: bytes that were not run, bytes, its name; most first. --all lists those that ran to the end, too.
// --layers prints instead what each layer has of a part's gzipped kilobytes: the share of its functions' bytes, the rest being data and tables.

import './lib/pinned.mjs';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { startNats } from './lib/servers.mjs';
import { root } from './lib/tools.mjs';

const { values } = parseArgs({ options: { part: { type: 'string', default: 'first' }, least: { type: 'string', default: '60' }, all: { type: 'boolean', default: false }, layers: { type: 'boolean', default: false } } });
const whole = join(root, 'target', 'whole');
const linked = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'wasm32-unknown-unknown', 'release', 'stationmaster.wasm');
const counting = join(root, 'target', 'counting.wasm');
const made = spawnSync(join(root, 'target', 'tools', 'debug', 'parts'), ['--count', join(root, 'scripts', 'parts.txt'), join(whole, 'stationmaster_bg.wasm'), linked, counting], { encoding: 'utf8', maxBuffer: 1 << 26 });
if (made.status !== 0) throw new Error(made.stderr);

const { create } = await import(join(root, 'pkg', 'shell', 'api.js'));
/** The package on the whole module, which lacks no part; each time another instance. */
let instances = 0;
async function fresh() {
  const glue = await import(`${join(whole, 'stationmaster.js')}?${++instances}`);
  const { counts } = await glue.default({ module_or_path: await readFile(counting) });
  return { counts, ...create(async () => ({ ...glue, parts: { load: undefined, needs: {} } }), {}) };
}

const server = await startNats({ extra: 'authorization { user: somebody, password: secret }' });
const options = { broker: 'nats', url: server.url, username: 'somebody', password: 'secret' };
const { connect, counts } = await fresh();
try {
  const before = await (await fresh()).connect(options);
  await before.station('there', { partitionsNumber: 2 });
  await before.close();

  const connection = await connect(options);
  const producer = await connection.producer('there', { producerName: 'one' });
  await producer.produce(new Uint8Array(100));
  await Promise.all(Array.from({ length: 1000 }, (_, i) => producer.produce(`message ${i}`)));
  await producer.produce({ some: 'object' }, { headers: { a: 'b' }, partitionKey: 'key', msgId: 'id' });
  await connection.produce('there', 'short', { headers: { a: 'b' } });
  await producer.flush();
  await producer.destroy();
  await connection.close();
} finally {
  await server.stop();
}

const hits = new Uint8Array(counts.buffer);
const functions = new Map();
for (const [counter, line] of made.stdout.trim().split('\n').entries()) {
  const [part, size, name, index] = line.split('\t');
  const key = `${index}`;
  const found = functions.get(key) ?? { part, name, size: 0, idle: 0, runs: false };
  functions.set(key, found);
  found.size += Number(size);
  if (hits[counter]) found.runs = true;
  else found.idle += Number(size);
}
for (const part of values.part.split(',')) {
  const all = [...functions.values()].filter((found) => found.part === part);
  if (values.layers) {
    await layers(part, all);
    continue;
  }
  const sum = (list, what) => list.reduce((total, found) => total + found[what], 0);
  const never = all.filter(({ runs }) => !runs);
  console.log(`${part}: ${all.length} functions, ${sum(all, 'size')} bytes of code; never called: ${never.length}, ${sum(never, 'size')}; branches not run in others: ${sum(all, 'idle') - sum(never, 'idle')}`);
  const listed = all.filter(({ idle, size }) => (values.all ? size : idle) >= Number(values.least)).sort((a, b) => b.idle - a.idle);
  for (const { idle, size, name, runs } of listed) console.log(`${String(idle).padStart(7)}${String(size).padStart(7)}  ${runs ? ' ' : '-'} ${name}`);
}

/** The kilobytes that a page fetches for a part, by layer. */
async function layers(part, functions) {
  const bytes = await readFile(join(root, 'pkg', 'wasm', part === 'first' ? 'stationmaster_bg.wasm' : `stationmaster-${part}.wasm`));
  const kilobytes = gzipSync(bytes, { level: 9 }).length / 1000;
  const of = new Map();
  for (const { name, size } of functions) of.set(layer(name), (of.get(layer(name)) ?? 0) + size);
  of.set('data, tables', bytes.length - [...of.values()].reduce((total, size) => total + size, 0));
  console.log(`${part}: ${kilobytes.toFixed(1)} KB`);
  for (const [name, size] of [...of].sort(([, a], [, b]) => b - a)) console.log(`${((size / bytes.length) * kilobytes).toFixed(1).padStart(7)}  ${name}`);
}

/** @param {string} name of a function */
function layer(name) {
  if (name.includes('drop_in_place') || name.includes('core::ops::drop::Drop')) return 'drops';
  if (name.startsWith('engine_')) return 'face';
  const [, ours] = /stationmaster::(brokers::(?=nats|mem)\w+|\w+)/.exec(name) ?? [];
  if (ours) return ours;
  return /wasm_bindgen|js_sys|web_sys|externref/.test(name) ? 'wasm-bindgen, promises' : 'standard library, allocator';
}
