// What the programs of this folder share: their options, the right Node, the page, the report. Starts no server of its own.

import '../../scripts/lib/pinned.mjs';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { openPage } from '../../scripts/lib/browser.mjs';
import { serve } from '../../scripts/lib/static.mjs';
import { real } from './clock.mjs';
import { line } from './kit/runner.mjs';
import { start } from './kit/start.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..', '..');

/** A run that is still going after this much real time hangs. */
const RUN_LIMIT = 15 * 60_000;
/** Where a page believes to be that was loaded over TLS. */
const SECURE = 'https://page.example';
/** After the last row the process must end by itself: a timer or socket that is left would keep a user's program alive too. */
const END_LIMIT = 10_000;

/** Options of the command line; unknown ones end the program. */
export function options(more = {}) {
  const { values } = parseArgs({
    options: {
      runtime: { type: 'string', default: 'node' },
      package: { type: 'string', default: join(root, 'pkg') },
      only: { type: 'string' },
      quiet: { type: 'boolean', default: false },
      quick: { type: 'string' },
      waiting: { type: 'string' },
      ...more,
    },
  });
  if (!['node', 'chromium'].includes(values.runtime)) throw new Error(`--runtime is node or chromium, not ${values.runtime}`);
  return values;
}

/**
 * Runs rows in the runtime that was asked for and prints each. `configs`: one for each module of rows, in turn. `control`
 * answers rows that need something done outside of them; `after` puts away what the run had, and may tell what was wrong. Sets the exit code; the counts come when the process ends.
 */
export async function run(values, configs, { control = {}, after = async () => {} } = {}) {
  const began = real.now();
  const tally = { passed: 0, failed: 0, notOffered: 0, notRun: 0 };
  // Registered before anything can fail: the last line is always the counts.
  process.once('exit', () => {
    if (tally.passed + tally.failed === 0) tally.failed = 1;
    if (tally.failed > 0) process.exitCode = 1;
    console.log(`${((real.now() - began) / 1000).toFixed(1)} s on ${values.runtime}${configs.some((config) => config.virtual) ? ', virtual clock' : ''}; ${tally.notOffered} not offered${tally.notRun > 0 ? `, ${tally.notRun} not run` : ''}`);
    console.log(`${tally.passed} passed, ${tally.failed} failed`);
  });
  const report = (result) => {
    if (result.state === 'passed') tally.passed += 1;
    else if (result.state === 'failed') tally.failed += 1;
    else if (result.state === 'not run') tally.notRun += 1;
    else tally.notOffered += 1;
    // What was left out for want of power over the broker is said in any case.
    if (!values.quiet || ['failed', 'not run'].includes(result.state)) console.log(line(result));
  };
  const hooks = {
    report,
    control: async (name, args) => {
      if (!control[name]) throw new Error(`no control called ${name}`);
      return control[name](...args);
    },
  };
  const limit = real.setTimeout(() => {
    console.log(`FAIL the run is not over after ${RUN_LIMIT / 60_000} minutes`);
    tally.failed += 1;
    process.exit(1);
  }, RUN_LIMIT);
  for (const config of configs) {
    const full = { quick: numeric(values.quick), waiting: numeric(values.waiting), only: values.only, ...config };
    try {
      const { problems } = values.runtime === 'node' ? await inNode(values, full, hooks) : await inPage(values, full, hooks);
      for (const problem of problems) {
        tally.failed += 1;
        console.log(`FAIL nobody caught this\n     ${problem.replaceAll('\n', '\n     ')}`);
      }
    } catch (error) {
      tally.failed += 1;
      console.log(`FAIL the run broke off: ${error?.stack ?? error}`);
    }
  }
  real.clearTimeout(limit);
  for (const problem of await after() ?? []) {
    tally.failed += 1;
    console.log(`FAIL ${problem}`);
  }
  // A row that failed may have left anything behind.
  if (tally.failed > 0) process.exit(1);
  const lingering = real.setTimeout(() => {
    console.log(`FAIL the process does not end by itself: ${process.getActiveResourcesInfo().join(', ')}`);
    tally.failed += 1;
    process.exit(1);
  }, END_LIMIT);
  lingering.unref?.();
}

function numeric(text) {
  return text === undefined ? undefined : Number(text);
}

async function inNode(values, config, hooks) {
  const entry = pathToFileURL(join(values.package, entryOf(values.package, ['node', 'import', 'default']))).href;
  return start({ ...config, entry, rows: pathToFileURL(join(here, config.rows)).href }, hooks);
}

async function inPage(values, config, hooks) {
  const site = await serve({
    '/': { body: '<!doctype html><meta charset="utf-8"><title>contract</title>', type: 'text/html; charset=utf-8' },
    '/favicon.ico': { body: '', type: 'image/x-icon' },
    '/tests': join(root, 'tests'),
    '/package': values.package,
  }, { csp: true });
  const { page, close } = await openPage();
  try {
    await page.exposeFunction('contractReport', hooks.report);
    await page.exposeFunction('contractControl', hooks.control);
    // A page of a TLS origin needs no certificate when the driver answers for it.
    if (config.secure) await page.route(`${SECURE}/**`, async (route) => route.fulfill(await relay(site.url, route.request().url())));
    await page.goto(`${config.secure ? SECURE : site.url}/`);
    const entry = `/package/${entryOf(values.package, ['browser', 'import', 'default'])}`;
    const folders = ['shell', 'schemas', 'schemas/built'];
    const chunks = folders.flatMap((folder) => readdirSync(join(values.package, folder)).filter((name) => name.endsWith('.js')).map((name) => `/package/${folder}/${name}`));
    return await page.evaluate(async ({ startAt, config }) => {
      const { start } = await import(startAt);
      const report = (result) => void window.contractReport(result);
      return start(config, { report, control: (name, args) => window.contractControl(name, args) });
    }, { startAt: '/tests/contract/kit/start.mjs', config: { ...config, entry, chunks, rows: `/tests/contract/${config.rows}` } });
  } finally {
    await close();
    await site.close();
  }
}

async function relay(base, url) {
  const answer = await fetch(base + new URL(url).pathname);
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: Buffer.from(await answer.arrayBuffer()) };
}

/** The file that a runtime with these conditions would load, as its package.json says. */
function entryOf(directory, conditions) {
  const { exports } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const pick = (target) => {
    if (typeof target === 'string') return target;
    for (const [condition, inner] of Object.entries(target ?? {})) {
      if (condition === 'default' || conditions.includes(condition)) {
        const found = pick(inner);
        if (found) return found;
      }
    }
    return undefined;
  };
  const found = pick(exports['.'] ?? exports);
  if (!found) throw new Error(`${directory}/package.json has no entry for ${conditions.join(', ')}`);
  return relative('.', found);
}
