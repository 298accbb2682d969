//! Connections, producers and consumers in broker-neutral Rust.
//!
//! ```text
//! options, reader   what the application asked for          call, lane, producer   messages on their way out
//! connection        the machines of one connection          consumer, member       messages on their way in
//! driver            the one place that drains and flushes   turn                   what a turn brought
//! stations, groups  what is asked of the broker for them    deliveries             a connection's consumers
//! schema, watching  what a station's messages have to fit, and when that is read again
//! live, tray, live_options                                   messages that are stored nowhere, questions, answers
//! usual             options as most calls have them, read without `options`
//! ```
//!
//! Knows no wire format and no JavaScript. One message out: `connection` -> `producer` -> the broker's session -> outbox.
//! One message in: session -> `consumer` -> a row of the turn.

mod binding;
pub mod call;
mod check;
pub mod connection;
pub mod consumer;
pub mod context;
pub mod dead;
mod deliveries;
pub mod driver;
pub mod dying;
mod entering;
pub mod filter;
mod finish;
mod groups;
pub mod lane;
mod leaving;
pub mod live;
pub mod live_options;
pub mod look;
mod member;
mod moving;
pub mod options;
pub mod producer;
pub mod reader;
pub mod schema;
mod sender;
mod stations;
pub mod tap;
mod timed;
mod tray;
pub mod turn;
pub mod usual;
mod watching;
