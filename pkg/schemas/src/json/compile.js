// A schema into a tree of functions: references, the logic that combines schemas, and the order in which keywords count.
// What a keyword asks of a string, a number, an array or an object is in keywords.js.

import { MAX_VIOLATIONS, Stop, pointer, refused, show, violation } from '../violations.js';
import { keywords } from './keywords.js';
import { MAX_DEPTH } from './limits.js';
import { own } from './resources.js';

/** @import { Violation } from '../../index.js' */
/** @import { Resource, Resources } from './resources.js' */

/**
 * What `unevaluatedItems` and `unevaluatedProperties` of the same schema need to know of what was looked at.
 * @typedef {object} Seen
 * @property {Set<string>} properties
 * @property {boolean} all every property
 * @property {number} items the first so many
 * @property {Set<number>} some single ones, by `contains`
 */

/** @returns {Seen} */
export const nothingSeen = () => ({ properties: new Set(), all: false, items: 0, some: new Set() });

/** @param {Seen} into @param {Seen} from */
function merge(into, from) {
  for (const name of from.properties) into.properties.add(name);
  for (const index of from.some) into.some.add(index);
  into.all ||= from.all;
  into.items = Math.max(into.items, from.items);
}

/** One check of one message. */
export class Run {
  /** @param {number} work */
  constructor(work) {
    this.work = work;
    this.depth = 0;
    /** While above 0 only the verdict counts. */
    this.quiet = 0;
    /** @type {(string | number)[]} */
    this.path = [];
    /** @type {Violation[]} */
    this.violations = [];
    /** The resources whose schemas are being applied, the outermost first. @type {Resource[]} */
    this.scope = [];
  }

  /** @param {string} expected @param {unknown} [found] @returns {false} */
  fail(expected, found) {
    if (this.quiet === 0) this.#add(violation(pointer(this.path), expected, show(found)));
    return false;
  }

  /** The same for something that ought to stand below. @param {string | number} key @param {string} expected @returns {false} */
  missing(key, expected) {
    if (this.quiet === 0) this.#add(violation(pointer([...this.path, key]), expected));
    return false;
  }

  /** Schemas that share parts would say the same again. @param {Violation} found */
  #add(found) {
    if (this.violations.length < MAX_VIOLATIONS && !this.violations.some(({ path, expected }) => path === found.path && expected === found.expected)) this.violations.push(found);
  }

  /** Nothing more to find out: the verdict stands and the list is full, or nobody reads it. */
  get over() {
    return this.quiet > 0 || this.violations.length >= MAX_VIOLATIONS;
  }

  /** Applies a schema to something below. @param {Node} node @param {any} value @param {string | number} key */
  below(node, value, key) {
    this.path.push(key);
    const good = node.apply(value, this, undefined);
    this.path.pop();
    return good;
  }

  /** Only the verdict. @param {Node} node @param {any} value @param {Seen | undefined} seen */
  silently(node, value, seen) {
    this.quiet += 1;
    const good = node.apply(value, this, seen);
    this.quiet -= 1;
    return good;
  }
}

/** A schema that is compiled, or will be by the time it is applied: schemas refer to themselves. */
export class Node {
  /** @type {((value: any, run: Run, seen: Seen | undefined) => boolean)[]} */
  checks = [];
  /** @type {((value: any, run: Run, seen: Seen) => boolean)[]} */
  last = [];

  /** @param {Resource | undefined} resource what it adds to the dynamic scope */
  constructor(resource) {
    this.resource = resource;
  }

  /** @param {any} value @param {Run} run @param {Seen | undefined} seen @returns {boolean} */
  apply(value, run, seen) {
    if (this.checks.length === 0 && this.last.length === 0) return true;
    if (++run.depth > MAX_DEPTH) throw new Stop(violation(pointer(run.path), `a message and a schema that end within ${MAX_DEPTH} steps`));
    if (--run.work < 0) throw new Stop(violation('', 'a message that can be checked in reasonable time against this schema'));
    const { scope } = run;
    const enters = this.resource !== undefined && scope[scope.length - 1] !== this.resource;
    if (enters) scope.push(/** @type {Resource} */ (this.resource));
    const mine = this.last.length > 0 ? nothingSeen() : seen;
    let good = true;
    for (const check of this.checks) {
      if (!check(value, run, mine)) {
        good = false;
        if (run.over) break;
      }
    }
    if (mine !== undefined && mine !== seen) {
      // After a failure it would blame everything that was not looked at.
      if (good) for (const check of this.last) if (!check(value, run, mine)) good = false;
      if (good && seen !== undefined) merge(seen, mine);
    }
    if (enters) scope.pop();
    run.depth -= 1;
    return good;
  }
}

