// A million messages through one connection, produced and consumed at the same time with 10,000 receipts outstanding: what the
// wasm memory grew to, and whether the heap comes back to where it began.

import { Admin, GROUP } from './wire.mjs';
import * as ours from './clients/ours.mjs';

const PENDING = 10_000;
const SAMPLE_EVERY = 20_000;

export async function runMemory({ url, modules, messages, label }, report) {
  const admin = await Admin.open(url);
  const stream = `bench-${label}-memory`;
  try {
    // The first, small pass loads and compiles everything, so that the heap is compared with a program that is already there.
    await pass({ url, modules, stream: `${stream}-warm`, admin, messages: 20_000 });
    const before = await settledHeap();
    const begun = performance.now();
    const { peakBytes, sampled } = await pass({ url, modules, stream, admin, messages });
    const seconds = (performance.now() - begun) / 1000;
    const after = await settledHeap();
    await report({
      memory: { messages, pending: PENDING, wasmPeakBytes: peakBytes, samples: sampled, heapBefore: before, heapAfter: after, seconds },
    });
  } finally {
    admin.close();
  }
}

async function pass({ url, modules, stream, admin, messages }) {
  const session = await ours.open({ url, stream, modules });
  const { link } = session;
  let peakBytes = 0;
  let sampled = 0;
  const sample = () => {
    peakBytes = Math.max(peakBytes, link.stats().wasmMemoryBytes);
    sampled += 1;
  };
  try {
    await session.createStream();
    const producer = await link.producer(stream);
    const consumer = await link.consumer(stream, { consumerName: GROUP });
    const consumed = (async () => {
      let seen = 0;
      for await (const message of consumer) {
        message.ack();
        seen += 1;
        if (seen % SAMPLE_EVERY === 0) sample();
        if (seen === messages) break;
      }
    })();
    const produced = produceAhead(producer, messages, sample);
    await Promise.all([produced, consumed]);
    sample();
  } finally {
    await session.close();
    await admin.deleteStream(stream).catch(() => {});
  }
  return { peakBytes, sampled };
}

/** Keeps PENDING calls without a receipt, without one loop (and one closure) for each. */
function produceAhead(producer, messages, sample) {
  const payload = new Uint8Array(128).fill(120);
  return new Promise((resolve, reject) => {
    let called = 0;
    let settled = 0;
    const onReceipt = () => {
      settled += 1;
      if (settled % SAMPLE_EVERY === 0) sample();
      if (settled === messages) resolve();
      else call();
    };
    const call = () => {
      if (called === messages) return;
      called += 1;
      producer.produce(payload, { ackWaitMs: 60_000 }).then(onReceipt, reject);
    };
    for (let i = 0; i < PENDING; i += 1) call();
  });
}

/** The heap after the collector had its say; 0 where the runtime does not tell. */
async function settledHeap() {
  for (let i = 0; i < 4; i += 1) {
    globalThis.gc?.();
    // Finalizers and the socket's own buffers go in later tasks.
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (globalThis.process?.memoryUsage !== undefined) {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  }
  return performance.memory?.usedJSHeapSize ?? 0;
}
