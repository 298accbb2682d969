// The entry for pages: the wasm is a file of its own, fetched at the first connect. Bundlers know this form of URL.

import start, * as glue from './wasm/stationmaster.js';
import { create } from './shell/api.js';

/** @param {any} [source] what init() was given */
async function load(source) {
  await start({ module_or_path: source ?? new URL('./wasm/stationmaster_bg.wasm', import.meta.url) });
  return glue;
}

export const { connect, station, produce, fetch, consume, init } = create(load);
export { BrokerError, BatchError } from './shell/errors.js';
