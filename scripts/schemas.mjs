// Bundles each schema engine with the library it stands on into one file, pkg/schemas/built/TYPE.js, and the licences of what
// is in them into pkg/schemas/LICENSES. Nothing to do while they are newer than what they are made of.

import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root, tool, tools } from './lib/tools.mjs';

const source = join(root, 'pkg', 'schemas', 'src');
const built = join(root, 'pkg', 'schemas', 'built');
const libraries = join(tools, 'schemas', 'node_modules');
const licences = join(root, 'pkg', 'schemas', 'LICENSES');

/** The engines, one chunk each. */
const types = ['avro', 'graphql', 'json', 'protobuf'];

const outputs = [...types.map((type) => join(built, `${type}.js`)), licences];
if (await upToDate()) process.exit(0);

const { build } = await tool('esbuild');
await mkdir(built, { recursive: true });
const packages = new Set();
for (const type of types) {
  const { metafile } = await build({
    entryPoints: [join(source, type, 'index.js')], outfile: join(built, `${type}.js`), absWorkingDir: root,
    bundle: true, minify: true, format: 'esm', platform: 'browser', target: 'es2022', legalComments: 'none', banner: { js: '// @ts-nocheck' }, metafile: true, logLevel: 'error',
    // Minified code is not worth checking, and the type checker follows every import.
    banner: { js: '// @ts-nocheck' },
    nodePaths: [libraries], define: { 'process.env.NODE_ENV': '"production"' },
  });
  for (const path of Object.keys(metafile.inputs)) {
    const name = path.match(/node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];
    if (name) packages.add(name);
  }
}
await writeFile(licences, await licenceTexts([...packages].sort()));

async function upToDate() {
  if (!outputs.every((path) => existsSync(path))) return false;
  const made = Math.min(...await Promise.all(outputs.map(changed)));
  const inputs = (await readdir(source, { recursive: true })).map((path) => join(source, path));
  inputs.push(join(root, 'scripts', 'schemas.mjs'), join(root, 'tools', 'schemas', 'package-lock.json'));
  return (await Promise.all(inputs.map(changed))).every((time) => time <= made);
}

async function changed(path) {
  return (await stat(path)).mtimeMs;
}

/** @param {string[]} names */
async function licenceTexts(names) {
  const texts = ['The files in built/ contain, beside code of this package, the following. Nothing else of it is in the package.\n'];
  for (const name of names) {
    const folder = join(libraries, name);
    const { version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
    const own = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
    texts.push(`${'='.repeat(80)}\n${name} ${version}, ${license}\n${'='.repeat(80)}\n\n${own.join('\n')}`);
  }
  for (const file of (await readdir(source, { recursive: true })).filter((path) => /(^|\/)LICENSE/.test(path)).sort()) {
    texts.push(`${'='.repeat(80)}\n${await readFile(join(source, file), 'utf8')}`);
  }
  return `${texts.join('\n')}`;
}
