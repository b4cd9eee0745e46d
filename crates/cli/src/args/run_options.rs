//! Options of everything that runs methods.

use std::time::Duration;

use clap::Args;

use super::parse_duration;

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Tag everything that the run writes
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// Time limit of a method: 30, 30s, 5m, 1h (default: 1h)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Skip pre-flight checks, except those that a definition requires
    #[arg(long)]
    pub skip_checks: bool,
    /// Skip this check
    #[arg(long = "skip-check", value_name = "NAME")]
    pub skip_check: Vec<String>,
    /// Skip checks with this label
    #[arg(long = "skip-check-label", value_name = "LABEL")]
    pub skip_check_label: Vec<String>,
    /// Where methods run: raw (this machine), docker, podman, or a driver type of an extension (default: raw)
    #[arg(long, value_name = "NAME")]
    pub driver: Option<String>,
    /// The driver's configuration, e.g. {"image": "debian:stable-slim"}
    #[arg(long, value_name = "JSON", requires = "driver")]
    pub driver_config: Option<String>,
    /// Trace of the caller, a W3C traceparent
    #[arg(long, value_name = "TRACEPARENT", value_parser = parse_traceparent)]
    pub traceparent: Option<String>,
    /// Trace state of the caller, a W3C tracestate
    #[arg(long, value_name = "TRACESTATE", requires = "traceparent")]
    pub tracestate: Option<String>,
}

impl RunArgs {
    /// The span of a run that belongs to a caller's trace.
    pub fn trace_span(&self) -> Option<tracing::Span> {
        let traceparent = self.traceparent.as_deref()?;
        let tracestate = self.tracestate.as_deref().unwrap_or_default();
        Some(tracing::info_span!("traced", traceparent, tracestate))
    }
}

/// `00-<32 hexadecimal digits>-<16>-<2>`, as W3C Trace Context has it.
fn parse_traceparent(text: &str) -> Result<String, String> {
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
    };
    let is_set = |part: &str| part.bytes().any(|byte| byte != b'0');
    match text.split('-').collect::<Vec<_>>().as_slice() {
        [version, trace, parent, flags, ..]
            if is_hex(version, 2)
                && is_hex(trace, 32)
                && is_hex(parent, 16)
                && is_hex(flags, 2)
                && is_set(trace)
                && is_set(parent) =>
        {
            Ok(text.to_owned())
        }
        _ => Err("expected 00-<32 hexadecimal digits>-<16>-<2>".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_traceparent;

    #[test]
    fn traceparent_needs_its_four_parts() {
        let valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(parse_traceparent(valid).as_deref(), Ok(valid));
        for invalid in ["", "00-4bf9-00f067aa0ba902b7-01", &valid.replace('b', "B"), &valid[..52]] {
            assert!(parse_traceparent(invalid).is_err(), "{invalid}");
        }
    }
}
