// Looking: stations, and what they hold. What is there, and in which order, is decided in Rust.

import { own } from './first.js';
import { Stored } from './stored.js';

/** @import { Connection } from './connection.js' */
/** @import * as Api from '../index.js' */

/** @param {Connection} connection @returns {AsyncGenerator<Api.StationInfo, undefined>} */
export function stations(connection) {
  const listed = connection._cold((engine) => engine.listStations());
  listed.catch(() => {});
  return (async function* () {
    yield* await listed;
    return undefined;
  })();
}

/**
 * Begins at the call: it ends at what is the newest then.
 * @param {Connection} connection
 * @param {string} station
 * @param {{ start?: Api.Start, partitionNumber?: number, limit?: number, signal?: AbortSignal } | undefined} options
 * @returns {AsyncGenerator<Api.StoredMessage, undefined>}
 */
export function browse(connection, station, options) {
  options = own(options, connection.broker);
  const signal = connection._signal(options?.signal);
  /** @type {(error: unknown) => void} */
  let abort = () => {};
  const aborted = new Promise((_, reject) => {
    abort = () => reject(connection._aborted(/** @type {AbortSignal} */ (signal)));
  });
  aborted.catch(() => {});
  signal?.addEventListener('abort', abort, { once: true });
  const begun = connection._cold((engine) => engine.beginLook(station, options));
  const end = () => {
    signal?.removeEventListener('abort', abort);
    begun.then((look) => connection._released((engine) => engine.endLook(look))).catch(() => {});
  };
  begun.catch(() => {});
  let asked = false;
  const run = (async function* () {
    asked = true;
    try {
      const look = await Promise.race([begun, aborted]);
      const schema = await Promise.race([connection._schemaOf(station), aborted]);
      for (;;) {
        /** @type {any[]} */
        const page = await Promise.race([connection._cold((engine) => engine.nextLook(look)), aborted]);
        if (page.length === 0) return undefined;
        for (let at = 0; at < page.length; at += 5) {
          connection._signal(signal);
          yield /** @type {any} */ (new Stored(connection, station, page[at], page[at + 1], page[at + 2], page[at + 3], page[at + 4], schema));
        }
      }
    } finally {
      end();
    }
  })();
  const leave = run.return.bind(run);
  // One that was never asked for anything has no end of its own; one that was comes to it behind what it was asked for.
  run.return = (value) => {
    if (!asked) end();
    return leave(value);
  };
  return run;
}
