// Waiting for a condition that no event announces: a file of another process, a port, a state in a page.

/**
 * Polls until the probe answers with something true, and returns that; throws when the deadline has passed. A probe that
 * throws counts as "not yet", and its last error is the cause of the deadline's.
 * @template T
 * @param {() => T | Promise<T>} probe
 * @param {{ what?: string, ms?: number, everyMs?: number }} [options]
 * @returns {Promise<NonNullable<Awaited<T>>>}
 */
export async function until(probe, { what = 'condition', ms = 10_000, everyMs = 10 } = {}) {
  const end = performance.now() + ms;
  let cause;
  for (;;) {
    try {
      const found = await probe();
      if (found) return /** @type {any} */ (found);
    } catch (error) {
      if (error?.fatal) throw error;
      cause = error;
    }
    if (performance.now() > end) throw new Error(`${what}: not within ${ms} ms`, { cause });
    await pause(everyMs);
  }
}

/**
 * An error that ends `until` at once: waiting longer cannot help.
 * @param {string} message
 */
export function fatal(message) {
  return Object.assign(new Error(message), { fatal: true });
}

/** @param {number} ms */
function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
