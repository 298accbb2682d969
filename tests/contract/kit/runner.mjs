// Runs rows side by side and tells what became of each. Has no I/O of its own: whoever starts it gives a reporter.

import { Difference, NotOffered, show } from './assert.mjs';
import { Context } from './context.mjs';

const QUICK_LIMIT = 20_000;
const WAIT_LIMIT = 60_000;

/**
 * `run`: { api, broker, url?, control?, virtual?, id? }. `report(result)` is called once a row with
 * { title, topic, section, state: 'passed' | 'failed' | 'not offered' | 'not run', ms, why? }. `dials`: how many rows may connect at
 * the same time (any number). Resolves with the results.
 */
export async function runRows(rows, run, { only, quick = 8, waiting = 32, dials, report = () => {} } = {}) {
  run = { id: Date.now().toString(36), dial: dials ? limited(dials) : (dial) => dial(), ...run };
  const capabilities = await offered(run);
  const chosen = rows
    .filter((row) => !row.brokers || row.brokers.includes(run.broker))
    .filter((row) => !only || `${row.topic}: ${row.title}`.includes(only));
  const results = [];
  const one = async (row) => {
    const result = { topic: row.topic, section: row.section, title: row.title, ...await runRow(row, run, capabilities) };
    results.push(result);
    report(result);
  };
  // Rows that wait cost little, so many run at once; and first, since a busy row would spoil their idea of time.
  await pool(chosen.filter((row) => row.waits), waiting, one);
  await pool(chosen.filter((row) => !row.waits), quick, one);
  return results;
}

function limited(most) {
  let free = most;
  const waiting = [];
  return async (dial) => {
    if (free === 0) await new Promise((resolve) => { waiting.push(resolve); });
    else free -= 1;
    try {
      return await dial();
    } finally {
      if (waiting.length > 0) waiting.shift()();
      else free += 1;
    }
  };
}

async function offered(run) {
  const connection = await run.api.connect({ broker: run.broker, ...(run.url === undefined ? {} : { url: run.url }), ...run.login });
  const { capabilities } = connection;
  await connection.close();
  return capabilities;
}

async function pool(rows, size, one) {
  const queue = rows[Symbol.iterator]();
  await Promise.all(Array.from({ length: size }, async () => {
    for (const row of queue) await one(row);
  }));
}

async function runRow(row, run, capabilities) {
  const power = row.controls.find((kind) => !run.controls?.includes(kind));
  if (power) return { state: 'not run', ms: 0, why: `it needs power over the broker (${power})` };
  const missing = row.needs.find((feature) => !capabilities.has(feature));
  if (missing) return { state: 'not offered', ms: 0, why: `${missing}: ${capabilities.why(missing)}` };
  const present = row.without.find((feature) => capabilities.has(feature));
  if (present) return { state: 'not offered', ms: 0, why: `this row is for brokers without ${present}` };

  const context = new Context(run, row);
  const began = performance.now();
  const limit = row.limitMs ?? (row.waits ? WAIT_LIMIT : QUICK_LIMIT);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Difference(`not finished after ${limit} ms`)), limit);
  });
  try {
    await Promise.race([row.run(context), late]);
    return { state: 'passed', ms: performance.now() - began };
  } catch (error) {
    if (error instanceof NotOffered) return { state: 'not offered', ms: 0, why: error.message };
    return { state: 'failed', ms: performance.now() - began, why: reason(error) };
  } finally {
    clearTimeout(timer);
    await context.finish();
  }
}

function reason(error) {
  const place = String(error?.stack ?? '').split('\n').find((line) => line.includes('/suite/') || line.includes('/link/') || line.includes('/garbage/'));
  const where = place ? ` (${place.trim().replace(/^at /, '').replace(/.*\/(suite|link|garbage)\//, '$1/').replace(/\)$/, '')})` : '';
  return `${error instanceof Difference ? error.message : `the row threw ${show(error)}`}${where}`;
}

/** One line a row, as a person reads it. */
export function line(result) {
  const place = `${result.topic}: ${result.title}`;
  const time = `${Math.round(result.ms)} ms`;
  if (result.state === 'passed') return `ok   ${place} (${time})`;
  if (result.state === 'not offered') return `--   ${place}: not offered: ${result.why}`;
  if (result.state === 'not run') return `--   ${place}: not run: ${result.why}`;
  return `FAIL ${place} (semantics.md section ${result.section}; ${time})\n     ${result.why}`;
}
