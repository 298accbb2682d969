//! AMQP 1.0 sections, for rabbitmq. The names are those of the AMQP specification, in camel case.

pub const TEXT: &str = r#"
/**
 * rabbitmq: the sections of an AMQP 1.0 message beside its body. A plain value gets the AMQP type that fits it;
 * `{ type, value }` asks for another, by its name in the specification.
 */
export interface AmqpSections {
  /** Delivery details. `ttl` in milliseconds. */
  header?: { durable?: boolean | undefined; priority?: number | undefined; ttl?: number | undefined; firstAcquirer?: boolean | undefined; deliveryCount?: number | undefined } | undefined;
  /** Annotations for the next hop. */
  deliveryAnnotations?: Record<string, AmqpValue> | undefined;
  /** Annotations for the infrastructure, all the way. */
  messageAnnotations?: Record<string, AmqpValue> | undefined;
  /** The standard properties of a message. */
  properties?: {
    messageId?: AmqpValue | undefined; userId?: Uint8Array | undefined; to?: string | undefined; subject?: string | undefined; replyTo?: string | undefined; correlationId?: AmqpValue | undefined; contentType?: string | undefined;
    contentEncoding?: string | undefined; absoluteExpiryTime?: Date | undefined; creationTime?: Date | undefined; groupId?: string | undefined; groupSequence?: number | undefined; replyToGroupId?: string | undefined;
  } | undefined;
  /** The application's own properties; `headers` of the message are among them. */
  applicationProperties?: Record<string, AmqpValue> | undefined;
  /** What follows the body, such as a signature. */
  footer?: Record<string, AmqpValue> | undefined;
  /** A body of one AMQP value, where there is no `data`. */
  value?: AmqpValue | undefined;
  /** A body of AMQP sequence sections, where there is no `data`. */
  sequence?: AmqpValue[] | undefined;
}

/** rabbitmq: what an AMQP value can be in JavaScript. */
export type AmqpValue = null | boolean | number | bigint | string | Uint8Array | Date | AmqpValue[] | { type: string; value: unknown };
"#;
