//! The one error type. `Kind` is the contract's `ErrorCode`; a table test keeps Rust, typings and README in step.

use std::borrow::Cow;
use std::ops::{Deref, DerefMut};

/// What went wrong, in the words of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The caller's signal was aborted.
    Aborted,
    /// Something of that name is there already, in another shape.
    AlreadyExists,
    /// The broker refused the credentials.
    AuthFailed,
    /// The connection, producer or consumer has been closed.
    Closed,
    /// No broker could be reached.
    ConnectFailed,
    /// The link was lost while something was on its way.
    ConnectionLost,
    /// A defect of this package.
    Internal,
    /// An argument or option is wrong.
    InvalidArgument,
    /// The station does not exist (any more).
    NoSuchStation,
    /// This broker, server version or platform cannot do that.
    NotSupported,
    /// The user may not do that.
    PermissionDenied,
    /// The broker broke the protocol.
    Protocol,
    /// `maxPendingMessages` or `maxPendingBytes` is reached.
    QueueFull,
    /// The broker refused.
    Rejected,
    /// The message does not fit the station's schema.
    SchemaViolation,
    /// A reader was too slow.
    SlowConsumer,
    /// The time is over.
    Timeout,
    /// The message is larger than the broker takes.
    TooLarge,
}

/// Every kind, in alphabetical order.
pub const KINDS: [Kind; 18] = [
    Kind::Aborted,
    Kind::AlreadyExists,
    Kind::AuthFailed,
    Kind::Closed,
    Kind::ConnectFailed,
    Kind::ConnectionLost,
    Kind::Internal,
    Kind::InvalidArgument,
    Kind::NoSuchStation,
    Kind::NotSupported,
    Kind::PermissionDenied,
    Kind::Protocol,
    Kind::QueueFull,
    Kind::Rejected,
    Kind::SchemaViolation,
    Kind::SlowConsumer,
    Kind::Timeout,
    Kind::TooLarge,
];

impl Kind {
    /// The code as the contract spells it.
    pub fn code(self) -> &'static str {
        match self {
            Kind::Aborted => "aborted",
            Kind::AlreadyExists => "already_exists",
            Kind::AuthFailed => "auth_failed",
            Kind::Closed => "closed",
            Kind::ConnectFailed => "connect_failed",
            Kind::ConnectionLost => "connection_lost",
            Kind::Internal => "internal",
            Kind::InvalidArgument => "invalid_argument",
            Kind::NoSuchStation => "no_such_station",
            Kind::NotSupported => "not_supported",
            Kind::PermissionDenied => "permission_denied",
            Kind::Protocol => "protocol",
            Kind::QueueFull => "queue_full",
            Kind::Rejected => "rejected",
            Kind::SchemaViolation => "schema_violation",
            Kind::SlowConsumer => "slow_consumer",
            Kind::Timeout => "timeout",
            Kind::TooLarge => "too_large",
        }
    }

    /// Whether the same call may succeed later without a change; single errors may say otherwise.
    fn retryable(self) -> bool {
        matches!(
            self,
            Kind::ConnectFailed | Kind::ConnectionLost | Kind::QueueFull | Kind::SlowConsumer | Kind::Timeout
        )
    }
}

/// The broker's own code or text, kept as data.
#[derive(Clone, Debug, PartialEq)]
pub enum ServerCode {
    /// A number, such as JetStream's `err_code`.
    Number(u32),
    /// A text, such as that of a NATS `-ERR`.
    Text(String),
}

/// An error as the application sees it. One pointer wide: errors travel through every `Result` of the crate, and moving
/// their fields about would cost a page more bytes than all brokers together.
#[derive(Clone, Debug, PartialEq)]
pub struct Error(Box<Report>);

/// What an [`Error`] says.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The code.
    pub kind: Kind,
    /// What happened, in a sentence.
    pub text: Cow<'static, str>,
    /// What to do about it, in a sentence.
    pub hint: Option<Cow<'static, str>>,
    /// The station that was meant.
    pub station: Option<String>,
    /// The broker's own code or text.
    pub server: Option<ServerCode>,
    /// The message may have been stored although no receipt came.
    pub maybe_delivered: Option<bool>,
    /// The same call may succeed later.
    pub retryable: bool,
}

