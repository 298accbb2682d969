// What each keyword asks of a value. Which drafts know it stands beside it.

import { refused, show } from '../violations.js';
import { canonical, equal } from './equal.js';
import { formats } from './formats.js';
import { isMultiple } from './numbers.js';

/** @import { Builder, Node, Run } from './compile.js' */

/** @param {any} value */
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

/** @type {Record<string, (value: any) => boolean>} */
const TYPES = {
  array: Array.isArray,
  boolean: (value) => typeof value === 'boolean',
  integer: Number.isInteger,
  null: (value) => value === null,
  number: (value) => typeof value === 'number',
  object: isObject,
  string: (value) => typeof value === 'string',
};

/** In characters, not UTF-16 units. @param {string} text */
function length(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** As the standard asks; without the flag where a pattern is written for the older rules. @param {string} pattern @param {string} at */
function regex(pattern, at) {
  try {
    return new RegExp(pattern, 'u');
  } catch {
    try {
      return new RegExp(pattern);
    } catch {
      throw refused(at, 'a regular expression', show(pattern));
    }
  }
}

/** @param {number} count @param {string} one */
const plural = (count, one) => `${count} ${count === 1 ? one : one.endsWith('y') ? `${one.slice(0, -1)}ies` : `${one}s`}`;

/** @param {string[]} words */
const either = (words) => (words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`);

/** @param {string} type */
const article = (type) => (type === 'null' ? 'null' : `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`);

/**
 * A bound on something that can be counted or compared; values of other types pass.
 * @param {(value: any) => number | undefined} measure
 * @param {(measured: number, bound: number) => boolean} good
 * @param {(bound: number) => string} expected
 * @returns {(builder: Builder, bound: any) => void}
 */
function bound(measure, good, expected) {
  return (builder, limit) => {
    if (typeof limit !== 'number') return;
    builder.add((value, run) => {
      const measured = measure(value);
      return measured === undefined || good(measured, limit) || run.fail(expected(limit), value);
    });
  };
}

const number = (/** @type {any} */ value) => (typeof value === 'number' ? value : undefined);
const characters = (/** @type {any} */ value) => (typeof value === 'string' ? length(value) : undefined);
const items = (/** @type {any} */ value) => (Array.isArray(value) ? value.length : undefined);
const members = (/** @type {any} */ value) => (isObject(value) ? Object.keys(value).length : undefined);
const atLeast = (/** @type {number} */ a, /** @type {number} */ b) => a >= b;
const atMost = (/** @type {number} */ a, /** @type {number} */ b) => a <= b;
const above = (/** @type {number} */ a, /** @type {number} */ b) => a > b;
const below = (/** @type {number} */ a, /** @type {number} */ b) => a < b;

const atLeastNumber = bound(number, atLeast, (limit) => `a number of at least ${limit}`);
const atMostNumber = bound(number, atMost, (limit) => `a number of at most ${limit}`);
const aboveNumber = bound(number, above, (limit) => `a number above ${limit}`);
const belowNumber = bound(number, below, (limit) => `a number below ${limit}`);

/**
 * Keyword, first draft, last draft, and what makes its check. The cheap ones that explain most come first.
 * @type {readonly [string, number, number, (builder: Builder, given: any, name: string) => void][]}
 */
export const keywords = [
  ['type', 4, 2020, (builder, given) => {
    const names = Array.isArray(given) ? given : [given];
    const tests = names.flatMap((name) => TYPES[name] ?? []);
    if (tests.length < names.length) throw refused(`${builder.at}/type`, 'the name of a type', show(given));
    const expected = either(names.map(article));
    const [first] = tests;
    if (tests.length === 1 && first) builder.add((value, run) => first(value) || run.fail(expected, value));
    else builder.add((value, run) => tests.some((test) => test(value)) || run.fail(expected, value));
  }],
  ['enum', 4, 2020, (builder, given) => {
    if (!Array.isArray(given)) return;
    const expected = given.length === 1 ? show(given[0]) : `one of ${given.slice(0, 10).map(show).join(', ')}${given.length > 10 ? ', ...' : ''}`;
    builder.add((value, run) => given.some((one) => equal(one, value)) || run.fail(expected, value));
  }],
  ['const', 6, 2020, (builder, given) => builder.add((value, run) => equal(given, value) || run.fail(show(given), value))],
  ['multipleOf', 4, 2020, (builder, divisor) => builder.add((value, run) => typeof value !== 'number' || isMultiple(value, divisor) || run.fail(`a multiple of ${divisor}`, value))],
  // Draft 4 has booleans that sharpen the bound.
  ['minimum', 4, 4, (builder, limit) => (builder.get('exclusiveMinimum') === true ? aboveNumber : atLeastNumber)(builder, limit)],
  ['maximum', 4, 4, (builder, limit) => (builder.get('exclusiveMaximum') === true ? belowNumber : atMostNumber)(builder, limit)],
  ['minimum', 6, 2020, atLeastNumber],
  ['maximum', 6, 2020, atMostNumber],
  ['exclusiveMinimum', 6, 2020, aboveNumber],
  ['exclusiveMaximum', 6, 2020, belowNumber],
  ['minLength', 4, 2020, bound(characters, atLeast, (limit) => `at least ${plural(limit, 'character')}`)],
  ['maxLength', 4, 2020, bound(characters, atMost, (limit) => `at most ${plural(limit, 'character')}`)],
  ['pattern', 4, 2020, (builder, pattern) => {
    const expression = regex(pattern, `${builder.at}/pattern`);
    builder.add((value, run) => typeof value !== 'string' || expression.test(value) || run.fail(`a string that matches ${show(pattern)}`, value));
  }],
  ['format', 4, 2020, (builder, name) => {
    const test = builder.dialect.format && typeof name === 'string' && Object.hasOwn(formats, name) ? formats[name] : undefined;
    if (test) builder.add((value, run) => typeof value !== 'string' || test(value) || run.fail(`a string in the format ${show(name)}`, value));
  }],
  ['minItems', 4, 2020, bound(items, atLeast, (limit) => `at least ${plural(limit, 'item')}`)],
  ['maxItems', 4, 2020, bound(items, atMost, (limit) => `at most ${plural(limit, 'item')}`)],
  ['uniqueItems', 4, 2020, (builder, given) => {
    if (given === true) builder.add((value, run) => !Array.isArray(value) || new Set(value.map(canonical)).size === value.length || run.fail('items that differ from each other', value));
  }],
  ['prefixItems', 2020, 2020, (builder) => arrays(builder, 'prefixItems', 'items')],
  ['items', 4, 2020, (builder, given) => {
    if (builder.dialect.draft === 2020) {
      if (!builder.has('prefixItems')) arrays(builder, 'prefixItems', 'items');
    } else if (Array.isArray(given)) arrays(builder, 'items', 'additionalItems');
    else arrays(builder, '', 'items');
  }],
  ['contains', 6, 2020, contains],
  ['minProperties', 4, 2020, bound(members, atLeast, (limit) => `at least ${plural(limit, 'property')}`)],
  ['maxProperties', 4, 2020, bound(members, atMost, (limit) => `at most ${plural(limit, 'property')}`)],
  ['required', 4, 2020, (builder, names) => { if (Array.isArray(names)) builder.add((value, run) => !isObject(value) || present(names, value, run, 'required')); }],
  ['properties', 4, 2020, (builder) => objects(builder)],
  ['patternProperties', 4, 2020, (builder) => { if (!builder.has('properties')) objects(builder); }],
  ['additionalProperties', 4, 2020, (builder) => { if (!builder.has('properties') && !builder.has('patternProperties')) objects(builder); }],
  ['propertyNames', 6, 2020, (builder, schema) => {
    const names = builder.sub(schema, 'propertyNames');
    builder.add((value, run) => !isObject(value) || every(Object.keys(value), run, (name) => run.below(names, name, name)));
  }],
  ['dependencies', 4, 2020, dependencies],
  ['dependentRequired', 2019, 2020, dependencies],
  ['dependentSchemas', 2019, 2020, dependencies],
  ['unevaluatedItems', 2019, 2020, (builder, schema) => {
    const rest = builder.sub(schema, 'unevaluatedItems');
    builder.node.last.push((value, run, seen) => {
      if (!Array.isArray(value)) return true;
      const good = every(value, run, (item, index) => index < seen.items || seen.some.has(index) || run.below(rest, item, index));
      seen.items = Infinity;
      return good;
    });
  }],
  ['unevaluatedProperties', 2019, 2020, (builder, schema) => {
    const rest = builder.sub(schema, 'unevaluatedProperties');
    builder.node.last.push((value, run, seen) => {
      if (!isObject(value) || seen.all) return true;
      const good = every(Object.keys(value), run, (name) => seen.properties.has(name) || run.below(rest, value[name], name));
      seen.all = true;
      return good;
    });
  }],
];

/**
 * All of them, as long as anybody wants to know what else is wrong.
 * @template T
 * @param {readonly T[]} list
 * @param {Run} run
 * @param {(item: T, index: number) => boolean} check
 */
function every(list, run, check) {
  let good = true;
  for (let i = 0; i < list.length; i++) {
    if (check(/** @type {T} */ (list[i]), i)) continue;
    good = false;
    if (run.over) break;
  }
  return good;
}

/** @param {string[]} names @param {any} value @param {Run} run @param {string} why */
function present(names, value, run, why) {
  return every(names, run, (name) => Object.hasOwn(value, name) || run.missing(name, `a value (${why})`));
}

/** The first items by schemas of their own, the others by one. @param {Builder} builder @param {string} first @param {string} others */
function arrays(builder, first, others) {
  const prefix = builder.several(first) ?? [];
  const rest = builder.has(others) ? builder.sub(builder.get(others), others) : undefined;
  builder.add((value, run, seen) => {
    if (!Array.isArray(value)) return true;
    if (seen) seen.items = Math.max(seen.items, rest ? Infinity : prefix.length);
    const end = rest ? value.length : Math.min(prefix.length, value.length);
    let good = true;
    for (let i = 0; i < end; i++) {
      const node = prefix[i] ?? rest;
      if (!node || run.below(node, value[i], i)) continue;
      good = false;
      if (run.over) break;
    }
    return good;
  });
}

/** @param {Builder} builder @param {any} schema */
function contains(builder, schema) {
  const node = builder.sub(schema, 'contains');
  const newer = builder.dialect.draft >= 2019;
  const least = newer && typeof builder.get('minContains') === 'number' ? builder.get('minContains') : 1;
  const most = newer && typeof builder.get('maxContains') === 'number' ? builder.get('maxContains') : Infinity;
  const marks = builder.dialect.draft >= 2020;
  builder.add((value, run, seen) => {
    if (!Array.isArray(value)) return true;
    let count = 0;
    for (let i = 0; i < value.length; i++) {
      run.path.push(i);
      const matches = run.silently(node, value[i], undefined);
      run.path.pop();
      if (!matches) continue;
      count += 1;
      if (marks) seen?.some.add(i);
      else if (count >= least && most === Infinity) break;
    }
    if (count < least) return run.fail(`at least ${plural(least, 'item')} that match the schema under "contains"`, value);
    return count <= most || run.fail(`at most ${plural(most, 'item')} that match the schema under "contains"`, value);
  });
}

/** `properties`, `patternProperties` and `additionalProperties`, which depend on each other. @param {Builder} builder */
function objects(builder) {
  /** @type {Map<string, Node>} */
  const named = new Map();
  const properties = builder.get('properties') ?? {};
  for (const name of Object.keys(properties)) named.set(name, builder.sub(properties[name], 'properties', name));
  const patterns = Object.keys(builder.get('patternProperties') ?? {})
    .map((pattern) => /** @type {const} */ ([regex(pattern, `${builder.at}/patternProperties`), builder.sub(builder.get('patternProperties')[pattern], 'patternProperties', pattern)]));
  const rest = builder.has('additionalProperties') ? builder.sub(builder.get('additionalProperties'), 'additionalProperties') : undefined;
  builder.add((value, run, seen) => {
    if (!isObject(value)) return true;
    if (seen && rest) seen.all = true;
    return every(Object.keys(value), run, (name) => {
      let good = true;
      let known = false;
      const node = named.get(name);
      if (node) {
        known = true;
        good = run.below(node, value[name], name);
      }
      for (const [pattern, inner] of patterns) {
        if (!pattern.test(name)) continue;
        known = true;
        good = run.below(inner, value[name], name) && good;
      }
      if (!known && rest) return run.below(rest, value[name], name);
      if (known) seen?.properties.add(name);
      return good;
    });
  });
}

/** Names that ask for other names, or for a schema of the whole. @param {Builder} builder @param {any} given @param {string} keyword */
function dependencies(builder, given, keyword) {
  if (!isObject(given)) return;
  for (const name of Object.keys(given)) {
    const wanted = given[name];
    const why = `required beside ${show(name)}`;
    if (Array.isArray(wanted)) {
      builder.add((value, run) => !isObject(value) || !Object.hasOwn(value, name) || present(wanted, value, run, why));
    } else {
      const node = builder.sub(wanted, keyword, name);
      builder.add((value, run, seen) => !isObject(value) || !Object.hasOwn(value, name) || node.apply(value, run, seen));
    }
  }
}
