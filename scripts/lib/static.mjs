// A small file server for pages under test: right types, nothing cached, and a content security policy when asked.
// Knows nothing of the package.

import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.wasm': 'application/wasm',
  '.webmanifest': 'application/manifest+json',
};

/** The policy the README promises to work under: scripts of this origin, WebAssembly, this origin's files and any WebSocket. */
export const STRICT_CSP = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' ws:";
/** The same for a page that has a style sheet and pictures, and starts workers. */
export const STRICT_CSP_PAGE = `${STRICT_CSP} wss:; style-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'; form-action 'none'`;

/**
 * Serves folders, files and texts on loopback.
 * @param {string | Record<string, string | { body: string | Uint8Array, type?: string }>} mounts a folder for "/", or URL
 *   prefix to folder or file; an object with `body` is served as it is. The longest prefix wins.
 * @param {object} [options]
 * @param {number} [options.port] 0 takes a free one (0)
 * @param {Record<string, string>} [options.headers] sent with every answer
 * @param {boolean | string} [options.csp] true: STRICT_CSP; a text: that policy (none)
 * @param {(path: string, body: Buffer, request: import('node:http').IncomingMessage) => unknown} [options.onPost] a POST's
 *   path and body; what it returns is the answer as JSON
 * @returns {Promise<{ url: string, port: number, requests: string[], close(): Promise<void> }>} `requests`: what was asked for, in order
 */
export async function serve(mounts, { port = 0, headers = {}, csp = false, onPost } = {}) {
  const table = Object.entries(typeof mounts === 'string' ? { '/': mounts } : mounts)
    .map(([prefix, target]) => ({ prefix: prefix.length > 1 ? prefix.replace(/\/$/, '') : prefix, target }))
    .sort((a, b) => b.prefix.length - a.prefix.length);
  const always = {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(csp ? { 'content-security-policy': csp === true ? STRICT_CSP : csp } : {}),
    ...headers,
  };
  /** @type {string[]} */
  const requests = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response).catch((error) => {
      if (!response.headersSent) response.writeHead(500, always);
      response.end(String(error?.stack ?? error));
    });
  });

  /** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
  async function answer(request, response) {
    const path = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    if (request.method === 'POST') {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const reply = await onPost?.(path, Buffer.concat(chunks), request);
      response.writeHead(onPost ? 200 : 405, { ...always, 'content-type': TYPES['.json'] });
      return response.end(JSON.stringify(reply ?? null));
    }
    const found = await find(path);
    if (!found) {
      response.writeHead(404, { ...always, 'content-type': TYPES['.txt'] });
      return response.end(`nothing at ${path}\n`);
    }
    if (found.redirect) {
      response.writeHead(302, { ...always, location: found.redirect });
      return response.end();
    }
    response.writeHead(200, { ...always, 'content-type': found.type, ...(found.size === undefined ? {} : { 'content-length': found.size }) });
    if (request.method === 'HEAD') return response.end();
    if (found.body !== undefined) return response.end(found.body);
    createReadStream(found.file).on('error', () => response.destroy()).pipe(response);
  }

  /** @param {string} path @returns {Promise<any>} */
  async function find(path) {
    for (const { prefix, target } of table) {
      const rest = prefix === '/' ? path : path === prefix ? '' : path.startsWith(`${prefix}/`) ? path.slice(prefix.length) : undefined;
      if (rest === undefined) continue;
      if (typeof target === 'object') {
        if (path !== prefix) continue;
        return { body: target.body, type: target.type ?? TYPES[extname(path)] ?? TYPES['.html'] };
      }
      const base = await realpath(target).catch(() => undefined);
      if (base === undefined) continue;
      let file = normalize(join(base, rest));
      // Nothing above the mounted folder, whatever the URL says.
      if (file !== base && !file.startsWith(base.endsWith(sep) ? base : base + sep)) continue;
      let info = await stat(file).catch(() => undefined);
      if (info?.isDirectory()) {
        if (!path.endsWith('/')) return { redirect: `${path}/` };
        file = join(file, 'index.html');
        info = await stat(file).catch(() => undefined);
      }
      if (info?.isFile()) return { file, size: info.size, type: TYPES[extname(file)] ?? 'application/octet-stream' };
    }
    return undefined;
  }

  await new Promise((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', () => resolve(undefined)));
  const bound = /** @type {import('node:net').AddressInfo} */ (server.address()).port;
  return {
    url: `http://127.0.0.1:${bound}`,
    port: bound,
    requests,
    close: () => new Promise((resolve) => {
      server.close(() => resolve(undefined));
      server.closeAllConnections();
    }),
  };
}
