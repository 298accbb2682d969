// Sockets that the application opens: WebSockets of its own and pairs of byte streams, which end, fail and come too late.

import { topic } from '../kit/rows.mjs';

const row = topic('sockets', '2 and 5');
const nats = { brokers: ['nats'] };
const lively = { reconnectIntervalMs: 50, maxReconnect: -1 };

/** A pair of byte streams over a WebSocket, and what a test may do to it. */
async function streamsTo(url, cut = (bytes) => [bytes]) {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('the inner socket did not open'));
  });
  const seen = { closed: false, aborted: false, cancelled: false };
  let input;
  let output;
  const readable = new ReadableStream({
    start: (controller) => { input = controller; },
    cancel: () => { seen.cancelled = true; socket.close(); },
  });
  const writable = new WritableStream({
    start: (controller) => { output = controller; },
    write: (bytes) => socket.send(bytes),
    close: () => { seen.closed = true; socket.close(); },
    abort: () => { seen.aborted = true; socket.close(); },
  });
  const quietly = (work) => { try { work(); } catch { /* It has ended already. */ } };
  socket.onmessage = ({ data }) => { for (const piece of cut(new Uint8Array(data))) quietly(() => input.enqueue(piece)); };
  socket.onclose = () => quietly(() => input.close());
  return {
    readable, writable, seen,
    end: () => quietly(() => input.close()),
    fail: (error) => quietly(() => input.error(error)),
    failWrites: (error) => quietly(() => output.error(error)),
    say: (value) => input.enqueue(value),
  };
}

/** A connection over streams; `made` holds those that were opened, oldest first. */
async function over(t, options, cut) {
  const made = [];
  const connection = await t.connect({ ...lively, ...options, socket: async (url) => {
    const streams = await streamsTo(url, cut);
    made.push(streams);
    return streams;
  } });
  return { connection, made };
}

/** The same; while `link.holds`, what the server says is held back in `link.held`. */
async function holding(t) {
  const link = { holds: false, held: [], text: () => link.held.map((bytes) => new TextDecoder().decode(bytes)).join('') };
  const made = await over(t, {}, (bytes) => {
    if (!link.holds) return [bytes];
    link.held.push(bytes);
    return [];
  });
  return { ...made, link };
}

row('a pair of byte streams carries everything', nats, async (t) => {
  const { connection } = await over(t);
  const station = await connection.station(t.name());
  await t.fill(station, 200);
  const large = await station.produce(new Uint8Array(500_000).fill(7));
  t.equal(large.sequence, 201, 'sequence');
  const got = await t.collect(station, 201);
  t.deepEqual(t.texts(got.slice(0, 200)), Array.from({ length: 200 }, (_, index) => `m${index}`), 'messages');
  t.equal(got[200].data.length, 500_000, 'bytes of the large one');
});

row('streams that cut everything into single bytes, with empty chunks between, change nothing', nats, async (t) => {
  const cut = (bytes) => Array.from(bytes, (_, at) => [bytes.subarray(at, at + 1), new Uint8Array(0)]).flat();
  const { connection } = await over(t, {}, cut);
  const station = await connection.station(t.name());
  await t.fill(station, 20);
  t.equal((await t.collect(station, 20)).length, 20, 'messages');
});

row('close lets the streams go', nats, async (t) => {
  const { connection, made } = await over(t);
  await connection.produce(t.name(), 'x');
  await connection.close();
  await t.until(() => made[0].seen.cancelled && made[0].seen.closed, 3000, 'readable cancelled, writable closed');
});

