// The consumer: starts it with the options of the form, files what arrives, and does to a message what its buttons say.

import { $, clock, compact, nextTask, read, readNumber } from './dom.js';
import { busy, toast } from './errors.js';
import * as log from './log.js';
import { count } from './rates.js';
import { beforeClose } from './link.js';
import { get, set, watch } from './store.js';
import { note } from './timeline.js';

/** Arrivals are filed for at most this long before the page may paint and read input. */
const SLICE_MS = 8;

let consumer;
let running;

const START_LABELS = { sequence: 'Sequence', time: 'Date and time', lastMessages: 'How many' };
const START_HOLDERS = { sequence: '1', time: 'datetime', lastMessages: '100' };

function readStart(form) {
  const kind = form.elements.start.value;
  const value = read(form, 'startValue');
  if (kind === 'first') return undefined;
  if (kind === 'sequence') return { sequence: Number(value ?? 1) };
  if (kind === 'lastMessages') return { lastMessages: Number(value ?? 100) };
  if (kind === 'time') return { time: new Date(value ?? Date.now()) };
  return kind;
}

/** The consumer's options as the form has them. Also read by the code panel. */
export function listenOptions() {
  const form = $('#listen-form');
  return compact({
    consumerGroup: read(form, 'consumerGroup'),
    consumerName: read(form, 'consumerName'),
    start: readStart(form),
    maxAckTimeMs: readNumber(form, 'maxAckTimeMs'),
    maxMsgDeliveries: readNumber(form, 'maxMsgDeliveries'),
    autoAck: form.elements.autoAck.checked || undefined,
  });
}

export async function startListening(options) {
  await stopListening();
  // One of our own: what consume() keeps behind the scenes would go on with the options of its first call.
  const started = await get('connection').consumer(get('station'), options);
  consumer = started;
  set({ listening: { name: started.name, group: started.group, station: started.station, autoAck: options.autoAck === true } });
  note('good', `Listening to ${started.station}`, `group ${started.group}`);
  running = take(started, options.autoAck === true);
}

export async function stopListening() {
  const stopping = consumer;
  if (stopping === undefined) return;
  consumer = undefined;
  set({ listening: undefined });
  note('note', `Stopped listening to ${stopping.station}`);
  // Leaves the group too if it has no name; a named one stands where it is for the next start.
  await stopping[Symbol.asyncDispose]();
  await running;
}

async function take(from, autoAck) {
  let since = performance.now();
  try {
    for await (const message of from) {
      arrive(message, autoAck);
      if (performance.now() - since > SLICE_MS) {
        await nextTask();
        since = performance.now();
      }
    }
  } catch (error) {
    toast(error);
    note('bad', `Listening to ${from.station} ended`, `${error.code ?? error.name}: ${error.message}`);
  } finally {
    if (consumer === from) {
      consumer = undefined;
      set({ listening: undefined });
    }
  }
}

function arrive(message, autoAck) {
  count.received += 1;
  if (autoAck) {
    log.add(message, 'auto');
    return;
  }
  const row = log.add(message, 'waiting');
  if (get('ackOnArrival')) settle(row, 'ack');
}

/** One of "ack", "nack", "delay", "deadLetter" and "inProgress" on one row, with its argument; what fails is kept with the row. */
export async function settle(row, verb, argument) {
  const { message } = row;
  if (row.state !== 'waiting') return;
  const state = { ack: 'acked', nack: 'nacked', delay: 'delayed', deadLetter: 'buried', inProgress: 'waiting' }[verb];
  if (verb !== 'inProgress') {
    count.settled += 1;
    log.settle(row, state, { until: verb === 'delay' ? Date.now() + argument : undefined });
  }
  try {
    await (argument === undefined ? message[verb]() : message[verb](argument));
  } catch (error) {
    log.settle(row, 'failed', { error });
  }
}

export function setUpListen() {
  const form = $('#listen-form');
  const adapt = () => {
    const kind = form.elements.start.value;
    const box = $('#start-value');
    box.hidden = START_LABELS[kind] === undefined;
    $('span', box).textContent = START_LABELS[kind] ?? 'Value';
    const input = form.elements.startValue;
    input.type = kind === 'time' ? 'datetime-local' : 'number';
    input.placeholder = START_HOLDERS[kind] ?? '';
  };
  form.elements.start.addEventListener('change', () => {
    form.elements.startValue.value = '';
    adapt();
  });
  adapt();

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#listen'), $('#listen-error'), async () => {
      if (consumer !== undefined) {
        await stopListening();
      } else {
        await startListening(listenOptions());
      }
    });
  });

  $('#ack-arrival').addEventListener('change', (event) => set({ ackOnArrival: event.currentTarget.checked }));
  beforeClose(stopListening);
  watch(['connection'], () => {
    if (get('connection') === undefined) {
      consumer = undefined;
      set({ listening: undefined });
    }
  });
  watch(['listening'], () => {
    const listening = get('listening');
    $('#listen').textContent = listening ? 'Stop listening' : 'Listen';
    $('#listen').classList.toggle('primary', !listening);
    for (const part of form.elements) if (part !== $('#listen')) part.disabled = listening !== undefined;
    $('#listen-note').textContent = listening
      ? `Since ${clock(Date.now(), false)} as ${listening.name}, group ${listening.group}.`
      : 'A group shares messages among its members; groups do not see each other.';
    $('#ack-arrival').disabled = listening?.autoAck === true;
  });
}
