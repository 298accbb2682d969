// Compares two declaration files, comments and layout aside. What the first declares must stand in the second, word for
// word; the second may have more exports, and more optional members.

/**
 * @param {any} ts the TypeScript API (5.x)
 * @param {string} contract
 * @param {string} ours
 * @returns {string[]} what differs, one line each; nothing when equal
 */
export function differences(ts, contract, ours) {
  const wanted = read(ts, contract);
  const found = read(ts, ours);
  const wrong = [];
  if (wanted.size === 0) wrong.push('the contract declares nothing');
  for (const [name, declaration] of wanted) {
    const other = found.get(name);
    if (!other) {
      wrong.push(`${name} is missing`);
      continue;
    }
    if (declaration.head !== other.head) wrong.push(`${name}: "${declaration.head}" in the contract, "${other.head}" here`);
    for (const [key, text] of declaration.members) {
      const member = other.members.get(key);
      if (member?.text !== text.text) wrong.push(`${name}.${key}: "${text.text}" in the contract, ${member ? `"${member.text}"` : 'nothing'} here`);
    }
    for (const [key, { optional, text }] of other.members) {
      if (!declaration.members.has(key) && !optional) wrong.push(`${name}.${key}: not in the contract and not optional: "${text}"`);
    }
  }
  return wrong;
}

/** Every declaration by name: its head (or the whole, where it has no members) and its members by name. */
function read(ts, text) {
  const file = ts.createSourceFile('declarations.d.ts', text, ts.ScriptTarget.Latest, true);
  const printer = ts.createPrinter({ removeComments: true, omitTrailingSemicolon: true });
  const print = (node) => printer.printNode(ts.EmitHint.Unspecified, node, file).replace(/\s+/g, ' ').replace(/'/g, '"').replace(/[;,] }/g, ' }').replace(/;$/, '').trim();
  const table = new Map();

  const members = (nodes) => {
    const map = new Map();
    for (const node of nodes) {
      const name = node.name ? print(node.name) : print(node);
      // Overloads stand one after the other under one name; their order matters.
      const known = map.get(name);
      map.set(name, known ? { ...known, text: `${known.text} | ${print(node)}` } : { text: print(node), optional: node.questionToken !== undefined });
    }
    return map;
  };
  const add = (prefix, node) => {
    if (ts.isModuleDeclaration(node)) {
      for (const inner of node.body?.statements ?? []) add(`${prefix}${node.name.text}: `, inner);
    } else if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
      const kind = ts.isClassDeclaration(node) ? 'class' : 'interface';
      const heritage = (node.heritageClauses ?? []).map(print).join(' ');
      const parameters = (node.typeParameters ?? []).map(print).join(', ');
      const name = prefix + node.name.text;
      // Interfaces of one name merge.
      const before = table.get(name)?.members ?? new Map();
      table.set(name, { head: `${kind} <${parameters}> ${heritage} ${exported(ts, node)}`, members: new Map([...before, ...members(node.members)]) });
    } else if (ts.isFunctionDeclaration(node) || ts.isTypeAliasDeclaration(node)) {
      const name = prefix + node.name.text;
      const before = table.get(name)?.head;
      const text = print(node).replace(/^export declare /, 'export ');
      table.set(name, { head: before ? `${before} | ${text}` : text, members: new Map() });
    } else if (ts.isVariableStatement(node)) {
      for (const variable of node.declarationList.declarations) table.set(prefix + variable.name.text, { head: print(variable), members: new Map() });
    }
  };
  for (const statement of file.statements) add('', statement);
  return table;
}

function exported(ts, node) {
  return (node.modifiers ?? []).some((modifier) => modifier.kind === ts.SyntaxKind.ExportKeyword) ? 'exported' : 'global';
}
