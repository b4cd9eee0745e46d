//! The same scripts under marsh's engine and under Deno, compared value by value.
//!
//! ```sh
//! cargo run -p marsh-conformance                 # both engines, a table, every difference; exit 1 on an unlisted one
//! cargo run -p marsh-conformance -- --record     # the same, and keeps what Deno said in `expected/`
//! cargo test -p marsh-conformance                # marsh against what was recorded; needs no Deno
//! ```
//!
//! A case is a file `cases/<area>/<name>.js`, an ES module that calls `check(name, body)`; `src/harness.js` stands before it
//! and says how values are put into JSON. `env` has what a case may need from outside: `base` (the HTTP server of
//! [`server`]), `tcp` (the port of a server that echoes bytes), `ws` (a WebSocket server that echoes messages), `dir` (an empty directory, also the working
//! directory) and `wpt` (test data of the web platform tests, [`wpt`]).
//!
//! **Invariants.** Both engines get the same bytes. A difference is either listed in `differences.json` with its reason or
//! a failure; a listed one that is gone is a failure too, so the list cannot rot (`tests/recorded.rs`).

pub mod cases;
pub mod compare;
pub mod deno;
pub mod engine;
pub mod error;
mod folder;
pub mod report;
pub mod server;
pub mod wpt;
