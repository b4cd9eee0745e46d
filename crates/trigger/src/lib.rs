//! Schedules and webhooks: when a server starts a workflow, and whether a webhook request is genuine. This crate knows
//! workflows by name only.
//!
//! Invariants:
//! * The timetable has neither clock nor thread: the caller passes the time, so tests choose it
//!   (`tests/it/schedule.rs`).
//! * A workflow is due once, however many of its times passed since the last check (`tests/it/schedule.rs`).
//! * A webhook request is accepted only after its signature is verified over the received bytes, in constant time. The
//!   signature and other credentials never reach a workflow (`tests/it/webhook.rs`).
//! * A request body has at most 10 MB, all bodies together 64 MB, and nothing is read of a request without a signature. The
//!   receiver of webhooks can refuse a request because its queue is full.

#![warn(missing_docs)]

mod config;
mod edit;
mod error;
mod schedule;
mod signature;
mod webhook;
mod zone;

pub use config::{Config, Override, SecretSource, Webhook};
pub use edit::with_override;
pub use error::TriggerError;
pub use schedule::{Due, Pattern, Planned, Timetable};
pub use signature::{Refused, Scheme};
pub use webhook::{Called, Hook, Listener, MAX_BODY, NotTaken, listen};
pub use zone::local as local_zone;
