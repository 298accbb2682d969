// The registry's bucket as another client sees it: @nats-io/kv's, outside of the page under test.

import { tool } from '../../scripts/lib/tools.mjs';

const BUCKET = 'stationmaster_schemas';

/**
 * `control` has, for rows; `url` is the server meant, the run's own if it is left out:
 * - kvPut(key, text, url), kvDelete(key, url), kvPurge(key, url)
 * - kvGet(key, url): { text, revision, operation }, or null
 * - kvKeys(url), kvHistory(key, url): [{ text, revision, operation }]
 * - kvWatch(key, count, url): the texts of so many entries, from the newest stored one on
 * - kvExists(url): whether there is a bucket
 * @param {string} own
 */
export function bucket(own) {
  /** @type {Map<string, Promise<any>>} */
  const connections = new Map();
  const connection = async (url = own) => {
    const { wsconnect } = await tool('@nats-io/nats-core');
    if (!connections.has(url)) connections.set(url, wsconnect({ servers: url, reconnect: false }));
    return connections.get(url);
  };
  const open = async (url) => {
    const { Kvm } = await tool('@nats-io/kv');
    return new Kvm(await connection(url)).open(BUCKET);
  };
  const entry = (found) => found && { text: found.string(), revision: found.revision, operation: found.operation };
  const control = {
    kvPut: async (key, text, url) => (await open(url)).put(key, text),
    kvDelete: async (key, url) => (await open(url)).delete(key),
    kvPurge: async (key, url) => (await open(url)).purge(key),
    kvGet: async (key, url) => entry(await (await open(url)).get(key)),
    async kvKeys(url) {
      const keys = [];
      for await (const key of await (await open(url)).keys()) keys.push(key);
      return keys;
    },
    async kvHistory(key, url) {
      const entries = [];
      for await (const found of await (await open(url)).history({ key })) entries.push(entry(found));
      return entries;
    },
    async kvWatch(key, count, url) {
      const texts = [];
      const watch = await (await open(url)).watch({ key });
      for await (const found of watch) if (texts.push(found.string()) === count) break;
      return texts;
    },
    async kvExists(url) {
      const answer = await (await connection(url)).request(`$JS.API.STREAM.INFO.KV_${BUCKET}`, '', { timeout: 5000 });
      return answer.json().error === undefined;
    },
    /** One question to the JetStream API of that server; its answer, errors included. */
    async kvApi(subject, body, url) {
      const answer = await (await connection(url)).request(`$JS.API.${subject}`, body === undefined ? '' : JSON.stringify(body), { timeout: 5000 });
      return answer.json();
    },
  };
  return { control, close: async () => { for (const each of connections.values()) await (await each.catch(() => undefined))?.close(); } };
}
