// Where the tools of `make setup` are. They live in .tools/, outside every node_modules a script would look into by itself.

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** The checkout. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
/** What `make setup` installed. */
export const tools = join(root, '.tools');
/** The npm tools' node_modules. */
export const modules = join(tools, 'npm', 'node_modules');

/** Programs by absolute path. Platform binaries, not their JavaScript wrappers: a killed wrapper leaves its child running. */
export const programs = {
  node: join(tools, 'node', 'bin', 'node'),
  node22: join(tools, 'node22', 'bin', 'node'),
  /** The machine's own Node, whatever release that is. */
  hostNode: process.execPath,
  deno: join(modules, '@deno', `linux-${process.arch}-glibc`, 'deno'),
  bun: join(modules, '@oven', `bun-linux-${process.arch === 'arm64' ? 'aarch64' : 'x64'}`, 'bin', 'bun'),
  natsServer: join(tools, 'nats', 'bin', 'nats-server'),
  /** Older servers by version, for what has to degrade. @type {Record<string, string>} */
  natsServers: { '2.10': join(tools, 'nats-2.10', 'bin', 'nats-server') },
  chromium: firstExisting(process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'),
  chromedriver: firstExisting(process.env.CHROMEDRIVER, '/usr/bin/chromedriver', '/usr/lib/chromium-browser/chromedriver'),
};

/**
 * Imports one of the npm tools by name, as `import name` would if they stood in the project. Setup leaves a one-line module
 * beside them, since a name is looked up from where the import stands.
 * @param {string} name
 * @returns {Promise<any>}
 */
export async function tool(name) {
  const { load } = await import(pathToFileURL(join(tools, 'npm', 'load.mjs')).href);
  return load(name);
}

/**
 * The environment for child processes: our tools before those of the machine.
 * @param {Record<string, string | undefined>} [more]
 */
export function environment(more = {}) {
  const first = [join(tools, 'cargo', 'debug'), join(tools, 'bin'), join(tools, 'nats', 'bin')];
  return { ...process.env, ...more, PATH: [...first, process.env.PATH].join(':') };
}

/** @param {(string | undefined)[]} paths */
function firstExisting(...paths) {
  const wanted = paths.filter((path) => path !== undefined);
  return wanted.find((path) => existsSync(path)) ?? wanted[0];
}
