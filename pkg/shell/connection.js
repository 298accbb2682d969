// One connection: it owns the promises, and gives to each what the table of a turn says.

import { BrokerError, because, plain } from './errors.js';
import { Consumer } from './consumer.js';
import { Feed } from './feed.js';
import { internal } from './instance.js';
import { Message } from './message.js';
import { Producer } from './producer.js';
import { Scratch } from './payload.js';
import { SocketKeeper } from './socket.js';
import { Station } from './station.js';
import { Unoffered } from './unoffered.js';
import { capabilities } from './capabilities.js';
import { counted } from './stats.js';
import { isSlow } from './options.js';
import { read } from './table.js';

/** @import { Instance } from './instance.js' */
/** @import { Fields } from './errors.js' */
/** @import * as Api from '../index.js' */

const NONE = 0xffffffff;

/** One executor for all promises: it leaves the functions here. @type {(value: any) => void} */
let resolveIt;
/** @type {(error: unknown) => void} */
let rejectIt;
const executor = (/** @type {(value: any) => void} */ resolve, /** @type {(error: unknown) => void} */ reject) => {
  resolveIt = resolve;
  rejectIt = reject;
};

/**
 * @typedef {{ index: number, resolve: (value: any) => void, reject: (error: unknown) => void, producer: Producer, msgId: string | undefined,
 *   others: Api.Receipt[] | undefined, signal: AbortSignal | undefined, abort: (() => void) | undefined }} Call
 * @typedef {{ resolve: (value: any) => void, reject: (error: unknown) => void, signal: AbortSignal | undefined, abort: (() => void) | undefined }} Operation
 */

export class Connection extends Unoffered {
  /** @type {(Call | undefined)[]} */ #calls = [];
  /** @type {Call | undefined} */ #last;
  /** @type {Map<number, Operation>} */ #operations = new Map();
  /** Cold promises that have not settled. @type {Set<(error: unknown) => void>} */ #cold = new Set();
  /** @type {Map<number, Consumer>} */ #consumers = new Map();
  /** Kept behind produce, by stations and name. @type {Map<string, Producer>} */ #producers = new Map();
  /** Kept behind fetch and consume, by station and name. @type {Map<string, Consumer>} */ #kept = new Map();
  /** @type {Set<Feed<Api.Status>>} */ #statuses = new Set();
  /** @type {(() => void)[]} */ #waiting = [];
  #scratch;
  #options;
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

