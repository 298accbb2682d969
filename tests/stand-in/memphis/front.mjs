// One client of the stand-in: the WebSocket on one side, a connection to the real server on the other. Logs in, answers what the
// broker's own handlers answer, and passes everything else on.

import { connect as dial } from 'node:net';
import { Reader, answered, fits, inward, message, outward, spoken } from './wire.mjs';

/** The broker waits this long for CONNECT (memphis.md 1.4). */
const LOGIN_MS = 2000;
const PULL = '$JS.API.CONSUMER.MSG.NEXT.';
/** To browsers it sends no longer WebSocket messages than this (memphis.md 1.3). */
const BROWSER_BYTES = 4096;

/** @import { StandIn } from './index.mjs' */

export class Client {
  /** Subscriptions that the broker serves itself, by sid. @type {Map<string, { subject: string, queue: string | undefined }>} */ subscriptions = new Map();
  name = '';
  #socket;
  #broker;
  /** @type {import('node:net').Socket} */ #server;
  #phase = 'greeting';
  /** Inboxes of pulls and direct gets: what is missing is silence here, not a status. @type {Set<string>} */ #pulls = new Set();
  /** Reply inboxes and their subscriptions, for the broker's own answers. @type {Map<string, string>} */ #inboxes = new Map();
  #login;
  #browser;
  /** Waits for the end of the turn: for the client, for the server. @type {Buffer[]} */ #said = [];
  /** @type {Buffer[]} */ #sent = [];