for (const [what, act, says] of [
  ['a readable side that ends', (streams) => streams.end(), undefined],
  ['a readable side that fails', (streams) => streams.fail(new Error('the cable is cut')), 'the cable is cut'],
  ['a writable side that fails', (streams) => streams.failWrites(new Error('the pipe is full')), undefined],
]) {
  row(`${what} is a lost link, and the next socket takes over`, nats, async (t) => {
    const { connection, made } = await over(t);
    const entries = [];
    void (async () => { for await (const entry of connection.status()) entries.push(entry); })();
    const producer = await connection.producer(t.name(), { autoMsgId: true });
    await producer.produce('before');
    act(made[0]);
    t.equal((await t.within(8000, producer.produce('after'), 'the message')).sequence, 2, 'sequence');
    t.equal(made.length, 2, 'sockets opened');
    await t.until(() => entries.some((entry) => entry.type === 'connected'), 3000, 'connected again');
    const lost = entries.find((entry) => entry.type === 'disconnected');
    t.checkError(lost?.reason, 'connection_lost', says ? { says } : {});
    await t.until(() => made[0].seen.aborted || made[0].seen.cancelled, 3000, 'the old streams are let go');
  });
}

row('something that is not bytes is protocol', nats, async (t) => {
  const { connection, made } = await over(t, { reconnect: false });
  made[0].say('text');
  t.checkError(await t.within(3000, connection.closed, 'closed'), 'protocol');
});

row('socket() that never answers ends with the time limit, and what it gives later is let go', nats, async (t) => {
  let give;
  const began = t.now();
  await t.rejects(t.connect({ timeoutMs: 400, socket: () => new Promise((resolve) => { give = resolve; }) }), 'connect_failed');
  t.between(t.now() - began, 300, 3000, 'milliseconds');
  const late = await streamsTo(t.url);
  give(late);
  await t.until(() => late.seen.cancelled, 3000, 'the late one is cancelled');
});

row('abort while socket() is at work: aborted at once, and what it gives later is let go', nats, async (t) => {
  const controller = new AbortController();
  let give;
  const outcome = t.outcome(t.connect({ timeoutMs: 10_000, signal: controller.signal, socket: () => new Promise((resolve) => { give = resolve; }) }));
  await t.until(() => give, 3000, 'socket() was asked');
  const reason = new Error('never mind');
  controller.abort(reason);
  t.checkError((await t.within(1000, outcome, 'connect()')).reason, 'aborted', { cause: reason });
  const late = new WebSocket(t.url);
  const closed = new Promise((resolve) => { late.onclose = resolve; });
  give(late);
  await t.within(3000, closed, 'the late one is closed');
});

row('what is neither a WebSocket nor streams is invalid_argument', nats, async (t) => {
  for (const made of [undefined, null, 5, {}, { readable: {} }]) await t.rejects(t.connect({ socket: () => made, timeoutMs: 1500 }), 'invalid_argument', { for: t.show(made), says: 'socket' });
});

row('streams that somebody reads already end connect with the platform’s error', nats, async (t) => {
  const streams = await streamsTo(t.url);
  streams.readable.getReader();
  const error = await t.rejects(t.connect({ socket: () => streams, timeoutMs: 1500 }), 'connect_failed');
  t.ok(error.cause instanceof TypeError, `cause: ${t.show(error.cause)}`);
});

row('a server that wants TLS on streams that cannot begin it: not_supported with a hint', nats, async (t) => {
  const socket = () => {
    const { readable, writable } = new TransformStream();
    const greeting = new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode('INFO {"headers":true,"tls_required":true} \r\n')) });
    void readable.cancel();
    return { readable: greeting, writable };
  };
  await t.rejects(t.connect({ url: 'tcp://broker.example:4222', socket, timeoutMs: 1500 }), 'not_supported', { says: 'TLS' });
});

row('tls: with a socket of the application’s own comes encrypted: the server’s greeting is waited for', nats, async (t) => {
  const urls = [];
  const connection = await t.connect({ url: 'tls://broker.example:4222', timeoutMs: 3000, socket: (url) => { urls.push(url); return streamsTo(t.url); } });
  t.deepEqual(urls, ['tls://broker.example:4222'], 'URLs');
  t.equal((await connection.produce(t.name(), 'x')).sequence, 1, 'sequence');
});

