// What messages have to fit: the engines are loaded and asked here. Which station has which schema is told by Rust.

import { headers as headersOf } from './head.js';
import { load } from '../schemas/index.js';
import { because, BrokerError, bytesOf, checkObject, plain, said } from './first.js';

/** @import { Schema, Violation } from '../schemas/index.js' */
/** @import { Connection } from './connection.js' */
/** @import { Fit, Headers } from './opening.js' */
/** @import { Producer } from './producer.js' */
/** @import { BrokerKind, Receipt, SchemaType } from '../index.js' */

/** @typedef {[ticket: number, station: string, name: string, why: string, type?: SchemaType, definition?: string, message?: string, version?: number]} Binding */

/** The schemas of one connection's stations. */
export class Schemas {
  #connection;
  /** By station. @type {Map<string, Bound>} */ #bound = new Map();
  /** What is being done, by station: one after the other. @type {Map<string, Promise<void>>} */ #busy = new Map();

  /** @param {Connection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * The definition has to compile before it is stored.
   * @param {string} name
   * @param {SchemaType} type
   * @param {string} definition
   */
  async create(name, type, definition) {
    const { broker } = this.#connection;
    const engine = await load(type).catch((error) => {
      throw because(plain(broker, 'not_supported', unloadable(type, error), SERVED, true), error);
    });
    let schema;
    try {
      schema = engine.compile(definition);
    } catch (error) {
      throw refusal(broker, '', `the schema ${name} does not compile: ${text(error)}`, 'Nothing was stored; every place is in violations.', error);
    }
    await this.#connection._cold((wasm) => wasm.createSchema(name, type, definition, schema.message ?? ''));
  }

  /** @param {string} station */
  of(station) {
    return this.#bound.get(station);
  }

  /** Messages of a station have to fit something else from now on. @param {Binding} binding */
  bind(binding) {
    const station = binding[1];
    const work = (this.#busy.get(station) ?? Promise.resolve()).then(() => this.#bind(binding));
    this.#busy.set(station, work.catch(() => {}));
    return work;
  }

  /** @param {Binding} binding */
  async #bind([, station, name, why, type, definition, message]) {
    const connection = this.#connection;
    const bound = name === '' ? undefined : await this.#compiled(station, name, why, type, definition ?? '', message ?? '');
    if (bound) this.#bound.set(station, bound);
    else this.#bound.delete(station);
    const { producers, consumers } = connection._users(station);
    for (const consumer of consumers) consumer._schema = bound;
    for (const producer of producers) {
      const kept = /** @type {{ kept?: Map<number, unknown> } | undefined} */ (producer._schema)?.kept;
      producer._schema = this.#of(producer);
      // From here on every call is checked when it is made; those that are waiting are checked now.
      if (producer._schema) this.#check(producer, producer._schema, kept);
    }
  }

  /**
   * @param {string} station
   * @param {string} name
   * @param {string} why
   * @param {SchemaType | undefined} type
   * @param {string} definition
   * @param {string} message
   */
  async #compiled(station, name, why, type, definition, message) {
    const connection = this.#connection;
    const cannot = (/** @type {string} */ reason, /** @type {unknown} */ cause, /** @type {boolean} */ retryable) =>
      new Bound(connection, station, name, undefined, because(refusal(connection.broker, station, `the schema ${name} cannot be checked: ${reason}`, 'Nothing is stored unchecked: make the schema anew, or detach it from the station.', undefined, retryable), cause));
    if (type === undefined) return cannot(why, undefined, true);
    const same = [...this.#bound.values()].find((bound) => bound.is(name, type, definition, message));
    if (same?.schema) return new Bound(connection, station, name, same.schema, undefined, [type, definition, message]);
    let engine;
    try {
      engine = await load(type);
    } catch (error) {
      return cannot(unloadable(type, error), error, true);
    }
    try {
      return new Bound(connection, station, name, engine.compile(definition, message === '' ? undefined : { message }), undefined, [type, definition, message]);
    } catch (error) {
      return cannot(text(error), error, false);
    }
  }

