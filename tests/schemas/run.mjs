// The schema engines on cases of our own, in Node without code from text and in Chromium under the strict policy.
//
//   node tests/schemas/run.mjs --runtime node|chromium [--package FOLDER] [--only TEXT] [--quiet]

import { spawn } from 'node:child_process';
import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { openPage } from '../../scripts/lib/browser.mjs';
import { serve } from '../../scripts/lib/static.mjs';
import { endure } from './limits.mjs';
import { play } from './play.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { values } = parseArgs({
  options: {
    runtime: { type: 'string', default: 'node' },
    package: { type: 'string', default: join(root, 'pkg') },
    only: { type: 'string' },
    quiet: { type: 'boolean', default: false },
  },
});
if (!['node', 'chromium'].includes(values.runtime)) throw new Error(`--runtime is node or chromium, not ${values.runtime}`);

/** What a page's policy does there. */
const STRICT = '--disallow-code-generation-from-strings';
if (values.runtime === 'node' && !process.execArgv.includes(STRICT)) {
  const child = spawn(process.execPath, [STRICT, ...process.argv.slice(1)], { stdio: 'inherit' });
  process.exit(await new Promise((resolve, reject) => child.once('error', reject).once('exit', (code) => resolve(code ?? 1))));
}

const vectors = join(root, 'tests', 'vectors', 'schemas');
const files = [];
for (const type of (await readdir(vectors)).sort()) {
  for (const file of (await readdir(join(vectors, type))).sort()) {
    files.push({ type, file: file.replace('.json', ''), groups: JSON.parse(await readFile(join(vectors, type, file), 'utf8')) });
  }
}

const tally = { passed: 0, failed: 0 };
const began = performance.now();
const report = ({ name, problem }) => {
  tally[problem ? 'failed' : 'passed'] += 1;
  if (problem) console.log(`FAIL ${name}\n     ${problem.replaceAll('\n', '\n     ')}`);
  else if (!values.quiet) console.log(`ok   ${name}`);
};

await chunksAreClean();
if (values.runtime === 'node') await inNode();
else await inPage();
if (tally.passed + tally.failed === 0) tally.failed = 1;
console.log(`${((performance.now() - began) / 1000).toFixed(1)} s on ${values.runtime}`);
console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed > 0 ? 1 : 0;

async function inNode() {
  const { load } = await import(pathToFileURL(join(values.package, 'schemas', 'index.js')).href);
  await play({ load, files, report, only: values.only });
  await endure({ load, report, only: values.only });
}

async function inPage() {
  const site = await serve({
    '/': { body: '<!doctype html><meta charset="utf-8"><title>schemas</title>', type: 'text/html; charset=utf-8' },
    '/favicon.ico': { body: '', type: 'image/x-icon' },
    '/files.json': { body: JSON.stringify(files), type: 'application/json; charset=utf-8' },
    '/tests': join(root, 'tests'),
    '/package': values.package,
  }, { csp: true });
  const { page, problems, close } = await openPage();
  try {
    await page.exposeFunction('schemaReport', report);
    await page.goto(`${site.url}/`);
    // A page that has one engine loaded has fetched one chunk.
    const before = site.requests.length;
    await page.evaluate(async (at) => (await import(at)).load('avro'), '/package/schemas/index.js');
    const fetched = site.requests.slice(before).map((request) => request.split('/').at(-1));
    report({ name: 'only the chunk that is used', problem: fetched.join() === 'index.js,avro.js' ? undefined : `fetched ${fetched.join(', ')}` });
    await page.evaluate(async (only) => {
      const report = (row) => window.schemaReport(row);
      const [{ load }, { play }, { endure }, files] = await Promise.all([
        import('/package/schemas/index.js'), import('/tests/schemas/play.mjs'), import('/tests/schemas/limits.mjs'), fetch('/files.json').then((answer) => answer.json()),
      ]);
      await play({ load, files, report, only });
      await endure({ load, report, only });
    }, values.only);
    // The row that tries it is heard once.
    const tried = problems.findIndex((problem) => problem.includes('unsafe-eval'));
    if (tried >= 0 && !values.only) problems.splice(tried, 1);
    report({ name: 'nothing else that the policy forbids', problem: problems.length > 0 ? problems.join('\n') : undefined });
  } finally {
    await close();
    await site.close();
  }
}

/** Nothing in a chunk makes code out of text or loads anything by itself. */
async function chunksAreClean() {
  const built = join(values.package, 'schemas', 'built');
  for (const file of (await readdir(built)).sort()) {
    const text = await readFile(join(built, file), 'utf8');
    const found = text.match(/\beval\b|\bFunction\s*\(|\bimport\s*\(|\bimport\b[^.;]*\bfrom\b|\brequire\s*\(/)?.[0];
    report({ name: `${file} has no eval, no Function() and no imports`, problem: found && `it has ${found}` });
  }
}
