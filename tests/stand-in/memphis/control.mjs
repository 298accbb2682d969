// The control plane: one function a request subject (memphis.md 2). Each takes the request's body and gives the replies, in the
// broker's own texts and in the order of its own checks.

import { complaint, internal } from './names.mjs';
import { DEFAULTS } from './store.mjs';
import { described } from './schemas.mjs';

const NANOS = 1_000_000;
const DAY_MS = 86_400_000;
const RETENTIONS = ['message_age_sec', 'messages', 'bytes', 'ack_based'];

const TYPES = ['protobuf', 'json', 'graphql', 'avro'];

/** A refusal in the broker's words. */
class Refused extends Error {}

/** @import { Store, Station, Row } from './store.mjs' */

export class Control {
  /** @type {Map<string, Promise<unknown>>} one creation of a name at a time */ #making = new Map();

  /**
   * @param {Store} store
   * @param {any} manager JetStream's, on the real server
   * @param {(subject: string, body: unknown) => Promise<any>} ask its API itself
   * @param {(subject: string, body: unknown) => void} tell publishes to the clients
   */
  constructor(store, manager, ask, tell) {
    this.store = store;
    this.manager = manager;
    this.ask = ask;
    this.tell = tell;
    /** @type {Record<string, (body: string) => Promise<string[]>>} */
    this.subjects = {
      $memphis_station_creations: (body) => this.#plain(async () => this.#stationCreation(parse(body, 'createStationRequest'))),
      $memphis_station_destructions: (body) => this.#plain(async () => this.#stationDestruction(parse(body, 'destroyStationRequest'))),
      $memphis_producer_creations: (body) => this.#producerCreation(body),
      $memphis_producer_destructions: (body) => this.#plain(async () => this.#producerDestruction(parse(body, 'destroyProducerRequestV0'))),
      $memphis_consumer_creations: (body) => this.#consumerCreation(body),
      $memphis_consumer_destructions: (body) => this.#plain(async () => this.#consumerDestruction(parse(body, 'destroyConsumerRequestV0'))),
      $memphis_schema_attachments: (body) => this.#plain(async () => this.#attach(attachment(body))),
      $memphis_schema_detachments: (body) => this.#plain(async () => this.#detach(parse(body, 'detachSchemaRequest'))),
      $memphis_schema_creations: (body) => this.#schemaCreation(body),
    };
  }

