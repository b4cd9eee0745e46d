//! Secrets in a command line: references to environment variables replace them, quoted for their position.

use marsh_vault::{Piece, Secrets};

/// A command line without secrets, and the environment variables to which it refers.
#[derive(Debug, PartialEq, Eq)]
pub struct Referred {
    /// The command line.
    pub run: String,
    /// Name and value of each variable.
    pub env: Vec<(String, String)>,
    /// Whether a reference is in a position where the shell does not expand it.
    pub unexpanded: bool,
}

/// Replaces sentinels by references. The shell does not split or interpret the value of a secret.
pub fn refer(command: &str, secrets: &Secrets) -> Referred {
    let mut referred =
        Referred { run: String::with_capacity(command.len()), env: Vec::new(), unexpanded: false };
    let mut reader = Reader::default();
    for piece in secrets.pieces(command) {
        match piece {
            Piece::Text(text) => {
                reader.read(text);
                referred.run.push_str(text);
            }
            Piece::Secret(secret) => {
                let value = secret.expose();
                let known =
                    referred.env.iter().find(|(_, other)| other == value).map(|(name, _)| name.clone());
                let name = known.unwrap_or_else(|| {
                    let name = format!("__SWAMP_VAULT_{}", referred.env.len());
                    referred.env.push((name.clone(), value.to_owned()));
                    name
                });
                reader.word();
                match reader.position() {
                    Position::Plain | Position::Substitution(_) => {
                        referred.run.push_str(&format!("\"${{{name}}}\""))
                    }
                    Position::Double | Position::Document { quoted: false, .. } => {
                        referred.run.push_str(&format!("${{{name}}}"));
                    }
                    Position::Single | Position::Comment | Position::Document { quoted: true, .. } => {
                        referred.unexpanded |= *reader.position() != Position::Comment;
                        referred.run.push_str(&format!("${{{name}}}"));
                    }
                }
            }
        }
    }
    referred
}

/// A position in a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Position {
    Plain,
    Single,
    Double,
    Comment,
    /// `$( … )`, with the parentheses that are open in it.
    Substitution(u32),
    Document {
        end: String,
        quoted: bool,
    },
}

/// Follows the quoting of a POSIX shell.
#[derive(Debug)]
struct Reader {
    places: Vec<Position>,
    escaped: bool,
    previous: char,
    /// The here-documents that begin with the next line.
    documents: Vec<Position>,
    /// The line of a here-document so far.
    line: String,
}

impl Default for Reader {
    fn default() -> Reader {
        Reader {
            places: vec![Position::Plain],
            escaped: false,
            previous: '\n',
            documents: Vec::new(),
            line: String::new(),
        }
    }
}

impl Reader {
    fn position(&self) -> &Position {
        self.places.last().unwrap_or(&Position::Plain)
    }

    /// A reference is here, which is not text of the command.
    fn word(&mut self) {
        self.escaped = false;
        self.previous = 'x';
        self.line.push('\0');
    }

    fn leave(&mut self) {
        if self.places.len() > 1 {
            self.places.pop();
        }
    }

