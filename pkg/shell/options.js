// Which options of produce and of producers are passed on as they are. What others mean, and what is wrong, is Rust's business.

/**
 * What Rust says of them: for each name its type, or the least and the most of a whole number, or nothing; those of producers apart.
 * @typedef {Map<string, (string | undefined)[]>} Usual
 * @param {string} text
 * @returns {[produce: Usual, producer: Usual]}
 */
export function usual(text) {
  const rows = text.split(',').map((row) => row.split(':'));
  const named = (/** @type {boolean} */ own) => rows.filter(([name]) => name?.startsWith('+') === own).map(([name, ...rest]) => /** @type {const} */ ([/** @type {string} */ (name).slice(own ? 1 : 0), rest]));
  return [new Map(named(false)), new Map(named(true))];
}

/**
 * The part that reads them: a message that vanishes or appears later takes more than its options read.
 * @param {any} options
 */
export function reader(options) {
  return options?.expirationMs != null || options?.delayMs != null ? 'timing' : 'options';
}

/**
 * Whether there are options of other names than these, or of other types or values than are usual for them.
 * @param {any} options
 * @param {Usual} known
 * @param {Usual} [more]
 */
export function isUnusual(options, known, more) {
  if (options == null) return false;
  if (typeof options !== 'object' || Symbol.iterator in options) return true;
  for (const name in options) {
    const value = options[name];
    if (value === undefined) continue;
    const row = known.get(name) ?? more?.get(name);
    if (!row) return true;
    const [type, most] = row;
    // null counts as not given, as it does in Rust.
    if (value === null || type === undefined) continue;
    if (most !== undefined ? !(Number.isSafeInteger(value) && value >= +type && value <= +most) : typeof value !== type) return true;
    if (type === 'object' && (Symbol.iterator in value || Object.keys(value).some((key) => typeof value[key] !== 'string'))) return true;
  }
  return false;
}
