// The least of NATS over a WebSocket: enough to write prepared lines and to count what comes back. It is the yardstick and the
// bench's own hands (streams, prefill, checks); it knows no reconnect, no flow control and no error but "it broke".

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const LF = 10;
const SPACE = 32;
const M = 77; // MSG
const H = 72; // HMSG
const P = 80; // PING, PONG
const O = 79; // the O of PONG, to tell it from PING
const BODY = 1; // any value that is no first byte of a line

export const bytes = (text) => encoder.encode(text);

/**
 * Counts messages by their lines. Payloads must not hold a line feed, which is true of everything the bench stores and of
 * every receipt. `onHead(chunk, start, end)` sees the head line of each message where it is wanted.
 */
class Lines {
  messages = 0;
  statuses = 0;
  pings = 0;
  pongs = 0;
  #kind = 0;
  #body = false;
  #cut = undefined;
  onHead = undefined;

  feed(chunk) {
    let at = 0;
    if (this.#cut !== undefined) {
      // Only the line that was cut is copied, not the whole chunk.
      const end = chunk.indexOf(LF) + 1;
      const rest = end === 0 ? chunk : chunk.subarray(0, end);
      const line = new Uint8Array(this.#cut.length + rest.length);
      line.set(this.#cut);
      line.set(rest, this.#cut.length);
      this.#cut = undefined;
      if (end === 0) {
        this.#cut = line;
        return;
      }
      this.#line(line, 0, line.length - 1);
      at = end;
    }
    while (at < chunk.length) {
      const end = chunk.indexOf(LF, at);
      if (end < 0) {
        this.#cut = chunk.slice(at);
        return;
      }
      this.#line(chunk, at, end);
      at = end + 1;
    }
  }

  #line(chunk, start, end) {
    if (this.#body) {
      this.#body = false;
      this.messages += 1;
      return;
    }
    switch (chunk[start]) {
      case M:
        this.#body = true;
        this.onHead?.(chunk, start, end);
        break;
      case H:
        // Nothing the bench stores has headers, so this is a status: its lines fall through to the default.
        this.statuses += 1;
        break;
      case P:
        if (chunk[start + 1] === O) this.pongs += 1;
        else this.pings += 1;
        break;
      default: // INFO, or the lines of a status
    }
  }
}

/** The reply subject of a head line `MSG subject sid reply length CR`, as a range of the chunk. */
export function replyRange(chunk, end) {
  let stop = end - 1;
  while (chunk[stop] !== SPACE) stop -= 1;
  let start = stop - 1;
  while (chunk[start] !== SPACE) start -= 1;
  return [start + 1, stop];
}

/** One raw connection. `feed()` of its lines runs before `onChunk()`, once a socket event. */
export class Wire {
  lines = new Lines();
  onChunk = undefined;
  failed = undefined;
  #socket;
  #waiting = new Set();

  static async open(url) {
    const wire = new Wire();
    const socket = new WebSocket(url);
    socket.binaryType = 'arraybuffer';
    wire.#socket = socket;
    socket.onmessage = (event) => {
      const chunk = new Uint8Array(event.data);
      wire.lines.feed(chunk);
      if (wire.lines.pings > 0) {
        wire.lines.pings = 0;
        wire.send(bytes('PONG\r\n'));
      }
      wire.onChunk?.(chunk);
      for (const check of [...wire.#waiting]) check();
    };
    await new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onerror = () => reject(new Error(`cannot open ${url}`));
    });
    socket.onclose = (event) => wire.#fail(new Error(`the server closed the raw socket: ${event.code} ${event.reason}`));
    socket.onerror = () => wire.#fail(new Error('the raw socket broke'));
    wire.send(
      bytes(
        'CONNECT {"verbose":false,"pedantic":false,"protocol":1,"headers":true,"no_responders":true,"lang":"raw","version":"0","name":"bench"}\r\n',
      ),
    );
    await wire.roundTrip();
    return wire;
  }

  #fail(error) {
    this.failed = error;
    for (const check of [...this.#waiting]) check();
  }

  send(data) {
    this.#socket.send(data);
  }

  /** Resolves at the first chunk after which `done()` holds. */
  until(done) {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (this.failed === undefined && !done()) return;
        this.#waiting.delete(check);
        if (this.failed === undefined) resolve();
        else reject(this.failed);
      };
      this.#waiting.add(check);
      check();
    });
  }

  async roundTrip() {
    const before = this.lines.pongs;
    this.send(bytes('PING\r\n'));
    await this.until(() => this.lines.pongs > before);
  }

  close() {
    this.#socket.onclose = null;
    this.#socket.onerror = null;
    this.#socket.close();
  }
}

/** Requests to the JetStream API, one at a time, on a connection of their own; nothing here is timed. */
export class Admin {
  #wire;
  #text = '';

  static async open(url) {
    const admin = new Admin();
    admin.#wire = await Wire.open(url);
    admin.#wire.onChunk = (chunk) => {
      admin.#text += decoder.decode(chunk);
    };
    admin.#wire.send(bytes('SUB _INBOX.admin 1\r\n'));
    return admin;
  }

  async request(subject, body = '') {
    this.#text = '';
    let answer;
    this.#wire.send(bytes(`PUB ${subject} _INBOX.admin ${body.length}\r\n${body}\r\n`));
    await this.#wire.until(() => {
      answer = /(?:^|\n)MSG _INBOX\.admin 1 (\d+)\r\n(.*)\r\n/.exec(this.#text);
      return answer !== null || /(?:^|\n)HMSG _INBOX\.admin /.test(this.#text);
    });
    if (answer === null) throw new Error(`${subject}: nobody answered, JetStream is off`);
    const value = JSON.parse(answer[2]);
    if (value.error) throw new Error(`${subject}: ${value.error.description}`);
    return value;
  }

  /** A stream like the package's own stations, so that the server does the same work for everybody. */
  createStream(name) {
    return this.request(
      `$JS.API.STREAM.CREATE.${name}`,
      JSON.stringify({
        name,
        subjects: [subjectOf(name)],
        retention: 'limits',
        storage: 'memory',
        num_replicas: 1,
        discard: 'old',
        max_age: 604_800_000_000_000,
        max_msgs: -1,
        max_bytes: -1,
        duplicate_window: 120_000_000_000,
        allow_direct: true,
      }),
    );
  }

  createGroup(stream, ackPolicy) {
    return this.request(
      `$JS.API.CONSUMER.CREATE.${stream}.${GROUP}.${subjectOf(stream)}`,
      JSON.stringify({
        stream_name: stream,
        action: 'create',
        config: {
          name: GROUP,
          durable_name: GROUP,
          deliver_policy: 'all',
          ack_policy: ackPolicy,
          ...(ackPolicy === 'none' ? {} : { ack_wait: 30_000_000_000 }),
          max_deliver: -1,
          max_ack_pending: ackPolicy === 'none' ? undefined : -1,
          filter_subject: subjectOf(stream),
          replay_policy: 'instant',
        },
      }),
    );
  }

  async stored(stream) {
    const { state } = await this.request(`$JS.API.STREAM.INFO.${stream}`);
    return state.messages;
  }

  group(stream) {
    return this.request(`$JS.API.CONSUMER.INFO.${stream}.${GROUP}`);
  }

  deleteStream(stream) {
    return this.request(`$JS.API.STREAM.DELETE.${stream}`);
  }

  close() {
    this.#wire.close();
  }
}

/** The group's name in every consuming row. */
export const GROUP = 'bench';

/** Where partition 1 of a station lives. */
export const subjectOf = (stream) => `stations.${stream}.1`;
