// The glue for a module in parts, from what wasm-bindgen wrote for the whole one: the first part's, and what the others add.

/** Helpers of the generated glue that functions of parts use. */
const HELPERS = [
  'fresh', '__wbg_call_guard', 'isLikeNone', 'passStringToWasm0', 'passArray8ToWasm0', 'passArrayJsValueToWasm0', 'getArrayU8FromWasm0', 'getArrayU32FromWasm0', 'getArrayF64FromWasm0',
  'getStringFromWasm0', 'takeFromExternrefTable0',
];

/**
 * Imports and exports by the short names that they have now. Functions of parts are called through `more`, which has what is there
 * of them, and come in a file of their own; methods that give a promise have their part loaded first.
 * @param {string} text
 * @param {{ imports: Record<string, string>, parts: { name: string, needs: string[], exports: Record<string, string> }[] }} cut
 * @returns {{ first: string, added: string }}
 */
export function joined(text, cut) {
  const [first, ...others] = cut.parts;
  for (const [name, short] of Object.entries(cut.imports)) text = replaced(text, `        ${name}: function(`, `        ${short}: function(`);
  text = replaced(text, '"./stationmaster_bg.js": import0', '_: import0');
  for (const [name, short] of Object.entries(first.exports)) text = text.replaceAll(new RegExp(`\\bwasm\\.${name}\\b`, 'g'), `wasm.${short}`);
  /** Methods that wait for a part. @type {Record<string, string>} */
  const waiting = {};
  for (const { name: part, exports } of others) {
    for (const [name, short] of Object.entries(exports)) {
      text = replaced(text, new RegExp(`\\bwasm\\.${name}\\b`, 'g'), `more.${short}`);
      const method = name.replace(/^engine_/, '');
      if (text.includes(`     * @returns {Promise<any>}\n     */\n    ${method}(`)) waiting[method] = part;
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
  text = replaced(text, '    wasm = wasmInstance.exports;\n', `    wasm = wasmInstance.exports;
    for (const module of attached.values()) Object.assign(more, new WebAssembly.Instance(module, { _: wasm }).exports);
`);
  text = lean(text);

  /** Code of the parts. @type {{ methods: string[], waiting: string[], functions: string[] }} */
  const moved = { methods: [], waiting: [], functions: [] };
  const names = new Set();
  text = text.replace(/(?:    \/\*\*\n(?:     \*.*\n)*)?    (\w+)\(([^)]*)\) \{\n([^]*?)\n    \}\n/g, (whole, name, given, body) => {
    if (!body.includes('more.')) return whole;
    (name in waiting ? moved.waiting : moved.methods).push(`        ${name}(${given}) {\n${inside(body)}\n        },\n`);
    return '';
  });
  text = text.replace(/(?:\/\*\*\n(?: \*.*\n)*)?export function (\w+)\(([^)]*)\) \{\n([^]*?)\n\}\n/g, (whole, name, given, body) => {
    if (!body.includes('more.')) return whole;
    names.add(name);
    moved.functions.push(`        ${name}(${given}) {\n${inside(body)}\n        },\n`);
    return '';
  });
  const lost = Object.keys(waiting).length - moved.waiting.length;
  if (lost || /\bmore\.\w/.test(text.replaceAll('Object.assign(more,', ''))) throw new Error('the glue still has functions of parts: see what wasm-bindgen writes now');

  const needs = Object.fromEntries(others.map(({ name, needs }) => [name, needs]));
  const speaking = others.filter(({ exports }) => Object.keys(exports).length > 0).map(({ name }) => name);
  return {
    first: `${text}
/** Functions of the parts that are there. */
let more = {};
/** Compiled parts by name: a new instance gets them at once. */
const attached = new Map();

/** What parts need each other, who has them loaded, and who is told of a trap in a task. */
export const parts = { load: undefined, trapped: undefined, needs: ${JSON.stringify(needs)} };

/** Parts with functions that JavaScript calls: the glue for those is a file of its own. */
const speaking = ${JSON.stringify(speaking)};
let added, adding;
function add() {
    adding ??= import('./stationmaster-added.js').then(
        ({ default: make }) => {
            added = make({ get wasm() { return wasm; }, get more() { return more; }, get length() { return WASM_VECTOR_LEN; }, ${HELPERS.join(', ')} });
            Object.assign(Engine.prototype, added.methods);
        },
        (error) => {
            adding = undefined;
            throw error;
        },
    );
    return adding;
}

/** Joins a part to the instance: its bytes, the module, or where to fetch it. */
export async function attach(name, source) {
    const glue = speaking.includes(name) && add();
    source = await source;
    // Bundlers put small files into the URL itself, which a content security policy may forbid to fetch.
    if (source?.protocol === 'data:') source = Uint8Array.from(atob(source.href.split(',')[1]), (byte) => byte.charCodeAt(0));
    else if (source?.href) source = await fetch(source);
    await glue;
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

/** Methods that give a promise, and the part that they wait for. */
const waiting = ${JSON.stringify(waiting)};
for (const name in waiting) Engine.prototype[name] = function (...given) {
    return together(this, waiting[name], () => added.waiting[name].apply(this, given));
};
${[...names].map((name) => `export const ${name} = (...given) => added.functions.${name}(...given);\n`).join('')}`,
    added: `// The glue of functions in parts; loaded with the first of them.

export default (_) => ({
    methods: {
${moved.methods.join('')}    },
    waiting: {
${moved.waiting.join('')}    },
    functions: {
${moved.functions.join('')}    },
});
`,
  };
}