  /** Empty on success, else the text. @param {() => Promise<void>} work */
  async #plain(work) {
    try {
      await work();
      return [''];
    } catch (error) {
      return [text(error)];
    }
  }

  // ---- stations (2.2, 2.3) --------------------------------------------------------------------------------------------

  /** @param {any} request */
  async #stationCreation(request) {
    const wrong = complaint('Station', request.name);
    if (wrong) throw new Refused(wrong);
    const name = request.name.toLowerCase();
    // The suffix of an account is taken off here, and only here.
    const user = String(request.username ?? '').replace(/\$\d+$/, '');
    // The broker's silence in these cases is a success that made nothing.
    if (this.store.stations.has(name) || !this.store.users.has(user)) return;
    const partitions = request.partitions_number ?? 0;
    if (partitions === 0) throw new Refused('you are using an old SDK, make sure to update your SDK');
    if (partitions < 0) throw new Refused(`cannot create station with ${partitions} partitions (max:10000 min:1): Station -  ${name}, `);
    const schema = String(request.schema_name ?? '').toLowerCase();
    if (schema !== '' && !this.store.schemas.has(schema)) return;
    const retention = String(request.retention_type || 'message_age_sec').toLowerCase();
    if (!RETENTIONS.includes(retention)) throw new Refused('retention type can be one of the following message_age_sec/messages/bytes/ack_based');
    const storage = String(request.storage_type || 'file').toLowerCase();
    if (!['file', 'memory'].includes(storage)) throw new Refused('storage type can be one of the following file/memory');
    const falls = !request.retention_type || (retention !== 'ack_based' && !(request.retention_value > 0));
    const window = request.idempotency_window_in_ms > 0 ? Math.max(100, request.idempotency_window_in_ms) : DEFAULTS.idempotency_window_in_ms;
    const value = falls ? DEFAULTS.retention_value : request.retention_value;
    if (window > DAY_MS) throw new Refused('idempotency window can not exceed 24 hours');
    if (retention === 'message_age_sec' && value * 1000 < window) throw new Refused('idempotency window cannot be greater than the station retention');
    const dls = String(request.dls_station ?? '').toLowerCase();
    if (dls !== '') {
      const bad = complaint('Station', dls);
      if (bad) throw new Refused(bad);
      await this.make(dls, {});
    }
    await this.make(name, {
      retention_type: falls ? 'message_age_sec' : retention, retention_value: value ?? 0, storage_type: storage, replicas: replicas(request.replicas), idempotency_window_in_ms: window,
      schema_name: schema, dls_configuration: { poison: request.dls_configuration?.poison ?? false, schemaverse: request.dls_configuration?.schemaverse ?? request.dls_configuration?.Schemaverse ?? false },
      tiered_storage_enabled: request.tiered_storage_enabled ?? false, partitions_number: partitions, dls_station: dls,
    });
  }

  /** Streams and row of a station, once. @param {string} name @param {Partial<typeof DEFAULTS>} options */
  make(name, options) {
    if (this.store.stations.has(name)) return Promise.resolve();
    const making = this.#making.get(name) ?? this.#make(name, { ...DEFAULTS, ...options }).finally(() => this.#making.delete(name));
    this.#making.set(name, making);
    return making;
  }

  /** @param {string} name @param {typeof DEFAULTS} options */
  async #make(name, options) {
    const station = { ...options, name, partitions: Array.from({ length: options.partitions_number }, (_, i) => i + 1) };
    const limit = (/** @type {string} */ type, scale = 1) => (options.retention_type === type ? options.retention_value * scale : undefined);
    for (const [, stream] of this.store.streams(station)) {
      try {
        await this.manager.streams.add({
          name: stream, subjects: [`${stream}.>`], retention: options.retention_type === 'ack_based' ? 'interest' : 'limits', discard: 'old', storage: options.storage_type,
          num_replicas: options.replicas, duplicate_window: options.idempotency_window_in_ms * NANOS, max_age: limit('message_age_sec', 1000 * NANOS) ?? 0,
          max_msgs: limit('messages') ?? -1, max_bytes: limit('bytes') ?? -1,
        });
      } catch (error) {
        if (options.replicas > 1) throw new Refused('station can not be created, probably since replicas count is larger than the cluster size');
        throw error;
      }
    }
    this.store.stations.set(name, station);
  }

  /** A station as a broker before 1.2 made it: one stream of its own name, and no list of partitions. @param {string} name */
  async old(name) {
    const station = { ...DEFAULTS, name, partitions: [] };
    const stream = internal(name);
    await this.manager.streams.add({ name: stream, subjects: [`${stream}.>`], duplicate_window: DEFAULTS.idempotency_window_in_ms * NANOS });
    this.store.stations.set(name, station);
  }

  /** @param {any} request */
  async #stationDestruction(request) {
    const wrong = complaint('Station', request.station_name);
    if (wrong) throw new Refused(wrong);
    const name = request.station_name.toLowerCase();
    if (!this.store.stations.has(name)) throw new Refused('Station  does not exist');
    await this.remove(name);
  }

  /** As the broker's own pages do it, too. @param {string} name */
  async remove(name) {
    const station = this.store.stations.get(name);
    if (!station) return;
    this.store.forget(name);
    for (const [, stream] of this.store.streams(station)) await this.manager.streams.delete(stream).catch(() => undefined);
  }

  // ---- producers (2.4) ------------------------------------------------------------------------------------------------

  /** @param {string} body */
  async #producerCreation(body) {
    const nothing = { schema_update: this.store.schemaOf(''), partitions_update: { partitions_list: null }, schemaverse_to_dls: false, send_notification: false, station_version: 0, station_partitions_first_functions: null };
    try {
      const request = parse(body, 'createProducerRequestV0');
      const wrong = complaint('Station', request.station_name) ?? complaint('Producer', request.name);
      if (wrong) throw new Refused(wrong);
      if (!['application', 'connector'].includes(request.producer_type)) throw new Refused('producer type has to be one of the following application/connector');
      if (!this.store.users.has(request.username)) throw new Refused(`User ${request.username ?? ''} does not exist`);
      const station = await this.#present(request);
      if ((request.req_version ?? 0) < 2) throw new Refused('to produce to this station please upgrade your SDK version');
      this.store.producers.push({ name: request.name.toLowerCase(), station: station.name, connection: request.connection_id ?? '', active: true });
      return [JSON.stringify({
        schema_update: this.store.schemaOf(station.name), partitions_update: { partitions_list: station.partitions }, schemaverse_to_dls: station.dls_configuration.schemaverse,
        send_notification: this.store.notifications, station_version: 2, station_partitions_first_functions: {}, error: '',
      })];
    } catch (error) {
      return [JSON.stringify({ ...nothing, error: text(error) })];
    }
  }

  /** The station of a producer or consumer, made where it is missing. @param {any} request @returns {Promise<Station>} */
  async #present(request) {
    const name = request.station_name.toLowerCase();
    if (!this.store.stations.has(name)) {
      if ((request.req_version ?? 0) < 2) throw new Refused('this station does not exist, a default station can not be created automatically, please upgrade your SDK version');
      await this.make(name, {});
    }
    return /** @type {Station} */ (this.store.stations.get(name));
  }

  /** @param {any} request */
  async #producerDestruction(request) {
    const wrong = complaint('Station', request.station_name);
    if (wrong) throw new Refused(wrong);
    if (!(request.req_version >= 1)) throw new Refused('ERROR: syntax error at or near "LIMIT" (SQLSTATE 42601)');
    const [name, station] = [String(request.name ?? '').toLowerCase(), request.station_name.toLowerCase()];
    this.store.producers = this.store.producers.filter((row) => row.name !== name || row.station !== station || row.connection !== request.connection_id);
  }

  // ---- consumers (2.5, 2.6) -------------------------------------------------------------------------------------------

  /** @param {string} body */
  async #consumerCreation(body) {
    /** @type {any} */
    let request;
    try {
      request = parse(body, 'createConsumerRequestV0');
    } catch (error) {
      return [JSON.stringify({ error: text(error) })];
    }
    // A number that is none: the broker takes its oldest form of the request, which knows no beginning, and answers nothing.
    const old = ['start_consume_from_sequence', 'last_messages'].some((key) => request[key] !== undefined && !Number.isInteger(request[key])) || request.start_consume_from_sequence < 0;
    if (!old) {
      if (!(request.start_consume_from_sequence >= 1)) return ['startConsumeFromSequence has to be a positive number'];
      if (request.last_messages < -1) return ['min value for LastMessages is -1'];
      if (request.start_consume_from_sequence > 1 && request.last_messages > -1) return ["consumer creation options can't contain both startConsumeFromSequence and lastMessages"];
    }
    try {
      const station = await this.#consumer({ ...request, ...(old ? { start_consume_from_sequence: 1, last_messages: -1 } : {}) });
      if (old) return [''];
      return [JSON.stringify({ schema_update: this.store.schemaOf(station.name), partitions_update: { partitions_list: station.partitions }, error: '' })];
    } catch (error) {
      // The handler goes on after an error, and answers a second time.
      const bad = complaint('Station', request.station_name);
      if (bad) return [text(error), JSON.stringify({ error: bad })];
      return [text(error), JSON.stringify({ schema_update: this.store.schemaOf(''), partitions_update: { partitions_list: [] }, error: '' })];
    }
  }

  /** @param {any} request */
  async #consumer(request) {
    const given = String(request.consumers_group || request.name || '');
    const wrong = complaint('Consumer', request.name) ?? complaint('Station', request.station_name) ?? complaint('Consumer', given);
    if (wrong) throw new Refused(wrong);
    if (!['application', 'connector'].includes(request.consumer_type)) throw new Refused(`consumer type has to be one of the following application/connector and not ${request.consumer_type ?? ''}`);
    if (!this.store.users.has(request.username)) throw new Refused('user does not exist');
    const station = await this.#present(request);
    if ((request.req_version ?? 0) < 2) throw new Refused('to consume from this station please upgrade your SDK version');
    const group = given.toLowerCase();
    const ackTime = request.max_ack_time_ms > 0 ? request.max_ack_time_ms : 30_000;
    const deliveries = request.max_msg_deliveries > 0 && request.max_msg_deliveries <= 10 ? request.max_msg_deliveries : 10;
    const members = this.store.consumers.filter((row) => row.station === station.name && row.group === group && row.active);
    // One active member of the group stands for all: its row says what the durable is believed to be.
    const [one] = members;
    if (one?.ackTime !== ackTime || one.deliveries !== deliveries) await this.#durables(station, group, ackTime, deliveries, request);
    this.store.consumers.push({ name: request.name.toLowerCase(), station: station.name, connection: request.connection_id ?? '', group, active: true, ackTime, deliveries });
    return station;
  }

  /**
   * @param {Station} station @param {string} group @param {number} ackTime @param {number} deliveries
   * @param {any} request
   */
  async #durables(station, group, ackTime, deliveries, request) {
    const last = request.last_messages ?? -1;
    for (const [, stream] of this.store.streams(station)) {
      // The last n messages of a station with one partition: no durable, and no word about it (5.3).
      if (last > 0 && station.partitions.length === 1) return;
      const config = {
        durable_name: internal(group), deliver_policy: 'all', ack_policy: 'explicit', ack_wait: ackTime * NANOS, max_deliver: deliveries, filter_subject: `${stream}.final`,
        replay_policy: 'instant', max_ack_pending: -1, max_waiting: 512, opt_start_seq: undefined,
      };
      if (last === 0) config.deliver_policy = 'new';
      else if (last > 0) {
        const { state } = await this.manager.streams.info(stream);
        Object.assign(config, { deliver_policy: 'by_start_sequence', opt_start_seq: Math.max(1, state.last_seq - last + 1) });
      } else if (request.start_consume_from_sequence > 1) Object.assign(config, { deliver_policy: 'by_start_sequence', opt_start_seq: request.start_consume_from_sequence });
      // As the broker does: made, or changed where it is there already.
      const { error } = await this.ask(`$JS.API.CONSUMER.DURABLE.CREATE.${stream}.${internal(group)}`, { stream_name: stream, config });
      if (error) throw new Refused(`${error.description} (${error.err_code})`);
    }
  }

  /** @param {any} request */
  async #consumerDestruction(request) {
    const wrong = complaint('Station', request.station_name);
    if (wrong) throw new Refused(wrong);
    const [name, stationName] = [String(request.name ?? '').toLowerCase(), request.station_name.toLowerCase()];
    const missing = new Refused(`Consumer ${request.name} at station ${request.station_name} does not exist`);
    const at = this.store.consumers.findIndex((row) => row.name === name && row.station === stationName && row.connection === request.connection_id);
    if (!(request.req_version >= 1) || at < 0) throw missing;
    const [row] = this.store.consumers.splice(at, 1);
    const group = /** @type {Row} */ (row).group;
    if (this.store.consumers.some((other) => other.station === stationName && other.group === group && other.active)) return;
    const station = this.store.stations.get(stationName);
    if (!station) return;
    for (const [, stream] of this.store.streams(station)) await this.manager.consumers.delete(stream, internal(/** @type {string} */ (group))).catch(() => undefined);
    for (const letter of this.store.dead) if (letter.station === stationName) letter.groups = letter.groups.filter((one) => one !== group);
  }

  // ---- schemas (2.7, 2.9, 6.6) ----------------------------------------------------------------------------------------

  /** @param {any} request */
  async #attach(request) {
    const station = this.#known(request.station_name, (name) => `memphis: Station ${name} does not exist`);
    const schema = this.store.schemas.get(String(request.name ?? '').toLowerCase());
    if (!schema) throw new Refused(`Schema ${String(request.name ?? '').toLowerCase()} does not exist`);
    station.schema_name = schema.name;
    this.told(station);
  }

  /** @param {any} request */
  async #detach(request) {
    const station = this.#known(request.station_name, (name) => `station ${name} does not exist`);
    station.schema_name = '';
    this.told(station);
  }

  /** @param {unknown} given @param {(name: string) => string} missing */
  #known(given, missing) {
    const wrong = complaint('Station', given);
    if (wrong) throw new Refused(wrong);
    const name = String(given).toLowerCase();
    const station = this.store.stations.get(name);
    if (!station) throw new Refused(missing(name));
    return station;
  }

  /** Everybody who works with the station hears what its schema is now. @param {Station} station */
  told(station) {
    const init = this.store.schemaOf(station.name);
    this.tell(`$memphis_schema_updates_${internal(station.name)}`, { UpdateType: init.schema_name === '' ? 2 : 1, init });
  }

  /** @param {string} body */
  async #schemaCreation(body) {
    try {
      const request = parse(body, 'CreateSchemaReq');
      const { name = '', type = '', schema_content: content = '' } = request;
      const known = this.store.schemas.get(name);
      // The content is looked at first, as far as the type is one; that it is none shows when it is to be stored.
      const version = TYPES.includes(type) || !known ? described(type, content, name) : undefined;
      if (known && known.type !== type) throw new Refused(`${name} already exist with type - ${known.type}`);
      if (!version) throw new Refused(`invalid input value for enum enum_type: "${type}"`);
      if (!known) {
        this.store.schemas.set(name, { name, type, versions: [{ ...version, number: 1 }], active: 1 });
        return ['{"error":""}'];
      }
      if (known.versions.at(-1)?.content === content) throw new Refused(`${name} already exists in the db with the same schema content`);
      known.versions.push({ ...version, number: known.versions.length + 1 });
      return ['{"error":""}'];
    } catch (error) {
      return [JSON.stringify({ error: text(error) })];
    }
  }
}

