// The console on a Memphis broker: the stand-in with a real nats-server behind it. Every export is a row; its name is what it checks.

import assert from 'node:assert/strict';
import { until } from '../../scripts/lib/until.mjs';
import { giveUp, go, listening, onBoard, produce, quiet, shows, toggle } from './page.mjs';

async function connect(page, server, { url }, password = 'memphis') {
  await go(page, server, `#memphis=${url}`);
  assert.equal(await page.inputValue('#connect-form [name=url]'), url);
  await page.fill('#connect-form [name=username]', 'root');
  await page.fill('#connect-form [name=password]', password);
  await page.click('#connect');
}

const connected = (page) => page.waitForSelector('#bench:not([hidden])');

async function create(page, name, fields = {}) {
  await page.click('#new-station');
  await page.fill('#station-form [name=name]', name);
  for (const [field, value] of Object.entries(fields)) await page.fill(`#station-form [name=${field}]`, value);
  await page.click('#station-create');
  await page.waitForFunction((wanted) => document.querySelector('#station').value === wanted, name);
}

async function listen(page, fields = {}) {
  await page.click('#tab-listen');
  for (const [field, value] of Object.entries(fields)) await page.fill(`#listen-form [name=${field}]`, value);
  await page.click('#listen');
  await listening(page);
}

export async function memphis_a_wrong_password_is_told_and_the_right_one_connects({ page, server, memphis }) {
  await connect(page, server, memphis, 'wrong');
  await shows(page, '#connect-error .error-card code', 'auth_failed');
  await page.fill('#connect-form [name=password]', 'memphis');
  await page.fill('#connect-form [name=accountId]', '7');
  await page.click('#connect');
  await connected(page);
  await page.click('#tab-code');
  await shows(page, '#code', /broker: 'memphis'/);
  await shows(page, '#code', /username: 'root'/);
  await shows(page, '#code', /accountId: 7/);
  assert.doesNotMatch(await page.locator('#code').innerText(), /password: 'memphis'/);
}

export async function memphis_the_url_of_each_broker_is_remembered_for_itself({ page, server, memphis }) {
  await connect(page, server, memphis);
  await connected(page);
  await go(page, server);
  assert.equal(await page.inputValue('#connect-form [name=url]'), '', 'the one of NATS');
  await page.locator('#connect-form [name=broker][value=memphis]').check({ force: true });
  assert.equal(await page.inputValue('#connect-form [name=url]'), memphis.url);
}

export async function memphis_a_user_with_a_token_connects({ page, server, memphisToken }) {
  await go(page, server, `#memphis=${memphisToken.url}`);
  await page.locator('#connect-form [name=auth][value=token]').check({ force: true });
  assert.ok(await page.isHidden('#connect-form [name=accountId]'), 'a token has no account');
  await page.fill('#connect-form [name=username]', 'root');
  await page.fill('#connect-form [name=token]', 'memphis');
  await page.click('#connect');
  await connected(page);
}

export async function memphis_a_message_arrives_and_is_acknowledged({ page, problems, server, memphis }) {
  await connect(page, server, memphis);
  await connected(page);
  await create(page, 'console.memphis', { partitionsNumber: '3' });
  await shows(page, '#station-facts', /partitions\s*3/);
  await listen(page);
  await produce(page, 'over memphis', { fields: { headers: 'origin: test', msgId: 'one' } });
  await shows(page, '#receipt', /^Stored in partition \d/);
  await onBoard(page, 1);
  await page.locator('.line').first().click();
  await shows(page, '.headers', /origin\s*test/);
  await shows(page, '.pairs', /Message id\s*one/);
  assert.doesNotMatch(await page.locator('.headers').innerText(), /\$memphis/);
  quiet(problems);
}

export async function memphis_what_it_lacks_is_told_with_its_reason({ page, problems, server, memphis }) {
  await connect(page, server, memphis);
  await connected(page);
  await page.click('#lacks summary');
  await shows(page, '#lacks dl', /Dead letters/);
  await shows(page, '#lacks dl', /List of stations/);
  await create(page, 'console-lacks');
  await page.click('#tab-dead');
  assert.ok(await page.isHidden('#dead-refresh'), 'dead letters cannot be listed');
  await shows(page, '#copies-why', /\w/);
  quiet(problems);
}

export async function memphis_schemas_are_made_enforced_and_checked({ page, problems, server, memphis }) {
  await connect(page, server, memphis);
  await connected(page);
  await create(page, 'console-schema');
  await page.click('#tab-schema');
  await page.click('#schema-create');
  await shows(page, '#schema-note', /departure is stored/);
  await page.click('#enforce');
  await shows(page, '#schema-now', /have to fit departure/);
  await produce(page, '{ "platform": "three" }', { kind: 'json' });
  await shows(page, '#produce-error .violations', /\/platform expected/);
  await produce(page, '{ "train": "IC 604", "platform": 3 }', { kind: 'json' });
  await shows(page, '#receipt', /^Stored in/);
  memphis.removeSchema('departure');
  await shows(page, '#schema-now', /takes messages of any form/);
  quiet(problems);
}

export async function memphis_copies_of_dead_letters_are_read_and_one_that_is_sent_again_is_acknowledged({ page, problems, server, memphis }) {
  await connect(page, server, memphis);
  await connected(page);
  await create(page, 'console-dead', { dlsStation: 'console-copies' });
  assert.equal(await page.locator('#station option[value=console-copies]').count(), 1, 'the station for copies can be chosen');
  await toggle(page, '#ack-arrival', false);
  await listen(page, { consumerGroup: 'desk' });
  await giveUp(page);
  assert.equal(await page.inputValue('#copies-form [name=dlsStation]'), 'console-copies');
  // The broker makes the copy in its own time.
  await page.waitForFunction(() => {
    if (document.querySelectorAll('#dead-rows .entry').length > 0) return true;
    document.querySelector('#copies-look').click();
    return false;
  }, undefined, { polling: 300 });
  await shows(page, '#dead-rows .cause', /not acked, from console-dead/);
  await page.locator('#dead-rows .entry').first().click();
  await shows(page, '.headers', /train\s*IC 604/);
  await page.click('#tab-code');
  await shows(page, '#code', /const copies = await connection\.station\('console-copies'\)/);

  const letter = memphis.store.dead.find(({ station }) => station === 'console-dead');
  assert.ok(letter);
  memphis.dead.resend(letter);
  await page.click('#tab-live');
  await onBoard(page, 2);
  await shows(page, '.line .chip', 're-sent');
  await shows(page, '.line .seq', '–');
  await page.locator('.line', { hasText: 're-sent' }).click();
  assert.ok(await page.isDisabled('[data-verb=nack]'), 'it can only be acknowledged');
  await page.click('[data-verb=ack]');
  await shows(page, '.standing', /acknowledged/);
  await until(() => !memphis.store.dead.includes(letter), { what: 'the broker has let go of the dead letter' });
  quiet(problems);
}
