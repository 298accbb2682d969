// A batch of messages: gathered in the scratch, given to the wasm in few calls, and one promise for all of them.

import { BatchError, BrokerError, isUnusual, plain, reader, withdrawn } from './first.js';

/** @import { Producer } from './producer.js' */
/** @import { Call } from './calls.js' */
/** @import { BatchOptions, Payload, Receipt } from '../index.js' */

/** Bytes that cross at a time; a write of twice that gains nothing. */
const AT_ONCE = 128 * 1024;

/** A call of a batch: it settles its place in the outcomes instead of a promise of its own. */
/** @type {Pick<Call, 'resolve' | 'reject'>} */
const shared = {
  resolve(receipt) {
    const { batch, at } = /** @type {BatchCall} */ (this);
    batch.settled(at, receipt);
  },
  reject(error) {
    const { batch, at } = /** @type {BatchCall} */ (this);
    batch.settled(at, /** @type {BrokerError} */ (error));
  },
};

/** @typedef {Call & { batch: Batch, at: number }} BatchCall */

/**
 * @param {Producer} producer
 * @param {Payload[]} messages
 * @param {BatchOptions} [options] a copy of our own
 * @returns {Promise<Receipt[]>}
 */
export async function produceBatch(producer, messages, options) {
  const connection = producer._connection;
  if (!Array.isArray(messages)) throw plain(connection.broker, 'invalid_argument', 'the batch is not an array of messages');
  connection._check();
  const { onProgress, compression, signal, ...rest } = options ?? {};
  if (compression != null || 'msgId' in rest || (options !== undefined && (typeof options !== 'object' || Array.isArray(options))) || isUnusual(rest, connection._instance.usual[0])) {
    const loading = connection._part(reader(rest), connection._signal(signal));
    if (loading) return producer._batchBehind(loading, messages, (kept) => produceBatch(producer, kept, options), signal);
    if (connection._do((engine) => engine.checkProduce(options, true, false)) < 0) throw connection._failure();
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') throw plain(connection.broker, 'invalid_argument', 'onProgress is not a function');
  connection._signal(signal);
  const batch = new Batch(producer, messages, onProgress);
  return batch.run(rest, signal);
}

export class Batch {
  /** @type {(Receipt | BrokerError)[]} */ #outcomes;
  /** Without an outcome, by their place, where they may have to be withdrawn. @type {Map<number, BatchCall>} */ #open = new Map();
  /** They go by themselves. @type {Set<number>} */ #late = new Set();
  #done = 0;
  #told = 0;
  #telling = false;
  /** @type {() => void} */ #end = () => {};

  /** @param {Producer} producer @param {Payload[]} messages @param {BatchOptions['onProgress']} onProgress */
  constructor(producer, messages, onProgress) {
    this.producer = producer;
    this.messages = messages;
    this.onProgress = onProgress;
    this.#outcomes = new Array(messages.length);
  }

  /** @param {any} options @param {AbortSignal | undefined} signal */
  async run(options, signal) {
    const calls = this.producer._connection._calls;
    const abort = () => calls.abort([...this.#open.values()], /** @type {AbortSignal} */ (signal));
    signal?.addEventListener('abort', abort, { once: true });
    /** @type {Promise<void>} */
    const ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    for (let at = 0; at < this.messages.length; ) {
      if (signal?.aborted) this.settled(at, withdrawn(this.producer._connection._aborted(signal))), at++;
      else {
        const next = this.#send(at, options, signal);
        // Full: the batch feeds itself, and goes on when half of the limit is free.
        if (next.full) await calls.room();
        at = next.at;
      }
    }
    if (this.messages.length > 0) await ended;
    signal?.removeEventListener('abort', abort);
    this.#tell();
    const first = this.#outcomes.find((outcome) => outcome instanceof BrokerError);
    if (first) throw new BatchError(/** @type {BrokerError} */ (first), this.#outcomes);
    return /** @type {Receipt[]} */ (this.#outcomes);
  }

  /**
   * Gather as many as cross at a time and send them; where to go on comes back.
   * @param {number} from @param {any} options @param {AbortSignal | undefined} signal
   */
  #send(from, options, signal) {
    const { _calls: calls, _engine: engine } = this.producer._connection;
    /** @type {number[]} */
    const places = [];
    let at = from;
    let taken = 0;
    let failure;
    try {
      this.producer._connection._check();
      const texts = calls.given(options, 0);
      let end = texts;
      const schema = this.producer._schema;
      for (; at < this.messages.length && end - texts < AT_ONCE; at++) {
        if (this.#outcomes[at] !== undefined || this.#late.has(at)) continue;
        const message = this.messages[at];
        try {
          end = calls.scratch.framed(schema === undefined ? message : schema.fit(message), end);
          places.push(at);
        } catch (error) {
          if (!(error instanceof BrokerError)) throw error;
          this.#unfit(at, error, { ...options, signal });
        }
      }
      taken = engine.produceMany(this.producer._id, texts, end - texts, calls.flags, calls.partition, calls.wait, calls.limit);
      calls.many(this, places, taken, schema);
      if (end > 1 << 20) calls.scratch.trim();
      if (taken < places.length) failure = this.producer._connection._failure();
    } catch (error) {
      failure = error instanceof BrokerError ? error : this.producer._connection._error(error);
    }
    if (!failure) return { at, full: false };
    const place = places[taken] ?? from;
    if (failure.code === 'queue_full') return { at: place, full: true };
    this.settled(place, failure);
    return { at: place + 1, full: false };
  }

  /**
   * A message that cannot be sent as it is; what its schema makes of it may be, by itself.
   * @param {number} at @param {BrokerError} error @param {any} options
   */
  #unfit(at, error, options) {
    const schema = this.producer._schema;
    if (schema === undefined) return this.settled(at, error);
    this.#late.add(at);
    const again = (/** @type {unknown} */ kept) => /** @type {Promise<Receipt>} */ (this.producer._connection._calls.produce(this.producer, kept, options, false));
    const settled = (/** @type {Receipt | BrokerError} */ outcome) => this.settled(at, outcome);
    schema.caught(error, this.messages[at], again, options.headers, this.producer.name).then(settled, settled);
  }

  /**
   * An entry for the table of calls.
   * @param {number} index @param {number} at
   * @returns {BatchCall}
   */
  call(index, at) {
    const entry = { index, resolve: shared.resolve, reject: shared.reject, producer: this.producer, msgId: undefined, others: undefined, signal: undefined, abort: undefined, times: undefined, batch: this, at };
    this.#open.set(at, entry);
    return entry;
  }

  /** @param {number} at @param {Receipt | BrokerError} outcome */
  settled(at, outcome) {
    if (this.#outcomes[at] !== undefined) return;
    this.#outcomes[at] = outcome;
    this.#open.delete(at);
    this.#done++;
    if (this.onProgress && !this.#telling) {
      // Once for all that a turn brings.
      this.#telling = true;
      queueMicrotask(() => this.#tell());
    }
    if (this.#done === this.messages.length) this.#end();
  }

  #tell() {
    this.#telling = false;
    if (this.#told === this.#done) return;
    this.#told = this.#done;
    try {
      this.onProgress?.(this.#done, this.messages.length);
    } catch (error) {
      this.producer._connection._log('error', 'progress_failed', { error });
    }
  }
}