/** @param {unknown} error */
const text = (error) => (error instanceof Error ? error.message : String(error));

/** @param {number | undefined} wanted */
function replicas(wanted) {
  if (!wanted || wanted <= 1) return 1;
  return wanted <= 3 ? 3 : 5;
}

/** A request to attach: what is wrong with its form is told with the name, as far as it was read. @param {string} body */
function attachment(body) {
  try {
    return parse(body, 'attachSchemaRequest');
  } catch (error) {
    let name = '';
    try {
      const given = JSON.parse(body).name;
      name = typeof given === 'string' ? given : '';
    } catch {
      // Nothing of it could be read.
    }
    throw new Refused(`failed attaching schema ${name}: ${text(error)}`);
  }
}

/** Fields that are numbers in the oldest forms too: a text there is told. */
const NUMBERS = ['retention_value', 'replicas', 'idempotency_window_in_ms', 'partitions_number', 'max_ack_time_ms', 'max_msg_deliveries', 'req_version'];

/** And those that are texts. */
const STRINGS = ['name', 'station_name', 'schema_name', 'retention_type', 'storage_type', 'dls_station', 'username', 'connection_id', 'producer_type', 'consumer_type', 'consumers_group', 'type', 'schema_content', 'created_by_username', 'message_struct_name'];

