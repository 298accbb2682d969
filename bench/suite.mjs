// Runs the rows in whatever runtime it was loaded into and reports every cell as it ends. Knows no file system, no table, no target.
//
// The contestants take turns within a row (peer, ours, raw, peer, ...), each time with a fresh connection and a fresh stream, so
// that a slow minute of the machine meets all of them.

import { Admin } from './wire.mjs';
import { MEMPHIS_HEAD, PAYLOAD, WINDOW, rows } from './rows.mjs';
import * as raw from './clients/raw.mjs';
import * as peer from './clients/peer.mjs';
import * as ours from './clients/ours.mjs';

/** The package as a client of the stand-in, by either protocol. */
const behind = (broker, size) => ({ open: (plan) => ours.open({ ...plan, url: plan.behind.url, size, login: { broker, username: broker === 'memphis' ? 'root' : 'root$1', password: 'memphis' } }) });

const contestants = { peer, ours, raw, memphis: behind('memphis'), nats: behind('nats'), alike: behind('nats', PAYLOAD + MEMPHIS_HEAD) };

/** A cell that takes longer has hung. */
const CELL_MS = 120_000;

/**
 * `plan`: { url, behind, modules: { ours, peer }, who, rows, count, runs, label }. `behind`: { url, server } of the stand-in of Memphis. `report(entry)` gets one entry a cell: { row, who, run, rate } or
 * { row, who, run, error }; a contestant that fails in a row is left out of the rest of that row.
 */
export async function runSuite(plan, report) {
  const front = await Admin.open(plan.url);
  const inside = plan.behind ? await Admin.open(plan.behind.server) : undefined;
  let serial = 0;
  try {
    for (const row of rows.filter(({ id }) => plan.rows.length === 0 || plan.rows.includes(id))) {
      const out = new Set(row.without);
      const admin = row.behind ? inside : front;
      // Run 0 warms up what the runtime compiles and is not counted.
      for (let run = 0; run <= plan.runs; run += 1) {
        for (const who of row.behind ? ['memphis', 'nats', 'alike'] : plan.who) {
          if (out.has(who)) continue;
          serial += 1;
          const stream = `bench-${plan.label}-${String(serial).padStart(4, '0')}`;
          const part = plan.count / (row.part ?? 1);
          const count = run === 0 ? part / 2 : part;
          try {
            const seconds = await cell({ ...plan, admin, row, who, stream, count });
            if (run > 0) await report({ row: row.id, who, run, rate: count / seconds });
          } catch (error) {
            out.add(who);
            await report({ row: row.id, who, run, error: String(error?.stack ?? error) });
          } finally {
            await admin.deleteStream(streamOf(who, stream)).catch(() => {});
          }
        }
      }
    }
  } finally {
    front.close();
    inside?.close();
  }
}

/** Where the messages are stored. */
const streamOf = (who, stream) => (who === 'memphis' ? `${stream}$1` : stream);

async function cell({ url, behind, modules, admin, row, who, stream, count }) {
  const session = await contestants[who].open({ url, behind, stream, admin, modules, count });
  try {
    if (!row.live) await session.createStream();
    if (row.group !== undefined) {
      // Messages of Memphis have headers of its own, so each writes its own there.
      await (row.behind ? session.produceLanes(count, WINDOW) : prefill(url, admin, stream, count));
      await session.createGroup(row.group);
    }
    // One contestant's garbage must not be collected on another's time.
    globalThis.gc?.();
    const begun = performance.now();
    await within(row.run(session, count), CELL_MS);
    const seconds = (performance.now() - begun) / 1000;
    await check(admin, row, streamOf(who, stream), count);
    return seconds;
  } finally {
    await session.close();
  }
}

async function prefill(url, admin, stream, count) {
  const writer = await raw.open({ url, stream, admin });
  await writer.produceLanes(count, 500);
  await writer.close();
}

/** A figure counts only if the server agrees that the work was done. */
async function check(admin, row, stream, count) {
  // What is stored nowhere ends with a round trip instead: the server has read all of it by then.
  if (row.live) return;
  const stored = await admin.stored(stream);
  if (stored !== count) throw new Error(`${stream} holds ${stored} messages, not ${count}`);
  if (row.group !== 'explicit') return;
  const deadline = performance.now() + 5000;
  for (;;) {
    const { ack_floor: floor, num_redelivered: repeated } = await admin.group(stream);
    if (repeated > 0) throw new Error(`${repeated} messages were delivered again`);
    if (floor.stream_seq >= count) return;
    if (performance.now() > deadline) throw new Error(`acked up to ${floor.stream_seq} of ${count}`);
  }
}

function within(work, limitMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${limitMs} ms`)), limitMs);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
