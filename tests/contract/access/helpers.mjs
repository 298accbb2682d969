// Servers of a row's own, and a look for secrets in everything that an application can see.

/** A server that ends with the row. */
export async function server(t, options) {
  const given = await t.control('start', options);
  t.ending(() => t.control('stop', given.id));
  return { ...given, restart: () => t.control('restart', given.id), reconfigure: (changed) => t.control('reconfigure', given.id, changed) };
}

/** A server in operator mode, and what makes its users. */
export async function operated(t) {
  const { operator, lines, accountJwt } = await t.control('operator');
  const host = await server(t, { extra: lines });
  const revoke = async (key) => host.reconfigure({ extra: await t.control('revoke', operator, key) });
  return { ...host, revoke, accountJwt, user: (options) => t.control('user', operator, options) };
}

/** Collects what the connection shows of itself; `text()` is all of it in one piece. */
export class Watch {
  #seen = [];

  logger = (entry) => { this.#seen.push(entry); };

  attach(connection) {
    const keep = async (entries) => { for await (const entry of entries) this.#seen.push(entry); };
    void keep(connection.status());
    keep(connection.tap()).catch(() => {});
    return connection;
  }

  see(value) {
    this.#seen.push(value);
  }

  text() {
    const latin = new TextDecoder('latin1');
    const seen = new Set();
    const flat = (value) => {
      if (value instanceof Uint8Array) return latin.decode(value);
      if (typeof value !== 'object' || value === null) return String(value);
      if (seen.has(value)) return '';
      seen.add(value);
      const names = value instanceof Error ? [...Object.getOwnPropertyNames(value), 'hint', 'cause'] : Object.keys(value);
      return names.map((name) => `${name}=${flat(value[name])}`).join('\n');
    };
    return this.#seen.map(flat).join('\n');
  }
}

/** None of the secrets stands anywhere in what was seen, nor a good part of one. */
export function hidden(t, watch, ...secrets) {
  const text = watch.text();
  t.ok(text.length > 0, 'nothing was seen at all');
  for (const secret of secrets) {
    for (let at = 0; at + 12 <= secret.length; at += 4) {
      t.ok(!text.includes(secret.slice(at, at + 12)), `a secret is to be seen: ...${text.slice(Math.max(0, text.indexOf(secret.slice(at, at + 12)) - 60), text.indexOf(secret.slice(at, at + 12)) + 12)}`);
    }
  }
}
