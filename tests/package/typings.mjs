// The typings of the packed tarball: clean in every environment, equal to the contract, and found by every resolver.
//
//   node tests/package/typings.mjs [--tarball FILE] [--declarations FILE] [--keep]
//
// `--declarations`: compare only this file with the contract. Ends with "N passed, N failed".

import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { modules, root, tool } from '../../scripts/lib/tools.mjs';
import { differences } from './compare.mjs';
import { install, tarball } from './install.mjs';

/** Compilers at a time; the native one uses more than one core by itself. */
const AT_ONCE = 2;

const { values: options } = parseArgs({ options: { tarball: { type: 'string' }, declarations: { type: 'string' }, keep: { type: 'boolean', default: false } } });

const here = join(root, 'tests', 'package');
let passed = 0;
let failed = 0;
const dir = await mkdtemp(join(tmpdir(), 'stationmaster-typings-'));
try {
  if (options.declarations) await contract(resolve(options.declarations));
  else await all();
} finally {
  if (options.keep) console.log(`kept: ${dir}`);
  else await rm(dir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

async function all() {
  const file = await tarball(options.tarball);
  const home = join(dir, 'user');
  await install(file, home);
  await cp(join(here, 'typings', 'use.ts'), join(home, 'use.ts'));
  await mkdir(join(home, 'node_modules', '@types'), { recursive: true });
  await mkdir(join(home, 'node_modules', '@cloudflare'), { recursive: true });
  for (const name of ['@types/node', 'undici-types', '@cloudflare/workers-types']) await symlink(join(modules, name), join(home, 'node_modules', name));

  const queue = [
    () => contract(join(home, 'node_modules', 'stationmaster', 'index.d.ts')),
    ...Array.from(environments(), (environment) => () => compile(home, environment)),
    () => publint(join(home, 'node_modules', 'stationmaster')),
    () => attw(file),
  ];
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await next();
  }));
}

/** Every environment with both resolvers and the current compiler, and the line before it once each. */
function* environments() {
  const platforms = [
    { platform: 'dom', lib: ['es2023', 'dom'], types: [] },
    { platform: 'webworker', lib: ['es2023', 'webworker'], types: [] },
    { platform: '@types/node', lib: ['es2023'], types: ['node'] },
    { platform: '@cloudflare/workers-types', lib: ['es2023'], types: ['@cloudflare/workers-types'] },
  ];
  for (const [at, platform] of platforms.entries()) {
    for (const resolver of ['nodenext', 'bundler']) yield { ...platform, resolver, compiler: 'typescript' };
    yield { ...platform, resolver: at % 2 === 0 ? 'nodenext' : 'bundler', compiler: 'typescript5' };
  }
}

async function compile(home, { platform, lib, types, resolver, compiler }) {
  const name = `tsc ${compiler === 'typescript' ? 7 : 5.9}, ${resolver}, ${platform}`;
  const config = join(home, `tsconfig.${name.replace(/[^a-z0-9]+/gi, '-')}.json`);
  await writeFile(config, JSON.stringify({
    compilerOptions: {
      strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, noPropertyAccessFromIndexSignature: true, skipLibCheck: false, noEmit: true,
      target: 'es2022', lib, types, module: resolver === 'bundler' ? 'esnext' : 'nodenext', moduleResolution: resolver,
    },
    files: ['use.ts'],
  }));
  await row(name, async () => {
    const { code, out } = await run(process.execPath, [join(modules, compiler, 'bin', 'tsc'), '-p', config, '--pretty', 'false'], home);
    // Only what is said about the package or its use counts; platforms' own declarations do not always agree with each other.
    const ours = out.split('\n').filter((line) => /error TS/.test(line) && !/^(\.\.\/)*[^(]*node_modules\/(@types|@cloudflare|undici-types)\//.test(line) && !line.startsWith('../'));
    if (ours.length > 0) throw new Error(ours.join('\n'));
    if (code !== 0 && !/error TS/.test(out)) throw new Error(`the compiler ended with ${code}\n${out}`);
  });
}

async function contract(file) {
  await row('declarations equal the contract', async () => {
    const ts = (await tool('typescript5')).default;
    const [ours, theirs] = await Promise.all([readFile(file, 'utf8'), readFile(join(here, 'contract.d.ts'), 'utf8')]);
    const found = differences(ts, theirs, ours);
    if (found.length > 0) throw new Error(found.join('\n'));
  });
}

async function publint(dir) {
  await row('publint', async () => {
    const { publint } = await tool('publint');
    const { formatMessage } = await tool('publint/utils');
    const { messages, pkg } = await publint({ pkgDir: dir, strict: true, pack: false });
    if (messages.length > 0) throw new Error(messages.map((message) => formatMessage(message, pkg)).join('\n'));
  });
}

async function attw(file) {
  await row('are the types wrong?', async () => {
    const { code, out } = await run(process.execPath, [join(modules, '@arethetypeswrong', 'cli', 'dist', 'index.js'), file, '--profile', 'esm-only', '--exclude-entrypoints', './wasm/stationmaster_bg.wasm', '--no-color', '--no-emoji'], dir);
    if (code !== 0) throw new Error(out);
  });
}

async function row(name, work) {
  const start = performance.now();
  try {
    await work();
    passed++;
    console.log(`ok      ${name.padEnd(50)}${((performance.now() - start) / 1000).toFixed(1).padStart(6)} s`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${error?.message ?? error}`);
  }
}

/** @returns {Promise<{ code: number | null, out: string }>} */
function run(program, args, cwd) {
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd, maxBuffer: 1 << 24 }, (_, out, err) => resolve({ code: child.exitCode, out: out + err }));
  });
}
