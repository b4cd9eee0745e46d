//! Foreign text on a terminal: descriptions of registries, errors of servers, lines that code prints.
//!
//! A terminal obeys what it is sent. Colours are kept, as programs print them; every other control character becomes a picture
//! of itself, so that no text clears the screen, writes the clipboard, hides a part of itself or reverses its direction.
//! [`crate::ui`] sends everything through here.

use std::borrow::Cow;

/// The text with its control characters made visible, except line breaks, tabs and colours.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let colour = colour_length(rest);
        if colour > 0 {
            out.push_str(&rest[..colour]);
            rest = &rest[colour..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\r' if rest.starts_with('\n') => {}
            c if is_control(c) => out.push_str(&picture(c)),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// The same for the text of a JSON document, which stays the same document: JSON escapes other control characters itself.
pub fn harmless_json(text: String) -> String {
    let is_raw = |c: char| is_control(c) && c >= '\u{7f}';
    if !text.chars().any(is_raw) {
        return text;
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_raw(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// What a terminal obeys instead of showing it, and what changes the direction of text.
fn is_control(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

fn picture(c: char) -> String {
    match u32::from(c) {
        0x7f => '␡'.to_string(),
        code @ 0..0x20 => char::from_u32(0x2400 + code).unwrap_or('␀').to_string(),
        code => format!("<U+{code:04X}>"),
    }
}

/// The length of the colour sequence at the start of the text, `ESC [ numbers m`; 0: there is none. Sequences that blink or
/// hide text do not count.
fn colour_length(text: &str) -> usize {
    let Some(body) = text.strip_prefix("\x1b[") else { return 0 };
    let Some(end) = body.find(|c: char| !matches!(c, '0'..='9' | ';' | ':')) else { return 0 };
    if !body[end..].starts_with('m') {
        return 0;
    }
    let mut numbers = body[..end].split([';', ':']).map(|number| number.parse::<u32>().unwrap_or(0));
    while let Some(number) = numbers.next() {
        match number {
            5 | 6 | 8 => return 0,
            // An indexed colour or three parts.
            38 | 48 | 58 => {
                let parts = if numbers.next() == Some(5) { 1 } else { 3 };
                numbers.by_ref().take(parts).for_each(drop);
            }
            _ => {}
        }
    }
    "\x1b[".len() + end + 1
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{harmless, harmless_json};

    #[test]
    fn colours_line_breaks_and_letters_stay() {
        for text in [
            "plain",
            "a\n\tb",
            "\x1b[1mbold\x1b[0m",
            "\x1b[38;5;8mgrey\x1b[m",
            "\x1b[38;2;1;5;8;4mx",
            "grüße ✓",
        ] {
            assert_eq!(harmless(text), text);
        }
        assert!(matches!(harmless("plain"), Cow::Borrowed(_)));
        assert_eq!(harmless("a\r\nb"), "a\nb");
    }

    #[test]
    fn everything_else_that_a_terminal_obeys_is_shown() {
        for (text, shown) in [
            ("\x1b]52;c;ZWNobw==\x07", "␛]52;c;ZWNobw==␇"),
            ("\x1b[2Jgone", "␛[2Jgone"),
            ("\x1b[8mhidden", "␛[8mhidden"),
            ("\x1b[1;5mblinks", "␛[1;5mblinks"),
            ("\x1bc", "␛c"),
            ("done\rfake", "done␍fake"),
            ("\u{9b}2J", "<U+009B>2J"),
            ("a\u{202e}b", "a<U+202E>b"),
            ("\x08\x7f", "␈␡"),
            ("\x1b[31", "␛[31"),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
    }

    #[test]
    fn document_stays_the_same() {
        let text = serde_json::to_string("\u{9b}2J \u{202e} \x1b \x7f é").unwrap();
        let shown = harmless_json(text.clone());
        assert!(!shown.contains(['\u{9b}', '\u{202e}', '\x7f', '\x1b']), "{shown}");
        let read = |text: &str| serde_json::from_str::<String>(text).unwrap();
        assert_eq!(read(&shown), read(&text));
    }
}