    fn read(&mut self, text: &str) {
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let previous = std::mem::replace(&mut self.previous, character);
            if std::mem::take(&mut self.escaped) {
                continue;
            }
            match (self.position().clone(), character) {
                (Position::Document { end, .. }, '\n') => {
                    let line = std::mem::take(&mut self.line);
                    if line.trim_start_matches('\t') == end {
                        self.leave();
                        self.begin_document();
                    }
                }
                (Position::Document { .. }, _) => self.line.push(character),
                (Position::Comment, '\n') => {
                    self.leave();
                    self.begin_document();
                }
                (Position::Single, '\'') | (Position::Double, '"') => self.leave(),
                (Position::Single | Position::Comment, _) => {}
                (_, '\\') => self.escaped = true,
                (Position::Double, '(') if previous == '$' => self.places.push(Position::Substitution(0)),
                (Position::Double, _) => {}
                (_, '\'') => self.places.push(Position::Single),
                (_, '"') => self.places.push(Position::Double),
                (_, '#') if previous.is_whitespace() || matches!(previous, ';' | '&' | '|' | '(') => {
                    self.places.push(Position::Comment);
                }
                (_, '\n') => self.begin_document(),
                (_, '<') if previous == '<' => {
                    if let Some(document) = heading(rest.as_str()) {
                        self.documents.push(document);
                    }
                    // `<<<` is something else.
                    self.previous = ' ';
                }
                (_, '(') if previous == '$' => self.places.push(Position::Substitution(0)),
                (Position::Substitution(open), '(') => self.reopen(open + 1),
                (Position::Substitution(0), ')') => self.leave(),
                (Position::Substitution(open), ')') => self.reopen(open - 1),
                _ => {}
            }
        }
    }

    fn reopen(&mut self, open: u32) {
        if let Some(place) = self.places.last_mut() {
            *place = Position::Substitution(open);
        }
    }

    fn begin_document(&mut self) {
        if !self.documents.is_empty() {
            self.places.push(self.documents.remove(0));
            self.line.clear();
        }
    }
}

/// The here-document whose end is named after `<<`.
fn heading(rest: &str) -> Option<Position> {
    if rest.starts_with('<') {
        return None;
    }
    let word = rest.trim_start_matches('-').trim_start_matches([' ', '\t']);
    let length = word.find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | ')' | '<' | '>'));
    let word = &word[..length.unwrap_or(word.len())];
    let quoted = word.contains(['\'', '"', '\\']);
    let end: String = word.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
    (!end.is_empty()).then_some(Position::Document { end, quoted })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use marsh_vault::{Secret, Secrets};

    use super::{Referred, refer};

    const VALUE: &str = "it's a \"$HOME\" `x`\\ * value";

    fn referred(command: &str) -> Referred {
        let secrets = Secrets::new();
        refer(&command.replace('@', &secrets.hold(&Secret::new(VALUE))), &secrets)
    }

    #[test]
    fn references_are_quoted_for_their_position() {
        for (command, expected) in [
            ("echo @", "echo \"${V}\""),
            ("echo \"a @\"", "echo \"a ${V}\""),
            ("echo a@b", "echo a\"${V}\"b"),
            ("echo \"$(cat <(echo @) 'x')\" @", "echo \"$(cat <(echo \"${V}\") 'x')\" \"${V}\""),
            ("echo \\\"@", "echo \\\"\"${V}\""),
            ("# it's\necho @", "# it's\necho \"${V}\""),
            ("cat <<E\nit's @\nE\necho @", "cat <<E\nit's ${V}\nE\necho \"${V}\""),
        ] {
            let referred = referred(command);
            assert_eq!(referred.run, expected.replace('V', "__SWAMP_VAULT_0"), "{command}");
            assert!(!referred.unexpanded, "{command}");
            assert_eq!(referred.env, [("__SWAMP_VAULT_0".to_owned(), VALUE.to_owned())]);
        }
    }

    #[test]
    fn a_reference_that_the_shell_does_not_expand_is_reported() {
        for command in ["echo '@'", "cat <<'E'\n@\nE", "cat <<\\E\n@\nE"] {
            assert!(referred(command).unexpanded, "{command}");
        }
        assert_eq!(
            referred("echo plain"),
            Referred { run: "echo plain".into(), env: vec![], unexpanded: false }
        );
    }

    #[test]
    fn a_real_shell_prints_the_value_and_runs_none_of_it() {
        for command in [
            "printf %s @",
            "printf %s \"@\"",
            "printf %s \"$(printf %s @)\"",
            "x='a'; printf %s @",
            "# it's one\nprintf %s @",
            "cat <<E | tr -d '\\n'\n@\nE",
            "printf %s \"$(cat <<E\n@\nE\n)\"",
        ] {
            let referred = referred(command);
            let output = Command::new("sh").arg("-c").arg(&referred.run).envs(referred.env).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), VALUE, "{command}: {}", referred.run);
        }
    }
}
