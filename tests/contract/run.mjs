// The contract suite: sections 1 to 5 of semantics.md as rows, on one broker in one runtime.
//
//   node tests/contract/run.mjs --broker memory|nats|memphis --runtime node|chromium [--only TEXT] [--url ws://...] [--server 2.10] [--real-clock]
//
// `memory` runs on the virtual clock unless told otherwise; for `nats` a server is started when no URL is given:
// the newest, or the one of --server. `memphis` runs on the stand-in, or on the broker of --url, logged in as the
// environment says (kept out of the command line, which everybody can read): see `make test-live`.

import { startNats } from '../../scripts/lib/servers.mjs';
import { bucket } from './bucket.mjs';
import { jetstream } from './jetstream.mjs';
import { given, ownStandIn } from './memphis.mjs';
import { options, run } from './host.mjs';

const values = options({
  broker: { type: 'string', default: 'memory' },
  url: { type: 'string' },
  server: { type: 'string' },
  'real-clock': { type: 'boolean', default: false },
});
if (!['memory', 'nats', 'memphis'].includes(values.broker)) throw new Error(`--broker is memory, nats or memphis, not ${values.broker}`);

const server = values.broker === 'nats' && !values.url ? await startNats(values.server ? { version: values.server } : {}) : undefined;
const memphis = values.broker !== 'memphis' ? undefined : await (values.url ? given(values.url, process.env) : ownStandIn());
const beside = values.broker === 'nats' ? [jetstream(values.url ?? server.url), bucket(values.url ?? server.url)] : [];
await run(values, [{
  rows: 'suite/index.mjs',
  broker: values.broker,
  url: memphis?.url ?? values.url ?? server?.url,
  id: memphis?.id,
  login: memphis?.login,
  controls: memphis?.controls,
  // Chromium puts off new sockets, by seconds, while many others of the page are still opening.
  dials: values.runtime === 'chromium' && values.broker !== 'memory' ? 3 : undefined,
  virtual: values.broker === 'memory' && !values['real-clock'],
}], {
  control: Object.assign({}, memphis?.control, ...beside.map((each) => each.control)),
  after: async () => {
    for (const each of beside) await each.close();
    await server?.stop();
    return memphis?.close();
  },
});
