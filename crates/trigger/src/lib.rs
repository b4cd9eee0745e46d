//! What starts a workflow without anybody there: times and webhooks. What a workflow is, is unknown here.
//!
//! Invariants:
//! * The scheduler has no clock and no thread: it is asked what is due at a time, so tests bring the time along
//!   (`tests/it/schedule.rs`).
//! * However many times of a workflow passed unseen, it is due once (`tests/it/schedule.rs`).
//! * No webhook is believed before its signature was checked over the bytes that came, in constant time; what signs it
//!   reaches no workflow (`tests/it/webhook.rs`).
//! * Nothing is read without a limit: 10 MB for a body, and the receiver of webhooks may say that it is full.

mod config;
mod error;
mod schedule;
mod signature;
mod webhook;
mod zone;

pub use config::{Config, Override, SecretSource, Webhook};
pub use error::TriggerError;
pub use schedule::{Due, Pattern, Planned, Scheduler};
pub use signature::{Refused, Scheme};
pub use webhook::{Called, Full, Hook, Listener, MAX_BODY, listen};
pub use zone::local as local_zone;
