// The entry for Cloudflare Workers, which compile nothing at run time: there the import is a WebAssembly.Module.

import module from './wasm/stationmaster_bg.wasm';
import options from './wasm/stationmaster-options.wasm';
import batch from './wasm/stationmaster-batch.wasm';
import refusals from './wasm/stationmaster-refusals.wasm';
import servers from './wasm/stationmaster-servers.wasm';
import raw from './wasm/stationmaster-raw.wasm';
import credentials from './wasm/stationmaster-credentials.wasm';
import making from './wasm/stationmaster-making.wasm';
import watching from './wasm/stationmaster-watching.wasm';
import moving from './wasm/stationmaster-moving.wasm';
import managing from './wasm/stationmaster-managing.wasm';
import schemas from './wasm/stationmaster-schemas.wasm';
import timing from './wasm/stationmaster-timing.wasm';
import inspecting from './wasm/stationmaster-inspecting.wasm';
import reading from './wasm/stationmaster-reading.wasm';
import looking from './wasm/stationmaster-looking.wasm';
import dead from './wasm/stationmaster-dead.wasm';
import consuming from './wasm/stationmaster-consuming.wasm';
import live from './wasm/stationmaster-live.wasm';
import keys from './wasm/stationmaster-keys.wasm';
import memphis from './wasm/stationmaster-memphis.wasm';
import memory from './wasm/stationmaster-memory.wasm';
import * as glue from './wasm/stationmaster.js';
import { create } from './shell/api.js';

/** @param {any} [source] what init() was given: another compiled module */
async function load(source) {
  glue.initSync({ module: source ?? module });
  return glue;
}

const parts = { options: () => options, batch: () => batch, refusals: () => refusals, servers: () => servers, raw: () => raw, credentials: () => credentials, making: () => making, watching: () => watching, moving: () => moving, managing: () => managing, schemas: () => schemas, timing: () => timing, inspecting: () => inspecting, reading: () => reading, looking: () => looking, dead: () => dead, consuming: () => consuming, live: () => live, keys: () => keys, memphis: () => memphis, memory: () => memory };

export const { connect, station, produce, fetch, consume, init } = create(load, parts);
export { BrokerError, BatchError } from './shell/errors.js';
