// The list of rows. A topic file registers what it promises here; runners read it. Nothing in here runs a row.

const registered = [];

/**
 * Rows of one topic. `section` is where semantics.md makes the promise, so that a failing row can say whom it contradicts.
 *
 * Options of a row: `needs` are capabilities, all of which the broker must offer; `without` is the opposite; `brokers` limits
 * a row to brokers whose wire or server it is about; `controls` are kinds of power over the broker (`pages`, `cut`, `inside`), all of which the
 * run must have; `waits` marks a row that waits for time to pass; `limitMs` is its deadline.
 */
export function topic(name, section) {
  return (title, options, body) => {
    const run = body ?? options;
    const given = body ? options : {};
    if (registered.some((row) => row.topic === name && row.title === title)) throw new Error(`two rows are called "${title}" in ${name}`);
    registered.push({ topic: name, section, title, needs: [], without: [], brokers: undefined, controls: [], waits: false, limitMs: undefined, ...given, run });
  };
}

export const rows = registered;
