// Feeds the schema engines with definitions and payloads that are bent from those of tests/vectors/schemas; the body is `fuzz` in
// tests/schemas/limits.mjs. One that hangs shows by its time.
//
//   node fuzz/schemas.mjs SECONDS [SEED]

import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { fuzz, random } from '../tests/schemas/limits.mjs';

/** One case may take this long on any machine. */
const PATIENCE = 5_000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const vectors = join(root, 'tests', 'vectors', 'schemas');
const { load } = await import(pathToFileURL(join(root, 'pkg', 'schemas', 'index.js')).href);
const seconds = Number(process.argv[2] ?? 20);
const first = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));

const encoder = new TextEncoder();

/** A payload of the vectors as bytes, as near as it comes: what does not fit is as good a beginning. */
function bytes(payload) {
  if (payload?.$hex !== undefined) return Uint8Array.from(payload.$hex.match(/../g) ?? [], (byte) => parseInt(byte, 16));
  const text = payload?.$text ?? payload;
  return encoder.encode(typeof text === 'string' ? text : JSON.stringify(text));
}

const seeds = [];
for (const type of (await readdir(vectors)).sort()) {
  const engine = await load(type);
  for (const file of (await readdir(join(vectors, type))).sort()) {
    for (const { schema, extra, fits = [], fails = [], decodes = [] } of JSON.parse(await readFile(join(vectors, type, file), 'utf8'))) {
      const payloads = [...fits, ...fails.map(([payload]) => payload), ...decodes.map(([payload]) => payload)].map(bytes);
      seeds.push({ engine, type, definition: typeof schema === 'string' ? schema : JSON.stringify(schema), extra, payloads });
    }
  }
}

const end = performance.now() + seconds * 1000;
let cases = 0;
for (let number = first; performance.now() < end; number++, cases++) {
  const next = random(number);
  const seed = seeds[next(seeds.length)];
  const began = performance.now();
  try {
    fuzz(next, seed.engine, seed);
    const took = performance.now() - began;
    if (took > PATIENCE) throw new Error(`it took ${Math.round(took)} ms`);
  } catch (error) {
    console.log(`fuzz: ${seed.type} failed; again with: node fuzz/schemas.mjs 1 ${number}\n${error?.stack ?? error}`);
    process.exit(1);
  }
}
console.log(`fuzz: ${cases} cases from ${seeds.length} seeds, the first was ${first}`);
