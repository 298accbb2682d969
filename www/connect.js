// The first screen: one click for the broker inside the page, a form for a server of NATS or Memphis.

import { $, $$, compact, read, readNumber } from './dom.js';
import { busy } from './errors.js';
import * as link from './link.js';
import { createStation } from './stations.js';
import { startListening } from './listen.js';
import { recall, remember } from './theme.js';

/** Where the URL that was used last is kept, by broker. */
const LAST_URLS = { nats: 'stationmaster.url', memphis: 'stationmaster.url.memphis' };
const URLS = { nats: 'ws://127.0.0.1:8080', memphis: 'ws://127.0.0.1:7770' };
/** What a newcomer starts with: three partitions, so that keys and groups have something to show. */
const FIRST_STATION = { name: 'arrivals', options: { partitionsNumber: 3 } };

export function setUpConnect() {
  const form = $('#connect-form');
  const fragment = new URLSearchParams(location.hash.slice(1));
  form.elements.broker.value = fragment.has('memphis') ? 'memphis' : 'nats';
  const chosen = () => form.elements.broker.value;
  const urls = Object.fromEntries(Object.keys(URLS).map((broker) => [broker, fragment.get(broker) ?? recall(LAST_URLS[broker]) ?? '']));
  let shown;
  const adapt = () => {
    const broker = chosen();
    if (shown !== broker) {
      if (shown !== undefined) urls[shown] = form.elements.url.value;
      shown = broker;
      form.elements.url.value = urls[broker];
      form.elements.url.placeholder = URLS[broker];
      for (const part of $$('#main [data-for]')) part.hidden = part.dataset.for !== broker;
      // Memphis knows nobody without a name.
      if (broker === 'memphis' && form.elements.auth.value === 'none') form.elements.auth.value = 'password';
    }
    const auth = form.elements.auth.value;
    const logins = broker === 'memphis' ? ['user', auth, ...(auth === 'password' ? ['account'] : [])] : { password: ['user', 'password'], token: ['bare'] }[auth] ?? [];
    for (const part of $$('[data-login]', form)) part.hidden = !logins.includes(part.dataset.login);
  };
  form.addEventListener('change', adapt);
  adapt();
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#connect'), $('#connect-error'), async () => {
      const options = serverOptions(form);
      await link.open(options);
      remember(LAST_URLS[options.broker], options.url);
    });
  });
  $('#start-memory').addEventListener('click', (event) => {
    busy(event.currentTarget, $('#memory-error'), async () => {
      await link.open({ broker: 'memory' });
      await createStation(FIRST_STATION.name, FIRST_STATION.options);
      await startListening({});
    });
  });
  $('#disconnect').addEventListener('click', () => link.close());
}

function serverOptions(form) {
  const broker = form.elements.broker.value;
  const auth = form.elements.auth.value;
  const memphis = broker === 'memphis';
  // A password may begin or end with a space, so it is taken as it stands.
  const secret = (name) => form.elements[name].value || undefined;
  return compact({
    broker,
    url: read(form, 'url'),
    username: auth === 'password' || memphis ? read(form, 'username') : undefined,
    password: auth === 'password' ? secret('password') : undefined,
    connectionToken: auth === 'token' ? secret(memphis ? 'token' : 'bareToken') : undefined,
    accountId: memphis && auth === 'password' ? readNumber(form, 'accountId') : undefined,
    // Memphis's broker reads the name; the client makes it.
    name: memphis ? undefined : 'stationmaster console',
  });
}
