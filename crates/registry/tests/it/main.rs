//! The client against registries that are there: directories, static files, servers with manners and without.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::disallowed_methods, reason = "these tests set the scene that the registry then acts on")]

mod cache;
mod directory;
mod http;
mod publish;
mod rough;
mod scene;
