// One message, opened: where it stands, its headers, its payload as text, JSON or bytes, and what can be done with it.

import { $, bytes, clock, el, int } from './dom.js';
import { bring, why } from './dead.js';
import { errorCard } from './errors.js';
import { hexView } from './hex.js';
import { STATES, isResent } from './list.js';
import { settle } from './listen.js';
import * as log from './log.js';
import { get, set, watch } from './store.js';
import { jsonTree } from './tree.js';

/** Longer texts are cut, with a button for the rest. */
const MOST_TEXT = 20_000;
const GIVEN_UP = 'given up in the console';
const DELAYS = [['1 s', 1000], ['5 s', 5000], ['30 s', 30_000], ['5 min', 300_000]];
/** Two groups of eight bytes need this much room. */
const WIDE_HEX = 500;

let panel;
/** How payloads are shown: the last choice, or JSON where it parses. */
let chosenView;
let delayMs = 5000;
/** What the panel shows now, so that an arrival elsewhere does not build it anew. */
let drawn;

function json(message) {
  try {
    return { value: message.json() };
  } catch {
    return undefined;
  }
}

/** What the station's schema makes of bytes that are no JSON, if that is more than a text. */
function byItsSchema(message) {
  try {
    const value = message.decode();
    return typeof value === 'object' && !(value instanceof Uint8Array) ? value : undefined;
  } catch {
    return undefined;
  }
}

function textView(message) {
  const text = message.text();
  const pre = el('pre', { class: 'text-view', tabIndex: 0, 'aria-label': 'Text' }, text.slice(0, MOST_TEXT) || '(empty)');
  if (text.length <= MOST_TEXT) return pre;
  const more = el('button', { class: 'quiet small', type: 'button' }, `Show all ${int(text.length)} characters`);
  more.addEventListener('click', () => {
    pre.textContent = text;
    more.remove();
  });
  return el('div', {}, pre, more);
}

function payload(message) {
  const parsed = json(message);
  const views = {
    json: parsed && (() => jsonTree(parsed.value)),
    text: () => textView(message),
    hex: () => hexView(message.data, panel.clientWidth < WIDE_HEX ? 8 : 16),
  };
  const decoded = parsed === undefined ? byItsSchema(message) : undefined;
  if (decoded !== undefined) views.decoded = () => jsonTree(decoded);
  const box = el('div', { class: 'payload' });
  const buttons = {};
  const show = (name) => {
    for (const [key, button] of Object.entries(buttons)) button.setAttribute('aria-pressed', String(key === name));
    box.replaceChildren(views[name]());
  };
  for (const [name, label] of [...(decoded === undefined ? [['json', 'JSON']] : [['decoded', 'Decoded']]), ['text', 'Text'], ['hex', 'Hex']]) {
    buttons[name] = el('button', {
      type: 'button', disabled: !views[name], title: views[name] ? '' : 'Not JSON',
      onclick: () => {
        chosenView = name;
        show(name);
      },
    }, label);
  }
  show(chosenView && views[chosenView] ? chosenView : parsed ? 'json' : decoded === undefined ? 'text' : 'decoded');
  return [el('div', { class: 'sub-head' }, el('h3', {}, 'Payload'), el('div', { class: 'pressed', role: 'group', 'aria-label': 'Show as' }, Object.values(buttons))), box];
}

function headers(message) {
  const entries = Object.entries(message.headers);
  const head = el('div', { class: 'sub-head' }, el('h3', {}, 'Headers'), el('span', { class: 'fine' }, entries.length === 0 ? 'none' : int(entries.length)));
  if (entries.length === 0) return [head];
  return [head, el('table', { class: 'headers' }, el('tbody', {}, entries.map(([name, value]) => el('tr', {}, el('th', { scope: 'row' }, name), el('td', {}, value)))))];
}

function act(row, verb, ms) {
  settle(row, verb, ms).then(() => set({ lastSettle: { verb, ms } }));
}

function actions(row) {
  const can = row.state === 'waiting';
  const has = (feature) => get('connection')?.capabilities.has(feature);
  const choice = el('select', { 'aria-label': 'Delay by', disabled: !can }, DELAYS.map(([label, ms]) => el('option', { value: String(ms), selected: ms === delayMs }, label)));
  choice.addEventListener('change', () => {
    delayMs = Number(choice.value);
  });
  const button = (label, verb, feature, title, ms) => el('button', {
    type: 'button', disabled: !can || !has(feature) || (verb !== 'ack' && isResent(row.message)), title, 'data-verb': verb, class: verb === 'ack' ? 'primary' : '', onclick: () => act(row, verb, ms?.()),
  }, label);
  return el('div', { class: 'actions' },
    button('Ack', 'ack', 'ack', 'Done with it (A)'),
    button('Nack', 'nack', 'nack', 'Deliver again at once (N)'),
    el('span', { class: 'joined' }, button('Delay', 'delay', 'delay', 'Deliver again, not before', () => delayMs), choice),
    button('More time', 'inProgress', 'in_progress', 'Start the ack time again'),
    button('Give up', 'deadLetter', 'nack', 'Never again: to the dead letters', () => GIVEN_UP));
}

