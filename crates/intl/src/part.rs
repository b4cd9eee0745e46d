//! A formatted text in its parts.

use std::borrow::Cow;

use serde::Serialize;

/// Which end of a range a part belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Source {
    /// Both.
    Shared,
    /// The lower one.
    StartRange,
    /// The upper one.
    EndRange,
}

/// A piece of a text, with its kind as `formatToParts` names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `integer`, `literal`, `month`, …
    #[serde(rename = "type")]
    pub kind: Cow<'static, str>,
    /// The text.
    pub value: String,
    /// In a range: where it comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// In a duration or a relative time: the unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<Cow<'static, str>>,
}

impl Part {
    pub(crate) fn new(kind: &'static str, value: impl Into<String>) -> Part {
        Part { kind: Cow::Borrowed(kind), value: value.into(), source: None, unit: None }
    }

    pub(crate) fn literal(value: impl Into<String>) -> Part {
        Part::new("literal", value)
    }

    pub(crate) fn with(mut self, source: Source) -> Part {
        self.source = Some(source);
        self
    }
}

/// The whole text.
pub fn text(parts: &[Part]) -> String {
    parts.iter().map(|part| part.value.as_str()).collect()
}

/// A pattern such as `{0} and {1}`: its pieces in order, a number for each placeholder.
pub(crate) fn placeholders(pattern: &str) -> Vec<Result<usize, &str>> {
    let mut pieces = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('{') {
        let Some(end) = rest[at..].find('}').map(|end| at + end) else { break };
        let Ok(number) = rest[at + 1..end].parse() else { break };
        if at > 0 {
            pieces.push(Err(&rest[..at]));
        }
        pieces.push(Ok(number));
        rest = &rest[end + 1..];
    }
    if !rest.is_empty() {
        pieces.push(Err(rest));
    }
    pieces
}

/// Puts texts into a pattern.
pub(crate) fn fill(pattern: &str, values: &[&str]) -> String {
    placeholders(pattern)
        .into_iter()
        .map(|piece| match piece {
            Ok(number) => values.get(number).copied().unwrap_or_default(),
            Err(literal) => literal,
        })
        .collect()
}
