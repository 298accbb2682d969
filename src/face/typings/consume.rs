//! Consuming. What it promises: semantics, sections 3 and 4.

pub const TEXT: &str = r#"
// ---- consuming ----------------------------------------------------------------------------------------------

/**
 * Where a group begins to read, decided by its first consumer; whoever joins later reads on where the group stands.
 *
 * - `"first"` everything that is stored, `"last"` from the newest message on, `"next"` only what comes from now on,
 * - `{ sequence }` from that number, or the next one that exists, in each partition,
 * - `{ time }` and `{ sinceMs }` from a moment, given as a date or as milliseconds before now,
 * - `{ lastMessages }` the newest N of each partition.
 */
export type Start = "first" | "last" | "next" | { sequence: number | bigint } | { time: Date } | { sinceMs: number } | { lastMessages: number };

/** How a consumer and its group are made. */
export interface ConsumerOptions {
  /**
   * Its name. Without name and group the consumer has a random group of its own, which is removed with it and, where
   * the broker can, some minutes after the page has gone.
   */
  consumerName?: string | undefined;
  /** The group it shares messages with: each goes to one member at a time. Default: the consumer's name. */
  consumerGroup?: string | undefined;
  /** Milliseconds to rest after a pull that found nothing; a message that arrives ends the rest. Default: 1000. */
  pullIntervalMs?: number | undefined;
  /** Messages in a batch, 1 to 5000. Default: 10. */
  batchSize?: number | undefined;
  /** Milliseconds to wait for a batch to fill, at least 1. Default: 5000. */
  batchMaxTimeToWaitMs?: number | undefined;
  /** Milliseconds in which a message must be acked, else any member gets it again. Default: 30000. */
  maxAckTimeMs?: number | undefined;
  /** Deliveries after which the group gives the message up as dead, at least 1. Default: 10. */
  maxMsgDeliveries?: number | undefined;
  /** Begin at this sequence. At most one of this, `lastMessages` and `start`. Default: 1. */
  startConsumeFromSequence?: number | undefined;
  /** Begin with the newest N of each partition; 0 is only what comes, -1 all. Default: -1. */
  lastMessages?: number | undefined;
  /** Where the group begins. Default: `"first"`. */
  start?: Start | undefined;
  /**
   * Counts a message as done when it is delivered: at most once, the fastest way, nothing to ack (`ack()` does nothing
   * then). A group is of one kind: joining with the other is `already_exists`. Default: `false`.
   */
  autoAck?: boolean | undefined;
  /**
   * Only messages whose `filterValue` is among `values`; `matchUnfiltered` lets those without a value pass as well.
   * A broker's filter is a coarse one: `predicate` looks at each message once more. Where `capabilities.has("filters")`.
   */
  filter?: { values: string[]; matchUnfiltered?: boolean | undefined; predicate?: ((message: StoredMessage) => boolean) | undefined } | undefined;
  /** rabbitmq: all members read everything, instead of one active member for a partition. Default: `false`. */
  broadcast?: boolean | undefined;
  /** rabbitmq: hears that this member has become, or is no longer, the active one. May return where to begin. Default: where the group stands. */
  onActive?: ((partition: number, active: boolean) => Start | undefined | Promise<Start | undefined>) | undefined;
}

/** How a running consumer reads. */
export interface ConsumeOptions {
  /** Read the one partition that this key belongs to. Default: all. */
  partitionKey?: string | undefined;
  /** Read this partition only, counted from 1. Excludes `partitionKey`. Default: all. */
  partitionNumber?: number | undefined;
  /**
   * How many messages may lie ready before the application takes them. More means more speed and more to give back at
   * the end. Default: 500; 2000 with `autoAck`.
   */
  prefetchMessages?: number | undefined;
  /** The same bound in bytes, of the network chunks that are kept. Whichever is reached first counts. Default: 16777216 (16 MiB). */
  prefetchBytes?: number | undefined;
  /** Stops the consumer, as `stop()` does. */
  signal?: AbortSignal | undefined;
}

/** How one batch is taken. */
export interface FetchOptions {
  /** Messages at most, 1 to 5000. Default: the consumer's own. */
  batchSize?: number | undefined;
  /** Milliseconds to wait for them, at least 1. Default: the consumer's own. */
  batchMaxTimeToWaitMs?: number | undefined;
  /** Read the one partition that this key belongs to. Default: all at once. */
  partitionKey?: string | undefined;
  /** Read this partition only, counted from 1. Excludes `partitionKey`. Default: all at once. */
  partitionNumber?: number | undefined;
  /** Take what is stored at this moment and do not wait for more. Default: `false`. */
  noWait?: boolean | undefined;
  /** Order the following batch at once, while you work on this one. For loops of `fetch`. Default: `false`. */
  prefetch?: boolean | undefined;
  /** Rejects with `aborted`; messages that come for it afterwards are kept for the next fetch or given back. */
  signal?: AbortSignal | undefined;
}

/**
 * Gets the batches of a running consumer, one call at a time: the next begins when the promise of this one settles.
 *
 * @param messages One to `batchSize` messages; none if there is an error.
 * @param error `timeout` when nothing came within `batchMaxTimeToWaitMs`; the consumer goes on.
 * @param context Whatever was given to `setContext`.
 * If it throws, the consumer stops, and `Consumer.consume` rejects with exactly what was thrown.
 */
export type MessageHandler = (messages: Message[], error: BrokerError | undefined, context: unknown) => void | Promise<void>;

/**
 * A member of a group. Take its messages in one of four ways, one at a time: `fetch`, a handler, iteration, or the
 * stream; a second one beside the first is `invalid_argument`. A lost link does not end it.
 */
export interface Consumer extends AsyncIterable<Message> {
  /** Its name, given or random. */
  readonly name: string;
  /** The group it belongs to. */
  readonly group: string;
  /** The station it reads. */
  readonly station: string;
  /** Takes one batch; see the function {@link fetch}. Several calls queue up. */
  fetch(options?: FetchOptions): Promise<Message[]>;
  /**
   * Runs the handler until the consumer is stopped; resolves after the handler's last call. Rejects with what the
   * handler threw, or with the error that ended it, such as `no_such_station`.
   */
  consume(handler: MessageHandler, options?: ConsumeOptions): Promise<void>;
  /** Sets the third argument of all later calls of the handler. */
  setContext(context: unknown): void;
  /**
   * The highest sequence up to which the group has dealt with everything; `undefined` if with nothing yet.
   * Name the partition if there are several.
   */
  position(partitionNumber?: number): Promise<bigint | undefined>;
  /** rabbitmq: sets the group's position on the broker, for applications that keep book themselves. */
  storePosition(sequence: number | bigint, partitionNumber?: number): Promise<void>;
  /**
   * Ends the delivery and gives back what is held and not handed over (with `autoAck` it is kept for the next start).
   * May be called inside the handler. The consumer can be started again.
   */
  stop(): Promise<void>;
  /** One message after the other, without time-outs. `break` stops the consumer; iterating again starts it again. */
  [Symbol.asyncIterator](): AsyncIterator<Message>;
  /** The messages as a stream; cancelling it stops the consumer. */
  readonly readable: ReadableStream<Message>;
  /** Tells that it has ended: `undefined` after stop, destroy or close, else the error. Never rejects. */
  readonly closed: Promise<unknown>;
  /**
   * Stops, and leaves the group. The group itself, with its position, is removed from the broker if no other member
   * shows: no open pull, nothing unacked, no other consumer of this connection.
   */
  destroy(): Promise<void>;
  /** Stops; also removes the group if neither name nor group was given. For `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
"#;
