// Turns cells into tables, for the terminal and as Markdown. Knows nothing of how the cells were made.

import { rows, targetOf } from './rows.mjs';

const RUNTIMES = { chromium: 'Chromium page', worker: 'Web Worker in Chromium', node: 'Node' };

export const runtimeTitle = (runtime) => RUNTIMES[runtime];

/** Cells of one runtime -> one line a row: medians, spreads, ratios and whether the targets are met. */
export function summarize(cells, runtime, wanted) {
  return rows
    .filter(({ id, behind }) => !behind && (wanted.length === 0 || wanted.includes(id)))
    .map((row) => {
      const of = (who) => spread(cells.filter((cell) => cell.row === row.id && cell.who === who && cell.rate !== undefined).map(({ rate }) => rate));
      const [ours, peer, raw] = ['ours', 'peer', 'raw'].map(of);
      const ratio = (other) => (ours === undefined || other === undefined ? undefined : ours.median / other.median);
      const target = targetOf(row, runtime);
      const ratios = { peer: ratio(peer), raw: ratio(raw) };
      const known = Object.keys(target).length > 0 && Object.keys(target).every((versus) => ratios[versus] !== undefined);
      const met = Object.entries(target).every(([versus, least]) => ratios[versus] >= least);
      return { id: row.id, title: row.title, ours, peer, raw, ratios, target, ok: known ? met : undefined };
    });
}

/** The same of the rows behind the stand-in of Memphis. */
export function summarizeBehind(cells, wanted) {
  return rows
    .filter(({ id, behind }) => behind && (wanted.length === 0 || wanted.includes(id)))
    .map((row) => {
      const of = (who) => spread(cells.filter((cell) => cell.row === row.id && cell.who === who && cell.rate !== undefined).map(({ rate }) => rate));
      const [memphis, nats, alike] = ['memphis', 'nats', 'alike'].map(of);
      const ratio = memphis && nats && memphis.median / nats.median;
      return { title: row.title, memphis, nats, alike, ratio, alikeRatio: memphis && alike && memphis.median / alike.median, least: row.target.nats, ok: ratio === undefined ? undefined : ratio >= row.target.nats };
    });
}

function spread(values) {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, least: sorted[0], most: sorted.at(-1) };
}

const rate = (figure) => (figure === undefined ? '-' : Math.round(figure.median).toLocaleString('en-US'));
const range = (figure) => (figure === undefined ? '' : ` (${thousands(figure.least)}..${thousands(figure.most)})`);
const thousands = (value) => value < 1000 ? String(Math.round(value)) : `${(value / 1000).toFixed(value < 100_000 ? 1 : 0)}k`;
const times = (value) => (value === undefined ? '-' : `${value.toFixed(2)}x`);
const targetText = (target) =>
  Object.entries(target)
    .map(([versus, least]) => (versus === 'peer' ? `${least}x nats.js` : `${Math.round(least * 100)} % of raw`))
    .join(', ');
const verdict = (ok) => (ok === undefined ? '-' : ok ? 'yes' : 'NO');

const HEAD = ['row', 'ours msg/s', 'nats.js msg/s', 'raw msg/s', 'ours / nats.js', 'ours / raw', 'target', 'ok'];

export const BEHIND_INTRO = "The package as a client of Memphis beside itself as a client of NATS, both behind the stand-in of `tests/stand-in/memphis`, which reads every message, so that the figures mean something only beside each other:";
export const BEHIND_HEAD = ['row', 'memphis msg/s', 'nats msg/s', 'nats, as many bytes', 'memphis / nats', 'with as many bytes', 'target', 'ok'];
export const behindLine = ({ title, memphis, nats, alike, ratio, alikeRatio, least, ok }) => [title, rate(memphis) + range(memphis), rate(nats) + range(nats), rate(alike) + range(alike), times(ratio), times(alikeRatio), `${least}x`, verdict(ok)];

function line({ title, ours, peer, raw, ratios, target, ok }) {
  return [
    title,
    rate(ours) + range(ours),
    rate(peer) + range(peer),
    rate(raw) + range(raw),
    times(ratios.peer),
    times(ratios.raw),
    targetText(target),
    verdict(ok),
  ];
}

export function asText(summary, head = HEAD, of = line) {
  const table = [head, ...summary.map(of)];
  const widths = head.map((_, column) => Math.max(...table.map((line) => line[column].length)));
  return table
    .map((line) => line.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  '))
    .join('\n');
}

export function asMarkdown(summary, head = HEAD, of = line) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  return [row(head), row(['---', ...head.slice(1).map(() => '---:')]), ...summary.map((one) => row(of(one)))].join('\n');
}

const mebibytes = (value) => `${(value / 1024 / 1024).toFixed(2)} MiB`;

/** The memory run: wasm stays under 8 MiB and the heap comes back to within 2 MiB, which is what a collector leaves in tables. */
export function memoryText({ messages, pending, wasmPeakBytes, heapBefore, heapAfter, seconds }) {
  const ok = wasmPeakBytes < 8 * 1024 * 1024 && (heapBefore === 0 || heapAfter - heapBefore < 2 * 1024 * 1024);
  const heap = heapBefore === 0 ? 'the runtime does not tell its heap' : `heap ${mebibytes(heapBefore)} before, ${mebibytes(heapAfter)} after`;
  return {
    ok,
    text:
      `${messages.toLocaleString('en-US')} messages produced and consumed with ${pending.toLocaleString('en-US')} pending in ${seconds.toFixed(1)} s: ` +
      `wasm memory at most ${mebibytes(wasmPeakBytes)} (limit 8 MiB), ${heap}: ${ok ? 'ok' : 'NOT ok'}`,
  };
}

/** Where publish spends its time, in milliseconds: the loop without what the socket takes of it, that, and what follows. */
export function splitText(entries) {
  const names = [...new Set(entries.map(({ split }) => split))];
  const head = ['least..median, ms', 'calls', 'send()', 'rest', 'all'];
  const of = (name, time) => {
    const { least, median } = spread(entries.filter(({ split }) => split === name).map(time));
    return `${least.toFixed(1)}..${median.toFixed(1)}`;
  };
  const lines = names.map((name) => [
    name,
    of(name, ({ loop, send }) => loop - send),
    of(name, ({ send }) => send),
    of(name, ({ rest }) => rest),
    of(name, ({ loop, rest }) => loop + rest),
  ]);
  return `\n${asText(lines, head, (cells) => cells)}`;
}
