//! `${{ … }}` in values: finding expressions, evaluating them, putting results in their place.
//!
//! Pure: no clock, and no I/O but what a caller's [`Scope`] does. Parts that do not know each other's insides:
//!
//! * `template` finds expressions in text. It respects quotes and braces of the expression language, so that
//!   `${{ {"a": {}} }}` is one expression; text that ends an expression for simpler readers, at the first `}}`, ends
//!   it here too unless it is inside a string or a map. There is no escape form.
//! * [`Evaluator`] turns an expression into a [`Value`]. [`Cel`] is the one there is; `docs/reference/expressions.md` describes the
//!   dialect. [`Program`] is an expression that is read once and evaluated often.
//! * [`Scope`] says what names mean. Callers implement it; [`Variables`] is a scope of values only.
//! * [`expand()`] walks a value. Keys are never evaluated. A string that is exactly one expression becomes the typed
//!   result; elsewhere results become text.
//! * [`Evaluator::check`] finds what is wrong with an expression before anything runs, against what is [`Declared`].
//!
//! **Secrets.** What `vault.get` gives, and what a caller marks with [`Value::into_secret`], is secret, and so is all that an
//! expression makes of it. [`Evaluated`] and [`Expanded`] hold the values in clear and the JSON pointers of the secret
//! ones; `redacted` is for people, `with_references` for files. `Debug`, `Display` and errors never show a secret.
//!
//! **Bounds.** No text and no value makes evaluation panic, overflow the stack, or run forever: depth is bounded where
//! trees and values are made, and steps and bytes are counted ([`Limits`]).
//!
//! Held by, below `tests/it`: `conformance.rs` (the dialect, one row per rule), `messages.rs`, `secrets.rs`, `bounds.rs`;
//! by `conformance/tests/cel.rs` (random expressions against a second implementation), by `examples/fuzz_expr.rs`, and by the
//! tables beside each part.

mod cel;
mod conjuncts;
mod declared;
mod error;
mod expand;
mod limits;
mod near;
mod place;
mod pointer;
mod program;
mod refs;
mod scan;
mod scope;
mod sources;
mod template;
mod value;

pub use conjuncts::{Comparison, Conjunct, Test};
pub use declared::Declared;
pub use error::{ExprError, ExprErrorAt, ExprErrorKind};
pub use expand::{Expanded, Mode, Unresolved, contains_expression, expand, expand_text, expressions};
pub use limits::Limits;
pub use place::Place;
pub use program::{Cel, Evaluated, Evaluator, Problem, Program, check_expression};
pub use refs::references;
pub use scope::{
    DataSource, FileSource, Looked, Lookup, LookupError, MethodSource, Scope, Variables, VaultSource,
    WorkerSource,
};
pub use template::{Segment, segments};
pub use value::{TooDeep, Value, to_text};
