//! What JavaScript sees: one `Engine` a connection, whose methods take numbers and bytes, and tables of what happened.
//!
//! The shell in `pkg/shell` owns promises, messages and iterators; everything is decided below. Nothing here is public:
//! the public interface is the shell's, its typings are in `typings`.

mod batch;
mod dead;
mod dying;
mod engine;
mod fault;
mod given;
mod live;
mod look;
mod report;
mod schema;
mod table;
mod tap;
mod typings;
mod values;
