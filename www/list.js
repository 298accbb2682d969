// The board: a list that draws only the rows in sight. Rows have one fixed height and are reused, so 100,000 cost what forty do.
// What the rows are it asks of `log`; which one is open it tells `store`.

import { $, bytes, clock, el, int, oncePerFrame } from './dom.js';
import * as log from './log.js';
import { settle } from './listen.js';
import { get, set, watch } from './store.js';

/** Rows drawn above and below what is in sight, so that a fast wheel meets no blank. */
const SPARE = 8;
/** Longer payloads are cut for the row before they are decoded. */
const PREVIEW_BYTES = 300;

export const STATES = {
  waiting: 'waiting for an ack',
  acked: 'acknowledged',
  auto: 'done when delivered',
  nacked: 'given back',
  delayed: 'delayed',
  buried: 'given up: a dead letter',
  again: 'delivered again since',
  failed: 'could not be settled',
  stored: 'looked at, not consumed',
  dead: 'a dead letter',
};

const decoder = new TextDecoder();
let list;
let sheet;
let pool = [];
let rowHeight = 32;
let follow = true;

function makeRow() {
  const parts = {
    state: el('i', { class: 'state' }),
    time: el('time'),
    partition: el('span', { class: 'num' }),
    sequence: el('span', { class: 'num seq' }),
    text: el('span', { class: 'text' }),
    again: el('span', { class: 'chip', hidden: true }),
    size: el('span', { class: 'num dim' }),
  };
  const node = el('div', { class: 'line', role: 'option' }, parts.state, parts.time, parts.partition, parts.sequence,
    el('span', { class: 'cell' }, parts.again, parts.text), parts.size);
  node.hidden = true;
  sheet.append(node);
  return { node, parts, id: undefined, state: undefined, index: -1, open: false };
}

/** Memphis: a dead letter that its pages sent again comes without a place in a partition. */
export const isResent = (message) => message.sequence === 0 && message.partition === 0;

/** The beginning of a payload on one line. */
export function preview(data) {
  const text = decoder.decode(data.byteLength > PREVIEW_BYTES ? data.subarray(0, PREVIEW_BYTES) : data);
  return text.replace(/\s+/g, ' ') || '(empty)';
}

function bind(slot, row, index) {
  const { node, parts } = slot;
  if (slot.index !== index) {
    slot.index = index;
    node.style.transform = `translateY(${index * rowHeight}px)`;
    node.setAttribute('aria-posinset', String(index + 1));
  }
  if (slot.id !== row.id) {
    slot.id = row.id;
    slot.state = undefined;
    const { message } = row;
    node.id = `row-${row.id}`;
    node.hidden = false;
    parts.time.textContent = clock(row.at);
    parts.partition.textContent = message.partition === 0 ? '–' : String(message.partition);
    parts.sequence.textContent = isResent(message) ? '–' : int(message.sequence);
    parts.text.textContent = preview(message.data);
    parts.size.textContent = bytes(message.data.byteLength);
    parts.again.hidden = message.deliveries < 2 && !isResent(message);
    parts.again.textContent = isResent(message) ? 're-sent' : `× ${message.deliveries}`;
    parts.again.title = isResent(message) ? 'a dead letter that the broker sent again' : `delivery ${message.deliveries}`;
  }
  if (slot.state !== row.state) {
    slot.state = row.state;
    node.dataset.state = row.state;
    parts.state.title = STATES[row.state];
    node.setAttribute('aria-label', `Partition ${row.message.partition}, sequence ${row.message.sequence}, ${STATES[row.state]}: ${parts.text.textContent}`);
  }
  const open = get('selected') === row.id;
  if (slot.open !== open) {
    slot.open = open;
    node.setAttribute('aria-selected', String(open));
  }
}

function drawNow() {
  const length = log.length();
  const height = list.clientHeight;
  sheet.style.height = `${length * rowHeight}px`;
  if (follow && length > 0) list.scrollTop = length * rowHeight;
  const first = Math.max(0, Math.floor(list.scrollTop / rowHeight) - SPARE);
  const wanted = Math.min(length - first, Math.ceil(height / rowHeight) + 2 * SPARE);
  const size = Math.ceil(height / rowHeight) + 2 * SPARE;
  while (pool.length < size) pool.push(makeRow());
  // A row keeps its element while it stays in sight: its place among the elements is its number modulo their count.
  for (let i = 0; i < pool.length; i += 1) {
    const index = first + ((i - (first % pool.length) + pool.length) % pool.length);
    const slot = pool[i];
    const row = index < first + wanted ? log.at(index) : undefined;
    if (row === undefined) {
      if (!slot.node.hidden) slot.node.hidden = true;
      slot.id = undefined;
    } else {
      bind(slot, row, index);
    }
  }
  const selected = log.indexOf(get('selected'));
  const drawn = selected >= first && selected < first + wanted;
  if (drawn) list.setAttribute('aria-activedescendant', `row-${get('selected')}`);
  else list.removeAttribute('aria-activedescendant');
  foot(length);
}

