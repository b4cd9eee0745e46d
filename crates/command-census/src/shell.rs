//! Command lines in a text that a shell would read.
//!
//! This is not a shell: variables, substitutions and placeholders stay words, and nothing is expanded. It finds where
//! simple commands begin and end, what their words are, and which of them call the program.

use std::iter::Peekable;
use std::str::Chars;
use std::sync::LazyLock;

use regex::Regex;

/// A command line: the words behind the program's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// The line in the text, from 1.
    pub line: usize,
    /// The words, as a shell would pass them, but for what it would expand.
    pub words: Vec<Word>,
}

/// A word of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text without quotes.
    pub text: String,
    /// Whether a part of it was quoted.
    pub quoted: bool,
}

impl Word {
    /// Whether a part of the word is known only when the command runs, or stands for what a reader fills in.
    pub fn is_open(&self) -> bool {
        static OPEN: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"\$[A-Za-z_{(0-9@*#?]|`|<[A-Za-z@]|\{\{|…|\.\.\.|^\{[a-z-]+\}$"));
        OPEN.is_match(&self.text)
    }

    /// Whether the word stands for any number of words.
    pub fn is_many(&self) -> bool {
        static MANY: LazyLock<Regex> =
            LazyLock::new(|| pattern(r"^(\$[@*]|\$\{[A-Za-z_0-9]+\[[@*]\][^}]*\}|\.\.\.|…)$"));
        MANY.is_match(&self.text) || (!self.quoted && self.text.starts_with('$') && self.is_open())
    }
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The command lines of `text` that call the program `swamp`.
pub fn command_lines(text: &str) -> Vec<CommandLine> {
    let mut lexer = Lexer { chars: text.chars().peekable(), line: 1, commands: Vec::new() };
    lexer.read(None);
    lexer.commands
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    line: usize,
    commands: Vec<CommandLine>,
}

/// A command while it is read.
#[derive(Default)]
struct Reading {
    words: Vec<Word>,
    line: usize,
    word: Option<Word>,
    /// The next word is the target of a redirection.
    redirected: bool,
}

impl Reading {
    fn part(&mut self) -> &mut Word {
        self.word.get_or_insert_with(|| Word { text: String::new(), quoted: false })
    }

