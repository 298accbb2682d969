// The console on the broker inside the page. Every export is a row; its name is what it checks.

import assert from 'node:assert/strict';
import { burst, giveUp, go, listening, onBoard, open, produce, quiet, shows, startMemory, text, toggle } from './page.mjs';

export async function loads_under_a_strict_policy_and_fetches_no_wasm_before_a_click({ page, problems, server }) {
  const asked = [];
  page.on('request', (request) => asked.push(request.url()));
  const fetchedWasm = () => asked.some((url) => url.endsWith('.wasm'));
  await go(page, server);
  await page.waitForFunction(() => performance.getEntriesByType('resource').some(({ name }) => name.endsWith('/pkg/wasm/stationmaster.js') || name.endsWith('/pkg/shell/api.js')));
  assert.ok(!fetchedWasm(), 'importing the package fetched its wasm');
  await page.click('#start-memory');
  await page.waitForSelector('#bench:not([hidden])');
  assert.ok(fetchedWasm());
  assert.deepEqual(asked.filter((url) => !url.startsWith(server.url)), [], 'a request to somebody else');
  quiet(problems);
}

export async function one_click_gives_a_station_and_a_consumer({ page, problems, server }) {
  await startMemory(page, server);
  assert.equal(await page.inputValue('#station'), 'arrivals');
  await shows(page, '#station-facts', /partitions\s*3/);
  await shows(page, '#link', /Broker in this page/);
  await shows(page, '#list-empty', /The platform is empty/);
  quiet(problems);
}

