//! Patterns of URLs, parsed by the crate that Deno uses; the engine's own regular expressions do the matching.

use urlpattern::quirks::{self, StringOrInit};
use urlpattern::{UrlPatternOptions, quirks::EcmaRegexp};

use crate::gate::{Args, Cost, Determinism, Env, HostError, HostResult, NONE, Operation, Val, plain};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("urlPattern.parse", NONE, Determinism::Pure, Cost::Compute, parse),
    plain("urlPattern.input", NONE, Determinism::Pure, Cost::Compute, input),
];

fn failed(error: &urlpattern::Error) -> HostError {
    HostError::type_error(error.to_string())
}

fn json(value: &impl serde::Serialize) -> HostResult {
    serde_json::to_string(value).map(Val::Json).map_err(|error| HostError::type_error(error.to_string()))
}

/// `(JSON of a pattern or its parts, base, ignore case?)` to the parts with their regular expressions.
fn parse(_env: &Env, args: &Args) -> HostResult {
    let given: StringOrInit<'_> = args.json(0)?;
    let init =
        quirks::process_construct_pattern_input(given, args.opt_str(1)).map_err(|error| failed(&error))?;
    let options = UrlPatternOptions { ignore_case: args.bool(2), ..UrlPatternOptions::default() };
    let pattern = quirks::parse_pattern::<EcmaRegexp>(init, options).map_err(|error| failed(&error))?;
    json(&pattern)
}

/// `(JSON of a URL or its parts, base)` to the parts that are matched, or nothing for what is not a URL.
fn input(_env: &Env, args: &Args) -> HostResult {
    let given: StringOrInit<'_> = args.json(0)?;
    let processed = quirks::process_match_input(given, args.opt_str(1)).map_err(|error| failed(&error))?;
    match processed.and_then(|(input, _)| quirks::parse_match_input(input)) {
        Some(parts) => json(&parts),
        None => Ok(Val::Null),
    }
}
