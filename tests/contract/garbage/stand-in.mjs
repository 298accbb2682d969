// Servers that misbehave, and a go-between that cuts what a good one says. They run outside of the page under test; each
// behaviour is a name and, where it needs them, values. Knows the wire of NATS only as far as it takes to break it.

import { createServer as createTcpServer } from 'node:net';
import { createServer } from 'node:http';
import { tool } from '../../../scripts/lib/tools.mjs';

const INFO = { server_id: 'STANDIN', server_name: 'stand-in', version: '2.15.1', proto: 1, host: '127.0.0.1', port: 0, headers: true, max_payload: 1048576, jetstream: true, client_id: 1, api_lvl: 5 };
const say = (socket, text) => socket.send(Buffer.from(text, 'latin1'));
const info = (more) => `INFO ${JSON.stringify({ ...INFO, ...more })} \r\n`;

/** What a server does, by name: greet(socket, given) when a client came, then(socket, given) once it has logged in. */
const BEHAVIOURS = {
  silent: { greet() {} },
  closes: { greet: (socket) => socket.close() },
  terminates: { greet: (socket) => socket.terminate() },
  says: { greet: (socket, { text }) => say(socket, text) },
  saysAndCloses: { greet: (socket, { text }) => { say(socket, text); socket.close(); } },
  random: { greet: (socket) => socket.send(Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 73 + 41) & 255))) },
  flood: { greet: (socket) => { for (let index = 0; index < 64; index += 1) socket.send(Buffer.alloc(65_536, 65)); } },
  infoOnly: { greet: (socket, { more }) => say(socket, info(more)), login: () => {} },
  refuses: { greet: (socket) => say(socket, info({ auth_required: true })), login: (socket, { error }) => { say(socket, `-ERR '${error}'\r\n`); socket.close(1008, 'refused'); } },
  afterCloses: { greet: (socket) => say(socket, info()), then: (socket, { text }) => { say(socket, text); socket.close(1001, 'gone'); } },
  after: { greet: (socket, { more }) => say(socket, info(more)), then: (socket, { text }) => say(socket, text) },
  text: { greet: (socket) => socket.send(info(), { binary: false }) },
  answers: { greet: (socket) => say(socket, info()), request: answer },
};

/**
 * Starts a stand-in. `given`: { behaviour, text?, more?, error?, answers? }; `answers` maps the beginning of a subject to the
 * bodies that are sent back for it, or to null for none. Resolves with { url, stop, counts }.
 */
export async function standIn({ behaviour, ...given }) {
  if (behaviour === 'http') return refusesUpgrade(given);
  if (behaviour === 'accepts') return acceptsOnly();
  const { WebSocketServer } = await tool('ws');
  const acts = BEHAVIOURS[behaviour];
  if (!acts) throw new Error(`no behaviour called ${behaviour}`);
  const counts = { sockets: 0 };
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await new Promise((resolve) => { server.once('listening', resolve); });
  server.on('connection', (socket) => {
    counts.sockets += 1;
    socket.on('error', () => {});
    socket.on('message', reader(socket, acts, given));
    acts.greet(socket, given);
  });
  return {
    url: `ws://127.0.0.1:${server.address().port}/`,
    counts,
    stop: () => new Promise((resolve) => {
      for (const socket of server.clients) socket.terminate();
      server.close(resolve);
    }),
  };
}

// Reads what the client says, as far as a misbehaving server has to understand it.
function reader(socket, acts, given) {
  let held = '';
  let loggedIn = false;
  const subscriptions = [];
  return (data) => {
    held += data.toString('latin1');
    for (;;) {
      const end = held.indexOf('\r\n');
      if (end < 0) return;
      const [verb, ...words] = held.slice(0, end).split(' ');
      const size = verb === 'PUB' || verb === 'HPUB' ? Number(words.at(-1)) + 2 : 0;
      if (held.length < end + 2 + size) return;
      const body = held.slice(end + 2, end + 2 + Math.max(0, size - 2));
      held = held.slice(end + 2 + size);
      if (verb === 'PING') {
        if (!loggedIn && acts.login) acts.login(socket, given);
        else {
          say(socket, 'PONG\r\n');
          if (!loggedIn) acts.then?.(socket, given);
          loggedIn = true;
        }
      } else if (verb === 'SUB') subscriptions.push([words[0], words.at(-1)]);
      else if (size > 0) acts.request?.(socket, given, words, body, subscriptions);
    }
  };
}

// A reply goes to the subscription that asked for it, as a real server's would.
function answer(socket, given, words, _body, subscriptions) {
  const [subject, reply] = words;
  const found = Object.keys(given.answers).filter((start) => subject.startsWith(start)).sort((a, b) => b.length - a.length)[0];
  const bodies = given.answers[found];
  if (!bodies || !reply) return;
  const sid = subscriptions.find(([pattern]) => covers(pattern, reply))?.[1];
  if (sid === undefined) return;
  for (const body of [bodies].flat()) say(socket, `MSG ${reply} ${sid} ${Buffer.byteLength(body)}\r\n${body}\r\n`);
}

function covers(pattern, subject) {
  const [want, have] = [pattern.split('.'), subject.split('.')];
  if (want.at(-1) === '>') return have.length >= want.length && want.slice(0, -1).every((token, at) => token === '*' || token === have[at]);
  return want.length === have.length && want.every((token, at) => token === '*' || token === have[at]);
}

// Speaks HTTP, but not WebSocket.
async function refusesUpgrade({ status = 403 }) {
  const server = createServer((_, response) => { response.writeHead(status); response.end('no'); });
  server.on('upgrade', (_, socket) => { socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`); });
  return listening(server, () => server.closeAllConnections());
}

// Takes the connection and never says a word, not even to the upgrade.
async function acceptsOnly() {
  const sockets = new Set();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket)).resume();
  });
  return listening(server, () => { for (const socket of sockets) socket.destroy(); });
}

async function listening(server, drop) {
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return {
    url: `ws://127.0.0.1:${server.address().port}/`,
    counts: {},
    stop: () => new Promise((resolve) => { server.close(resolve); drop(); }),
  };
}

/**
 * A go-between to a real server that passes on everything, in frames of its own choosing: `cut` bytes each, or, with
 * `gather`, in as few as can be: whatever the server says until it has answered a ping of ours is one.
 */
export async function goBetween({ target, cut, gather }) {
  const { WebSocket, WebSocketServer } = await tool('ws');
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  await new Promise((resolve) => { server.once('listening', resolve); });
  const counts = { gathered: 0 };
  server.on('connection', (client) => {
    const upstream = new WebSocket(target, { perMessageDeflate: false });
    const early = [];
    const end = () => { client.terminate(); upstream.terminate(); };
    client.on('message', (data) => { if (upstream.readyState === WebSocket.OPEN) upstream.send(data); else early.push(data); });
    upstream.on('open', () => { for (const data of early.splice(0)) upstream.send(data); });
    let held = [];
    upstream.on('message', (data) => {
      if (cut) for (let at = 0; at < data.length; at += cut) client.send(data.subarray(at, at + cut));
      else if (held.push(data) === 1) upstream.ping();
    });
    upstream.on('pong', () => {
      if (held.length > 1) counts.gathered += 1;
      client.send(Buffer.concat(held));
      held = [];
    });
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end);
  });
  return {
    url: `ws://127.0.0.1:${server.address().port}/`,
    counts,
    stop: () => new Promise((resolve) => {
      for (const socket of server.clients) socket.terminate();
      server.close(resolve);
    }),
  };
}
