// The entry for Cloudflare Workers, which compile nothing at run time: there the import is a WebAssembly.Module.

import module from './wasm/stationmaster_bg.wasm';
import * as glue from './wasm/stationmaster.js';
import { create } from './shell/api.js';

/** @param {any} [source] what init() was given: another compiled module */
async function load(source) {
  glue.initSync({ module: source ?? module });
  return glue;
}

export const { connect, station, produce, fetch, consume, init } = create(load);
export { BrokerError, BatchError } from './shell/errors.js';
