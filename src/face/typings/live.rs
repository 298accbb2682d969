//! Live messages, questions and answers. What they promise: semantics, section 8.

pub const TEXT: &str = r#"
// ---- live messages, questions and answers ---------------------------------------------------------------------

/**
 * How a live message is sent. `publish` resolves when the message is in the socket's hands; while the link is down it waits for it.
 * Whoever awaits it is held up while more than 1 MiB is unconfirmed; beyond `maxPendingBytes` it rejects with `queue_full`. What the
 * broker refuses afterwards shows in `status()` as `produce_failed` with the channel as its station.
 */
export interface PublishOptions {
  /** Short texts beside the payload, by the rules of `ProduceOptions.headers`. */
  headers?: Record<string, string> | undefined;
  /** Any text, beside the headers. NATS: the header X-Metadata, with control characters and "%" as %XX. */
  metadata?: string | undefined;
  /** An id the receiver sees. Nothing is recognised as a repeat by it. */
  id?: string | undefined;
  /** Gives up (`aborted`). */
  signal?: AbortSignal | undefined;
}

/** How to listen. The channel may have wildcards where the broker knows them: `*` is one part of the name, `>` all that follow. */
export interface SubscribeOptions {
  /** Members of one group share the messages: each goes to one of them. Default: `""`, everybody gets all. */
  group?: string | undefined;
  /** How many messages may wait for the application, and never more than 64 MiB of them. Default: 16384. */
  prefetchMessages?: number | undefined;
  /** What happens when more would wait: lose the oldest, lose the newest, or end with `slow_consumer`. Default: `"drop_oldest"`. */
  overflow?: "drop_oldest" | "drop_newest" | "error" | undefined;
  /** Ends the subscription, as `stop()` does. */
  signal?: AbortSignal | undefined;
}

/** A message that is stored nowhere. */
export interface LiveMessage {
  /** The channel it was sent to, without wildcards. */
  readonly channel: string;
  /** The payload, as a view of the chunk in which it came. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** What the sender sent along. */
  readonly headers: Readonly<Record<string, string>>;
  /** The sender's id for it. */
  readonly id?: string;
  /** The text beside the headers. */
  readonly metadata?: string;
  /** The payload as text. */
  text(): string;
  /** The payload parsed as JSON; `T` is not checked. */
  json<T = unknown>(): T;
  /** The payload in a buffer of its own. */
  copy(): Uint8Array;
}

/**
 * An open ear. Iterate it, read its stream, or give `subscribe` a handler, which is called with one message at a time. Leaving the loop, or
 * a handler that throws, ends it. It is restored after a lost link; what was sent meanwhile is lost.
 */
export interface Subscription extends AsyncIterable<LiveMessage> {
  /** What it listens to, with its wildcards. */
  readonly channel: string;
  /** How many messages were lost because the application was too slow. */
  readonly dropped: number;
  /** The messages as a stream; cancelling it ends the subscription. */
  readonly readable: ReadableStream<LiveMessage>;
  /** Tells that it has ended: `undefined` after stop or close, else the error, or what the handler threw. Never rejects. */
  readonly closed: Promise<unknown>;
  /** Listens no longer. */
  stop(): Promise<void>;
  /** Same as `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** How a question is asked. */
export interface RequestOptions extends PublishOptions {
  /** Milliseconds to wait for the answer. Default: 5000. */
  timeoutMs?: number | undefined;
  /** kubemq: a command is carried out and brings no data back, a query does. Default: `"query"`. */
  kind?: "command" | "query" | undefined;
  /** kubemq: the key under which the broker may keep the answer. */
  cacheKey?: string | undefined;
  /** kubemq: milliseconds it may be kept. */
  cacheTtlMs?: number | undefined;
}

/** An answer. */
export interface Reply {
  /** The payload, as a view of the chunk in which it came. */
  readonly data: Uint8Array<ArrayBuffer>;
  /** What the responder sent along. */
  readonly headers: Readonly<Record<string, string>>;
  /** The text beside the headers. */
  readonly metadata?: string;
  /** `false` if the responder failed; `error` then says how. */
  readonly executed: boolean;
  /** The responder's failure, as text. */
  readonly error?: string;
  /** kubemq: the broker answered out of its cache. */
  readonly cacheHit: boolean;
  /** Who answered, where the broker tells. */
  readonly from?: string;
  /** When it was answered, where the broker tells. */
  readonly timestamp?: Date;
  /** The payload as text. */
  text(): string;
  /** The payload parsed as JSON; `T` is not checked. */
  json<T = unknown>(): T;
}

/** A question, as the responder gets it. */
export interface IncomingRequest extends LiveMessage {
  /** Who asks, where the broker tells. */
  readonly from?: string;
  /** Milliseconds the asker will wait, where the broker tells. */
  readonly timeoutMs?: number;
  /** Whether an answer with data is wanted. */
  readonly kind: "command" | "query";
  /** What goes along with the answer: fill it in before the handler returns. */
  readonly answer: { headers?: Record<string, string>; metadata?: string; executed?: boolean; error?: string; cacheHit?: boolean };
}

/** How to answer. */
export interface RespondOptions {
  /** Members of one group share the questions: each goes to one of them. */
  group?: string | undefined;
  /** kubemq: which kind to answer. */
  kind?: "command" | "query" | undefined;
  /** How many handlers may run at once. Default: 1. */
  concurrency?: number | undefined;
  /** Ends it, as `stop()` does. */
  signal?: AbortSignal | undefined;
}

/** A handler at work. It is restored after a lost link. */
export interface Responder {
  /** What it answers. */
  readonly channel: string;
  /** Tells that it has ended: `undefined` after stop or close, else the error. Never rejects. */
  readonly closed: Promise<unknown>;
  /** Takes no new questions; those that have come are still answered, and `closed` tells when. */
  stop(): Promise<void>;
  /** Same as `stop()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
"#;
