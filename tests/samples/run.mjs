// The code of README.md and docs/ as it stands there, on the broker inside the package, on a real nats-server and on the stand-in of
// Memphis. Needs `make build`.
//
//   node tests/samples/run.mjs [--package FOLDER] [--only TEXT]

import '../../scripts/lib/pinned.mjs';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { startNats } from '../../scripts/lib/servers.mjs';
import { root } from '../../scripts/lib/tools.mjs';
import { until } from '../../scripts/lib/until.mjs';
import { StandIn } from '../stand-in/memphis/index.mjs';

/** What a sample uses without saying where it comes from, in the words of the text around it. */
const GIVEN = { password: 'memphis', rows: [{ customer: 'a' }, { customer: 'b' }], order: { id: 'order-1' } };
/** Code of other clients, of other runtimes and bundlers (tests/package has those), and logins. */
const ELSEWHERE = /nats\.js|memphis-dev|cloudflare:|from 'ws'|export default|from 'stationmaster\/inline'|from '\.\/|creds:/;
/** What a broker cannot do, as the tables beside the samples say. */
const LACKS = { memphis: /connection\.stations\(\)|deadLetters\(\)/ };
const FILES = { 'README.md': ['memory', 'nats', 'memphis'], 'docs/from-nats-js.md': ['nats'], 'docs/from-memphis-js.md': ['memphis'], 'docs/from-memphis-py.md': ['memphis'], 'docs/from-memphis-go.md': ['memphis'] };

const { values } = parseArgs({ options: { package: { type: 'string', default: join(root, 'pkg') }, only: { type: 'string', default: '' } } });
const api = await import(pathToFileURL(join(resolve(values.package), 'index.inline.js')).href);
const [nats, memphis] = [await startNats(), await StandIn.start()];
const reach = {
  memory: { broker: 'memory' },
  nats: { broker: 'nats', url: nats.url },
  memphis: { broker: 'memphis', url: memphis.url, username: 'root', password: GIVEN.password },
};
const AsyncFunction = /** @type {FunctionConstructor} */ ((async () => {}).constructor);

let [passed, failed] = [0, 0];
for (const [file, brokers] of Object.entries(FILES)) {
  const text = await readFile(join(root, file), 'utf8');
  for (const { 1: code, index } of text.matchAll(/^```js\n([^]*?)^```/gm)) {
    if (ELSEWHERE.test(code)) {
      console.log(`--   ${file}, line ${text.slice(0, index).split('\n').length + 1}: runs elsewhere (workers, bundles, other clients)`);
      continue;
    }
    for (const broker of brokers.filter((broker) => !LACKS[broker]?.test(code))) {
      const name = `${file}, line ${text.slice(0, index).split('\n').length + 1}, on ${broker}`;
      if (!name.includes(values.only)) continue;
      try {
        await sample(code, broker);
        passed += 1;
        console.log(`ok   ${name}`);
      } catch (error) {
        failed += 1;
        console.log(`FAIL ${name}\n     ${error?.stack ?? error}`);
      }
    }
  }
}
await Promise.all([nats.stop(), memphis.stop()]);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

/**
 * Runs one with what it takes for granted, has messages for it, and ends its connections once it has done something; then it ends.
 * @param {string} code @param {keyof typeof reach} broker
 */
async function sample(code, broker) {
  const open = [];
  const connect = async (options = {}) => {
    const connection = await api.connect({ ...options, ...reach[broker] });
    open.push(connection);
    return connection;
  };
  const connection = await connect();
  const orders = await connection.station('orders');
  const copies = await connection.station('copies');
  /** @type {unknown[][]} */
  const done = [];
  const does = (/** @type {unknown[]} */ ...what) => { done.push(what); };
  const taken = { ...GIVEN, connect, connection, orders, console: { ...console, log: does, error: does }, handle: async (order) => does(order), store: async (list) => list.forEach((order) => does(order)) };
  // What it makes itself is not given.
  const names = Object.keys(taken).filter((name) => !new RegExp(`(?:const|using|{) ${name}\\b[^;]* =`).test(code));
  let [ended, early] = [false, false];
  const run = new AsyncFunction(...names, code.replaceAll(/^import .*$/gm, ''))(...names.map((name) => taken[name])).finally(() => { ended = true; });
  const outcome = run.then(() => undefined, (error) => error);
  try {
    for (const n of [1, 2, 3]) await connection.produce('orders', { n, item: 'ticket' });
    // Of what happens to the link nothing happens until it ends.
    if (!code.includes('connection.status()')) await until(async () => ended || done.length >= 3 || (await copies.info()).messages >= 3, { what: 'something that it does' });
  } finally {
    early = ended;
    for (const name of ['orders', 'copies']) await (await connection.station(name)).destroy();
    await Promise.all(open.map((one) => one.close()));
  }
  const error = await outcome;
  // Whatever still runs when its stations are removed is told so.
  assert.ok(error === undefined || (!early && error.code === 'no_such_station'), error?.stack);
}