export async function a_message_arrives_with_its_headers_and_opens_as_json_text_and_hex({ page, problems, server }) {
  await startMemory(page, server);
  await produce(page, '{ "train": "IC 604", "stops": ["Arlen", { "name": "Brig" }] }', { kind: 'json', fields: { headers: 'origin: test\nkind: departure', msgId: 'one' } });
  await shows(page, '#receipt', /Stored in partition \d, sequence 1,/);
  await onBoard(page, 1);
  await page.locator('.line').first().click();
  await shows(page, '.headers', /origin\s*test/);
  await shows(page, '.pairs', /Message id\s*one/);
  await shows(page, '.json', /train: "IC 604"/);
  await page.locator('.json summary', { hasText: 'stops' }).click();
  await shows(page, '.json', /0: "Arlen"/);
  await page.click('.pressed button:has-text("Text")');
  await shows(page, '.text-view', /"stops":\["Arlen"/);
  await page.click('.pressed button:has-text("Hex")');
  await shows(page, '.hex', /000000 {2}7b 22 74 72/);
  quiet(problems);
}

export async function a_repeated_message_id_is_stored_once({ page, server }) {
  await startMemory(page, server);
  await produce(page, 'first', { fields: { msgId: 'same' } });
  await shows(page, '#receipt', /^Stored in/);
  await produce(page, 'second', { fields: { msgId: 'same' } });
  await shows(page, '#receipt', /^Seen before: stored once/);
  await onBoard(page, 1);
}

export async function hex_payloads_are_sent_as_bytes({ page, server }) {
  await startMemory(page, server);
  await produce(page, 'de ad 00 ff', { kind: 'hex' });
  await onBoard(page, 1);
  await page.locator('.line').first().click();
  await page.click('.pressed button:has-text("Hex")');
  await shows(page, '.hex', /de ad 00 ff/);
}

export async function ack_nack_and_delay_do_what_they_say({ page, problems, server }) {
  await startMemory(page, server);
  await toggle(page, '#ack-arrival', false);
  for (const payload of ['ack me', 'nack me', 'delay me']) await produce(page, payload);
  await onBoard(page, 3);
  const line = (payload) => page.locator('.line', { hasText: payload }).first();
  await line('ack me').click();
  await page.click('[data-verb=ack]');
  await shows(page, '.standing', /acknowledged/);
  assert.ok(await page.isDisabled('[data-verb=nack]'), 'a settled message can be settled again');

  await line('nack me').click();
  await page.click('[data-verb=nack]');
  await onBoard(page, 4);
  await shows(page, '.line .chip', '× 2');

  await line('delay me').click();
  await page.selectOption('.joined select', '1000');
  await page.click('[data-verb=delay]');
  await shows(page, '.standing', /delayed until/);
  await onBoard(page, 5);
  quiet(problems);
}

export async function a_message_nobody_settles_comes_again_and_the_first_row_says_so({ page, server }) {
  await startMemory(page, server);
  await page.click('#tab-listen');
  await page.click('#listen');
  await page.waitForFunction(() => document.querySelector('#listen').textContent === 'Listen');
  await page.fill('#listen-form [name=maxAckTimeMs]', '600');
  await page.fill('#listen-form [name=consumerGroup]', 'desk');
  await page.click('#listen');
  await listening(page);
  await shows(page, '#listen-note', /group desk/);
  await toggle(page, '#ack-arrival', false);
  await produce(page, 'forgotten');
  await page.waitForSelector('.line[data-state=again]');
  await shows(page, '.line .chip', '× 2');
}

export async function a_burst_shows_progress_and_everything_arrives({ page, problems, server }) {
  await startMemory(page, server);
  await burst(page, 10_000);
  await shows(page, '#burst-note', /^10,000 stored in/);
  assert.equal(await page.getAttribute('#burst-progress', 'aria-valuenow'), '100');
  await onBoard(page, 10_000);
  await shows(page, '#station-facts', /messages\s*10,000/);
  quiet(problems);
}

export async function a_burst_can_be_cancelled({ page, problems, server }) {
  await startMemory(page, server);
  await page.click('#tab-burst');
  await page.selectOption('#burst-form [name=pace]', '50');
  await burst(page, 5000);
  await page.waitForFunction(() => /^[1-9]\d* of/.test(document.querySelector('#burst-note').textContent));
  await page.click('#burst-cancel');
  await shows(page, '#burst-note', /^Cancelled: \d+ of 5,000 stored/);
  assert.ok(await page.isEnabled('#burst'));
  quiet(problems);
}

export async function a_hundred_thousand_rows_stay_few_elements_and_scroll_smoothly({ page, problems, server }) {
  await startMemory(page, server);
  await burst(page, 100_000, { size: '64' });
  await onBoard(page, 100_000);
  const elements = await page.locator('.line').count();
  assert.ok(elements < 80, `${elements} row elements`);
  await page.focus('#list');
  const chosen = () => page.getAttribute('.line[aria-selected=true]', 'aria-posinset');
  const press = async (key, position) => {
    await page.keyboard.press(key);
    await page.waitForSelector(`.line[aria-selected=true][aria-posinset="${position}"]`);
  };
  await press('Home', 1);
  await press('ArrowDown', 2);
  await press('End', 100_000);
  await press('ArrowUp', 99_999);
  await page.keyboard.press('PageUp');
  await page.waitForFunction(() => Number(document.querySelector('.line[aria-selected=true]')?.getAttribute('aria-posinset')) < 99_999);
  assert.ok(Number(await chosen()) > 99_900, 'a page is what is in sight');
  assert.equal(await page.isChecked('#follow'), false, 'choosing a row ends the following');

  const frames = await page.evaluate(async () => {
    const list = document.querySelector('#list');
    const gaps = [];
    let last = performance.now();
    for (let i = 0; i < 120; i += 1) {
      list.scrollTop = (list.scrollHeight * i) / 120;
      await new Promise(requestAnimationFrame);
      gaps.push(performance.now() - last);
      last = performance.now();
    }
    // The row in the middle must have been drawn by the frame after the last jump.
    const box = list.getBoundingClientRect();
    const middle = document.elementFromPoint(box.left + 200, box.top + box.height / 2);
    gaps.sort((a, b) => a - b);
    return { median: gaps[60], p95: gaps[114], row: middle?.closest('.line')?.getAttribute('aria-posinset') };
  });
  console.log(`     jumping through 100,000 rows: a frame takes ${frames.median.toFixed(1)} ms (median), ${frames.p95.toFixed(1)} ms (95 of 100)`);
  assert.ok(frames.row !== undefined, 'blank after scrolling');
  assert.ok(frames.median < 50, `a frame takes ${frames.median} ms`);
  quiet(problems);
}

export async function the_filter_finds_text_headers_and_sequences({ page, server }) {
  await startMemory(page, server);
  await burst(page, 3000, { size: '0' });
  await produce(page, 'express', { fields: { headers: 'Track: 9 and a half' } });
  await onBoard(page, 3001);
  const filtered = async (needle, count) => {
    await page.fill('#filter', needle);
    await page.waitForFunction((start) => document.querySelector('#count').textContent.startsWith(start), `${count} of 3,001 `);
  };
  await filtered('DEPARTURE 2999', 1);
  await filtered('a half', 1);
  await filtered('#7', 3);
  await filtered('nowhere', 0);
  await shows(page, '#list-empty', /Nothing matches/);
  await page.keyboard.press('Escape');
  await page.fill('#filter', '');
  await onBoard(page, 3001);
}

export async function the_code_follows_the_forms_and_is_copied({ page, context, server }) {
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await startMemory(page, server);
  await page.click('#tab-code');
  await produce(page, '{"n":1}', { kind: 'json', fields: { partitionKey: 'blue' } });
  await shows(page, '#code', /station\.produce\({ n: 1 }, {\s*partitionKey: 'blue',?\s*}\)/);
  await page.click('#tab-burst');
  await shows(page, '#code', /produceBatch/);
  await page.click('#copy-code');
  await shows(page, '#copy-code', 'Copied');
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^import { connect } from 'stationmaster';/);
  assert.match(copied, /length: 10_000/);
}

