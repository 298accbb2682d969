// Questions and answers: one half of the view asks, the other responds. Both use this page's connection; another page, or a
// program, may be on either end.

import { $, clock, compact, el, read, readNumber } from './dom.js';
import { busy, describe } from './errors.js';
import { beforeClose } from './link.js';
import { get, watch } from './store.js';
import { note } from './timeline.js';

const KEEP = 100;

let responder;

function say(list, kind, title, text, more) {
  list.prepend(el('li', { 'data-kind': kind },
    el('p', {}, el('time', {}, clock(Date.now())), ` ${title}`, more && el('span', { class: 'fine' }, ` ${more}`)),
    text !== undefined && el('pre', {}, text || '(empty)')));
  while (list.childElementCount > KEEP) list.lastElementChild.remove();
}

/** As the form has them. Also read by the code panel. */
export function question() {
  const form = $('#ask-form');
  return { channel: read(form, 'channel'), payload: form.elements.payload.value, options: compact({ timeoutMs: readNumber(form, 'timeoutMs') }) };
}

async function ask() {
  const { channel, payload, options } = question();
  const log = $('#ask-log');
  const began = performance.now();
  try {
    const reply = await get('connection').request(channel, payload, options);
    const took = `${(performance.now() - began).toFixed(1)} ms`;
    if (reply.executed) say(log, 'good', channel, reply.text(), took);
    else say(log, 'bad', `${channel} failed`, reply.error ?? '', took);
  } catch (error) {
    const { code, text } = describe(error);
    say(log, 'bad', `${channel}: ${code}`, text, `${(performance.now() - began).toFixed(1)} ms`);
  }
}

/** As the form has them. Also read by the code panel. */
export function answering() {
  const form = $('#respond-form');
  return {
    channel: read(form, 'channel'), options: compact({ group: read(form, 'group') }), answer: form.elements.answer.value, pause: readNumber(form, 'pause') ?? 0, fails: form.elements.fails.checked,
  };
}

const pausing = (ms) => new Promise((resolve) => {
  setTimeout(resolve, ms);
});

async function start() {
  const { channel, options } = answering();
  const started = await get('connection').respond(channel, async (request) => {
    const text = request.text();
    say($('#respond-log'), 'good', request.channel, text);
    // The form counts as it stands now, so that answers can be changed while it runs.
    const { answer, pause, fails } = answering();
    if (pause > 0) await pausing(pause);
    if (fails) throw new Error(answer);
    return answer.replaceAll('{question}', text);
  }, options);
  responder = started;
  draw();
  note('good', `Responding on ${channel}`, options.group && `group ${options.group}`);
  started.closed.then((error) => {
    if (responder !== started) return;
    responder = undefined;
    if (error) note('bad', `Responding on ${channel} ended`, `${describe(error).code}: ${describe(error).text}`);
    draw();
  });
}

async function stop() {
  const stopping = responder;
  if (stopping === undefined) return;
  responder = undefined;
  draw();
  await stopping.stop();
  note('note', `Stopped responding on ${stopping.channel}`);
}

function draw() {
  const on = responder !== undefined;
  $('#respond').textContent = on ? 'Stop responding' : 'Respond';
  $('#respond').classList.toggle('primary', !on);
  const { channel, group } = $('#respond-form').elements;
  channel.disabled = on;
  group.disabled = on;
}

export function setUpRequests() {
  $('#ask-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#ask'), $('#ask-error'), ask);
  });
  $('#respond-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#respond'), $('#respond-error'), () => (responder === undefined ? start() : stop()));
  });
  beforeClose(stop);
  watch(['connection'], () => {
    if (get('connection') !== undefined) return;
    responder = undefined;
    draw();
    $('#ask-log').replaceChildren();
    $('#respond-log').replaceChildren();
  });
}
