//! Tracing across the border to a host.
//!
//! A host inherits `MARSH_LOG` and writes its lines to its standard error, from where they reach this process's. The span of
//! a call travels with it as a W3C `traceparent`, so that the lines of both processes can be put together.

use std::hash::{BuildHasher as _, RandomState};
use std::io::{IsTerminal as _, Write as _};
use std::process::Command;
use std::sync::OnceLock;

use tracing::Span;
use tracing::level_filters::LevelFilter;

/// Bytes after which a line without an end is dropped.
const LONGEST: usize = 1 << 16;

/// Whether a subscriber is installed.
pub(crate) fn is_on() -> bool {
    LevelFilter::current() != LevelFilter::OFF
}

/// A host writes its lines in the form of this process, although its standard error is a pipe.
pub(crate) fn hand_on(command: &mut Command) {
    if is_on() && std::env::var_os("MARSH_LOG_FORMAT").is_none() {
        let form = if std::io::stderr().is_terminal() { "pretty" } else { "json" };
        command.env("MARSH_LOG_FORMAT", form);
    }
}

/// The `traceparent` of a span: a trace id for this process, and the id of the span. `None` when nothing is traced.
pub(crate) fn parent(span: &Span) -> Option<String> {
    static TRACE: OnceLock<(u64, u64)> = OnceLock::new();
    let id = span.id()?.into_u64();
    // The keys of a hasher are random.
    let random = || RandomState::new().hash_one(std::process::id());
    let (high, low) = TRACE.get_or_init(|| (random(), random() | 1));
    Some(format!("00-{high:016x}{low:016x}-{id:016x}-01"))
}

/// Passes the lines of a host's standard error on to this process's, whole lines only, so that lines do not mix.
#[derive(Debug, Default)]
pub(crate) struct Lines(Vec<u8>);

impl Lines {
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        if !is_on() {
            return;
        }
        self.0.extend_from_slice(bytes);
        if let Some(end) = self.0.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = self.0.drain(..=end).collect();
            let written = std::io::stderr().lock().write_all(&lines);
            marsh_types::ignore(written, "without a standard error there is nowhere to report to");
        } else if self.0.len() > LONGEST {
            self.0.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn a_span_that_is_not_traced_has_no_parent() {
        assert_eq!(parent(&tracing::info_span!("host_call")), None);
    }
}
