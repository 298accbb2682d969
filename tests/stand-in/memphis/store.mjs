// What the broker keeps in its database: users, stations, producers, consumers, schemas, dead letters. Rows only; who changes
// them, and what is sent about it, is in control.mjs and dead.mjs.

import { internal } from './names.mjs';

/** What a station is made with where the request says nothing, and what the first producer or consumer makes (memphis.md 7). */
export const DEFAULTS = {
  retention_type: 'message_age_sec', retention_value: 3600, storage_type: 'file', replicas: 1, idempotency_window_in_ms: 120_000, schema_name: '',
  dls_configuration: { poison: true, schemaverse: true }, tiered_storage_enabled: false, partitions_number: 1, dls_station: '',
};

const NO_SCHEMA = { schema_name: '', active_version: { version_number: 0, descriptor: '', schema_content: '', message_struct_name: '' }, type: '' };

/**
 * @typedef {typeof DEFAULTS & { name: string, partitions: number[] }} Station
 * @typedef {{ name: string, station: string, connection: string, group?: string, active: boolean, ackTime?: number, deliveries?: number }} Row
 * @typedef {{ number: number, content: string, descriptor: string, message: string }} Version
 * @typedef {{ name: string, type: string, versions: Version[], active: number }} Schema
 * @typedef {{ id: number, station: string, partition: number, sequence: number, groups: string[], reason: string, data: Buffer, headers: Record<string, string> }} Dead
 */

export class Store {
  /** Name to password. @type {Map<string, string>} */ users = new Map([['root', 'memphis']]);
  /** By external name. @type {Map<string, Station>} */ stations = new Map();
  /** @type {Row[]} */ producers = [];
  /** @type {Row[]} */ consumers = [];
  /** @type {Map<string, Schema>} */ schemas = new Map();
  /** @type {Dead[]} */ dead = [];
  notifications = false;
  /** What clients had the broker tell people (2.13). @type {{ title: string, msg: string, type: string, code?: string }[]} */ alerts = [];

  /** What producers and consumers are told about a station's schema (memphis.md 6.2). @param {string} station */
  schemaOf(station) {
    const name = this.stations.get(station)?.schema_name;
    const schema = name ? this.schemas.get(name) : undefined;
    const version = schema?.versions.find(({ number }) => number === schema.active);
    if (!schema || !version) return NO_SCHEMA;
    return {
      schema_name: schema.name,
      active_version: { version_number: version.number, descriptor: version.descriptor, schema_content: version.content, message_struct_name: version.message },
      type: schema.type,
    };
  }

  /** The streams of a station, by partition. @param {Station} station @returns {[number, string][]} */
  streams(station) {
    // One that a broker before 1.2 made has no partitions.
    if (station.partitions.length === 0) return [[0, internal(station.name)]];
    return station.partitions.map((number) => [number, `${internal(station.name)}$${number}`]);
  }

  /** Everything that hangs on a station. @param {string} name */
  forget(name) {
    this.stations.delete(name);
    this.producers = this.producers.filter(({ station }) => station !== name);
    this.consumers = this.consumers.filter(({ station }) => station !== name);
    this.dead = this.dead.filter(({ station }) => station !== name);
    for (const station of this.stations.values()) if (station.dls_station === name) station.dls_station = '';
  }
}
