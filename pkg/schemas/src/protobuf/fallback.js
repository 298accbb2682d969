// A message as an object with its fields where one inside has no JSON form: that one is given by its own fields.

import { toJson } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';

/** @import { DescMessage, Message, Registry } from '@bufbuild/protobuf' */

const BYTES = 12;
/** The 64-bit types, which JSON has as texts. */
const LONG = [3, 4, 6, 16, 18];

/** @param {DescMessage} desc @param {Message} message @param {Registry} registry @returns {any} */
export function fields(desc, message, registry) {
  try {
    return toJson(desc, message, { registry });
  } catch {
    // On to the parts.
  }
  const inner = reflect(desc, message);
  /** @type {Record<string, any>} */
  const out = {};
  for (const field of desc.fields) {
    if (!inner.isSet(field)) continue;
    const one = (/** @type {any} */ value) => {
      if (field.message) return fields(field.message, value.message ?? value, registry);
      if (field.enum) return field.enum.value[value]?.name ?? value;
      if (LONG.includes(/** @type {number} */ (field.scalar))) return String(value);
      if (field.scalar === BYTES) return btoa(Array.from(value, (/** @type {number} */ byte) => String.fromCharCode(byte)).join(''));
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
    };
    const value = /** @type {any} */ (inner.get(field));
    const shown = field.fieldKind === 'list' ? Array.from(value, one) : field.fieldKind === 'map' ? Object.fromEntries(Array.from(value, ([key, item]) => [String(key), one(item)])) : one(value);
    Object.defineProperty(out, field.jsonName, { value: shown, enumerable: true, configurable: true, writable: true });
  }
  return out;
}
