// Pages: the tarball as plain files and through every bundler, in Chromium, under the content security policy of the README.

import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { serve } from '../../../scripts/lib/static.mjs';
import { tool } from '../../../scripts/lib/tools.mjs';
import { pageKnowsNoNode } from './tcp.mjs';

const LIMIT_MS = 60_000;
/** A wasm module whose parts have other names. */
const STRANGE = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 2, 9, 1, 1, 95, 3, 111, 108, 100, 2, 0, 1]);

/** @param {any} ctx */
export function pageCases(ctx) {
  const bundled = (name, page, bundle) => ({
    name,
    async run() {
      const dir = await ctx.project(name);
      await bundle(dir, page);
      await pageKnowsNoNode(join(dir, 'dist'));
      const site = await serve(join(dir, 'dist'), { csp: true });
      try {
        return await visit(ctx, site.url, name);
      } finally {
        await site.close();
      }
    },
  });
  return [
    { name: 'plain <script type="module">', run: () => plain(ctx, 'page.js') },
    { name: 'a part that cannot be loaded', run: () => partless(ctx) },
    { name: 'plain page with a Web Worker', run: () => plain(ctx, 'worker-page.js') },
    bundled('vite build', 'page.js', viteBuild),
    bundled('vite build with a Web Worker', 'worker-page.js', viteBuild),
    { name: 'vite dev', run: () => viteDev(ctx) },
    bundled('webpack', 'page.js', webpackBuild),
    bundled('webpack with a Web Worker', 'worker-page.js', webpackBuild),
    bundled('esbuild and the copied files', 'page.js', async (dir, page) => { await esbuildBuild(dir, page); await copyWasm(dir); }),
    bundled('esbuild with chunks and the copied files', 'page.js', async (dir, page) => { await esbuildChunks(dir, page); await copyWasm(dir); }),
    bundled('esbuild with stationmaster/inline', 'page-inline.js', esbuildBuild),
    bundled('rollup and the copied files', 'page.js', async (dir, page) => { await rollupBuild(dir, page); await copyWasm(dir); }),
    bundled('rollup with stationmaster/inline', 'page-inline.js', rollupBuild),
  ];
}

/**
 * Opens a page and waits for its report, which it writes into its console: that needs nothing of the driver's in the page.
 * What the page complains about is a failure too; not its requests, where `prepare` has some of them fail.
 */
async function visit(ctx, url, name, prepare) {
  const page = await ctx.context.newPage();
  const problems = [];
  let timer;
  try {
    const reported = new Promise((resolve) => {
      const fails = (error) => resolve({ ok: false, error });
      page.on('console', (message) => {
        if (message.type() === 'info' && message.text().startsWith('report ')) resolve(JSON.parse(message.text().slice(7)));
        if (message.type() === 'error' && !prepare) problems.push(message.text());
      });
      page.on('pageerror', (error) => problems.push(String(error?.stack ?? error)));
      page.on('crash', () => fails('the page crashed'));
      timer = setTimeout(() => fails(`no report within ${LIMIT_MS} ms`), LIMIT_MS);
    });
    await prepare?.(page);
    await page.goto(`${url}/?${new URLSearchParams({ url: ctx.nats.url, station: ctx.stationName(name) })}`);
    const result = await reported;
    if (!result.ok || problems.length > 0) throw new Error([result.error, ...problems].filter(Boolean).join('\n'));
    return result;
  } finally {
    clearTimeout(timer);
    await page.close();
  }
}

/** A part is missing at first: what needs it says so, and works when it is there. */
async function partless(ctx) {
  const dir = await ctx.project('partless');
  const text = await readFile(join(dir, 'page-partless.js'), 'utf8');
  await writeFile(join(dir, 'page-partless.js'), text.replace("'stationmaster'", "'./node_modules/stationmaster/index.js'"));
  await writeFile(join(dir, 'index.html'), html('<script type="module" src="./page-partless.js"></script>'));
  const site = await serve(dir, { csp: true });
  // Somebody else's schemas, whose engines the page cannot load.
  const { connect } = await import(join(dir, 'node_modules', 'stationmaster', 'index.inline.js'));
  const other = await connect({ broker: 'nats', url: ctx.nats.tcp });
  try {
    await other.createSchema('partless-avro', 'avro', '"int"');
    const station = await other.station('partless-avro', { schemaName: 'partless-avro' });
    await station.produce('7');
    await other.createSchema('partless-json', 'json', '{"type":"integer"}');
    return await visit(ctx, site.url, 'partless', (page) => page.route('**/serve?*', async (route) => {
      const asked = new URL(route.request().url()).searchParams;
      await serveAs(page, asked.get('name'), asked.get('how'));
      await route.fulfill({ status: 204 });
    }));
  } finally {
    await other.close();
    await site.close();
  }
}

/** From now on a file comes as it is, or in a way that it should not. */
async function serveAs(page, name, how) {
  const pattern = name.endsWith('.js') ? `**/${name}` : `**/stationmaster-${name}.wasm`;
  await page.unroute(pattern);
  if (how === 'missing') await page.route(pattern, (route) => route.fulfill({ status: 404, body: 'not here' }));
  if (how === 'strange') await page.route(pattern, (route) => route.fulfill({ status: 200, contentType: 'application/wasm', body: STRANGE }));
  if (how === 'slow') await page.route(pattern, () => {});
}

