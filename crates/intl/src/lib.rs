//! `Intl` for marsh's engine: numbers, dates, plurals, lists, names, order and boundaries in the languages that people use.
//!
//! A formatter is made from options that the caller has resolved (the engine's JavaScript reads them as ECMA-402 asks), and gives
//! text in parts. No clock, no environment, no files: the same request has the same answer everywhere.
//!
//! # Where the knowledge comes from
//!
//! * Names and patterns: the CLDR, in tables of our own (`data.rs`). ECMA-402 asks for a date by its fields and for a number by
//!   some twenty options. ICU4X answers dates by semantic skeletons, which cannot say `{ month: "2-digit" }`, and has
//!   currencies, units and compact forms in an experimental crate; so patterns are chosen and filled here, by the algorithms of
//!   UTS 35.
//! * Tags, plural rules, order, boundaries, case and calendars: ICU4X with its compiled data, which are algorithm more than names.
//! * Offsets of time zones: jiff with its own zone database.
//!
//! # Cost
//!
//! Nothing happens before the first request. Tables lie compressed in the binary; a request unpacks the sections of its
//! locale, and they stay.

mod case;
mod collate;
mod data;
mod datetime;
mod decimal;
mod error;
mod list;
mod locale;
mod names;
mod number;
mod part;
mod plural;
mod relative;
mod segment;

pub use case::change_case;
pub use collate::{Order, OrderOptions};
pub use datetime::{CALENDARS, DateFormat, DateOptions, canonical_zone, zones};
pub use decimal::{Digits, RoundingMode, RoundingPriority};
pub use error::Error;
pub use list::{ListOptions, list};
pub use locale::{Customs, Found, Tag, best, customs, find};
pub use names::{NameOptions, name};
pub use number::{NumberFormat, NumberOptions, currencies, currency_digits};
pub use part::{Part, Source, text};
pub use plural::{PluralFormat, PluralOptions};
pub use relative::{RelativeFormat, RelativeOptions};
pub use segment::segment;
