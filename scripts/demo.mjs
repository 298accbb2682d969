// `make demo`: a real nats-server, a page in headless Chromium that sends 10,000 messages through it, and then the console
// beside that server until Ctrl-C (with CI=1: the end).

import { join } from 'node:path';
import { chromiumVersion, startChromium } from './lib/browser.mjs';
import { startNats } from './lib/servers.mjs';
import { serve, STRICT_CSP_PAGE } from './lib/static.mjs';
import { root } from './lib/tools.mjs';

/** Generous: a page on a busy machine takes a few seconds. */
const LIMIT_MS = 120_000;

const nats = await startNats();
/** @type {(result: any) => void} */
let finish = () => {};
const finished = new Promise((resolve) => { finish = resolve; });
const site = await serve({ '/pkg': join(root, 'pkg'), '/www': join(root, 'www'), '/demo': join(root, 'scripts', 'demo') }, {
  csp: STRICT_CSP_PAGE,
  onPost(path, body) {
    const said = JSON.parse(body.toString());
    if (path === '/step') console.log(`demo: ${said.text}`);
    if (path === '/result') finish(said);
  },
});
console.log(`demo: nats-server ${nats.version} at ${nats.url}`);

const browser = await startChromium(`${site.url}/demo/demo.html?url=${encodeURIComponent(nats.url)}`);
const timer = setTimeout(() => finish({ error: `the page did not finish within ${LIMIT_MS / 1000} s` }), LIMIT_MS);
browser.ended.then((code) => finish({ error: `Chromium ended by itself (${code})` }), (error) => finish({ error: `Chromium does not start: ${error.message}; run make setup` }));
const result = await finished;
clearTimeout(timer);
await browser.close();

const good = !result.error && result.lost === 0 && result.duplicated === 0;
const consoleUrl = `${site.url}/www/#nats=${encodeURIComponent(nats.url)}`;
if (!process.env.CI) console.log(`demo: the console is at ${consoleUrl} until Ctrl-C; connect it to ${nats.url}`);
if (result.error) console.log(`demo: failed: ${result.error}`);
else console.log(`demo: ${result.produced} produced, ${result.consumed} consumed, ${result.lost} lost, ${result.duplicated} duplicated, ${result.seconds.toFixed(1)} s, nats-server ${result.version}, Chromium ${(await chromiumVersion()).split('.')[0]}`);

if (process.env.CI || !good) {
  await site.close();
  await nats.stop();
  process.exit(good ? 0 : 1);
}
