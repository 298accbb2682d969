// Is the stand-in faithful? Plays what clients sent to a real 1.4.4 broker, recorded, and compares every word of the broker's own
// handlers with the recorded one, byte for byte. node tests/stand-in/memphis/check.mjs [--only TEXT] [--url ws://... --api http://...]
//
// With --url it asks whether the recordings are still right: they are played to that broker, which has to be a fresh one.

import '../../../scripts/lib/pinned.mjs';
import { readFile } from 'node:fs/promises';
import { StandIn } from './index.mjs';
import { Reader } from './wire.mjs';

/** Words of the broker take no longer than this to come. */
const WAIT_MS = 5000;
const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : undefined);
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : undefined;

const lines = (await readFile(new URL('../../vectors/memphis/1.4.4.jsonl', import.meta.url), 'utf8')).trim().split('\n').map((line) => JSON.parse(line));

/** Recordings in order: { section, scenario, events }. */
const recordings = [];
for (const line of lines) {
  if (line.section) recordings.push({ section: line.section, scenario: line.scenario, events: [] });
  else if (line.dir) recordings.at(-1)?.events.push(line);
}

const bytes = (event) => (event.text !== undefined ? Buffer.from(event.text, 'utf8') : Buffer.from(event.hex, 'hex'));

/** The broker's own words have two blanks before the length; who hears what, in order. */
function spoken(chunks) {
  const found = [];
  const reader = new Reader(({ verb, words, body }) => verb === 'MSG' && found.push({ subject: words[0], sid: words[1], body: String(body) }), () => undefined);
  for (const chunk of chunks) reader.feed(chunk);
  const text = Buffer.concat(chunks).toString('latin1');
  return found.filter(({ subject, sid }) => text.includes(`MSG ${subject} ${sid}  `));
}

class Player {
  /** @type {Map<string, { socket: WebSocket, chunks: Buffer[] }>} */ #conns = new Map();

  constructor(broker) {
    this.broker = broker;
  }

  async #conn(name) {
    const known = this.#conns.get(name);
    if (known) return known;
    const socket = new WebSocket(this.broker.url);
    socket.binaryType = 'arraybuffer';
    const conn = { socket, chunks: [], heard: () => undefined };
    socket.onmessage = ({ data }) => {
      const chunk = Buffer.from(data);
      conn.chunks.push(chunk);
      if (/^PING\r\n/m.test(chunk.toString('latin1'))) socket.send('PONG\r\n');
      conn.heard();
    };
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = reject;
    });
    socket.send(Buffer.from('CONNECT {"verbose":false,"pedantic":false,"protocol":1,"echo":true,"headers":true,"no_responders":true,"name":"6f0d2a0e-5d0e-4a5b-9d0f-0a6a4f1f7c11::root","user":"root$1","pass":"memphis"}\r\nPING\r\n'));
    this.#conns.set(name, conn);
    return conn;
  }

  /** Plays one recording; what differs comes back. */
  async play({ events }) {
    const from = new Map();
    const differs = [];
    const recorded = new Map();
    for (const event of events) {
      if (event.comment?.includes('left out')) return undefined;
      if (event.conn === 'rest') {
        if (event.dir === 'c2s') {
          await this.#settled();
          await pages(this.broker, event.text);
        }
        continue;
      }
      // A new greeting in the recording is a new connection.
      if (event.dir === 's2c' && event.text?.startsWith('INFO {')) this.#drop(event.conn);
      const conn = await this.#conn(event.conn);
      if (!from.has(event.conn)) from.set(event.conn, conn.chunks.length);
      if (event.dir === 'c2s') {
        const data = bytes(event);
        // The login was done when the connection was opened; a new one means a new connection.
        if (data.includes('CONNECT {')) continue;
        if (data.equals(Buffer.from('PONG\r\n'))) continue;
        conn.socket.send(data);
      } else {
        recorded.set(event.conn, [...(recorded.get(event.conn) ?? []), bytes(event)]);
        const wanted = spoken(recorded.get(event.conn));
        // What the broker said in answer comes before the client's next line, as it did then.
        const came = await this.#until(conn, () => spoken(conn.chunks.slice(from.get(event.conn))).length >= wanted.length);
        if (!came) differs.push(`${event.conn}: said no more within ${WAIT_MS} ms`);
      }
    }
    for (const [name, chunks] of recorded) {
      const conn = this.#conns.get(name);
      const wanted = spoken(chunks);
      const got = spoken(conn.chunks.slice(from.get(name)));
      for (const [i, word] of wanted.entries()) {
        if (JSON.stringify(got[i]) !== JSON.stringify(word)) differs.push(`said ${JSON.stringify(got[i])}\n     not  ${JSON.stringify(word)}`);
      }
      if (got.length > wanted.length) differs.push(`also said ${JSON.stringify(got.slice(wanted.length))}`);
    }
    return differs;
  }

  #until(conn, done) {
    if (done()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), WAIT_MS);
      conn.heard = () => {
        if (!done()) return;
        clearTimeout(timer);
        conn.heard = () => undefined;
        resolve(true);
      };
    });
  }

  /** Everything that was sent has been read. */
  async #settled() {
    for (const conn of this.#conns.values()) {
      const pongs = () => conn.chunks.filter((chunk) => chunk.toString('latin1').includes('PONG')).length;
      const before = pongs();
      conn.socket.send('PING\r\n');
      if (!(await this.#until(conn, () => pongs() > before))) throw new Error(`no PONG within ${WAIT_MS} ms`);
    }
  }

  #drop(name) {
    this.#conns.get(name)?.socket.close();
    this.#conns.delete(name);
  }

  close() {
    for (const { socket } of this.#conns.values()) socket.close();
  }
}

