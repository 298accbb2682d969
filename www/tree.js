// A JSON value as a tree that folds. Branches are built when they are opened, long ones a part at a time.

import { el, int } from './dom.js';

const PART = 100;

const isBranch = (value) => value !== null && typeof value === 'object';

function leaf(value) {
  const kind = value === null ? 'null' : typeof value;
  return el('span', { class: `json-${kind}` }, kind === 'string' ? JSON.stringify(value) : String(value));
}

function branch(key, value, open) {
  const list = Array.isArray(value);
  const entries = list ? value.map((one, i) => [i, one]) : Object.entries(value);
  const size = `${list ? '[' : '{'} ${int(entries.length)} ${list ? ']' : '}'}`;
  const body = el('div', { class: 'branch' });
  const details = el('details', { open }, el('summary', {}, key, el('span', { class: 'fine' }, size)), body);
  let built = 0;
  const grow = () => {
    const part = entries.slice(built, built + PART);
    built += part.length;
    body.append(...part.map(([name, one]) => node(name, one, false)));
    if (built < entries.length) {
      const more = el('button', { class: 'quiet small', type: 'button' }, `${int(entries.length - built)} more`);
      more.addEventListener('click', () => {
        more.remove();
        grow();
      });
      body.append(more);
    }
  };
  if (open) grow();
  details.addEventListener('toggle', () => {
    if (details.open && built === 0) grow();
  });
  return details;
}

function node(name, value, open) {
  const key = name === undefined ? undefined : el('span', { class: 'key' }, `${name}: `);
  return isBranch(value) ? branch(key, value, open) : el('div', { class: 'leaf' }, key, leaf(value));
}

export const jsonTree = (value) => el('div', { class: 'json' }, node(undefined, value, true));
