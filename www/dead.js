// Messages that a group gave up on or that failed the schema: what they were, why they died, and back into their station. Where
// the broker does not list them to clients, what can be read is the station that gets copies of them.

import { $, clock, el, int, read } from './dom.js';
import { busy, toast } from './errors.js';
import { preview } from './list.js';
import { refreshSoon } from './stations.js';
import { get, set, watch } from './store.js';
import { table } from './table.js';
import { note } from './timeline.js';

const REASONS = { deliveries: 'too many deliveries', rejected: 'given up', schema: 'schema' };

let rows;

export const why = (letter) => [REASONS[letter.reason] ?? letter.reason, letter.detail].filter(Boolean).join(': ');

async function look() {
  const name = get('station');
  rows.clear();
  const station = await get('connection').station(name);
  for await (const letter of station.deadLetters()) rows.add(letter);
  if (get('station') === name) tell();
}

function tell() {
  const count = rows.items().length;
  $('#dead-resend-all').disabled = count === 0;
  $('#dead-note').textContent = count === 0 ? 'No dead letters.' : `${int(count)} dead ${count === 1 ? 'letter' : 'letters'} of ${get('station')}`;
}

/** The copies of one station's dead letters, or of several that share it. */
async function lookAtCopies() {
  const name = read($('#copies-form'), 'dlsStation');
  rows.clear();
  const station = await get('connection').station(name);
  for await (const message of station.browse()) rows.add({ ...died(message), message });
  const count = rows.items().length;
  $('#dead-note').textContent = count === 0 ? `${name} holds no copies.` : `${int(count)} ${count === 1 ? 'copy' : 'copies'} in ${name}`;
}

const sentence = (text = '') => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;

/** Memphis says in two headers where a copy comes from and which way it died. */
const WAYS = { unacked: 'not acked', failed_schema: 'schema' };
const died = ({ headers }) => ({ cause: [WAYS[headers.type] ?? headers.type, headers.station].filter(Boolean).join(', from ') });

/** What a row of either kind shows: a dead letter, or a copy of one with what its headers tell. */
const letterOf = (item) => item.message ?? item;
const causeOf = (item) => item.cause ?? why(item);

/** Into its station again, or forgotten; either way it leaves the list. */
export async function bring(letter, verb) {
  try {
    const receipt = await letter[verb]();
    rows.remove(letter);
    if (get('peeked')?.item === letter) set({ peeked: undefined });
    note('note', verb === 'resend' ? `Resent to ${letter.station}` : `Dead letter of ${letter.station} discarded`, receipt && `partition ${receipt.partition}, sequence ${int(receipt.sequence)}`);
    tell();
    refreshSoon();
    return true;
  } catch (error) {
    toast(error);
    return false;
  }
}

async function resendAll() {
  // One after the other, in the order they died; the first failure ends it.
  for (const letter of rows.items()) if (!(await bring(letter, 'resend'))) return;
}

export function setUpDead(openMessage) {
  rows = table($('#dead-rows'), {
    label: (item) => `Sequence ${letterOf(item).sequence} of partition ${letterOf(item).partition}, ${causeOf(item)}`,
    cells: (item, letter = letterOf(item)) => [
      el('time', {}, clock(letter.timestamp.getTime())), el('span', { class: 'num' }, String(letter.partition)), el('span', { class: 'num seq' }, int(letter.sequence)),
      el('span', { class: 'text' }, preview(letter.data)), el('span', { class: 'cause' }, causeOf(item)),
    ],
    open: (item) => {
      set({ peeked: item.message ? { kind: 'stored', item: item.message } : { kind: 'dead', item } });
      openMessage();
    },
  });
  $('#dead-refresh').addEventListener('click', () => busy($('#dead-refresh'), $('#dead-error'), look));
  $('#copies-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#copies-look'), $('#dead-error'), lookAtCopies);
  });
  $('#dead-resend-all').addEventListener('click', () => busy($('#dead-resend-all'), $('#dead-error'), resendAll));
  watch(['station', 'connection'], () => {
    rows.clear();
    const { capabilities } = get('connection') ?? {};
    const lists = capabilities?.has('dead_letters') !== false;
    $('#copies-form').hidden = lists;
    $('#copies-why').textContent = lists ? '' : `${sentence(capabilities.why('dead_letters'))} What its pages send again arrives on the board; a station made with “Copies of dead letters to” has the copies.`;
    const { dlsStation } = get('stationOptions');
    if (dlsStation) $('#copies-form').elements.dlsStation.value = dlsStation;
    $('#dead-note').textContent = 'Not looked yet.';
    $('#dead-resend-all').disabled = true;
    $('#dead-refresh').disabled = get('station') === undefined;
  });
}
