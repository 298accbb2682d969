// The console on a real nats-server. Every export is a row; its name is what it checks.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { burst, go, listening, onBoard, produce, quiet, shows, text } from './page.mjs';

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

/** Kept on disk where the server is killed, else in its memory. */
async function create(page, name, { storage = 'memory', ...fields } = {}) {
  await page.click('#new-station');
  await page.fill('#station-form [name=name]', name);
  await page.selectOption('#station-form [name=storageType]', storage);
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
  await create(page, 'console-kill', { storage: 'disk' });
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

export async function nats_a_burst_survives_a_killed_server({ page, server, broker }) {
  await connect(page, server, broker.url);
  await create(page, 'console-survive', { storage: 'disk' });
  await burst(page, 30_000);
  await page.waitForFunction(() => Number(document.querySelector('#burst-progress').getAttribute('aria-valuenow')) > 10);
  await broker.kill();
  assert.ok(await page.isEnabled('#burst-cancel'), 'the burst was over before the server was killed');
  await broker.restart();
  await shows(page, '#burst-note', /^30,000 stored in/);
  await shows(page, '#station-facts', /messages\s*30,000/);
}

export async function nats_a_burst_is_cancelled_while_the_server_is_down({ page, server, broker }) {
  await connect(page, server, broker.url);
  await create(page, 'console-cancel', { storage: 'disk' });
  await burst(page, 500_000);
  await page.waitForFunction(() => /^[1-9]/.test(document.querySelector('#burst-note').textContent));
  await broker.kill();
  try {
    await page.click('#tab-line');
    await shows(page, '#timeline', /Link lost/);
    await page.click('#burst-cancel');
    await shows(page, '#burst-note', /^Cancelled: [\d,]+ of 500,000 stored/);
  } finally {
    await broker.restart();
  }
}

export async function nats_frames_show_the_protocol_with_its_secrets_masked({ page, problems, server, locked }) {
  await go(page, server);
  await page.fill('#connect-form [name=url]', locked.url);
  await page.locator('#connect-form [name=auth][value=password]').check({ force: true });
  await page.fill('#connect-form [name=username]', 'ada');
  await page.fill('#connect-form [name=password]', 'loveless');
  await page.click('#connect');
  await page.waitForSelector('#bench:not([hidden])');
  await page.click('#tab-frames');
  await page.locator('label.toggle', { has: page.locator('#record') }).click();
  await create(page, `frames-${Date.now()}`);
  await shows(page, '#frame-rows .text', /\$JS\.API\.STREAM\.CREATE/);
  // A new link logs in again: the frame inspector is there, and sees no password.
  await locked.kill();
  await locked.restart();
  await shows(page, '#frame-rows .text', /CONNECT/);
  assert.doesNotMatch(await page.locator('#frame-rows').innerText(), /loveless/);
  await page.locator('#frame-rows .entry', { hasText: 'CONNECT' }).first().click();
  await shows(page, '#panel-message .hex', /000000/);
  assert.doesNotMatch(await text(page, '#panel-message'), /loveless|6c 6f 76 65 6c 65 73 73/);
  quiet(problems.filter((problem) => !problem.includes('WebSocket connection')));
}
