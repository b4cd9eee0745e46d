//! The one pass over a text whose tokens have a single reading.

use super::words::{continues, is_keyword, is_operator, is_word, opens_statement};
use super::{MAX_DEPTH, Nesting};

/// Units of an open `<`. The parser tries each as the beginning of a list of types and again as a comparison, so that time
/// grows with the square of their number; this keeps it to a thousand.
pub(super) const ANGLE: usize = 20;

/// What a `/` after a token would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slash {
    /// The token is an operator: a regular expression follows.
    Regex,
    /// The token ends an operand: a division follows, unless the statement ended with the line.
    Division,
    /// Both are possible.
    Either,
}

/// The token before the one at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A name, a literal, `]`, or a `)` that closes no header: an operand ends here.
    Operand,
    /// A word with a meaning.
    Keyword,
    Semicolon,
    /// A `}`.
    Brace,
    /// Where a statement may begin: `{`, `:`, a header's `)`, the beginning of the text.
    Start,
    Dot,
    Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Text,
    Brace,
    /// `${`
    Template,
    Square,
    Paren,
    /// The parentheses of `if`, `for`, `while` and `with`.
    Header,
}

/// What is open at one bracket level.
#[derive(Debug, Clone, Copy)]
struct Level {
    bracket: Bracket,
    /// Units of statements and classes.
    statements: usize,
    /// Units of expressions and types.
    expressions: usize,
    /// `<` without their `>`: at least as many as there are open lists of types. Each is [`ANGLE`] units.
    angles: usize,
}

/// Counts in one pass, as long as there is one reading.
pub(super) struct Scanner<'s> {
    bytes: &'s [u8],
    text: &'s str,
    pub(super) at: usize,
    levels: Vec<Level>,
    total: usize,
    /// The largest number of units so far.
    pub(super) max: Nesting,
    before: Before,
    slash: Slash,
    /// There was an end of line since the last token.
    newline: bool,
    /// The last word was one whose parentheses are a header.
    header: bool,
    /// A name that would be a label if a colon follows.
    label: bool,
}

