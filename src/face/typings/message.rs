//! Messages as they are handed over. What they promise: semantics, sections 3, 6 and 7.

pub const TEXT: &str = r#"
/** A message as it is stored: a plain object without ties. It needs no release and stays valid after `close()`. */
export interface StoredMessage {
  /**
   * The payload, without a copy: a view of the network chunk in which it came, shared with its neighbours. Do not
   * transfer it. A single kept view keeps the chunk in memory, so keep a `copy()` or a `record()` instead.
   */
  readonly data: Uint8Array<ArrayBuffer>;
  /** What the producer sent along. */
  readonly headers: Readonly<Record<string, string>>;
  /** The station it lies in. */
  readonly station: string;
  /** The partition it lies in, from 1. memphis: 0 for a dead letter sent again to the group, which can only be acked. */
  readonly partition: number;
  /**
   * Its number within the partition. Not exact above 2^53, where `sequenceBig` is; never throws. memphis: 0 for a dead
   * letter that was sent again.
   */
  readonly sequence: number;
  /** The same number, exact. */
  readonly sequenceBig: bigint;
  /** When the broker stored it, to the millisecond. */
  readonly timestamp: Date;
  /** The same moment in nanoseconds since 1970, as fine as the broker tells. */
  readonly timestampNs: bigint;
  /** The id it was produced with. */
  readonly msgId?: string;
  /** kubemq: the text beside the headers. */
  readonly metadata?: string;
  /** When it will vanish. */
  readonly expiresAt?: Date;
  /** kubemq: the queue in which it died. */
  readonly reroutedFrom?: string;
  /** rabbitmq: its AMQP 1.0 sections. */
  readonly amqp?: AmqpSections;
  /** The payload as text (UTF-8; what is not UTF-8 becomes U+FFFD). */
  text(): string;
  /** The payload parsed as JSON. Throws a `SyntaxError` if it is none; `T` is your promise and is not checked. */
  json<T = unknown>(): T;
  /** The payload by the station's schema: a value for JSON, protobuf and Avro, the document's text for GraphQL. Throws `schema_violation`. */
  decode(): unknown;
  /** The payload in a buffer of its own. */
  copy(): Uint8Array<ArrayBuffer>;
  /** The data of the message without its methods, in a buffer of its own: can be cloned, and posted to a Worker. */
  record(): MessageRecord;
}

/**
 * A message that waits for your word. Settle it once, by `ack`, `nack`, `delay`, `deadLetter` or `resend`; a second
 * word is `invalid_argument`. Say nothing, and it comes again after `maxAckTimeMs`. These promises resolve when the
 * word is in the socket's hands; you need not await them, and one that fails unawaited is counted and logged only.
 */
export interface Message extends StoredMessage {
  /** How often the broker has delivered it to the group, this time included. */
  readonly deliveries: number;
  /**
   * Done: the group does not get it again.
   * @param options `confirm: true` waits until the broker has recorded it, and rejects with `timeout` (retryable) if
   * it does not say so. Default: `false`.
   */
  ack(options?: { confirm?: boolean }): Promise<void>;
  /** Not done: deliver it again at once, to any member. Where `capabilities.has("nack")`. */
  nack(): Promise<void>;
  /** Not done: deliver it again, but not before so many milliseconds. Where `capabilities.has("delay")`. */
  delay(ms: number): Promise<void>;
  /**
   * Hopeless: never again for this group. It is kept among the dead letters with this text, if the station keeps any.
   * Where `capabilities.has("nack")`.
   */
  deadLetter(reason: string): Promise<void>;
  /**
   * Still at work: the ack time starts again. Settles nothing. Where `capabilities.has("in_progress")`.
   * @param ms Milliseconds, where the broker takes a time of its own. Default: `maxAckTimeMs`.
   */
  inProgress(ms?: number): Promise<void>;
  /** Stores it, or `instead`, in another station, and then acks it. Where `capabilities.has("resend")`. */
  resend(station: string, instead?: Payload, options?: ProduceOptions): Promise<void>;
}

/** What `record()` makes of a message; `deliveries` is 0 where it was only looked at. */
export type MessageRecord = { data: Uint8Array<ArrayBuffer>; headers: Record<string, string>; station: string; partition: number; sequence: number; timestamp: Date; deliveries: number };

/** A message that a group gave up on, or that did not fit the schema. */
export interface DeadLetter extends StoredMessage {
  /** Why: delivered too often, given up by the application, or refused by the schema. */
  readonly reason: "deliveries" | "rejected" | "schema";
  /** The text that went with it, or what did not fit. */
  readonly detail?: string;
  /** The group that gave it up. */
  readonly group?: string;
  /** Stores it in its station as a new message. A repeat of the call cannot store it twice within the window. */
  resend(): Promise<Receipt>;
  /** Forgets it. */
  discard(): Promise<void>;
}
"#;
