//! Stations and their options. What they promise: semantics, sections 1 and 6.

pub const TEXT: &str = r#"
// ---- stations -----------------------------------------------------------------------------------------------

/**
 * What makes a station forget messages, oldest first: their age, their number, their size, or, for `ack_based`, that
 * every group has dealt with them. An `ack_based` station without any group keeps nothing.
 */
export type RetentionType = "max_message_age_seconds" | "messages" | "bytes" | "ack_based";
/** Where the broker keeps messages. The package's own `memory` broker takes both and uses memory. */
export type StorageType = "disk" | "memory";
/** The schema languages. */
export type SchemaType = "protobuf" | "json" | "graphql" | "avro";

/**
 * How a station is made. All of it counts at creation only: an existing station keeps what it has, and
 * `Station.differs` names the differences. A value that the broker cannot honour is `not_supported`; writing a default
 * out is always fine.
 */
export interface StationOptions {
  /** What ends a message's life. Default: `"max_message_age_seconds"`. */
  retentionType?: RetentionType | undefined;
  /**
   * How much: seconds, messages or bytes, as `retentionType` says; messages and bytes count for each partition.
   * Means nothing with `ack_based`. Default: 604800 (as seconds, seven days).
   */
  retentionValue?: number | undefined;
  /** Default: `"disk"`. */
  storageType?: StorageType | undefined;
  /** Copies kept by a cluster, 1 to 5 on nats. Three survive the loss of one node. Default: 1. */
  replicas?: number | undefined;
  /** Milliseconds during which a repeated `msgId` is recognised, at least 100. Default: 120000. */
  idempotencyWindowMs?: number | undefined;
  /** A schema that exists already and that every message must fit. Default: `""`, none. */
  schemaName?: string | undefined;
  /** Keep a message that a group gave up on readable in `deadLetters()`. Default: `true`. */
  sendPoisonMsgToDls?: boolean | undefined;
  /** Keep a message that failed the schema readable in `deadLetters()`. Default: `true`. */
  sendSchemaFailedMsgToDls?: boolean | undefined;
  /** memphis: move old messages to slower storage instead of forgetting them. Default: `false`. */
  tieredStorageEnabled?: boolean | undefined;
  /** How many partitions, 1 to 64. Each has its own order and its own sequence numbers. Default: 1. */
  partitionsNumber?: number | undefined;
  /** Name of a station that gets a copy of each dead letter; it is made with the defaults if missing. Default: `""`, none. */
  dlsStation?: string | undefined;
  /** rabbitmq: one partition for each of these routing keys (a super stream). Excludes `partitionsNumber`. */
  partitionKeys?: string[] | undefined;
  /**
   * Settings that only this broker knows, under the broker's own names: fields of the stream configuration on nats,
   * stream arguments on rabbitmq.
   */
  extra?: Record<string, string | number | boolean> | undefined;
}

/** What a broker tells about a station; numbers are sums over its partitions. Absent members are unknown. */
export interface StationInfo {
  /** Its name. */
  readonly name: string;
  /** The numbers of its partitions, from 1. */
  readonly partitions: readonly number[];
  /** Messages stored now. */
  readonly messages?: number;
  /** Bytes they take on the broker, overhead included. */
  readonly bytes?: number;
  /** Sequence of the oldest message, if there is one; told only where there is one partition. */
  readonly firstSequence?: number;
  /** Sequence of the newest message there has been, if any; told only where there is one partition. */
  readonly lastSequence?: number;
  /** How many groups read it. */
  readonly groups?: number;
  /** When it was made. */
  readonly created?: Date;
  /** Name of the schema that is enforced. */
  readonly schema?: string;
  /** The options it really has, as far as the broker tells. */
  readonly options: StationOptions;
}

/** A station that exists. The handle holds nothing on the broker: dropping it costs nothing and needs no call. */
export interface Station {
  /** Its name. */
  readonly name: string;
  /** The numbers of its partitions, from 1. */
  readonly partitions: readonly number[];
  /** `true` if it was there before the call, `false` if the call made it. */
  readonly existed: boolean;
  /** Which options the existing station has otherwise than you asked; empty for a new one. */
  readonly differs: readonly (keyof StationOptions)[];
  /** A producer of your own for this station. */
  producer(options?: ProducerOptions): Promise<Producer>;
  /** A consumer of your own for this station, not started yet. */
  consumer(options?: ConsumerOptions): Promise<Consumer>;
  /** Stores one message, with a producer that is kept. See the function {@link produce}. */
  produce(message: Payload, options?: ProduceOptions & ProducerOptions): Promise<Receipt>;
  /** Takes one batch, with a consumer that is kept. See the function {@link fetch}. */
  fetch(options?: ConsumerOptions & FetchOptions): Promise<Message[]>;
  /** A consumer that is already running. See the function {@link consume}. */
  consume(options?: ConsumerOptions & ConsumeOptions, handler?: MessageHandler): Promise<Consumer>;
  /** Asks the broker for the state of the station. Rejects with `no_such_station` if it has vanished. */
  info(): Promise<StationInfo>;
  /**
   * Reads what is stored without taking part: no group moves, nothing needs an ack. Partition by partition, up to
   * what was newest at the call. Where `capabilities.has("get")`.
   */
  browse(options?: { start?: Start; partitionNumber?: number; limit?: number; signal?: AbortSignal }): AsyncIterable<StoredMessage>;
  /** The messages that nobody could deal with, up to the newest at the call. Where `capabilities.has("dead_letters")`. */
  deadLetters(): AsyncIterable<DeadLetter>;
  /**
   * Forgets everything stored; the station, its groups and its sequence numbers stay. Resolves with the number of
   * messages, if the broker counts them. Where `capabilities.has("purge")`.
   */
  purge(): Promise<number | undefined>;
  /**
   * Deletes the station. Its producers and consumers end with `no_such_station`, those of other clients too.
   * Deleting one that is gone already succeeds. Where `capabilities.has("destroy")`.
   */
  destroy(): Promise<void>;
}
"#;
