//! How deep a source text nests, before anything parses it.
//!
//! A recursive-descent parser and the visitors behind it use native stack for every level of nesting, and a text of 60 KB
//! can hold tens of thousands of levels. [`measure`] counts an upper bound of those levels in one pass over the bytes, so
//! that the parser's entry ([`crate::parse`]) can refuse a text that is too deep, and give every other text the stack that
//! it needs.
//!
//! # What is counted
//!
//! One *unit* for each open bracket, and one for each operator or keyword that may hold a construct open at its bracket
//! level: `!!!!a`, `a ? b : c ? d : e`, `if … else if …`, `new new A`, `A<A<A<…`. Left-associative chains (`a + b + c`,
//! `a.b.c`, `f()()()`) count as well: the parser loops over them, but they become deep trees for visitors. A unit at a
//! bracket level goes when the level closes, or where the grammar ends every construct of the level: at `;`, at `,` for
//! expressions, and where two operands meet, which only the end of a statement allows.
//!
//! # Why the bound holds
//!
//! Each recursion of the parser consumes a counted token, and a counted token is forgotten only where its construct has
//! ended in every program that parses; after the first syntax error the parser reads no further. What counting cannot
//! decide without parsing (`/` may begin a regular expression or divide; JSX text) makes the text *uncertain*: then the
//! bound is the number of all bytes and words in the text that could be counted tokens, in whatever reading.
//! `parse/stack_tests.rs` measures the stack of every construct against the bound.

use oxc_span::SourceType;

/// The deepest text that is parsed, in units. A chain of ten thousand operators stays below it, and so do five thousand
/// nested parentheses.
pub(crate) const MAX_DEPTH: usize = 20_000;

/// The same for a text whose bound counts more than it can nest ([`Nesting::uncertain`]).
pub(crate) const MAX_UNCERTAIN: usize = 5 * MAX_DEPTH;

/// An upper bound of the nesting of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// In units; see the module documentation.
    pub depth: usize,
    /// Byte offset of the first token beyond the limit: [`MAX_DEPTH`], or [`MAX_UNCERTAIN`] if `uncertain`.
    pub over: Option<usize>,
    /// Why the text has more than one reading; then `depth` holds for all of them.
    pub uncertain: Option<Uncertain>,
}

/// What keeps the scanner from a single reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Uncertain {
    /// The language has JSX, whose text looks like code.
    Jsx,
    /// From this byte offset on: mostly a `/` that may divide or begin a regular expression.
    From(usize),
}

/// Units of an open `<`. The parser tries each as the beginning of a list of types and again as a comparison, so that time
/// grows with the square of their number; this keeps it to a thousand.
const ANGLE: usize = 20;

/// The bound for `source`, read as `language`.
pub(crate) fn measure(source: &str, language: SourceType) -> Nesting {
    if language.is_jsx() {
        return every_reading(source, Uncertain::Jsx);
    }
    let mut scanner = Scanner::new(source);
    match scanner.run() {
        Some(()) => scanner.max,
        None => every_reading(source, Uncertain::From(scanner.at)),
    }
}

/// Counts what could be a counted token, wherever strings, comments and regular expressions begin and end.
fn every_reading(source: &str, uncertain: Uncertain) -> Nesting {
    let bytes = source.as_bytes();
    let (mut depth, mut over) = (0, None);
    let mut at = 0;
    while at < bytes.len() {
        if depth > MAX_UNCERTAIN && over.is_none() {
            over = Some(at);
        }
        let end = at + bytes[at..].iter().take_while(|byte| is_word(**byte)).count();
        if end > at {
            depth += usize::from(is_keyword(&bytes[at..end]));
            at = end;
            continue;
        }
        if counts(bytes[at]) || matches!(bytes[at], b'(' | b'[' | b'{' | b'`') {
            depth += match bytes[at] {
                // As a level, and as a link of a chain of calls.
                b'(' | b'[' | b'{' => 2,
                b'<' => 1 + ANGLE,
                _ => 1,
            };
        }
        at += 1;
    }
    Nesting { depth, over, uncertain: Some(uncertain) }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// Punctuation that may hold a construct open, or that makes a link of a chain.
fn counts(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'~'
            | b'+'
            | b'-'
            | b'*'
            | b'/'
            | b'%'
            | b'&'
            | b'|'
            | b'^'
            | b'='
            | b'<'
            | b'>'
            | b'?'
            | b':'
            | b'.'
            | b'@'
            | b'#'
            | b'\\'
    )
}

/// Words after which a statement is expected, or the rest of a class: a comma does not end what they began.
fn opens_statement(word: &[u8]) -> bool {
    matches!(word, b"class" | b"do" | b"else" | b"extends" | b"for" | b"if" | b"while" | b"with")
}

/// Words after which an operand is expected, unless they are the name of a property.
fn is_operator(word: &[u8]) -> bool {
    matches!(
        word,
        b"case"
            | b"delete"
            | b"do"
            | b"else"
            | b"in"
            | b"instanceof"
            | b"new"
            | b"return"
            | b"throw"
            | b"typeof"
            | b"void"
    )
}

/// Every other word that the grammar gives a meaning somewhere.
fn is_contextual(word: &[u8]) -> bool {
    matches!(
        word,
        b"abstract"
            | b"accessor"
            | b"any"
            | b"as"
            | b"assert"
            | b"asserts"
            | b"async"
            | b"await"
            | b"break"
            | b"catch"
            | b"class"
            | b"const"
            | b"continue"
            | b"debugger"
            | b"declare"
            | b"default"
            | b"defer"
            | b"enum"
            | b"export"
            | b"extends"
            | b"finally"
            | b"for"
            | b"from"
            | b"function"
            | b"get"
            | b"global"
            | b"if"
            | b"implements"
            | b"import"
            | b"infer"
            | b"interface"
            | b"intrinsic"
            | b"is"
            | b"keyof"
            | b"let"
            | b"meta"
            | b"module"
            | b"namespace"
            | b"of"
            | b"out"
            | b"override"
            | b"package"
            | b"private"
            | b"protected"
            | b"public"
            | b"readonly"
            | b"require"
            | b"satisfies"
            | b"set"
            | b"source"
            | b"static"
            | b"switch"
            | b"symbol"
            | b"try"
            | b"type"
            | b"unique"
            | b"using"
            | b"var"
            | b"while"
            | b"with"
            | b"yield"
    )
}

/// Words that go on with what stands before them, be it on the line before.
fn continues(word: &[u8]) -> bool {
    matches!(
        word,
        b"abstract"
            | b"as"
            | b"assert"
            | b"asserts"
            | b"catch"
            | b"class"
            | b"else"
            | b"extends"
            | b"finally"
            | b"from"
            | b"implements"
            | b"in"
            | b"instanceof"
            | b"is"
            | b"of"
            | b"satisfies"
            | b"while"
            | b"with"
    )
}

fn is_keyword(word: &[u8]) -> bool {
    is_operator(word) || is_contextual(word)
}

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

struct Scanner<'s> {
    bytes: &'s [u8],
    text: &'s str,
    at: usize,
    levels: Vec<Level>,
    total: usize,
    max: Nesting,
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
    fn new(text: &'s str) -> Self {
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
    fn run(&mut self) -> Option<()> {
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
            if matches!(byte, b'\n' | b'\r') || self.at_line_separator() {
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
