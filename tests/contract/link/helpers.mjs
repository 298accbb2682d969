// Traffic across a server that dies: producing with a record of every outcome, and reading back what is really stored.

/** Starts a server of the row's own; it ends with the row. `options` as in scripts/lib/servers.mjs. */
export async function server(t, options = {}) {
  const given = await t.control('start', options);
  t.ending(() => t.control('stop', given.id));
  return {
    ...given,
    kill: (node = 0) => t.control('kill', given.id, node),
    restart: (node = 0) => t.control('restart', given.id, node),
    freeze: (node = 0) => t.control('freeze', given.id, node),
    thaw: (node = 0) => t.control('thaw', given.id, node),
    lameDuck: (node = 0) => t.control('lameDuck', given.id, node),
    leaderOf: (station, group) => t.control('leader', given.id, station, group),
  };
}

/** Options of a connection that comes back quickly. */
export function lively(url, more = {}) {
  return { url, reconnectIntervalMs: 100, maxReconnect: -1, timeoutMs: 1500, ...more };
}

/**
 * Produces `count` numbered messages, some at every turn, and collects an outcome for each: { index, receipt } or
 * { index, error }. `at` maps a number of messages to what shall happen when that many have been handed over.
 */
export async function traffic(t, producer, count, { at = {}, options = {}, paceMs = 4, each = 8 } = {}) {
  const outcomes = [];
  const calls = [];
  for (let index = 0; index < count; index += 1) {
    const given = typeof options === 'function' ? options(index) : options;
    calls.push(producer.produce(`m${index}`, given).then(
      (receipt) => outcomes.push({ index, receipt }),
      (error) => outcomes.push({ index, error }),
    ));
    if (at[index]) void at[index]();
    if (index % each === each - 1) await t.elapse(paceMs);
  }
  await t.within(50_000, Promise.all(calls), 'every produce');
  t.equal(outcomes.length, count, 'outcomes');
  t.equal(new Set(outcomes.map((outcome) => outcome.index)).size, count, 'messages with an outcome');
  return {
    stored: outcomes.filter((outcome) => outcome.receipt),
    failed: outcomes.filter((outcome) => outcome.error).map((outcome) => outcome.error),
    maybe: outcomes.filter((outcome) => outcome.error?.maybeDelivered === true),
    never: outcomes.filter((outcome) => outcome.error && outcome.error.maybeDelivered !== true),
  };
}

/** All texts in the station, in order, read through a fresh connection. */
export async function readBack(t, url, name) {
  const connection = await t.connect({ url });
  // A cluster that has just lost a node may leave the first questions unanswered.
  const { value: consumer } = await t.until(async () => {
    const outcome = await t.outcome(connection.consumer(name, { autoAck: true }));
    if (outcome.error && !outcome.reason.retryable) throw outcome.reason;
    return !outcome.error && outcome;
  }, 30_000, 'a consumer to read back with');
  const texts = [];
  for (;;) {
    const batch = await consumer.fetch({ batchSize: 5000, batchMaxTimeToWaitMs: 800 });
    if (batch.length === 0) break;
    texts.push(...t.texts(batch));
  }
  await connection.close();
  return texts;
}

/** Every acknowledged message is there, nothing is there twice, and nothing that was reported as never delivered is there. */
export function settle(t, texts, { stored, maybe, never }) {
  const seen = new Set(texts);
  t.deepEqual(stored.filter(({ index }) => !seen.has(`m${index}`)).map(({ index }) => index), [], 'acknowledged, but not stored');
  t.deepEqual(texts.filter((text, at) => texts.indexOf(text) !== at), [], 'stored twice');
  t.deepEqual(never.filter(({ index }) => seen.has(`m${index}`)).map(({ index }) => index), [], 'stored, although reported as not delivered');
  t.between(texts.length, stored.length, stored.length + maybe.length, 'stored messages');
}

/** Reads status entries into a list until the connection is over. */
export function record(connection) {
  const entries = [];
  void (async () => { for await (const entry of connection.status()) entries.push(entry); })();
  return entries;
}
