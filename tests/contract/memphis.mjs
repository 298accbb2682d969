// The other end of a Memphis broker, for rows: what its management pages do, and what a cable can do. Either the stand-in's, or
// those of a given broker, as far as it lets us.

import { tool } from '../../scripts/lib/tools.mjs';

/**
 * @typedef {object} Other
 * @property {string} url where clients connect
 * @property {string} [id] part of every name of the run
 * @property {Record<string, unknown>} login connect options that log in
 * @property {string[]} controls kinds of control there are: `pages` (management pages), `cut` (links break), `inside` (what only a stand-in lets one do)
 * @property {Record<string, (...args: any[]) => unknown>} control for rows:
 * - pages: removeStation(name), switchDls(name, poison, schemaverse), activate(schema, version), removeSchema(name),
 *   useSchema(name, station), deadRows(station): [{ id, sequence, text, headers }], resend(station, ids)
 * - cut: cut(station) breaks the links of clients who listen for something of a station, or all
 * - inside: switchNotifications(on), alerts(): what clients had the broker tell people, putSchema(name, type, content, descriptor) unseen,
 *   say(subject, body, head) as the broker's handlers do, answerNext(subject, part, answers): the next request with that part gets these answers,
 *   loseNext(subject, part): it is carried out, and the link breaks before the answer,
 *   rows(station): how many producers and consumers have that station, listeners(station): subjects of it that clients listen to, oldStation(name) makes one without partitions, loseMemory(station) as a restart does,
 *   tokenUrl() of a broker that wants the token `memphis`
 * @property {() => Promise<string[]>} close tells what would have ended the real broker
 */

/** A stand-in of its own. @returns {Promise<Other>} */
export async function ownStandIn() {
  const { StandIn } = await import('../stand-in/memphis/index.mjs');
  const broker = await StandIn.start();
  const { store } = broker;
  /** @type {Promise<any> | undefined} */
  let other;
  return {
    url: broker.url,
    login: { username: 'root', password: 'memphis' },
    controls: ['pages', 'cut', 'inside'],
    control: {
      removeStation: (name) => broker.removeStation(name),
      switchDls: (name, poison, schemaverse) => broker.switchDls(name, poison, schemaverse),
      activate: (schema, version) => broker.activate(schema, version),
      removeSchema: (name) => broker.removeSchema(name),
      useSchema: (name, station) => broker.useSchema(name, station),
      deadRows: (name) => store.dead.filter(({ station }) => station === name).map(({ id, sequence, data, headers }) => ({ id, sequence, text: data.toString(), headers })),
      resend: (name, ids) => store.dead.filter(({ station, id }) => station === name && ids.includes(id)).forEach((letter) => broker.dead.resend(letter)),
      cut: (station) => broker.cut(station),
      switchNotifications: (on) => broker.switchNotifications(on),
      alerts: () => store.alerts,
      putSchema: (...schema) => broker.putSchema(...schema),
      say: (...message) => broker.say(...message),
      answerNext: (...strange) => broker.answerNext(...strange),
      loseNext: (subject, part) => broker.loseNext(subject, part),
      rows: (name) => ({ producers: store.producers.filter(({ station }) => station === name).length, consumers: store.consumers.filter(({ station }) => station === name).length }),
      listeners: (name) => broker.listeners(name),
      oldStation: (name) => broker.control.old(name),
      loseMemory: (name) => broker.loseMemory(name),
      tokenUrl: async () => (await (other ??= StandIn.start({ login: 'token' }))).url,
    },
    close: async () => {
      await (await other)?.stop();
      await broker.stop();
      return broker.crashes.map((why) => `the real broker would have died: ${why}`);
    },
  };
}

/**
 * A broker that runs somewhere, and is perhaps in use: what the run makes has the run's own names, and is removed at its end.
 * @param {string} url
 * @param {Record<string, string | undefined>} env MEMPHIS_USER and MEMPHIS_PASSWORD (root and memphis), or MEMPHIS_TOKEN with the user's name;
 *   MEMPHIS_ACCOUNT; MEMPHIS_API, the URL of its management pages, without which rows that need them are not run, and schemas stay
 * @returns {Promise<Other>}
 */
