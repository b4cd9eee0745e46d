//! Functions of text. Positions count UTF-16 units, as JavaScript has it; `size()` counts characters.

use super::computed::{Computed, argument, shown};
use super::regexes::Regexes;
use crate::error::ExprErrorKind;
use crate::limits::Meter;
use crate::value::{Kind, Value};

pub(super) fn method(
    text: &str,
    name: &str,
    arguments: &[Value],
    meter: &mut Meter,
    regexes: &mut Regexes,
) -> Result<Option<Value>, ExprErrorKind> {
    meter.read(text.len())?;
    let whole = |value: &Value| match value.kind {
        Kind::Int(number) => Some(number),
        _ => None,
    };
    let value = match arguments {
        [] => match name {
            "lowerAscii" => Value::from(text.to_lowercase()),
            "upperAscii" => Value::from(text.to_uppercase()),
            "trim" => Value::from(text.trim_matches(is_space)),
            _ => return Ok(None),
        },
        [first] => match (first.as_str(), name) {
            (None, "substring") => match whole(first) {
                Some(start) => return substring(text, start, None).map(Some),
                None => return Ok(None),
            },
            (Some(part), "startsWith") => Value::from(text.starts_with(part)),
            (Some(part), "endsWith") => Value::from(text.ends_with(part)),
            (Some(part), "contains") => Value::from(text.contains(part)),
            (Some(part), "indexOf") => index(text, text.find(part)),
            (Some(part), "lastIndexOf") => index(text, text.rfind(part)),
            (Some(pattern), "matches") => {
                let found = regexes.is_match(pattern, text, meter);
                let reason = |reason: String| argument(format!("invalid pattern {}: {reason}", shown(first)));
                Value::from(found?.map_err(|problem| match first.secret {
                    true => argument("invalid pattern (secret)"),
                    false => reason(problem),
                })?)
            }
            (Some(separator), "split") => return split(text, separator, None, meter).map(Some),
            _ => return Ok(None),
        },
        [first, second] => match (first.as_str(), whole(second), name) {
            (Some(part), Some(from), "indexOf") => return index_from(text, part, from, false).map(Some),
            (Some(part), Some(from), "lastIndexOf") => return index_from(text, part, from, true).map(Some),
            (Some(separator), Some(limit), "split") => {
                return split(text, separator, Some(limit), meter).map(Some);
            }
            (None, Some(end), "substring") => match whole(first) {
                Some(start) => return substring(text, start, Some(end)).map(Some),
                None => return Ok(None),
            },
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// White space as JavaScript trims it.
fn is_space(c: char) -> bool {
    (c.is_whitespace() && c != '\u{85}') || c == '\u{feff}'
}

fn length16(text: &str) -> i64 {
    text.chars().map(|c| c.len_utf16() as i64).sum()
}

fn index(text: &str, at: Option<usize>) -> Value {
    Value::from(at.map_or(-1, |at| length16(&text[..at])))
}

fn index_from(text: &str, part: &str, from: i64, last: bool) -> Computed {
    if part.is_empty() {
        return Ok(Value::from(from));
    }
    if from < 0 || from >= length16(text) {
        return Err(argument("the position is outside of the text"));
    }
    if last {
        // The last one that starts at `from` or before it.
        let end = byte_at(text, from, true) + part.len();
        let end = (0..=end.min(text.len())).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let found =
            text[..end].rmatch_indices(part).map(|(at, _)| at).find(|at| length16(&text[..*at]) <= from);
        return Ok(index(text, found));
    }
    let start = byte_at(text, from, true);
    Ok(index(text, text[start..].find(part).map(|at| start + at)))
}

/// The byte of a position; within a character of two units, behind it (`up`) or at its beginning.
fn byte_at(text: &str, position: i64, up: bool) -> usize {
    let mut units = 0;
    for (at, c) in text.char_indices() {
        if units >= position {
            return at;
        }
        let width = c.len_utf16() as i64;
        if units + width > position && !up {
            return at;
        }
        units += width;
    }
    text.len()
}

fn substring(text: &str, start: i64, end: Option<i64>) -> Computed {
    let length = length16(text);
    if start < 0 || start > length {
        return Err(argument(format!("the text has {length} characters, so there is no position {start}")));
    }
    let end = end.unwrap_or(length);
    if end < start || end > length {
        return Err(argument(format!("the text has {length} characters, so it cannot end at {end}")));
    }
    let units: Vec<u16> = text.encode_utf16().skip(start as usize).take((end - start) as usize).collect();
    Ok(Value::from(String::from_utf16_lossy(&units)))
}

fn split(text: &str, separator: &str, limit: Option<i64>, meter: &mut Meter) -> Computed {
    let mut parts: Vec<&str> = Vec::new();
    let most = match limit {
        Some(0) => return Value::list([]).map_err(ExprErrorKind::TooDeep),
        Some(limit) if limit > 0 => usize::try_from(limit).unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut rest = text;
    while parts.len() + 1 < most {
        let cut = if separator.is_empty() {
            rest.chars().next().map(|c| (c.len_utf8(), 0)).filter(|(width, _)| *width < rest.len())
        } else {
            rest.find(separator).map(|at| (at, separator.len()))
        };
        let Some((at, width)) = cut else { break };
        meter.bytes(size_of::<Value>() + at)?;
        parts.push(&rest[..at]);
        rest = &rest[at + width..];
    }
    // Nothing, cut between its characters, has no parts.
    if !(separator.is_empty() && text.is_empty()) {
        parts.push(rest);
    }
    Value::list(parts.into_iter().map(Value::from)).map_err(ExprErrorKind::TooDeep)
}

pub(super) fn join(items: &[Value], separator: &str, meter: &mut Meter) -> Computed {
    let mut joined = String::new();
    for (at, item) in items.iter().enumerate() {
        let Some(text) = item.as_str() else {
            let message = format!("`join` takes a list of strings, and one element is {}", item.type_name());
            return Err(argument(message));
        };
        let separator = if at > 0 { separator } else { "" };
        meter.bytes(separator.len() + text.len())?;
        meter.steps(1)?;
        joined.push_str(separator);
        joined.push_str(text);
    }
    Ok(Value::from(joined))
}

pub(super) fn to_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

pub(super) fn to_double(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "inf" | "+inf" | "infinity" | "+infinity" => return Some(f64::INFINITY),
        "-inf" | "-infinity" => return Some(f64::NEG_INFINITY),
        "nan" => return Some(f64::NAN),
        _ => {}
    }
    let is_number =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if is_number { text.parse().ok() } else { None }
}
