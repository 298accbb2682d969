// What a page downloads: the default entry bundled and minified by esbuild, with chunks for what is loaded later, plus the wasm, each
// file gzip -9. "First" is what a page fetches to connect to nats and to produce; whatever else it uses comes on top, and is listed
// part by part. Beside it the client most people would use otherwise. Ends with 1 when the first download is over the budget.

import { readFile, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { root, tool, tools } from './lib/tools.mjs';

/** For connecting and producing: 80 for NATS and memory, 8 for live messages, 6 for Memphis. Kilobytes of 1000, as browsers show them. */
const BUDGET = 94_000;
/**
 * What it weighs at present, rounded up: within the budget, and `make test` (--growth) fails when it gets heavier. Lower this with
 * every step.
 */
const PRESENT = 85700;
const limit = process.argv.includes('--growth') ? PRESENT : BUDGET;

const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length;
const { build } = await tool('esbuild');
const pkg = join(root, 'pkg');

const [ours, peer] = await Promise.all([
  bundle("export * from './index.js'", pkg),
  bundle("export * from '@nats-io/nats-core'; export * from '@nats-io/jetstream'", join(tools, 'npm')),
]);
const names = (await readdir(join(pkg, 'wasm'))).filter((name) => name.endsWith('.wasm'));
const wasm = new Map(await Promise.all(names.map(async (name) => {
  const bytes = await readFile(join(pkg, 'wasm', name));
  return /** @type {const} */ ([name.replace(/^stationmaster[-_]|\.wasm$/g, ''), { name: `wasm/${name}`, raw: bytes.length, zipped: gzip(bytes) }]);
})));
const { parts } = JSON.parse(await readFile(join(root, 'target', 'parts', 'parts.json'), 'utf8'));
/** A part and those it needs. @param {string} name @returns {string[]} */
const whole = (name) => [name, ...parts.find((part) => part.name === name).needs.flatMap(whole)];

const chunks = scripts(ours);
const lazy = [...chunks.values()].filter(({ first }) => !first);
const first = [wasm.get('bg'), ...[...chunks.values()].filter((chunk) => chunk.first)];

const line = (name, raw, zipped) => console.log(`${name.padEnd(50)}${String(raw).padStart(10)}${String(zipped).padStart(10)}`);
const sum = (pieces) => pieces.reduce(({ raw, zipped }, piece) => ({ raw: raw + piece.raw, zipped: zipped + piece.zipped }), { raw: 0, zipped: 0 });
const tell = (title, pieces) => {
  const { raw, zipped } = sum(pieces);
  line(title, raw, zipped);
  return zipped;
};

line('file', 'minified', 'gzip -9');
for (const piece of first) {
  line(piece.name, piece.raw, piece.zipped);
  for (const { path, bytes } of piece.inputs ?? []) line(`    ${path} (alone)`, bytes, await alone(path));
}
const total = tell('first: connect to nats and produce', first);
console.log();
line('loaded when it is used', 'minified', 'gzip -9');
for (const piece of [...wasm].filter(([name]) => name !== 'bg').map(([, piece]) => piece)) line(piece.name, piece.raw, piece.zipped);
for (const piece of lazy) line(piece.name, piece.raw, piece.zipped);
console.log();
const set = (...pieces) => [...new Set([...first, ...pieces])];
const script = (path) => lazy.filter((chunk) => chunk.inputs.some((input) => input.path === path));
tell('a page that also consumes', set(...whole('consuming').map((name) => wasm.get(name)), ...script('shell/consuming.js')));
tell('a page with the memory broker, consuming', set(...whole('memory').map((name) => wasm.get(name)), ...script('shell/consuming.js')));
tell('everything', set(...wasm.values(), ...lazy));
const theirs = tell('nats-core + jetstream, the same way', [...scripts(peer).values()]);
console.log();
const share = `${(total / 1000).toFixed(1)} KB of ${BUDGET / 1000} KB to connect and produce; nats-core + jetstream ${(theirs / 1000).toFixed(1)} KB`;
console.log(`size: ${total > BUDGET ? 'over' : 'within'} the budget: ${share}`);
if (total > limit && limit === PRESENT) console.error(`size: over what it weighed before, ${PRESENT / 1000} KB`);
console.log(total > limit ? '0 passed, 1 failed' : '1 passed, 0 failed');
process.exitCode = total > limit ? 1 : 0;

/** @param {string} contents @param {string} resolveDir */
async function bundle(contents, resolveDir) {
  return build({
    stdin: { contents, resolveDir }, bundle: true, minify: true, splitting: true, format: 'esm', platform: 'browser', target: 'es2022', write: false, metafile: true, outdir: 'out', logLevel: 'error',
  });
}

/** The files of a bundle, by path; `first` are the entry and what it imports at once. */
function scripts({ outputFiles, metafile }) {
  const outputs = Object.entries(metafile.outputs);
  const entry = outputs.find(([, { entryPoint }]) => entryPoint === '<stdin>')?.[0];
  const atOnce = new Set();
  const visit = (path) => {
    if (atOnce.has(path)) return;
    atOnce.add(path);
    for (const { path: next, kind } of metafile.outputs[path].imports) if (kind === 'import-statement') visit(next);
  };
  visit(entry);
  return new Map(outputs.map(([path, { inputs }]) => {
    const bytes = outputFiles.find((file) => file.path.endsWith(path)).contents;
    const found = Object.entries(inputs).map(([input, { bytesInOutput }]) => ({ path: input.replace(/^.*?pkg\//, ''), bytes: bytesInOutput }));
    const ours = found.filter(({ path, bytes }) => bytes > 0 && path !== '<stdin>').sort((a, b) => b.bytes - a.bytes);
    const name = path === entry ? 'JavaScript in one bundle' : basename(path).replace(/-[A-Z0-9]{8}\.js$/, '.js');
    return [path, { name: name === 'chunk.js' ? `shared: ${ours.map((input) => basename(input.path)).join(' ')}`.slice(0, 48) : name, first: atOnce.has(path), raw: bytes.length, zipped: gzip(bytes), inputs: ours }];
  }));
}

/** One file minified and zipped by itself; more than its share, since the bundle is zipped as a whole. */
async function alone(path) {
  const result = await build({ entryPoints: [join(pkg, path)], minify: true, write: false, logLevel: 'error' });
  return gzip(Buffer.from(result.outputFiles[0].contents));
}
