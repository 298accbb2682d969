// Real nats-servers for tests, the demo and the benchmark: own processes on free loopback ports, in a fresh folder that
// goes away with them. Knows nothing of the package.

import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programs } from './tools.mjs';
import { fatal, until } from './until.mjs';

/** How long one server may take to listen, and a cluster to elect its leader, on a busy machine. */
const READY_MS = 20_000;
/** Free ports are found by trying and letting go again; somebody else may take one in between. */
const PORT_ATTEMPTS = 5;
/**
 * Below those that systems give to outgoing connections (from 32768 or 49152 on): a server that is down for a moment would find
 * its port taken when it comes back.
 */
const PORTS = { first: 10_240, end: 32_000 };

/**
 * @typedef {object} NatsOptions
 * @property {string} [version] an older server than the newest: '2.10'
 * @property {number} [cluster] how many nodes; 1 or nothing: a single server without routes
 * @property {boolean} [advertise] a cluster that tells its clients of all nodes (false)
 * @property {boolean} [jetstream] false: a server without JetStream (true)
 * @property {string} [domain] the JetStream domain
 * @property {number} [maxPayload] the server's max_payload in bytes (its own default, 1 MiB)
 * @property {boolean} [compression] permessage-deflate on the WebSocket listener (false)
 * @property {string} [websocket] more lines inside the websocket block
 * @property {string} [extra] more lines of configuration: authorization, accounts, ping_interval, ...
 * @property {string} [config] the same as `extra`
 *
 * @typedef {object} Nats
 * @property {string} url the first node's WebSocket URL
 * @property {string[]} urls every node's
 * @property {string} tcp the first node's TCP URL (tcp://)
 * @property {string[]} tcpUrls every node's
 * @property {string} monitor the first node's monitoring URL (http://), for /jsz, /connz, /varz
 * @property {string[]} monitors every node's
 * @property {number} pid the first node's process
 * @property {(number | undefined)[]} pids every node's, undefined while it is down
 * @property {string[]} names server_name of every node, as in `leader` of a stream's info
 * @property {string} version
 * @property {string} dir where configuration, logs and storage are
 * @property {(i?: number) => Promise<void>} kill kill -9; resolves when the process is gone
 * @property {(i?: number) => Promise<void>} restart the same node on the same ports and storage; resolves when it listens
 * @property {(i?: number) => void} freeze stops the process without ending it (SIGSTOP): the link goes silent
 * @property {(i?: number) => void} thaw lets it go on
 * @property {(options: NatsOptions) => Promise<void>} reconfigure have every node read a configuration that is made of these options instead; resolves when it has
 * @property {(i?: number) => Promise<void>} lameDuck tells it to go: it says so to its clients and ends after its grace period
 * @property {(i?: number) => Promise<string>} log what it has written so far
 * @property {() => Promise<void>} stop ends all and removes the folder
 */

/**
 * Starts nats-server with a WebSocket listener and JetStream and resolves when it takes connections (a cluster: when it has
 * a leader and all nodes are current).
 * @param {NatsOptions} [options]
 * @returns {Promise<Nats>}
 */
export async function startNats(options = {}) {
  const dir = await mkdtemp(join(tmpdir(), 'stationmaster-nats-'));
  folders.add(dir);
  endWithProcess();
  for (let attempt = 1; ; attempt++) {
    const nodes = await layOut(dir, options);
    try {
      await Promise.all(nodes.map((node) => node.start()));
      if (nodes.length > 1) await leaderIsThere(nodes);
      return await handle(dir, nodes, options);
    } catch (error) {
      await Promise.all(nodes.map((node) => node.end('SIGKILL')));
      if (attempt === PORT_ATTEMPTS || !error?.portTaken) throw error;
    }
  }
}

/** The version of the installed server, without starting one. @param {NatsOptions} [options] */
export async function natsVersion(options = {}) {
  const { stdout } = await promisify(execFile)(programOf(options), ['--version']);
  return stdout.trim().replace(/^.*v(?=\d)/, '');
}

