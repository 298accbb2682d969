// A stand-in for a Memphis broker, which no registry carries: its WebSocket port and its control plane, in front of a real
// nats-server that stores and delivers. Written from memphis.md and held to the recorded conversations by check.mjs.

import { tool } from '../../../scripts/lib/tools.mjs';
import { startNats } from '../../../scripts/lib/servers.mjs';
import { Client } from './front.mjs';
import { Control } from './control.mjs';
import { DeadLetters } from './dead.mjs';
import { internal } from './names.mjs';
import { Store } from './store.mjs';

const { WebSocketServer } = await tool('ws');
const { wsconnect, headers } = await tool('@nats-io/nats-core');
const { jetstreamManager } = await tool('@nats-io/jetstream');

/**
 * @typedef {object} Options
 * @property {'password' | 'token' | 'open'} [login] user and password, connection token, or a broker in token mode without one ("password")
 * @property {string} [token] the connection token ("memphis")
 * @property {number} [maxPayload] bytes (8 MiB)
 *
 * @typedef {{ subject: string, part: string, answers: string[] | undefined }} Strange without answers the link breaks
 */

export class StandIn {
  /** @type {Set<Client>} */ clients = new Set();
  store = new Store();
  /** What would have ended the real broker. @type {string[]} */ crashes = [];
  /** @type {Strange[]} */ #strange = [];
  #options;
  /** @type {any} */ #nats;
  /** @type {any} */ #own;
  /** @type {any} */ #listener;
  /** @type {Control} */ control = /** @type {any} */ (undefined);
  /** @type {DeadLetters} */ dead = /** @type {any} */ (undefined);
  url = '';

  /** @param {Options} options */
  constructor(options) {
    this.#options = { login: 'password', token: 'memphis', maxPayload: 8 * 1024 * 1024, ...options };
    this.maxPayload = this.#options.maxPayload;
    this.asks = this.#options.login !== 'open';
  }

  /** @param {Options} [options] */
  static async start(options = {}) {
    const made = new StandIn(options);
    await made.#start();
    return made;
  }