/** JSON as the broker reads it: any case of the keys, and its words about what is wrong. @param {string} body @param {string} struct */
function parse(body, struct) {
  let value;
  try {
    value = JSON.parse(body);
  } catch (error) {
    const first = body.trim()[0];
    const literal = ['null', 'true', 'false'].find((word) => word[0] === first);
    const at = literal ? [...literal].findIndex((letter, i) => body.trim()[i] !== letter) : -1;
    const given = literal && body.trim()[at];
    if (literal && given) throw new Refused(`invalid character '${given}' in literal ${literal} (expecting '${literal[at]}')`);
    const ends = first === undefined || /end of JSON|Unterminated/.test(text(error)) || Number(/at position (\d+)/.exec(text(error))?.[1]) >= body.length;
    throw new Refused(ends ? 'unexpected end of JSON input' : `invalid character '${first}' looking for beginning of value`);
  }
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  if (kind === 'null') return {};
  if (kind !== 'object') throw new Refused(`json: cannot unmarshal ${kind} into Go value of type server.${struct}`);
  const lower = Object.fromEntries(Object.entries(value).map(([key, one]) => [key.toLowerCase(), one]));
  for (const key of NUMBERS) {
    if (lower[key] !== undefined && typeof lower[key] !== 'number') throw new Refused(`json: cannot unmarshal ${typeof lower[key]} into Go struct field ${struct}.${key} of type int`);
  }
  for (const key of STRINGS) {
    if (lower[key] !== undefined && typeof lower[key] !== 'string') throw new Refused(`json: cannot unmarshal ${typeof lower[key]} into Go struct field ${struct}.${key} of type string`);
  }
  return lower;
}