function foot(length) {
  const { total, bytes: size, dropped, kept, searching } = log.totals();
  const of = length === kept ? '' : ` of ${int(kept)}`;
  const gone = dropped > 0 ? `, the oldest ${int(dropped)} dropped` : '';
  $('#count').textContent = `${int(length)}${of} ${length === 1 && of === '' ? 'message' : 'messages'}${gone}${total > 0 ? ` · ${bytes(size)}` : ''}${searching ? ' · looking…' : ''}`;
  const empty = $('#list-empty');
  empty.hidden = length > 0;
  if (length > 0) return;
  const [title, text, label, button] = emptyState(kept);
  if (empty.dataset.title === title) return;
  empty.dataset.title = title;
  // The button presses the one of the form, so that there is one way to do it.
  empty.replaceChildren(el('p', { class: 'empty-title' }, title), el('p', {}, text),
    ...(label ? [el('button', { type: 'button', onclick: () => $(button).click() }, label)] : []));
}

function emptyState(kept) {
  if (kept > 0) return ['Nothing matches', 'No message on the board has this text in its payload, headers or id.'];
  if (get('station') === undefined) return ['No station yet', 'Create one, then produce to it and listen.', 'New station', '#new-station'];
  if (get('listening') === undefined) return ['Nobody listens', 'A consumer takes messages from the station, from the first one on.', 'Listen', '#listen'];
  return ['The platform is empty', 'Produce a message, or send a burst: it arrives here.'];
}

function select(index, focus = true) {
  const row = log.at(index);
  if (row === undefined) return;
  setFollow(false);
  set({ selected: row.id, peeked: undefined });
  const top = index * rowHeight;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + rowHeight > list.scrollTop + list.clientHeight) list.scrollTop = top + rowHeight - list.clientHeight;
  if (focus) list.focus({ preventScroll: true });
  draw();
}

function setFollow(on) {
  follow = on;
  $('#follow').checked = on;
  if (on) draw();
}

function onKey(event, openMessage) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const length = log.length();
  const now = log.indexOf(get('selected'));
  const page = Math.max(1, Math.floor(list.clientHeight / rowHeight) - 1);
  // Nothing is chosen yet: the first key chooses what is in sight.
  const from = now < 0 ? Math.floor(list.scrollTop / rowHeight) - 1 : now;
  const to = {
    ArrowDown: from + 1, ArrowUp: now < 0 ? length - 1 : from - 1, PageDown: from + page, PageUp: from - page, Home: 0, End: length - 1,
  }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    if (length > 0) select(Math.min(length - 1, Math.max(0, to)));
    return;
  }
  const row = now < 0 ? undefined : log.at(now);
  if (event.key === 'Enter' && row) openMessage();
  else if (event.key === 'a' && row) settle(row, 'ack').then(() => set({ lastSettle: { verb: 'ack' } }));
  else if (event.key === 'n' && row) settle(row, 'nack').then(() => set({ lastSettle: { verb: 'nack' } }));
  else if (event.key === 'f') setFollow(!follow);
}

export const draw = oncePerFrame(() => drawNow());

/** `openMessage` brings the opened message into sight where it does not stand beside the list. */
export function setUpList(openMessage) {
  list = $('#list');
  sheet = el('div', { class: 'sheet', role: 'presentation' });
  list.append(sheet);
  const measure = () => {
    const height = Number.parseFloat(getComputedStyle(list).getPropertyValue('--line-height')) || 32;
    if (height !== rowHeight) {
      rowHeight = height;
      for (const slot of pool) slot.index = -1;
    }
    draw();
  };
  new ResizeObserver(measure).observe(list);

  list.addEventListener('scroll', draw, { passive: true });
  // Only a hand on the list ends the following: the list's own scrolling does not.
  for (const kind of ['wheel', 'touchmove', 'pointerdown']) {
    list.addEventListener(kind, (event) => {
      if (kind === 'pointerdown' && event.target !== list) return;
      if (kind !== 'wheel' || event.deltaY < 0) setFollow(false);
    }, { passive: true });
  }
  list.addEventListener('click', (event) => {
    const slot = pool.find(({ node }) => node.contains(event.target));
    if (slot === undefined) return;
    select(slot.index);
    openMessage();
  });
  list.addEventListener('keydown', (event) => onKey(event, openMessage));
  $('#follow').addEventListener('change', (event) => setFollow(event.currentTarget.checked));

  let typing;
  $('#filter').addEventListener('input', (event) => {
    clearTimeout(typing);
    const { value } = event.target;
    typing = setTimeout(() => log.filter(value), 80);
  });
  $('#clear').addEventListener('click', () => {
    set({ selected: undefined });
    log.clear();
    setFollow(true);
  });
  log.onChange(draw);
  watch(['selected', 'station', 'listening'], draw);
  watch(['connection'], () => {
    if (get('connection') !== undefined) return;
    set({ selected: undefined, peeked: undefined });
    log.clear();
    setFollow(true);
  });
}
