// The wasm itself: what it asks of its surroundings, and what it carries along.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** @param {any} ctx */
export function moduleCases(ctx) {
  return [{
    name: 'the first part imports from the glue only, the others from the first only',
    async run() {
      const dir = join(await ctx.project('module'), 'node_modules', 'stationmaster', 'wasm');
      const files = (await readdir(dir)).filter((name) => name.endsWith('.wasm'));
      const modules = new Map(await Promise.all(files.map(async (name) => /** @type {const} */ ([name, await WebAssembly.compile(await readFile(join(dir, name)))]))));
      const exported = new Set(WebAssembly.Module.exports(modules.get('stationmaster_bg.wasm')).map(({ name }) => name));
      for (const [name, module] of modules) {
        const imports = WebAssembly.Module.imports(module);
        const strangers = imports.filter((item) => item.module !== '_' || (name !== 'stationmaster_bg.wasm' && !exported.has(item.name)));
        if (strangers.length > 0) throw new Error(`${name} imports from elsewhere: ${strangers.map((item) => `${item.module}.${item.name}`)}`);
        const sections = ['name', 'producers', '.debug_info'].filter((section) => WebAssembly.Module.customSections(module, section).length > 0);
        if (sections.length > 0) throw new Error(`${name} has sections that only cost bytes: ${sections}`);
      }
      return { detail: `${files.length} files` };
    },
  }];
}
