// Bytes as a table of sixteen (eight on a phone) a line: offset, hexadecimal, text. Long payloads are shown a part at a time.

import { bytes, el } from './dom.js';
import { inputError } from './errors.js';

const PART = 4096;
const two = (n) => n.toString(16).padStart(2, '0');

function lines(data, from, to, width) {
  const out = [];
  for (let at = from; at < to; at += width) {
    const part = data.subarray(at, Math.min(at + width, to));
    const hex = Array.from(part, two);
    const pairs = [];
    for (let i = 0; i < width; i += 8) pairs.push(hex.slice(i, i + 8).join(' ').padEnd(23));
    const text = Array.from(part, (b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : '·')).join('');
    out.push(el('span', { class: 'offset' }, at.toString(16).padStart(6, '0')), `  ${pairs.join('  ')}  `, el('span', { class: 'ascii' }, text), '\n');
  }
  return out;
}

export function hexView(data, width = 16) {
  const pre = el('pre', { class: 'hex', tabIndex: 0, 'aria-label': 'Bytes' });
  if (data.byteLength === 0) return el('p', { class: 'fine' }, 'No bytes.');
  let shown = 0;
  const more = el('button', { class: 'quiet small', type: 'button' });
  const next = () => {
    const to = Math.min(data.byteLength, shown + PART);
    pre.append(...lines(data, shown, to, width));
    shown = to;
    more.hidden = shown === data.byteLength;
    more.textContent = `Show more (${bytes(data.byteLength - shown)} left)`;
  };
  more.addEventListener('click', next);
  next();
  return el('div', {}, pre, more);
}

/** "de ad be ef" (spaces, commas and 0x are welcome) as bytes. */
export function parseHex(text) {
  const digits = text.replace(/0x|[\s,]/gi, '');
  const wrong = /[^0-9a-f]/i.exec(digits);
  if (wrong) throw inputError(`“${wrong[0]}” is not a hexadecimal digit`);
  if (digits.length % 2 === 1) throw inputError('Half a byte at the end: the number of digits is odd');
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16));
}