/** @param {string} dir @param {Node[]} nodes @param {NatsOptions} options @returns {Promise<Nats>} */
async function handle(dir, nodes, options) {
  const tcpUrls = nodes.map((node) => `tcp://127.0.0.1:${node.ports.client}`);
  const urls = nodes.map((node) => `ws://127.0.0.1:${node.ports.websocket}`);
  const monitors = nodes.map((node) => `http://127.0.0.1:${node.ports.monitor}`);
  return {
    url: urls[0], urls, tcp: tcpUrls[0], tcpUrls, monitor: monitors[0], monitors,
    get pid() { return nodes[0].child?.pid ?? -1; },
    get pids() { return nodes.map((node) => node.child?.pid); },
    names: nodes.map((node) => node.name),
    version: await natsVersion(options),
    dir,
    kill: (i = 0) => nodes[i].end('SIGKILL'),
    restart: async (i = 0) => {
      await nodes[i].end('SIGKILL');
      await nodes[i].start();
    },
    freeze: (i = 0) => void nodes[i].child?.kill('SIGSTOP'),
    thaw: (i = 0) => void nodes[i].child?.kill('SIGCONT'),
    reconfigure: async (changed) => {
      await writeConfigurations(nodes, { ...options, ...changed });
      await Promise.all(nodes.map((node) => node.reload()));
    },
    lameDuck: async (i = 0) => void await promisify(execFile)(programOf(options), ['--signal', `ldm=${nodes[i].child?.pid}`]),
    log: (i = 0) => readFile(nodes[i].logFile, 'utf8'),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.end('SIGTERM')));
      await rm(dir, { recursive: true, force: true });
      folders.delete(dir);
    },
  };
}

/** @param {NatsOptions} options */
function programOf({ version }) {
  if (version === undefined) return programs.natsServer;
  const program = programs.natsServers[version];
  if (!program) throw fatal(`there is no nats-server ${version}; there are ${Object.keys(programs.natsServers).join(', ')} and the newest`);
  return program;
}

/** One server: its files, its ports, and the process while it runs. */
class Node {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  child;

  /** @param {string} home @param {string} name @param {{ client: number, monitor: number, websocket: number, route: number }} ports @param {string} [program] */
  constructor(home, name, ports, program = programs.natsServer) {
    this.program = program;
    this.home = home;
    this.name = name;
    this.ports = ports;
    this.logFile = join(home, 'server.log');
  }

  async start() {
    const log = await open(this.logFile, 'a');
    const from = (await log.stat()).size;
    const child = spawn(this.program, ['-c', join(this.home, 'server.conf')], { cwd: this.home, stdio: ['ignore', log.fd, log.fd] });
    this.child = child;
    children.add(child);
    /** @type {Error | undefined} */
    let failed;
    child.once('error', (error) => { failed = error; });
    this.gone = new Promise((resolve) => child.once('close', () => {
      children.delete(child);
      if (this.child === child) this.child = undefined;
      resolve(undefined);
    }));
    await log.close();
    // The server writes this file, named by its own process id, once it listens. A check by port could be answered by another server.
    const ports = join(this.home, `nats-server_${child.pid}.ports`);
    await until(async () => {
      if (failed) throw fatal(`nats-server does not start: ${failed.message}; run make setup`);
      if (this.child !== child) {
        const text = (await readFile(this.logFile)).subarray(from).toString();
        throw Object.assign(fatal(`nats-server ${this.name} ended at once:\n${text.slice(-2000)}`), { portTaken: /address already in use/.test(text) });
      }
      return (await readFile(ports, 'utf8')).includes('}');
    }, { what: `nats-server ${this.name} listens`, ms: READY_MS, everyMs: 5 });
  }

  /** Have it read its configuration anew. */
  async reload() {
    const from = (await readFile(this.logFile)).length;
    this.child?.kill('SIGHUP');
    await until(async () => /Reloaded server configuration/.test((await readFile(this.logFile)).subarray(from).toString()), { what: `nats-server ${this.name} reads its configuration`, ms: READY_MS, everyMs: 5 });
  }

