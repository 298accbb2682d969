// The console on a real nats-server. Every export is a row; its name is what it checks.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { burst, go, listening, onBoard, produce, quiet, shows } from './page.mjs';

async function connect(page, server, url) {
  await go(page, server);
  await page.fill('#connect-form [name=url]', url);
  await page.click('#connect');
  await page.waitForSelector('#bench:not([hidden])');
}

/** A port that was free a moment ago: nothing listens there. */
async function closedPort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function create(page, name, fields = {}) {
  await page.click('#new-station');
  await page.fill('#station-form [name=name]', name);
  await page.selectOption('#station-form [name=storageType]', 'memory');
  for (const [field, value] of Object.entries(fields)) await page.fill(`#station-form [name=${field}]`, value);
  await page.click('#station-create');
  await page.waitForFunction((wanted) => document.querySelector('#station').value === wanted, name);
}

async function listen(page) {
  await page.click('#tab-listen');
  await page.click('#listen');
  await listening(page);
}

export async function nats_a_link_fills_in_the_url_and_a_burst_goes_there_and_back({ page, problems, server, broker }) {
  await go(page, server, `#nats=${broker.url}`);
  assert.equal(await page.inputValue('#connect-form [name=url]'), broker.url);
  await page.click('#connect');
  await shows(page, '#link-note', /nats-server|nats/i);
  await create(page, 'console-burst', { partitionsNumber: '3' });
  await listen(page);
  await burst(page, 10_000);
  await shows(page, '#burst-note', /^10,000 stored in/);
  await onBoard(page, 10_000);
  await shows(page, '#station-facts', /partitions\s*3/);
  quiet(problems);
}

export async function nats_ack_and_nack_reach_the_server({ page, problems, server, broker }) {
  await connect(page, server, broker.url);
  await create(page, 'console-acks');
  await page.locator('label.toggle', { has: page.locator('#ack-arrival') }).click();
  await listen(page);
  await produce(page, 'again please', { fields: { headers: 'a: b' } });
  await onBoard(page, 1);
  await page.locator('.line').first().click();
  await page.click('[data-verb=nack]');
  await onBoard(page, 2);
  await page.locator('.line').nth(1).click();
  await shows(page, '.pairs', /Delivery\s*number 2/);
  await page.click('[data-verb=ack]');
  await shows(page, '.standing', /acknowledged/);
  quiet(problems);
}

export async function nats_a_wrong_password_is_told_and_the_right_one_connects({ page, server, locked }) {
  await go(page, server);
  await page.fill('#connect-form [name=url]', locked.url);
  await page.locator('#connect-form').evaluate((form) => form.elements.auth[1].click());
  await page.fill('#connect-form [name=username]', 'ada');
  await page.fill('#connect-form [name=password]', 'wrong');
  await page.click('#connect');
  await shows(page, '#connect-error .error-card code', 'auth_failed');
  await page.fill('#connect-form [name=password]', 'loveless');
  await page.click('#connect');
  await page.waitForSelector('#bench:not([hidden])');
  await page.click('#tab-code');
  await shows(page, '#code', /username: 'ada'/);
  assert.doesNotMatch(await page.locator('#code').innerText(), /loveless/);
}

export async function nats_a_refused_connection_says_so({ page, server }) {
  await go(page, server);
  await page.fill('#connect-form [name=url]', `ws://127.0.0.1:${await closedPort()}`);
  await page.click('#connect');
  await shows(page, '#connect-error .error-card code', 'connect_failed');
  await shows(page, '#connect-error .hint', /\w/);
  await shows(page, '#link', /Not connected/);
}

export async function nats_a_killed_server_shows_in_the_timeline_and_messages_go_on({ page, server, broker }) {
  await connect(page, server, broker.url);
  await page.click('#new-station');
  await page.fill('#station-form [name=name]', 'console-kill');
  await page.click('#station-create');
  await page.waitForFunction(() => document.querySelector('#station').value === 'console-kill');
  await listen(page);
  await produce(page, 'before');
  await onBoard(page, 1);
  await broker.kill();
  await page.click('#tab-line');
  await shows(page, '#timeline', /Link lost/);
  await broker.restart();
  await shows(page, '#timeline', /Connected again/);
  await produce(page, 'after');
  await shows(page, '.line', 'after');
}