  async #start() {
    if (typeof WebSocket === 'undefined') throw new Error('the stand-in needs a Node with WebSocket, 22 or newer: .tools/node/bin/node');
    // The nearest to the 2.10.7 that the broker was made from.
    this.#nats = await startNats({ version: '2.10', maxPayload: this.maxPayload });
    this.#own = await wsconnect({ servers: this.#nats.url });
    const manager = await jetstreamManager(this.#own);
    this.control = new Control(this.store, manager, async (subject, body) => (await this.#own.request(subject, JSON.stringify(body), { timeout: 20_000 })).json(), (subject, body) => this.#publish(subject, undefined, Buffer.from(JSON.stringify(body))));
    this.dead = new DeadLetters(this.store, this.#own, headers, manager, (subject, head, body) => this.#publish(subject, head, body), (why) => this.crashes.push(why));
    await this.#own.flush();
    const { hostname, port } = new URL(this.#nats.tcp);
    this.#listener = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 });
    await new Promise((resolve) => this.#listener.once('listening', resolve));
    this.#listener.on('connection', (/** @type {any} */ socket, /** @type {any} */ request) => new Client(socket, this, { host: hostname, port: Number(port) }, String(request.headers['user-agent']).startsWith('Mozilla/')));
    this.url = `ws://127.0.0.1:${this.#listener.address().port}`;
    /** The real server behind it. */
    this.server = this.#nats.url;
  }

  /** Whether the login is right (memphis.md 1.6). @param {any} options */
  admits(options) {
    const { login, token } = this.#options;
    if (login === 'open') return true;
    if (login === 'token') {
      if (typeof options.auth_token !== 'string') return false;
      if (String(options.name ?? '').includes('::')) return options.auth_token === token;
      const parts = options.auth_token.split('::');
      return parts.length === 2 && parts[1] === token;
    }
    const password = this.store.users.get(options.user) ?? this.store.users.get(String(options.user ?? '').replace(/\$1$/, ''));
    return password !== undefined && password === options.pass;
  }

  /** A request, or a report. @param {string} subject @param {string} body @param {(answers: string[]) => void} answer */
  asked(subject, body, answer) {
    const handler = this.control.subjects[subject];
    const strange = this.#strange.findIndex((one) => one.subject === subject && body.includes(one.part));
    if (strange >= 0) {
      const { answers } = /** @type {Strange} */ (this.#strange.splice(strange, 1)[0]);
      const work = async () => await handler?.(body) ?? [];
      return void (answers ? this.#answerStrangely(answers, work, answer) : work().then(() => this.cut(JSON.parse(body).station_name)));
    }
    if (handler) return void handler(body).then(answer);
    // What cannot be read is dropped without a word.
    return void this.dead.subjects[subject]?.(body).catch(() => undefined);
  }

  /** @param {string[]} answers @param {() => Promise<string[]>} work @param {(answers: string[]) => void} answer */
  async #answerStrangely(answers, work, answer) {
    const own = answers.includes('*') ? await work() : [];
    answer(answers.flatMap((one) => (one === '*' ? own : one)));
  }

  /** What a restart does to a station in memory: its row stays, its streams do not (memphis.md 7). @param {string} name */
  async loseMemory(name) {
    const station = this.store.stations.get(name);
    for (const [, stream] of station ? this.store.streams(station) : []) await this.control.manager.streams.delete(stream);
  }

  /** To everybody who listens, and to one of each queue group. @param {string} subject @param {Buffer | undefined} head @param {Buffer} body */
  #publish(subject, head, body) {
    /** @type {Map<string, [Client, string][]>} */
    const groups = new Map();
    for (const client of this.clients) {
      for (const [sid, given] of client.subscriptions) {
        if (given.subject !== subject) continue;
        if (given.queue === undefined) client.tell(sid, subject, head, body);
        else groups.set(given.queue, [...(groups.get(given.queue) ?? []), [client, sid]]);
      }
    }
    for (const members of groups.values()) {
      const [client, sid] = /** @type {[Client, string]} */ (members[Math.floor(Math.random() * members.length)]);
      client.tell(sid, subject, head, body);
    }
  }

  // ---- what the broker's own pages do -----------------------------------------------------------------------------------

  /** A station is deleted: everybody hears of it (memphis.md 2.8). @param {string} name */
  async removeStation(name) {
    await this.control.remove(name);
    this.#publish('$memphis_sdk_clients_updates', undefined, Buffer.from(JSON.stringify({ station_name: name.replaceAll('.', '#'), type: 'remove_station', update: null })));
  }

  /**
   * The switches of a station's dead letters. What clients are told is the value from before (2.8).
   * @param {string} name @param {boolean} poison @param {boolean} schemaverse
   */
  switchDls(name, poison, schemaverse) {
    const station = this.store.stations.get(name);
    if (!station) return;
    const update = station.dls_configuration.schemaverse;
    station.dls_configuration = { poison, schemaverse };
    this.#publish('$memphis_sdk_clients_updates', undefined, Buffer.from(JSON.stringify({ station_name: name.replaceAll('.', '#'), type: 'schemaverse_to_dls', update })));
  }

  /** People are to be told of messages that fail their schema, or not any more (2.8). @param {boolean} on */
  switchNotifications(on) {
    this.store.notifications = on;
    this.#publish('$memphis_sdk_clients_updates', undefined, Buffer.from(JSON.stringify({ station_name: '', type: 'send_notification', update: on })));
  }

  /** A schema that is there without anybody having looked at it. @param {string} name @param {string} type @param {string} content @param {string} [descriptor] */
  putSchema(name, type, content, descriptor = '') {
    this.store.schemas.set(name, { name, type, active: 1, versions: [{ number: 1, content, descriptor, message: descriptor === '' ? '' : 'A' }] });
  }

  /**
   * The next request on a subject that has this text in it gets these answers instead of its own (which `*` stands for), or none.
   * @param {string} subject @param {string} part @param {string[]} answers
   */
  answerNext(subject, part, answers) {
    this.#strange.push({ subject, part, answers });
  }

  /** The next such request is carried out, and the links of the station's clients break before the answer. @param {string} subject @param {string} part */
  loseNext(subject, part) {
    this.#strange.push({ subject, part, answers: undefined });
  }

  /** Something on a subject that the broker's handlers publish to. @param {string} subject @param {string} body @param {string} [head] a header block */
  say(subject, body, head) {
    this.#publish(subject, head === undefined ? undefined : Buffer.from(head), Buffer.from(body));
  }

  /** Another version of a schema becomes the active one; nobody is told (6.1). @param {string} name @param {number} version */
  activate(name, version) {
    const schema = this.store.schemas.get(name);
    if (schema) schema.active = version;
  }

  /** A schema is enforced on a station, or (`''`) none. @param {string} name @param {string} on */
  useSchema(name, on) {
    const station = this.store.stations.get(on);
    if (!station) return;
    station.schema_name = name;
    this.control.told(station);
  }

  /** A schema is deleted; its stations hear of it. @param {string} name */
  removeSchema(name) {
    this.store.schemas.delete(name);
    for (const station of this.store.stations.values()) {
      if (station.schema_name !== name) continue;
      station.schema_name = '';
      this.control.told(station);
    }
  }

  /** What clients listen to of a station. @param {string} station */
  listeners(station) {
    const subjects = [...this.clients].flatMap((client) => [...client.subscriptions.values()].map(({ subject }) => subject));
    return subjects.filter((subject) => isAbout(subject, station)).sort();
  }

  /**
   * Links break, as if the broker had been killed and started again: what is stored stays.
   * @param {string} [station] only those of clients who listen for something of this station
   */
  cut(station) {
    const concerns = (/** @type {Client} */ client) => [...client.subscriptions.values()].some(({ subject }) => isAbout(subject, station ?? ''));
    for (const client of [...this.clients]) if (station === undefined || concerns(client)) client.cut();
  }

  async stop() {
    for (const client of [...this.clients]) client.close(1001, 'Server Shutdown');
    await new Promise((resolve) => this.#listener.close(resolve));
    this.dead.close();
    await this.#own.close();
    await this.#nats.stop();
  }
}

/** Whether a subject is one of a station's own (memphis.md 2.9, 5.8). @param {string} subject @param {string} station */
function isAbout(subject, station) {
  const [, rest] = /^\$memphis_(?:schema_updates|functions_updates|dls)_(.*)$/.exec(subject) ?? [];
  const name = internal(station);
  return rest === name || rest?.startsWith(`${name}.`) === true;
}
