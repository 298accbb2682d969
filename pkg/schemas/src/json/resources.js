// Finds every schema resource of a document with its anchors, and what a reference means. Fetches nothing: what is not in the
// document is one of the meta-schemas or an error.

import { MAX_DEPTH } from './limits.js';
import { refused, show } from '../violations.js';
import { dialectOf, known } from './dialects.js';

/** @import { Dialect } from './dialects.js' */

/**
 * A schema with an identifier of its own (or the document), and what can be referred to inside it.
 * @typedef {object} Resource
 * @property {string} uri absolute, without fragment
 * @property {any} root
 * @property {Dialect} dialect
 * @property {Map<string, any>} anchors name to schema
 * @property {Map<string, any>} dynamic `$dynamicAnchor`s
 */

/** The base of a document that does not say where it is from. */
const NOWHERE = 'schema:///document';

export class Resources {
  /** @type {Map<string, Resource>} */
  #byUri = new Map();
  /** Where each sub-schema stands. @type {Map<object, Resource>} */
  #places = new Map();

  /**
   * @param {any} root
   * @param {Dialect} dialect
   */
  document(root, dialect) {
    return this.#add(root, NOWHERE, dialect, true);
  }

  /** Embedded resources that are written in another draft than the document. @param {Resource} document */
  foreign(document) {
    return [...new Set(this.#places.values())].filter((resource) => resource.dialect !== document.dialect);
  }

  /** The resource that a schema belongs to. @param {object} node */
  of(node) {
    return /** @type {Resource} */ (this.#places.get(node));
  }

  /** @param {any} root @param {string} uri @param {Dialect} dialect @param {boolean} [whole] */
  #add(root, uri, dialect, whole = false) {
    /** @type {Resource} */
    const resource = { uri, root, dialect, anchors: new Map(), dynamic: new Map() };
    this.#byUri.set(uri, resource);
    if (root !== null && typeof root === 'object' && !Array.isArray(root)) this.#walk(root, resource, 0, whole);
    return resource;
  }

  /**
   * @param {any} node
   * @param {Resource} outer
   * @param {number} depth
   * @param {boolean} [whole] the document itself, whose identifier counts even beside a reference
   */
  #walk(node, outer, depth, whole = false) {
    if (node === null || typeof node !== 'object' || Array.isArray(node) || this.#places.has(node)) return;
    if (depth > MAX_DEPTH) throw refused('', `a schema of at most ${MAX_DEPTH} levels`);
    const resource = this.#identify(node, outer, whole);
    this.#places.set(node, resource);
    const { dialect } = resource;
    for (const key of Object.keys(node)) {
      const value = node[key];
      if (dialect.lists.has(key) && Array.isArray(value)) for (const item of value) this.#walk(item, resource, depth + 1);
      else if (dialect.single.has(key)) this.#walk(value, resource, depth + 1);
      else if (dialect.maps.has(key) && value !== null && typeof value === 'object') for (const name of Object.keys(value)) this.#walk(value[name], resource, depth + 1);
    }
  }

  /** @param {any} node @param {Resource} outer @param {boolean} whole */
  #identify(node, outer, whole) {
    let resource = outer;
    let { dialect } = outer;
    // An embedded resource may be written in another draft.
    if (!whole && typeof node.$schema === 'string') dialect = dialectOf(node.$schema) ?? dialect;
    const id = own(node, dialect.id);
    if (typeof id === 'string' && (whole || !(dialect.refAlone && typeof own(node, '$ref') === 'string'))) {
      const url = absolute(id, outer.uri);
      const fragment = url.hash.slice(1);
      url.hash = '';
      const uri = url.href.replace(/#$/, '');
      if (!id.startsWith('#') && (uri !== outer.uri || whole)) {
        if (whole) {
          outer.uri = uri;
          this.#byUri.set(uri, outer);
        } else {
          const there = this.#byUri.get(uri);
          if (there && there.root !== node) throw refused('', 'every $id once', show(id));
          resource = { uri, root: node, dialect, anchors: new Map(), dynamic: new Map() };
          this.#byUri.set(uri, resource);
        }
      }
      if (fragment !== '' && dialect.refAlone) resource.anchors.set(decoded(fragment), node);
    }
    if (dialect.draft >= 2019) {
      if (typeof node.$anchor === 'string') resource.anchors.set(node.$anchor, node);
      if (dialect.draft === 2020 && typeof node.$dynamicAnchor === 'string') {
        resource.anchors.set(node.$dynamicAnchor, node);
        resource.dynamic.set(node.$dynamicAnchor, node);
      }
    }
    return resource;
  }

  /**
   * What a reference inside `from` means. `anchor` is set when it was named by one.
   * @param {string} reference
   * @param {Resource} from
   * @param {string} at where the reference stands, for the error
   * @returns {{ node: any, resource: Resource, anchor?: string }}
   */
  resolve(reference, from, at) {
    const url = absolute(reference, from.uri, at);
    const fragment = decoded(url.hash.slice(1));
    url.hash = '';
    const uri = url.href.replace(/#$/, '');
    const resource = this.#byUri.get(uri) ?? this.#meta(uri);
    if (!resource) throw refused(at, 'a reference inside this schema (others are not fetched)', show(reference));
    if (fragment === '') return { node: resource.root, resource };
    if (fragment.startsWith('/')) return this.#pointer(fragment, resource, reference, at);
    if (!resource.anchors.has(fragment)) throw refused(at, 'a reference to an anchor that exists', show(reference));
    const node = resource.anchors.get(fragment);
    return { node, resource: this.of(node), anchor: fragment };
  }

  /** @param {string} uri */
  #meta(uri) {
    const root = known.get(uri);
    return root && this.#add(root, uri, /** @type {Dialect} */ (dialectOf(root.$schema)));
  }

  /** @param {string} fragment @param {Resource} resource @param {string} reference @param {string} at */
  #pointer(fragment, resource, reference, at) {
    let node = resource.root;
    for (const token of fragment.slice(1).split('/')) {
      const key = token.replaceAll('~1', '/').replaceAll('~0', '~');
      if (node === null || typeof node !== 'object' || !Object.hasOwn(node, key)) throw refused(at, 'a reference to something that exists', show(reference));
      node = node[key];
      resource = this.#places.get(node) ?? resource;
    }
    if (typeof node !== 'boolean' && (node === null || typeof node !== 'object' || Array.isArray(node))) throw refused(at, 'a reference to a schema', show(reference));
    // A schema under a name that is no keyword is one as soon as somebody refers to it.
    if (typeof node === 'object') this.#walk(node, resource, 0);
    return { node, resource: this.#places.get(node) ?? resource };
  }
}

/** @param {any} node @param {string} name */
export function own(node, name) {
  return Object.hasOwn(node, name) ? node[name] : undefined;
}

/** @param {string} reference @param {string} base @param {string} [at] */
function absolute(reference, base, at = '') {
  try {
    return new URL(reference, base);
  } catch {
    throw refused(at, 'a URI reference', show(reference));
  }
}

/** @param {string} fragment */
function decoded(fragment) {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
