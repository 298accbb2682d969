// Many messages: sent in batches by one producer, with progress and cancel, as fast as it goes or at a pace.

import { $, compact, int, nextTask, read, readNumber } from './dom.js';
import { describe, showError } from './errors.js';
import { count } from './rates.js';
import { beforeClose } from './link.js';
import { refreshSoon } from './stations.js';
import { get } from './store.js';
import { note } from './timeline.js';

/** Messages in one batch: many, since the link runs dry at the end of each; not all, since their texts are made at once. */
const BATCH = 2000;
/** With a pace, a batch leaves this often. */
const BEAT_MS = 100;

let cancel;

export function burstPlan(form) {
  return compact({
    count: readNumber(form, 'count') ?? 0,
    size: readNumber(form, 'size') ?? 0,
    template: form.elements.template.value,
    pace: Number(form.elements.pace.value),
    partitionKey: read(form, 'partitionKey'),
  });
}

function texts({ template, size }, from, n) {
  return Array.from({ length: n }, (_, i) => {
    const text = template.replaceAll('{n}', String(from + i + 1));
    return text.length < size ? text.padEnd(size, '.') : text;
  });
}

/** Sends it all, calling `show(stored, failed)` on the way. Resolves with both numbers and the first failure. */
async function run(plan, producer, signal, show) {
  const batch = plan.pace === 0 ? BATCH : Math.max(1, Math.round((plan.pace * BEAT_MS) / 1000));
  const began = performance.now();
  let stored = 0;
  let failed = 0;
  let first;
  for (let from = 0; from < plan.count && !signal.aborted && first === undefined; from += batch) {
    const n = Math.min(batch, plan.count - from);
    let told = 0;
    const onProgress = (done) => {
      count.produced += done - told;
      told = done;
      show(stored + done, failed);
    };
    try {
      await producer.produceBatch(texts(plan, from, n), compact({ partitionKey: plan.partitionKey, onProgress }));
      onProgress(n);
      stored += n;
    } catch (error) {
      const outcomes = error.outcomes;
      const good = outcomes ? outcomes.filter((one) => one.partition !== undefined).length : told;
      stored += good;
      failed += n - good;
      first = outcomes?.find((one) => one.partition === undefined) ?? error;
    }
    show(stored, failed);
    if (plan.pace > 0) await pause(began + ((from + n) / plan.pace) * 1000 - performance.now(), signal);
    else await nextTask();
  }
  return { stored, failed, first };
}

function pause(ms, signal) {
  if (ms <= 0 || signal.aborted) return nextTask();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}

async function send(form) {
  const plan = burstPlan(form);
  const bar = $('#burst-progress');
  const text = $('#burst-note');
  const stop = new AbortController();
  const station = get('station');
  const began = performance.now();
  const show = (stored) => {
    const part = plan.count === 0 ? 1 : stored / plan.count;
    bar.firstElementChild.style.transform = `scaleX(${part})`;
    bar.setAttribute('aria-valuenow', String(Math.round(part * 100)));
    text.textContent = `${int(stored)} of ${int(plan.count)} stored`;
  };
  show(0);
  bar.dataset.state = 'running';
  // With ids a burst survives a lost link: what has no outcome is sent again and stored once.
  const producer = await get('connection').producer(station, { autoMsgId: true });
  // The batch that is under way may finish; with the link down the producer ends it. Cheaper than a signal on every message.
  cancel = () => {
    stop.abort();
    producer.destroy().catch(() => {});
  };
  try {
    const { stored, failed, first } = await run(plan, producer, stop.signal, show);
    const seconds = (performance.now() - began) / 1000;
    const rate = `${seconds.toFixed(2)} s, ${int(Math.round(stored / seconds))} a second`;
    bar.dataset.state = stop.signal.aborted ? 'stopped' : failed > 0 ? 'failed' : 'done';
    text.textContent = stop.signal.aborted ? `Cancelled: ${int(stored)} of ${int(plan.count)} stored.` : `${int(stored)} stored in ${rate}.`;
    note(failed > 0 && !stop.signal.aborted ? 'bad' : 'note', `Burst to ${station}`, `${int(stored)} of ${int(plan.count)} in ${rate}`);
    if (first !== undefined && !stop.signal.aborted) {
      const { code } = describe(first);
      text.textContent = `${int(stored)} stored, ${int(failed)} not (${code}).`;
      throw first;
    }
  } finally {
    cancel = undefined;
    // A producer whose station or link is gone has nothing left to flush.
    await producer.destroy().catch(() => {});
    refreshSoon();
  }
}

export function setUpBurst() {
  const form = $('#burst-form');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if ($('#burst').disabled) return;
    showError('#burst-error');
    $('#burst').disabled = true;
    $('#burst-cancel').disabled = false;
    try {
      await send(form);
    } catch (error) {
      $('#burst-progress').dataset.state = 'failed';
      showError('#burst-error', error);
    } finally {
      $('#burst').disabled = get('station') === undefined;
      $('#burst-cancel').disabled = true;
    }
  });
  $('#burst-cancel').addEventListener('click', () => cancel?.());
  beforeClose(() => cancel?.());
}
