//! Stepping over the lexical parts of an expression whose inside means nothing to us: strings and comments.

/// If a string literal starts at `at` (at its quote, not at a prefix), the position after its end. `None` also for a
/// string that does not end. `raw`: a backslash means itself.
pub(crate) fn string_end(text: &str, at: usize, raw: bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.get(at).filter(|byte| matches!(byte, b'"' | b'\''))?;
    let triple = bytes[at..].starts_with(&[quote; 3]);
    let mut i = at + if triple { 3 } else { 1 };
    while i < bytes.len() {
        match bytes[i] {
            b'\\' if !raw => i += 1,
            byte if byte == quote && !triple => return Some(i + 1),
            byte if byte == quote && bytes[i..].starts_with(&[quote; 3]) => return Some(i + 3),
            _ => {}
        }
        i += 1;
    }
    None
}

/// Whether the quote at `at` belongs to a raw string: `r"…"`, `br'…'`.
pub(crate) fn is_raw(text: &str, at: usize) -> bool {
    let before = &text.as_bytes()[..at];
    let start = before.iter().rposition(|byte| !is_ident_byte(*byte)).map_or(0, |found| found + 1);
    matches!(before[start..].to_ascii_lowercase().as_slice(), b"r" | b"br" | b"rb")
}

pub(crate) fn is_ident_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The identifier that starts at `at`.
pub(crate) fn ident(text: &str, at: usize) -> Option<&str> {
    let rest = &text[at..];
    let first = *rest.as_bytes().first()?;
    if first.is_ascii_digit() || !is_ident_byte(first) {
        return None;
    }
    let length = rest.bytes().take_while(|byte| is_ident_byte(*byte)).count();
    Some(&rest[..length])
}

/// The position after white space.
pub(crate) fn skip_space(text: &str, at: usize) -> usize {
    at + (text[at..].len() - text[at..].trim_start().len())
}
