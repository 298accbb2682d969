// The GraphQL engine: a message is a document that must be valid against the schema's SDL by the specification's rules. Parsing and
// rules are graphql-js, the reference implementation; here are its limits and the shape of what it says. Runs no query.

import { GraphQLError, buildASTSchema, parse, print, specifiedRules, validate, validateSchema } from 'graphql';
// What buildSchema() calls, which gives no places.
import { validateSDL } from 'graphql/validation/validate.mjs';
import { MAX_VIOLATIONS, SchemaError, bytesOfText, compiled, lineColumn, schema, show, utf8, violation } from '../violations.js';

/** @import { DocumentNode, OperationDefinitionNode, ValidationContext } from 'graphql' */
/** @import { Engine, Violation } from '../../index.js' */
/** @import { Outcome } from '../violations.js' */

/** Of a message: some rules compare every field with every other. */
const MAX_TOKENS = 10_000;
/** Of a definition, which is checked once. */
const MAX_DEFINITION_TOKENS = 500_000;
/** Braces, brackets and parentheses inside each other; the parser and some rules recurse. */
const MAX_DEPTH = 200;

/**
 * A mutation needs a schema that has some. This version of the library leaves that to execution; the specification does not.
 * @param {ValidationContext} context
 */
const operationTypes = (context) => ({
  /** @param {OperationDefinitionNode} node */
  OperationDefinition(node) {
    if (!context.getSchema().getRootType(node.operation)) context.reportError(new GraphQLError(`The schema has no ${node.operation} type.`, { nodes: node }));
  },
});
const rules = [...specifiedRules, operationTypes];

/** @type {Engine} */
export const engine = {
  type: 'graphql',
  compile(definition) {
    const built = compiled(() => build(definition));
    /** @param {Uint8Array} bytes @returns {Outcome} */
    const read = (bytes) => {
      const text = utf8(bytes);
      if (text === undefined) return { violations: [violation('', 'GraphQL in UTF-8', 'bytes that are not UTF-8')] };
      const document = parsed(text, MAX_TOKENS, 'a document in GraphQL');
      if (Array.isArray(document)) return { violations: document };
      return { value: text, violations: listed(validate(built, document, rules), 'what the schema allows') };
    };
    /** @param {unknown} value @returns {Outcome} */
    const write = (value) => {
      if (/** @type {any} */ (value)?.kind !== 'Document') return { violations: [violation('', 'a text or a parsed document', show(value))] };
      let text;
      try {
        text = print(/** @type {DocumentNode} */ (value));
      } catch (error) {
        return { violations: [violation('', 'a parsed document', String(/** @type {Error} */ (error)?.message))] };
      }
      const bytes = bytesOfText(text);
      return { bytes, violations: read(bytes).violations };
    };
    return schema({ type: 'graphql', read, write });
  },
};

/** @param {string} definition */
function build(definition) {
  const document = parsed(definition, MAX_DEFINITION_TOKENS, 'a schema in GraphQL');
  if (Array.isArray(document)) throw new SchemaError('definition', document);
  let wrong = validateSDL(document);
  if (wrong.length === 0) {
    const built = buildASTSchema(document, { assumeValidSDL: true });
    wrong = validateSchema(built);
    if (wrong.length === 0) return built;
  }
  throw new SchemaError('definition', listed(wrong, 'a valid schema'));
}

/** @param {string} text @param {number} maxTokens @param {string} expected @returns {DocumentNode | Violation[]} */
function parsed(text, maxTokens, expected) {
  const deep = tooDeep(text);
  if (deep !== undefined) return [violation(lineColumn(text, deep), `${expected} of at most ${MAX_DEPTH} levels`)];
  try {
    return parse(text, { maxTokens });
  } catch (error) {
    const { message, locations } = /** @type {GraphQLError} */ (error);
    if (!locations) throw error;
    const [, wanted, found] = message.match(/^Syntax Error: Expected (.*), found (.*)\.$/s) ?? [];
    return [violation(place(locations), wanted ?? expected, found ?? message)];
  }
}

/** Where brackets go too deep, if they do. Those in strings and comments do not count. @param {string} text */
function tooDeep(text) {
  let depth = 0;
  // Every alternative ends where it stands: nothing is tried twice, however long a string is.
  for (const { 0: token, index } of text.matchAll(/#.*|"""(?:\\"""|[^"\\]+|"(?!"")|\\(?!"""))*(?:"""|$)|"(?:\\.|[^"\\\n\r]+)*"?|[{}[\]()]/g)) {
    if (/^[{[(]/.test(token) && ++depth > MAX_DEPTH) return index;
    if (/^[}\])]/.test(token)) depth -= 1;
  }
  return undefined;
}

/** @param {readonly GraphQLError[]} errors @param {string} expected */
function listed(errors, expected) {
  return errors.slice(0, MAX_VIOLATIONS).map(({ message, locations }) => (
    // The library's own limit on comparisons of fields; it has no place.
    message === 'Validation aborted.' ? violation('', 'a document that can be validated in reasonable time') : violation(place(locations), expected, message)));
}

/** @param {GraphQLError['locations']} locations */
function place(locations) {
  const first = locations?.[0];
  return first ? `${first.line}:${first.column}` : '';
}