export class Compiler {
  /** @type {Map<object, Node>} */
  #nodes = new Map();
  #yes = new Node(undefined);
  #no = new Node(undefined);

  /** @param {Resources} resources */
  constructor(resources) {
    this.resources = resources;
    this.#no.checks.push((value, run) => run.fail('nothing here', value));
  }

  /**
   * @param {any} schema
   * @param {Resource} resource where it stands
   * @param {string} at its place in the definition, for errors
   * @returns {Node}
   */
  node(schema, resource, at) {
    if (schema === true) return this.#yes;
    if (schema === false) return this.#no;
    if (schema === null || typeof schema !== 'object' || Array.isArray(schema)) throw refused(at, 'a schema', show(schema));
    const there = this.#nodes.get(schema);
    if (there) return there;
    resource = this.resources.of(schema) ?? resource;
    const node = new Node(resource.dialect.draft >= 2019 ? resource : undefined);
    this.#nodes.set(schema, node);
    new Builder(this, schema, resource, at, node).build();
    return node;
  }
}

/** Everything needed while one schema is compiled. */
export class Builder {
  /** @param {Compiler} compiler @param {any} schema @param {Resource} resource @param {string} at @param {Node} node */
  constructor(compiler, schema, resource, at, node) {
    this.compiler = compiler;
    this.schema = schema;
    this.resource = resource;
    this.dialect = resource.dialect;
    this.at = at;
    this.node = node;
  }

  /** @param {string} name */
  has(name) {
    return Object.hasOwn(this.schema, name);
  }

  /** @param {string} name */
  get(name) {
    return own(this.schema, name);
  }

  /** @param {any} schema @param {(string | number)[]} keys */
  sub(schema, ...keys) {
    return this.compiler.node(schema, this.resource, this.at + pointer(keys));
  }

  /** @param {(value: any, run: Run, seen: Seen | undefined) => boolean} check */
  add(check) {
    this.node.checks.push(check);
  }

  build() {
    const { draft, refAlone } = this.dialect;
    if (typeof this.get('$ref') === 'string') {
      this.reference(this.get('$ref'));
      if (refAlone) return;
    }
    if (draft === 2019 && typeof this.get('$recursiveRef') === 'string') this.recursive(this.get('$recursiveRef'));
    if (draft === 2020 && typeof this.get('$dynamicRef') === 'string') this.dynamic(this.get('$dynamicRef'));
    for (const [name, since, until, make] of keywords) if (draft >= since && draft <= until && this.has(name)) make(this, this.get(name), name);
    this.combine();
  }

  /** @param {string} reference */
  reference(reference) {
    const at = `${this.at}/$ref`;
    const { node, resource } = this.compiler.resources.resolve(reference, this.resource, at);
    const target = this.compiler.node(node, resource, at);
    this.add((value, run, seen) => target.apply(value, run, seen));
  }

  /** @param {string} reference */
  recursive(reference) {
    const at = `${this.at}/$recursiveRef`;
    const { node, resource } = this.compiler.resources.resolve(reference, this.resource, at);
    const target = this.compiler.node(node, resource, at);
    const anchored = (/** @type {Resource} */ { root }) => root?.$recursiveAnchor === true;
    if (!anchored(resource)) return this.add((value, run, seen) => target.apply(value, run, seen));
    return this.add((value, run, seen) => {
      const outermost = run.scope.find(anchored);
      return (outermost ? this.compiler.node(outermost.root, outermost, at) : target).apply(value, run, seen);
    });
  }