/** What needs the broker's own pages, a restart or the database by hand is not a conversation of a client. */
const SECTIONS = ['transcript', 'station', 'station errors', 'producer', 'producer errors', 'consumer', 'consumer errors', 'last messages', 'schema', 'schema errors', 'updates', 'produce', 'pull', 'ack'];
/** Differences that are meant, with their reason. */
const MEANT = new Map([
  ['schema errors: create: invalid proto', 'a compiler of its own, with words of its own behind the same beginning'],
  ['schema errors: create: invalid GraphQL', 'the same'],
  ['consumer: group whose rows were marked inactive (set in the database by hand), durable still there: made again with the same and with other start options', 'nobody writes into the database here'],
]);

/** What the recording did on the broker's own pages. @param {StandIn} broker @param {string} text method, path, body */
function pages(broker, text) {
  const [, method, path, body] = /** @type {RegExpExecArray} */ (/^(\w+) (\S+) (.*)$/s.exec(text));
  const given = JSON.parse(body);
  if (broker.pages) return broker.pages.ask(method, path.replace(/^\/api\//, ''), given);
  const station = (name) => broker.store.stations.get(name);
  switch (path) {
    case '/api/schemas/rollBackVersion': return broker.activate(given.schema_name, given.version_number);
    case '/api/schemas/removeSchema': return given.schema_names.forEach((name) => broker.removeSchema(name));
    case '/api/stations/removeStation': return given.station_names.forEach((name) => broker.removeStation(name));
    case '/api/stations/useSchema': case '/api/stations/removeSchemaFromStation':
      for (const name of given.station_names ?? [given.station_name]) {
        station(name).schema_name = given.schema_name ?? '';
        broker.control.told(station(name));
      }
      return undefined;
    case '/api/stations/updateDlsConfig': return broker.switchDls(given.station_name, given.poison, given.schemaverse);
    default: throw new Error(`the stand-in has no page ${path}`);
  }
}

let passed = 0;
let failed = 0;
const given = option('--url');
const broker = given === undefined ? await StandIn.start() : { url: given, pages: new (await import('../../contract/memphis.mjs')).Pages(option('--api'), 'root', 'memphis'), stop: async () => undefined };
const player = new Player(broker);
for (const recording of recordings) {
  const name = `${recording.section}: ${recording.scenario}`;
  if (!SECTIONS.includes(recording.section) || MEANT.has(name)) continue;
  const differs = await player.play(recording);
  if (differs === undefined || (only && !name.includes(only))) continue;
  if (differs.length === 0) {
    passed += 1;
    continue;
  }
  failed += 1;
  console.log(`FAIL ${name}\n     ${differs.join('\n     ')}`);
}
player.close();
await broker.stop();
console.log(`${MEANT.size} recordings differ by intention, see MEANT`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
