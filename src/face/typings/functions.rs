//! Brokers and the five functions. What they promise: semantics, sections 1 to 5.

pub const TEXT: &str = r#"
/** What older TypeScript libraries lack. */
declare global {
  /** The key of `await using`, for TypeScript libraries older than the one that brings it. */
  interface SymbolConstructor { readonly asyncDispose: unique symbol }
}

/**
 * Which broker a connection talks to.
 *
 * - `"memory"`: none. The broker lives inside the package, with all semantics; for first steps and for tests.
 * - `"nats"`: a NATS server or cluster with JetStream, 2.10 or newer, through its WebSocket listener.
 * - `"memphis"`, `"rabbitmq"`, `"kubemq"`: a package that does not contain the broker yet answers `not_supported`.
 */
export type BrokerKind = "memphis" | "nats" | "rabbitmq" | "kubemq" | "memory";

// ---- the five functions, and the same five as methods ------------------------------------------------------

/**
 * Loads the WebAssembly part. You rarely need this: the first {@link connect} does it, from the place where the
 * package was installed. Call it yourself to choose another place, or to have the download over with early.
 * Further calls wait for the first one and change nothing; a load that failed may be tried again.
 *
 * @param source Where the module is: a URL (absolute, or relative to the page), its bytes, or a `WebAssembly.Module`
 * that is already compiled (the only form that works on Workers, where bytes must not be compiled).
 * @throws {@link BrokerError} `not_supported` if the file cannot be fetched or compiled. In a page, look first at the
 * content security policy (`script-src` needs `'wasm-unsafe-eval'`) and at whether the bundler copied the file.
 * @example
 * ```js
 * await init('/assets/stationmaster_bg.wasm');
 * ```
 */
export function init(source?: string | URL | ArrayBuffer | Uint8Array | object): Promise<void>;

/**
 * Opens a connection. The promise resolves when the broker has accepted the credentials, so a wrong password is known
 * here and not at the first message. Each URL is tried once, for `timeoutMs`; later losses of the link are healed by
 * the reconnect options.
 *
 * @throws {@link BrokerError} `invalid_argument` (an option is unknown, of the wrong type, out of range or excluded by
 * another one), `connect_failed` (nobody answers, or not within `timeoutMs`), `auth_failed`, `not_supported` (this
 * broker, URL scheme or option cannot be had here), `protocol` (something else than this broker answers), `aborted`
 * (by `signal`).
 * @example
 * ```js
 * const connection = await connect({ broker: 'nats', url: 'ws://127.0.0.1:8080' });
 * ```
 */
export function connect(options: ConnectOptions): Promise<Connection>;

/**
 * Makes sure that a station exists: creates what is missing and leaves an existing one exactly as it is.
 * `existed` and `differs` of the result tell which of the two it was. Two callers at once both succeed.
 *
 * @param name 1 to 128 characters; `a-z 0-9 . _ -` with a letter or digit at both ends is right on every broker.
 * @throws {@link BrokerError} `invalid_argument` (name or option), `not_supported` (an option that this broker
 * cannot honour), `already_exists` (something else stands in the way of the name), `rejected`, `permission_denied`.
 */
export function station(connection: Connection, name: string, options?: StationOptions): Promise<Station>;

/**
 * Stores one message. The promise resolves with the receipt when the broker says that the message is stored.
 * Calls need not wait for each other: those made in one task leave in one write and keep their order.
 * The producer behind it is made by the first call, with the options of that call, and kept for the station (or list)
 * and `producerName`; a missing station is created with the defaults.
 *
 * @param station One name, or several: then one after the other, and the first failure ends it.
 * @throws {@link BrokerError} `queue_full` (too much is pending already; the message was not taken), `too_large`,
 * `timeout` (no receipt within `ackWaitMs`), `connection_lost`, `rejected`, `schema_violation`, `invalid_argument`,
 * `not_supported`, `permission_denied`, `closed`, `aborted`. `maybeDelivered` tells whether it may be stored anyway.
 */
export function produce(connection: Connection, station: string | string[], message: Payload, options?: ProduceOptions & ProducerOptions): Promise<Receipt>;

/**
 * Takes one batch: resolves when `batchSize` messages are there or `batchMaxTimeToWaitMs` is over, with what has come
 * until then, which may be nothing. The consumer behind it is made by the first call and kept; a missing station is
 * created with the defaults. Ack what you have dealt with, or it comes again after `maxAckTimeMs`.
 * One consumer is kept for each station and name (`consumerName` and `consumerGroup`); the options of the first call
 * make it, and only batch, wait, partition and signal are read anew each time.
 *
 * @throws {@link BrokerError} `aborted`, `closed`, `invalid_argument`, `no_such_station`, `not_supported`,
 * `permission_denied`, `rejected`.
 */
export function fetch(connection: Connection, station: string, options?: ConsumerOptions & FetchOptions): Promise<Message[]>;

/**
 * A consumer that is already running. With a handler it hands over batches; without one, iterate it:
 *
 * @example
 * ```js
 * for await (const message of await consume(connection, 'orders', { consumerGroup: 'billing' })) {
 *   console.log(message.text());
 *   message.ack();
 * }
 * ```
 * @throws {@link BrokerError} `already_exists` (the group acks in the other way, see `autoAck`), `invalid_argument`,
 * `not_supported`, `permission_denied`, `closed`, `aborted`.
 */
export function consume(connection: Connection, station: string, options?: ConsumerOptions & ConsumeOptions, handler?: MessageHandler): Promise<Consumer>;
"#;