/** A body of the glue, in the file of what the parts add. @param {string} body */
function inside(body) {
  return body.replace(/\bmore\./g, '_.more.').replace(/\bwasm\./g, '_.wasm.').replace(/\bWASM_VECTOR_LEN\b/g, '_.length').replace(new RegExp(`(?<![.\\w])(${HELPERS.join('|')})\\(`, 'g'), '_.$1(');
}

/** Without what no platform of this package needs, and in fewer words. @param {string} text */
function lean(text) {
  text = replaced(text, /            \/\/ Cast intrinsic .*\n/g, '');
  // Imports: arrows, and one wrapper for those that catch.
  text = replaced(text, /: function\(([^)]*)\) \{\n            const ret = (.*);\n            return ret;\n        \},/g, ': ($1) => $2,');
  text = replaced(text, /: function\(([^)]*)\) \{\n            const (\w+) = (arg\d);\n            const ret = (.*);\n            return ret;\n        \},/g, (_, given, name, value, result) => `: (${given}) => ${result.replaceAll(new RegExp(`\\b${name}\\b`, 'g'), value)},`);
  text = replaced(text, /: function\(([^)]*)\) \{\n            let result;\n            try \{\n                result = (arg0 instanceof \w+);\n            \} catch \(_\) \{\n                result = false;\n            \}\n            const ret = result;\n            return ret;\n        \},/g, ': ($1) => $2,');
  text = replaced(text, /: function\(\) \{ return handleError\(function \(([^)]*)\) \{\n            const ret = (.*);\n            return ret;\n        \}, arguments\); \},/g, ': catching(($1) => $2),');
  text = replaced(text, /: function\(\) \{ return handleError\(function \(([^)]*)\) \{\n([^]*?)\n        \}, arguments\); \},/g, ': catching(($1) => {\n$2\n        }),');
  text = replaced(text, /: function\(([^)]*)\) \{\n            (.*);\n        \},/g, ': ($1) => { $2; },');
  text = replaced(text, `function handleError(f, args) {
    try {
        return f.apply(this, args);
    } catch (e) {`, `const catching = (f) => (...args) => {
    try {
        return f(...args);
    } catch (e) {`);
  // The ways in which the entries start it.
  text = replaced(text, /function initSync\(module\) \{\n[^]*?\n\}\n/, `function initSync({ module }) {
    return wasm ?? __wbg_finalize_init(new WebAssembly.Instance(module, __wbg_get_imports()), module);
}
`);
  text = replaced(text, /async function __wbg_init_once\(module_or_path\) \{\n[^]*?    const imports/, 'async function __wbg_init_once({ module_or_path }) {\n    const imports');
  // Every platform encodes into memory that is there.
  text = replaced(text, /if \(!\('encodeInto' in cachedTextEncoder\)\) \{\n[^]*?\n\}\n/, '');
  text = replaced(text, /    if \(realloc === undefined\) \{\n[^]*?\n    \}\n/, '');
  return text;
}

/**
 * A replacement that must happen.
 * @param {string} text
 * @param {string | RegExp} from
 * @param {string | ((...found: string[]) => string)} to
 */
function replaced(text, from, to) {
  const out = typeof from === 'string' ? text.replaceAll(from, /** @type {string} */ (to)) : text.replace(from, /** @type {any} */ (to));
  if (out === text) throw new Error(`the glue has no ${from}: see what wasm-bindgen writes now`);
  return out;
}