function standing(row) {
  if (row.state === 'delayed') return `delayed until ${clock(row.until, false)}`;
  return STATES[row.state];
}

/** What can be done with a dead letter. */
function lastActions(letter) {
  return el('div', { class: 'actions' },
    el('button', { type: 'button', class: 'primary', 'data-verb': 'resend', title: 'Into its station, as a new message', onclick: () => bring(letter, 'resend') }, 'Resend'),
    el('button', { type: 'button', 'data-verb': 'discard', title: 'Forget it', onclick: () => bring(letter, 'discard') }, 'Discard'));
}

function frame(one) {
  return [
    el('div', { class: 'message-head' },
      el('h2', {}, one.direction === 'in' ? 'Received' : 'Sent'),
      el('p', { class: 'standing' }, one.summary)),
    el('dl', { class: 'pairs' }, fact('At', clock(one.at.getTime())), fact('Bytes', int(one.bytes))),
    el('div', { class: 'sub-head' }, el('h3', {}, 'Bytes')),
    el('div', { class: 'payload' }, hexView(one.data, panel.clientWidth < WIDE_HEX ? 8 : 16)),
  ];
}

const fact = (label, value) => (value === undefined ? undefined : [el('dt', {}, label), el('dd', {}, value)]);

function opened(row) {
  const { message } = row;
  return [
    el('div', { class: 'message-head' },
      el('h2', {}, el('span', {}, message.station), isResent(message) ? ' re-sent' : ` #${int(message.sequence)}`),
      el('p', { class: 'standing', 'data-state': row.state }, el('i', { class: 'state' }), standing(row))),
    row.state === 'dead' ? lastActions(message) : row.state === 'stored' ? undefined : actions(row),
    row.error && errorCard(row.error),
    el('dl', { class: 'pairs' },
      row.state === 'dead' && fact('Died of', why(message)),
      row.state === 'dead' && fact('Group', message.group),
      fact('Partition', message.partition === 0 ? undefined : int(message.partition)),
      isResent(message) ? fact('Re-sent', 'a dead letter, sent again to this group') : fact('Stored', `${message.timestamp.toLocaleDateString()} ${clock(message.timestamp.getTime())}`),
      fact('Expires', message.expiresAt && `${message.expiresAt.toLocaleDateString()} ${clock(message.expiresAt.getTime())}`),
      row.at !== undefined && fact('Arrived', clock(row.at)),
      message.deliveries !== undefined && fact('Delivery', message.deliveries === 1 ? 'first' : `number ${int(message.deliveries)}`),
      fact('Size', bytes(message.data.byteLength)),
      fact('Message id', message.msgId)),
    ...headers(message),
    ...payload(message),
  ].filter(Boolean);
}

function draw() {
  const peeked = get('peeked');
  if (peeked !== undefined) {
    if (drawn?.peeked === peeked) return;
    drawn = { peeked };
    panel.replaceChildren(...(peeked.kind === 'frame' ? frame(peeked.item) : opened({ message: peeked.item, state: peeked.kind })));
    return;
  }
  const row = log.byId(get('selected') ?? -1);
  if (drawn !== undefined && drawn.peeked === undefined && drawn.id === row?.id && drawn.state === row?.state) return;
  const focused = panel.contains(document.activeElement) ? document.activeElement.dataset.verb : undefined;
  drawn = { id: row?.id, state: row?.state };
  if (row === undefined) {
    panel.replaceChildren(el('div', { class: 'empty' }, el('p', { class: 'empty-title' }, 'No message open'),
      el('p', {}, 'Choose one on the board with a click or the arrow keys. ', el('kbd', {}, 'A'), ' acknowledges it, ', el('kbd', {}, 'N'), ' gives it back.')));
    return;
  }
  panel.replaceChildren(...opened(row));
  if (focused) (panel.querySelector(`[data-verb=${focused}]:enabled`) ?? panel.querySelector('.pressed button:enabled'))?.focus();
}

export function setUpDetail() {
  panel = $('#panel-message');
  log.onChange((what) => {
    if (what === 'row' || what === 'rows') draw();
  });
  watch(['selected', 'peeked', 'connection'], draw);
}
