// The program for what is on screen, written from the same forms that act. Passwords are never written out.

import { $, el, oncePerFrame, read } from './dom.js';
import { burstPlan } from './burst.js';
import { listenOptions } from './listen.js';
import { produceOptions, readPayload } from './produce.js';
import { answering, question } from './requests.js';
import { schemaDraft } from './schema.js';
import { browseOptions } from './stored.js';
import { get, watch } from './store.js';

const SECRETS = ['password', 'connectionToken'];
const COPIED_MS = 1600;
/** Characters a line may have: what the panel shows without scrolling. */
const WIDTH = 50;

const quote = (text) => `'${text.replace(/[\\']/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r')}'`;
const number = (n) => (Number.isInteger(n) && n >= 10_000 ? String(n).replace(/\B(?=(\d{3})+$)/g, '_') : String(n));

const key = (name) => (/^[a-z_$][\w$]*$/i.test(name) ? name : quote(name));

/** A value as somebody would write it, on one line if it fits into what is left of it. */
function literal(value, room = WIDTH, indent = '') {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'number') return number(value);
  if (value instanceof Date) return `new Date(${quote(value.toISOString())})`;
  if (value instanceof Uint8Array) return `Uint8Array.of(${Array.from(value, (b) => `0x${b.toString(16).padStart(2, '0')}`).join(', ')})`;
  if (value === null || typeof value !== 'object') return String(value);
  const list = Array.isArray(value);
  const [open, close] = list ? ['[', ']'] : ['{', '}'];
  const inner = `${indent}  `;
  const parts = list
    ? value.map((one) => literal(one, WIDTH - inner.length, inner))
    : Object.entries(value).map(([name, one]) => `${key(name)}: ${literal(one, WIDTH - inner.length - name.length - 2, inner)}`);
  if (parts.length === 0) return open + close;
  const line = list ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`;
  if (line.length <= room && !line.includes('\n')) return line;
  return `${open}\n${parts.map((part) => `${inner}${part},\n`).join('')}${indent}${close}`;
}

/** A call with what is not empty of its arguments; the last one is broken into lines where the line gets too long. */
function call(start, ...values) {
  while (values.length > 0 && isEmpty(values.at(-1))) values.pop();
  const text = values.reduce((line, value) => `${line}${line === start ? '(' : ', '}${literal(value, WIDTH - line.length - 4)}`, start);
  return `${text}${values.length === 0 ? '(' : ''});`;
}

const isEmpty = (value) => value === undefined || (typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && Object.keys(value).length === 0);

/** What a half-filled form would say is left out rather than shown wrong. */
function attempt(fn, otherwise) {
  try {
    return fn();
  } catch {
    return otherwise;
  }
}

function connecting() {
  const options = { ...(get('connectOptions') ?? { broker: 'memory' }) };
  delete options.name;
  for (const key of SECRETS) if (options[key] !== undefined) options[key] = `your ${key === 'password' ? 'password' : 'token'}`;
  return call('const connection = await connect', options);
}

function producing() {
  if (get('work') === 'burst') {
    const { count, template, size, partitionKey } = burstPlan($('#burst-form'));
    const text = template.includes('{n}') ? `\`${template.replace(/[`\\$]/g, '\\$&').replaceAll('{n}', '${i + 1}')}\`` : quote(template);
    const padded = size > 0 ? `${text}.padEnd(${size}, '.')` : text;
    const options = partitionKey === undefined ? '' : `\n  partitionKey: ${quote(partitionKey)},`;
    return `const producer = await station.producer({ autoMsgId: true });
const messages = Array.from(
  { length: ${number(count)} },
  (_, i) => ${padded},
);
await producer.produceBatch(messages, {${options}
  onProgress: (done, total) =>
    console.log(\`\${done} of \${total}\`),
});
await producer.destroy();`;
  }
  const form = $('#produce-form');
  const payload = attempt(() => readPayload(form), form.elements.payload.value);
  const options = attempt(() => produceOptions(form), {});
  return `${call('const receipt = await station.produce', payload, options)}
console.log(receipt.partition, receipt.sequence);`;
}