impl<'s> Scanner<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self {
            bytes: text.as_bytes(),
            text,
            at: 0,
            levels: vec![Level { bracket: Bracket::Text, statements: 0, expressions: 0, angles: 0 }],
            total: 0,
            max: Nesting { depth: 0, over: None, uncertain: None },
            before: Before::Start,
            slash: Slash::Regex,
            newline: true,
            header: false,
            label: false,
        }
    }

    /// `None` for a text that could be read in more than one way.
    pub(super) fn run(&mut self) -> Option<()> {
        if self.bytes.starts_with(b"#!") {
            self.skip_line();
        }
        while let Some(byte) = self.peek(0) {
            match byte {
                b'\n' | b'\r' => {
                    self.newline = true;
                    self.at += 1;
                }
                b' ' | b'\t' | 0x0b | 0x0c => self.at += 1,
                b'/' if self.peek(1) == Some(b'/') => self.skip_line(),
                b'/' if self.peek(1) == Some(b'*') => self.block_comment()?,
                b'/' => self.slash()?,
                b'"' | b'\'' => {
                    self.end_of_statement();
                    self.string(byte)?;
                    self.operand();
                }
                b'`' => {
                    self.end_of_statement();
                    self.unit();
                    self.at += 1;
                    self.template()?;
                }
                b'(' | b'[' | b'{' => self.open(byte),
                b')' | b']' | b'}' => self.close(byte)?,
                // What a script may have as a comment.
                b'<' if self.bytes[self.at..].starts_with(b"<!--") => return None,
                b'-' if self.newline && self.bytes[self.at..].starts_with(b"-->") => return None,
                _ if is_word(byte) || byte >= 0x80 || matches!(byte, b'#' | b'\\') => self.word()?,
                _ => self.punctuation(byte),
            }
        }
        Some(())
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn level(&mut self) -> &mut Level {
        if self.levels.is_empty() {
            self.levels.push(Level { bracket: Bracket::Text, statements: 0, expressions: 0, angles: 0 });
        }
        let last = self.levels.len() - 1;
        &mut self.levels[last]
    }

    fn grew(&mut self, units: usize) {
        self.total += units;
        self.max.depth = self.max.depth.max(self.total);
        if self.total > MAX_DEPTH && self.max.over.is_none() {
            self.max.over = Some(self.at);
        }
    }

    /// One more construct of an expression or a type.
    fn unit(&mut self) {
        self.level().expressions += 1;
        self.grew(1);
    }

    fn end_expressions(&mut self) {
        let level = self.level();
        let ended = std::mem::take(&mut level.expressions);
        let angles = std::mem::take(&mut level.angles);
        self.total -= ended + angles * ANGLE;
    }

    fn end_statements(&mut self) {
        self.end_expressions();
        let ended = std::mem::take(&mut self.level().statements);
        self.total -= ended;
    }

    /// No `if` goes on after a `;` with anything but `else`.
    fn end_of_statement(&mut self) {
        let bracket = self.level().bracket;
        if self.before == Before::Semicolon && matches!(bracket, Bracket::Text | Bracket::Brace) {
            self.end_statements();
        }
    }

    /// A token that ends an operand.
    fn operand(&mut self) {
        self.token(Before::Operand, Slash::Division);
    }

    fn token(&mut self, before: Before, slash: Slash) {
        self.before = before;
        self.slash = slash;
        self.newline = false;
        self.header = false;
        self.label = false;
    }

    fn open(&mut self, byte: u8) {
        let bracket = match byte {
            b'(' if self.header => Bracket::Header,
            b'(' => Bracket::Paren,
            b'[' => Bracket::Square,
            _ => Bracket::Brace,
        };
        self.end_of_statement();
        self.unit();
        self.push(bracket);
        self.at += 1;
        let before = if bracket == Bracket::Brace { Before::Start } else { Before::Other };
        self.token(before, Slash::Regex);
    }

    fn push(&mut self, bracket: Bracket) {
        self.levels.push(Level { bracket, statements: 0, expressions: 0, angles: 0 });
        self.grew(1);
    }

    /// A bracket that closes another one than the innermost is a syntax error; the parser ends there.
    fn close(&mut self, byte: u8) -> Option<()> {
        let bracket = self.level().bracket;
        let fits = match bracket {
            Bracket::Text => false,
            Bracket::Brace | Bracket::Template => byte == b'}',
            Bracket::Square => byte == b']',
            Bracket::Paren | Bracket::Header => byte == b')',
        };
        self.at += 1;
        if !fits {
            self.token(Before::Other, Slash::Either);
            return Some(());
        }
        self.end_statements();
        self.levels.pop();
        self.total -= 1;
        match bracket {
            Bracket::Template => return self.template(),
            Bracket::Header => self.token(Before::Start, Slash::Regex),
            Bracket::Brace => self.token(Before::Brace, Slash::Either),
            Bracket::Text | Bracket::Square | Bracket::Paren => self.operand(),
        }
        Some(())
    }

    fn skip_line(&mut self) {
        while let Some(byte) = self.peek(0) {
            if matches!(byte, b'\n' | b'\r') || byte == 0xe2 && self.at_line_separator() {
                return;
            }
            self.at += 1;
        }
    }

    /// U+2028 and U+2029 end lines, too.
    fn at_line_separator(&self) -> bool {
        let rest = &self.bytes[self.at..];
        rest.starts_with(&[0xe2, 0x80, 0xa8]) || rest.starts_with(&[0xe2, 0x80, 0xa9])
    }

    fn block_comment(&mut self) -> Option<()> {
        let length = self.text.get(self.at + 2..)?.find("*/")?;
        let comment = &self.text[self.at..self.at + 2 + length];
        self.newline |= comment.contains(['\n', '\r', '\u{2028}', '\u{2029}']);
        self.at += length + 4;
        Some(())
    }

    fn string(&mut self, quote: u8) -> Option<()> {
        self.at += 1;
        loop {
            let byte = self.peek(0)?;
            self.at += 1;
            match byte {
                b'\\' => {
                    // `\` and an end of line that has two bytes.
                    if self.peek(0)? == b'\r' && self.peek(1) == Some(b'\n') {
                        self.at += 1;
                    }
                    self.at += 1;
                }
                b'\n' | b'\r' => return None,
                _ if byte == quote => return Some(()),
                _ => {}
            }
        }
    }

    /// From after a backtick, or after the `}` of a `${`.
    fn template(&mut self) -> Option<()> {
        loop {
            let byte = self.peek(0)?;
            match byte {
                b'\\' => self.at += 2,
                b'`' => {
                    self.at += 1;
                    self.operand();
                    return Some(());
                }
                b'$' if self.peek(1) == Some(b'{') => {
                    self.unit();
                    self.push(Bracket::Template);
                    self.at += 2;
                    self.token(Before::Other, Slash::Regex);
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }

    /// A `/` that begins no comment.
    fn slash(&mut self) -> Option<()> {
        let end = self.regex_end();
        let regex = match self.slash {
            Slash::Regex => true,
            Slash::Division if !self.newline => false,
            // Read as a division, what a regular expression would hide is code.
            Slash::Division | Slash::Either => match end {
                Some(end) => return self.either(end),
                None => false,
            },
        };
        if regex {
            self.at = end?;
            self.operand();
        } else {
            self.punctuation(b'/');
        }
        Some(())
    }

    /// Skips `/ names and dots /`, which leaves the same code behind whether it is a regular expression or two divisions.
    fn either(&mut self, end: usize) -> Option<()> {
        let inner = self.bytes[self.at + 1..end - 1].trim_ascii_end();
        let plain = |byte: &u8| is_word(*byte) || matches!(byte, b' ' | b'.');
        if !inner.iter().all(plain) || !inner.last().is_some_and(|byte| is_word(*byte)) {
            return None;
        }
        for _ in 0..2 + inner.iter().filter(|byte| !is_word(**byte)).count() {
            self.unit();
        }
        self.at = end;
        self.token(Before::Other, Slash::Either);
        Some(())
    }

    /// Where a regular expression that begins here ends, if it does on this line.
    fn regex_end(&self) -> Option<usize> {
        let mut at = self.at + 1;
        let mut class = false;
        loop {
            match *self.bytes.get(at)? {
                b'\n' | b'\r' => return None,
                0xe2 if matches!(self.bytes.get(at + 1..at + 3), Some([0x80, 0xa8 | 0xa9])) => return None,
                b'\\' => at += 1,
                b'[' => class = true,
                b']' => class = false,
                b'/' if !class => return Some(at + 1),
                _ => {}
            }
            at += 1;
        }
    }

    fn word(&mut self) -> Option<()> {
        let start = self.at;
        self.at += self.bytes[start..].iter().take_while(|byte| is_word(**byte)).count();
        while let Some(byte) = self.peek(0) {
            if byte >= 0x80 {
                let character = self.text[self.at..].chars().next()?;
                if character.is_whitespace() || character == '\u{feff}' {
                    break;
                }
                self.at += character.len_utf8();
            } else if is_word(byte) || byte == b'#' {
                self.at += 1;
            } else if byte == b'\\' {
                self.at += self.escape()?;
            } else {
                break;
            }
        }
        if self.at == start {
            // White space beyond ASCII.
            self.newline |= self.at_line_separator();
            self.at += self.text[self.at..].chars().next()?.len_utf8();
            return Some(());
        }
        if self.bytes[start].is_ascii_digit() {
            self.fraction(start)?;
        }
        let word = &self.bytes[start..self.at];
        self.end_of_statement_before(word);
        let begins = match self.before {
            Before::Start | Before::Semicolon | Before::Brace => true,
            Before::Operand => self.newline,
            Before::Keyword | Before::Dot | Before::Other => false,
        };
        if is_keyword(word) {
            self.keyword(word);
        } else {
            self.operand();
        }
        self.label = begins;
        Some(())
    }

    /// The length of a `\u00e4` in a name. One that stands for an ASCII letter could hide a keyword.
    fn escape(&self) -> Option<usize> {
        let digits = self.text.get(self.at + 2..self.at + 6)?;
        let letter =
            self.peek(1) == Some(b'u') && u32::from_str_radix(digits, 16).is_ok_and(|code| code >= 0x80);
        letter.then_some(6)
    }

    /// Skips the dot of a number, which names no member.
    fn fraction(&mut self, start: usize) -> Option<()> {
        let digits = &self.bytes[start..self.at];
        if self.peek(0) == Some(b'.') && digits.iter().all(|byte| byte.is_ascii_digit() || *byte == b'_') {
            if digits.len() > 1 && digits[0] == b'0' {
                // An old octal number, or none.
                return None;
            }
            self.at += 1;
            while self.peek(0).is_some_and(is_word) {
                self.at += 1;
            }
        }
        Some(())
    }

    /// Two operands meet only where a statement ends; a `;` ends one, unless its `if` goes on.
    fn end_of_statement_before(&mut self, word: &[u8]) {
        let over = match self.before {
            Before::Semicolon | Before::Brace => true,
            Before::Operand => self.newline,
            _ => false,
        };
        let bracket = self.level().bracket;
        if !over || !matches!(bracket, Bracket::Text | Bracket::Brace) {
            return;
        }
        if !continues(word) {
            self.end_statements();
        } else if word == b"else" && self.before != Before::Operand {
            self.end_expressions();
        }
    }

    fn keyword(&mut self, word: &[u8]) {
        if self.before == Before::Dot {
            // The name of a member.
            return self.operand();
        }
        if opens_statement(word) {
            self.level().statements += 1;
            self.grew(1);
        } else {
            self.unit();
        }
        // `for await (…)`
        let header = matches!(word, b"if" | b"for" | b"while" | b"with") || self.header && word == b"await";
        let begins = matches!(word, b"else" | b"do");
        let slash = if is_operator(word) { Slash::Regex } else { Slash::Either };
        self.token(if begins { Before::Start } else { Before::Keyword }, slash);
        self.header = header;
    }

    fn punctuation(&mut self, byte: u8) {
        let (label, operand) = (self.label, matches!(self.slash, Slash::Division | Slash::Either));
        self.end_of_statement();
        self.at += 1;
        match byte {
            b';' => {
                // Between the parentheses of a `for`, too.
                self.end_expressions();
                return self.token(Before::Semicolon, Slash::Regex);
            }
            b',' => {
                if self.level().angles == 0 {
                    self.end_expressions();
                }
                return self.token(Before::Other, Slash::Regex);
            }
            b':' if label => {
                self.level().statements += 1;
                self.grew(1);
                return self.token(Before::Start, Slash::Regex);
            }
            b':' => {
                self.unit();
                return self.token(Before::Start, Slash::Regex);
            }
            b'<' if self.peek(0) != Some(b'=') => {
                self.level().angles += 1;
                self.grew(ANGLE);
            }
            b'.' if self.bytes[self.at..].starts_with(b"..") => {
                self.at += 2;
                self.unit();
                return self.token(Before::Other, Slash::Regex);
            }
            b'>' => {
                let level = self.level();
                if level.angles > 0 {
                    level.angles -= 1;
                    self.total -= ANGLE;
                }
                self.unit();
                return self.token(Before::Other, Slash::Either);
            }
            b'=' if self.peek(0) == Some(b'>') => self.at += 1,
            _ => {}
        }
        // `&&`, `||`, `**`, `==` and `===` are one operator.
        while matches!(byte, b'&' | b'|' | b'*' | b'=') && self.peek(0) == Some(byte) {
            self.at += 1;
        }
        self.unit();
        let slash = match byte {
            // After an operand these may end it: `a++ / b`, `a! / b`.
            b'!' | b'+' | b'-' if operand => Slash::Either,
            _ => Slash::Regex,
        };
        self.token(if byte == b'.' { Before::Dot } else { Before::Other }, slash);
    }
}
