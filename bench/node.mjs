// The bench in Node: the plan comes as the first argument, every entry leaves as one line of JSON.

import { writeSync } from 'node:fs';
import { start } from './start.mjs';

const plan = JSON.parse(process.argv[2]);
const report = (entry) => {
  writeSync(1, `${JSON.stringify(entry)}\n`);
};

try {
  await start(plan, report);
  report({ end: true, agent: `Node ${process.versions.node}` });
} catch (error) {
  report({ end: true, error: String(error?.stack ?? error) });
}
process.exit(0);