  /** @param {'SIGTERM' | 'SIGKILL'} signal */
  async end(signal) {
    const { child } = this;
    if (!child) return;
    child.kill('SIGCONT');
    child.kill(signal);
    await this.gone;
  }
}

/** @param {string} dir @param {NatsOptions} options @returns {Promise<Node[]>} */
async function layOut(dir, options) {
  const count = options.cluster ?? 1;
  const ports = await freePorts(count * 4);
  const nodes = [];
  for (let i = 0; i < count; i++) {
    const home = join(dir, `n${i + 1}`);
    await mkdir(home, { recursive: true });
    nodes.push(new Node(home, `n${i + 1}`, { client: ports[i * 4], monitor: ports[i * 4 + 1], websocket: ports[i * 4 + 2], route: ports[i * 4 + 3] }, programOf(options)));
  }
  await writeConfigurations(nodes, options);
  return nodes;
}

/** @param {Node[]} nodes @param {NatsOptions} options */
async function writeConfigurations(nodes, options) {
  const routes = nodes.map((node) => `"nats://127.0.0.1:${node.ports.route}"`).join(', ');
  await Promise.all(nodes.map((node) => writeFile(join(node.home, 'server.conf'), configuration(node, nodes.length > 1 ? routes : undefined, options))));
}

/** @param {Node} node @param {string | undefined} routes @param {NatsOptions} options */
function configuration(node, routes, { advertise = false, jetstream = true, domain, maxPayload, compression = false, websocket = '', extra = '', config = '' }) {
  const lines = [
    `server_name: "${node.name}"`,
    `listen: "127.0.0.1:${node.ports.client}"`,
    `http: "127.0.0.1:${node.ports.monitor}"`,
    `ports_file_dir: "${node.home}"`,
    `websocket { listen: "127.0.0.1:${node.ports.websocket}", no_tls: true, compression: ${compression}\n${websocket}\n}`,
  ];
  if (jetstream) lines.push(`jetstream { store_dir: "${join(node.home, 'store')}", max_mem: 2GB, max_file: 8GB${domain ? `, domain: "${domain}"` : ''} }`);
  if (maxPayload !== undefined) lines.push(`max_payload: ${maxPayload}`);
  if (routes) lines.push(`cluster { name: "lab", listen: "127.0.0.1:${node.ports.route}", no_advertise: ${!advertise}, routes: [${routes}] }`);
  return [...lines, extra, config, ''].join('\n');
}

/** @param {Node[]} nodes */
async function leaderIsThere(nodes) {
  await until(async () => {
    const views = await Promise.all(nodes.map(async (node) => (await fetch(`http://127.0.0.1:${node.ports.monitor}/jsz`)).json()));
    const leader = views[0].meta_cluster?.leader;
    return leader && views.every((view) => view.meta_cluster?.leader === leader && view.meta_cluster.cluster_size === nodes.length);
  }, { what: 'the cluster has a leader', ms: READY_MS, everyMs: 25 });
}

/** Different free ports: all held at once, so that the system cannot hand out one twice. @param {number} count */
export async function freePorts(count) {
  const servers = await Promise.all(Array.from({ length: count }, listening));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A listener on a port that nobody has. @returns {Promise<import('node:net').Server>} */
function listening() {
  const port = PORTS.first + Math.floor(Math.random() * (PORTS.end - PORTS.first));
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => (/** @type {any} */ (error).code === 'EADDRINUSE' ? resolve(listening()) : reject(error)));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

/** @type {Set<import('node:child_process').ChildProcess>} */
const children = new Set();
/** @type {Set<string>} */
const folders = new Set();
let watching = false;

/** No server outlives the program that started it, however that ends (but for its own kill -9). */
function endWithProcess() {
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });
  for (const [signal, code] of /** @type {const} */ ([['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]])) {
    process.once(signal, () => { if (process.listenerCount(signal) === 0) process.exit(code); });
  }
}