  /** @param {string} reference */
  dynamic(reference) {
    const at = `${this.at}/$dynamicRef`;
    const { node, resource, anchor } = this.compiler.resources.resolve(reference, this.resource, at);
    const target = this.compiler.node(node, resource, at);
    if (anchor === undefined || resource.dynamic.get(anchor) !== node) return this.add((value, run, seen) => target.apply(value, run, seen));
    return this.add((value, run, seen) => {
      for (const scope of run.scope) {
        const found = scope.dynamic.get(anchor);
        if (found) return this.compiler.node(found, scope, at).apply(value, run, seen);
      }
      return target.apply(value, run, seen);
    });
  }

  /** @param {string} name @returns {Node[] | undefined} */
  several(name) {
    return Array.isArray(this.get(name)) ? this.get(name).map((/** @type {any} */ schema, /** @type {number} */ index) => this.sub(schema, name, index)) : undefined;
  }

  combine() {
    const { draft } = this.dialect;
    const all = this.several('allOf');
    if (all) {
      this.add((value, run, seen) => {
        let good = true;
        for (const node of all) {
          if (!node.apply(value, run, seen)) {
            good = false;
            if (run.over) break;
          }
        }
        return good;
      });
    }
    const any = this.several('anyOf');
    if (any) this.add((value, run, seen) => anyOf(any, value, run, seen));
    const one = this.several('oneOf');
    if (one) this.add((value, run, seen) => oneOf(one, value, run, seen));
    if (this.has('not')) {
      const not = this.sub(this.get('not'), 'not');
      this.add((value, run) => !run.silently(not, value, undefined) || run.fail('anything that does not match the schema under "not"', value));
    }
    if (draft >= 7 && this.has('if')) {
      const when = this.sub(this.get('if'), 'if');
      const then = this.has('then') ? this.sub(this.get('then'), 'then') : undefined;
      const otherwise = this.has('else') ? this.sub(this.get('else'), 'else') : undefined;
      this.add((value, run, seen) => {
        const tried = seen && nothingSeen();
        const matches = run.silently(when, value, tried);
        if (matches && seen && tried) merge(seen, tried);
        return (matches ? then : otherwise)?.apply(value, run, seen) ?? true;
      });
    }
  }
}

/** @param {Node[]} nodes @param {any} value @param {Run} run @param {Seen | undefined} seen */
function anyOf(nodes, value, run, seen) {
  let good = false;
  for (const node of nodes) {
    const tried = seen && nothingSeen();
    if (!run.silently(node, value, tried)) continue;
    good = true;
    if (!seen || !tried) break;
    merge(seen, tried);
  }
  return good || explain(nodes, value, run, 'at least one of the schemas under "anyOf" to match');
}

/** @param {Node[]} nodes @param {any} value @param {Run} run @param {Seen | undefined} seen */
function oneOf(nodes, value, run, seen) {
  let matching = 0;
  for (const node of nodes) {
    const tried = seen && nothingSeen();
    if (!run.silently(node, value, tried)) continue;
    matching += 1;
    if (matching > 1) return run.fail('exactly one of the schemas under "oneOf" to match, not several', value);
    if (seen && tried) merge(seen, tried);
  }
  return matching === 1 || explain(nodes, value, run, 'exactly one of the schemas under "oneOf" to match');
}

/**
 * No branch fits. Where only one of them accepts the value's type, what is wrong inside it says more than that none fits.
 * @param {Node[]} nodes @param {any} value @param {Run} run @param {string} expected @returns {false}
 */
function explain(nodes, value, run, expected) {
  if (run.over) return run.fail(expected, value);
  const before = run.violations;
  const here = pointer(run.path);
  /** @type {Violation[][]} */
  const inside = [];
  for (const node of nodes) {
    run.violations = [];
    node.apply(value, run, undefined);
    if (!run.violations.some(({ path }) => path === here)) inside.push(run.violations);
  }
  run.violations = before;
  const [only] = inside;
  if (inside.length !== 1 || !only) return run.fail(expected, value);
  run.violations.push(...only.slice(0, MAX_VIOLATIONS - run.violations.length));
  return false;
}
