//! Expressions (`${{ … }}`) in values: finding them, checking them, evaluating them, and replacing them by their results.
//!
//! The crate reads no clock, and does I/O only through a caller's [`Scope`]. Its parts know each other by their public items:
//!
//! * `template` finds expressions in text. It respects quotes and braces of the expression language, so `${{ {"a": {}} }}` is
//!   one expression. An expression ends at the first `}}` that is not inside a string or a map. There is no escape form.
//! * [`Evaluator`] turns an expression into a [`Value`]. [`Cel`] implements it; `docs/reference/expressions.md` describes the
//!   dialect. [`Program`] is an expression that is parsed once and evaluated often.
//! * [`Scope`] gives names their values. Callers implement it; [`Variables`] is a scope of values only.
//! * [`expand()`] walks a value. Keys are never evaluated. A string that is exactly one expression becomes the typed
//!   result; elsewhere results become text.
//! * [`Evaluator::check`] finds errors in an expression before anything runs, given the names that are [`Declared`].
//!
//! **Secrets.** The results of `vault.get`, and values that a caller marks with [`Value::into_secret`], are secret, and so is
//! every value that an expression computes from them. [`Evaluated`] and [`Expanded`] hold values in clear and the JSON
//! pointers of secret ones. `redacted` is for display, `with_references` for files. `Debug`, `Display` and errors never show
//! a secret.
//!
//! **Bounds.** Evaluation does not panic, overflow the stack or run forever, whatever the text and the values are: depth is
//! bounded where trees and values are made, and steps and bytes are counted ([`EvaluationLimits`]).
//!
//! Held by, below `tests/it`: `conformance.rs` (the dialect, one row per rule), `messages.rs`, `secrets.rs`, `bounds.rs`;
//! by `conformance/tests/cel.rs` (random expressions against a second implementation), by `examples/fuzz_expr.rs`, and by the
//! tables beside each part.

#![warn(missing_docs)]

mod cel;
mod conjuncts;
mod declared;
mod error;
mod expand;
mod limits;
mod located_error;
mod lookup_error;
mod namespaces;
mod near;
mod too_deep;

mod pointer;
mod program;
mod refs;
mod scan;
mod scope;
mod source_location;
mod sources;
mod template;
mod value;

pub use conjuncts::{Comparison, Conjunct, Test};
pub use declared::Declared;
pub use error::{ExprError, ExprErrorKind};
pub use expand::{Expanded, Mode, Unresolved, contains_expression, expand, expand_text, expressions};
pub use limits::EvaluationLimits;
pub use located_error::ExprErrorAt;

pub use lookup_error::{Looked, LookupError};
pub use program::{Cel, Evaluated, Evaluator, Problem, Program, check_expression};
pub use refs::references;
pub use scope::{DataSource, FileSource, MethodSource, Scope, Variables, VaultSource, WorkerSource};
pub use source_location::SourceLocation;
pub use template::{Segment, segments};
pub use too_deep::TooDeep;
pub use value::{Lookup, Value, to_text};