/** No bundler: an unpacked package beside the page, by relative path. The page is watched from before the first module. */
async function plain(ctx, entry) {
  const dir = await ctx.project(`plain ${entry}`);
  for (const name of ['page.js', 'worker.js']) {
    const text = await readFile(join(dir, name), 'utf8');
    await writeFile(join(dir, name), text.replace("'stationmaster'", "'./node_modules/stationmaster/index.js'"));
  }
  await writeFile(join(dir, 'index.html'), html('<script src="./watch.js"></script><script type="module" src="./' + entry + '"></script>'));
  const site = await serve(dir, { csp: true });
  try {
    const report = await visit(ctx, site.url, `plain ${entry}`);
    if (report.touched?.length) throw new Error(`importing did something: ${report.touched}`);
    const wasm = site.requests.filter((request) => request.endsWith('.wasm'));
    if (new Set(wasm).size !== wasm.length) throw new Error(`wasm was requested several times: ${wasm}`);
    return report;
  } finally {
    await site.close();
  }
}

const html = (scripts) => `<!doctype html><meta charset="utf-8"><title>t</title>${scripts}`;

async function viteBuild(dir, page) {
  await writeFile(join(dir, 'index.html'), html(`<script type="module" src="/${page}"></script>`));
  const { build } = await tool('vite');
  await build({ root: dir, configFile: false, logLevel: 'error' });
}

async function viteDev(ctx) {
  const dir = await ctx.project('vite dev');
  await writeFile(join(dir, 'index.html'), html('<link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'));
  const { createServer: start } = await tool('vite');
  const server = await start({ root: dir, configFile: false, logLevel: 'error', server: { host: '127.0.0.1', port: await freePort(), strictPort: true } });
  try {
    await server.listen();
    return await visit(ctx, server.resolvedUrls.local[0].replace(/\/$/, ''), 'vite dev');
  } finally {
    await server.close();
  }
}

async function webpackBuild(dir, page) {
  const { default: webpack } = await tool('webpack');
  const compiler = webpack({ mode: 'production', context: dir, entry: `./${page}`, output: { path: join(dir, 'dist'), filename: 'main.js' } });
  const stats = await new Promise((resolve, reject) => compiler.run((error, result) => (error ? reject(error) : resolve(result))));
  await new Promise((resolve) => compiler.close(resolve));
  if (stats.hasErrors()) throw new Error(stats.toString({ all: false, errors: true }));
  const warnings = stats.toJson({ all: false, warnings: true }).warnings.filter(({ message }) => !/size limit|performance recommendations/.test(message));
  if (warnings.length > 0) throw new Error(warnings.map(({ message }) => message).join('\n'));
  await writeFile(join(dir, 'dist', 'index.html'), html('<script defer src="./main.js"></script>'));
}

/** With chunks for what is loaded later. */
async function esbuildChunks(dir, page) {
  const { build } = await tool('esbuild');
  const result = await build({ entryPoints: { app: join(dir, page) }, absWorkingDir: dir, bundle: true, splitting: true, format: 'esm', outdir: join(dir, 'dist'), logLevel: 'silent' });
  if (result.warnings.length > 0) throw new Error(result.warnings.map(({ text }) => text).join('\n'));
  await writeFile(join(dir, 'dist', 'index.html'), html('<script type="module" src="./app.js"></script>'));
}

/** All in one file. */
async function esbuildBuild(dir, page) {
  const { build } = await tool('esbuild');
  const result = await build({ entryPoints: [join(dir, page)], absWorkingDir: dir, bundle: true, format: 'esm', outfile: join(dir, 'dist', 'app.js'), logLevel: 'silent' });
  if (result.warnings.length > 0) throw new Error(result.warnings.map(({ text }) => text).join('\n'));
  await writeFile(join(dir, 'dist', 'index.html'), html('<script type="module" src="./app.js"></script>'));
}

async function rollupBuild(dir, page) {
  const [{ rollup }, { nodeResolve }] = [await tool('rollup'), await tool('@rollup/plugin-node-resolve')];
  const warnings = [];
  const bundle = await rollup({ input: { app: join(dir, page) }, plugins: [nodeResolve()], onwarn: (warning) => warnings.push(warning.message) });
  await bundle.write({ dir: join(dir, 'dist'), format: 'es' });
  await bundle.close();
  if (warnings.length > 0) throw new Error(warnings.join('\n'));
  await writeFile(join(dir, 'dist', 'index.html'), html('<script type="module" src="./app.js"></script>'));
}

/** The files that the README tells users of esbuild and Rollup to copy. */
async function copyWasm(dir) {
  const found = (await readdir(join(dir, 'dist'))).filter((name) => name.endsWith('.wasm'));
  if (found.length > 0) throw new Error(`the bundler copied ${found} by itself: the advice to copy is out of date`);
  await mkdir(join(dir, 'dist', 'wasm'), { recursive: true });
  const from = join(dir, 'node_modules', 'stationmaster', 'wasm');
  for (const name of await readdir(from)) if (name.endsWith('.wasm')) await cp(join(from, name), join(dir, 'dist', 'wasm', name));
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject).listen(0, '127.0.0.1', () => {
      const { port } = /** @type {any} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