    fn end_word(&mut self, line: usize) {
        let Some(word) = self.word.take() else { return };
        if std::mem::take(&mut self.redirected) {
            return;
        }
        if self.words.is_empty() {
            self.line = line;
        }
        self.words.push(word);
    }
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        self.line += usize::from(next == Some('\n'));
        next
    }

    /// Reads commands up to `end`, which closes a substitution, or to the end of the text.
    fn read(&mut self, end: Option<char>) {
        let mut reading = Reading::default();
        let mut heredocs: Vec<String> = Vec::new();
        while let Some(c) = self.next() {
            if Some(c) == end {
                break;
            }
            match c {
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(other) => reading.part().text.push(other),
                },
                '\'' => {
                    reading.part().quoted = true;
                    while let Some(c) = self.next().filter(|c| *c != '\'') {
                        reading.part().text.push(c);
                    }
                }
                '"' => self.double_quoted(&mut reading),
                '$' => self.dollar(&mut reading),
                '`' => {
                    self.read(Some('`'));
                    reading.part().text.push_str("$(…)");
                }
                '{' if self.chars.peek() == Some(&'{') => {
                    let text = self.until_braces();
                    reading.part().text.push_str(&text);
                }
                '#' if reading.word.is_none() => {
                    while self.chars.peek().is_some_and(|c| *c != '\n') {
                        self.next();
                    }
                }
                '<' => match self.placeholder() {
                    Some(name) => reading.part().text.push_str(&name),
                    None => self.redirection(&mut reading, &mut heredocs),
                },
                '>' => {
                    if reading
                        .word
                        .as_ref()
                        .is_some_and(|word| word.text.chars().all(|c| c.is_ascii_digit() || c == '&'))
                    {
                        reading.word = None;
                    }
                    reading.end_word(self.line);
                    while self.chars.peek().is_some_and(|c| matches!(c, '>' | '&' | '|')) {
                        self.next();
                    }
                    reading.redirected = true;
                }
                '&' if self.chars.peek() == Some(&'>') => reading.part().text.push('&'),
                '\n' | ';' | '|' | '&' | '(' | ')' => {
                    let line = self.line - usize::from(c == '\n');
                    self.end_command(&mut reading, line);
                    if c == '\n' {
                        for delimiter in heredocs.drain(..) {
                            self.skip_heredoc(&delimiter);
                        }
                    }
                }
                c if c.is_whitespace() => reading.end_word(self.line),
                other => reading.part().text.push(other),
            }
        }
        let line = self.line;
        self.end_command(&mut reading, line);
    }

    fn end_command(&mut self, reading: &mut Reading, line: usize) {
        reading.end_word(line);
        let Reading { words, line, .. } = std::mem::take(reading);
        if let Some(at) = program_at(&words) {
            self.commands.push(CommandLine { line, words: words[at + 1..].to_vec() });
        }
        // `bash -c "…"` has commands in a word.
        for pair in words.windows(2) {
            if matches!(pair[0].text.as_str(), "-c" | "-lc" | "-ec") && pair[1].quoted {
                let inner = command_lines(&pair[1].text);
                self.commands.extend(inner.into_iter().map(|command| CommandLine { line, ..command }));
            }
        }
    }

    fn double_quoted(&mut self, reading: &mut Reading) {
        reading.part().quoted = true;
        while let Some(c) = self.next() {
            match c {
                '"' => break,
                '\\' => match self.next() {
                    Some('\n') | None => {}
                    Some(c @ ('"' | '\\' | '$' | '`')) => reading.part().text.push(c),
                    Some(c) => reading.part().text.extend(['\\', c]),
                },
                '$' => self.dollar(reading),
                '`' => {
                    self.read(Some('`'));
                    reading.part().text.push_str("$(…)");
                }
                other => reading.part().text.push(other),
            }
        }
    }

    /// After a `$`: a variable, a substitution, or the character itself.
    fn dollar(&mut self, reading: &mut Reading) {
        match self.chars.peek() {
            Some('(') => {
                self.next();
                self.read(Some(')'));
                reading.part().text.push_str("$(…)");
            }
            Some('{') => {
                let mut text = String::from("$");
                let mut depth = 0;
                while let Some(c) = self.next() {
                    text.push(c);
                    depth += i32::from(c == '{') - i32::from(c == '}');
                    if depth == 0 {
                        break;
                    }
                }
                reading.part().text.push_str(&text);
            }
            _ => reading.part().text.push('$'),
        }
    }

    /// `{{ … }}`, behind its first brace.
    fn until_braces(&mut self) -> String {
        let mut text = String::from("{");
        while let Some(c) = self.next() {
            text.push(c);
            if text.ends_with("}}") {
                break;
            }
        }
        text
    }

    /// `<name>`, behind its `<`, when it is one.
    fn placeholder(&mut self) -> Option<String> {
        let rest: String = self.chars.clone().take(80).take_while(|c| *c != '\n').collect();
        static NAME: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z@][A-Za-z0-9 _.@/|:,'()+*-]*>"));
        let name = NAME.find(&rest)?.as_str();
        if name.ends_with(" >") {
            return None;
        }
        for _ in name.chars() {
            self.next();
        }
        Some(format!("<{name}"))
    }

    fn redirection(&mut self, reading: &mut Reading, heredocs: &mut Vec<String>) {
        reading.end_word(self.line);
        if self.chars.peek() != Some(&'<') {
            reading.redirected = true;
            return;
        }
        self.next();
        if self.chars.peek() == Some(&'<') {
            self.next();
            reading.redirected = true;
            return;
        }
        while self.chars.peek().is_some_and(|c| matches!(c, '-' | ' ' | '\'' | '"' | '\\')) {
            self.next();
        }
        let mut delimiter = String::new();
        while self.chars.peek().is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            delimiter.extend(self.next());
        }
        while self.chars.peek().is_some_and(|c| matches!(c, '\'' | '"')) {
            self.next();
        }
        heredocs.push(delimiter);
    }

    fn skip_heredoc(&mut self, delimiter: &str) {
        let mut line = String::new();
        while let Some(c) = self.next() {
            if c != '\n' {
                line.push(c);
                continue;
            }
            if line.trim() == delimiter {
                return;
            }
            line.clear();
        }
    }
}