export async function given(url, env) {
  const [token, account, api] = [env.MEMPHIS_TOKEN, env.MEMPHIS_ACCOUNT, env.MEMPHIS_API];
  const user = env.MEMPHIS_USER || 'root';
  const password = env.MEMPHIS_PASSWORD || 'memphis';
  const id = `${Date.now().toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`;
  const login = {
    username: user,
    ...(token ? { connectionToken: token } : { password }),
    ...(account ? { accountId: Number(account) } : {}),
  };
  const pages = api ? new Pages(api, user, env.MEMPHIS_API_PASSWORD || password) : undefined;
  return {
    url,
    id,
    login,
    controls: pages ? ['pages'] : [],
    control: pages ? controlOf(pages) : {},
    close: () => tidy(id, { servers: url, name: `${crypto.randomUUID()}::${user}`, ...(token ? { token } : { user: `${user}$${account || 1}`, pass: password }) }, user, pages),
  };
}

/** What the management pages do for rows. @param {Pages} pages */
function controlOf(pages) {
  return {
    removeStation: (name) => pages.ask('DELETE', 'stations/removeStation', { station_names: [name] }),
    switchDls: (name, poison, schemaverse) => pages.ask('PUT', 'stations/updateDlsConfig', { station_name: name, poison, schemaverse }),
    activate: (schema, version) => pages.ask('PUT', 'schemas/rollBackVersion', { schema_name: schema, version_number: version }),
    removeSchema: (name) => pages.ask('DELETE', 'schemas/removeSchema', { schema_names: [name] }),
    useSchema: (name, station) => pages.ask('POST', 'stations/useSchema', { station_names: [station], schema_name: name }),
    deadRows: async (name) => {
      const { poison_messages: poison, schema_failed_messages: failed } = await pages.ask('GET', `monitoring/getStationOverviewData?station_name=${encodeURIComponent(name)}&partition_number=-1`);
      return [...poison ?? [], ...failed ?? []].map(({ id, message_seq: sequence, message }) => ({ id, sequence, text: Buffer.from(message.data, 'hex').toString(), headers: message.headers }));
    },
    resend: (name, ids) => pages.ask('POST', 'stations/resendPoisonMessages', { poison_message_ids: ids, station_name: name }),
  };
}

/**
 * Removes what the run made, by a client that is not under test.
 * @param {string} id @param {Record<string, string>} options of that client @param {string} user @param {Pages | undefined} pages
 */
async function tidy(id, options, user, pages) {
  const { wsconnect } = await tool('@nats-io/nats-core');
  const nats = await wsconnect({ ...options, reconnect: false });
  try {
    const stations = new Set();
    for (let offset = 0, total = 1; offset < total;) {
      const { streams = [], ...page } = (await nats.request('$JS.API.STREAM.NAMES', JSON.stringify({ offset }), { timeout: 20_000 })).json();
      total = page.total ?? 0;
      offset += Math.max(1, streams.length);
      for (const stream of streams) if (stream.includes(id)) stations.add(stream.split('$')[0].replaceAll('#', '.'));
    }
    for (const station of stations) await nats.request('$memphis_station_destructions', JSON.stringify({ station_name: station, username: user }), { timeout: 20_000 });
    if (pages) {
      const schemas = (await pages.ask('GET', 'schemas/getAllSchemas')).map((/** @type {{ name: string }} */ one) => one.name).filter((/** @type {string} */ one) => one.includes(id));
      if (schemas.length > 0) await pages.ask('DELETE', 'schemas/removeSchema', { schema_names: schemas });
    }
    return [];
  } finally {
    await nats.close();
  }
}

/** The broker's own pages, logged in once. */
export class Pages {
  /** @type {Promise<string> | undefined} */ #key;

  /** @param {string} base @param {string} username @param {string} password */
  constructor(base, username, password) {
    this.base = base.replace(/\/+$/, '');
    this.who = { username, password };
  }

  /** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async ask(method, path, body) {
    const key = await (this.#key ??= this.#send('POST', 'usermgmt/login', this.who).then(({ jwt }) => jwt));
    return this.#send(method, path, body, key);
  }

  /** @param {string} method @param {string} path @param {unknown} body @param {string} [key] */
  async #send(method, path, body, key) {
    const headers = { 'content-type': 'application/json', ...(key ? { authorization: `Bearer ${key}` } : {}) };
    const answer = await fetch(`${this.base}/api/${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  }
}
