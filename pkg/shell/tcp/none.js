// Raw TCP where the platform has none.

import { plain } from '../first.js';

/** @returns {never} */
export function open() {
  throw plain('nats', 'not_supported', 'tcp: and tls: need raw sockets, which this platform has not', 'Use the ws: or wss: URL of the broker; raw sockets are there in Node, Deno, Bun and Cloudflare Workers.');
}
