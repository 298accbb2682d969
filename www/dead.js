// Messages that a group gave up on or that failed the schema: what they were, why they died, and back into their station.

import { $, clock, el, int } from './dom.js';
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
    label: (letter) => `Sequence ${letter.sequence} of partition ${letter.partition}, ${why(letter)}`,
    cells: (letter) => [
      el('time', {}, clock(letter.timestamp.getTime())), el('span', { class: 'num' }, String(letter.partition)), el('span', { class: 'num seq' }, int(letter.sequence)),
      el('span', { class: 'text' }, preview(letter.data)), el('span', { class: 'cause' }, why(letter)),
    ],
    open: (item) => {
      set({ peeked: { kind: 'dead', item } });
      openMessage();
    },
  });
  $('#dead-refresh').addEventListener('click', () => busy($('#dead-refresh'), $('#dead-error'), look));
  $('#dead-resend-all').addEventListener('click', () => busy($('#dead-resend-all'), $('#dead-error'), resendAll));
  watch(['station', 'connection'], () => {
    rows.clear();
    $('#dead-note').textContent = 'Not looked yet.';
    $('#dead-resend-all').disabled = true;
    $('#dead-refresh').disabled = get('station') === undefined;
  });
}
