// Stations: the list, the dialog that makes a new one, what the broker tells about the chosen one, and deleting it.

import { $, $$, bytes, compact, el, int, read, readNumber } from './dom.js';
import { busy, parseJson, showError } from './errors.js';
import { told } from './schema.js';
import { get, set, watch } from './store.js';
import { sure } from './sure.js';
import { note } from './timeline.js';
import { stopListening } from './listen.js';

const VALUE_LABELS = { max_message_age_seconds: 'Seconds', messages: 'Messages', bytes: 'Bytes' };
/** What the page has a place for. */
const FEATURES = [
  ['list', 'List of stations'], ['info', 'Numbers of a station'], ['get', 'Stored messages'], ['dead_letters', 'Dead letters'], ['dls_station', 'Copies of dead letters'], ['schemas', 'Schemas'],
  ['purge', 'Purge'], ['requests', 'Requests'], ['start_time', 'Beginning at a time'], ['expiration', 'Expiry'], ['delayed_produce', 'Delayed messages'],
  ['filters', 'Filters'], ['compression', 'Compression'], ['tiered_storage', 'Tiered storage'],
];
const VALUE_DEFAULTS = { max_message_age_seconds: '604800', messages: '1000', bytes: '1048576' };

export async function createStation(name, options) {
  const station = await get('connection').station(name, options);
  const told = station.existed ? 'it was there before' : `${station.partitions.length} ${station.partitions.length === 1 ? 'partition' : 'partitions'}`;
  note('note', `Station ${name}`, station.differs.length > 0 ? `${told}; stored otherwise: ${station.differs.join(', ')}` : told);
  // A station for dead letters comes along with the first that names it.
  const stations = [...new Set([...get('stations'), name, ...(options.dlsStation && !station.existed ? [options.dlsStation] : [])])].sort();
  set({ stations, station: name, stationOptions: options, partitions: [...station.partitions] });
  return station;
}

/** What a broker with a list has already; the others begin with an empty list. */
async function listStations() {
  const connection = get('connection');
  if (!connection.capabilities.has('list')) return;
  try {
    const names = [];
    for await (const info of connection.stations()) names.push(info.name);
    if (get('connection') !== connection) return;
    const stations = [...new Set([...get('stations'), ...names])].sort();
    set({ stations });
    if (get('station') === undefined && stations.length > 0) await choose(stations[0]);
  } catch (error) {
    showError('#station-error', error);
  }
}

/** What this broker cannot do, each with its reason, instead of buttons that are missing without a word. */
function showLacks({ capabilities }) {
  const lacks = FEATURES.map(([feature, label]) => [label, capabilities.why(feature)]).filter(([, why]) => why !== undefined);
  $('#lacks').hidden = lacks.length === 0;
  $('#lacks summary').textContent = `Not on this broker (${lacks.length})`;
  $('#lacks dl').replaceChildren(...lacks.flatMap(([label, why]) => [el('dt', {}, label), el('dd', {}, `${why.slice(0, 1).toUpperCase()}${why.slice(1)}`)]));
}

async function choose(name) {
  await stopListening();
  // Opening a station by its name alone leaves it as it is and tells its partitions.
  await createStation(name, {});
}

async function refresh() {
  const name = get('station');
  const facts = $('#station-facts');
  if (name === undefined) {
    facts.replaceChildren();
    return;
  }
  const connection = get('connection');
  if (!connection.capabilities.has('info')) return;
  try {
    const info = await (await connection.station(name)).info();
    if (get('station') !== name) return;
    told(name, info.schema);
    const fact = (label, value) => el('div', {}, el('dt', {}, label), el('dd', {}, value));
    facts.replaceChildren(
      fact('partitions', int(info.partitions.length)),
      fact('messages', info.messages === undefined ? '–' : int(info.messages)),
      fact('stored', info.bytes === undefined ? '–' : bytes(info.bytes)),
      fact('groups', info.groups === undefined ? '–' : int(info.groups)));
  } catch (error) {
    showError('#station-error', error);
  }
}

