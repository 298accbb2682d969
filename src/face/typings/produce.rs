//! Producing. What it promises: semantics, section 2.

pub const TEXT: &str = r#"
// ---- producing ----------------------------------------------------------------------------------------------

/**
 * What a message can be made of. Bytes go out as they are and text as UTF-8; any other object or array is written as
 * JSON, or in the form that the station's schema asks for. A function, number, `null`, Promise, Blob, Map or Set is
 * refused with `invalid_argument`. The bytes are copied at the call: the buffer is yours again at once.
 */
export type Payload = Uint8Array | ArrayBuffer | string | object;

/** How a producer is made. */
export interface ProducerOptions {
  /** Its name, by the same rules as station names. Default: random. */
  producerName?: string | undefined;
  /**
   * Gives each message a random `msgId`, so that it can be sent again after a lost link without being stored twice.
   * Such an id does not choose the partition. Default: `false`.
   */
  autoMsgId?: boolean | undefined;
  /**
   * rabbitmq: lets the broker recognise repeats by rising numbers, remembered under `producerName` even when this page
   * is loaded anew. Default: `false`.
   */
  deduplicate?: boolean | undefined;
  /** How `partitionKey` becomes a partition: by hash, or (rabbitmq super streams) by the broker's binding keys. Default: `"hash"`. */
  routing?: "hash" | "key" | undefined;
}

/** How one message is sent. */
export interface ProduceOptions {
  /**
   * Short texts that travel beside the payload. Names are ASCII without blank and colon, and none begins with `Nats-`,
   * on every broker alike; values are any text of one line.
   */
  headers?: Record<string, string> | undefined;
  /**
   * An id chosen by you, without blanks around it. A second message with the same id in the same partition and within the station's
   * `idempotencyWindowMs` is not stored; its receipt says `duplicate`. Without key and number the id also chooses the
   * partition, so that a repeat always meets its first copy.
   */
  msgId?: string | undefined;
  /** Chooses the partition by its hash: equal keys share a partition, and so an order. */
  partitionKey?: string | undefined;
  /** The partition itself, counted from 1. Excludes `partitionKey`. */
  partitionNumber?: number | undefined;
  /**
   * Milliseconds from the call until the promise rejects with `timeout`, repeats included. `maybeDelivered` then tells
   * whether a copy is out that the broker has said nothing about. Default: 15000.
   */
  ackWaitMs?: number | undefined;
  /**
   * `false`: be content when the socket has taken the message. The receipt then has no sequence, and a failure appears
   * as `produce_failed` in `status()`. Default: `true`.
   */
  waitForAck?: boolean | undefined;
  /**
   * Most messages of this producer that may be without outcome when this one leaves; it waits here until there are
   * fewer. Default: 500.
   */
  limitConcurrentTasks?: number | undefined;
  /** Milliseconds after which nobody gets the message any more. Where `capabilities.has("expiration")`; on nats at least 1000. */
  expirationMs?: number | undefined;
  /** Milliseconds during which nobody gets the message yet. Where `capabilities.has("delayed_produce")`. */
  delayMs?: number | undefined;
  /** kubemq: how often this one message is delivered at most. */
  maxMsgDeliveries?: number | undefined;
  /** kubemq: the queue this one message goes to when it is dead. */
  deadLetterStation?: string | undefined;
  /** rabbitmq: the value by which consumers with a `filter` find the message. */
  filterValue?: string | undefined;
  /** rabbitmq: the number by which repeats are recognised, instead of one counted by the producer. */
  publishingId?: number | bigint | undefined;
  /** rabbitmq: further AMQP 1.0 sections. `headers` are sent as application properties. */
  amqp?: AmqpSections | undefined;
  /** kubemq: any text, beside the headers. */
  metadata?: string | undefined;
  /**
   * Takes the message back while it waits; once it is written the promise rejects with `aborted` and
   * `maybeDelivered: true`.
   */
  signal?: AbortSignal | undefined;
}

/** How a whole list is sent. A `msgId` is refused, since one cannot serve many: use `autoMsgId`, or send them singly. */
export interface BatchOptions extends ProduceOptions {
  /** rabbitmq: packs the list into compressed entries; `"none"` sends plain ones. Default: `"none"`. */
  compression?: "none" | "gzip" | "snappy" | "lz4" | "zstd" | undefined;
  /** Told now and then how many messages have their outcome, at the end with `done === total`. */
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** The broker's word that a message is stored. */
export interface Receipt {
  /** The station that has it. */
  readonly station: string;
  /** The partition that has it, from 1. */
  readonly partition: number;
  /** Its number within the partition: rising, perhaps with gaps. 0 if the broker numbers nothing or was not waited for. */
  readonly sequence: number;
  /** A message with this `msgId` was there already; `sequence` is that one's, and nothing new is stored. */
  readonly duplicate: boolean;
  /** The id it was sent with, given or made by `autoMsgId`. */
  readonly msgId?: string;
  /** When it will vanish, after `expirationMs`. */
  readonly expiresAt?: Date;
  /** When it will be seen, after `delayMs`. */
  readonly visibleAt?: Date;
  /** For a list of stations: what the stations before the last one answered. */
  readonly others?: readonly Receipt[];
}

/** Sends to one station, or to each of a list, keeping the order of its calls within a partition. */
export interface Producer {
  /** Its name, given or random. */
  readonly name: string;
  /** Where it sends to. */
  readonly stations: readonly string[];
  /**
   * Stores one message; see the function {@link produce}. When the station has been deleted the producer is over:
   * every call rejects with `no_such_station`.
   */
  produce(message: Payload, options?: ProduceOptions): Promise<Receipt>;
  /**
   * Stores many messages and resolves with all receipts, in order. It feeds itself within the limits of the connection,
   * so the length of the list never causes `queue_full`.
   * @throws {@link BatchError} if some failed, when all have an outcome; its `outcomes` tell which.
   */
  produceBatch(messages: Payload[], options?: BatchOptions): Promise<Receipt[]>;
  /** rabbitmq: the highest number stored under this producer's name. Name the partition if there are several. */
  lastPublishingId(partitionNumber?: number): Promise<bigint>;
  /** Resolves when all that was produced until now has its outcome, good or bad. Never rejects. */
  flush(): Promise<void>;
  /**
   * The producer as a stream to pipe into. It takes more only when there is room; closing it flushes, and a message
   * that fails errors the stream.
   */
  readonly writable: WritableStream<Payload>;
  /** Flushes for up to 5 seconds, then ends the producer; what is still open rejects with `closed`. The station stays. */
  destroy(): Promise<void>;
  /** Same as `destroy()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
"#;
