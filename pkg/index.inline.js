// The entry for Node, Deno and Bun, and `stationmaster/inline` for bundlers that copy no wasm: the module is base64 inside
// the JavaScript. It survives any bundling and needs no file access.

import start, * as glue from './wasm/stationmaster.js';
import text from './wasm/inline.js';
import { create } from './shell/api.js';

/** @param {any} [source] what init() was given */
async function load(source) {
  await start({ module_or_path: source ?? bytes() });
  return glue;
}

function bytes() {
  const platform = /** @type {any} */ (globalThis);
  if (platform.Uint8Array.fromBase64) return platform.Uint8Array.fromBase64(text);
  if (platform.Buffer) return platform.Buffer.from(text, 'base64');
  const binary = atob(text);
  const out = new Uint8Array(binary.length);
  // A plain loop: Uint8Array.from with a callback takes 50 times as long.
  for (let i = 0; i < binary.length; i++) out[i] = binary.charCodeAt(i);
  return out;
}

export const { connect, station, produce, fetch, consume, init } = create(load);
export { BrokerError, BatchError } from './shell/errors.js';
