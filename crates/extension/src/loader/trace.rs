//! Maps the locations in errors of extension code from bundles to sources.
//!
//! A host knows bundles only. Errors are mapped when they are shown, not before.

use marsh_bundle::{Original, SourceMap};
use marsh_host_client::SourceLocation;
use marsh_host_client::{CallError, HostError, ModuleRef};
use serde_json::json;

/// The error, with locations in its module's bundle replaced by those in the sources.
pub fn in_sources(error: HostError, module: &ModuleRef) -> HostError {
    match error {
        HostError::Call(error) => HostError::Call(mapped(error, module)),
        other => other,
    }
}

fn mapped(mut error: CallError, module: &ModuleRef) -> CallError {
    let Some(stack) = &error.stack else { return error };
    if !stack.contains(&module.url) {
        return error;
    }
    let Some(map) = SourceMap::of_bundle(&module.path) else { return error };
    let mut first: Option<Original> = None;
    let mut lines = Vec::new();
    for line in stack.lines() {
        let Some((before, original, after)) = original(line, &module.url, &map) else {
            lines.push(line.to_owned());
            continue;
        };
        lines.push(format!("{before}{}:{}:{}{after}", original.file, original.line, original.column));
        // The extension's own line is more useful than that of the package it calls.
        if first.as_ref().is_none_or(|first| !first.is_own() && original.is_own()) {
            first = Some(original);
        }
    }
    error.stack = Some(lines.join("\n") + if stack.ends_with('\n') { "\n" } else { "" });
    let Some(Original { file, line, column, source_line }) = first else { return error };
    let of_bundle =
        |data: &serde_json::Value| data.get("file").and_then(|file| file.as_str()) == Some(&module.url);
    if error.data.as_ref().is_some_and(of_bundle) {
        error.data = Some(json!({ "file": file, "line": line, "column": column }));
    }
    error.place = Some(Box::new(SourceLocation { file, line, column, source_line }));
    error
}

/// A line of a stack in three parts: before the location, the mapped location, after it.
fn original<'a>(line: &'a str, url: &str, map: &SourceMap) -> Option<(&'a str, Original, &'a str)> {
    let start = line.find(url)?;
    let place = line[start + url.len()..].strip_prefix(':')?;
    let length = place.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(place.len());
    let (row, column) = place[..length].split_once(':')?;
    let original = map.original(row.parse().ok()?, column.parse().ok()?)?;
    Some((&line[..start], original, &place[length..]))
}
