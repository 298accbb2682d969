// One message: reads the form, sends it, shows the receipt.

import { $, compact, int, read, readNumber } from './dom.js';
import { busy, inputError, parseJson } from './errors.js';
import { parseHex } from './hex.js';
import { count } from './rates.js';
import { refreshSoon } from './stations.js';
import { get, watch } from './store.js';

/** "name: value" lines as an object. What a header may contain, the package decides. */
export function parseHeaders(text) {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  if (lines.length === 0) return undefined;
  return Object.fromEntries(lines.map((line) => {
    const colon = line.indexOf(':');
    if (colon < 1) throw inputError(`“${line}” is not of the form name: value`);
    return [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  }));
}

export function readPayload(form) {
  const text = form.elements.payload.value;
  const kind = form.elements.kind.value;
  if (kind === 'hex') return parseHex(text);
  if (kind === 'text') return text;
  const value = parseJson(text, 'The payload', 'Choose Text to send it as it stands.');
  // Bare JSON scalars are no payload of the package; as text they are the same bytes.
  return value !== null && typeof value === 'object' ? value : text;
}

export function produceOptions(form) {
  return compact({
    headers: parseHeaders(form.elements.headers.value),
    partitionKey: read(form, 'partitionKey'),
    partitionNumber: readNumber(form, 'partitionNumber'),
    msgId: read(form, 'msgId'),
    ackWaitMs: readNumber(form, 'ackWaitMs'),
    delayMs: readNumber(form, 'delayMs'),
    expirationMs: readNumber(form, 'expirationMs'),
    waitForAck: form.elements.waitForAck.checked ? undefined : false,
  });
}

export function setUpProduce() {
  const form = $('#produce-form');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    busy($('#produce'), $('#produce-error'), async () => {
      const payload = readPayload(form);
      const options = produceOptions(form);
      const began = performance.now();
      const receipt = await get('connection').produce(get('station'), payload, options);
      const took = (performance.now() - began).toFixed(1);
      count.produced += 1;
      $('#receipt').textContent = options.waitForAck === false
        ? `Handed to the socket, ${took} ms.`
        : `${receipt.duplicate ? 'Seen before: stored once' : 'Stored'} in partition ${receipt.partition}, sequence ${int(receipt.sequence)}, ${took} ms.`;
      refreshSoon();
    });
  });
  form.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  watch(['partitions'], () => {
    const select = form.elements.partitionNumber;
    const chosen = select.value;
    select.replaceChildren(new Option('any', ''), ...get('partitions').map((n) => new Option(String(n), String(n))));
    if (get('partitions').includes(Number(chosen))) select.value = chosen;
  });
}
