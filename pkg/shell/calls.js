// The calls of produce: from a payload to the wasm, and from a row of the table to the promise.

import { because, own } from './errors.js';
import { Scratch, copied } from './payload.js';

/** @import { BrokerError } from './errors.js' */
/** @import { Connection } from './connection.js' */
/** @import { Batch } from './batch.js' */
/** @import { Producer } from './producer.js' */
/** @import * as Api from '../index.js' */

/** One executor for all promises: it leaves the functions here. @type {(value: any) => void} */
let resolveIt;
/** @type {(error: unknown) => void} */
let rejectIt;
const executor = (/** @type {(value: any) => void} */ resolve, /** @type {(error: unknown) => void} */ reject) => {
  resolveIt = resolve;
  rejectIt = reject;
};

/** A promise and what settles it. @returns {{ promise: Promise<any>, resolve: (value: any) => void, reject: (error: unknown) => void }} */
export function deferred() {
  return { promise: new Promise(executor), resolve: resolveIt, reject: rejectIt };
}

/**
 * @typedef {{ index: number, resolve: (value: any) => void, reject: (error: unknown) => void, producer: Producer, msgId: string | undefined,
 *   others: Api.Receipt[] | undefined, signal: AbortSignal | undefined, abort: (() => void) | undefined,
 *   times: { expiresAt?: Date, visibleAt?: Date } | undefined }} Call
 */

