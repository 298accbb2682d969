// What a row gets as `t`: connections that are closed for it, fresh names, assertions, and waiting that works on both clocks.
// It sees the package only through its public interface.

import { Difference, NotOffered, between, checkError, deepEqual, equal, fail, ok, show } from './assert.mjs';

/** For rows that are not about connecting: many at once on a busy machine need more than the default. */
const PATIENCE = 10_000;

let counter = 0;

/** Whose a name is, for errors that nobody caught. @type {Map<string, string>} */
export const owners = new Map();

export class Context {
  #connections = [];
  #endings = [];
  #run;

  constructor(run, row) {
    this.#run = run;
    this.row = row;
    this.api = run.api;
    this.broker = run.broker;
    this.url = run.url;
    this.control = run.control;
    this.virtual = run.virtual;
    Object.assign(this, { ok, equal, deepEqual, between, fail, show });
  }

  /** Options that reach the broker under test, with the row's own on top. What a row leaves undefined is not given. */
  options(more = {}) {
    const own = { broker: this.broker, ...(this.url === undefined ? {} : { url: this.url, timeoutMs: PATIENCE }), ...this.#run.login };
    return { ...own, ...Object.fromEntries(Object.entries(more).filter(([key, value]) => value !== undefined || !(key in own))) };
  }

  /** A connection that ends with the row. */
  async connect(more) {
    const connection = await this.#run.dial(() => this.api.connect(this.options(more)));
    this.#connections.push(connection);
    return connection;
  }

  /** What has to be put away when the row ends, whatever became of it. */
  ending(action) {
    this.#endings.push(action);
  }

  /** A name nobody else has, in the alphabet that all brokers take. */
  name(kind = 'st') {
    counter += 1;
    const name = `${kind}-${this.#run.id}-${counter}`;
    owners.set(name, `${this.row.topic}: ${this.row.title}`);
    return name;
  }

  station(connection, options, name = this.name()) {
    return connection.station(name, options);
  }

  /** A connection and a fresh station on it: what most rows begin with. */
  async setup(stationOptions, connectOptions) {
    const connection = await this.connect(connectOptions);
    const station = await this.station(connection, stationOptions);
    return { connection, station };
  }

  /** Produces `count` messages without waiting in between and resolves with the receipts. */
  fill(target, count, make = (index) => `m${index}`, options) {
    return Promise.all(Array.from({ length: count }, (_, index) => target.produce(make(index), typeof options === 'function' ? options(index) : options)));
  }

  /** Fetches until `count` messages came, acking each unless told otherwise. */
  async collect(source, count, { ms = 8000, ack = true, ...options } = {}) {
    const got = [];
    const deadline = this.now() + ms;
    while (got.length < count) {
      if (this.now() > deadline) fail(`expected ${count} messages within ${ms} ms, got ${got.length}: ${show(got.map((message) => message.text()))}`);
      const batch = await source.fetch({ batchSize: Math.min(count - got.length, 5000), batchMaxTimeToWaitMs: 500, ...options });
      for (const message of batch) {
        got.push(message);
        if (ack) await message.ack();
      }
    }
    return got;
  }

  /** Nothing may arrive for that long. */
  async nothing(source, ms, options) {
    const got = await source.fetch({ batchSize: 100, batchMaxTimeToWaitMs: ms, ...options });
    deepEqual(texts(got), [], `messages within ${ms} ms`);
  }

  texts = texts;

  /** Ends the row, which is told as not offered for this reason: for what no capability says. */
  notOffered(why) {
    throw new NotOffered(why);
  }

  /** The promise must reject with a well-formed BrokerError; a synchronous throw is a difference too. Resolves with the error. */
  async rejects(action, code, expected = {}) {
    let promise = action;
    if (typeof action === 'function') {
      try {
        promise = action();
      } catch (error) {
        fail(`threw at once instead of rejecting with ${code}: ${show(error)}`);
      }
    }
    ok(typeof promise?.then === 'function', `expected a promise that rejects with ${code}, got ${show(promise)}`);
    const outcome = await this.outcome(promise);
    if (!outcome.error) fail(`expected ${code}${expected.for ? ` for ${expected.for}` : ''}, but it resolved with ${show(outcome.value)}`);
    const { for: _, ...rest } = expected;
    return checkError(this.api, this.broker, outcome.reason, code, rest);
  }

  /** Checks an error that arrived otherwise than by a rejection. */
  checkError(error, code, expected) {
    return checkError(this.api, this.broker, error, code, expected);
  }

  /** Either end of a promise as a value. */
  outcome(promise) {
    return promise.then((value) => ({ error: false, value }), (reason) => ({ error: true, reason }));
  }

  /** The promise must settle in that time; its outcome is passed on. */
  async within(ms, promise, what = 'the promise') {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Difference(`${what} did not settle within ${ms} ms`)), ms);
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Polls a condition; its first truthy value is the result. */
  async until(condition, ms = 5000, what = 'the condition') {
    const deadline = this.now() + ms;
    for (;;) {
      const value = await condition();
      if (value) return value;
      if (this.now() > deadline) fail(`${what} did not come true within ${ms} ms`);
      await this.elapse(20);
    }
  }

  /** Resolves when so many frames with this text have gone this way; `frames` is a tap(), which goes on. */
  async passes(frames, way, text, count = 1) {
    const iterator = frames[Symbol.asyncIterator]();
    for (let seen = 0; seen < count;) {
      const { value, done } = await iterator.next();
      if (done) fail(`the connection ended before ${count} frames with ${show(text)} had passed`);
      if (value.direction === way && new TextDecoder().decode(value.data).includes(text)) seen += 1;
    }
  }

  /** Resolves when the connection's link is lost, from now on. */
  async lost(connection) {
    for await (const { type } of connection.status()) if (type === 'disconnected') return;
    fail('the connection ended instead');
  }

  /** Lets time pass, for promises about time itself. On the virtual clock this takes none. */
  elapse(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** One turn of the event loop: what was called has left the call, nothing more. */
  turn() {
    return this.elapse(0);
  }

  /** Milliseconds on the clock that the package sees. */
  now() {
    return performance.now();
  }

  /** What the row still holds when it ends. */
  async finish() {
    await Promise.allSettled(this.#endings.map((action) => action()));
    await Promise.allSettled(this.#connections.map((connection) => connection.close()));
  }
}

export function texts(messages) {
  return messages.map((message) => message.text());
}