export async function the_code_runs_as_it_stands({ page, server }) {
  await startMemory(page, server);
  await produce(page, '{"n":1}', { kind: 'json' });
  await page.click('#tab-code');
  const program = await text(page, '#code');
  // The program ends in an endless loop: here it leaves after the first message.
  const body = program.replace("from 'stationmaster'", `from '${server.url}/pkg/index.js'`).replace('await message.ack();', 'await message.ack(); globalThis.got = message.text(); break;');
  assert.match(body, /globalThis\.got/);
  const module = { body: body.replace("broker: 'memory'", "broker: 'memory', url: 'memory:code'"), type: 'text/javascript; charset=utf-8' };
  await page.route('**/program.js', (route) => route.fulfill({ body: module.body, contentType: module.type }));
  await page.evaluate(() => import(`${location.origin}/program.js`));
  assert.equal(await page.evaluate(() => globalThis.got), '{"n":1}');
}

export async function errors_show_code_sentence_and_hint({ page, server }) {
  await startMemory(page, server);
  await produce(page, '{ broken', { kind: 'json' });
  await shows(page, '#produce-error .error-card', /JSON/);
  await produce(page, 'x', { fields: { headers: 'no colon here' } });
  await shows(page, '#produce-error .error-card', /name: value/);
  await page.click('#produce-error button');
  assert.equal(await page.locator('#produce-error .error-card').count(), 0);

  await page.click('#new-station');
  await page.fill('#station-form [name=name]', 'Bad Name');
  await page.click('#station-create');
  await shows(page, '#create-error .error-card code', 'invalid_argument');
  await page.fill('#station-form [name=name]', 'second');
  await page.fill('#station-form [name=partitionsNumber]', '2');
  await page.selectOption('#station-form [name=retentionType]', 'messages');
  await page.fill('#station-form [name=retentionValue]', '50');
  await page.click('#station-create');
  await page.waitForSelector('#station-dialog:not([open])', { state: 'attached' });
  await shows(page, '#station-facts', /partitions\s*2/);
}

export async function stations_are_chosen_and_deleted({ page, problems, server }) {
  await startMemory(page, server);
  await page.click('#new-station');
  await page.fill('#station-form [name=name]', 'siding');
  await page.click('#station-create');
  await page.waitForFunction(() => document.querySelector('#station').value === 'siding');
  await shows(page, '#list-empty', /Nobody listens/);
  await page.click('#destroy-station');
  await shows(page, '#destroy-station', /Press again/);
  await page.click('#destroy-station');
  await page.waitForFunction(() => document.querySelector('#station').value === 'arrivals');
  assert.equal(await page.locator('#station option').count(), 1);
  quiet(problems);
}

export async function disconnecting_leads_back_to_the_first_screen({ page, problems, server }) {
  await startMemory(page, server);
  await produce(page, 'x');
  await onBoard(page, 1);
  await page.click('#disconnect');
  await page.waitForSelector('#main:not([hidden])');
  await page.click('#start-memory');
  await page.waitForSelector('#bench:not([hidden])');
  // The broker outlives its connections, so the message is there for the new group.
  await onBoard(page, 1);
  quiet(problems);
}

export async function the_theme_is_the_systems_until_chosen_and_then_remembered({ page, server }) {
  await page.emulateMedia({ colorScheme: 'dark' });
  await go(page, server);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.click('#theme');
  const light = await ground();
  assert.notEqual(dark, light);
  await page.reload();
  assert.equal(await ground(), light);
}

export async function reduced_motion_stops_every_animation({ page, server }) {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await go(page, server);
  assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
}