export class Calls {
  /** By the number that Rust gave. @type {(Call | undefined)[]} */ #calls = [];
  /** @type {Call | undefined} */ #last;
  /** Who waits for room. @type {(() => void)[]} */ #waiting = [];
  #connection;
  /** Which of the numbers were given, and those. */
  flags = 0;
  partition = 0;
  wait = 0;
  limit = 0;
  /** They have a time to appear or to go. @type {{} | undefined} */
  times;

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
    this.scratch = new Scratch(connection);
  }

  /**
   * The hot path: payload and texts into the scratch, one call, one promise.
   * @param {Producer} producer
   * @param {unknown} message
   * @param {any} options
   * @param {boolean} mixed producer options may stand among them
   * @param {boolean} [feeds] undefined instead of queue_full
   * @returns {Promise<Api.Receipt> | undefined}
   */
  produce(producer, message, options, mixed, feeds) {
    /** @type {string | undefined} */
    let msgId;
    /** @type {AbortSignal | undefined} */
    let signal;
    let call;
    try {
      // Those that a connection passes on are its own.
      if (options != null && !mixed) options = own(options, this.#connection.broker);
    } catch (error) {
      this.#last = undefined;
      return Promise.reject(error);
    }
    try {
      this.#connection._check();
      const reading = options == null ? undefined : this.#connection._checked(options, true, 'checkProduce', mixed);
      if (reading || this.#connection._early.isBehind(producer)) {
        const kept = copied(this.#connection.broker, message);
        return this.#connection._behind(reading, () => /** @type {Promise<Api.Receipt>} */ (this.produce(producer, kept, options, mixed)), producer, options?.signal);
      }
      const scratch = this.scratch;
      const schema = producer._schema;
      const length = scratch.payload(schema === undefined ? message : schema.fit(message));
      if (options != null) {
        const texts = this.given(options, length) - length;
        signal = this.#connection._signal(options.signal);
        msgId = options.msgId;
        call = this.#connection._engine.produce(producer._id, length, texts, this.flags, this.partition, this.wait, this.limit);
      } else call = this.#connection._engine.produce(producer._id, length, 0, 0, 0, 0, 0);
      if (call < 0) {
        const error = this.#connection._failure();
        this.#last = undefined;
        if (feeds && error.code === 'queue_full') return undefined;
        return Promise.reject(error);
      }
      if (length > 1 << 20) scratch.trim();
    } catch (error) {
      const failed = this.#connection._error(error);
      this.#last = undefined;
      if (producer._schema === undefined) return Promise.reject(failed);
      return producer._awaits(producer._schema.caught(failed, message, (kept) => /** @type {Promise<Api.Receipt>} */ (this.produce(producer, kept, options, mixed)), options?.headers, producer.name));
    }
    const promise = new Promise(executor);
    /** @type {Call} */
    const entry = { index: call, resolve: resolveIt, reject: rejectIt, producer, msgId, others: undefined, signal, abort: undefined, times: undefined };
    this.#calls[call] = this.#last = entry;
    if (options != null) entry.times = this.timed();
    if (producer._schema !== undefined) producer._schema.sent(call, message);
    if (signal) {
      entry.abort = () => this.#connection._do((engine) => engine.abortCall(call));
      signal.addEventListener('abort', entry.abort, { once: true });
    }
    return promise;
  }

  /**
   * Options for the wasm: texts into the scratch after `offset` bytes, whose new number comes back, numbers into the fields here.
   * @param {any} options
   * @param {number} offset
   */
  given(options, offset) {
    const { msgId, partitionKey, headers, waitForAck, partitionNumber, ackWaitMs, limitConcurrentTasks, expirationMs, delayMs, filterValue } = options;
    // null counts as not given, and a bigint for its number, as they do in Rust, where options were checked.
    let end = offset;
    if (msgId != null) end = this.scratch.tagged(1, msgId, end);
    if (partitionKey != null) end = this.scratch.tagged(2, partitionKey, end);
    if (headers != null) {
      for (const name of Object.keys(headers)) end = this.scratch.tagged(4, headers[name], this.scratch.tagged(3, name, end));
    }
    this.times = undefined;
    if (expirationMs != null || delayMs != null) {
      end = this.#later(expirationMs, delayMs, end);
      // What that comes to is known once the wasm has read them.
      this.times = {};
    }
    if (filterValue != null) end = this.scratch.tagged(7, filterValue, end);
    this.flags = waitForAck === false ? 1 : 0;
    if (partitionNumber != null) this.flags |= ((this.partition = Number(partitionNumber)), 2);
    if (ackWaitMs != null) this.flags |= ((this.wait = Number(ackWaitMs)), 4);
    if (limitConcurrentTasks != null) this.flags |= ((this.limit = Number(limitConcurrentTasks)), 8);
    return end;
  }

  /**
   * The calls that the wasm has just made, whose numbers lie in the scratch, for these of a batch.
   * @param {Batch} batch
   * @param {number[]} places
   * @param {number} taken
   * @param {import('./opening.js').Fit | undefined} schema
   */
  many(batch, places, taken, schema) {
    const words = this.scratch.words();
    const times = this.timed();
    for (let i = 0; i < taken; i++) {
      const entry = batch.call(words.getUint32(4 * i, true), /** @type {number} */ (places[i]));
      entry.times = times;
      this.#calls[entry.index] = entry;
      schema?.sent(entry.index, batch.messages[entry.at]);
    }
  }

  /**
   * Numbers that travel as texts, and are rare.
   * @param {unknown} expirationMs
   * @param {unknown} delayMs
   * @param {number} end
   */
  #later(expirationMs, delayMs, end) {
    if (expirationMs != null) end = this.scratch.tagged(5, String(expirationMs), end);
    if (delayMs != null) end = this.scratch.tagged(6, String(delayMs), end);
    return end;
  }

  /** When the messages that were just taken go and appear. */
  timed() {
    if (this.times === undefined) return undefined;
    const [expires, visible] = this.#connection._engine.lastTimes();
    return { ...(expires >= 0 && { expiresAt: new Date(expires) }), ...(visible >= 0 && { visibleAt: new Date(visible) }) };
  }

  /** The call behind the promise that was given last; undefined if that one failed at once. */
  last() {
    return this.#last;
  }

  /** A call that has no outcome. @param {number} index */
  at(index) {
    return this.#calls[index];
  }

  /**
   * Withdraw those that have no outcome.
   * @param {Call[]} calls
   * @param {AbortSignal} signal
   */
  abort(calls, signal) {
    for (const call of calls) {
      if (this.#calls[call.index] !== call) continue;
      call.signal = signal;
      this.#connection._do((engine) => engine.abortCall(call.index));
    }
  }

  /** Settles when half of the limit for pending messages is free. @returns {Promise<void>} */
  room() {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#connection._do((engine) => engine.wantRoom());
    });
  }

  /** @param {Uint32Array} words @param {number} i */
  stored(words, i) {
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
    if (call.times !== undefined) Object.assign(receipt, call.times);
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
  failed(index, error) {
    const call = this.#calls[index];
    if (!call) return;
    this.#calls[index] = undefined;
    if (call.abort) call.signal?.removeEventListener('abort', call.abort);
    if (error.code === 'aborted' && call.signal) because(error, call.signal.reason);
    if (call.others) Object.assign(error, { stored: call.others });
    call.reject(error);
  }

  /** Half of the limit for pending messages is free. */
  roomy() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Nothing is left behind. @param {unknown} error */
  rejectAll(error) {
    for (const call of this.#calls) {
      if (call?.abort) call.signal?.removeEventListener('abort', call.abort);
      call?.reject(error);
    }
    this.#calls = [];
    this.roomy();
  }
}
