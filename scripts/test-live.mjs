// `make test-live MEMPHIS_URL=ws://...`: the contract suite on a Memphis broker that runs already, in Node, then in Chromium. All that is
// made there has names of this run, and is removed at the end. Rows that need power over the broker are named as not run.
//
//   node scripts/test-live.mjs [--only TEXT] [--runtime node|chromium]
//
// From the environment: MEMPHIS_URL; MEMPHIS_USER (root), MEMPHIS_PASSWORD (memphis), or MEMPHIS_TOKEN; MEMPHIS_ACCOUNT (1);
// MEMPHIS_API, the URL of its management pages (http://host:9000), with MEMPHIS_API_PASSWORD if it differs.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { environment, programs, root } from './lib/tools.mjs';

const { values } = parseArgs({ options: { only: { type: 'string' }, runtime: { type: 'string' } } });
const url = process.env.MEMPHIS_URL;
if (!url) {
  console.log('MEMPHIS_URL says which broker: make test-live MEMPHIS_URL=ws://127.0.0.1:7770');
  console.log('0 passed, 1 failed');
  process.exit(1);
}
let [passed, failed] = [0, 0];
for (const runtime of values.runtime ? [values.runtime] : ['node', 'chromium']) {
  const args = ['--broker', 'memphis', '--url', url, '--runtime', runtime, '--quiet', ...(values.only ? ['--only', values.only] : [])];
  const { code, text } = await run([join(root, 'tests/contract/run.mjs'), ...args]);
  const counts = /^(\d+) passed, (\d+) failed$/m.exec(text);
  passed += Number(counts?.[1] ?? 0);
  // A run that ended badly has failed, whatever it counted.
  failed += Math.max(Number(counts?.[2] ?? 0), code === 0 ? 0 : 1);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** @param {string[]} args @returns {Promise<{ code: number | null, text: string }>} */
function run(args) {
  return new Promise((resolve) => {
    const child = spawn(programs.node, args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      process.stdout.write(chunk);
    });
    child.once('error', (error) => resolve({ code: 127, text: String(error) }));
    child.once('close', (code) => resolve({ code, text }));
  });
}