/** Called after a burst or a message, so that the numbers follow; not more often than the broker can bear. */
let again;
export function refreshSoon() {
  clearTimeout(again);
  again = setTimeout(() => {
    if (get('connection') !== undefined) refresh();
  }, 400);
}

function dialogOptions(form) {
  const extra = read(form, 'extra');
  const { broker } = get('connection');
  const stored = broker === 'nats' || broker === 'memphis';
  return compact({
    partitionsNumber: readNumber(form, 'partitionsNumber'),
    idempotencyWindowMs: readNumber(form, 'idempotencyWindowMs'),
    retentionType: form.elements.retentionType.value === 'max_message_age_seconds' ? undefined : form.elements.retentionType.value,
    retentionValue: form.elements.retentionType.value === 'ack_based' ? undefined : readNumber(form, 'retentionValue'),
    storageType: stored && form.elements.storageType.value === 'memory' ? 'memory' : undefined,
    replicas: stored ? readNumber(form, 'replicas') : undefined,
    schemaName: read(form, 'schemaName'),
    dlsStation: read(form, 'dlsStation'),
    extra: broker === 'nats' && extra !== undefined ? parseJson(extra, 'The extra fields') : undefined,
  });
}

function setUpDialog() {
  const dialog = $('#station-dialog');
  const form = $('#station-form');
  const adapt = () => {
    const type = form.elements.retentionType.value;
    $('#retention-value').hidden = type === 'ack_based';
    $('#retention-value span').textContent = VALUE_LABELS[type] ?? '';
    form.elements.retentionValue.placeholder = VALUE_DEFAULTS[type] ?? '';
  };
  form.elements.retentionType.addEventListener('change', adapt);
  $('#new-station').addEventListener('click', () => {
    for (const part of $$('[data-broker]', form)) part.hidden = !part.dataset.broker.split(' ').includes(get('connection').broker);
    showError('#create-error');
    adapt();
    dialog.showModal();
    form.elements.name.focus();
  });
  $('#station-cancel').addEventListener('click', () => dialog.close());
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#station-create'), $('#create-error'), async () => {
      const options = dialogOptions(form);
      await stopListening();
      await createStation(read(form, 'name'), options);
      dialog.close();
      form.reset();
    });
  });
}

function setUpDelete() {
  const button = $('#destroy-station');
  sure(button, 'Press again to delete', () => busy(button, $('#station-error'), async () => {
    const name = get('station');
    await stopListening();
    await (await get('connection').station(name)).destroy();
    note('note', `Station ${name} deleted`);
    const stations = get('stations').filter((one) => one !== name);
    set({ stations, station: undefined, stationOptions: {}, partitions: [] });
    if (stations.length > 0) await choose(stations[0]);
  }));
}

export function setUpStations() {
  const select = $('#station');
  setUpDialog();
  setUpDelete();
  select.addEventListener('change', () => busy(select, $('#station-error'), () => choose(select.value)));
  $('#refresh-station').addEventListener('click', () => {
    showError('#station-error');
    refresh();
  });
  watch(['stations', 'station'], () => {
    const names = get('stations');
    const options = names.map((name) => el('option', { value: name }, name));
    if (get('station') === undefined) options.unshift(el('option', { value: '', disabled: true }, names.length > 0 ? 'choose a station' : 'no station yet'));
    select.replaceChildren(...options);
    select.value = get('station') ?? '';
    select.disabled = names.length === 0;
    for (const id of ['#refresh-station', '#destroy-station', '#produce', '#burst', '#listen']) $(id).disabled = get('station') === undefined;
  });
  watch(['station'], () => {
    if (get('connection') !== undefined) refresh();
  });
  watch(['connection'], () => {
    const connection = get('connection');
    if (connection === undefined) {
      set({ stations: [], station: undefined, stationOptions: {}, partitions: [] });
      $('#station-facts').replaceChildren();
      return;
    }
    for (const part of $$('[data-feature]')) {
      const missing = !part.dataset.feature.split(' ').some((feature) => connection.capabilities.has(feature));
      part.hidden = missing;
      if (part.tagName === 'OPTION') part.disabled = missing;
    }
    showLacks(connection);
    listStations();
  });
}
