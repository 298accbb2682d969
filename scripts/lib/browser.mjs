// Chromium for tests (driven by playwright-core) and for figures (bare: a driver mirrors every WebSocket frame and makes
// sockets two to four times slower). Knows nothing of the package.

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { programs, tool } from './tools.mjs';

/** Root has no sandbox in a container; the rest keeps the browser from talking to its maker. */
export const chromiumFlags = [
  '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run', '--no-default-browser-check',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions', '--mute-audio',
];

/** Its version, such as "156.0.8078.79". */
export async function chromiumVersion() {
  const { stdout } = await promisify(execFile)(programs.chromium, ['--version']);
  return stdout.match(/\d+(\.\d+)+/)?.[0] ?? 'unknown';
}

/**
 * A bare headless Chromium on one page, nobody attached: the page must post what it has to say (static.mjs, `onPost`).
 * @param {string} url
 * @param {{ args?: string[] }} [options]
 * @returns {Promise<{ pid: number, ended: Promise<number | null>, close(): Promise<void> }>}
 */
export async function startChromium(url, { args = [] } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'stationmaster-chromium-'));
  // A group of its own: Debian's chromium is a script, and the browser has children.
  const child = spawn(programs.chromium, ['--headless', ...chromiumFlags, `--user-data-dir=${profile}`, ...args, url], { detached: true, stdio: 'ignore' });
  const ended = new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
  ended.catch(() => {});
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject));
  const end = () => {
    try {
      process.kill(-(/** @type {number} */ (child.pid)), 'SIGKILL');
    } catch {
      // Gone already.
    }
  };
  process.once('exit', end);
  return {
    pid: /** @type {number} */ (child.pid),
    ended,
    async close() {
      process.removeListener('exit', end);
      end();
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

/**
 * A driven page in a browser of its own. What the page logs as an error or throws is collected in `problems`.
 * @param {{ args?: string[], headless?: boolean, context?: object }} [options] `context`: playwright's newContext options
 * @returns {Promise<{ browser: any, context: any, page: any, problems: string[], close(): Promise<void> }>}
 */
export async function openPage({ args = [], headless = true, context: contextOptions = {} } = {}) {
  const { chromium } = await tool('playwright-core');
  const browser = await chromium.launch({ executablePath: programs.chromium, headless, args: [...chromiumFlags, ...args] });
  const context = await browser.newContext(contextOptions);
  const page = await context.newPage();
  /** @type {string[]} */
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error?.stack ?? error)));
  page.on('console', (message) => { if (message.type() === 'error') problems.push(message.text()); });
  return { browser, context, page, problems, close: () => browser.close() };
}
