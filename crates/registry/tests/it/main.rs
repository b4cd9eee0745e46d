//! The client with directory registries, static hosts and servers, including faulty ones.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests create the files that the registry then works on"
)]

mod cache;
mod directory;
mod http;
mod publish;
mod rough;
mod scene;