  /** @param {Instance} instance @param {Api.ConnectOptions} options */
  constructor(instance, options) {
    super(options.broker);
    this._instance = instance;
    this.#options = options;
    this.#socket = new SocketKeeper(options.socket);
    /** @type {any} */
    this._engine = this.#made(
      () => new instance.glue.Engine(options, this.#turn, (/** @type {any} */ work) => instance.guard(work), this.#socket.live, this.#socket.factory, options.credentials !== undefined),
    );
    this.#scratch = new Scratch(this);
    this.#end = () => {};
    this.closed = new Promise((/** @type {(error: BrokerError | undefined) => void} */ resolve) => {
      this.#end = resolve;
    });
    const lacks = this._engine.lacks();
    this.capabilities = capabilities(lacks);
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
      throw this.#error(error);
    }
  }

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
      this.#do((engine) => engine.abortConnect());
    };
    signal?.addEventListener('abort', abort, { once: true });
    this.#do((engine) => engine.start());
    return connected.finally(() => signal?.removeEventListener('abort', abort));
  }

  // ---- errors -------------------------------------------------------------------------------------------------------

  /** What Rust threw, or a trap. @param {unknown} error */
  #error(error) {
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
    if (signal.aborted) throw this._aborted(signal);
    return signal;
  }

  _check() {
    if (this.#over) throw this.#over;
    if (this.#closing) throw plain(this.broker, 'closed', 'the connection has been closed');
  }

  /**
   * Call into the wasm.
   * @template T
   * @param {(engine: any) => T} work
   */
  #do(work) {
    if (this.#freed) throw this.#over;
    try {
      return work(this._engine);
    } catch (error) {
      throw this.#error(error);
    }
  }

  /** The error behind a -1. */
  #failure() {
    return this.#error(this._engine.error());
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
    const promise = new Promise(executor);
    this.#operations.set(op, { resolve: resolveIt, reject: rejectIt, signal, abort });
    if (signal && abort) signal.addEventListener('abort', abort, { once: true });
    return promise;
  }

  /** @param {number} op */
  #take(op) {
    const operation = this.#operations.get(op);
    this.#operations.delete(op);
    if (operation?.signal && operation.abort) operation.signal.removeEventListener('abort', operation.abort);
    return operation;
  }

  /**
   * A cold operation, which is an async function in Rust.
   * @param {(engine: any) => Promise<any>} work
   * @returns {Promise<any>}
   */
  async _cold(work) {
    this._check();
    const running = this.#do(work);
    return new Promise((resolve, reject) => {
      const fail = (/** @type {unknown} */ error) => {
        this.#cold.delete(fail);
        reject(error);
      };
      this.#cold.add(fail);
      running.then(
        (value) => {
          this.#cold.delete(fail);
          resolve(value);
        },
        (error) => fail(this.#error(error)),
      );
    });
  }

  // ---- public -------------------------------------------------------------------------------------------------------

  /** @param {string} name @param {Api.StationOptions} [options] */
  async station(name, options) {
    const [partitions, existed, differs] = await this._cold((engine) => engine.station(this.#name(name), options));
    return new Station(this, name, Object.freeze(partitions), existed, Object.freeze(differs));
  }

  /** @param {unknown} name @returns {string} */
  #name(name) {
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
      const key = JSON.stringify([stations, options?.producerName ?? null]);
      let producer = this.#producers.get(key);
      if (!producer) {
        producer = this.#openProducer(stations, options, true);
        this.#producers.set(key, producer);
      }
      return /** @type {Promise<Api.Receipt>} */ (this._produce(producer, message, options, true));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @param {string} station @param {Api.ConsumerOptions & Api.FetchOptions} [options] */
  fetch(station, options) {
    try {
      this._check();
      return this.#keptConsumer(station, options, 1)._fetch(options, true);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * @param {string} station
   * @param {Api.ConsumerOptions & Api.ConsumeOptions} [options]
   * @param {Api.MessageHandler} [handler]
   */
  async consume(station, options, handler) {
    this._check();
    if (handler !== undefined && typeof handler !== 'function') throw plain(this.broker, 'invalid_argument', 'the handler is not a function');
    this._signal(options?.signal);
    const consumer = this.#keptConsumer(station, options, 2);
    if (handler) consumer._consume(handler, options, true).catch((error) => this._log('error', 'handler_failed', { station, error }));
    else consumer._start(options, false, true);
    await this._operation(this.#do((engine) => engine.whenConsumer(consumer._id)));
    return consumer;
  }

  /** @param {string | string[]} stations @param {Api.ProducerOptions} [options] */
  async producer(stations, options) {
    this._check();
    const producer = this.#openProducer(stations, options, false);
    await this._operation(this.#do((engine) => engine.whenProducer(producer._id)));
    return producer;
  }

  /** @param {string} station @param {Api.ConsumerOptions} [options] */
  async consumer(station, options) {
    this._check();
    const consumer = this.#openConsumer(station, options, 0);
    await this._operation(this.#do((engine) => engine.whenConsumer(consumer._id)));
    return consumer;
  }

  /**
   * @param {string | string[]} stations
   * @param {unknown} options
   * @param {boolean} mixed
   */
  #openProducer(stations, options, mixed) {
    const list = (Array.isArray(stations) ? stations : [stations]).map((name) => this.#name(name));
    const id = this.#do((engine) => engine.openProducer(list, options, mixed));
    if (id < 0) throw this.#failure();
    const [name, prefix] = /** @type {[string, string]} */ (this.#do((engine) => engine.text()).split('\n'));
    this.#scratch.forget();
    return new Producer(this, id, Object.freeze(list), name, prefix);
  }

  /**
   * @param {string} station
   * @param {any} options
   * @param {number} among
   */
  #openConsumer(station, options, among) {
    const id = this.#do((engine) => engine.openConsumer(this.#name(station), options, among));
    if (id < 0) throw this.#failure();
    const [name, group, auto] = this.#do((engine) => engine.text()).split('\n');
    this.#scratch.forget();
    const consumer = new Consumer(this, id, station, name, group, auto === '1');
    this.#consumers.set(id, consumer);
    return consumer;
  }

  /**
   * @param {string} station
   * @param {any} options
   * @param {number} among
   */
  #keptConsumer(station, options, among) {
    const key = JSON.stringify([station, options?.consumerName ?? null, options?.consumerGroup ?? null]);
    let consumer = this.#kept.get(key);
    if (!consumer) {
      consumer = this.#openConsumer(station, options, among);
      this.#kept.set(key, consumer);
    }
    return consumer;
  }

  isConnected() {
    return !this.#over && !this.#closing && this.#do((engine) => engine.isUp());
  }

  /** @returns {Promise<Api.ServerInfo>} */
  async ping() {
    this._check();
    const begun = performance.now();
    const op = this.#do((engine) => engine.ping());
    if (op < 0) throw this.#failure();
    await this._operation(op);
    const [product, version, host, maxPayloadBytes] = this.#do((engine) => engine.server());
    return { product, rttMs: performance.now() - begun, ...(version && { version }), ...(host && { host }), ...(maxPayloadBytes && { maxPayloadBytes }) };
  }

  /** @returns {AsyncIterable<Api.Status> & { readonly dropped: number }} */
  status() {
    /** @type {Feed<Api.Status>} */
    const feed = new Feed(this._instance.feedEntries, () => this.#statuses.delete(feed));
    if (this.#over || this.#closePromise && !this._instance.connections.has(this)) feed.end();
    else this.#statuses.add(feed);
    return feed;
  }

  /** @returns {Api.Stats} */
  stats() {
    if (this.#counted) return this.#counted;
    return counted(this.#do((engine) => engine.stats()), this._instance.memory.buffer.byteLength);
  }

  /** @returns {Promise<void>} */
  close() {
    if (!this.#closePromise) {
      this.#closePromise = this.closed.then(() => undefined);
      if (!this.#over) {
        this.#closing = true;
        this.#do((engine) => engine.close());
        for (const consumer of this.#consumers.values()) consumer.stop();
      }
    }
    return this.#closePromise;
  }

  [Symbol.asyncDispose]() {
    return this.close();
  }

  // ---- for producers ------------------------------------------------------------------------------------------------

  /**
   * The hot path: payload and texts into the scratch, one call, one promise.
   * @param {Producer} producer
   * @param {unknown} message
   * @param {any} options
   * @param {boolean} mixed producer options may stand among them
   * @param {boolean} [feeds] undefined instead of queue_full
   * @returns {Promise<Api.Receipt> | undefined}
   */
  _produce(producer, message, options, mixed, feeds) {
    let flags = 0;
    let partition = 0;
    let wait = 0;
    let limit = 0;
    let texts = 0;
    /** @type {string | undefined} */
    let msgId;
    /** @type {AbortSignal | undefined} */
    let signal;
    let call;
    try {
      this._check();
      const scratch = this.#scratch;
      const length = scratch.payload(message);
      if (options !== undefined) {
        this.#checkOptions(options, mixed);
        signal = this._signal(options.signal);
        msgId = options.msgId;
        let end = length;
        if (msgId !== undefined) end = scratch.tagged(1, msgId, end);
        if (options.partitionKey !== undefined) end = scratch.tagged(2, options.partitionKey, end);
        const headers = options.headers;
        if (headers !== undefined) {
          for (const name of Object.keys(headers)) end = scratch.tagged(4, headers[name], scratch.tagged(3, name, end));
        }
        texts = end - length;
        if (options.waitForAck === false) flags |= 1;
        if (options.partitionNumber !== undefined) flags |= ((partition = options.partitionNumber), 2);
        if (options.ackWaitMs !== undefined) flags |= ((wait = options.ackWaitMs), 4);
        if (options.limitConcurrentTasks !== undefined) flags |= ((limit = options.limitConcurrentTasks), 8);
      }
      call = this._engine.produce(producer._id, length, texts, flags, partition, wait, limit);
      if (call < 0) {
        const error = this.#failure();
        if (feeds && error.code === 'queue_full') return undefined;
        return Promise.reject(error);
      }
      if (length > 1 << 20) scratch.trim();
    } catch (error) {
      return Promise.reject(error instanceof BrokerError ? error : this.#error(error));
    }
    const promise = new Promise(executor);
    /** @type {Call} */
    const entry = { index: call, resolve: resolveIt, reject: rejectIt, producer, msgId, others: undefined, signal, abort: undefined };
    this.#calls[call] = this.#last = entry;
    if (signal) {
      entry.abort = () => this.#do((engine) => engine.abortCall(call));
      signal.addEventListener('abort', entry.abort, { once: true });
    }
    return promise;
  }

  /**
   * Options that the fast path does not take, or of other types than it expects: Rust makes the error.
   * @param {any} options
   * @param {boolean} mixed
   */
  #checkOptions(options, mixed) {
    const slow = isSlow(options, this._instance.fastNames);
    if (slow && this._engine.checkProduce(options, false, mixed) < 0) throw this.#failure();
  }

  /** @param {unknown} options */
  _checkBatch(options) {
    this._check();
    if (this.#do((engine) => engine.checkProduce(options, true, false)) < 0) throw this.#failure();
  }

  /** The call behind the promise that was given last. */
  _lastCall() {
    return /** @type {Call} */ (this.#last);
  }

  /**
   * Withdraw those that have no outcome.
   * @param {Call[]} calls
   * @param {AbortSignal} signal
   */
  _abortCalls(calls, signal) {
    for (const call of calls) {
      if (this.#calls[call.index] !== call) continue;
      call.signal = signal;
      this.#do((engine) => engine.abortCall(call.index));
    }
  }

  /** Settles when half of the limit for pending messages is free. @returns {Promise<void>} */
  _room() {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#do((engine) => engine.wantRoom());
    });
  }

  /** @param {number} id @returns {Promise<void>} */
  async _flushProducer(id) {
    if (!this.#over) await this._operation(this.#do((engine) => engine.flushProducer(id)));
  }

  /** @param {Producer} producer @returns {Promise<void>} */
  async _destroyProducer(producer) {
    this.#dropProducer(producer._id);
    if (!this.#over) await this._operation(this.#do((engine) => engine.destroyProducer(producer._id)));
  }

  /** @param {number} id */
  #dropProducer(id) {
    for (const [key, producer] of this.#producers) if (producer._id === id) this.#producers.delete(key);
  }

  // ---- for consumers ------------------------------------------------------------------------------------------------

  /**
   * @param {Consumer} consumer
   * @param {any} options
   * @param {boolean} among
   * @param {AbortSignal | undefined} signal
   */
  _fetch(consumer, options, among, signal) {
    const op = this.#do((engine) => engine.fetch(consumer._id, options, among));
    if (op < 0) throw this.#failure();
    return this._operation(op, signal, signal && (() => this.#do((engine) => engine.abortFetch(consumer._id, op))));
  }

  /**
   * @param {number} id
   * @param {any} options
   * @param {boolean} handler
   * @param {boolean} among
   */
  _start(id, options, handler, among) {
    if (this.#do((engine) => engine.consume(id, options, handler, among)) < 0) throw this.#failure();
  }

  /** @param {number} id @returns {number} */
  _take(id) {
    return this.#do((engine) => engine.take(id));
  }

  /** @param {number} id */
  _handled(id) {
    if (!this.#over) this.#do((engine) => engine.handled(id));
  }

  /** @param {number} id */
  _stop(id) {
    if (!this.#over) this.#do((engine) => engine.stop(id));
  }

  /**
   * @param {number} id
   * @param {boolean} destroys
   * @returns {Promise<void>}
   */
  async _leave(id, destroys) {
    if (!this.#over && !this.#closing) await this._operation(this.#do((engine) => engine.leave(id, destroys)));
  }

  /** @param {Consumer} consumer */
  _forget(consumer) {
    this.#consumers.delete(consumer._id);
    for (const [key, kept] of this.#kept) if (kept === consumer) this.#kept.delete(key);
  }

  /**
   * @param {number} id
   * @param {number} partition
   * @param {Uint8Array} token
   * @param {string} reason
   * @param {number} what
   * @param {number} span
   * @param {number} low
   * @param {number} high
   * @param {number} deliveries
   * @param {boolean} confirm
   * @returns {number} 0 when done, else the operation
   */
  _settle(id, partition, token, reason, what, span, low, high, deliveries, confirm) {
    this._check();
    try {
      const length = this.#scratch.token(token, reason);
      const op = this._engine.settle(id, partition, token.length, length, what, span, low, high, deliveries, confirm);
      if (op < 0) throw this.#failure();
      return op;
    } catch (error) {
      throw this.#error(error);
    }
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

  /** An error of the turn that is being read. @param {number} index @returns {any} */
  #turnError(index) {
    return index === NONE ? undefined : this.#error(this._engine.turnError(index));
  }

  /** Who gets the rows. @type {import('./table.js').Sink} */
  #sink = {
    stored: (words, i) => this.#stored(words, i),
    failed: (call, error) => this.#failed(call, this.#turnError(error)),
    message: (id, number, bytes, words, i) => {
      const consumer = this.#consumers.get(id);
      if (consumer) consumer._arrived(number, new Message(consumer, bytes, words, i));
    },
    dropped: (id, number) => void this.#consumers.get(id)?._pull(number),
    fetched: (op, id, numbers) => this.#take(op)?.resolve(this.#pull(id, numbers)),
    batch: (id, error, numbers) => this.#consumers.get(id)?._batch(this.#pull(id, numbers), this.#turnError(error)),
    ready: (id) => this.#consumers.get(id)?._ready(),
    done: (op) => this.#take(op)?.resolve(undefined),
    undone: (op, index) => {
      const error = this.#turnError(index);
      const operation = this.#take(op);
      if (error.code === 'aborted' && operation?.signal) because(error, operation.signal.reason);
      operation?.reject(error);
    },
    consumerEnded: (id, index) => {
      const error = this.#turnError(index);
      const consumer = this.#consumers.get(id);
      if (!consumer) return;
      this._forget(consumer);
      consumer._ended(error);
    },
    producerEnded: (id) => this.#dropProducer(id),
    room: () => {
      for (const resolve of this.#waiting.splice(0)) resolve();
    },
    status: (index) => this.#status(this._engine.turnStatus(index)),
    ask: (attempt, error) => this.#ask(attempt, this.#turnError(error)),
    over: (error) => this.#finished(this.#turnError(error)),
  };

  /** @param {number} id @param {Uint32Array} numbers */
  #pull(id, numbers) {
    const consumer = this.#consumers.get(id);
    return Array.from(numbers, (number) => /** @type {Message} */ (consumer?._pull(number)));
  }

  /** @param {Uint32Array} words @param {number} i */
  #stored(words, i) {
    const first = /** @type {number} */ (words[i]);
    const index = /** @type {number} */ (words[i + 1]);
    const call = this.#calls[index];
    if (!call) return;
    const auto = /** @type {number} */ (words[i + 6]) * 4294967296 + /** @type {number} */ (words[i + 5]);
    const msgId = call.msgId ?? (auto > 0 ? `${call.producer._prefix}.${auto.toString(36)}` : undefined);
    /** @type {{ station: string, partition: number, sequence: number, duplicate: boolean, msgId?: string, others?: readonly Api.Receipt[] }} */
    const receipt = {
      station: /** @type {string} */ (call.producer.stations[/** @type {number} */ (words[i + 2])]),
      partition: first >>> 16,
      sequence: /** @type {number} */ (words[i + 4]) * 4294967296 + /** @type {number} */ (words[i + 3]),
      duplicate: ((first >> 8) & 1) === 1,
    };
    if (msgId !== undefined) receipt.msgId = msgId;
    if ((first >> 9) & 1) {
      (call.others ??= []).push(receipt);
      return;
    }
    if (call.others) receipt.others = call.others;
    this.#calls[index] = undefined;
    if (call.abort) call.signal?.removeEventListener('abort', call.abort);
    call.resolve(receipt);
  }

  /** @param {number} index @param {BrokerError} error */
  #failed(index, error) {
    const call = this.#calls[index];
    if (!call) return;
    this.#calls[index] = undefined;
    if (call.abort) call.signal?.removeEventListener('abort', call.abort);
    if (error.code === 'aborted' && call.signal) because(error, call.signal.reason);
    if (call.others) Object.assign(error, { stored: call.others });
    call.reject(error);
  }

  /** @param {any} status */
  #status(status) {
    for (const name of ['reason', 'error']) if (name in status) status[name] = this.#error(status[name]);
    if (status.type === 'connected' && this.#connecting) {
      this.#connecting.resolve();
      this.#connecting = undefined;
    }
    this._log(status.type === 'connected' ? 'info' : 'warn', status.type, status);
    for (const feed of this.#statuses) feed.push(status);
  }

  /**
   * Ask the application for credentials.
   * @param {number} attempt
   * @param {BrokerError | undefined} reason
   */
  #ask(attempt, reason) {
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    const request = { attempt, signal: asking.signal, ...(reason && { reason }) };
    Promise.resolve()
      .then(() => this.#options.credentials?.(request))
      .then(
        (given) => asking.signal.aborted || this.#over || this.#do((engine) => engine.credentials(given)),
        (error) => {
          if (asking.signal.aborted || this.#over) return;
          this.#socket.cause = error;
          this.#do((engine) => engine.credentialsFailed(String(error?.message ?? error)));
        },
      );
  }

  /** The connection is over for good. @param {BrokerError | undefined} reason */
  #finished(reason) {
    const error = reason ?? plain(this.broker, 'closed', 'the connection has been closed');
    if (reason && error.cause === undefined) because(reason, this.#socket.cause);
    this.#over = error;
    this.#asking?.abort();
    for (const consumer of [...this.#consumers.values()]) consumer._ended(reason);
    this.#settleAll(error);
    for (const feed of this.#statuses) feed.end();
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this._instance.connections.delete(this);
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
  }

  /** Nothing is left behind. @param {unknown} error */
  #settleAll(error) {
    for (const call of this.#calls) {
      if (call?.abort) call.signal?.removeEventListener('abort', call.abort);
      call?.reject(error);
    }
    this.#calls = [];
    for (const op of [...this.#operations.keys()]) this.#take(op)?.reject(error);
    for (const fail of [...this.#cold]) fail(error);
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** The wasm has trapped. @param {unknown} cause */
  _trapped(cause) {
    if (this.#over) return;
    const error = because(internal(this.broker, cause), cause);
    this.#socket.drop();
    // Of a trapped instance nothing can be asked any more; its memory goes with it.
    this.#freed = true;
    this.#counted = counted([], 0);
    for (const feed of this.#statuses) feed.push({ type: 'closed', reason: /** @type {any} */ (error) });
    this.#over = error;
    this.#asking?.abort();
    for (const consumer of [...this.#consumers.values()]) consumer._ended(error);
    this.#settleAll(error);
    for (const feed of this.#statuses) feed.end();
    this.#connecting?.reject(error);
    this.#connecting = undefined;
    this.#end(error);
  }
}
