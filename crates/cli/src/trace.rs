//! Tracing for operators: `MARSH_LOG` turns it on, and selects what is shown.
//!
//! Lines go to standard error, readable on a terminal and as one JSON object a line otherwise (`MARSH_LOG_FORMAT` decides
//! instead). Standard output carries data only, traced or not. Without `MARSH_LOG` nothing is installed: every span and
//! event then costs one comparison with a static.
//!
//! The libraries name spans and events; this module alone decides where they go. Host processes and bundling workers are
//! the same binary, inherit the variable, and write to their standard error, which the parent hands on.
//!
//! Spans: `command`, `workflow_run`, `step`, `method_run`, `host_call`, `request` (of the server). No span or event holds
//! arguments, inputs or results, because those can hold secrets.
//!
//! Tests: `crates/cli/tests/it/tracing.rs`.

use std::io::IsTerminal as _;

use marsh_repo::env::{Environment, LOG, LOG_FORMAT};
use tracing_subscriber::filter::{EnvFilter, LevelFilter};
use tracing_subscriber::fmt::format::FmtSpan;

/// Installs the subscriber when `MARSH_LOG` is set.
///
/// # Errors
///
/// A sentence that names the part of `MARSH_LOG` or `MARSH_LOG_FORMAT` that is invalid; nothing is installed then.
pub fn start() -> Result<(), String> {
    // The usual case costs one look-up; the table of variables is not needed for it.
    if std::env::var_os(LOG.name).is_none() {
        return Ok(());
    }
    let environment = Environment::from_process();
    let Some(directives) = environment.get(LOG) else { return Ok(()) };
    let filter = filter(directives)?;
    let json = match environment.get(LOG_FORMAT) {
        None => !std::io::stderr().is_terminal(),
        Some("json") => true,
        Some("pretty") => false,
        Some(other) => {
            return Err(format!("invalid MARSH_LOG_FORMAT `{other}`; expected `json` or `pretty`"));
        }
    };
    let shared = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_span_events(FmtSpan::CLOSE);
    let installed = if json {
        shared.json().with_current_span(true).with_span_list(true).try_init()
    } else {
        shared.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    installed.map_err(|error| format!("tracing cannot start: {error}"))
}

/// The span of a whole command: its words (`workflow run`), never its arguments.
pub fn command(words: &str) -> tracing::span::EnteredSpan {
    tracing::info_span!("command", command = words, pid = std::process::id()).entered()
}

/// A level without a target means marsh's own crates: `info` is `marsh=info`. The bundler and the HTTP libraries have
/// spans of their own, which are shown when they are named.
fn filter(directives: &str) -> Result<EnvFilter, String> {
    let own: Vec<String> = directives
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| match part.parse::<LevelFilter>() {
            Ok(level) => format!("marsh={level}"),
            Err(_) => part.to_owned(),
        })
        .collect();
    EnvFilter::builder()
        .with_default_directive(LevelFilter::OFF.into())
        .parse(own.join(","))
        .map_err(|error| format!("invalid MARSH_LOG `{directives}`: {error}"))
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn level_without_a_target_selects_marsh_only() {
        assert_eq!(filter("info").unwrap().to_string(), "marsh=info");
        assert_eq!(
            filter("warn,marsh_workflow=debug").unwrap().to_string(),
            "marsh_workflow=debug,marsh=warn"
        );
        assert_eq!(filter("rolldown=trace").unwrap().to_string(), "rolldown=trace");
    }

    #[test]
    fn invalid_filter_is_named() {
        assert!(filter("marsh=loud").unwrap_err().starts_with("invalid MARSH_LOG `marsh=loud`: "));
    }
}
