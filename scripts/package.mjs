// Completes pkg/ after wasm-pack: wasm/inline.js, the public index.d.ts, the version, and nothing that users should not see.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './lib/tools.mjs';

/** The last section of src/face/typings ends with it; what wasm-bindgen adds below is the glue's own. */
const END = '// end of the public interface';

const pkg = join(root, 'pkg');
const wasm = join(pkg, 'wasm');

/**
 * After a trap the glue starts a new instance. Tasks and timers of the old one still come, and the generated code would throw at
 * each: an uncaught exception, which ends a Node process. There is nobody left to do anything for, so they do nothing.
 */
const STALE = "throw new Error('Cannot invoke closure from previous WASM instance');";

const [module, glue, declarations, cargo, manifest] = await Promise.all([
  readFile(join(wasm, 'stationmaster_bg.wasm')),
  readFile(join(wasm, 'stationmaster.js'), 'utf8'),
  readFile(join(wasm, 'stationmaster.d.ts'), 'utf8'),
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

await Promise.all([
  writeFile(join(wasm, 'stationmaster.js'), glue.replaceAll(STALE, 'return;')),
  writeFile(join(wasm, 'inline.js'), `export default ${JSON.stringify(module.toString('base64'))};\n`),
  writeFile(join(pkg, 'index.d.ts'), `${typings}\n`),
  withVersion === manifest ? undefined : writeFile(join(pkg, 'package.json'), withVersion),
  // The glue's typings would only invite imports past the public interface.
  rm(join(wasm, 'stationmaster_bg.wasm.d.ts'), { force: true }),
  rm(join(wasm, 'package.json'), { force: true }),
]);
