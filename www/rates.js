// Counters of this page and of the package, sampled once a second, each drawn as a number and a small line.

import { $, bytes, el, int, short } from './dom.js';
import { get, watch } from './store.js';

/** What the other modules count; only ever rises. */
export const count = { produced: 0, received: 0, settled: 0 };

const SAMPLE_MS = 1000;
/** Samples in a line: a minute. */
const KEEP = 60;

const TILES = [
  { key: 'produced', label: 'Produced', unit: '/s', tone: 'out', rate: true, value: () => count.produced },
  { key: 'received', label: 'Received', unit: '/s', tone: 'in', rate: true, value: () => count.received },
  { key: 'settled', label: 'Settled', unit: '/s', tone: 'done', rate: true, value: () => count.settled },
  { key: 'pending', label: 'Pending', unit: '', tone: 'wait', rate: false, value: (stats) => stats?.pendingMessages ?? 0 },
];

const tiles = new Map();

function build(box) {
  for (const { key, label, unit, tone } of TILES) {
    const number = el('b', {}, '0');
    const canvas = el('canvas', { 'data-tone': tone, role: 'img', 'aria-label': `${label}, last minute` });
    tiles.set(key, { number, canvas, samples: [], last: 0 });
    box.append(el('div', { class: 'rate' }, el('span', {}, label), el('p', {}, number, unit && el('small', {}, unit)), canvas));
  }
}

function draw(canvas, samples) {
  const { clientWidth: width, clientHeight: height } = canvas;
  if (width === 0) return;
  const scale = devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  const pen = canvas.getContext('2d');
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  const { color } = getComputedStyle(canvas);
  const top = Math.max(1, ...samples);
  const x = (i) => width - 2 - ((samples.length - 1 - i) * (width - 3)) / (KEEP - 1);
  const y = (v) => height - 1.5 - (v / top) * (height - 5);
  pen.globalAlpha = 0.35;
  pen.strokeStyle = color;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(0, height - 1);
  pen.lineTo(width, height - 1);
  pen.stroke();
  if (samples.length < 2) return;
  pen.beginPath();
  samples.forEach((v, i) => (i === 0 ? pen.moveTo(x(i), y(v)) : pen.lineTo(x(i), y(v))));
  pen.globalAlpha = 1;
  pen.lineWidth = 1.6;
  pen.lineJoin = 'round';
  pen.stroke();
  pen.lineTo(x(samples.length - 1), height);
  pen.lineTo(x(0), height);
  pen.globalAlpha = 0.12;
  pen.fillStyle = color;
  pen.fill();
}

function drawAll() {
  for (const { canvas, samples } of tiles.values()) draw(canvas, samples);
}

export function setUpRates() {
  build($('#rates'));
  let at = performance.now();
  const sample = () => {
    const now = performance.now();
    // A throttled or frozen tab samples late: the rate is over the time that really went by.
    const seconds = Math.max(0.001, (now - at) / 1000);
    at = now;
    const stats = get('connection')?.stats();
    for (const { key, rate, value } of TILES) {
      const tile = tiles.get(key);
      const total = value(stats);
      const shown = rate ? (total - tile.last) / seconds : total;
      tile.last = total;
      tile.samples.push(shown);
      if (tile.samples.length > KEEP) tile.samples.shift();
      tile.number.textContent = short(shown);
    }
    if (stats !== undefined) {
      const resent = stats.reconnects > 0 ? ` · reconnected ${int(stats.reconnects)} ×` : '';
      $('#foot-note').textContent = `wasm ${bytes(stats.wasmMemoryBytes)}${resent}`;
    }
    drawAll();
  };
  addEventListener('themechange', drawAll);
  new ResizeObserver(drawAll).observe($('#rates'));
  let timer;
  watch(['connection'], () => {
    clearInterval(timer);
    if (get('connection') === undefined) return;
    for (const { key, value } of TILES) Object.assign(tiles.get(key), { samples: [], last: value() });
    at = performance.now();
    timer = setInterval(sample, SAMPLE_MS);
    sample();
  });
}
