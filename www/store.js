// What the parts of the console share, in one place: a plain object, and who wants to hear when a key changes.
// Holds no elements and calls no broker.

const state = {
  /** The package's module once it has loaded. */
  package: undefined,
  /** The open Connection, and what the header says about it. */
  connection: undefined,
  /** The options it was made with, for the code panel. */
  connectOptions: undefined,
  link: { phase: 'idle', text: 'Not connected', note: '' },
  /** Names known to this page or told by the broker; the chosen one; the options it was created with here. */
  stations: [],
  station: undefined,
  stationOptions: {},
  partitions: [],
  /** Which of the three forms is open: "one", "burst" or "listen". */
  work: 'one',
  /** The running consumer's name, group and whether it acknowledges by itself; undefined while nobody listens. */
  listening: undefined,
  /** Acknowledge every message the moment it arrives. */
  ackOnArrival: true,
  /** The last thing done to a message by hand, for the code panel. */
  lastSettle: undefined,
  /** Which of the views in the middle is in sight: "live", "stored", "dead", "schema", "requests" or "frames". */
  view: 'live',
  /** The row of the live view that is open. */
  selected: undefined,
  /** What another view has opened instead: { kind: "stored" | "dead" | "frame", item, ... }. */
  peeked: undefined,
};

const watchers = new Map();
let changed = new Set();

export const get = (key) => state[key];

/** Changes several keys; those who watch one of them hear of it once, at the end of this turn. */
export function set(patch) {
  for (const [key, value] of Object.entries(patch)) {
    if (!(key in state)) throw new Error(`no such key: ${key}`);
    if (state[key] === value) continue;
    state[key] = value;
    if (changed.size === 0) queueMicrotask(tell);
    changed.add(key);
  }
}

function tell() {
  const keys = changed;
  changed = new Set();
  const told = new Set();
  for (const key of keys) {
    for (const fn of watchers.get(key) ?? []) {
      if (told.has(fn)) continue;
      told.add(fn);
      fn();
    }
  }
}

/** Calls fn now and whenever one of the keys has changed. */
export function watch(keys, fn) {
  for (const key of keys) {
    if (!watchers.has(key)) watchers.set(key, []);
    watchers.get(key).push(fn);
  }
  fn();
}
