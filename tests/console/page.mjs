// What the rows share: the site under its documented policy, a page, and the few steps that every row begins with.

import assert from 'node:assert/strict';
import { serve } from '../../scripts/lib/static.mjs';

/** The header that www/README.md documents. The page's own policy stands beside it, so both must let everything through. */
export const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/** The folders as they are served: URL prefix to folder. */
export const site = (mounts) => serve(mounts, { csp: POLICY });

/** A page with storage of its own; what it logs as an error or throws is collected. */
export async function open(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error?.stack ?? error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  return { page, context, problems, close: () => context.close() };
}

export const go = (page, server, hash = '') => page.goto(`${server.url}/www/index.html${hash}`);

export async function startMemory(page, server) {
  await go(page, server);
  await page.click('#start-memory');
  await page.waitForSelector('#bench:not([hidden])');
  await listening(page);
}

export const listening = (page) => page.waitForFunction(() => document.querySelector('#listen').textContent === 'Stop listening');
export const text = (page, selector) => page.locator(selector).innerText();
/** Waits until the element's text matches. */
export const shows = (page, selector, pattern) => page.locator(selector).filter({ hasText: pattern }).first().waitFor();

export async function toggle(page, id, on) {
  // The box itself is covered by its drawing, as usual with switches; its label is what people press.
  if ((await page.isChecked(id)) !== on) await page.locator('label.toggle', { has: page.locator(id) }).click();
  assert.equal(await page.isChecked(id), on);
}

export async function produce(page, payload, more = {}) {
  await page.click('#tab-one');
  await page.locator('#produce-form').evaluate((form, kind) => form.elements.kind.forEach((box) => { if (box.value === kind) box.click(); }), more.kind ?? 'text');
  await page.fill('#payload', payload);
  for (const [name, value] of Object.entries(more.fields ?? {})) await page.fill(`#produce-form [name=${name}]`, value);
  await page.click('#produce');
}

export async function burst(page, count, fields = {}) {
  await page.click('#tab-burst');
  await page.fill('#burst-form [name=count]', String(count));
  for (const [name, value] of Object.entries(fields)) await page.fill(`#burst-form [name=${name}]`, value);
  await page.click('#burst');
}

/** Waits for that many rows on the board, whatever the filter shows. */
export async function onBoard(page, count) {
  const wanted = new Intl.NumberFormat('en').format(count);
  await page.waitForFunction((start) => document.querySelector('#count').textContent.startsWith(start), `${wanted} message`, { timeout: 60_000 });
}

/** One message comes, is given up, and the dead letters are shown. */
export async function giveUp(page) {
  await produce(page, 'broken axle', { fields: { headers: 'train: IC 604' } });
  await onBoard(page, 1);
  await page.locator('.line').first().click();
  await page.click('#panel-message [data-verb=deadLetter]');
  await shows(page, '#panel-message .standing', /given up/);
  await page.click('#tab-dead');
}

export function quiet(problems) {
  assert.deepEqual(problems, [], 'the page logged an error');
}
