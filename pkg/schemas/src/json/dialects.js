// What differs between the drafts of JSON Schema: where sub-schemas stand, what names a resource, and which keywords there are.
// Knows no message.

import metaschemas from './metaschemas.json';

/**
 * @typedef {object} Dialect
 * @property {4 | 6 | 7 | 2019 | 2020} draft
 * @property {string} meta the meta-schema's URI, without fragment
 * @property {'id' | '$id'} id
 * @property {boolean} refAlone `$ref` hides its siblings
 * @property {boolean} format `format` is asserted
 * @property {Set<string>} single keywords whose value is a schema
 * @property {Set<string>} lists keywords whose value is an array of schemas
 * @property {Set<string>} maps keywords whose value is an object of schemas
 */

const OLD = { refAlone: true, format: true, lists: new Set(['allOf', 'anyOf', 'oneOf', 'items']) };
const OLD_SINGLE = ['items', 'additionalItems', 'additionalProperties', 'not'];
const OLD_MAPS = ['definitions', 'properties', 'patternProperties', 'dependencies'];
const NEW_SINGLE = [
  ...OLD_SINGLE, 'contains', 'propertyNames', 'if', 'then', 'else', 'unevaluatedItems', 'unevaluatedProperties', 'contentSchema',
];
const NEW_MAPS = [...OLD_MAPS, '$defs', 'dependentSchemas'];

/** @type {readonly Dialect[]} */
export const dialects = [
  {
    draft: 4, meta: 'http://json-schema.org/draft-04/schema', id: 'id', ...OLD,
    single: new Set(OLD_SINGLE), maps: new Set(OLD_MAPS),
  },
  {
    draft: 6, meta: 'http://json-schema.org/draft-06/schema', id: '$id', ...OLD,
    single: new Set([...OLD_SINGLE, 'contains', 'propertyNames']), maps: new Set(OLD_MAPS),
  },
  {
    draft: 7, meta: 'http://json-schema.org/draft-07/schema', id: '$id', ...OLD,
    single: new Set([...OLD_SINGLE, 'contains', 'propertyNames', 'if', 'then', 'else']), maps: new Set(OLD_MAPS),
  },
  {
    draft: 2019, meta: 'https://json-schema.org/draft/2019-09/schema', id: '$id', refAlone: false, format: false,
    single: new Set(NEW_SINGLE), lists: OLD.lists, maps: new Set(NEW_MAPS),
  },
  {
    draft: 2020, meta: 'https://json-schema.org/draft/2020-12/schema', id: '$id', refAlone: false, format: false,
    single: new Set(NEW_SINGLE.filter((name) => name !== 'additionalItems')), lists: new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']), maps: new Set(NEW_MAPS),
  },
];

/** Without `$schema`. */
export const newest = /** @type {Dialect} */ (dialects.at(-1));

/** The dialect that a `$schema` names; the empty fragment and the scheme's s do not matter. @param {string} uri */
export function dialectOf(uri) {
  const plain = uri.replace(/#$/, '').replace(/^https?:/, '');
  return dialects.find(({ meta }) => meta.replace(/^https?:/, '') === plain);
}

/** Every meta-schema by its URI without fragment. @type {Map<string, any>} */
export const known = new Map(/** @type {any[]} */ (metaschemas).map((schema) => [(schema.$id ?? schema.id).replace(/#$/, ''), schema]));
