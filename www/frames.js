// The frame inspector: what goes over the line in both directions, while it is switched on.

import { $, bytes, clock, el, int, nextTask, oncePerFrame } from './dom.js';
import { showError } from './errors.js';
import { get, set, watch } from './store.js';
import { table } from './table.js';

/** Rows kept; the oldest go first. */
const MOST = 1000;
/** Frames are filed for at most this long before the page may paint and read input. */
const SLICE_MS = 8;
const QUIET = 'Every protocol frame in both directions, secrets masked. Costs nothing while it is off.';

let rows;
let tapping;
let seen = 0;

const passes = (frame) => {
  const needle = $('#frame-filter').value.trim().toLowerCase();
  return needle === '' || frame.summary.toLowerCase().includes(needle);
};

async function record() {
  const tap = get('connection').tap()[Symbol.asyncIterator]();
  tapping = tap;
  let since = performance.now();
  try {
    for (let step = await tap.next(); !step.done; step = await tap.next()) {
      file(step.value);
      if (performance.now() - since > SLICE_MS) {
        await nextTask();
        since = performance.now();
      }
    }
  } catch (error) {
    showError('#frames-error', error);
  } finally {
    if (tapping === tap) {
      tapping = undefined;
      $('#record').checked = false;
    }
  }
}

function file(frame) {
  const box = $('#frame-rows');
  const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 40;
  rows.add(frame, { hidden: !passes(frame) });
  seen += 1;
  if (atEnd) toEnd();
  tell();
}

const toEnd = oncePerFrame(() => {
  const box = $('#frame-rows');
  box.scrollTop = box.scrollHeight;
});

const tell = oncePerFrame(() => {
  $('#frames-note').textContent = seen === 0 ? QUIET : `${int(seen)} ${seen === 1 ? 'frame' : 'frames'}${seen > MOST ? `, the newest ${int(MOST)} kept` : ''}`;
});

function stop() {
  const stopping = tapping;
  tapping = undefined;
  stopping?.return?.();
}

function clear() {
  rows.clear();
  seen = 0;
  if (get('peeked')?.kind === 'frame') set({ peeked: undefined });
  tell();
}

export function setUpFrames(openMessage) {
  rows = table($('#frame-rows'), {
    most: MOST,
    label: (frame) => `${frame.direction === 'in' ? 'received' : 'sent'}: ${frame.summary}`,
    cells: (frame) => [
      el('time', {}, clock(frame.at.getTime())), el('span', { class: 'way', 'data-way': frame.direction }, frame.direction === 'in' ? '← in' : '→ out'),
      el('span', { class: 'text' }, frame.summary), el('span', { class: 'num dim' }, bytes(frame.bytes)),
    ],
    open: (item) => {
      set({ peeked: { kind: 'frame', item } });
      openMessage();
    },
  });
  $('#record').addEventListener('change', (event) => {
    showError('#frames-error');
    if (event.currentTarget.checked) record();
    else stop();
  });
  $('#frames-clear').addEventListener('click', clear);
  $('#frame-filter').addEventListener('input', () => rows.filter(passes));
  watch(['connection'], () => {
    if (get('connection') !== undefined) return;
    stop();
    $('#record').checked = false;
    clear();
  });
}