function consuming() {
  const consumer = attempt(listenOptions, {});
  const settle = get('lastSettle');
  const done = consumer.autoAck === true
    ? '  // autoAck: delivered means done'
    : get('ackOnArrival') || settle === undefined || settle.verb === 'ack'
      ? '  await message.ack();'
      : `  await message.${settle.verb}(${settle.ms === undefined ? '' : literal(settle.ms)});`;
  return `${call('const consumer = await station.consumer', consumer)}
for await (const message of consumer) {
  console.log(message.sequence, message.text());
${done}
}`;
}

function browsing() {
  return `${call('const stored = station.browse', attempt(browseOptions, {}))}
for await (const message of stored) {
  console.log(message.sequence, message.text());
}`;
}

function burying() {
  return `for await (const letter of station.deadLetters()) {
  console.log(letter.reason, letter.detail);
  await letter.resend();
}`;
}

/** Where the broker does not list its dead letters, the copies of them are what can be read. */
function copying() {
  return `${call('const copies = await connection.station', read($('#copies-form'), 'dlsStation') ?? 'dead-letters')}
for await (const message of copies.browse()) {
  console.log(message.headers, message.text());
}`;
}

function checking() {
  const { name, type, definition } = schemaDraft();
  const text = definition.includes('\n') ? `\`${definition.replace(/[`\\$]/g, '\\$&')}\`` : quote(definition);
  return `await connection.createSchema(${quote(name ?? '')}, ${quote(type)}, ${text});
${call('await connection.enforceSchema', read($('#enforce-form'), 'schema') ?? name ?? '', get('station') ?? '')}`;
}

function responding() {
  const { channel, options, answer, fails } = answering();
  const text = `\`${answer.replace(/[`\\$]/g, '\\$&').replaceAll('{question}', '${request.text()}')}\``;
  const body = fails ? `throw new Error(${text});` : `return ${text};`;
  const end = isEmpty(options) ? '' : `, ${literal(options)}`;
  return `const responder = await connection.respond(
  ${quote(channel ?? '')},
  async (request) => {
    ${body}
  }${end},
);`;
}

function asking() {
  const { channel, payload, options } = question();
  return `${call('const reply = await connection.request', channel ?? '', payload, options)}
console.log(reply.executed, reply.text());`;
}

const TAPPING = `for await (const frame of connection.tap()) {
  console.log(frame.direction, frame.summary);
}`;

/** What each view in the middle does, as code. */
function parts() {
  const station = call('const station = await connection.station', get('station') ?? 'arrivals', get('stationOptions'));
  switch (get('view')) {
    case 'stored': return [station, browsing()];
    case 'dead': return get('connection')?.capabilities.has('dead_letters') === false ? [copying()] : [station, burying()];
    case 'schema': return [station, checking()];
    case 'requests': return [responding(), asking()];
    case 'frames': return [TAPPING];
    default: return [station, producing(), consuming()];
  }
}

export function program() {
  return ["import { connect } from 'stationmaster';", connecting(), ...parts()].join('\n\n');
}

const TOKENS = /(\/\/[^\n]*)|('(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)|\b(import|from|const|await|for|of|new|true|false|null)\b|\b(0x[\da-f]+|\d[\d_]*)\b|(\.\w+(?=\())/g;
const CLASSES = ['comment', 'string', 'word', 'number', 'call'];

function coloured(text) {
  const out = [];
  let at = 0;
  for (const match of text.matchAll(TOKENS)) {
    out.push(text.slice(at, match.index));
    const kind = CLASSES[match.slice(1).findIndex((group) => group !== undefined)];
    out.push(el('span', { class: `tok-${kind}` }, match[0]));
    at = match.index + match[0].length;
  }
  out.push(text.slice(at));
  return out;
}

let shown;
const draw = oncePerFrame(() => {
  const text = program();
  if (text === shown) return;
  shown = text;
  $('#code').replaceChildren(...coloured(text));
});

export function setUpCode() {
  const button = $('#copy-code');
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(program());
      button.textContent = 'Copied';
    } catch {
      // Without the right to the clipboard the text is at least chosen, ready for the keyboard.
      getSelection().selectAllChildren($('#code'));
      button.textContent = 'Selected';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
    }, COPIED_MS);
  });
  for (const pane of ['#pane-work', '#pane-board']) $(pane).addEventListener('input', draw);
  watch(['view', 'connectOptions', 'station', 'stationOptions', 'work', 'lastSettle', 'ackOnArrival', 'listening'], draw);
}
