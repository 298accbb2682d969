// One run of rows, the same in Node and in a page: load the package, register the rows, run them. Knows no file system and
// no browser driver; whoever calls gives it URLs or paths that `import` understands.

import { VirtualClock } from '../clock.mjs';
import { owners } from './context.mjs';
import { runRows } from './runner.mjs';

/**
 * `config`: { entry, rows, broker, url?, id?, login?, controls?, virtual?, chunks?, only?, quick?, waiting? }. `hooks`: report(result), control(name, args).
 * Resolves with { results, problems }: problems are errors that nobody caught.
 */
export async function start(config, hooks) {
  const problems = [];
  const { told, forget } = watch(problems);
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
    ...(config.id === undefined ? {} : { id: config.id }),
    login: config.login,
    controls: config.controls,
    virtual: Boolean(config.virtual),
    control: (name, ...args) => hooks.control(name, args),
  };
  const results = await runRows(rows, run, { ...config, report: hooks.report });
  await told();
  clock?.uninstall();
  forget();
  return { results, problems };
}

/** Has the parts loaded that an application would load by using them. */
async function everyPart(entry) {
  const { parts } = await import(new URL('./wasm/stationmaster.js', new URL(entry, import.meta.url)).href);
  for (const name of [...Object.keys(parts.needs), 'station']) await parts.load(name);
}

/**
 * Collects what nobody caught. `told` resolves when everything that has been rejected so far is known: platforms tell in order, so
 * a rejection of its own comes after all others.
 */
function watch(problems) {
  const row = (error) => (owners.has(error?.station) ? ` (row: ${owners.get(error.station)})` : '');
  const tell = (kind, error) => problems.push(`${kind}${row(error)}: ${error?.stack ?? String(error)}`);
  const last = Symbol('everything before this has been told');
  let done;
  const rejected = (reason) => (reason === last ? done() : tell('unhandled rejection', reason));
  const thrown = (error) => tell('uncaught error', error);
  const told = () => new Promise((resolve) => {
    done = resolve;
    Promise.reject(last);
  });
  if (typeof window === 'undefined') {
    process.on('unhandledRejection', rejected).on('uncaughtException', thrown);
    return { told, forget: () => process.off('unhandledRejection', rejected).off('uncaughtException', thrown) };
  }
  const asRejected = (event) => {
    // The page's own log is for what was not meant.
    if (event.reason === last) event.preventDefault();
    rejected(event.reason);
  };
  const asThrown = (event) => thrown(event.error ?? event.message);
  window.addEventListener('unhandledrejection', asRejected);
  window.addEventListener('error', asThrown);
  return {
    told,
    forget: () => {
      window.removeEventListener('unhandledrejection', asRejected);
      window.removeEventListener('error', asThrown);
    },
  };
}