export async function everything_is_reached_by_keyboard_and_has_a_name({ page, server }) {
  await startMemory(page, server);
  await produce(page, 'x');
  await onBoard(page, 1);
  await page.locator('.line').first().click();
  const nameless = await page.evaluate(() => [...document.querySelectorAll('button, input, select, textarea, [role=listbox], [role=progressbar], dialog')]
    .filter((node) => {
      const label = node.getAttribute('aria-label') ?? (node.getAttribute('aria-labelledby') && document.getElementById(node.getAttribute('aria-labelledby')).textContent);
      return !(label || node.labels?.[0]?.textContent || node.textContent)?.trim();
    }).map((node) => node.outerHTML.slice(0, 120)));
  assert.deepEqual(nameless, []);

  await page.focus('#tab-one');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'tab-burst');
  assert.ok(await page.isVisible('#panel-burst'));
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'no visible focus');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filter');
  await page.click('#tab-one');
  await page.fill('#payload', 'by keyboard');
  await page.keyboard.press('Control+Enter');
  await onBoard(page, 2);
}

export async function a_phone_shows_one_view_at_a_time_and_nothing_runs_off_the_side({ browser, server }) {
  const { page, problems, close } = await open(browser, { viewport: { width: 360, height: 740 }, hasTouch: true });
  try {
    await startMemory(page, server);
    await burst(page, 500);
    await shows(page, '#burst-note', /^500 stored/);
    for (const view of ['work', 'board', 'message', 'code', 'line']) {
      await page.click(`[data-go=${view}]`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 360, `${view}: ${width} px`);
      assert.equal(await page.locator('.pane:visible').count(), 1, view);
    }
    await page.click('[data-go=board]');
    await page.locator('.line[aria-posinset="500"]').tap();
    await page.waitForSelector('#panel-message:visible .message-head');
    quiet(problems);
  } finally {
    await close();
  }
}

export async function published_the_package_lies_beside_the_page({ page, problems, published }) {
  await page.goto(`${published.url}/index.html`);
  await page.click('#start-memory');
  await listening(page);
  quiet(problems);
}

export async function without_the_package_the_page_says_what_to_do({ page, bare }) {
  await go(page, bare);
  await shows(page, '#memory-error .error-card', /make build/);
}

