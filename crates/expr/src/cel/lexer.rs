//! From text to tokens, one at a time.

use std::ops::Range;

use crate::error::{ExprError, ExprErrorKind};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    End,
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Name(String),
    True,
    False,
    Null,
    In,
    /// One of `+ - * / % ( ) [ ] { } . , : ? ! < >`.
    Sign(char),
    Equal,
    NotEqual,
    LessOrEqual,
    GreaterOrEqual,
    And,
    Or,
}

#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

pub(crate) fn syntax(message: impl Into<String>, span: Range<usize>) -> ExprError {
    ExprError::at(ExprErrorKind::Syntax { message: message.into() }, span)
}

impl<'t> Lexer<'t> {
    pub fn new(text: &'t str) -> Lexer<'t> {
        Lexer { text, at: 0 }
    }

    /// Goes on reading at `at`, which must be the boundary of a character.
    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The next token and where it stands.
    pub fn next(&mut self) -> Result<(Token, Range<usize>), ExprError> {
        self.skip();
        let start = self.at;
        let token = self.token(start)?;
        Ok((token, start..self.at))
    }

    fn skip(&mut self) {
        loop {
            match self.peek(0) {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'/' if self.peek(1) == b'/' => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }

    fn token(&mut self, start: usize) -> Result<Token, ExprError> {
        if start >= self.text.len() {
            return Ok(Token::End);
        }
        let two = match (self.peek(0), self.peek(1)) {
            (b'=', b'=') => Some(Token::Equal),
            (b'!', b'=') => Some(Token::NotEqual),
            (b'<', b'=') => Some(Token::LessOrEqual),
            (b'>', b'=') => Some(Token::GreaterOrEqual),
            (b'&', b'&') => Some(Token::And),
            (b'|', b'|') => Some(Token::Or),
            _ => None,
        };
        if let Some(token) = two {
            self.at += 2;
            return Ok(token);
        }
        match self.peek(0) {
            byte @ (b'+' | b'-' | b'*' | b'/' | b'%' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'.'
            | b',' | b':' | b'?' | b'!' | b'<' | b'>') => {
                self.at += 1;
                Ok(Token::Sign(char::from(byte)))
            }
            b'"' | b'\'' => self.string(start, None),
            prefix @ (b'b' | b'B' | b'r' | b'R') if matches!(self.peek(1), b'"' | b'\'') => {
                self.at += 1;
                self.string(start, Some(prefix.to_ascii_lowercase()))
            }
            b'0'..=b'9' => self.number(start),
            byte if byte.is_ascii_alphabetic() || byte == b'_' => Ok(self.name(start)),
            _ => {
                let character = self.text[start..].chars().next().unwrap_or_default();
                let hint = if character == '`' { "; text stands in \" or '" } else { "" };
                Err(syntax(
                    format!("unexpected character `{character}`{hint}"),
                    start..start + character.len_utf8(),
                ))
            }
        }
    }

    fn name(&mut self, start: usize) -> Token {
        while self.peek(0).is_ascii_alphanumeric() || self.peek(0) == b'_' {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            "true" => Token::True,
            "false" => Token::False,
            "null" => Token::Null,
            "in" => Token::In,
            name => Token::Name(name.to_owned()),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self, start: usize) -> Result<Token, ExprError> {
        let hex = self.peek(0) == b'0' && matches!(self.peek(1), b'x' | b'X');
        if hex {
            self.at += 2;
            while self.peek(0).is_ascii_hexdigit() {
                self.at += 1;
            }
        } else {
            self.digits();
            let mut is_double = false;
            if self.peek(0) == b'.' && self.peek(1).is_ascii_digit() {
                self.at += 1;
                self.digits();
                is_double = true;
            }
            if matches!(self.peek(0), b'e' | b'E') {
                self.at += 1;
                if matches!(self.peek(0), b'+' | b'-') {
                    self.at += 1;
                }
                if self.digits() == 0 {
                    return Err(syntax("the exponent has no digits", start..self.at));
                }
                is_double = true;
            }
            if is_double {
                let value: Option<f64> = self.text[start..self.at].parse().ok();
                let value = value.filter(|value| value.is_finite());
                return value
                    .map(Token::Double)
                    .ok_or_else(|| syntax("the number is too large", start..self.at));
            }
        }
        let digits = &self.text[start..self.at];
        let value = if hex { u64::from_str_radix(&digits[2..], 16).ok() } else { digits.parse().ok() };
        let unsigned = matches!(self.peek(0), b'u' | b'U');
        self.at += usize::from(unsigned);
        let span = start..self.at;
        match value {
            Some(value) if unsigned => Ok(Token::Uint(value)),
            Some(value) => Ok(Token::Int(value)),
            None if hex && digits.len() == 2 => Err(syntax("the number has no digits", span)),
            None => Err(syntax("the integer is too large: integers have 64 bits", span)),
        }
    }

    /// `self.at` is at the quote.
    fn string(&mut self, start: usize, prefix: Option<u8>) -> Result<Token, ExprError> {
        let bytes = self.text.as_bytes();
        let quote = bytes[self.at];
        let triple = bytes[self.at..].starts_with(&[quote; 3]);
        let width = if triple { 3 } else { 1 };
        let from = self.at + width;
        let mut at = from;
        let end = loop {
            match bytes.get(at) {
                None => return Err(syntax("the text has no end: a quote is missing", start..bytes.len())),
                Some(b'\\') => at += 2,
                Some(b'\n' | b'\r') if !triple => {
                    return Err(syntax("a text on several lines stands in three quotes", start..at));
                }
                Some(byte) if *byte == quote && (!triple || bytes[at..].starts_with(&[quote; 3])) => {
                    break at;
                }
                Some(_) => at += 1,
            }
        };
        self.at = end + width;
        let inner = &self.text[from..end];
        match prefix {
            Some(b'r') => Ok(Token::Text(inner.to_owned())),
            Some(_) => unescape(inner, from, true).map(Token::Bytes),
            None => {
                let text = String::from_utf8(unescape(inner, from, false)?);
                text.map(Token::Text).map_err(|_| syntax("the text is not valid Unicode", start..self.at))
            }
        }
    }
}

/// Escapes replaced. `offset`: where the text begins, for errors.
fn unescape(text: &str, offset: usize, is_bytes: bool) -> Result<Vec<u8>, ExprError> {
    let mut result = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(found) = text[at..].find('\\') {
        result.extend_from_slice(&text.as_bytes()[at..at + found]);
        let escape = at + found;
        let code = text[escape + 1..].chars().next().unwrap_or_default();
        let length = match code {
            'x' | 'X' => 2,
            'u' => 4,
            'U' => 8,
            '0'..='7' => 3,
            _ => 0,
        };
        let from = escape + 1 + if length == 3 { 0 } else { code.len_utf8() };
        let number = |radix| {
            let digits = text.get(from..from + length)?;
            let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            u32::from_str_radix(digits, radix).ok().filter(|_| plain)
        };
        let end = (offset + from + length).min(offset + text.len());
        let bad = |message: &str| Err(syntax(message, offset + escape..end));
        let character = match code {
            'a' => '\x07',
            'b' => '\x08',
            'f' => '\x0c',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\x0b',
            '\\' | '?' | '"' | '\'' | '`' => code,
            'u' | 'U' if is_bytes => return bad("bytes have no Unicode escapes"),
            'x' | 'X' | '0'..='7' => {
                let radix = if length == 3 { 8 } else { 16 };
                match number(radix) {
                    Some(byte @ 0..=0xff) if is_bytes => {
                        result.push(byte.to_le_bytes()[0]);
                        at = from + length;
                        continue;
                    }
                    Some(code @ 0..=0xff) => char::from(code.to_le_bytes()[0]),
                    _ => return bad("an escape such as `\\x41` or `\\101` names one byte"),
                }
            }
            'u' | 'U' => match number(16).and_then(char::from_u32) {
                Some(character) => character,
                None => return bad("no such character"),
            },
            _ => return bad("unknown escape; a backslash itself is `\\\\`"),
        };
        result.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        at = from + length;
    }
    result.extend_from_slice(&text.as_bytes()[at..]);
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::{Lexer, Token};

    fn token(text: &str) -> Result<Token, String> {
        Lexer::new(text).next().map(|(token, _)| token).map_err(|error| error.to_string())
    }

    #[test]
    fn literals() {
        for (text, expected) in [
            ("12", Token::Int(12)),
            ("0x1F", Token::Int(31)),
            ("0XffU", Token::Uint(255)),
            ("1u", Token::Uint(1)),
            ("1.5", Token::Double(1.5)),
            ("1e3", Token::Double(1000.0)),
            ("2.5E-1", Token::Double(0.25)),
            ("1.x", Token::Int(1)),
            (r#""a\n\x41\101\u00e9\U0001F600\?""#, Token::Text("a\nAAé😀?".into())),
            (r"r'\d'", Token::Text(r"\d".into())),
            ("'''a'b\nc'''", Token::Text("a'b\nc".into())),
            (r#"b"é\xff\001""#, Token::Bytes(vec![0xc3, 0xa9, 0xff, 1])),
            ("bar", Token::Name("bar".into())),
            ("// why\n in", Token::In),
            ("", Token::End),
        ] {
            assert_eq!(token(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn invalid_literals_are_refused() {
        for (text, words) in [
            ("1e", "exponent"),
            ("1e999", "too large"),
            ("18446744073709551616", "64 bits"),
            ("0x", "no digits"),
            ("'a", "quote is missing"),
            ("'a\\", "quote is missing"),
            ("'a\nb'", "three quotes"),
            (r"'\q'", "unknown escape"),
            (r"'\ud800'", "no such character"),
            (r"'\u12'", "no such character"),
            (r"'\400'", "one byte"),
            (r"'\x4é'", "one byte"),
            (r"b'\u0041'", "Unicode escapes"),
            ("é", "unexpected character `é`"),
            ("`a`", "text stands in"),
            ("=", "unexpected"),
            ("&", "unexpected"),
        ] {
            let error = token(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
