// One run of rows, the same in Node and in a page: load the package, register the rows, run them. Knows no file system and
// no browser driver; whoever calls gives it URLs or paths that `import` understands.

import { VirtualClock } from '../clock.mjs';
import { owners } from './context.mjs';
import { runRows } from './runner.mjs';

/**
 * `config`: { entry, rows, broker, url?, virtual?, chunks?, only?, quick?, waiting? }. `hooks`: report(result), control(name, args).
 * Resolves with { results, problems }: problems are errors that nobody caught.
 */
export async function start(config, hooks) {
  const problems = [];
  const forget = watch(problems);
  const clock = config.virtual ? new VirtualClock() : undefined;
  clock?.install();
  const api = await import(config.entry);
  // Loading and compiling the wasm is no timer, so it must be over before time may jump.
  await api.init();
  // So is loading what the package loads at first use.
  await Promise.all((clock ? config.chunks ?? [] : []).map((chunk) => import(chunk)));
  if (clock) await everyPart(config.entry);
  const { rows } = await import(config.rows);
  clock?.start();
  const run = {
    api,
    broker: config.broker,
    url: config.url,
    virtual: Boolean(config.virtual),
    control: (name, ...args) => hooks.control(name, args),
  };
  const results = await runRows(rows, run, { ...config, report: hooks.report });
  // A rejection counts as unhandled only after the turn in which it happened.
  await new Promise((resolve) => setTimeout(resolve, 50));
  clock?.uninstall();
  forget();
  return { results, problems };
}

/** Has the parts loaded that an application would load by using them. */
async function everyPart(entry) {
  const { parts } = await import(new URL('./wasm/stationmaster.js', new URL(entry, import.meta.url)).href);
  for (const name of [...Object.keys(parts.needs), 'station']) await parts.load(name);
}

function watch(problems) {
  const row = (error) => (owners.has(error?.station) ? ` (row: ${owners.get(error.station)})` : '');
  const tell = (kind, error) => problems.push(`${kind}${row(error)}: ${error?.stack ?? String(error)}`);
  if (typeof window === 'undefined') {
    const rejected = (error) => tell('unhandled rejection', error);
    const thrown = (error) => tell('uncaught error', error);
    process.on('unhandledRejection', rejected).on('uncaughtException', thrown);
    return () => process.off('unhandledRejection', rejected).off('uncaughtException', thrown);
  }
  const rejected = (event) => tell('unhandled rejection', event.reason);
  const thrown = (event) => tell('uncaught error', event.error ?? event.message);
  window.addEventListener('unhandledrejection', rejected);
  window.addEventListener('error', thrown);
  return () => {
    window.removeEventListener('unhandledrejection', rejected);
    window.removeEventListener('error', thrown);
  };
}