export async function stored_messages_are_browsed_from_a_beginning_and_purged({ page, problems, server }) {
  await startMemory(page, server);
  await burst(page, 30);
  await onBoard(page, 30);
  await page.click('#tab-stored');
  await page.selectOption('#stored-form [name=start]', 'lastMessages');
  await page.fill('#stored-form [name=startValue]', '2');
  await page.click('#browse');
  // Three partitions with ten messages each: the last two of every one.
  await shows(page, '#stored-note', /^6 messages/);
  assert.deepEqual(await page.locator('#stored-rows .seq').allInnerTexts(), ['9', '10', '9', '10', '9', '10']);
  await page.locator('#stored-rows .entry').first().click();
  await shows(page, '#panel-message .standing', /looked at, not consumed/);
  assert.equal(await page.locator('#panel-message [data-verb]').count(), 0, 'a stored message cannot be acknowledged');
  await page.click('#tab-code');
  await shows(page, '#code', /station\.browse\(\{/);
  await page.click('#purge');
  await page.click('#purge');
  await shows(page, '#stored-note', /^30 messages are gone/);
  await page.click('#browse');
  await shows(page, '#stored-note', /^0 messages/);
  quiet(problems);
}

export async function a_message_given_up_is_a_dead_letter_and_is_resent({ page, problems, server }) {
  await startMemory(page, server);
  await toggle(page, '#ack-arrival', false);
  await giveUp(page);
  await page.click('#dead-refresh');
  await shows(page, '#dead-note', /^1 dead letter of arrivals/);
  await shows(page, '#dead-rows .cause', /given up: given up in the console/);
  await page.locator('#dead-rows .entry').click();
  await shows(page, '.headers', /train\s*IC 604/);
  await page.click('#panel-message [data-verb=resend]');
  await shows(page, '#dead-note', /^No dead letters/);
  await page.click('#tab-live');
  await onBoard(page, 2);
  quiet(problems);
}

export async function frames_are_recorded_while_switched_on({ page, problems, server }) {
  await startMemory(page, server);
  await page.click('#tab-frames');
  await page.locator('label.toggle', { has: page.locator('#record') }).click();
  await produce(page, 'hello');
  await shows(page, '#frame-rows .text', /PRODUCE arrivals/);
  await page.fill('#frame-filter', 'produce');
  await page.locator('#frame-rows .entry:visible').first().click();
  await shows(page, '#panel-message .hex', /hello/);
  await page.locator('label.toggle', { has: page.locator('#record') }).click();
  const before = await text(page, '#frames-note');
  await produce(page, 'nobody looks');
  await onBoard(page, 2);
  assert.equal(await text(page, '#frames-note'), before, 'recorded while switched off');
  quiet(problems);
}

export async function a_question_is_answered_in_the_other_half_of_the_view({ page, problems, server }) {
  await startMemory(page, server);
  await page.click('#tab-requests');
  await page.click('#ask');
  await shows(page, '#ask-log li', /desk\.departures: timeout/);
  await page.click('#respond');
  await shows(page, '#respond', /Stop responding/);
  await page.click('#ask');
  await shows(page, '#respond-log li', /IC 604/);
  await shows(page, '#ask-log li:first-child pre', /"platform": 3, "asked": \{ "train": "IC 604" \}/);
  await page.locator('#respond-form [name=fails]').check();
  await page.click('#ask');
  await shows(page, '#ask-log li:first-child', /desk\.departures failed/);
  await page.click('#tab-code');
  await shows(page, '#code', /connection\.respond\(\n\s*'desk\.\*'/);
  await page.click('#respond');
  await shows(page, '#respond', /^Respond/);
  quiet(problems);
}

export async function a_schema_is_made_and_enforced_and_every_wrong_place_is_shown({ page, problems, server }) {
  await startMemory(page, server);
  await page.click('#tab-schema');
  await shows(page, '#schema-now', /takes messages of any form/);
  await page.fill('#schema-form [name=definition]', '{ "type": 7 }');
  await page.click('#schema-create');
  await shows(page, '#schema-error .error-card code', 'schema_violation');
  await page.selectOption('#schema-form [name=type]', 'protobuf');
  await page.selectOption('#schema-form [name=type]', 'json');
  await page.fill('#schema-form [name=definition]', '{ "type": "object", "required": ["train"], "properties": { "train": { "type": "string" }, "platform": { "type": "integer" } } }');
  await page.click('#schema-create');
  await shows(page, '#schema-note', /departure is stored/);
  assert.equal(await page.inputValue('#enforce-form [name=schema]'), 'departure');
  await page.click('#enforce');
  await shows(page, '#schema-now', /Messages of arrivals have to fit departure/);
  await produce(page, '{ "platform": "three" }', { kind: 'json' });
  await shows(page, '#produce-error .error-card code', 'schema_violation');
  await shows(page, '#produce-error .violations', /\/platform expected/);
  assert.equal(await page.locator('#produce-error .violations li').count(), 2);
  await produce(page, '{ "train": "IC 604", "platform": 3 }', { kind: 'json' });
  await shows(page, '#receipt', /^Stored in/);
  await page.click('#tab-code');
  await shows(page, '#code', /connection\.enforceSchema\('departure', 'arrivals'\)/);
  await page.click('#detach');
  await shows(page, '#schema-now', /takes messages of any form/);
  await produce(page, '{ "platform": "three" }', { kind: 'json' });
  await shows(page, '#receipt', /^Stored in/);
  await page.click('#tab-line');
  await shows(page, '#timeline', /Schema detached/);
  await page.click('#disconnect');
  await page.click('#start-memory');
  await page.waitForSelector('#bench:not([hidden])');
  assert.equal(await page.locator('#schema-log li').count(), 0, 'what was heard on the connection before');
  quiet(problems);
}

export async function a_schema_of_somebody_else_reaches_the_page_and_protobuf_is_shown_decoded({ page, problems, server }) {
  await startMemory(page, server);
  await page.click('#tab-schema');
  await page.selectOption('#schema-form [name=type]', 'protobuf');
  await page.click('#schema-create');
  await page.click('#enforce');
  await shows(page, '#schema-log', /messages have to fit departure/);
  await produce(page, '{ "train": "IC 604", "platform": 3 }', { kind: 'json' });
  await onBoard(page, 1);
  await page.click('#tab-live');
  await page.locator('.line').first().click();
  await shows(page, '.json', /train: "IC 604"/);
  assert.equal(await page.locator('.pressed [aria-pressed=true]').innerText(), 'Decoded');
  await page.evaluate(async () => {
    const { loadPackage } = await import('./package.js');
    const { connect } = await loadPackage();
    const other = await connect({ broker: 'memory' });
    await other.detachSchema('arrivals');
    await other.close();
  });
  await page.click('#tab-schema');
  await shows(page, '#schema-log', /takes messages of any form/);
  quiet(problems);
}

export async function what_the_broker_lacks_is_told_with_its_reason({ page, problems, server }) {
  await startMemory(page, server);
  await shows(page, '#lacks summary', /Not on this broker \(1\)/);
  await page.click('#lacks summary');
  await shows(page, '#lacks dl', /Compression/);
  quiet(problems);
}
