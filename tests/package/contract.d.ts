declare global {
    interface SymbolConstructor {
        readonly asyncDispose: unique symbol;
    }
}
export type BrokerKind = "memphis" | "nats" | "rabbitmq" | "kubemq" | "memory";
export function init(source?: string | URL | ArrayBuffer | Uint8Array | object): Promise<void>;
export function connect(options: ConnectOptions): Promise<Connection>;
export function station(connection: Connection, name: string, options?: StationOptions): Promise<Station>;
export function produce(connection: Connection, station: string | string[], message: Payload, options?: ProduceOptions & ProducerOptions): Promise<Receipt>;
export function fetch(connection: Connection, station: string, options?: ConsumerOptions & FetchOptions): Promise<Message[]>;
export function consume(connection: Connection, station: string, options?: ConsumerOptions & ConsumeOptions, handler?: MessageHandler): Promise<Consumer>;
export interface Connection {
    readonly broker: BrokerKind;
    station(name: string, options?: StationOptions): Promise<Station>;
    produce(station: string | string[], message: Payload, options?: ProduceOptions & ProducerOptions): Promise<Receipt>;
    fetch(station: string, options?: ConsumerOptions & FetchOptions): Promise<Message[]>;
    consume(station: string, options?: ConsumerOptions & ConsumeOptions, handler?: MessageHandler): Promise<Consumer>;
    producer(station: string | string[], options?: ProducerOptions): Promise<Producer>;
    consumer(station: string, options?: ConsumerOptions): Promise<Consumer>;
    stations(): AsyncIterable<StationInfo>;
    publish(channel: string, message: Payload, options?: PublishOptions): Promise<void>;
    subscribe(channel: string, options?: SubscribeOptions, handler?: (message: LiveMessage) => void | Promise<void>): Promise<Subscription>;
    request(channel: string, message: Payload, options?: RequestOptions): Promise<Reply>;
    respond(channel: string, handler: (request: IncomingRequest) => Payload | void | Promise<Payload | void>, options?: RespondOptions): Promise<Responder>;
    createSchema(name: string, type: SchemaType, definition: string): Promise<void>;
    enforceSchema(name: string, station: string): Promise<void>;
    attachSchema(name: string, station: string): Promise<void>;
    detachSchema(station: string): Promise<void>;
    isConnected(): boolean;
    ping(): Promise<ServerInfo>;
    readonly capabilities: Capabilities;
    status(): AsyncIterable<Status>;
    tap(): AsyncIterable<Frame>;
    stats(): Stats;
    close(): Promise<void>;
    readonly closed: Promise<BrokerError | undefined>;
    [Symbol.asyncDispose](): Promise<void>;
}
export interface ConnectOptions {
    broker: BrokerKind;
    url?: string | string[] | undefined;
    host?: string | undefined;
    port?: number | undefined;
    tls?: boolean | undefined;
    username?: string | undefined;
    password?: string | undefined;
    connectionToken?: string | undefined;
    accountId?: number | undefined;
    jwt?: string | undefined;
    nkeySeed?: string | undefined;
    creds?: string | undefined;
    domain?: string | undefined;
    inboxPrefix?: string | undefined;
    vhost?: string | undefined;
    credentials?: ((attempt: {
        attempt: number;
        reason?: BrokerError;
        signal: AbortSignal;
    }) => Credentials | Promise<Credentials>) | undefined;
    reconnect?: boolean | undefined;
    maxReconnect?: number | undefined;
    reconnectIntervalMs?: number | undefined;
    timeoutMs?: number | undefined;
    pingIntervalMs?: number | undefined;
    name?: string | undefined;
    socket?: SocketFactory | undefined;
    resolveAddress?: ((host: string, port: number) => string) | undefined;
    maxPendingMessages?: number | undefined;
    maxPendingBytes?: number | undefined;
    signal?: AbortSignal | undefined;
    logger?: ((entry: {
        level: "debug" | "info" | "warn" | "error";
        event: string;
        detail?: Record<string, unknown>;
    }) => void) | undefined;
}
export type Credentials = {
    username?: string | undefined;
    password?: string | undefined;
    connectionToken?: string | undefined;
    accountId?: number | undefined;
    jwt?: string | undefined;
    nkeySeed?: string | undefined;
};
export interface ByteStreams {
    readable: {
        getReader(): {
            read(): Promise<{
                done: boolean;
                value?: Uint8Array | undefined;
            }>;
            cancel(reason?: unknown): Promise<void>;
            releaseLock(): void;
        };
    };
    writable: {
        getWriter(): {
            write(chunk: Uint8Array): Promise<void>;
            close(): Promise<void>;
            abort(reason?: unknown): Promise<void>;
            releaseLock(): void;
        };
    };
}
export type SocketFactory = (url: string) => WebSocket | ByteStreams | Promise<WebSocket | ByteStreams>;
export type Status = {
    type: "connected";
    url: string;
    attempt: number;
} | {
    type: "disconnected";
    reason: BrokerError;
} | {
    type: "reconnecting";
    attempt: number;
    inMs: number;
} | {
    type: "slow_consumer";
    station: string;
    pending: number;
} | {
    type: "schema";
    station: string;
    schema: string | null;
} | {
    type: "active";
    station: string;
    partition: number;
    active: boolean;
} | {
    type: "produce_failed";
    station: string;
    error: BrokerError;
    messages: number;
    msgIds?: string[];
} | {
    type: "closed";
    reason?: BrokerError;
};
export interface ServerInfo {
    readonly product: string;
    readonly version?: string;
    readonly host?: string;
    readonly rttMs: number;
    readonly upSeconds?: number;
    readonly maxPayloadBytes?: number;
}
export interface Frame {
    readonly direction: "in" | "out";
    readonly at: Date;
    readonly bytes: number;
    readonly summary: string;
    readonly data: Uint8Array;
}
export interface Stats {
    sentMessages: number;
    sentBytes: number;
    receivedMessages: number;
    receivedBytes: number;
    pendingMessages: number;
    pendingBytes: number;
    reconnects: number;
    wasmMemoryBytes: number;
}
export interface Capabilities {
    has(feature: Feature): boolean;
    why(feature: Feature): string | undefined;
    readonly list: readonly Feature[];
}
export type Feature = "partitions" | "groups" | "ack" | "nack" | "delay" | "in_progress" | "dead_letters" | "dls_station" | "msg_id" | "schemas" | "start_sequence" | "start_time" | "last_messages" | "purge" | "destroy" | "info" | "list" | "get" | "live" | "requests" | "expiration" | "delayed_produce" | "filters" | "compression" | "resend" | "retention_messages" | "retention_bytes" | "retention_ack_based" | "storage_type" | "replicas" | "tiered_storage";
export type RetentionType = "max_message_age_seconds" | "messages" | "bytes" | "ack_based";
export type StorageType = "disk" | "memory";
export type SchemaType = "protobuf" | "json" | "graphql" | "avro";
export interface StationOptions {
    retentionType?: RetentionType | undefined;
    retentionValue?: number | undefined;
    storageType?: StorageType | undefined;
    replicas?: number | undefined;
    idempotencyWindowMs?: number | undefined;
    schemaName?: string | undefined;
    sendPoisonMsgToDls?: boolean | undefined;
    sendSchemaFailedMsgToDls?: boolean | undefined;
    tieredStorageEnabled?: boolean | undefined;
    partitionsNumber?: number | undefined;
    dlsStation?: string | undefined;
    partitionKeys?: string[] | undefined;
    extra?: Record<string, string | number | boolean> | undefined;
}
export interface StationInfo {
    readonly name: string;
    readonly partitions: readonly number[];
    readonly messages?: number;
    readonly bytes?: number;
    readonly firstSequence?: number;
    readonly lastSequence?: number;
    readonly groups?: number;
    readonly created?: Date;
    readonly schema?: string;
    readonly options: StationOptions;
}
export interface Station {
    readonly name: string;
    readonly partitions: readonly number[];
    readonly existed: boolean;
    readonly differs: readonly (keyof StationOptions)[];
    producer(options?: ProducerOptions): Promise<Producer>;
    consumer(options?: ConsumerOptions): Promise<Consumer>;
    produce(message: Payload, options?: ProduceOptions & ProducerOptions): Promise<Receipt>;
    fetch(options?: ConsumerOptions & FetchOptions): Promise<Message[]>;
    consume(options?: ConsumerOptions & ConsumeOptions, handler?: MessageHandler): Promise<Consumer>;
    info(): Promise<StationInfo>;
    browse(options?: {
        start?: Start;
        partitionNumber?: number;
        limit?: number;
        signal?: AbortSignal;
    }): AsyncIterable<StoredMessage>;
    deadLetters(): AsyncIterable<DeadLetter>;
    purge(): Promise<number | undefined>;
    destroy(): Promise<void>;
}
export type Payload = Uint8Array | ArrayBuffer | string | object;
export interface ProducerOptions {
    producerName?: string | undefined;
    autoMsgId?: boolean | undefined;
    deduplicate?: boolean | undefined;
    routing?: "hash" | "key" | undefined;
}
export interface ProduceOptions {
    headers?: Record<string, string> | undefined;
    msgId?: string | undefined;
    partitionKey?: string | undefined;
    partitionNumber?: number | undefined;
    ackWaitMs?: number | undefined;
    waitForAck?: boolean | undefined;
    limitConcurrentTasks?: number | undefined;
    expirationMs?: number | undefined;
    delayMs?: number | undefined;
    maxMsgDeliveries?: number | undefined;
    deadLetterStation?: string | undefined;
    filterValue?: string | undefined;
    publishingId?: number | bigint | undefined;
    amqp?: AmqpSections | undefined;
    metadata?: string | undefined;
    signal?: AbortSignal | undefined;
}
export interface BatchOptions extends ProduceOptions {
    compression?: "none" | "gzip" | "snappy" | "lz4" | "zstd" | undefined;
    onProgress?: ((done: number, total: number) => void) | undefined;
}
export interface Receipt {
    readonly station: string;
    readonly partition: number;
    readonly sequence: number;
    readonly duplicate: boolean;
    readonly msgId?: string;
    readonly expiresAt?: Date;
    readonly visibleAt?: Date;
    readonly others?: readonly Receipt[];
}
export interface Producer {
    readonly name: string;
    readonly stations: readonly string[];
    produce(message: Payload, options?: ProduceOptions): Promise<Receipt>;
    produceBatch(messages: Payload[], options?: BatchOptions): Promise<Receipt[]>;
    lastPublishingId(partitionNumber?: number): Promise<bigint>;
    flush(): Promise<void>;
    readonly writable: WritableStream<Payload>;
    destroy(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
export type Start = "first" | "last" | "next" | {
    sequence: number | bigint;
} | {
    time: Date;
} | {
    sinceMs: number;
} | {
    lastMessages: number;
};
export interface ConsumerOptions {
    consumerName?: string | undefined;
    consumerGroup?: string | undefined;
    pullIntervalMs?: number | undefined;
    batchSize?: number | undefined;
    batchMaxTimeToWaitMs?: number | undefined;
    maxAckTimeMs?: number | undefined;
    maxMsgDeliveries?: number | undefined;
    startConsumeFromSequence?: number | undefined;
    lastMessages?: number | undefined;
    start?: Start | undefined;
    autoAck?: boolean | undefined;
    filter?: {
        values: string[];
        matchUnfiltered?: boolean | undefined;
        predicate?: ((message: StoredMessage) => boolean) | undefined;
    } | undefined;
    broadcast?: boolean | undefined;
    onActive?: ((partition: number, active: boolean) => Start | undefined | Promise<Start | undefined>) | undefined;
}
export interface ConsumeOptions {
    partitionKey?: string | undefined;
    partitionNumber?: number | undefined;
    prefetchMessages?: number | undefined;
    prefetchBytes?: number | undefined;
    signal?: AbortSignal | undefined;
}
export interface FetchOptions {
    batchSize?: number | undefined;
    batchMaxTimeToWaitMs?: number | undefined;
    partitionKey?: string | undefined;
    partitionNumber?: number | undefined;
    noWait?: boolean | undefined;
    prefetch?: boolean | undefined;
    signal?: AbortSignal | undefined;
}
export type MessageHandler = (messages: Message[], error: BrokerError | undefined, context: unknown) => void | Promise<void>;
export interface Consumer extends AsyncIterable<Message> {
    readonly name: string;
    readonly group: string;
    readonly station: string;
    fetch(options?: FetchOptions): Promise<Message[]>;
    consume(handler: MessageHandler, options?: ConsumeOptions): Promise<void>;
    setContext(context: unknown): void;
    position(partitionNumber?: number): Promise<bigint | undefined>;
    storePosition(sequence: number | bigint, partitionNumber?: number): Promise<void>;
    stop(): Promise<void>;
    [Symbol.asyncIterator](): AsyncIterator<Message>;
    readonly readable: ReadableStream<Message>;
    readonly closed: Promise<unknown>;
    destroy(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
export interface StoredMessage {
    readonly data: Uint8Array<ArrayBuffer>;
    readonly headers: Readonly<Record<string, string>>;
    readonly station: string;
    readonly partition: number;
    readonly sequence: number;
    readonly sequenceBig: bigint;
    readonly timestamp: Date;
    readonly timestampNs: bigint;
    readonly msgId?: string;
    readonly metadata?: string;
    readonly expiresAt?: Date;
    readonly reroutedFrom?: string;
    readonly amqp?: AmqpSections;
    text(): string;
    json<T = unknown>(): T;
    decode(): unknown;
    copy(): Uint8Array<ArrayBuffer>;
    record(): MessageRecord;
}
export interface Message extends StoredMessage {
    readonly deliveries: number;
    ack(options?: {
        confirm?: boolean;
    }): Promise<void>;
    nack(): Promise<void>;
    delay(ms: number): Promise<void>;
    deadLetter(reason: string): Promise<void>;
    inProgress(ms?: number): Promise<void>;
    resend(station: string, instead?: Payload, options?: ProduceOptions): Promise<void>;
}
export type MessageRecord = {
    data: Uint8Array<ArrayBuffer>;
    headers: Record<string, string>;
    station: string;
    partition: number;
    sequence: number;
    timestamp: Date;
    deliveries: number;
};
export interface DeadLetter extends StoredMessage {
    readonly reason: "deliveries" | "rejected" | "schema";
    readonly detail?: string;
    readonly group?: string;
    resend(): Promise<Receipt>;
    discard(): Promise<void>;
}
export interface AmqpSections {
    header?: {
        durable?: boolean | undefined;
        priority?: number | undefined;
        ttl?: number | undefined;
        firstAcquirer?: boolean | undefined;
        deliveryCount?: number | undefined;
    } | undefined;
    deliveryAnnotations?: Record<string, AmqpValue> | undefined;
    messageAnnotations?: Record<string, AmqpValue> | undefined;
    properties?: {
        messageId?: AmqpValue | undefined;
        userId?: Uint8Array | undefined;
        to?: string | undefined;
        subject?: string | undefined;
        replyTo?: string | undefined;
        correlationId?: AmqpValue | undefined;
        contentType?: string | undefined;
        contentEncoding?: string | undefined;
        absoluteExpiryTime?: Date | undefined;
        creationTime?: Date | undefined;
        groupId?: string | undefined;
        groupSequence?: number | undefined;
        replyToGroupId?: string | undefined;
    } | undefined;
    applicationProperties?: Record<string, AmqpValue> | undefined;
    footer?: Record<string, AmqpValue> | undefined;
    value?: AmqpValue | undefined;
    sequence?: AmqpValue[] | undefined;
}
export type AmqpValue = null | boolean | number | bigint | string | Uint8Array | Date | AmqpValue[] | {
    type: string;
    value: unknown;
};
export interface PublishOptions {
    headers?: Record<string, string> | undefined;
    metadata?: string | undefined;
    id?: string | undefined;
    signal?: AbortSignal | undefined;
}
export interface SubscribeOptions {
    group?: string | undefined;
    prefetchMessages?: number | undefined;
    overflow?: "drop_oldest" | "drop_newest" | "error" | undefined;
    signal?: AbortSignal | undefined;
}
export interface LiveMessage {
    readonly channel: string;
    readonly data: Uint8Array<ArrayBuffer>;
    readonly headers: Readonly<Record<string, string>>;
    readonly id?: string;
    readonly metadata?: string;
    text(): string;
    json<T = unknown>(): T;
    copy(): Uint8Array;
}
export interface Subscription extends AsyncIterable<LiveMessage> {
    readonly channel: string;
    readonly dropped: number;
    readonly readable: ReadableStream<LiveMessage>;
    readonly closed: Promise<unknown>;
    stop(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
export interface RequestOptions extends PublishOptions {
    timeoutMs?: number | undefined;
    kind?: "command" | "query" | undefined;
    cacheKey?: string | undefined;
    cacheTtlMs?: number | undefined;
}
export interface Reply {
    readonly data: Uint8Array<ArrayBuffer>;
    readonly headers: Readonly<Record<string, string>>;
    readonly metadata?: string;
    readonly executed: boolean;
    readonly error?: string;
    readonly cacheHit: boolean;
    readonly from?: string;
    readonly timestamp?: Date;
    text(): string;
    json<T = unknown>(): T;
}
export interface IncomingRequest extends LiveMessage {
    readonly from?: string;
    readonly timeoutMs?: number;
    readonly kind: "command" | "query";
    readonly answer: {
        headers?: Record<string, string>;
        metadata?: string;
        executed?: boolean;
        error?: string;
        cacheHit?: boolean;
    };
}
export interface RespondOptions {
    group?: string | undefined;
    kind?: "command" | "query" | undefined;
    concurrency?: number | undefined;
    signal?: AbortSignal | undefined;
}
export interface Responder {
    readonly channel: string;
    readonly closed: Promise<unknown>;
    stop(): Promise<void>;
    [Symbol.asyncDispose](): Promise<void>;
}
export type ErrorCode = "aborted" | "closed" | "invalid_argument" | "not_supported" | "queue_full" | "slow_consumer" | "timeout" | "too_large" | "connect_failed" | "connection_lost" | "already_exists" | "auth_failed" | "no_such_station" | "permission_denied" | "rejected" | "schema_violation" | "protocol" | "internal";
export class BrokerError extends Error {
    readonly code: ErrorCode;
    readonly broker: BrokerKind;
    readonly retryable: boolean;
    readonly station?: string;
    readonly serverCode?: number | string;
    readonly maybeDelivered?: boolean;
    readonly stored?: readonly Receipt[];
    readonly violations?: readonly {
        path: string;
        expected: string;
        found?: string;
    }[];
    readonly hint?: string;
    readonly cause?: unknown;
}
export class BatchError extends BrokerError {
    readonly outcomes: readonly (Receipt | BrokerError)[];
}
