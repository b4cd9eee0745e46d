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
    let element = |value: &String| Part::new("element", value.as_str());
    let join = |pattern: &str, before: Vec<Part>, after: Vec<Part>| -> Vec<Part> {
        let mut sides = [before, after];
        let mut parts = Vec::new();
        for piece in placeholders(pattern) {
            match piece {
                Ok(number @ 0..=1) => parts.append(&mut sides[number]),
                Ok(_) => {}
                Err(literal) => parts.push(Part::literal(literal)),
            }
        }
        parts
    };
    let pattern = |name: &str, next: &str| -> String {
        let found = text(&patterns[name]);
        turned(language(&options.locale), found, next).unwrap_or_else(|| found.to_owned())
    };
    Ok(match elements {
        [] => Vec::new(),
        [one] => vec![element(one)],
        [one, other] => join(&pattern("2", other), vec![element(one)], vec![element(other)]),
        [first, middle @ .., last] => {
            let mut parts = vec![element(first)];
            for (at, value) in middle.iter().enumerate() {
                let name = if at == 0 { "start" } else { "middle" };
                parts = join(&pattern(name, value), parts, vec![element(value)]);
            }
            join(&pattern("end", last), parts, vec![element(last)])
        }
    })
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
