// The public JSON Schema Test Suite (json-schema-org/JSON-Schema-Test-Suite), unpacked somewhere, against the engine. It is no part of the
// repository, and no stage of the tests.
//
//   node tests/schemas/public.mjs FOLDER [optional | optional/format]
//
// "refused": groups that refer to other documents, which are not fetched.

import { readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [folder, part = ''] = process.argv.slice(2);
if (!folder) throw new Error('which folder?');
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const { load } = await import(pathToFileURL(join(root, 'pkg', 'schemas', 'index.js')).href);
const engine = await load('json');

const drafts = {
  draft4: 'http://json-schema.org/draft-04/schema#',
  draft6: 'http://json-schema.org/draft-06/schema#',
  draft7: 'http://json-schema.org/draft-07/schema#',
  'draft2019-09': 'https://json-schema.org/draft/2019-09/schema',
  'draft2020-12': 'https://json-schema.org/draft/2020-12/schema',
};
for (const [draft, uri] of Object.entries(drafts)) {
  const counts = { right: 0, wrong: 0, refused: 0 };
  const path = join(folder, 'tests', draft, part);
  for (const file of (await readdir(path)).filter((name) => name.endsWith('.json')).sort()) {
    for (const group of JSON.parse(await readFile(join(path, file), 'utf8'))) {
      const inner = group.schema;
      const schema = typeof inner === 'boolean' ? { $schema: uri, allOf: [inner] } : { $schema: uri, ...inner };
      let compiled;
      let problem = '';
      try {
        compiled = engine.compile(JSON.stringify(schema));
      } catch (error) {
        problem = error.message;
      }
      for (const { description, data, valid } of group.tests) {
        if (problem.includes('not fetched')) counts.refused += 1;
        else if (compiled && (compiled.check(JSON.stringify(data)).length === 0) === valid) counts.right += 1;
        else {
          counts.wrong += 1;
          console.log(`${draft} ${file}: ${group.description}, ${description}: should ${valid ? '' : 'not '}fit ${problem}`);
        }
      }
    }
  }
  console.log(`${draft}: ${counts.right} right, ${counts.wrong} wrong, ${counts.refused} refused`);
}
