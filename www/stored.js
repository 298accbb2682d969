// What a station holds: a look at stored messages from any beginning, which leaves groups and acks alone; and throwing them away.

import { $, bytes, clock, compact, el, int, oncePerFrame, read, readNumber } from './dom.js';
import { busy } from './errors.js';
import { preview } from './list.js';
import { refreshSoon } from './stations.js';
import { get, set, watch } from './store.js';
import { sure } from './sure.js';
import { table } from './table.js';
import { note } from './timeline.js';

const LABELS = { lastMessages: 'How many', sequence: 'Sequence', time: 'Date and time' };
const DEFAULTS = { lastMessages: '100', sequence: '1' };
const QUIET = 'Browsing looks without consuming: groups and acks are untouched.';

let rows;
let running;

function readStart(form) {
  const kind = form.elements.start.value;
  const value = read(form, 'startValue');
  if (kind === 'lastMessages') return { lastMessages: Number(value ?? DEFAULTS.lastMessages) };
  if (kind === 'sequence') return { sequence: Number(value ?? DEFAULTS.sequence) };
  if (kind === 'time') return { time: new Date(value ?? Date.now()) };
  return undefined;
}

/** As the form has them. Also read by the code panel. */
export function browseOptions() {
  const form = $('#stored-form');
  return compact({ start: readStart(form), partitionNumber: readNumber(form, 'partitionNumber'), limit: readNumber(form, 'limit') });
}

async function browse() {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  rows.clear();
  const station = await get('connection').station(get('station'));
  let count = 0;
  const tell = oncePerFrame(() => {
    if (running === mine) $('#stored-note').textContent = `${int(count)} ${count === 1 ? 'message' : 'messages'} · ${QUIET}`;
  });
  for await (const message of station.browse({ ...browseOptions(), signal: mine.signal })) {
    if (running !== mine) return;
    rows.add(message);
    count += 1;
    tell();
  }
  tell();
}

async function purge() {
  const name = get('station');
  const gone = await (await get('connection').station(name)).purge();
  rows.clear();
  set({ peeked: undefined });
  $('#stored-note').textContent = gone === undefined ? 'Everything is gone.' : `${int(gone)} ${gone === 1 ? 'message is' : 'messages are'} gone.`;
  note('note', `Purged ${name}`, gone === undefined ? undefined : `${int(gone)} messages`);
  refreshSoon();
}

export function setUpStored(openMessage) {
  const form = $('#stored-form');
  rows = table($('#stored-rows'), {
    label: (message) => `Partition ${message.partition}, sequence ${message.sequence}`,
    cells: (message) => [
      el('time', {}, clock(message.timestamp.getTime())), el('span', { class: 'num' }, String(message.partition)), el('span', { class: 'num seq' }, int(message.sequence)),
      el('span', { class: 'text' }, preview(message.data)), el('span', { class: 'num dim' }, bytes(message.data.byteLength)),
    ],
    open: (item) => {
      set({ peeked: { kind: 'stored', item } });
      openMessage();
    },
  });
  const adapt = () => {
    const kind = form.elements.start.value;
    $('#stored-value').hidden = LABELS[kind] === undefined;
    $('#stored-value span').textContent = LABELS[kind] ?? 'Value';
    form.elements.startValue.type = kind === 'time' ? 'datetime-local' : 'number';
    form.elements.startValue.placeholder = DEFAULTS[kind] ?? '';
  };
  form.elements.start.addEventListener('change', () => {
    form.elements.startValue.value = '';
    adapt();
  });
  adapt();
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#browse'), $('#stored-error'), browse);
  });
  sure($('#purge'), 'Press again to purge', () => busy($('#purge'), $('#stored-error'), purge));
  watch(['station', 'partitions', 'connection'], () => {
    running?.abort();
    running = undefined;
    rows.clear();
    $('#stored-note').textContent = QUIET;
    for (const id of ['#browse', '#purge']) $(id).disabled = get('station') === undefined;
    form.elements.partitionNumber.replaceChildren(el('option', { value: '' }, 'all'), ...get('partitions').map((number) => el('option', { value: String(number) }, String(number))));
  });
}
