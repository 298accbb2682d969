// Raw TCP and TLS in Cloudflare Workers.

import { connect } from 'cloudflare:sockets';
import { StreamSocket, failure, place } from '../raw.js';

/** @param {string} url @param {string} name @param {boolean} encrypted */
export async function open(url, name, encrypted) {
  const { hostname, port } = place(url);
  const expected = name || hostname;
  let socket = connect({ hostname, port }, { secureTransport: 'starttls', allowHalfOpen: false });
  try {
    if (encrypted) socket = socket.startTls({ expectedServerHostname: expected });
    await socket.opened;
  } catch (error) {
    throw failure(error, encrypted);
  }
  return new StreamSocket(socket, expected);
}
