// Leaves stationmaster-X.Y.Z.tgz at the root: pkg/ with the README and the licences, as `npm publish` would send it.

import { execFileSync } from 'node:child_process';
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './lib/tools.mjs';

const pkg = join(root, 'pkg');
const copies = ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE'];

await Promise.all(copies.map((name) => copyFile(join(root, name), join(pkg, name))));
try {
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', root], { cwd: pkg, encoding: 'utf8' }));
  // An empty folder inside the tarball has happened: npm honours ignore files below the root, too.
  const missing = ['index.d.ts', 'index.inline.js', 'index.js', 'index.workerd.js', 'schemas/LICENSES', 'schemas/built/avro.js', 'schemas/built/graphql.js', 'schemas/built/json.js', 'schemas/built/protobuf.js', 'schemas/index.js', 'shell/api.js', 'wasm/inline.js', 'wasm/stationmaster.js', 'wasm/stationmaster_bg.wasm', 'wasm/stationmaster-making.wasm', 'wasm/inline-making.js', ...copies]
    .filter((name) => !packed.files.some((file) => file.path === name));
  if (missing.length > 0) throw new Error(`the tarball lacks ${missing.join(', ')}`);
  console.log(`${packed.filename}: ${packed.files.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
} finally {
  await Promise.all(copies.map((name) => rm(join(pkg, name), { force: true })));
}
