// What happened to the link and in this page, newest first. A list of stops on a line; keeps the last few hundred.

import { $, clock, el, oncePerFrame } from './dom.js';

const KEEP = 300;
const entries = [];
let line;

/** kind: "good", "bad", "wait" or "note"; a repeat of the newest entry only counts up. */
export function note(kind, text, detail) {
  const newest = entries[0];
  if (newest && newest.kind === kind && newest.text === text && newest.detail === detail) {
    newest.times += 1;
    newest.at = Date.now();
  } else {
    entries.unshift({ kind, text, detail, at: Date.now(), times: 1 });
    entries.length = Math.min(entries.length, KEEP);
  }
  draw();
}

const draw = oncePerFrame(() => {
  line ??= $('#timeline');
  line.replaceChildren(...entries.map(({ kind, text, detail, at, times }) =>
    el('li', { 'data-kind': kind },
      el('time', { dateTime: new Date(at).toISOString() }, clock(at)),
      el('div', {},
        el('p', {}, text, times > 1 ? el('span', { class: 'chip' }, `× ${times}`) : undefined),
        detail && el('p', { class: 'fine' }, detail)))));
});
