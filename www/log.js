// The messages that have arrived, in order of arrival, with what became of each, and the filter over them. Knows no elements:
// the list draws what is here. Rows have ids that only rise, so that dropping old rows moves nobody's selection.

import { nextTask } from './dom.js';

/** Rows kept; the oldest go first. At 100,000 the page must be smooth, so twice that is the most it ever has. */
export const MOST_ROWS = 200_000;
/** Dropped at once, so that the cost of moving the rest is paid once in so many messages. */
const DROP = 10_000;
/** A filter looks through old rows in slices of this many milliseconds. */
const SLICE_MS = 6;

let rows = [];
let firstId = 0;
/** Rows that wait for a word from the application, by place: a repeat finds its earlier delivery here. */
let open = new Map();
let total = 0;
let totalBytes = 0;
let dropped = 0;

let needle = '';
let wanted;
/** The ids that the filter lets through; undefined without a filter. */
let shown;
/** Matching arrivals while a new filter still looks through the old rows; undefined otherwise. */
let meanwhile;
let search = 0;
const listeners = new Set();

export function onChange(fn) {
  listeners.add(fn);
}

function changed(what) {
  for (const fn of listeners) fn(what);
}

const place = (message) => `${message.partition}:${message.sequence}`;

/** Files a message; `state` is "waiting", "acked" (by the console, on arrival) or "auto" (nothing to acknowledge). */
export function add(message, state) {
  const row = { id: firstId + rows.length, message, state, at: Date.now(), until: undefined, error: undefined };
  rows.push(row);
  total += 1;
  totalBytes += message.data.byteLength;
  if (message.deliveries > 1) {
    const earlier = open.get(place(message));
    if (earlier !== undefined) earlier.state = 'again';
  }
  if (state === 'waiting') open.set(place(message), row);
  const list = meanwhile ?? shown;
  if (list !== undefined && matches(row)) list.push(row.id);
  if (rows.length >= MOST_ROWS + DROP) trim();
  changed('rows');
  return row;
}

export function settle(row, state, more) {
  Object.assign(row, { state, error: undefined, ...more });
  if (state !== 'waiting' && open.get(place(row.message)) === row) open.delete(place(row.message));
  changed('row');
}

function trim() {
  for (const row of rows.slice(0, DROP)) {
    if (open.get(place(row.message)) === row) open.delete(place(row.message));
  }
  rows = rows.slice(DROP);
  firstId += DROP;
  dropped += DROP;
  if (shown !== undefined) shown = shown.filter((id) => id >= firstId);
}

export function clear() {
  firstId += rows.length;
  rows = [];
  open = new Map();
  total = 0;
  totalBytes = 0;
  dropped = 0;
  if (shown !== undefined) shown = [];
  changed('rows');
}

/** Number of rows that the filter lets through. */
export const length = () => (shown === undefined ? rows.length : shown.length);
/** The row at a place of the visible list. */
export const at = (index) => (shown === undefined ? rows[index] : rows[shown[index] - firstId]);
export const byId = (id) => rows[id - firstId];

/** Where a row stands in the visible list, -1 when it is gone or filtered out. */
export function indexOf(id) {
  if (id === undefined || byId(id) === undefined) return -1;
  if (shown === undefined) return id - firstId;
  let low = 0;
  let high = shown.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    if (shown[middle] === id) return middle;
    if (shown[middle] < id) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}

export const totals = () => ({ total, bytes: totalBytes, dropped, kept: rows.length, searching: meanwhile !== undefined });

/** Text in the payload, a header or the id, whatever its case; "#12" is exactly sequence 12. */
function matches({ message }) {
  if (wanted !== undefined) return message.sequence === wanted;
  if (message.text().toLowerCase().includes(needle)) return true;
  if (message.msgId?.toLowerCase().includes(needle)) return true;
  for (const [name, value] of Object.entries(message.headers)) {
    if (name.toLowerCase().includes(needle) || value.toLowerCase().includes(needle)) return true;
  }
  return false;
}

/** Sets the filter; old rows are looked through a slice at a time, so that typing stays smooth. */
export async function filter(text) {
  needle = text.trim().toLowerCase();
  const exact = /^#(\d+)$/.exec(needle);
  wanted = exact ? Number(exact[1]) : undefined;
  search += 1;
  const turn = search;
  if (needle === '') {
    shown = undefined;
    meanwhile = undefined;
    changed('filter');
    return;
  }
  // New arrivals file themselves, so the search ends at what was newest when it began.
  const arrivals = [];
  meanwhile = arrivals;
  const found = [];
  const end = firstId + rows.length;
  let id = firstId;
  while (id < end) {
    const until = performance.now() + SLICE_MS;
    for (; id < end && performance.now() < until; id += 1) {
      const row = byId(id);
      if (row !== undefined && matches(row)) found.push(id);
    }
    if (id < end) {
      await nextTask();
      if (turn !== search) return;
    }
  }
  shown = found.concat(arrivals).filter((one) => one >= firstId);
  meanwhile = undefined;
  changed('filter');
}