  /** What a producer's messages have to fit. @param {Producer} producer @returns {Fit | undefined} */
  #of(producer) {
    const all = producer.stations.flatMap((station) => this.#bound.get(station) ?? []);
    return all.length > 1 ? new Several(all) : all[0];
  }

  /**
   * @param {Producer} producer
   * @param {Fit} schema
   * @param {Map<number, unknown>} [kept] objects as they were given
   */
  #check(producer, schema, kept) {
    const connection = this.#connection;
    for (const call of connection._do((engine) => engine.uncheckedCalls(producer._id))) {
      const message = kept?.get(call) ?? connection._do((engine) => engine.callPayload(call));
      try {
        const payload = schema.fit(message);
        if (payload !== message) connection._do((engine) => engine.recode(call, payload));
      } catch (thrown) {
        const error = /** @type {BrokerError} */ (thrown);
        const entry = connection._calls.at(call);
        const reject = entry?.reject;
        const head = connection._do((engine) => engine.callHead(call));
        const headers = async () => {
          await connection._part('reading');
          return headersOf(connection, head)[0];
        };
        if (entry && reject) entry.reject = () => void producer._awaits(schema.caught(error, message, () => Promise.reject(error), headers, producer.name)).catch(reject);
        connection._do((engine) => engine.refuseCall(call, error.message));
      }
    }
  }
}

/**
 * A station's schema, ready to be used, or the reason why it cannot be.
 * @implements {Fit}
 */
export class Bound {
  #connection;
  #of;
  #buried = 0;
  #lanes = Array.from({ length: BURIED_AT_ONCE }, () => Promise.resolve());

  /**
   * @param {Connection} connection
   * @param {string} station
   * @param {string} name
   * @param {Schema | undefined} schema
   * @param {BrokerError | undefined} error
   * @param {[SchemaType, string, string]} [of] type, definition, message
   */
  constructor(connection, station, name, schema, error, of) {
    this.#connection = connection;
    this.#of = of;
    this.station = station;
    this.name = name;
    this.schema = schema;
    this.error = error;
  }

  /** @param {string} name @param {string[]} of */
  is(name, ...of) {
    return this.name === name && this.#of !== undefined && this.#of.every((text, i) => text === of[i]);
  }

