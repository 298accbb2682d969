// One connection: it owns the promises, and gives to each what the table of a turn says.

import { BrokerError, because, own, plain, withdrawn } from './errors.js';
import { Calls } from './calls.js';
import { Early } from './early.js';
import { internal } from './instance.js';
import { later, look } from './later.js';
import { Observers } from './observers.js';
import { Opening } from './opening.js';
import { Operations } from './operations.js';
import { Producer } from './producer.js';
import { isUnusual, reader } from './options.js';
import { SocketKeeper } from './socket.js';
import { capabilities } from './capabilities.js';
import { counted } from './stats.js';
import { read } from './table.js';
import { copied, said, snapshot } from './payload.js';

/** @import { Consuming } from './consuming.js' */
/** @import { Instance } from './instance.js' */
/** @import { Live } from './live.js' */
/** @import { Fields } from './errors.js' */
/** @import * as Api from '../index.js' */

const NONE = 0xffffffff;
/** States that mean that something does not work. */
const BAD = new Set(['disconnected', 'reconnecting', 'slow_consumer', 'produce_failed']);

export class Connection {
  #operations = new Operations();
  /** Every producer that has not ended. @type {Map<number, Producer>} */ #senders = new Map();
  /** Loaded when a station has a schema. @type {Promise<import('./schema.js').Schemas> | undefined} */ #schemas;
  /** Its consumers, from the first one on. @type {Consuming | undefined} */ #consuming;
  /** Kept behind produce, by stations and name. @type {Map<string, Producer>} */ #producers = new Map();
  #observers = new Observers(this);
  /** Loaded when first used. @type {Live | undefined} */ #live;
  /** @type {Promise<Live> | undefined} */ #liveLoading;
  /** Calls that wait for code. */ _early = new Early();
  /** Produced and not settled. */ _calls;
  /** @type {Pick<Api.ConnectOptions, 'logger' | 'credentials'>} */ #options;
  /** @type {BrokerError | undefined} */ #over;
  #closing = false;
  /** The wasm's part is gone. */
  #freed = false;
  /** The last numbers. @type {Api.Stats | undefined} */ #counted;
  /** @type {Promise<void> | undefined} */ #closePromise;
  /** @type {(error: BrokerError | undefined) => void} */ #end;
  /** @type {{ resolve: () => void, reject: (error: unknown) => void } | undefined} */ #connecting;
  /** @type {AbortController | undefined} */ #asking;
  #socket;

  /** @param {Instance} instance @param {Api.ConnectOptions} options @param {boolean} all also options that are not the usual ones; else those throw undefined */
  constructor(instance, options, all) {
    this.broker = options.broker;
    /** Whose form header blocks have. */
    this._block = ['nats', 'memory', 'memphis'].indexOf(this.broker);
    this._instance = instance;
    // What it logs in with is Rust's to keep.
    this.#options = { logger: options.logger, credentials: options.credentials };
    this.#socket = new SocketKeeper(options.socket);
    // The shell's own business.
    const { signal: _signal, logger: _logger, ...usual } = options;
    /** @type {any} */
    this._engine = this.#made(
      () => new instance.glue.Engine(all ? options : usual, this.#turn, this.#guard, this.#socket.live, this.#socket.open, this.#socket.own, options.credentials !== undefined, (/** @type {string} */ name) => instance.part(name), all),
    );
    this._calls = new Calls(this);
    this.#end = () => {};
    this.closed = new Promise((/** @type {(error: BrokerError | undefined) => void} */ resolve) => {
      this.#end = resolve;
    });
    /** Known when connect resolves. @type {Api.Capabilities} */
    this.capabilities = capabilities([]);
    instance.connections.add(this);
  }

