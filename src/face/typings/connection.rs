//! The connection and its methods. What they promise: semantics, sections 1 to 8.

pub const TEXT: &str = r#"
/**
 * One link to one broker, healed by itself when it breaks. Stations, producers and consumers made from it share its
 * socket and end with it. Works with `await using`.
 */
export interface Connection {
  /** The broker this connection was made for. */
  readonly broker: BrokerKind;

  // stored messages

  /** Makes sure that a station exists. See the function {@link station}. */
  station(name: string, options?: StationOptions): Promise<Station>;
  /** Stores one message, with a producer that is kept. See the function {@link produce}. */
  produce(station: string | string[], message: Payload, options?: ProduceOptions & ProducerOptions): Promise<Receipt>;
  /** Takes one batch, with a consumer that is kept. See the function {@link fetch}. */
  fetch(station: string, options?: ConsumerOptions & FetchOptions): Promise<Message[]>;
  /** A consumer that is already running. See the function {@link consume}. */
  consume(station: string, options?: ConsumerOptions & ConsumeOptions, handler?: MessageHandler): Promise<Consumer>;
  /**
   * A producer of your own, with its own order, round robin and window. A missing station is created with the defaults.
   * @param station One name, or a list: each message then goes to all of them, one after the other.
   */
  producer(station: string | string[], options?: ProducerOptions): Promise<Producer>;
  /**
   * A consumer of your own, not started yet: call `fetch` or `consume` on it, iterate it or read its stream.
   * Its group is made here if it does not exist, and so is a missing station, with the defaults.
   */
  consumer(station: string, options?: ConsumerOptions): Promise<Consumer>;
  /** The stations this user may see, as they were at the call. Where `capabilities.has("list")`. */
  stations(): AsyncIterable<StationInfo>;

  // live messages: to whoever listens now, nothing is stored

  /**
   * Sends to everybody who is subscribed at this moment, at most once. Resolves when the message is handed to the
   * socket; nobody tells whether somebody listened. Where `capabilities.has("live")`.
   */
  publish(channel: string, message: Payload, options?: PublishOptions): Promise<void>;
  /** Listens to live messages, by handler or by iterating. Where `capabilities.has("live")`. */
  subscribe(channel: string, options?: SubscribeOptions, handler?: (message: LiveMessage) => void | Promise<void>): Promise<Subscription>;

  // questions and answers

  /**
   * Asks and waits for one answer. Rejects with `timeout` when none comes; at once where the broker knows that nobody
   * is there. Where `capabilities.has("requests")`.
   */
  request(channel: string, message: Payload, options?: RequestOptions): Promise<Reply>;
  /**
   * Answers requests. The handler's return value becomes the data of the answer. If it throws, the asker gets an
   * answer with `executed: false` and the error's text. Where `capabilities.has("requests")`.
   */
  respond(channel: string, handler: (request: IncomingRequest) => Payload | void | Promise<Payload | void>, options?: RespondOptions): Promise<Responder>;

  // schemas

  /**
   * Stores a schema, or a new version of it, which counts from then on. memphis: a new version counts when somebody has
   * made it the active one in the broker's pages. Where `capabilities.has("schemas")`.
   * @param definition The schema itself, as text; never the path of a file.
   */
  createSchema(name: string, type: SchemaType, definition: string): Promise<void>;
  /** From now on the station takes only what fits the schema; running producers and consumers learn it at once. */
  enforceSchema(name: string, station: string): Promise<void>;
  /** @deprecated Use `enforceSchema`, which is the same. */
  attachSchema(name: string, station: string): Promise<void>;
  /** The station takes anything again. */
  detachSchema(station: string): Promise<void>;

  /** Whether the link is up at this moment. `false` while a reconnect is on its way, and after `close()`. */
  isConnected(): boolean;
  /**
   * Asks the broker for a sign of life and tells how long the way there and back took.
   * Rejects with `timeout` or `connection_lost`.
   */
  ping(): Promise<ServerInfo>;
  /** What can be done here, and the reason where something cannot. Complete when `connect` resolves. */
  readonly capabilities: Capabilities;
  /**
   * The changes of state that happen from this call on; several readers may listen. A reader that does not keep up
   * finds the newest 1,000. Ends after `closed`.
   */
  status(): AsyncIterable<Status>;
  /**
   * Both directions of the wire, frame by frame, with secrets blanked out: for consoles and bug reports. The newest
   * 1,000 are kept for a slow reader; without a reader it costs nothing. The memory broker has no wire: it shows its
   * calls, and what they bring.
   */
  tap(): AsyncIterable<Frame>;
  /** Counters since `connect`, and what is pending now. */
  stats(): Stats;
  /**
   * Ends it in good order: what is pending may finish for up to 5 seconds (not while the link is down), the rest
   * rejects with `closed`, held messages are given back, then the socket is closed. Every call returns one promise.
   */
  close(): Promise<void>;
  /**
   * When and why it was over for good: `undefined` after `close()`, else the error that ended it (bad credentials, or
   * `maxReconnect` used up). Never rejects.
   */
  readonly closed: Promise<BrokerError | undefined>;
  /** Same as `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}
"#;
