// The first screen: one click for the broker inside the page, a form for a NATS server.

import { $, $$, compact, read } from './dom.js';
import { busy } from './errors.js';
import * as link from './link.js';
import { createStation } from './stations.js';
import { startListening } from './listen.js';
import { recall, remember } from './theme.js';

const LAST_URL = 'stationmaster.url';
/** What a newcomer starts with: three partitions, so that keys and groups have something to show. */
const FIRST_STATION = { name: 'arrivals', options: { partitionsNumber: 3 } };

export function setUpConnect() {
  const form = $('#connect-form');
  const fragment = new URLSearchParams(location.hash.slice(1));
  form.elements.url.value = fragment.get('nats') ?? recall(LAST_URL) ?? '';

  form.addEventListener('change', () => {
    for (const part of $$('[data-auth]', form)) part.hidden = part.dataset.auth !== form.elements.auth.value;
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#connect'), $('#connect-error'), async () => {
      const options = natsOptions(form);
      await link.open(options);
      remember(LAST_URL, options.url);
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

function natsOptions(form) {
  const auth = form.elements.auth.value;
  // A password may begin or end with a space, so it is taken as it stands.
  const secret = (name) => form.elements[name].value || undefined;
  return compact({
    broker: 'nats',
    url: read(form, 'url'),
    username: auth === 'password' ? read(form, 'username') : undefined,
    password: auth === 'password' ? secret('password') : undefined,
    connectionToken: auth === 'token' ? secret('token') : undefined,
    name: 'stationmaster console',
  });
}
