//! From an entry point `.ts` to one ES module.
//!
//! Two halves with very different costs:
//!
//! * **What a source is** is answered in this process with oxc's parser: [`import_graph`], [`fingerprint`] and
//!   [`declarations`] take a few milliseconds, run no code and use no network.
//! * **What it becomes** is made by rolldown in a worker process ([`bundle_in_worker`], [`worker_main`]), because a
//!   bundler keeps hundreds of megabytes once it has run, and because a crash in it must not be ours.
//!
//! Invariants, with the tests that hold them:
//!
//! * The graph is total: no input makes it fail, and a missing or unreadable file is a state (`tests/it/graph.rs`).
//! * The fingerprint covers all that can change the output: every local file that is reachable by any import form, the
//!   configuration that resolves names, the remote specifiers, the bundler itself; and it does not depend on where the
//!   tree is (`tests/it/graph.rs`).
//! * Graph and bundle resolve names with the same code ([`config::Config::resolve`]), so that what is bundled is what
//!   was fingerprinted (`tests/it/bundle.rs`).
//! * Content of an address that is not the recorded one fails the build, and names the address (`tests/it/remote.rs`).
//! * No byte of a package is unpacked before its digest is verified, and nothing of a refused package stays in the
//!   cache (`tests/it/npm.rs`).
//! * Every error of an extension's author names file, line and column (`tests/it/diagnostics.rs`).

#![warn(missing_docs)]

mod build;
mod config;
mod declare;
mod diagnostic;
mod docs;
mod dynamic;
mod engine_wish;
mod graph;
mod hex;
mod import_map;
mod jsr;
mod lock;
mod memo;
mod nesting;
mod npm;
mod parse;
mod paths;
mod plugin;
mod prepare;
mod remote;
mod request;
mod scan;
mod source_map;
mod specifier;
mod suspicious;
mod syntax_error;
mod unresolved;
mod worker;
mod zod;
mod zod_names;

pub use declare::{Declaration, declarations};
pub use diagnostic::{BundleError, Diagnostic, DiagnosticCode};
pub use docs::{DocumentedExports, documented_exports};
pub use dynamic::dynamic_code;
pub use engine_wish::{EngineWish, MISSING_BUILTINS, engine_wish_of};
pub use graph::{FileState, GraphFile, ImportGraph, fingerprint, import_graph};
pub use marsh_types::Kind;
pub use npm::{ChosenPackage, FetchedPackage, choose_package};
pub use request::{BundleMeta, BundleRequest, ExternalMeta, ModuleMeta, PackageMeta};
pub use source_map::{Original, SourceMap};
pub use suspicious::suspicious_code;
pub use worker::{Worker, bundle_in_worker, worker_main};

/// Part of every fingerprint. Raise the counter with each change that alters the output for the same input.
pub const BUNDLER_VERSION: &str = "rolldown 1.2.5, marsh 5";
