// A page that came over TLS: its browser allows no plain WebSocket to elsewhere.

import { topic } from '../kit/rows.mjs';

const row = topic('secure page', 5);

row('ws: to another host is refused with a hint at wss:', async (t) => {
  t.equal(location.protocol, 'https:', 'protocol of the page');
  await t.rejects(t.within(5000, t.api.connect({ broker: 'nats', url: 'ws://broker.example:8080/', timeoutMs: 2000 }), 'connect()'), ['connect_failed', 'invalid_argument', 'not_supported'], { says: 'wss', broker: 'nats' });
});

row('host and port use TLS by default', async (t) => {
  const seen = [];
  const socket = (url) => { seen.push(url); throw new Error('seen enough'); };
  await t.outcome(t.api.connect({ broker: 'nats', host: 'broker.example', port: 8080, timeoutMs: 1000, socket }));
  t.deepEqual(seen.map((url) => new URL(url).protocol), ['wss:'], 'protocols');
});

row('memory needs no network', async (t) => {
  t.equal((await (await t.connect()).produce(t.name(), 'x')).sequence, 1, 'sequence');
});

export { rows } from '../kit/rows.mjs';
