// The entry for pages: the wasm is a file of its own, fetched at the first connect. Bundlers know this form of URL.

import start, * as glue from './wasm/stationmaster.js';
import { create } from './shell/api.js';

/** @param {any} [source] what init() was given */
async function load(source) {
  await start({ module_or_path: source ?? new URL('./wasm/stationmaster_bg.wasm', import.meta.url) });
  return glue;
}

/** Loaded when they are used. Each written out, since bundlers look for this form. */
const parts = {
  options: () => new URL('./wasm/stationmaster-options.wasm', import.meta.url),
  batch: () => new URL('./wasm/stationmaster-batch.wasm', import.meta.url),
  refusals: () => new URL('./wasm/stationmaster-refusals.wasm', import.meta.url),
  servers: () => new URL('./wasm/stationmaster-servers.wasm', import.meta.url),
  raw: () => new URL('./wasm/stationmaster-raw.wasm', import.meta.url),
  credentials: () => new URL('./wasm/stationmaster-credentials.wasm', import.meta.url),
  making: () => new URL('./wasm/stationmaster-making.wasm', import.meta.url),
  watching: () => new URL('./wasm/stationmaster-watching.wasm', import.meta.url),
  moving: () => new URL('./wasm/stationmaster-moving.wasm', import.meta.url),
  managing: () => new URL('./wasm/stationmaster-managing.wasm', import.meta.url),
  schemas: () => new URL('./wasm/stationmaster-schemas.wasm', import.meta.url),
  timing: () => new URL('./wasm/stationmaster-timing.wasm', import.meta.url),
  inspecting: () => new URL('./wasm/stationmaster-inspecting.wasm', import.meta.url),
  reading: () => new URL('./wasm/stationmaster-reading.wasm', import.meta.url),
  looking: () => new URL('./wasm/stationmaster-looking.wasm', import.meta.url),
  dead: () => new URL('./wasm/stationmaster-dead.wasm', import.meta.url),
  consuming: () => new URL('./wasm/stationmaster-consuming.wasm', import.meta.url),
  live: () => new URL('./wasm/stationmaster-live.wasm', import.meta.url),
  keys: () => new URL('./wasm/stationmaster-keys.wasm', import.meta.url),
  memphis: () => new URL('./wasm/stationmaster-memphis.wasm', import.meta.url),
  memory: () => new URL('./wasm/stationmaster-memory.wasm', import.meta.url),
};

export const { connect, station, produce, fetch, consume, init } = create(load, parts);
export { BrokerError, BatchError } from './shell/errors.js';
