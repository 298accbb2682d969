// Makes pkg/ complete from what wasm-pack made: the wasm in parts and the glue that joins them, both also as base64, the public index.d.ts, the
// version, and nothing that users should not see.

import { spawnSync } from 'node:child_process';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './lib/tools.mjs';

/** The last section of src/face/typings ends with it; what wasm-bindgen adds below is the glue's own. */
const END = '// end of the public interface';

const pkg = join(root, 'pkg');
const wasm = join(pkg, 'wasm');
/** What wasm-pack made. */
const whole = join(root, 'target', 'whole');

/**
 * After a trap the glue starts a new instance. Tasks and timers of the old one still come, and the generated code would throw at
 * each: an uncaught exception, which ends a Node process. There is nobody left to do anything for, so they do nothing.
 */
const STALE = "throw new Error('Cannot invoke closure from previous WASM instance');";

/** What a page has to fetch for the first part, and where the others lie beside it. */
const FIRST = 'stationmaster_bg.wasm';
const cuts = join(root, 'target', 'parts');
/** The module as the linker made it. */
const linked = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'wasm32-unknown-unknown', 'release', 'stationmaster.wasm');

await mkdir(cuts, { recursive: true });
const { status } = spawnSync(join(root, 'target', 'tools', 'debug', 'parts'), [join(root, 'scripts', 'parts.txt'), join(whole, FIRST), linked, cuts], { stdio: 'inherit', env: { ...process.env, RUST_BACKTRACE: '0' } });
if (status !== 0) throw new Error('the module could not be cut into parts: see above, and scripts/parts.txt');

const [glue, cut, declarations, cargo, manifest] = await Promise.all([
  readFile(join(whole, 'stationmaster.js'), 'utf8'),
  readFile(join(cuts, 'parts.json'), 'utf8').then(JSON.parse),
  readFile(join(whole, 'stationmaster.d.ts'), 'utf8'),
  readFile(join(root, 'Cargo.toml'), 'utf8'),
  readFile(join(pkg, 'package.json'), 'utf8'),
]);

const end = declarations.indexOf(END);
if (end < 0) throw new Error(`wasm-pack's declarations have no line "${END}"`);
// The first lines are a lint comment and wasm-bindgen's own switches, which mean nothing in hand-written declarations.
const typings = declarations.slice(0, end).replace(/^\/\* tslint:disable \*\/\n\/\* eslint-disable \*\/\n/, '').trim();

const version = cargo.match(/^version = "(.+)"$/m)?.[1];
if (!version) throw new Error('Cargo.toml has no version');
const withVersion = manifest.replace(/("version": )"[^"]*"/, `$1"${version}"`);

if (!glue.includes(STALE)) throw new Error('the glue treats closures of a former instance differently now: see whether package.mjs is still needed for it');

await mkdir(wasm, { recursive: true });
// Nothing of an older build is left.
for (const file of await readdir(wasm)) await rm(join(wasm, file));
for (const { name } of cut.parts) {
  const bytes = await readFile(join(cuts, `${name}.wasm`));
  const first = name === 'first';
  await writeFile(join(wasm, first ? FIRST : `stationmaster-${name}.wasm`), bytes);
  await writeFile(join(wasm, first ? 'inline.js' : `inline-${name}.js`), `export default ${JSON.stringify(bytes.toString('base64'))};\n`);
}
for (const entry of ['index.js', 'index.inline.js', 'index.workerd.js']) {
  const text = await readFile(join(pkg, entry), 'utf8');
  const lacking = cut.parts.find(({ name }) => name !== 'first' && !text.includes(`-${name}.`));
  if (lacking) throw new Error(`pkg/${entry} does not name the part ${lacking.name}`);
}

await Promise.all([
  writeFile(join(wasm, 'stationmaster.js'), joined(glue.replaceAll(STALE, 'return;'))),
  // For the type-check of the shell; not shipped, since it would only invite imports past the public interface.
  writeFile(join(wasm, 'stationmaster.d.ts'), declarations),
  writeFile(join(pkg, 'index.d.ts'), `${typings}\n`),
  withVersion === manifest ? undefined : writeFile(join(pkg, 'package.json'), withVersion),
]);

/**
 * The glue for a module in parts: the short names that imports and exports have now; functions of parts are called through
 * `more`, which has what is there of them; methods that give a promise have their part loaded first.
 * @param {string} text
 */
