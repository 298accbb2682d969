// The tool that cuts the wasm: a small module, whole and in parts, gives the same answers; what must not be cut is refused.
//
//   node tests/parts/run.mjs

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modules, root } from '../../scripts/lib/tools.mjs';

const MODULE = `(module
  (type $unary (func (param i32) (result i32)))
  (import "./m_bg.js" "__wbg_twice_0123456789abcdef" (func $twice (type $unary)))
  (memory 1)
  (data (i32.const 64) "shared")
  (global $calls (mut i32) (i32.const 0))
  (table 3 3 funcref)
  (elem (i32.const 1) func $crate::part::slot $crate::base::slot)
  (func $crate::part::heavy (type $unary)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (i32.add (call $crate::part::only (local.get 0)) (call $crate::base::both (local.get 0))))
  (func $crate::part::only (type $unary) (i32.mul (call $twice (local.get 0)) (i32.const 7)))
  (func $crate::base::both (type $unary) (i32.add (local.get 0) (i32.load8_u (i32.const 64))))
  (func $crate::part::slot (type $unary)
    (i32.store (i32.const 128) (i32.add (i32.load (i32.const 128)) (local.get 0)))
    (i32.store (i32.const 132) (i32.xor (i32.load (i32.const 128)) (i32.const 12345678)))
    (i32.store (i32.const 136) (i32.rotl (i32.load (i32.const 132)) (i32.const 11)))
    (i32.store (i32.const 140) (i32.mul (i32.load (i32.const 136)) (i32.const 987654321)))
    (i32.add (i32.load (i32.const 140)) (call $crate::part::only (local.get 0))))
  (func $crate::base::slot (type $unary) (i32.sub (local.get 0) (i32.const 5)))
  (func $crate::base::both_again (type $unary) (call $crate::base::both (local.get 0)))
  (func $run (export "run") (type $unary)
    (if (result i32) (i32.gt_s (local.get 0) (i32.const 10)) (then (call $crate::part::heavy (local.get 0))) (else (call $crate::base::both_again (local.get 0)))))
  (func $indirect (export "indirect") (param i32 i32) (result i32) (call_indirect (type $unary) (local.get 1) (local.get 0)))
  (func $moved (export "moved") (type $unary) (call $crate::part::only (call $crate::base::both (local.get 0))))
  (func $calls (export "calls") (result i32) (global.get $calls)))`;
const TABLE = 'root crate::\npart part\n  crate::part\n  export moved\n';
const GATE = '  gate crate::part::heavy # declared\n';

const dir = await mkdtemp(join(tmpdir(), 'stationmaster-parts-'));
let [passed, failed] = [0, 0];
const row = async (name, work) => {
  try {
    await work();
    passed++;
    console.log(`ok   ${name}`);
  } catch (error) {
    failed++;
    console.log(`FAIL ${name}\n     ${error?.stack ?? error}`);
  }
};
const equal = (is, should, what) => {
  if (is !== should) throw new Error(`${what}: ${is} instead of ${should}`);
};
const host = (x) => x * 2;

/** Cuts a module; what the tool said, and its parts. */
async function cut(name, wat, table) {
  const at = (file) => join(dir, `${name}-${file}`);
  await writeFile(at('m.wat'), wat);
  await writeFile(at('table.txt'), table);
  execFileSync(join(modules, '.bin', 'wasm-as'), [at('m.wat'), '-g', '-o', at('m.wasm')]);
  const out = await mkdtemp(at('out-'));
  const { status, stderr } = spawnSync(join(root, 'target', 'tools', 'debug', 'parts'), [at('table.txt'), at('m.wasm'), out], { encoding: 'utf8', env: { ...process.env, RUST_BACKTRACE: '0' } });
  if (status !== 0) return { said: stderr };
  const { imports, parts } = JSON.parse(await readFile(join(out, 'parts.json'), 'utf8'));
  const module = async (file) => new WebAssembly.Module(await readFile(file));
  const whole = new WebAssembly.Instance(await module(at('m.wasm')), { './m_bg.js': { __wbg_twice_0123456789abcdef: host } }).exports;
  const first = new WebAssembly.Instance(await module(join(out, 'first.wasm')), { _: { [imports.__wbg_twice_0123456789abcdef]: host } }).exports;
  const called = (part, exports) => Object.fromEntries(Object.entries(parts.find(({ name }) => name === part).exports).map(([name, short]) => [name, exports[short]]));
  return { said: '', whole, first, started: called('first', first), part: await module(join(out, 'part.wasm')), called };
}

try {
  await row('a module in parts answers as the whole one', async () => {
    const { whole, first, started, part, called } = await cut('same', MODULE, TABLE + GATE);
    equal(started.run(3), whole.run(3), 'what needs no part');
    equal(started.indirect(2, 9), whole.indirect(2, 9), 'a slot of the first part');
    equal('moved' in started, false, 'an export of the part in the first one');
    const moved = called('part', new WebAssembly.Instance(part, { _: first }).exports);
    for (const x of [11, 12, 1000]) {
      equal(started.run(x), whole.run(x), `through a gate, ${x}`);
      equal(started.indirect(1, x), whole.indirect(1, x), `through the table, ${x}`);
      equal(moved.moved(x), whole.moved(x), `an export of the part, ${x}`);
    }
    equal(started.calls(), whole.calls(), 'the shared global');
  });
  await row('a gate whose part is not there traps', async () => {
    const { started } = await cut('early', MODULE, TABLE + GATE);
    let trapped;
    try { started.run(11); } catch (error) { trapped = error; }
    equal(trapped instanceof WebAssembly.RuntimeError, true, 'a trap');
  });
  await row('a call into a part that is no declared gate is refused', async () => {
    // Small functions go where they are used; this one is made larger.
    const large = MODULE.replace('(global.set $calls', `${'(i32.store (i32.const 200) (i32.add (i32.load (i32.const 200)) (local.get 0)))'.repeat(20)}(global.set $calls`);
    const { said } = await cut('wild', large, TABLE);
    equal(/first -> part: run calls crate::part::heavy/.test(said), true, `the complaint, not ${said}`);
  });
  await row('an export that is not there is refused', async () => {
    const { said } = await cut('lost', MODULE, `${TABLE}  export nowhere\n`);
    equal(/no export nowhere/.test(said), true, `the complaint, not ${said}`);
  });
  await row('parts of different builds do not join', async () => {
    const one = await cut('one', MODULE, TABLE + GATE);
    const other = await cut('other', MODULE.replace('i32.const 7', 'i32.const 8'), TABLE + GATE);
    let refused;
    try { new WebAssembly.Instance(other.part, { _: one.first }); } catch (error) { refused = error; }
    equal(refused instanceof WebAssembly.LinkError || refused instanceof TypeError, true, 'the link');
  });
} finally {
  await rm(dir, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
