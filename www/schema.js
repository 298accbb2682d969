// Schemas: made and enforced here, and what changes while the page looks on.

import { $, clock, el, read } from './dom.js';
import { busy } from './errors.js';
import { onSchema } from './link.js';
import { get, watch } from './store.js';
import { note } from './timeline.js';

const KEEP = 50;

/** What a form begins with, so that there is something to change. */
const EXAMPLES = {
  json: '{\n  "type": "object",\n  "required": ["train", "platform"],\n  "properties": {\n    "train": { "type": "string" },\n    "platform": { "type": "integer", "minimum": 1 }\n  }\n}',
  protobuf: 'syntax = "proto3";\n\nmessage Departure {\n  string train = 1;\n  int32 platform = 2;\n}',
  avro: '{\n  "type": "record",\n  "name": "Departure",\n  "fields": [\n    { "name": "train", "type": "string" },\n    { "name": "platform", "type": "int" }\n  ]\n}',
  graphql: 'type Query {\n  departure(train: String!): Departure\n}\n\ntype Departure {\n  platform: Int\n}',
};

/** The schema of each station, as far as this page has heard of it; null is none. @type {Map<string, string | null>} */
const known = new Map();

function say(kind, title, text) {
  const log = $('#schema-log');
  log.prepend(el('li', { 'data-kind': kind }, el('p', {}, el('time', {}, clock(Date.now())), ` ${title}`), text && el('p', { class: 'fine' }, text)));
  while (log.childElementCount > KEEP) log.lastElementChild.remove();
}

/** Somebody, here or elsewhere, has changed what a station's messages have to fit. */
function heard(station, schema) {
  if (known.get(station) === schema) return;
  known.set(station, schema);
  say('good', station, schema === null ? 'takes messages of any form' : `messages have to fit ${schema}`);
  draw();
}

function draw() {
  const station = get('station');
  const schema = known.get(station);
  $('#schema-now').textContent = station === undefined ? 'No station is chosen.'
    : schema === undefined ? `What ${station} has enforced is not known here yet.`
    : schema === null ? `${station} takes messages of any form.` : `Messages of ${station} have to fit ${schema}.`;
  $('#detach').disabled = station === undefined || schema === null;
  $('#enforce').disabled = station === undefined;
}

/** As the broker tells it with the station's numbers. */
export function told(station, schema) {
  known.set(station, schema ?? null);
  if (get('station') === station) draw();
}

/** As the form has them. Also read by the code panel. */
export function schemaDraft() {
  const form = $('#schema-form');
  return { name: read(form, 'name'), type: form.elements.type.value, definition: form.elements.definition.value };
}

async function create() {
  const { name, type, definition } = schemaDraft();
  await get('connection').createSchema(name, type, definition);
  $('#schema-note').textContent = `${name} is stored.`;
  say('good', name, `created, ${type}`);
  note('note', `Schema ${name} created`, type);
  const field = $('#enforce-form').elements.schema;
  if (field.value === '') field.value = name;
}

async function enforce() {
  const [schema, station] = [read($('#enforce-form'), 'schema'), get('station')];
  await get('connection').enforceSchema(schema, station);
  note('note', `Schema ${schema} enforced`, station);
  heard(station, schema);
}

async function detach() {
  const station = get('station');
  await get('connection').detachSchema(station);
  note('note', 'Schema detached', station);
  heard(station, null);
}

export function setUpSchema() {
  const form = $('#schema-form');
  let example = form.elements.definition.value = EXAMPLES.json;
  form.elements.type.addEventListener('change', () => {
    const { definition, type } = form.elements;
    if (definition.value === example) definition.value = EXAMPLES[type.value];
    example = EXAMPLES[type.value];
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#schema-create'), $('#schema-error'), create);
  });
  $('#enforce-form').addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#enforce'), $('#enforce-error'), enforce);
  });
  $('#detach').addEventListener('click', () => busy($('#detach'), $('#enforce-error'), detach));
  onSchema(heard);
  watch(['station'], draw);
  watch(['connection'], () => {
    if (get('connection') !== undefined) return;
    known.clear();
    $('#schema-log').replaceChildren();
    $('#enforce-form').reset();
    draw();
  });
}
