//! The client of `marsh-registry` against the server, over real connections.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "these tests set the scene that the server then acts on")]

mod protocol;
mod publish;
mod running;
mod tokens;
