// What a plan asks for: the table, the memory run, or where publish spends its time.

import { runSuite } from './suite.mjs';
import { runMemory } from './memory.mjs';
import { runSplit } from './split.mjs';

export async function start(plan, report) {
  await { table: runSuite, memory: runMemory, split: runSplit }[plan.task](plan, report);
}
