// The JSON Schema engine: drafts 4, 6, 7, 2019-09 and 2020-12, interpreted. A definition is checked against the meta-schema of its
// draft before it is compiled, by the same code.

import { SchemaError, Stop, compiled, refused, schema, show } from '../violations.js';
import { parse, readJson, writeJson } from '../text.js';
import { Compiler, Run } from './compile.js';
import { dialectOf, known, newest } from './dialects.js';
import { MAX_WORK, MAX_WORK_A_BYTE } from './limits.js';
import { Resources } from './resources.js';

/** @import { Engine, Violation } from '../../index.js' */
/** @import { Node } from './compile.js' */
/** @import { Dialect } from './dialects.js' */
/** @import { Resource } from './resources.js' */

/** @type {Engine} */
export const engine = {
  type: 'json',
  compile(definition) {
    const node = compiled(() => nodeOf(definition));
    /** @param {unknown} value @param {number} size */
    const check = (value, size) => violations(node, value, size);
    return schema({ type: 'json', read: (bytes) => readJson(bytes, check), write: (value) => writeJson(value, check) });
  },
};

/** @param {string} definition */
function nodeOf(definition) {
  const root = parse(definition);
  const dialect = dialectFor(root);
  const resources = new Resources();
  const document = resources.document(root, dialect);
  meta(resources, document, definition.length);
  return new Compiler(resources).node(root, document, '');
}

/** @param {any} root @returns {Dialect} */
function dialectFor(root) {
  if (typeof root === 'boolean') return newest;
  if (root === null || typeof root !== 'object' || Array.isArray(root)) throw refused('', 'a schema: an object or a boolean', show(root));
  if (!Object.hasOwn(root, '$schema')) return newest;
  const dialect = typeof root.$schema === 'string' ? dialectOf(root.$schema) : undefined;
  if (!dialect) throw refused('/$schema', 'the URI of draft 4, 6, 7, 2019-09 or 2020-12 (others are not fetched)', show(root.$schema));
  return dialect;
}

/**
 * Every resource against the meta-schema of its own draft.
 * @param {Resources} resources @param {Resource} document @param {number} size
 */
function meta(resources, document, size) {
  const foreign = resources.foreign(document);
  const inside = new Set(foreign.map(({ root }) => root));
  for (const { uri, root, dialect } of [document, ...foreign]) {
    // What is in another draft is looked at by itself.
    const own = inside.size === 0 ? root : JSON.parse(JSON.stringify(root, (_, value) => (value !== root && inside.has(value) ? {} : value)));
    const broken = violations(metaNode(dialect), own, size);
    if (broken.length > 0) throw new SchemaError('definition', root === document.root ? broken : broken.map((violation) => ({ ...violation, path: `${uri}#${violation.path}` })));
  }
}

/** @type {Map<Dialect, Node>} */
const metaNodes = new Map();

/** @param {Dialect} dialect */
function metaNode(dialect) {
  let node = metaNodes.get(dialect);
  if (!node) {
    const resources = new Resources();
    const root = known.get(dialect.meta);
    metaNodes.set(dialect, node = new Compiler(resources).node(root, resources.document(root, dialect), ''));
  }
  return node;
}

/** @param {Node} node @param {unknown} value @param {number} size @returns {readonly Violation[]} */
function violations(node, value, size) {
  const run = new Run(MAX_WORK + size * MAX_WORK_A_BYTE);
  try {
    return node.apply(value, run, undefined) ? [] : run.violations;
  } catch (error) {
    if (error instanceof Stop) return [...run.violations.slice(0, 99), error.violation];
    throw error;
  }
}
