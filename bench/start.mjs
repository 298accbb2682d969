// What a plan asks for: the table, or the memory run.

import { runSuite } from './suite.mjs';
import { runMemory } from './memory.mjs';

export async function start(plan, report) {
  await (plan.task === 'memory' ? runMemory(plan, report) : runSuite(plan, report));
}
