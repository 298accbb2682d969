// NATS protocol text as commands, whatever the cut: what the stand-in reads from a client, and what it reads from the real server.

const CRLF = Buffer.from('\r\n');
/** In every header of a message id, in the broker's form and in the server's. */
const ID_PART = Buffer.from('sg-');
/** The longest control line the broker takes (memphis.md 1.8). */
export const LINE_MAX = 4096;

/**
 * @typedef {object} Command
 * @property {string} verb upper case: CONNECT, PUB, HPUB, SUB, UNSUB, PING, PONG, INFO, MSG, HMSG, +OK, -ERR
 * @property {string[]} words what stood behind it, split at blanks
 * @property {string} text the same unsplit
 * @property {Buffer | undefined} head the header block of HPUB and HMSG
 * @property {Buffer | undefined} body
 * @property {Buffer} raw all of it, as it came
 */

/** Collects bytes and gives whole commands. `fail(text)` is told what cannot be read; nothing is read after it. */
export class Reader {
  #rest = Buffer.alloc(0);
  #failed = false;
  /** Nothing in what is being read can have a message id: no header has to be looked at. */
  plain = false;

  /** @param {(command: Command) => void} take @param {(why: string) => void} fail */
  constructor(take, fail) {
    this.take = take;
    this.fail = fail;
  }

  /** @param {Buffer} chunk */
  feed(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.plain = !this.#rest.includes(ID_PART);
    while (!this.#failed) {
      const used = this.#one();
      if (used === 0) return;
      this.#rest = this.#rest.subarray(used);
    }
  }

  /** How many bytes the next command took; 0 while it is not whole. */
  #one() {
    const end = this.#rest.indexOf(CRLF);
    if (end < 0) return this.#rest.length > LINE_MAX ? this.#stop('Maximum Control Line Exceeded') : 0;
    const line = this.#rest.subarray(0, end).toString('utf8');
    const [first = '', ...words] = line.split(/[ \t]+/);
    const verb = first.toUpperCase();
    const text = line.slice(first.length).trim();
    const sized = ['PUB', 'HPUB', 'MSG', 'HMSG'].includes(verb);
    if (!sized) {
      this.take({ verb, words: words.filter(Boolean), text, head: undefined, body: undefined, raw: this.#rest.subarray(0, end + 2) });
      return end + 2;
    }
    if (verb === 'CONNECT' && end > LINE_MAX) return this.#stop('Maximum Control Line Exceeded');
    const sizes = words.filter(Boolean);
    const total = Number(sizes.at(-1));
    const headLength = verb.startsWith('H') ? Number(sizes.at(-2)) : 0;
    if (!Number.isInteger(total) || !Number.isInteger(headLength) || headLength > total || total < 0) return this.#stop('Parse Error');
    const from = end + 2;
    if (this.#rest.length < from + total + 2) return 0;
    if (this.#rest.indexOf(CRLF, from + total) !== from + total) return this.#stop('Unknown Protocol Operation');
    const head = headLength > 0 ? this.#rest.subarray(from, from + headLength) : undefined;
    const body = this.#rest.subarray(from + headLength, from + total);
    this.take({ verb, words: sizes, text, head, body, raw: this.#rest.subarray(0, from + total + 2) });
    return from + total + 2;
  }

  /** @param {string} why */
  #stop(why) {
    this.#failed = true;
    this.fail(why);
    return 0;
  }
}

/**
 * A command as bytes again.
 * @param {string} verb @param {string[]} words without the sizes
 * @param {Buffer | undefined} head @param {Buffer} body
 */
export function message(verb, words, head, body) {
  const sizes = head ? `${head.length} ${head.length + body.length}` : String(body.length);
  return Buffer.concat([Buffer.from(`${verb} ${words.join(' ')} ${sizes}\r\n`), head ?? Buffer.alloc(0), body, CRLF]);
}

/**
 * What the broker's own handlers send: two blanks before the length (memphis.md 2.1).
 * @param {string} subject @param {string} sid @param {Buffer | undefined} head @param {Buffer} body
 */
export function spoken(subject, sid, head, body) {
  const sizes = head ? `${head.length} ${head.length + body.length}` : String(body.length);
  return Buffer.concat([Buffer.from(`${head ? 'HMSG' : 'MSG'} ${subject} ${sid}  ${sizes}\r\n`), head ?? Buffer.alloc(0), body, CRLF]);
}

/** The headers of a block, first value of each, as [name, value]. @param {Buffer | undefined} head @returns {[string, string][]} */
export function headers(head) {
  if (!head) return [];
  const lines = head.toString('utf8').split('\r\n').slice(1).filter(Boolean);
  return lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]);
}

/** @param {Iterable<[string, string]>} entries */
export function block(entries) {
  return Buffer.from(`NATS/1.0\r\n${[...entries].map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`);
}

/**
 * The broker looks for the bytes `msg-id`, and only at the first hit, which must begin a line and be followed by a colon
 * (memphis.md 4.4). The real server reads `Nats-Msg-Id`.
 * @param {Buffer} head
 */
export function inward(head) {
  const text = head.toString('latin1');
  const at = text.indexOf('msg-id');
  const counts = at > 0 && text.slice(at - 2, at) === '\r\n' && text[at + 6] === ':';
  // Under its own name the server's header does nothing on this broker.
  const hidden = text.replace(/\r\nNats-Msg-Id:/g, '\r\nX-Nats-Msg-Id:');
  if (!counts) return Buffer.from(hidden, 'latin1');
  const line = hidden.indexOf('\r\nmsg-id:');
  return Buffer.from(`${hidden.slice(0, line)}\r\nNats-Msg-Id:${hidden.slice(line + 9)}`, 'latin1');
}

/** The other way. @param {Buffer} head */
export function outward(head) {
  if (!head.includes('Nats-Msg-Id:')) return head;
  const text = head.toString('latin1');
  return Buffer.from(text.replace('\r\nNats-Msg-Id:', '\r\nmsg-id:').replace(/\r\nX-msg-id:|\r\nX-Nats-Msg-Id:/g, '\r\nNats-Msg-Id:'), 'latin1');
}

const STORED = Buffer.from('{"type":"io.nats.jetstream.api.v1.stream_msg_get_response","message":{');
const STREAM = Buffer.from('{"type":"io.nats.jetstream.api.v1.stream_');

/**
 * What the JetStream API answers differs in little: a stored message has its own headers and two more fields, a stream's configuration one.
 * @param {Buffer} body
 */
export function answered(body) {
  if (body.subarray(0, STREAM.length).compare(STREAM) !== 0) return body;
  if (body.subarray(0, STORED.length).compare(STORED) !== 0) {
    return Buffer.from(body.toString('utf8').replaceAll(/"duplicate_window":\d+(?=,)/g, '$&,"tiered_storage_enabled":false'));
  }
  const given = JSON.parse(body.toString('utf8'));
  const { hdrs } = given.message;
  if (hdrs !== undefined) given.message.hdrs = outward(Buffer.from(hdrs, 'base64')).toString('base64');
  return Buffer.from(JSON.stringify({ ...given, message: { ...given.message, reply_subject: '', tenant_name: '' } }));
}

/** Whether a subject fits a subscription. @param {string} pattern @param {string} subject */
export function fits(pattern, subject) {
  const wanted = pattern.split('.');
  const given = subject.split('.');
  for (const [i, token] of wanted.entries()) {
    if (token === '>') return given.length > i;
    if (i >= given.length || (token !== '*' && token !== given[i])) return false;
  }
  return wanted.length === given.length;
}
