// The wasm module itself: what it asks of its surroundings, and what it carries along.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** @param {any} ctx */
export function moduleCases(ctx) {
  return [{
    name: 'the module imports from its own glue only',
    async run() {
      const dir = await ctx.project('module');
      const bytes = await readFile(join(dir, 'node_modules', 'stationmaster', 'wasm', 'stationmaster_bg.wasm'));
      const module = await WebAssembly.compile(bytes);
      const strangers = WebAssembly.Module.imports(module).filter(({ module: from }) => from !== './stationmaster_bg.js');
      if (strangers.length > 0) throw new Error(`imports from elsewhere: ${strangers.map(({ module: from, name }) => `${from}.${name}`)}`);
      const sections = ['name', 'producers', '.debug_info'].filter((name) => WebAssembly.Module.customSections(module, name).length > 0);
      if (sections.length > 0) throw new Error(`sections that only cost bytes: ${sections}`);
      return { detail: `${bytes.length} bytes` };
    },
  }];
}