function joined(text) {
  const [first, ...others] = cut.parts;
  for (const [name, short] of Object.entries(cut.imports)) text = replaced(text, `        ${name}: function(`, `        ${short}: function(`);
  text = replaced(text, '"./stationmaster_bg.js": import0', '_: import0');
  for (const [name, short] of Object.entries(first.exports)) text = text.replaceAll(new RegExp(`\\bwasm\\.${name}\\b`, 'g'), `wasm.${short}`);
  for (const { name: part, exports } of others) {
    for (const [name, short] of Object.entries(exports)) {
      text = replaced(text, new RegExp(`\\bwasm\\.${name}\\b`, 'g'), `more.${short}`);
      const method = name.replace(/^engine_/, '');
      text = text.replace(
        new RegExp(`(     \\* @returns \\{Promise<any>\\}\n     \\*/\n    ${method}\\([^)]*\\) \\{\n)([^]*?)(\n    \\}\n)`),
        (_, head, body, tail) => `${head}        return together(this, '${part}', () => {\n${body}\n        });${tail}`,
      );
    }
  }
  // Said once instead of in every method.
  text = replaced(text, /        if \(this\.__wbg_inst !== undefined && this\.__wbg_inst !== __wbg_instance_id\) \{\n            throw new Error\('Invalid stale object from previous Wasm instance'\);\n        \}\n(        let ret;\n)?((?:(?!        __wbg_call_guard).*\n)*?)        __wbg_call_guard\(\);\n/g, '        fresh(this);\n$1$2');
  // What traps in a task that the glue began is told, as what traps in a call is. The closure's own memory is left alone: it was the old instance's.
  text = replaced(text, `        } finally {
            state.a = a;
            real._wbg_cb_unref();`, `        } catch (error) {
            state.cnt = Infinity;
            parts.trapped(error);
        } finally {
            state.a = a;
            real._wbg_cb_unref();`);
  const needs = Object.fromEntries(others.map(({ name, needs }) => [name, needs]));
  text = replaced(text, '    wasm = wasmInstance.exports;\n', `    wasm = wasmInstance.exports;
    for (const module of attached.values()) Object.assign(more, new WebAssembly.Instance(module, { _: wasm }).exports);
`);
  return `${text}
/** Functions of the parts that are there. */
let more = {};
/** Compiled parts by name: a new instance gets them at once. */
const attached = new Map();

/** What parts need each other, who has them loaded, and who is told of a trap in a task. */
export const parts = { load: undefined, trapped: undefined, needs: ${JSON.stringify(needs)} };

/** Joins a part to the instance: its bytes, the module, or where to fetch it. */
export async function attach(name, source) {
    source = await source;
    // Bundlers put small files into the URL itself, which a content security policy may forbid to fetch.
    if (source?.protocol === 'data:') source = Uint8Array.from(atob(source.href.split(',')[1]), (byte) => byte.charCodeAt(0));
    else if (source?.href) source = await fetch(source);
    const id = __wbg_instance_id;
    const { instance, module } = await __wbg_load(source, { _: wasm });
    attached.set(name, module);
    Object.assign(more, (id === __wbg_instance_id ? instance : new WebAssembly.Instance(module, { _: wasm })).exports);
}

/** An instance that has trapped is replaced first; then the object must be one of the instance that is. */
function fresh(object) {
    __wbg_call_guard();
    if (object.__wbg_inst !== undefined && object.__wbg_inst !== __wbg_instance_id) throw new Error('Invalid stale object from previous Wasm instance');
}

async function together(engine, part, work) {
    const loading = parts.load(part);
    if (loading) {
        await loading;
        // Over meanwhile: whoever waits has been told.
        if (!engine.__wbg_ptr || engine.__wbg_inst !== __wbg_instance_id) return new Promise(() => {});
    }
    return work();
}
`;
}

/**
 * A replacement that must happen.
 * @param {string} text
 * @param {string | RegExp} from
 * @param {string} to
 */
function replaced(text, from, to) {
  const out = typeof from === 'string' ? text.replaceAll(from, to) : text.replace(from, to);
  if (out === text) throw new Error(`the glue has no ${from}: see what wasm-bindgen writes now`);
  return out;
}
