// The tarball, and a user's project that has it installed.

import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { root } from '../../scripts/lib/tools.mjs';

/** The tarball given, or a fresh one from what is built. @param {string | undefined} given */
export async function tarball(given) {
  if (given) return resolve(given);
  execFileSync(process.execPath, [join(root, 'scripts', 'pack.mjs')], { stdio: ['ignore', 'inherit', 'inherit'] });
  const { version } = JSON.parse(await readFile(join(root, 'pkg', 'package.json'), 'utf8'));
  return join(root, `stationmaster-${version}.tgz`);
}

/** A project with the package from the file, by npm without a network, and nothing else. @param {string} file @param {string} home */
export async function install(file, home) {
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  execFileSync('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', file], { cwd: home, stdio: ['ignore', 'ignore', 'inherit'] });
  const installed = (await readdir(join(home, 'node_modules'))).filter((name) => !name.startsWith('.'));
  if (installed.join() !== 'stationmaster') throw new Error(`the package brought along ${installed}`);
}