/// Where the program's name is, behind assignments and commands that run others.
fn program_at(words: &[Word]) -> Option<usize> {
    static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[A-Za-z_][A-Za-z0-9_]*\+?="));
    static VARIABLE: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^\$\{?_?SWAMP(_?(BIN|CMD|CLI|EXE|PATH))?(:?-[^}]*)?\}?$"));
    const RUNNERS: &[&str] = &[
        "if", "then", "else", "elif", "do", "while", "until", "!", "{", "time", "sudo", "env", "exec",
        "command", "nohup", "$", "%", ">", "-", "@", "eval", "nice", "xargs", "timeout", "try", "run",
    ];
    let mut after_runner = false;
    for (at, word) in words.iter().enumerate() {
        let text = word.text.as_str();
        let name = text.rsplit('/').next().unwrap_or(text);
        if name == "swamp" || VARIABLE.is_match(text) {
            return Some(at);
        }
        let is_runner = RUNNERS.contains(&text);
        let is_option = after_runner
            && (text.starts_with('-') || text.chars().next().is_some_and(|c| c.is_ascii_digit()));
        if !is_runner && !is_option && !ASSIGNMENT.is_match(text) {
            return None;
        }
        after_runner |= is_runner;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::command_lines;

    fn lines(text: &str) -> Vec<String> {
        let joined = |line: &super::CommandLine| {
            line.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
        };
        command_lines(text).iter().map(joined).collect()
    }

    #[test]
    fn commands_behind_operators_assignments_and_runners_are_found() {
        let text = "cd x && A=b sudo swamp model search; if ! /usr/bin/swamp version; then echo swamp no; fi\n\
                    timeout 30 swamp data list m | jq . > out # swamp not\n\"$SWAMP_BIN\" help\nswamped x";
        assert_eq!(lines(text), ["model search", "version", "data list m", "help"]);
    }

    #[test]
    fn words_keep_quotes_variables_and_continuation() {
        let text = "swamp vault put main \"a b=$X\" \\\n  --label 'k=v' 2>/dev/null < in\nswamp get ${A:-x} $(swamp version --json)";
        assert_eq!(lines(text), ["vault put main a b=$X --label k=v", "version --json", "get ${A:-x} $(…)"]);
    }

    #[test]
    fn placeholders_are_words_and_heredocs_are_not_commands() {
        let text = "swamp model create <type> <my name> --x {{ y }}\ncat <<EOF\nswamp nothing\nEOF\nbash -c \"swamp version\"";
        assert_eq!(lines(text), ["model create <type> <my name> --x {{ y }}", "version"]);
    }

    #[test]
    fn open_words_are_those_that_a_reader_or_a_shell_fills_in() {
        let found = command_lines("swamp run $X \"${A[@]}\" <name> plain 'k=$x.y' ...");
        let open: Vec<(bool, bool)> =
            found[0].words.iter().map(|word| (word.is_open(), word.is_many())).collect();
        assert_eq!(
            open,
            [
                (false, false),
                (true, true),
                (true, true),
                (true, false),
                (false, false),
                (true, false),
                (true, true)
            ]
        );
    }
}
