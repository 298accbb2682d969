//! What a connection tells about itself. What it promises: semantics, section 5.

pub const TEXT: &str = r#"
/**
 * One change of state. By `type`:
 *
 * - `connected`: the link is up; `attempt` counts the dials it took,
 * - `disconnected`: the link broke, and why,
 * - `reconnecting`: the next dial begins in `inMs` milliseconds,
 * - `slow_consumer`: the application takes messages more slowly than they come; `pending` are waiting,
 * - `schema`: a station got another schema, or none (`null`),
 * - `active`: this consumer has become the active member for a partition, or is so no longer,
 * - `produce_failed`: messages sent with `waitForAck: false` failed later: how many, and the first 100 ids,
 * - `closed`: over for good; without `reason` after `close()`.
 */
export type Status =
  | { type: "connected"; url: string; attempt: number }
  | { type: "disconnected"; reason: BrokerError }
  | { type: "reconnecting"; attempt: number; inMs: number }
  | { type: "slow_consumer"; station: string; pending: number }
  | { type: "schema"; station: string; schema: string | null }
  | { type: "active"; station: string; partition: number; active: boolean }
  | { type: "produce_failed"; station: string; error: BrokerError; messages: number; msgIds?: string[] }
  | { type: "closed"; reason?: BrokerError };

/** Who answered a `ping()`, and how fast. */
export interface ServerInfo {
  /** Name of the server program, such as `"nats-server"`. */
  readonly product: string;
  /** Its version, where it tells. */
  readonly version?: string;
  /** The host it calls itself, which need not be one you can reach. */
  readonly host?: string;
  /** Milliseconds to the broker and back. */
  readonly rttMs: number;
  /** Seconds since it was started. */
  readonly upSeconds?: number;
  /** Largest message it takes, headers included; more is `too_large`. */
  readonly maxPayloadBytes?: number;
}

/** One protocol frame, as `tap()` shows it. */
export interface Frame {
  /** `"in"` comes from the broker, `"out"` goes to it. */
  readonly direction: "in" | "out";
  /** When it was seen here. */
  readonly at: Date;
  /** Its length on the wire. */
  readonly bytes: number;
  /** The frame in one line for people. */
  readonly summary: string;
  /** The bytes, with secrets blanked out. */
  readonly data: Uint8Array;
}

/** Counters of one connection. Bytes are payload bytes. */
export interface Stats {
  /** Messages handed to the socket, repeats included. */
  sentMessages: number;
  /** Their bytes. */
  sentBytes: number;
  /** Messages that came for consumers and subscriptions. */
  receivedMessages: number;
  /** Their bytes. */
  receivedBytes: number;
  /** Produced and without an outcome at this moment; bounded by `maxPendingMessages`. */
  pendingMessages: number;
  /** Their bytes; bounded by `maxPendingBytes`. */
  pendingBytes: number;
  /** How often the link was restored. */
  reconnects: number;
  /** Memory of the WebAssembly instance, which all connections share. It grows and never shrinks. */
  wasmMemoryBytes: number;
}

/** What this broker, in the version that answered, can do. */
export interface Capabilities {
  /** Whether the feature can be used here. */
  has(feature: Feature): boolean;
  /** Why it cannot, in a sentence; `undefined` if it can. */
  why(feature: Feature): string | undefined;
  /** All features that can be used. */
  readonly list: readonly Feature[];
}

/**
 * What may differ from broker to broker. Using something that is missing rejects with `not_supported`.
 *
 * - `partitions` several of them, by key, number or round robin; `groups` of consumers; `list` is `stations()`,
 *   `get` is `browse()`, `live` is `publish` and `subscribe`, `requests` is `request` and `respond`
 * - `ack`, `nack` (with it `deadLetter`), `delay`, `in_progress`: what can be said about a message
 * - `dead_letters` can be read, `dls_station` gets a copy, `resend` puts a message elsewhere
 * - `start_sequence`, `start_time`, `last_messages`: where a group may begin
 * - `msg_id`: repeats are recognised; `expiration`, `delayed_produce`: messages with a time of their own
 * - `retention_*`, `storage_type`, `replicas`, `tiered_storage`: values of `StationOptions` other than the defaults
 * - `filters`, `compression`: options of consumers and of batches
 */
export type Feature =
  | "partitions" | "groups" | "ack" | "nack" | "delay" | "in_progress" | "dead_letters" | "dls_station" | "msg_id" | "schemas"
  | "start_sequence" | "start_time" | "last_messages" | "purge" | "destroy" | "info" | "list" | "get" | "live" | "requests"
  | "expiration" | "delayed_produce" | "filters" | "compression" | "resend" | "retention_messages" | "retention_bytes" | "retention_ack_based"
  | "storage_type" | "replicas" | "tiered_storage";
"#;
