// The console in Chromium, on the broker inside the page, on a real nats-server and on the stand-in of Memphis. Needs `make build`.
// node tests/console/run.mjs [--only TEXT] [folder of the package]: the checkout's own pkg/, or an unpacked tarball's.

import '../../scripts/lib/pinned.mjs';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openPage } from '../../scripts/lib/browser.mjs';
import { startNats } from '../../scripts/lib/servers.mjs';
import { open, site } from './page.mjs';
import { StandIn } from '../stand-in/memphis/index.mjs';
import * as memory from './memory.mjs';
import * as memphisRows from './memphis.mjs';
import * as nats from './nats.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { values: { only }, positionals } = parseArgs({ options: { only: { type: 'string', default: '' } }, allowPositionals: true });
const pkg = positionals[0] ?? join(root, 'pkg');
/** One row may take this long on a busy machine before it counts as failed. */
const ROW_MS = 90_000;

let passed = 0;
let failed = 0;

async function row(name, run) {
  const began = performance.now();
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${ROW_MS} ms`)), ROW_MS);
  });
  try {
    await Promise.race([run(), late]);
    passed += 1;
    console.log(`ok   ${name} (${Math.round(performance.now() - began)} ms)`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL ${name}\n${error.stack ?? error}`);
  } finally {
    clearTimeout(timer);
  }
}

const www = join(root, 'www');
const server = await site({ '/www': www, '/pkg': pkg });
const published = await site({ '/': www, '/pkg': pkg });
const bare = await site({ '/www': www });
const broker = await startNats();
const locked = await startNats({ extra: 'authorization { user: "ada", password: "loveless" }' });
const [memphis, memphisToken] = [await StandIn.start(), await StandIn.start({ login: 'token' })];
const { browser } = await openPage();

/** The rows of one broker, one after another: those on NATS end and restart the server under their page. */
async function lane(rows) {
  const named = Object.entries(rows).map(([name, run]) => [name.replaceAll('_', ' '), run]);
  for (const [name, run] of named.filter(([name]) => name.includes(only))) {
    await row(name, async () => {
      const opened = await open(browser);
      try {
        await run({ ...opened, browser, server, published, bare, broker, locked, memphis, memphisToken });
      } finally {
        await opened.close();
      }
    });
  }
}

try {
  assert.ok(existsSync(join(pkg, 'wasm', 'stationmaster_bg.wasm')), `the package is not in ${pkg}: run make build first`);
  await Promise.all([lane(memory), lane(nats), lane(memphisRows)]);
  assert.deepEqual([...memphis.crashes, ...memphisToken.crashes], [], 'a real Memphis broker would have died');
} finally {
  await Promise.all([browser.close(), server.close(), published.close(), bare.close(), broker.stop(), locked.stop(), memphis.stop(), memphisToken.stop()]);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
