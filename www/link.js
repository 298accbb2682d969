// The life of the connection: opens it, follows its status, closes it. Everything else in the console asks `store` for it.

import { int } from './dom.js';
import { describe, toast } from './errors.js';
import { loadPackage } from './package.js';
import { get, set } from './store.js';
import { note } from './timeline.js';

/** The round-trip time in the header is measured this often, while the page is visible. */
const PING_MS = 10_000;
const ending = new Set();
const learning = new Set();

/** Called with a station and its schema (null for none) when that has changed. */
export const onSchema = (fn) => learning.add(fn);

/** Called, and waited for, before the connection closes. */
export const beforeClose = (fn) => ending.add(fn);

/** Loads the package without connecting, so that a missing file is told before anybody has pressed a button. */
export async function prepare() {
  const loaded = get('package') ?? (await loadPackage());
  set({ package: loaded });
  return loaded;
}

export async function open(options) {
  const { connect } = await prepare();
  set({ link: { phase: 'wait', text: 'Connecting', note: options.url ?? options.broker } });
  let connection;
  try {
    connection = await connect(options);
  } catch (error) {
    set({ link: { phase: 'idle', text: 'Not connected', note: '' } });
    throw error;
  }
  const name = options.broker === 'memory' ? 'Broker in this page' : (options.url ?? options.broker);
  note('good', 'Connected', name);
  set({ connection, connectOptions: options, link: { phase: 'good', text: name, note: '' } });
  follow(connection, name);
  watchEnd(connection);
  measure(connection);
  return connection;
}

export async function close() {
  const connection = get('connection');
  if (connection === undefined) return;
  await Promise.allSettled([...ending].map((fn) => fn()));
  await connection.close();
}

async function watchEnd(connection) {
  const reason = await connection.closed;
  if (get('connection') !== connection) return;
  const { code, text } = reason ? describe(reason) : {};
  note(reason ? 'bad' : 'note', 'Connection closed', reason ? `${code}: ${text}` : undefined);
  if (reason) toast(reason);
  set({ connection: undefined, link: { phase: 'idle', text: 'Not connected', note: '' } });
}

async function follow(connection, name) {
  let lost = false;
  for await (const status of connection.status()) {
    const link = (phase, text, more = '') => set({ link: { phase, text, note: more } });
    switch (status.type) {
      case 'connected':
        link('good', name);
        // The first one the header and the timeline have already.
        if (lost) note('good', 'Connected again', `${status.url}, attempt ${status.attempt}`);
        if (lost) probe(connection);
        lost = false;
        break;
      case 'disconnected':
        lost = true;
        link('bad', name, 'link lost');
        note('bad', 'Link lost', `${status.reason.code}: ${status.reason.message}`);
        break;
      case 'reconnecting':
        link('wait', name, `attempt ${status.attempt}`);
        note('wait', 'Dialling again', `attempt ${status.attempt}, in ${int(Math.round(status.inMs))} ms`);
        break;
      case 'slow_consumer':
        note('bad', 'Slow consumer', `${status.station}: ${int(status.pending)} waiting`);
        break;
      case 'produce_failed':
        note('bad', `${int(status.messages)} not stored`, `${status.station}: ${status.error.code}: ${status.error.message}`);
        break;
      case 'schema':
        note('note', 'Schema changed', `${status.station}: ${status.schema ?? 'none'}`);
        for (const fn of learning) fn(status.station, status.schema);
        break;
      case 'active':
        note('note', status.active ? 'Active member' : 'Not the active member', `${status.station}, partition ${status.partition}`);
        break;
      default:
        break;
    }
  }
}

async function probe(connection) {
  if (get('connection') !== connection || get('link').phase !== 'good' || document.hidden) return;
  try {
    const info = await connection.ping();
    const product = [info.product, info.version].filter(Boolean).join(' ');
    const rtt = info.rttMs < 10 ? info.rttMs.toFixed(1) : Math.round(info.rttMs);
    if (get('link').phase === 'good') set({ link: { ...get('link'), note: `${product} · ${rtt} ms` } });
  } catch {
    // a link that does not answer is the status' business
  }
}

function measure(connection) {
  probe(connection);
  const timer = setInterval(() => probe(connection), PING_MS);
  connection.closed.then(() => clearInterval(timer));
}
