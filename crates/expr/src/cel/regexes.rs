//! Patterns of `matches()`, in time linear in the text. They are written as in JavaScript; what would need going back
//! (look-around, references to groups) is refused.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

use crate::error::ExprErrorKind;
use crate::limits::Meter;

/// Compiled patterns of one evaluation.
#[derive(Debug, Default)]
pub(crate) struct Regexes(HashMap<String, Result<Regex, String>>);

impl Regexes {
    /// The inner error says why the pattern cannot be used.
    pub fn is_match(
        &mut self,
        pattern: &str,
        text: &str,
        meter: &mut Meter,
    ) -> Result<Result<bool, String>, ExprErrorKind> {
        if !self.0.contains_key(pattern) {
            meter.steps(100_000 + 100 * pattern.len() as u64)?;
            self.0.insert(pattern.to_owned(), compile(pattern));
        }
        meter.steps(1 + text.len() as u64 / 8)?;
        Ok(match self.0.get(pattern) {
            Some(Ok(regex)) => Ok(regex.is_match(text)),
            Some(Err(reason)) => Err(reason.clone()),
            None => Ok(false),
        })
    }
}

fn compile(pattern: &str) -> Result<Regex, String> {
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(1 << 20)
        .dfa_size_limit(1 << 20)
        .nest_limit(100)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
            other => {
                other.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            }
        })
}

/// In JavaScript `\d`, `\w` and `\b` know ASCII only, `.` stops at four ends of lines, and `$` is the very end.
fn translate(pattern: &str) -> Result<String, String> {
    let mut result = String::with_capacity(pattern.len());
    let mut chars = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        match c {
            '\\' => escape(chars.next(), &mut chars, in_class, &mut result)?,
            '.' if !in_class => result.push_str(r"[^\n\r\u{2028}\u{2029}]"),
            '$' if !in_class => result.push_str(r"\z"),
            '[' if in_class => result.push_str(r"\["),
            '[' => {
                in_class = true;
                result.push('[');
                if chars.next_if_eq(&'^').is_some() {
                    result.push('^');
                }
                // Empty classes: nothing, and anything.
                if chars.next_if_eq(&']').is_some() {
                    in_class = false;
                    let negated = result.ends_with('^');
                    result.truncate(result.len() - if negated { 2 } else { 1 });
                    result.push_str(if negated { r"[\s\S]" } else { r"[^\s\S]" });
                }
            }
            ']' if in_class => {
                in_class = false;
                result.push(']');
            }
            ']' | '}' if !in_class && c == ']' => result.push_str(r"\]"),
            // Set operations of the other dialect.
            '&' | '~' if in_class => {
                result.push('\\');
                result.push(c);
            }
            '(' if !in_class && chars.peek() == Some(&'?') => {
                chars.next();
                group(&mut chars, &mut result)?;
            }
            _ => result.push(c),
        }
    }
    if in_class { Err("a `]` is missing".to_owned()) } else { Ok(result) }
}

type Chars<'p> = std::iter::Peekable<std::str::Chars<'p>>;

fn group(chars: &mut Chars<'_>, result: &mut String) -> Result<(), String> {
    const NO_LOOK: &str = "look-ahead and look-behind are not supported";
    match chars.next() {
        Some(':') => result.push_str("(?:"),
        Some('=' | '!') => return Err(NO_LOOK.to_owned()),
        Some('<') if matches!(chars.peek(), Some('=' | '!')) => return Err(NO_LOOK.to_owned()),
        Some('<') => result.push_str("(?<"),
        _ => return Err("`(?` begins no group".to_owned()),
    }
    Ok(())
}

fn escape(
    code: Option<char>,
    chars: &mut Chars<'_>,
    in_class: bool,
    result: &mut String,
) -> Result<(), String> {
    let class = |inside: &str, outside: &str, result: &mut String| {
        result.push_str(if in_class { inside } else { outside });
    };
    match code {
        None => return Err("it ends in a backslash".to_owned()),
        Some('d') => class("0-9", "[0-9]", result),
        Some('D') => result.push_str("[^0-9]"),
        Some('w') => class("0-9A-Za-z_", "[0-9A-Za-z_]", result),
        Some('W') => result.push_str("[^0-9A-Za-z_]"),
        Some('s') => class(r"\s\u{feff}", r"[\s\u{feff}]", result),
        Some('S') => result.push_str(r"[^\s\u{feff}]"),
        Some('b') if in_class => result.push_str(r"\x08"),
        Some('b') => result.push_str(r"(?-u:\b)"),
        Some('B') if !in_class => result.push_str(r"(?-u:\B)"),
        Some('1'..='9') => return Err("references to groups are not supported".to_owned()),
        Some('k') if chars.peek() == Some(&'<') => {
            return Err("references to groups are not supported".to_owned());
        }
        Some('0') => result.push_str(r"\x00"),
        Some('c') => return Err("control escapes are not supported".to_owned()),
        Some(code @ ('n' | 'r' | 't' | 'v' | 'f')) => {
            result.push('\\');
            result.push(code);
        }
        Some(code @ ('x' | 'u')) => {
            let length = if code == 'x' { 2 } else { 4 };
            let digits: String = chars.clone().take(length).collect();
            if digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                for _ in 0..length {
                    chars.next();
                }
                result.push_str(&format!("\\x{{{digits}}}"));
            } else {
                result.push(code);
            }
        }
        // Any other character is itself.
        Some(other) => result.push_str(&regex::escape(other.encode_utf8(&mut [0; 4]))),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::compile;

    #[test]
    fn patterns_mean_what_they_mean_in_javascript() {
        for (pattern, text, expected) in [
            (r"^v\d+\.\d+$", "v1.20", true),
            (r"^\d$", "٣", false),
            (r"^\w+$", "é", false),
            (r"^[\w-]+$", "a-b", true),
            ("a$", "a\n", false),
            ("^.$", "\r", false),
            (r"\/x", "/x", true),
            ("[[]", "[", true),
            ("[a&&b]", "&", true),
            (r"\bb", "a b", true),
            ("(?:a|b)+(?<n>c)", "abc", true),
            ("[^]", "\n", true),
            ("a[]", "a", false),
            (r"\u0041\x42", "AB", true),
            (r"[\b]", "\u{8}", true),
            ("é+", "éé", true),
            (r"\-\_\é", "-_é", true),
            (r"\S", "\u{feff}", false),
        ] {
            assert_eq!(compile(pattern).unwrap().is_match(text), expected, "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_matched_in_linear_time_is_refused() {
        for (pattern, words) in [
            ("(?=a)", "look-ahead"),
            ("(?<!a)b", "look-behind"),
            (r"(a)\1", "references"),
            (r"a\", "backslash"),
            ("[a", "missing"),
            ("(a", ""),
            ("a{1000}{1000}", "too large"),
        ] {
            let error = compile(pattern).unwrap_err();
            assert!(error.contains(words), "{pattern}: {error}");
        }
    }
}
