//! Errors. The codes are those of `base::error::Kind`; a table test keeps both in step.

pub const TEXT: &str = r#"
// ---- errors -------------------------------------------------------------------------------------------------

/**
 * What went wrong, by whose fault it is.
 *
 * The caller:
 * - `aborted` its signal ended the call; the signal's reason is the `cause`
 * - `closed` the connection, producer or consumer is over
 * - `invalid_argument` an option, name or payload cannot be right, or a call comes at the wrong moment
 * - `not_supported` this broker, runtime or version of the package cannot do it
 *
 * A limit:
 * - `queue_full` too much is pending; the message was not taken
 * - `slow_consumer` the application takes live messages too slowly
 * - `timeout` no answer in time
 * - `too_large` more than the broker takes; nothing was sent
 *
 * The link:
 * - `connect_failed` nobody could be reached
 * - `connection_lost` it broke while something was on its way
 *
 * The broker, or a schema, refused:
 * - `already_exists` something else has the name, or the group is of the other kind
 * - `auth_failed` wrong credentials; never tried again by itself
 * - `no_such_station` it has vanished
 * - `permission_denied` this user must not
 * - `rejected` for another reason; `serverCode` and the message tell which
 * - `schema_violation` the message does not fit; `violations` tells where
 *
 * And:
 * - `protocol` what answered broke the broker's protocol, or is another program
 * - `internal` a fault of this package
 */
export type ErrorCode =
  | "aborted" | "closed" | "invalid_argument" | "not_supported"                              // the caller
  | "queue_full" | "slow_consumer" | "timeout" | "too_large"                                  // a limit
  | "connect_failed" | "connection_lost"                                                      // the link
  | "already_exists" | "auth_failed" | "no_such_station" | "permission_denied" | "rejected" | "schema_violation" // a refusal
  | "protocol"                                                                                // the broker's fault
  | "internal";                                                                               // ours

/**
 * The one class of all errors of this package. Decide by `code`, which is part of the interface, never by the text of
 * `message`, which is for people and may change.
 */
export class BrokerError extends Error {
  /** What went wrong; see {@link ErrorCode}. */
  readonly code: ErrorCode;
  /** The broker it happened with. */
  readonly broker: BrokerKind;
  /** Whether the same call may succeed later, without a change by you. */
  readonly retryable: boolean;
  /** The station it is about. */
  readonly station?: string;
  /** What the broker itself said, unchanged: its number or its text. */
  readonly serverCode?: number | string;
  /**
   * For a message without a receipt: `true` if it may be stored all the same, so that sending it again could double
   * it; `false` if it certainly is not.
   */
  readonly maybeDelivered?: boolean;
  /** For a list of stations: the receipts of those that have the message. */
  readonly stored?: readonly Receipt[];
  /** `schema_violation`: each place that does not fit, what should be there and what is. */
  readonly violations?: readonly { path: string; expected: string; found?: string }[];
  /** One sentence on what to do. */
  readonly hint?: string;
  /** The error below this one: the reason of an abort, what a factory threw, ... */
  readonly cause?: unknown;
}

/** Some messages of a `produceBatch` failed. Its own fields are those of the first failure. */
export class BatchError extends BrokerError {
  /** One entry for each message, in order: its receipt, or its error. */
  readonly outcomes: readonly (Receipt | BrokerError)[];
}
"#;
