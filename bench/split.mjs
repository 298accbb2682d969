// Where the time of `publish` goes: the loop that calls, the part of it that is the socket's, and what follows until the server has
// read all of it. Beside the package stand sockets that do less and less of its work. Knows no table and no target.

import { PAYLOAD } from './rows.mjs';
import { Wire, bytes } from './wire.mjs';
import * as ours from './clients/ours.mjs';

const KIB = 1024;
const payload = new Uint8Array(PAYLOAD).fill(120);
const PING = bytes('PING\r\n');

/** Prepared lines, in sends of so many bytes; with `ask`, a PING after as many. */
async function prepared(plan, channel, { send, ask = Infinity }) {
  const wire = await Wire.open(plan.url);
  const line = bytes(`PUB ${channel} ${PAYLOAD}\r\n${'x'.repeat(PAYLOAD)}\r\n`);
  const most = Math.floor(send / line.length);
  const full = new Uint8Array(most * line.length + PING.length);
  for (let i = 0; i < most; i += 1) full.set(line, i * line.length);
  full.set(PING, most * line.length);
  return {
    loop() {
      let fresh = 0;
      for (let written = 0; written < plan.count; written += most) {
        const count = Math.min(most, plan.count - written);
        fresh += count * line.length;
        const asks = count === most && fresh >= ask;
        if (asks) fresh = 0;
        wire.send(full.subarray(0, count * line.length + (asks ? PING.length : 0)));
      }
    },
    // Whatever was asked before is answered before.
    rest: async () => {
      wire.send(bytes('SUB _END 9\r\nPUB _END 0\r\n\r\n'));
      const before = wire.lines.messages;
      await wire.until(() => wire.lines.messages > before);
    },
    close: () => wire.close(),
  };
}

/** A call for each message copies its line and its payload, and nothing else: no client can do with less. */
async function copied(plan, channel, { send }) {
  const wire = await Wire.open(plan.url);
  const head = bytes(`PUB ${channel} ${PAYLOAD}\r\n`);
  return {
    loop: () => copyAll(wire, plan.count, head, new Uint8Array(send)),
    rest: () => wire.roundTrip(),
    close: () => wire.close(),
  };
}

function copyAll(wire, count, head, out) {
  let at = 0;
  for (let i = 0; i < count; i += 1) {
    if (at + head.length + payload.length + 2 > out.length) {
      wire.send(out.subarray(0, at));
      at = 0;
    }
    at = copy(out, at, head, payload);
  }
  wire.send(out.subarray(0, at));
}

function copy(out, at, head, message) {
  out.set(head, at);
  out.set(message, at + head.length);
  const end = at + head.length + message.length + 2;
  out[end - 2] = 13;
  out[end - 1] = 10;
  return end;
}

/** The package; with `deaf`, its socket sends nothing. */
async function whole(plan, channel, { deaf = false }) {
  const session = await ours.open({ ...plan, stream: channel });
  const { link } = session;
  await link.publish(channel, payload);
  return {
    deaf,
    loop() {
      for (let i = 0; i < plan.count; i += 1) link.publish(channel, payload);
    },
    rest: () => (deaf ? undefined : link.ping()),
    close: () => session.close(),
  };
}

const contestants = [
  ['prepared lines, sends of 128 KiB', prepared, { send: 128 * KIB }],
  ['prepared lines, sends of 145 KiB', prepared, { send: 145 * KIB }],
  ['prepared lines, sends of 1 MiB', prepared, { send: 1024 * KIB }],
  ['the same, PING after 256 KiB', prepared, { send: 256 * KIB, ask: 250 * KIB }],
  ['line and payload copied, 1 MiB', copied, { send: 1024 * KIB }],
  ['the package', whole, {}],
  ['the package, nothing sent', whole, { deaf: true }],
];

/** `report` gets one entry a contestant and run: { split: name, loop, send, rest } in milliseconds; `send` is part of `loop`. */
export async function runSplit(plan, report) {
  const { send } = WebSocket.prototype;
  for (let run = -1; run < plan.runs; run += 1) {
    for (const [name, open, options] of contestants) {
      const session = await open(plan, `split-${plan.label}`, options);
      globalThis.gc?.();
      let inside = 0;
      WebSocket.prototype.send = function (data) {
        const from = performance.now();
        if (!session.deaf) send.call(this, data);
        inside += performance.now() - from;
      };
      const begun = performance.now();
      session.loop();
      // What is left to the end of the task counts as the loop's.
      await undefined;
      const looped = performance.now();
      const entry = { split: name, loop: looped - begun, send: inside };
      await session.rest();
      entry.rest = performance.now() - looped;
      WebSocket.prototype.send = send;
      session.close();
      if (run >= 0) await report(entry);
    }
  }
}
