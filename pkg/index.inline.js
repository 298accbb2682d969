// The entry for Node, Deno and Bun, and `stationmaster/inline` for bundlers that copy no wasm: the module is base64 inside
// the JavaScript. It survives any bundling and needs no file access.

import start, * as glue from './wasm/stationmaster.js';
import text from './wasm/inline.js';
import { create } from './shell/api.js';

/** @param {any} [source] what init() was given */
async function load(source) {
  await start({ module_or_path: source ?? bytes(text) });
  return glue;
}

/** @param {string} text */
function bytes(text) {
  const platform = /** @type {any} */ (globalThis);
  if (platform.Uint8Array.fromBase64) return platform.Uint8Array.fromBase64(text);
  if (platform.Buffer) return platform.Buffer.from(text, 'base64');
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  // A plain loop: Uint8Array.from with a callback takes 50 times as long.
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

/** Decoded when they are used. */
const parts = {
  options: async () => bytes((await import('./wasm/inline-options.js')).default),
  batch: async () => bytes((await import('./wasm/inline-batch.js')).default),
  refusals: async () => bytes((await import('./wasm/inline-refusals.js')).default),
  servers: async () => bytes((await import('./wasm/inline-servers.js')).default),
  raw: async () => bytes((await import('./wasm/inline-raw.js')).default),
  credentials: async () => bytes((await import('./wasm/inline-credentials.js')).default),
  making: async () => bytes((await import('./wasm/inline-making.js')).default),
  watching: async () => bytes((await import('./wasm/inline-watching.js')).default),
  moving: async () => bytes((await import('./wasm/inline-moving.js')).default),
  managing: async () => bytes((await import('./wasm/inline-managing.js')).default),
  schemas: async () => bytes((await import('./wasm/inline-schemas.js')).default),
  timing: async () => bytes((await import('./wasm/inline-timing.js')).default),
  inspecting: async () => bytes((await import('./wasm/inline-inspecting.js')).default),
  reading: async () => bytes((await import('./wasm/inline-reading.js')).default),
  looking: async () => bytes((await import('./wasm/inline-looking.js')).default),
  dead: async () => bytes((await import('./wasm/inline-dead.js')).default),
  consuming: async () => bytes((await import('./wasm/inline-consuming.js')).default),
  live: async () => bytes((await import('./wasm/inline-live.js')).default),
  keys: async () => bytes((await import('./wasm/inline-keys.js')).default),
  memphis: async () => bytes((await import('./wasm/inline-memphis.js')).default),
  memory: async () => bytes((await import('./wasm/inline-memory.js')).default),
};

export const { connect, station, produce, fetch, consume, init } = create(load, parts);
export { BrokerError, BatchError } from './shell/errors.js';
