//! The client of `marsh-registry` against the server, over real connections.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "these tests create the files that the server then works on")]

mod protocol;
mod publish;
mod running;
mod tokens;
