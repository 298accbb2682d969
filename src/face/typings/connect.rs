//! Options of `connect`. What they promise: semantics, section 5.

pub const TEXT: &str = r#"
// ---- connecting ---------------------------------------------------------------------------------------------

/**
 * How to reach a broker and how to hold on to it. Only `broker` has to be given. A name that is not listed here is
 * refused with `invalid_argument`, and the hint tells the nearest one that exists.
 */
export interface ConnectOptions {
  /** Which broker this is. */
  broker: BrokerKind;
  /**
   * Where it is: one URL, or several that are tried one after the other. Not together with `host`, `port` or `tls`.
   *
   * - `ws:` and `wss:` work everywhere (a page that came by `https:` may only use `wss:`),
   * - `tcp:` and `tls:` need a runtime with raw sockets (Node, Deno, Bun, Workers),
   * - `http:` and `https:` belong to kubemq,
   * - `memory:` is one broker for the whole process, `memory:NAME` is another one of its own.
   *
   * Credentials have options of their own: a user in the URL is refused.
   * Default for memory: `"memory:"`.
   */
  url?: string | string[] | undefined;
  /** Instead of `url`: name or address of the broker's machine. */
  host?: string | undefined;
  /** Beside `host`: memphis 7770, nats 8080, kubemq 9090, rabbitmq 5552 over TCP; no default for rabbitmq over WebSocket. */
  port?: number | undefined;
  /** Beside `host`: encrypted or not. Default: `true` on a page that came by `https:`, else `false`. */
  tls?: boolean | undefined;

  /** The user's name; together with `password`, and not with `connectionToken`. */
  username?: string | undefined;
  /** The user's password. Masked in `tap()`, never part of an error. */
  password?: string | undefined;
  /** A token instead of name and password (nats: the server's `token`). */
  connectionToken?: string | undefined;
  /** memphis: number of the tenant. Default: 1. */
  accountId?: number | undefined;
  /** nats: the user's JWT, for servers in operator mode; with `nkeySeed`. */
  jwt?: string | undefined;
  /** nats: the private seed that signs the server's challenge; it never leaves the page. */
  nkeySeed?: string | undefined;
  /** nats: JWT and seed in one: the text (not the path) of a `.creds` file. */
  creds?: string | undefined;
  /** nats: the JetStream domain to work in. Default: `""`, the one of the server itself. */
  domain?: string | undefined;
  /** nats: how reply subjects begin, for users who may subscribe to some prefix only. Default: `"_INBOX"`. */
  inboxPrefix?: string | undefined;
  /** rabbitmq: the virtual host. Default: `"/"`. */
  vhost?: string | undefined;
  /**
   * Supplies credentials that expire. Called before every dial, the first one included, with the number of the attempt
   * and the reason why the last link ended; has 30 seconds. What it returns takes the place of the fields above.
   */
  credentials?: ((attempt: { attempt: number; reason?: BrokerError; signal: AbortSignal }) => Credentials | Promise<Credentials>) | undefined;

  /** Whether a lost link is dialled again. Consumers are then restored by themselves. Default: `true`. */
  reconnect?: boolean | undefined;
  /**
   * How many dials in a row may fail before the connection ends for good; -1 never gives up. Failures while the
   * platform is offline or frozen are not counted; 5 seconds of a good link start the count afresh. Default: 10.
   */
  maxReconnect?: number | undefined;
  /** Milliseconds: bound of the first pause between dials; later ones grow, each drawn at random, up to 30 s. Default: 1500. */
  reconnectIntervalMs?: number | undefined;
  /** Milliseconds for one dial: socket, handshake and login taken together. Default: 2000; rabbitmq 10000. */
  timeoutMs?: number | undefined;
  /**
   * Milliseconds without anything from the broker until it is asked for a sign of life. When two questions in a row
   * stay unanswered, the link counts as lost. Default: 20000.
   */
  pingIntervalMs?: number | undefined;

  /** A name for this client in the broker's own lists; kubemq: its client id. Default: random. */
  name?: string | undefined;
  /** Opens the socket itself: for Node 20 (which has no WebSocket), client certificates, or headers on the upgrade. */
  socket?: SocketFactory | undefined;
  /** rabbitmq: turns the address a node announces into the URL under which it can be reached from here. Default: always `url`. */
  resolveAddress?: ((host: string, port: number) => string) | undefined;
  /** How many messages may be on their way to a receipt, or wait for the link, before `queue_full`. Default: 10000. */
  maxPendingMessages?: number | undefined;
  /** The same limit in bytes. Default: 67108864 (64 MiB). */
  maxPendingBytes?: number | undefined;
  /** Gives up the attempt (`aborted`). Without effect once `connect` has resolved: then use `close()`. */
  signal?: AbortSignal | undefined;
  /**
   * Hears what the client does. Events: those of `status()` by their `type`, with the entry as `detail`;
   * `produce_repeated` (a message was sent once more), `given_back` (held messages that nobody took), `settle_failed`
   * (an ack that came to nothing), `refused` (what the broker refused without anybody waiting for it), `handler_failed`,
   * `dead_letter_failed` (a message died and could not be kept, with the place and the error; the broker delivers or tells of
   * it again), `dead_letters_lost` (retention had removed so many before they could be kept), `entries_dropped` (a slow reader
   * of `status()` or `tap()`). Never gets a password, a seed or a payload.
   */
  logger?: ((entry: { level: "debug" | "info" | "warn" | "error"; event: string; detail?: Record<string, unknown> }) => void) | undefined;
}

/** What `ConnectOptions.credentials` returns; the fields mean what they mean there. */
export type Credentials = { username?: string | undefined; password?: string | undefined; connectionToken?: string | undefined; accountId?: number | undefined; jwt?: string | undefined; nkeySeed?: string | undefined };

/**
 * Bytes in, bytes out. Only the parts that are really used are named, so that the stream types of Node, Deno, pages and
 * Workers can be assigned as they are.
 */
export interface ByteStreams {
  /** What comes from the broker. */
  readable: { getReader(): { read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>; cancel(reason?: unknown): Promise<void>; releaseLock(): void } };
  /** What goes to the broker. */
  writable: { getWriter(): { write(chunk: Uint8Array): Promise<void>; close(): Promise<void>; abort(reason?: unknown): Promise<void>; releaseLock(): void } };
}

/**
 * Opens what a URL names: returns a WebSocket, or a pair of byte streams such as Cloudflare's `connect()`,
 * `Deno.connect` or Node's `Duplex.toWeb` give.
 *
 * @example Node 20, with the npm package `ws` (its compression keeps references to sent buffers, so switch it off)
 * ```js
 * import { WebSocket } from 'ws';
 * connect({ broker: 'nats', url, socket: (url) => new WebSocket(url, { perMessageDeflate: false }) });
 * ```
 */
export type SocketFactory = (url: string) => WebSocket | ByteStreams | Promise<WebSocket | ByteStreams>;
"#;