  /** @param {unknown} message @returns {Uint8Array} */
  fit(message) {
    const { broker } = this.#connection;
    if (this.schema === undefined) {
      this.#connection._do((engine) => engine.bindAgain(this.station));
      throw this.#again();
    }
    const payload = bytesOf(broker, message) ?? message;
    if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) checkObject(payload, broker);
    let result;
    try {
      result = this.schema.encode(payload);
    } catch (error) {
      throw refusal(broker, this.station, `the message cannot be checked: ${text(error)}`, 'This is a defect of stationmaster; please report it.', error);
    }
    if (result instanceof Uint8Array) return result;
    throw refusal(broker, this.station, `the message does not fit the schema ${this.name}: ${told(result)}`, 'Nothing was stored; every place is in violations.', { violations: result });
  }

  sent() {}

  /**
   * What does not fit goes to the dead letters, if the station's options say so; then the call fails.
   * @param {BrokerError} error
   * @param {unknown} message
   * @param {unknown} again
   * @param {Headers} [headers]
   * @param {string} [producer] its name
   * @returns {Promise<Receipt>}
   */
  async caught(error, message, again, headers, producer) {
    void again;
    const { violations } = /** @type {any} */ (error);
    if (violations) {
      // Not all at once: each is a sequence of questions.
      const lane = this.#buried++ % this.#lanes.length;
      await (this.#lanes[lane] = /** @type {Promise<void>} */ (this.#lanes[lane]).then(() => this.#bury(message, told(violations), headers, producer)));
    }
    throw error;
  }

  /**
   * @param {unknown} message
   * @param {string} detail
   * @param {Headers} [headers]
   * @param {string} [producer]
   */
  async #bury(message, detail, headers, producer = '') {
    const connection = this.#connection;
    try {
      const named = typeof headers === 'function' ? await headers() : headers;
      const data = bytesOf(connection.broker, message) ?? new TextEncoder().encode(typeof message === 'string' ? message : json(message));
      await connection._cold((engine) => engine.schemaFailed(this.station, Object.entries(named ?? {}).flat(), data, detail, producer));
    } catch (failed) {
      connection._log('warn', 'dead_letter_failed', { station: this.station, error: failed });
    }
  }

  /** @param {Uint8Array} bytes @returns {unknown} */
  decode(bytes) {
    if (this.schema === undefined) throw this.#again();
    try {
      return this.schema.decode(bytes);
    } catch (error) {
      throw refusal(this.#connection.broker, this.station, `the message cannot be decoded by the schema ${this.name}: ${text(error)}`, 'It was stored before the schema, or by somebody who does not check; text() and data give it as it is.', error);
    }
  }

  /** An error of its own for each who gets it. */
  #again() {
    const { message, retryable, hint, cause } = /** @type {any} */ (this.error);
    return because(refusal(this.#connection.broker, this.station, message, hint, undefined, retryable), cause);
  }
}

/**
 * The schemas of several stations. A message is encoded by the first and has to fit all.
 * @implements {Fit}
 */
class Several {
  /** @param {readonly Bound[]} all */
  constructor(all) {
    this.all = all;
  }

  /** @param {unknown} message @returns {unknown} */
  fit(message) {
    return this.all.reduce((payload, bound) => bound.fit(payload), message);
  }

  sent() {}

  /**
   * @param {BrokerError} error
   * @param {unknown} message
   * @param {unknown} again
   * @param {Headers} [headers]
   * @param {string} [producer]
   */
  caught(error, message, again, headers, producer) {
    const whose = this.all.find((bound) => bound.station === /** @type {any} */ (error).station) ?? this.all[0];
    return /** @type {Bound} */ (whose).caught(error, message, again, headers, producer);
  }
}

/** Messages on their way to the dead letters, of one station. */
const BURIED_AT_ONCE = 16;
const SERVED = 'Is the folder schemas served beside the package\'s scripts? Try again.';

/** @param {string} type @param {any} error */
function unloadable(type, error) {
  return `the engine for ${type} could not be loaded: ${error?.message ?? error}`;
}

/** @param {any} error */
function text(error) {
  return error instanceof Error && 'violations' in error ? told(/** @type {any} */ (error).violations) : said(error);
}

/** The first places in a sentence. @param {readonly Violation[]} violations */
function told(violations) {
  const first = violations.slice(0, 3).map(({ path, expected, found }) => `${path === '' ? '' : `at ${path} `}expected ${expected}${found === undefined ? '' : `, found ${found}`}`);
  return `${first.join('; ')}${violations.length > 3 ? `; and ${violations.length - 3} more` : ''}`;
}

/**
 * @param {BrokerKind} broker
 * @param {string} station
 * @param {string} message
 * @param {string} hint
 * @param {any} [cause] whose violations become the error's
 * @param {boolean} [retryable]
 */
function refusal(broker, station, message, hint, cause, retryable = false) {
  const error = new BrokerError(['schema_violation', message, retryable, hint, station === '' ? undefined : station, undefined, station === '' ? undefined : false], broker);
  if (cause?.violations) Object.assign(error, { violations: Object.freeze([...cause.violations]) });
  return error;
}

/** What JSON has for an object, bigints as texts. @param {unknown} message */
function json(message) {
  return JSON.stringify(message, (_, value) => (typeof value === 'bigint' ? String(value) : value)) ?? '';
}
