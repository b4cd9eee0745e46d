//! `Intl.ListFormat`: `a, b, and c`.

use serde::Deserialize;

use crate::data::{section, text};
use crate::error::Result;
use crate::locale::language;
use crate::part::{Part, placeholders};

/// What the constructor resolved.
#[derive(Clone, Debug, Deserialize)]
pub struct ListOptions {
    /// A locale that has data.
    pub locale: String,
    /// `conjunction`, `disjunction`, `unit`
    #[serde(rename = "type")]
    pub kind: String,
    /// `long`, `short`, `narrow`
    pub style: String,
}

/// The parts of a list.
pub fn list(options: &ListOptions, elements: &[String]) -> Result<Vec<Part>> {
    let lists = section(&options.locale, "lists")?;
    let kind = match options.kind.as_str() {
        "conjunction" => "standard",
        "disjunction" => "or",
        other => other,
    };
    let key = if options.style == "long" { kind.to_owned() } else { format!("{kind}-{}", options.style) };
    let patterns = &lists[key];
    let pattern = |name: &str, next: &str| -> String {
        let found = text(&patterns[name]);
        turned(language(&options.locale), found, next).unwrap_or_else(|| found.to_owned())
    };
    let mut joined = Joined::default();
    for (at, value) in elements.iter().enumerate() {
        let name = match (at, elements.len()) {
            (0, _) => {
                joined.parts.push(Part::new("element", value.as_str()));
                continue;
            }
            (1, 2) => "2",
            (1, _) => "start",
            (at, length) if at + 1 == length => "end",
            _ => "middle",
        };
        joined.add(&pattern(name, value), value);
    }
    Ok(joined.parts())
}

/// What was joined so far; a list of many elements takes time in proportion to them.
#[derive(Default)]
struct Joined {
    /// What stands before all of it, the last first.
    before: Vec<Part>,
    parts: Vec<Part>,
}

impl Joined {
    /// Puts what there is in the place of `{0}`, and the next element in the place of `{1}`.
    fn add(&mut self, pattern: &str, value: &str) {
        let mut there = false;
        for piece in placeholders(pattern) {
            match piece {
                Ok(0) => there = true,
                Ok(1) if there => self.parts.push(Part::new("element", value)),
                Ok(_) => self.before.push(Part::new("element", value)),
                Err(literal) if there => self.parts.push(Part::literal(literal)),
                Err(literal) => self.before.push(Part::literal(literal)),
            }
        }
    }

    fn parts(mut self) -> Vec<Part> {
        self.before.reverse();
        self.before.append(&mut self.parts);
        self.before
    }
}

/// Spanish says `e` before the sound of `i`, and `u` before that of `o`; Hebrew puts a dash before other scripts.
fn turned(language: &str, pattern: &str, next: &str) -> Option<String> {
    let next = next.to_lowercase();
    match language {
        "es" if pattern.contains(" y {1}") => {
            let like_i = next.starts_with('i')
                || (next.starts_with("hi") && !next.starts_with("hia") && !next.starts_with("hie"));
            like_i.then(|| pattern.replace(" y {1}", " e {1}"))
        }
        "es" if pattern.contains(" o {1}") => {
            let eleven =
                next.starts_with("11") && next[2..].bytes().take_while(u8::is_ascii_digit).count() % 3 == 0;
            let like_o = next.starts_with('o') || next.starts_with("ho") || next.starts_with('8') || eleven;
            like_o.then(|| pattern.replace(" o {1}", " u {1}"))
        }
        "he" if pattern.contains("ו{1}") => {
            let hebrew = next.chars().next().is_some_and(|one| ('\u{590}'..='\u{5ff}').contains(&one));
            (!hebrew).then(|| pattern.replace("ו{1}", "ו-{1}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(locale: &str, elements: &[&str]) -> String {
        let options = ListOptions {
            locale: locale.to_owned(),
            kind: "conjunction".to_owned(),
            style: "long".to_owned(),
        };
        let elements: Vec<String> = elements.iter().map(|one| (*one).to_owned()).collect();
        crate::part::text(&list(&options, &elements).unwrap())
    }

    #[test]
    fn the_last_element_has_a_word_before_it() {
        assert_eq!(joined("en", &["a"]), "a");
        assert_eq!(joined("en", &["a", "b"]), "a and b");
        assert_eq!(joined("en", &["a", "b", "c", "d"]), "a, b, c, and d");
        assert_eq!(joined("es", &["agua", "hielo"]), "agua y hielo");
        assert_eq!(joined("es", &["padre", "iglesia"]), "padre e iglesia");
    }

    /// A list that took time in proportion to its square would not end: a host operation is not interrupted.
    #[test]
    fn a_long_list_is_joined_in_one_go() {
        let many: Vec<&str> = std::iter::repeat_n("x", 300_000).collect();
        assert_eq!(joined("en", &many).len(), 300_000 + 2 * 299_998 + ", and ".len());
    }
}
