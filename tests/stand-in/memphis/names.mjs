// Names and their texts (memphis.md 3), and the two forms: with dots outside, with # in streams and subjects.

/** @param {string} name */
export const internal = (name) => name.toLowerCase().replaceAll('.', '#');
/** @param {string} name */
export const external = (name) => name.replaceAll('#', '.');

/** The broker's complaint about a name; undefined if it is right. @param {string} kind @param {unknown} given */
export function complaint(kind, given) {
  const name = String(given ?? '').toLowerCase();
  if (name.length === 0) return `${kind} name can not be empty`;
  if (name.length > 128) return `${kind} should be under 128 characters`;
  if (!/^[a-z0-9_.-]+$/.test(name)) return `Only alphanumeric and the '_', '-', '.' characters are allowed in ${kind}`;
  if (!/^[a-z0-9]/.test(name) || !/[a-z0-9]$/.test(name)) return `${kind} name can not start or end with non alphanumeric character`;
  return undefined;
}
