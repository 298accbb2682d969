// The five functions and init, over whatever loads the wasm here. Importing this does nothing.

import { because, own, plain } from './errors.js';
import { Connection } from './connection.js';
import { Instance } from './instance.js';
import { Operations } from './operations.js';

/** @import * as Api from '../index.js' */

/**
 * Where a part is if init() was given the URL of the first one: beside it, unless a bundler has given that another name.
 * @param {any} source
 * @param {string} part
 */
function beside(source, part) {
  const url = typeof source === 'string' ? new Request(source).url : String(source?.url ?? source ?? '');
  const first = 'stationmaster_bg.wasm';
  return url.split(/[?#]/)[0]?.endsWith(`/${first}`) ? new URL(url.replace(first, `stationmaster-${part}.wasm`)) : undefined;
}

/**
 * @param {(source?: any) => Promise<any>} load
 * @param {Record<string, () => any>} parts where the wasm of each part is, in the form in which it can be instantiated
 */
export function create(load, parts) {
  /** @type {Promise<Instance> | undefined} */
  let loading;

  /** @param {any} [source] */
  function instance(source) {
    loading ??= load(source).then(
      (glue) => new Instance(glue, (name) => beside(source, name) ?? parts[name]?.()),
      (error) => {
        loading = undefined;
        const hint = "Is the file stationmaster_bg.wasm served beside the script, as application/wasm, and does the page's content security policy allow 'wasm-unsafe-eval'? init(url) loads it from elsewhere; stationmaster/inline carries it.";
        throw because(plain('memory', 'not_supported', `the wasm could not be loaded: ${error?.message ?? error}`, hint, true), error);
      },
    );
    return loading;
  }

  /** @param {any} [source] @returns {Promise<void>} */
  async function init(source) {
    await instance(source);
  }

  /** @param {Api.ConnectOptions} given @returns {Promise<Api.Connection>} */
  async function connect(given) {
    /** @type {Api.BrokerKind} */
    let broker = 'memory';
    try {
      ({ broker } = given);
    } catch {
      // It cannot be read, or is not there: the next line says so.
    }
    const options = own(given, broker);
    if (options === null || typeof options !== 'object') {
      throw plain('memory', 'invalid_argument', 'connect needs an object of options', 'For example connect({ broker: "nats", url: "ws://localhost:8080" }).');
    }
    const { signal } = options;
    for (const name of /** @type {const} */ (['credentials', 'socket', 'logger', 'resolveAddress'])) {
      if (options[name] !== undefined && typeof options[name] !== 'function') throw plain(options.broker, 'invalid_argument', `${name} is not a function`);
    }
    if (signal !== undefined && typeof signal?.addEventListener !== 'function') throw plain(options.broker, 'invalid_argument', 'signal is not an AbortSignal');
    const aborted = () => because(plain(options.broker, 'aborted', 'the signal was aborted'), signal?.reason);
    if (signal?.aborted) throw aborted();
    const loaded = await instance();
    if (signal?.aborted) throw aborted();
    /** @type {Connection} */
    let connection;
    try {
      connection = new Connection(loaded, options, false);
    } catch (error) {
      // Options that are not all of the usual kind are read in a part of their own; the signal does not wait for it.
      if (error !== undefined) throw error;
      await new Operations().awaited(Promise.resolve(loaded.part('options')), (error) => error, signal, aborted);
      connection = new Connection(loaded, options, true);
    }
    await connection._connect(signal);
    return /** @type {any} */ (connection);
  }

  /** @param {unknown} connection @returns {Connection} */
  function checked(connection) {
    if (connection instanceof Connection) return connection;
    throw plain('memory', 'invalid_argument', 'the first argument is not a connection', 'Give what connect() has resolved with.');
  }

  return {
    init,
    connect,
    /** @param {Api.Connection} connection @param {string} name @param {Api.StationOptions} [options] @returns {Promise<Api.Station>} */
    station: async (connection, name, options) => /** @type {any} */ (checked(connection).station(name, options)),
    /** @param {Api.Connection} connection @param {string | string[]} name @param {Api.Payload} message @param {Api.ProduceOptions & Api.ProducerOptions} [options] @returns {Promise<Api.Receipt>} */
    produce: async (connection, name, message, options) => checked(connection).produce(name, message, options),
    /** @param {Api.Connection} connection @param {string} name @param {Api.ConsumerOptions & Api.FetchOptions} [options] @returns {Promise<Api.Message[]>} */
    fetch: async (connection, name, options) => /** @type {any} */ (checked(connection).fetch(name, options)),
    /** @param {Api.Connection} connection @param {string} name @param {Api.ConsumerOptions & Api.ConsumeOptions} [options] @param {Api.MessageHandler} [handler] @returns {Promise<Api.Consumer>} */
    consume: async (connection, name, options, handler) => /** @type {any} */ (checked(connection).consume(name, options, handler)),
  };
}
