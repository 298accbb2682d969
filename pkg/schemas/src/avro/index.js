// The Avro engine: messages are JSON text, checked against an Avro schema. No Avro binary is read or written.

import { SchemaError, compiled, schema } from '../violations.js';
import { parse, readJson, writeJson } from '../text.js';
import { Check } from './check.js';
import { Definition } from './definition.js';

/** @import { Engine } from '../../index.js' */

/** @type {Engine} */
export const engine = {
  type: 'avro',
  compile(text) {
    const definition = new Definition();
    const root = compiled(() => definition.type(parse(text), '', []));
    for (const { type, value, at } of definition.defaults) {
      const check = new Check(text.length, at);
      compiled(() => check.check(type, value));
      if (check.violations.length > 0) throw new SchemaError('definition', check.violations);
    }
    /** @param {unknown} value @param {number} size */
    const run = (value, size) => {
      const check = new Check(size);
      check.check(root, value);
      return check.violations;
    };
    return schema({ type: 'avro', read: (bytes) => readJson(bytes, run, true), write: (value) => writeJson(value, run, true) });
  },
};
