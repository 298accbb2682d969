// Raw TCP and TLS from the packed tarball: against real servers whose certificates an authority made here has signed.

import { writeFile, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { authority } from '../../../scripts/lib/certificates.mjs';
import { startNats } from '../../../scripts/lib/servers.mjs';
import { programs } from '../../../scripts/lib/tools.mjs';
import { run } from './runtimes.mjs';

/**
 * Servers with TLS after INFO, before the first byte, by what the client begins with, and with certificates on both sides.
 * @param {string} dir
 */
export async function startSecure(dir) {
  const ca = authority();
  const pair = ca.issue('a broker', ['localhost', '127.0.0.1']);
  const client = ca.issue('a client');
  const stranger = authority().issue('somebody else', ['localhost', '127.0.0.1']);
  const files = { ca: join(dir, 'ca.pem'), certificate: join(dir, 'client.pem'), key: join(dir, 'client-key.pem') };
  const put = async (name, text) => {
    await writeFile(join(dir, name), text);
    return join(dir, name);
  };
  await Promise.all([put('ca.pem', ca.certificate), put('client.pem', client.certificate), put('client-key.pem', client.key)]);
  const start = async (name, { certificate, key }, more = '') => {
    const [cert, secret] = [await put(`${name}.pem`, certificate), await put(`${name}-key.pem`, key)];
    return startNats({ extra: `tls { cert_file: "${cert}", key_file: "${secret}", timeout: 4 ${more} }` });
  };
  const [later, first, auto, mutual, unknown] = await Promise.all([
    start('later', pair), start('first', pair, ', handshake_first: true'), start('auto', pair, ', handshake_first: auto'),
    start('mutual', pair, `, handshake_first: true, verify: true, ca_file: "${files.ca}"`), start('unknown', stranger),
  ]);
  const tls = (server) => server.tcp.replace('tcp:', 'tls:');
  return {
    files,
    /** Every way of being encrypted, and by name as well as by number. */
    urls: [later.tcp, tls(later), tls(first), tls(auto), later.tcp.replace('127.0.0.1', 'localhost')],
    /** A certificate of somebody else, one that is missing on our side, and a server that waits for TLS. */
    refused: [unknown.tcp, tls(unknown), tls(mutual), first.tcp],
    mutual: tls(mutual),
    stop: () => Promise.all([later, first, auto, mutual, unknown].map((server) => server.stop())),
  };
}

/** @param {any} ctx */
export function tcpCases(ctx) {
  const inside = (name, start, config) => ({
    name,
    async run() {
      const dir = await ctx.project(name);
      return start(dir, 'tcp.mjs', JSON.stringify({ station: ctx.stationName(name), ...config() }));
    },
  });
  const all = () => ({ urls: [ctx.nats.tcp, ...ctx.secure.urls], refused: [...ctx.secure.refused, ctx.nats.tcp.replace('tcp:', 'tls:')] });
  const trusting = (name) => ({ [name]: ctx.secure.files.ca });
  const node = (dir, file, config) => run(programs.node, [file, config], dir, trusting('NODE_EXTRA_CA_CERTS'));
  const deno = (dir, file, config) => run(programs.deno, ['run', '--no-prompt', '--allow-net=127.0.0.1,localhost', '--no-lock', '--node-modules-dir=manual', file, config], dir, trusting('DENO_CERT'));
  return [
    inside('tcp and tls: node 26', node, all),
    inside('tcp and tls: node 22', (dir, file, config) => run(programs.node22, [file, config], dir, trusting('NODE_EXTRA_CA_CERTS')), all),
    inside('tcp and tls: deno', deno, all),
    inside('tcp and tls: bun', (dir, file, config) => run(programs.bun, [file, config], dir, trusting('NODE_EXTRA_CA_CERTS')), all),
    inside('socket: certificates on both sides, Duplex.toWeb in node', node, () => ({ urls: [ctx.secure.mutual], socket: 'mutual', files: ctx.secure.files })),
    inside('socket: Deno.connect', deno, () => ({ urls: [ctx.nats.tcp], socket: 'deno' })),
  ];
}

/** No bundle for a page may know of Node's modules. @param {string} dir */
export async function pageKnowsNoNode(dir) {
  for (const name of await readdir(dir, { recursive: true })) {
    if (!/\.m?js$/.test(name)) continue;
    const found = (await readFile(join(dir, name), 'utf8')).match(/node:(net|tls)|cloudflare:sockets/);
    if (found) throw new Error(`${name} names ${found[0]}`);
  }
}