impl Deref for Error {
    type Target = Report;
    fn deref(&self) -> &Report {
        &self.0
    }
}

impl DerefMut for Error {
    fn deref_mut(&mut self) -> &mut Report {
        &mut self.0
    }
}

impl Error {
    /// An error of this kind; whether it is retryable follows from the kind.
    pub fn new(kind: Kind, text: impl Text) -> Error {
        text.error(kind)
    }

    #[inline(never)]
    fn made(kind: Kind, text: Cow<'static, str>) -> Error {
        let retryable = kind.retryable();
        Error(Box::new(Report {
            kind,
            text,
            hint: None,
            station: None,
            server: None,
            maybe_delivered: None,
            retryable,
        }))
    }

    /// The caller's mistake.
    pub fn argument(text: impl Text) -> Error {
        text.mistake()
    }

    /// Say what to do about it.
    pub fn hint(self, hint: impl Text) -> Error {
        hint.hint(self)
    }

    #[inline(never)]
    fn hinted(mut self, hint: Cow<'static, str>) -> Error {
        self.hint = Some(hint);
        self
    }

    /// Name the station; an empty name says nothing.
    #[inline(never)]
    pub fn at(mut self, station: &str) -> Error {
        if !station.is_empty() {
            self.station = Some(station.into());
        }
        self
    }

    /// Keep the broker's number.
    #[inline(never)]
    pub fn code(mut self, code: u32) -> Error {
        self.server = Some(ServerCode::Number(code));
        self
    }

    /// Keep the broker's text.
    pub fn said(mut self, text: impl Into<String>) -> Error {
        self.server = Some(ServerCode::Text(text.into()));
        self
    }

    /// Say whether the message may have been stored all the same.
    #[inline(never)]
    pub fn maybe_delivered(mut self, maybe: bool) -> Error {
        self.maybe_delivered = Some(maybe);
        self
    }

    /// Say whether trying again may help.
    #[inline(never)]
    pub fn retryable(mut self, retryable: bool) -> Error {
        self.retryable = retryable;
        self
    }
}

/// What an error says: a text that is there anyway, or one that was made. Each makes the error in a function of its own, so that the
/// hundreds of places that have one pass the text and nothing else.
pub trait Text {
    /// An error of this kind that says it.
    fn error(self, kind: Kind) -> Error;
    /// The caller's mistake.
    fn mistake(self) -> Error;
    /// The error with it for a hint.
    fn hint(self, error: Error) -> Error;
}

impl Text for &'static str {
    #[inline(never)]
    fn error(self, kind: Kind) -> Error {
        Error::made(kind, Cow::Borrowed(self))
    }

    #[inline(never)]
    fn mistake(self) -> Error {
        self.error(Kind::InvalidArgument)
    }

    #[inline(never)]
    fn hint(self, error: Error) -> Error {
        error.hinted(Cow::Borrowed(self))
    }
}

impl Text for String {
    #[inline(never)]
    fn error(self, kind: Kind) -> Error {
        Error::made(kind, Cow::Owned(self))
    }

    #[inline(never)]
    fn mistake(self) -> Error {
        self.error(Kind::InvalidArgument)
    }

    #[inline(never)]
    fn hint(self, error: Error) -> Error {
        error.hinted(Cow::Owned(self))
    }
}

impl Text for Cow<'static, str> {
    fn error(self, kind: Kind) -> Error {
        Error::made(kind, self)
    }

    fn mistake(self) -> Error {
        Error::made(Kind::InvalidArgument, self)
    }

    fn hint(self, error: Error) -> Error {
        error.hinted(self)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// A place in a broker's bytes where something else was expected. The broker's session turns it into `protocol`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Offset in the frame.
    pub at: usize,
    /// What should have stood there.
    pub expected: &'static str,
}