  /** @param {import('ws').WebSocket} socket @param {StandIn} broker @param {{ host: string, port: number }} server @param {boolean} browser */
  constructor(socket, broker, server, browser) {
    this.#browser = browser;
    this.#socket = socket;
    this.#broker = broker;
    this.#login = setTimeout(() => this.#refuse("'Authentication Timeout'", 1008, 'Authentication Timeout'), LOGIN_MS);
    const inside = new Reader((command) => this.#fromServer(command, inside.plain), () => this.close(1011, 'Internal'));
    const outside = new Reader((command) => this.#fromClient(command, outside.plain), (why) => this.#refuse(`'${why}'`, why.startsWith('Maximum') ? 1008 : 1002, why));
    this.#server = dial({ ...server, noDelay: true });
    this.#server.on('data', (chunk) => inside.feed(chunk));
    this.#server.on('close', () => this.close(1001, 'Server Shutdown'));
    this.#server.on('error', () => this.close(1001, 'Server Shutdown'));
    socket.on('message', (data) => this.#phase !== 'over' && outside.feed(Buffer.from(/** @type {Buffer} */ (data))));
    socket.on('close', () => this.#gone());
    socket.on('error', () => this.#gone());
  }

  #gone() {
    clearTimeout(this.#login);
    this.#phase = 'over';
    this.#server.destroy();
    this.#broker.clients.delete(this);
  }

  /** @param {number} code @param {string} reason */
  close(code, reason) {
    if (this.#phase === 'over') return;
    this.#flush();
    this.#phase = 'over';
    this.#socket.close(code, reason);
    this.#gone();
  }

  /** The link as a pulled cable leaves it. */
  cut() {
    this.#socket.terminate();
  }

  /** @param {Buffer | string} bytes */
  #say(bytes) {
    if (this.#phase === 'over') return;
    if (this.#said.length === 0) queueMicrotask(() => this.#flush());
    this.#said.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  /** What one turn brought leaves together, as the broker writes it. */
  #flush() {
    const all = this.#said.length === 1 ? /** @type {Buffer} */ (this.#said[0]) : Buffer.concat(this.#said);
    this.#said = [];
    const most = this.#browser ? BROWSER_BYTES : all.length;
    for (let at = 0; at < all.length; at += most) this.#socket.send(all.subarray(at, at + most), { binary: true });
  }

  /** @param {string} text @param {number} code @param {string} reason */
  #refuse(text, code, reason) {
    this.#say(`-ERR ${text}\r\n`);
    this.close(code, reason);
  }

  // ---- from the client ------------------------------------------------------------------------------------------------

  /** @param {import('./wire.mjs').Command} command @param {boolean} plain */
  #fromClient(command, plain) {
    const { verb, words, text, head, body, raw } = command;
    if (this.#phase === 'greeting' && verb !== 'CONNECT') return this.#refuse("'Authorization Violation'", 1008, 'Authentication Failure');
    switch (verb) {
      case 'CONNECT': return this.#connect(text);
      case 'PING': case 'PONG': return this.#send(`${verb}\r\n`);
      case 'SUB': return this.#subscribe(words);
      case 'UNSUB': return this.#unsubscribe(words);
      case 'PUB': case 'HPUB': return this.#publish(verb, words, head, /** @type {Buffer} */ (body), raw, plain);
      default: return this.#refuse("'Unknown Protocol Operation'", 1002, 'Parse Error');
    }
  }

  /** @param {string | Buffer} bytes */
  #send(bytes) {
    if (this.#sent.length === 0) {
      queueMicrotask(() => {
        this.#server.write(this.#sent.length === 1 ? /** @type {Buffer} */ (this.#sent[0]) : Buffer.concat(this.#sent));
        this.#sent = [];
      });
    }
    this.#sent.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  /** @param {string} text */
  #connect(text) {
    const options = JSON.parse(text);
    const given = this.#broker.admits(options);
    if (!given || options.account) return this.#refuse("'Authorization Violation'", 1008, 'Authentication Failure');
    clearTimeout(this.#login);
    this.name = String(options.name ?? '');
    this.#phase = 'up';
    this.#broker.clients.add(this);
    const { verbose, pedantic, protocol, echo, headers: heads, no_responders } = options;
    this.#send(`CONNECT ${JSON.stringify({ verbose, pedantic, protocol, echo, headers: heads, no_responders, lang: 'stand-in', version: '1' })}\r\n`);
  }

  /** @param {string[]} words */
  #subscribe(words) {
    const [subject = '', queue, sid] = words.length === 3 ? words : [words[0], undefined, words[1]];
    if (subject.startsWith('$memphis_')) this.subscriptions.set(String(sid), { subject, queue });
    else {
      this.#inboxes.set(String(sid), subject);
      this.#send(`SUB ${words.join(' ')}\r\n`);
    }
  }

  /** @param {string[]} words */
  #unsubscribe(words) {
    const [sid = ''] = words;
    if (this.subscriptions.delete(sid)) return;
    if (words.length === 1) this.#inboxes.delete(sid);
    this.#send(`UNSUB ${words.join(' ')}\r\n`);
  }

  /** @param {string} verb @param {string[]} words @param {Buffer | undefined} head @param {Buffer} body @param {Buffer} raw @param {boolean} plain */
  #publish(verb, words, head, body, raw, plain) {
    const total = (head?.length ?? 0) + body.length;
    if (total > this.#broker.maxPayload) return this.#refuse("'Maximum Payload Violation'", 1009, 'Maximum Message Payload Exceeded');
    const [subject = ''] = words;
    const reply = words.length === (verb === 'HPUB' ? 4 : 3) ? words[1] : undefined;
    if (subject.startsWith('$memphis_')) {
      // The broker reads the header block as a part of the JSON, and complains about its first letter.
      const request = (head ? Buffer.concat([head, body]) : body).toString('utf8');
      this.#broker.asked(subject, request, (answers) => answers.forEach((answer) => reply && this.answer(reply, answer)));
      return;
    }
    if (/^\$JS\.API\.(CONSUMER\.MSG\.NEXT|DIRECT\.GET)\./.test(subject) && reply) this.#pulls.add(reply);
    if (subject.startsWith(PULL)) this.#broker.dead.pulled(subject.slice(PULL.length));
    const renamed = head && !plain ? inward(head) : head;
    this.#send(renamed === head ? raw : message(verb, reply ? [subject, reply] : [subject], renamed, body));
  }

  /** The broker's own word on one of the client's inboxes. @param {string} inbox @param {string} body */
  answer(inbox, body) {
    for (const [sid, subject] of this.#inboxes) {
      if (fits(subject, inbox)) return this.#say(spoken(inbox, sid, undefined, Buffer.from(body)));
    }
  }

  /** The broker's own word on one of its subjects. @param {string} sid @param {string} subject @param {Buffer | undefined} head @param {Buffer} body */
  tell(sid, subject, head, body) {
    this.#say(spoken(subject, sid, head, body));
  }

  // ---- from the server ------------------------------------------------------------------------------------------------

  /** @param {import('./wire.mjs').Command} command @param {boolean} plain */
  #fromServer({ verb, words, text, head, body, raw }, plain) {
    switch (verb) {
      case 'INFO': return this.#greet(text);
      case 'MSG': {
        const changed = answered(/** @type {Buffer} */ (body));
        return this.#say(changed === body ? raw : message('MSG', words.slice(0, -1), undefined, changed));
      }
      case 'HMSG': {
        const [subject = ''] = words;
        const silent = this.#pulls.has(subject) && head?.subarray(0, 12).toString() === 'NATS/1.0 503';
        if (silent) return undefined;
        const renamed = plain ? head : outward(/** @type {Buffer} */ (head));
        return this.#say(renamed === head ? raw : message('HMSG', words.slice(0, -2), renamed, /** @type {Buffer} */ (body)));
      }
      default: return this.#say(`${verb}${text ? ` ${text}` : ''}\r\n`);
    }
  }

  /** @param {string} text */
  #greet(text) {
    const info = JSON.parse(text);
    const { server_id, proto, client_id, client_ip, headers: heads, jetstream, ldm, cluster } = info;
    this.#say(`INFO ${JSON.stringify({
      server_id, server_name: 'memphis-0', version: '2.10.7', proto, go: 'go1.20', host: '0.0.0.0', port: 7770, headers: heads, ...(this.#broker.asks ? { auth_required: true } : {}),
      max_payload: this.#broker.maxPayload, jetstream, client_id, client_ip, cluster, ldm, connection_id: '', xkey: info.xkey ?? 'X',
    })} \r\n`);
  }
}