row('tcp: and tls: where there are no raw sockets: not_supported with a hint', nats, async (t) => {
  if (typeof window === 'undefined') t.notOffered('this runtime has raw sockets');
  for (const url of ['tcp://127.0.0.1:4222', 'tls://127.0.0.1']) await t.rejects(t.connect({ url, timeoutMs: 3000 }), 'not_supported', { says: 'raw sockets' });
});

row('a raw URL with a path, a user or a wrong port is refused at once', nats, async (t) => {
  for (const url of ['tcp://a/path', 'tls://a:0', 'tcp://', 'tcp://me:secret@a:4222']) await t.rejects(t.connect({ url }), 'invalid_argument', { for: url });
});

row('close() right after ping() waits for its own answer: what is on its way is given back at once', nats, async (t) => {
  const { station } = await t.setup();
  const { connection, made, link } = await holding(t);
  const group = { consumerGroup: 'g', maxAckTimeMs: 60_000 };
  const iterator = (await connection.consumer(station.name, { consumerName: 'a', ...group }))[Symbol.asyncIterator]();
  await station.produce('first');
  await (await iterator.next()).value.ack({ confirm: true });
  link.holds = true;
  const ping = t.outcome(connection.ping());
  await t.until(() => link.text() === 'PONG\r\n', 5000, 'the answer to the ping');
  await t.fill(station, 10);
  await t.until(() => link.text().match(/H?MSG /g)?.length === 10, 5000, 'messages on their way');
  const closing = connection.close();
  await t.until(() => link.text().match(/PONG/g).length >= 3, 5000, 'the answers to what close() asks');
  // A slow link: the first answer is far ahead of the rest.
  made[0].say(link.held.shift());
  t.equal((await t.within(2000, ping, 'ping()')).error, false, 'ping() fails');
  await t.elapse(100);
  link.holds = false;
  try {
    for (const bytes of link.held) made[0].say(bytes);
  } catch {
    t.fail('it was closed before its answer');
  }
  await t.within(5000, closing, 'close()');
  const others = await t.collect(await station.consumer({ consumerName: 'b', ...group }), 10, { ms: 5000 });
  t.deepEqual(t.texts(others).sort(), Array.from({ length: 10 }, (_, index) => `m${index}`), 'messages');
});

row('each ping() is answered by its own round trip', nats, async (t) => {
  const { connection, made, link } = await holding(t);
  link.holds = true;
  const done = [];
  const pings = [0, 1, 2].map((index) => connection.ping().then(() => { done.push(index); }));
  await t.until(() => link.text().match(/PONG/g)?.length === 3, 5000, 'all answers');
  for (let count = 1; count <= 3; count += 1) {
    made[0].say(new TextEncoder().encode('PONG\r\n'));
    await t.until(() => done.length >= count, 2000, `answer ${count}`);
    await t.elapse(20);
    t.deepEqual(done, Array.from({ length: count }, (_, index) => index), 'answered');
  }
  link.holds = false;
  await Promise.all(pings);
});

row('maxReconnect counts what comes after connect() only, also where the link dies at once', nats, async (t) => {
  for (const maxReconnect of [1, 2]) {
    let dials = 0;
    const sockets = [];
    const socket = (url) => {
      dials += 1;
      if (dials > 1) throw new Error('no way');
      sockets.push(new WebSocket(url));
      return sockets[0];
    };
    const connection = await t.connect({ socket, maxReconnect, reconnectIntervalMs: 10 });
    const changes = [];
    const reader = (async () => { for await (const change of connection.status()) changes.push(change); })();
    sockets[0].close();
    t.ok(await t.within(5000, connection.closed, 'closed'), 'why it ended');
    await reader;
    t.equal(dials, 1 + maxReconnect, 'dials');
    t.deepEqual(changes.filter((change) => change.type === 'reconnecting').map((change) => change.attempt), Array.from({ length: maxReconnect }, (_, index) => index + 1), 'attempts');
  }
});
