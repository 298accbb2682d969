// What becomes of messages that nobody acknowledged and of the reports clients send (memphis.md 2.10 to 2.12, 5.8).

import { block } from './wire.mjs';
import { external, internal } from './names.mjs';

/** @import { Store, Station, Dead } from './store.mjs' */

const MAX_DELIVERIES = '$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.>';
/** Reports are collected for so long before they are worked on (memphis.md 2.10). */
const COLLECT_MS = 5000;

export class DeadLetters {
  #last = 0;
  /** Reports that wait for their turn. @type {(() => Promise<void>)[]} */ #collected = [];
  /** Messages that used up their deliveries: the broker sees it when somebody pulls on that durable again. @type {Map<string, { stream: string, consumer: string, stream_seq: number }[]>} */ #spent = new Map();
  /** @type {NodeJS.Timeout | undefined} */ #timer;

  /**
   * @param {Store} store
   * @param {any} nats a connection to the real server
   * @param {() => any} headers makes its headers
   * @param {any} manager
   * @param {(subject: string, head: Buffer, body: Buffer) => void} tell to one client of each queue group
   * @param {(why: string) => void} crash what would end the real broker
   */
  constructor(store, nats, headers, manager, tell, crash) {
    this.store = store;
    this.nats = nats;
    this.headers = headers;
    this.manager = manager;
    this.tell = tell;
    this.crash = crash;
    nats.subscribe(MAX_DELIVERIES, { callback: (/** @type {unknown} */ _error, /** @type {any} */ message) => this.#spentOne(message.json()) });
    /** @type {Record<string, (body: string) => Promise<void>>} */
    this.subjects = {
      $memphis_schemaverse_dls: async (body) => this.#collect(JSON.parse(body), (report) => this.#failed(report)),
      $memphis_nacked_dls: async (body) => this.#collect(JSON.parse(body), (report) => this.#nacked(report)),
      $memphis_pm_acks: async (body) => this.#acked(JSON.parse(body)),
      $memphis_notifications: async (body) => void store.alerts.push(JSON.parse(body)),
    };
  }

  /** @template T @param {T} report @param {(report: T) => Promise<void>} work */
  #collect(report, work) {
    this.#collected.push(() => work(report));
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.#work(this.#collected.splice(0));
    }, COLLECT_MS);
  }

  /** @param {(() => Promise<void>)[]} reports */
  async #work(reports) {
    for (const report of reports) await report().catch(() => undefined);
  }

  /** @param {{ stream: string, consumer: string, stream_seq: number }} advisory */
  #spentOne(advisory) {
    const key = `${advisory.stream}.${advisory.consumer}`;
    this.#spent.set(key, [...(this.#spent.get(key) ?? []), advisory]);
  }

  /** Somebody pulls. @param {string} durable `<stream>.<durable>` */
  pulled(durable) {
    // The server may tell what this very pull brings to light a moment later.
    setTimeout(() => {
      for (const advisory of this.#spent.get(durable) ?? []) this.#collect(advisory, (one) => this.#poisoned(one));
      this.#spent.delete(durable);
    }, 50).unref();
  }

  close() {
    clearTimeout(this.#timer);
  }

  /** A message used up its deliveries. @param {{ stream: string, consumer: string, stream_seq: number }} advisory */
  async #poisoned({ stream, consumer, stream_seq }) {
    const [name = '', partition] = stream.split('$');
    const station = this.store.stations.get(external(name));
    if (!station?.dls_configuration.poison) return;
    await this.#bury(station, Number(partition), stream_seq, external(consumer), 'unacked', '');
  }

  /** @param {{ station_name: string, error: string, partition?: number, cg_name: string, seq: number }} report */
  async #nacked({ station_name, error, partition, cg_name, seq }) {
    if (!partition) return this.crash('a dead-letter report without a partition');
    const station = this.store.stations.get(external(station_name));
    if (!station?.dls_configuration.poison) return;
    await this.#bury(station, partition, seq, cg_name, 'unacked', error);
  }

  /** @param {{ station_name: string, message: { data: string, headers?: Record<string, string> }, validation_error: string, partition_number?: number }} report */
  async #failed({ station_name, message, validation_error, partition_number }) {
    const station = this.store.stations.get(external(station_name));
    if (!station) return;
    if (Object.values(message.headers ?? {}).some((value) => typeof value !== 'string')) return;
    const data = Buffer.from(message.data, 'hex');
    if (data.length * 2 !== message.data.length) return;
    this.store.dead.push({ id: (this.#last += 1), station: station.name, partition: partition_number ?? 0, sequence: 0, groups: [], reason: validation_error, data, headers: message.headers ?? {} });
    if (station.dls_station === '') return;
    if (!message.headers) return this.crash('a schema report without headers for a station with a DLS station');
    await this.#copy(station, { ...message.headers, station: station.name, type: 'failed_schema' }, data);
  }

  /** @param {{ id: number, cg_name: string }} ack */
  async #acked({ id, cg_name }) {
    const letter = this.store.dead.find((one) => one.id === id);
    if (!letter) return;
    letter.groups = letter.groups.filter((group) => group !== cg_name);
    if (letter.groups.length === 0) this.store.dead = this.store.dead.filter((one) => one !== letter);
  }

  /**
   * @param {Station} station @param {number} partition @param {number} sequence @param {string} group
   * @param {string} type @param {string} reason
   */
  async #bury(station, partition, sequence, group, type, reason) {
    const stream = `${internal(station.name)}$${partition}`;
    const stored = await this.manager.streams.getMessage(stream, { seq: sequence }).catch(() => null);
    if (!stored) return;
    /** @type {Record<string, string>} */
    const heads = {};
    for (const [name, values] of stored.header ?? []) heads[name === 'Nats-Msg-Id' ? 'msg-id' : name] = values[0];
    if (heads.$memphis_producedBy === '$memphis_dls') return;
    if (Object.keys(heads).length === 0 && station.dls_station !== '') return this.crash('a message without headers died in a station with a DLS station');
    if (this.store.consumers.some((row) => row.station === station.name && row.group === group)) {
      const known = this.store.dead.find((one) => one.station === station.name && one.partition === partition && one.sequence === sequence);
      if (known) known.groups.push(group);
      else this.store.dead.push({ id: (this.#last += 1), station: station.name, partition, sequence, groups: [group], reason, data: Buffer.from(stored.data), headers: heads });
    }
    if (station.dls_station !== '') await this.#copy(station, { ...heads, station: station.name, type }, Buffer.from(stored.data));
  }

  /** A copy for the DLS station, into any partition but the last of several. @param {Station} station @param {Record<string, string>} heads @param {Buffer} data */
  async #copy(station, heads, data) {
    const target = this.store.stations.get(station.dls_station);
    if (!target) return;
    const number = 1 + Math.floor(Math.random() * Math.max(1, target.partitions.length - 1));
    const renamed = Object.entries(heads).map(([name, value]) => /** @type {[string, string]} */ ([name === 'msg-id' ? 'Nats-Msg-Id' : name, value]));
    const given = this.headers();
    for (const [name, value] of renamed) given.append(name, value);
    await this.nats.request(`${internal(target.name)}$${number}.final`, data, { headers: given, timeout: 5000 });
  }

  /** As the broker's pages re-send dead letters: one core message a group, on both forms of the subject. @param {Dead} letter */
  resend(letter) {
    for (const group of letter.groups) {
      const head = block([...Object.entries(letter.headers).filter(([name]) => name !== '$memphis_producedBy'),
        ['$memphis_pm_id', String(letter.id)], ['$memphis_pm_cg_name', group], ['$memphis_producedBy', '$memphis_dls']]);
      const [station, name] = [internal(letter.station), internal(group)];
      this.tell(`$memphis_dls_${station}.${name}`, head, letter.data);
      this.tell(`$memphis_dls_${station}_${name}`, head, letter.data);
    }
  }
}
