// Makes pkg/ complete from what wasm-pack made: the wasm in parts and the glue that joins them, both also as base64, the public index.d.ts, the
// version, and nothing that users should not see.

import { spawnSync } from 'node:child_process';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { joined } from './lib/glue.mjs';
import { root } from './lib/tools.mjs';

/** The last section of src/face/typings ends with it; what wasm-bindgen adds below is the glue's own. */
const END = '// end of the public interface';

const pkg = join(root, 'pkg');
const wasm = join(pkg, 'wasm');
/** What wasm-pack made. */
const whole = join(root, 'target', 'whole');

/**
 * After a trap the glue starts a new instance. Tasks and timers of the old one still come, and the generated code would throw at
 * each: an uncaught exception, which ends a Node process. There is nobody left to do anything for, so they do nothing.
 */
const STALE = "throw new Error('Cannot invoke closure from previous WASM instance');";

/** What a page has to fetch for the first part, and where the others lie beside it. */
const FIRST = 'stationmaster_bg.wasm';
const cuts = join(root, 'target', 'parts');
/** The module as the linker made it. */
const linked = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'wasm32-unknown-unknown', 'release', 'stationmaster.wasm');

await mkdir(cuts, { recursive: true });
const { status } = spawnSync(join(root, 'target', 'tools', 'debug', 'parts'), [join(root, 'scripts', 'parts.txt'), join(whole, FIRST), linked, cuts], { stdio: 'inherit', env: { ...process.env, RUST_BACKTRACE: '0' } });
if (status !== 0) throw new Error('the module could not be cut into parts: see above, and scripts/parts.txt');

const [glue, cut, declarations, cargo, manifest] = await Promise.all([
  readFile(join(whole, 'stationmaster.js'), 'utf8'),
  readFile(join(cuts, 'parts.json'), 'utf8').then(JSON.parse),
  readFile(join(whole, 'stationmaster.d.ts'), 'utf8'),
  readFile(join(root, 'Cargo.toml'), 'utf8'),
  readFile(join(pkg, 'package.json'), 'utf8'),
]);

const end = declarations.indexOf(END);
if (end < 0) throw new Error(`wasm-pack's declarations have no line "${END}"`);
// The first lines are a lint comment and wasm-bindgen's own switches, which mean nothing in hand-written declarations.
const typings = declarations.slice(0, end).replace(/^\/\* tslint:disable \*\/\n\/\* eslint-disable \*\/\n/, '').trim();

const version = cargo.match(/^version = "(.+)"$/m)?.[1];
if (!version) throw new Error('Cargo.toml has no version');
const withVersion = manifest.replace(/("version": )"[^"]*"/, `$1"${version}"`);

if (!glue.includes(STALE)) throw new Error('the glue treats closures of a former instance differently now: see whether package.mjs is still needed for it');

await mkdir(wasm, { recursive: true });
// Nothing of an older build is left.
for (const file of await readdir(wasm)) await rm(join(wasm, file));
for (const { name } of cut.parts) {
  const bytes = await readFile(join(cuts, `${name}.wasm`));
  const first = name === 'first';
  await writeFile(join(wasm, first ? FIRST : `stationmaster-${name}.wasm`), bytes);
  await writeFile(join(wasm, first ? 'inline.js' : `inline-${name}.js`), `export default ${JSON.stringify(bytes.toString('base64'))};\n`);
}
for (const entry of ['index.js', 'index.inline.js', 'index.workerd.js']) {
  const text = await readFile(join(pkg, entry), 'utf8');
  const lacking = cut.parts.find(({ name }) => name !== 'first' && !text.includes(`-${name}.`));
  if (lacking) throw new Error(`pkg/${entry} does not name the part ${lacking.name}`);
}

const { first: joint, added } = joined(glue.replaceAll(STALE, 'return;'), cut);
await Promise.all([
  writeFile(join(wasm, 'stationmaster.js'), joint),
  writeFile(join(wasm, 'stationmaster-added.js'), added),
  // For the type-check of the shell; not shipped, since it would only invite imports past the public interface.
  writeFile(join(wasm, 'stationmaster.d.ts'), declarations),
  writeFile(join(pkg, 'index.d.ts'), `${typings}\n`),
  withVersion === manifest ? undefined : writeFile(join(pkg, 'package.json'), withVersion),
]);