  /**
   * @template T
   * @param {() => T} make
   */
  #made(make) {
    try {
      return make();
    } catch (error) {
      throw error === undefined ? error : this._error(error);
    }
  }

  /** Functions that the platform calls: some of them are on their way when the wasm has given back what belongs to this connection. @param {any} work */
  #guard = (work) => this._instance.guard((...given) => (this.#freed ? undefined : work(...given)));

  /** Dial; the promise settles when the broker has accepted us or will not. @param {AbortSignal | undefined} signal */
  _connect(signal) {
    /** @type {Promise<void>} */
    const connected = new Promise((resolve, reject) => {
      this.#connecting = { resolve, reject };
    });
    const abort = () => {
      if (!this.#connecting) return;
      this.#connecting.reject(this._aborted(/** @type {AbortSignal} */ (signal)));
      this.#connecting = undefined;
      this._do((engine) => engine.abortConnect());
    };
    signal?.addEventListener('abort', abort, { once: true });
    this._do((engine) => engine.start());
    return connected.finally(() => signal?.removeEventListener('abort', abort));
  }

  // ---- errors -------------------------------------------------------------------------------------------------------

  /** What Rust threw, or a trap. @param {unknown} error */
  _error(error) {
    if (Array.isArray(error)) return new BrokerError(/** @type {Fields} */ (error), this.broker);
    if (error instanceof BrokerError) return error;
    this._instance.trap(error);
    return this.#over ?? internal(this.broker, error);
  }

  /** @param {AbortSignal} signal */
  _aborted(signal) {
    return because(plain(this.broker, 'aborted', 'the signal was aborted'), signal.reason);
  }

  /** A signal that has not been aborted, or an error. @param {AbortSignal | undefined} signal */
  _signal(signal) {
    if (signal === undefined) return undefined;
    if (typeof signal?.addEventListener !== 'function') throw plain(this.broker, 'invalid_argument', 'signal is not an AbortSignal');
    if (signal.aborted) throw withdrawn(this._aborted(signal));
    return signal;
  }

  _check() {
    if (this.#over) throw this.#over;
    if (this.#closing && !this._early.letting) throw plain(this.broker, 'closed', 'the connection has been closed');
  }

  /**
   * Call into the wasm.
   * @template T
   * @param {(engine: any) => T} work
   */
  _do(work) {
    if (this.#freed) throw this.#over;
    try {
      return work(this._engine);
    } catch (error) {
      throw this._error(error);
    }
  }

  /** The error behind a -1. */
  _failure() {
    return this._error(this._engine.error());
  }

  /**
   * @param {'debug' | 'info' | 'warn' | 'error'} level
   * @param {string} event
   * @param {Record<string, unknown>} detail
   */
  _log(level, event, detail) {
    const logger = this.#options.logger;
    if (!logger) return;
    queueMicrotask(() => {
      try {
        logger({ level, event, detail });
      } catch (error) {
        console.error(error);
      }
    });
  }

  // ---- operations ---------------------------------------------------------------------------------------------------

  /**
   * The promise of an operation that a row of the table ends.
   * @param {number} op
   * @param {AbortSignal} [signal]
   * @param {() => void} [abort]
   * @returns {Promise<any>}
   */
  _operation(op, signal, abort) {
    return this.#operations.begin(op, signal, abort);
  }

  /**
   * A cold operation, which is an async function in Rust.
   * @param {(engine: any) => Promise<any>} work
   * @returns {Promise<any>}
   */
  async _cold(work) {
    this._check();
    return this.#awaited(this._do(work));
  }

  /**
   * Have a part of the package loaded: undefined if it is there, so that calls of one turn keep their order.
   * @param {string} name
   * @param {AbortSignal} [signal]
   * @returns {Promise<void> | undefined}
   */
  _part(name, signal) {
    const loading = this._instance.part(name);
    const awaited = loading && this.#awaited(loading, signal);
    awaited?.catch(() => {});
    return awaited;
  }

  /**
   * The outcome of something that the end of the connection, or a signal, does not wait for.
   * @template T
   * @param {Promise<T>} running
   * @param {AbortSignal} [signal]
   */
  #awaited(running, signal) {
    return this.#operations.awaited(running, (error) => this._error(error), signal, (signal) => this._aborted(signal));
  }

  /** Tell the wasm that something of it is not used any more; it may be gone itself. @param {(engine: any) => void} work */
  _released(work) {
    if (!this.#freed) this._do(work);
  }

  // ---- public -------------------------------------------------------------------------------------------------------

  /** @param {string} name @param {Api.StationOptions} [options] */
  async station(name, options) {
    options = own(options, this.broker);
    const [partitions, existed, differs] = await this._cold((engine) => engine.station(this._name(name), options));
    await this._part('station');
    return new this._instance.scripts.station.Station(this, name, Object.freeze(partitions), existed, Object.freeze(differs));
  }

  /** Names as a key. @param {unknown[]} names */
  _key(...names) {
    try {
      return JSON.stringify(names);
    } catch (error) {
      throw because(plain(this.broker, 'invalid_argument', 'the name is not a string'), error);
    }
  }

  /** @param {unknown} name @returns {string} */
  _name(name) {
    if (typeof name !== 'string') throw plain(this.broker, 'invalid_argument', 'the station name is not a string');
    return name;
  }

  /**
   * @param {string | string[]} stations
   * @param {Api.Payload} message
   * @param {Api.ProduceOptions & Api.ProducerOptions} [options]
   * @returns {Promise<Api.Receipt>}
   */
  produce(stations, message, options) {
    try {
      this._check();
      options = own(options, this.broker);
      const key = this._key(stations, options?.producerName);
      let producer = this.#producers.get(key);
      const reading = producer ? undefined : this._checked(options, true, 'checkProducer', true);
      if (reading || this._early.isBehind(key)) {
        const kept = copied(this.broker, message);
        return this._behind(reading, () => this.produce(stations, kept, options), key, options?.signal);
      }
      if (!producer) {
        producer = this.#openProducer(stations, options, true);
        this.#producers.set(key, producer);
      }
      return /** @type {Promise<Api.Receipt>} */ (this._calls.produce(producer, message, options, true));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Its consumers; a promise while their part is on its way.
   * @param {unknown} [signal]
   * @returns {Consuming | Promise<Consuming>}
   */
  #consumers(signal) {
    this._check();
    if (this.#consuming) return this.#consuming;
    const made = () => {
      this._check();
      return (this.#consuming ??= /** @type {Consuming} */ (new this._instance.scripts.consuming.Consuming(this)));
    };
    const loading = this._part('consuming', this._signal(/** @type {AbortSignal | undefined} */ (signal)));
    return loading ? loading.then(made) : made();
  }

  /** @param {string} station @param {Api.ConsumerOptions & Api.FetchOptions} [options] */
  async fetch(station, options) {
    options = own(options, this.broker);
    const consuming = this.#consumers(options?.signal);
    return (consuming instanceof Promise ? await consuming : consuming).fetch(station, options);
  }

  /**
   * @param {string} station
   * @param {Api.ConsumerOptions & Api.ConsumeOptions} [options]
   * @param {Api.MessageHandler} [handler]
   */
  async consume(station, options, handler) {
    if (handler !== undefined && typeof handler !== 'function') throw plain(this.broker, 'invalid_argument', 'the handler is not a function');
    options = own(options, this.broker);
    const consuming = this.#consumers(options?.signal);
    return (consuming instanceof Promise ? await consuming : consuming).consume(station, options, handler);
  }

  /** @param {string} station @param {Api.ConsumerOptions} [options] */
  async consumer(station, options) {
    options = own(options, this.broker);
    const consuming = this.#consumers();
    return (consuming instanceof Promise ? await consuming : consuming).consumer(station, options);
  }

  /** @param {string | string[]} stations @param {Api.ProducerOptions} [options] */
  async producer(stations, options) {
    this._check();
    options = own(options, this.broker);
    await this._checked(options, false, 'checkProducer', false);
    const producer = this.#openProducer(stations, options, false);
    await this._operation(this._do((engine) => engine.whenProducer(producer._id)));
    return producer;
  }

  /**
   * Have options read that are not the usual ones, which throws if they are wrong; a promise while what reads them is on its way.
   * @param {any} options
   * @param {boolean} produces of a message; else of a producer
   * @param {'checkProduce' | 'checkProducer'} check
   * @param {boolean} mixed both may stand among each other
   * @returns {Promise<void> | undefined}
   */
  _checked(options, produces, check, mixed) {
    const [produce, producer] = this._instance.usual;
    if (!isUnusual(options, produces ? produce : producer, mixed ? producer : undefined)) return undefined;
    const read = () => {
      const wrong = check === 'checkProduce' ? this._do((engine) => engine.checkProduce(options, false, mixed)) : this._do((engine) => engine.checkProducer(options, mixed));
      if (wrong < 0) throw this._failure();
    };
    const loading = this._part(reader(options), this._signal(options?.signal));
    if (loading) {
      const reading = loading.then(read);
      // A call may be refused before it waits for this.
      reading.catch(() => {});
      return reading;
    }
    read();
    return undefined;
  }

  /**
   * @param {string | string[]} stations
   * @param {any} options
   * @param {boolean} mixed
   */
  #openProducer(stations, options, mixed) {
    const list = (Array.isArray(stations) ? stations : [stations]).map((name) => this._name(name));
    const id = this._do((engine) => engine.openProducer(list, options?.producerName ?? undefined, options?.autoMsgId === true));
    if (id < 0) throw this._failure();
    const [name, prefix] = /** @type {[string, string]} */ (this._do((engine) => engine.text()).split('\n'));
    this._calls.scratch.forget();
    const producer = new Producer(this, id, Object.freeze(list), name, prefix);
    this.#senders.set(id, producer);
    if (mixed) producer._schema = new Opening(producer, this._operation(this._do((engine) => engine.whenProducer(id))));
    return producer;
  }

  /** Nothing can be asked of it any more. */
  get _isOver() {
    return this.#over !== undefined;
  }

  /** close() was called. */
  get _isClosing() {
    return this.#closing;
  }

  /** @returns {AsyncIterable<Api.StationInfo>} */
  stations() {
    return later(() => look((looking) => looking.stations(this)));
  }

  /**
   * @param {string} name
   * @param {Api.SchemaType} type
   * @param {string} definition
   * @returns {Promise<void>}
   */
  async createSchema(name, type, definition) {
    this._check();
    for (const [what, text] of Object.entries({ name, type, definition })) if (typeof text !== 'string') throw plain(this.broker, 'invalid_argument', `the schema's ${what} is not a string`);
    await this._part('schemas');
    if (this._do((engine) => engine.checkSchema(name, type)) < 0) throw this._failure();
    const schemas = await this._loadSchemas();
    await schemas.create(name, type, definition);
  }

  /** @param {string} name @param {string} station @returns {Promise<void>} */
  async enforceSchema(name, station) {
    if (typeof name !== 'string') throw plain(this.broker, 'invalid_argument', 'the schema name is not a string');
    await this._cold((engine) => engine.enforceSchema(name, this._name(station), false));
  }

  /** @param {string} name @param {string} station */
  attachSchema(name, station) {
    return this.enforceSchema(name, station);
  }

  /** @param {string} station @returns {Promise<void>} */
  async detachSchema(station) {
    await this._cold((engine) => engine.enforceSchema('', this._name(station), true));
  }

  // ---- live messages: what they need is loaded when they are first used ----------------------------------------------

  /** @param {string} channel @param {Api.Payload} message @param {Api.PublishOptions} [options] @returns {Promise<void>} */
  publish(channel, message, options) {
    return this.#live ? this.#live.publish(channel, message, options) : this.#first(message, options, (live, kept, given) => live.publish(channel, kept, given));
  }

  /** @param {string} channel @param {Api.Payload} message @param {Api.RequestOptions} [options] @returns {Promise<any>} */
  request(channel, message, options) {
    return this.#live ? this.#live.request(channel, message, options) : this.#first(message, options, (live, kept, given) => live.request(channel, kept, given));
  }

  /** @param {string} channel @param {Api.SubscribeOptions} [options] @param {(message: any) => void | Promise<void>} [handler] */
  async subscribe(channel, options, handler) {
    return (await this.#useLive()).subscribe(channel, options, handler);
  }

  /** @param {string} channel @param {(request: any) => any} handler @param {Api.RespondOptions} [options] */
  async respond(channel, handler, options) {
    return (await this.#useLive()).respond(channel, handler, options);
  }

  /**
   * The first calls wait for the rest of the code; their bytes and options are taken now.
   * @template T
   * @param {Api.Payload} message
   * @param {{ signal?: AbortSignal | undefined } | undefined} options
   * @param {(live: Live, kept: any, given: any) => Promise<T>} work
   * @returns {Promise<T>}
   */
  async #first(message, options, work) {
    this._check();
    const given = own(options, this.broker);
    const kept = snapshot(this.broker, message);
    return this._behind(this.#useLive(), (live) => work(live, kept, given), undefined, given?.signal);
  }

  /**
   * A call that waits for its code, or for those before it; its signal and the end of the connection do not.
   * @template T, V
   * @param {Promise<V> | undefined} loading
   * @param {(loaded: V) => T} work
   * @param {unknown} order
   * @param {AbortSignal | undefined} signal
   */
  _behind(loading, work, order, signal) {
    const given = this._signal(signal);
    return this._early.wait(loading, work, order, (begun) => this.#awaited(begun, given).catch((error) => Promise.reject(withdrawn(error))));
  }

  /** @returns {Promise<Live>} */
  #useLive() {
    this.#liveLoading ??= (async () => {
      try {
        await this._part('live');
      } catch (error) {
        this.#liveLoading = undefined;
        throw error;
      }
      return (this.#live ??= /** @type {Live} */ (new this._instance.scripts.live.Live(this)));
    })();
    return this.#liveLoading;
  }

  isConnected() {
    return !this.#over && !this.#closing && this._do((engine) => engine.isUp());
  }

  /** @returns {Promise<Api.ServerInfo>} */
  async ping() {
    this._check();
    const begun = performance.now();
    const op = this._do((engine) => engine.ping());
    if (op < 0) throw this._failure();
    await this._operation(op);
    const [product, version, host, maxPayloadBytes] = this._do((engine) => engine.server());
    return { product, rttMs: performance.now() - begun, ...(version && { version }), ...(host && { host }), ...(maxPayloadBytes && { maxPayloadBytes }) };
  }

  /** @returns {AsyncIterable<Api.Status> & { readonly dropped: number }} */
  status() {
    return this.#observers.status();
  }

  /** @returns {AsyncIterable<Api.Frame> & { readonly dropped: number }} */
  tap() {
    return this.#observers.tap();
  }

  /** @returns {Api.Stats} */
  stats() {
    if (this.#counted) return this.#counted;
    return counted(this._do((engine) => engine.stats()), this._instance.memory.buffer.byteLength);
  }

  /** @returns {Promise<void>} */
  close() {
    if (!this.#closePromise) {
      this.#closePromise = this.closed.then(() => undefined);
      if (!this.#over) {
        this.#closing = true;
        const begin = () => {
          if (this.#over) return;
          this._do((engine) => engine.close(false));
          this.#consuming?.stopAll();
          this.#live?.close();
        };
        const early = this._early.begun(this.#live ? undefined : this.#liveLoading);
        if (early) {
          this._do((engine) => engine.close(true));
          early.then(begin);
        } else begin();
      }
    }
    return this.#closePromise;
  }

  [Symbol.asyncDispose]() {
    return this.close();
  }

  // ---- for producers ------------------------------------------------------------------------------------------------

  /** @param {Producer} producer @returns {Promise<void>} */
  async _flushProducer(producer) {
    await this._early.of(producer);
    if (!this.#over) await this._operation(this._do((engine) => engine.flushProducer(producer._id)));
  }

  /** @param {Producer} producer @returns {Promise<void>} */
  async _destroyProducer(producer) {
    this.#dropProducer(producer._id);
    await this._early.of(producer);
    if (!this.#over) await this._operation(this._do((engine) => engine.destroyProducer(producer._id)));
  }

  /** @param {number} id */
  #dropProducer(id) {
    for (const [key, producer] of this.#producers) if (producer._id === id) this.#producers.delete(key);
    this.#senders.delete(id);
  }

  // ---- the table ----------------------------------------------------------------------------------------------------

  /**
   * What a turn brought; the rows are described in src/face/table.rs. No user code runs in here.
   * @param {number} at
   * @param {number} count
   * @param {Uint8Array<ArrayBuffer> | undefined} chunk
   * @param {number} pack
   * @param {number} packed
   */
  #turn = (at, count, chunk, pack, packed) => {
    const words = new Uint32Array(this._instance.memory.buffer, at, count).slice();
    const own = packed > 0 ? this._instance.view().slice(pack, pack + packed) : undefined;
    read(words, chunk, /** @type {any} */ (own), this.#sink);
  };

  /** An operation has succeeded. @param {number} op @param {unknown} value */
  _resolve(op, value) {
    this.#operations.take(op)?.resolve(value);
  }

  /** An error of the turn that is being read. @param {number} index @returns {any} */
  _turnError(index) {
    return this.#turnError(index);
  }

  /** The same, or none. @param {number} index @returns {any} */
  #turnError(index) {
    return index === NONE ? undefined : this._error(this._engine.turnError(index));
  }

  /** Who gets the rows. @type {import('./table.js').Sink} */
  #sink = {
    stored: (words, i) => this._calls.stored(words, i),
    failed: (call, error) => this._calls.failed(call, this.#turnError(error)),
    message: (id, number, bytes, words, i) => this.#consuming?.arrived(id, number, bytes, words, i),
    dropped: (id, number) => this.#consuming?.dropped(id, number),
    fetched: (op, id, numbers) => this.#operations.take(op)?.resolve(this.#consuming?.pull(id, numbers)),
    batch: (id, error, numbers) => this.#consuming?.batch(id, numbers, this.#turnError(error)),
    ready: (id) => this.#consuming?.ready(id),
    done: (op) => this.#operations.take(op)?.resolve(undefined),
    undone: (op, index) => {
      const error = this.#turnError(index);
      const operation = this.#operations.take(op);
      if (error.code === 'aborted' && operation?.signal) because(error, operation.signal.reason);
      operation?.reject(error);
    },
    consumerEnded: (id, index) => this.#consuming?.ended(id, this.#turnError(index)),
    producerEnded: (id) => this.#dropProducer(id),
    room: () => this._calls.roomy(),
    status: (index) => this.#status(this._engine.turnStatus(index)),
    ask: (attempt, error) => this.#ask(attempt, this.#turnError(error)),
    over: (error) => this.#finished(this.#turnError(error)),
    schema: (index) => void this.#bind(this._engine.turnSchema(index)),
    tapped: () => this.#observers.tapped(),
    note: (index) => this.#note(index),
    more: (words, i, chunk, own) => this.#live?.row(words, i, chunk, own) ?? 0,
  };

  /** Producers and consumers of a station. @param {string} station */
  _users(station) {
    return {
      producers: [...this.#senders.values()].filter((producer) => producer.stations.includes(station)),
      consumers: this.#consuming?.of(station) ?? [],
    };
  }

  /** What is needed for schemas is in files of its own. @returns {Promise<import('./schema.js').Schemas>} */
  _loadSchemas() {
    return (this.#schemas ??= import('./schema.js').then(
      ({ Schemas }) => new Schemas(this),
      (error) => {
        this.#schemas = undefined;
        throw because(plain(this.broker, 'schema_violation', `schemas cannot be checked: ${error?.message ?? error}`, 'Are the folders shell and schemas served as they are in the package? Try again.', true), error);
      },
    ));
  }

  /**
   * What messages of a station that is only looked at are decoded by; undefined without a schema.
   * @param {string} station
   * @returns {Promise<Pick<import('./schema.js').Bound, 'decode' | 'fit'> | undefined>}
   */
  async _schemaOf(station) {
    try {
      await this._cold((engine) => engine.bindStation(station));
      return (await this.#schemas)?.of(station);
    } catch (error) {
      if (/** @type {any} */ (error).code !== 'schema_violation') throw error;
      const fails = () => { throw error; };
      return { decode: fails, fit: fails };
    }
  }

  /** Messages of a station have to fit something else from now on. @param {any} binding described in src/face/schema.rs */
  async #bind(binding) {
    let failed = '';
    try {
      const schemas = await this._loadSchemas();
      await schemas.bind(binding);
    } catch (error) {
      failed = said(error);
      for (const consumer of this._users(binding[1]).consumers) consumer._schema = /** @type {any} */ ({ decode() { throw error; } });
    }
    if (!this.#over) this._do((engine) => engine.schemaBound(binding[0], failed));
  }

  /** @param {any} status */
  #status(status) {
    for (const name of ['reason', 'error']) if (name in status) status[name] = this._error(status[name]);
    if (status.type === 'connected') {
      this.#socket.cause = undefined;
      // Another server of a cluster may be of another version.
      this.capabilities = capabilities(this._engine.lacks());
      this.#connecting?.resolve();
      this.#connecting = undefined;
    }
    this._log(BAD.has(status.type) || status.reason ? 'warn' : 'info', status.type, status);
    this.#observers.told(status);
  }

  /** Something for the logger alone. @param {number} index */
  #note(index) {
    if (!this.#options.logger) return;
    const [event, detail] = this._engine.turnNote(index);
    if (detail.error) detail.error = this._error(detail.error);
    this._log('warn', event, detail);
  }

  /**
   * Ask the application for credentials.
   * @param {number} attempt
   * @param {BrokerError | undefined} reason
   */
  #ask(attempt, reason) {
    this.#asking?.abort();
    this.#socket.cause = undefined;
    const asking = (this.#asking = new AbortController());
    const request = { attempt, signal: asking.signal, ...(reason && { reason }) };
    const tell = (/** @type {(engine: any) => void} */ work) => asking.signal.aborted || this.#over || this._do(work);
    Promise.resolve()
      .then(() => Promise.all([this.#options.credentials?.(request), this._instance.part('credentials')]))
      .then(([given]) => own(given, this.broker))
      .then(
        (given) => tell((engine) => engine.credentials(given)),
        async (error) => {
          try {
            await this._instance.part('credentials');
          } catch (lacking) {
            this.#connecting?.reject(lacking);
            this.#connecting = undefined;
            return tell((engine) => engine.abortConnect());
          }
          if (!asking.signal.aborted) this.#socket.cause = error;
          tell((engine) => engine.credentialsFailed(said(error)));
        },
      );
  }

  /** The connection is over for good. @param {BrokerError | undefined} reason */
  #finished(reason) {
    const error = reason ?? plain(this.broker, 'closed', 'the connection has been closed');
    if (reason && error.cause === undefined) because(reason, this.#socket.cause);
    this.#over = error;
    this.#asking?.abort();
    this.#consuming?.endAll(reason);
    this.#live?.over(reason);
    this.#settleAll(error);
    this.#observers.tapped();
    this.#observers.end();
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this._instance.left(this);
    this.#end(reason);
    // Not now: the wasm is still in the turn that said so.
    queueMicrotask(() => this.#release());
  }

  /** Give the wasm back what belongs to this connection: nothing else would, since both sides hold each other. */
  #release() {
    try {
      this.#counted = this.stats();
      this._engine.release();
      this._engine.free();
    } catch (error) {
      this._instance.trap(error);
    }
    this.#freed = true;
    // What the application gave is not held with what is left.
    this.#options = { logger: this.#options.logger };
  }

  /** Nothing is left behind. @param {unknown} error */
  #settleAll(error) {
    this._calls.rejectAll(error);
    this.#operations.rejectAll(error);
  }

  /** The wasm has trapped. @param {unknown} cause */
  _trapped(cause) {
    if (this.#over) return;
    const error = because(internal(this.broker, cause), cause);
    this.#socket.drop();
    // Of a trapped instance nothing can be asked any more; its memory goes with it.
    this.#freed = true;
    this.#counted = counted([], 0);
    this.#observers.told({ type: 'closed', reason: /** @type {any} */ (error) });
    this.#over = error;
    this.#asking?.abort();
    this.#consuming?.endAll(error);
    this.#live?.over(error);
    this.#settleAll(error);
    this.#observers.end();
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this.#end(error);
  }
}
