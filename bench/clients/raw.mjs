// The yardstick: a socket that writes prepared lines and counts what comes back. It makes the server do the same work as a
// client would (a receipt a message, pulls of the same size, an ack a message), and knows nothing of promises or messages.

import { GROUP, Wire, bytes, replyRange, subjectOf } from '../wire.mjs';
import { PAYLOAD, WINDOW } from '../rows.mjs';

const SEND = 128 * 1024; // as much as one send takes, as in the package but for what follows in a long turn: see split.mjs

export const name = 'raw';

export async function open({ url, stream, admin, size = PAYLOAD }) {
  const wire = await Wire.open(url);
  const { lines } = wire;

  // One line a window slot, so that reply subjects repeat as a client's would; each slot has the same length.
  const unit = (slot) => `PUB ${subjectOf(stream)} _R.${String(slot).padStart(3, '0')} ${size}\r\n${'x'.repeat(size)}\r\n`;
  const block = bytes(Array.from({ length: WINDOW }, (_, slot) => unit(slot)).join(''));
  const length = block.length / WINDOW;

  const pull = (batch, expiresMs) => {
    const body = JSON.stringify({ batch, expires: expiresMs * 1e6, idle_heartbeat: Math.min(5000, expiresMs / 2) * 1e6 });
    return bytes(`PUB $JS.API.CONSUMER.MSG.NEXT.${stream}.${GROUP} _P.1 ${body.length}\r\n${body}\r\n`);
  };

  /** Collects the acks of one chunk for one send. */
  const acks = () => {
    const head = bytes('PUB ');
    const tail = bytes(' 4\r\n+ACK\r\n');
    const out = new Uint8Array(256 * 1024);
    let used = 0;
    lines.onHead = (chunk, _start, end) => {
      const [from, to] = replyRange(chunk, end);
      out.set(head, used);
      out.set(chunk.subarray(from, to), used + head.length);
      used += head.length + to - from;
      out.set(tail, used);
      used += tail.length;
    };
    return {
      add(line) {
        out.set(line, used);
        used += line.length;
      },
      size: () => used,
      flush() {
        if (used > 0) wire.send(out.subarray(0, used));
        used = 0;
      },
    };
  };

  return {
    createStream: () => admin.createStream(stream),
    createGroup: (policy) => admin.createGroup(stream, policy),

    async produceLanes(count, width) {
      wire.send(bytes('SUB _R.* 1\r\n'));
      const before = lines.messages;
      let written = 0;
      const write = (wanted) => {
        const from = written % WINDOW;
        const amount = Math.min(wanted, count - written, WINDOW - from);
        if (amount <= 0) return;
        wire.send(block.subarray(from * length, (from + amount) * length));
        written += amount;
      };
      // Refilled at half, like the package: fewer and larger writes are what a socket likes.
      const half = Math.ceil(width / 2);
      wire.onChunk = () => {
        while (written < count && written - (lines.messages - before) <= width - half) write(half);
      };
      write(width);
      await wire.until(() => lines.messages - before >= count);
      wire.onChunk = undefined;
    },

    async produceAll(count) {
      wire.send(bytes('SUB _R.* 1\r\n'));
      const before = lines.messages;
      const most = Math.min(WINDOW, Math.floor(SEND / length));
      for (let written = 0; written < count;) {
        const from = written % WINDOW;
        const amount = Math.min(most, count - written, WINDOW - from);
        wire.send(block.subarray(from * length, (from + amount) * length));
        written += amount;
      }
      await wire.until(() => lines.messages - before >= count);
    },

    produceBatch(count) {
      return this.produceAll(count);
    },

    async consume(count, ack) {
      wire.send(bytes('SUB _P.* 2\r\n'));
      const before = lines.messages;
      const most = ack ? 500 : 2000;
      const half = pull(most / 2, 30_000);
      const out = ack ? acks() : undefined;
      let asked = most;
      wire.onChunk = () => {
        const got = lines.messages - before;
        const refill = asked < count && asked - got <= most / 2;
        if (refill) asked += most / 2;
        if (out === undefined) {
          if (refill) wire.send(half);
          return;
        }
        if (refill) out.add(half);
        // Gathered as the package gathers them; with nothing left to come nobody would send the rest.
        if (refill || out.size() >= 8192 || got >= asked || got >= count) out.flush();
      };
      wire.send(pull(most, 30_000));
      await wire.until(() => lines.messages - before >= count);
      wire.onChunk = undefined;
      await wire.roundTrip();
    },

    async fetch(count, prefetch) {
      wire.send(bytes('SUB _P.* 2\r\n'));
      const before = lines.messages;
      const ten = pull(10, 5000);
      const out = acks();
      let asked = 0;
      const ask = () => {
        asked += 10;
        return ten;
      };
      const ahead = prefetch ? 10 : 0;
      wire.onChunk = () => {
        const got = lines.messages - before;
        const from = asked;
        // One chunk can bring both batches; then both are asked for again.
        while (asked - got <= ahead && asked < count) out.add(ask());
        if (asked > from || got >= count) out.flush();
      };
      wire.send(ask());
      if (prefetch) wire.send(ask());
      await wire.until(() => lines.messages - before >= count);
      wire.onChunk = undefined;
      await wire.roundTrip();
    },

    async publishAll(count) {
      const line = bytes(`PUB ${stream}.live ${size}\r\n${'x'.repeat(size)}\r\n`);
      const most = Math.floor(SEND / line.length);
      const full = new Uint8Array(most * line.length);
      for (let i = 0; i < most; i += 1) full.set(line, i * line.length);
      for (let written = 0; written < count; written += most) wire.send(full.subarray(0, Math.min(most, count - written) * line.length));
      await wire.roundTrip();
    },

    async close() {
      wire.close();
    },
  };
}
