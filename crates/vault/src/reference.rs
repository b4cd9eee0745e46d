//! References to secrets in text: `vault.get('vault', 'key')` in expressions and in stored data.

use std::ops::Range;

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name of the vault.
    pub vault: String,
    /// The key of the secret.
    pub key: String,
}

impl Reference {
    /// A reference to this secret.
    pub fn new(vault: impl Into<String>, key: impl Into<String>) -> Reference {
        Reference { vault: vault.into(), key: key.into() }
    }

    /// The calls in an expression, with the byte range of each. Arguments are quoted by `'`, `"` or `` ` ``, or are bare
    /// words, as in expressions of existing repositories.
    pub fn calls(expression: &str) -> Vec<(Range<usize>, Reference)> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(next) = expression[at..].find("vault") {
            let start = at + next;
            at = start + "vault".len();
            let before = expression[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '.') {
                continue;
            }
            if let Some((end, reference)) = call(expression, at) {
                found.push((start..end, reference));
                at = end;
            }
        }
        found
    }
}

/// Parses `.get(v, k)`, which follows `vault`.
fn call(text: &str, at: usize) -> Option<(usize, Reference)> {
    let at = token(text, at, ".")?;
    let at = token(text, at, "get")?;
    let at = token(text, at, "(")?;
    let (vault, at) = argument(text, at)?;
    let at = token(text, at, ",")?;
    let (key, at) = argument(text, at)?;
    let end = token(text, at, ")")?;
    Some((end, Reference { vault, key }))
}

fn skip(text: &str, at: usize) -> usize {
    at + (text[at..].len() - text[at..].trim_start().len())
}

fn token(text: &str, at: usize, token: &str) -> Option<usize> {
    let at = skip(text, at);
    text[at..].starts_with(token).then_some(at + token.len())
}

fn argument(text: &str, at: usize) -> Option<(String, usize)> {
    let at = skip(text, at);
    let quote = text[at..].chars().next()?;
    if !matches!(quote, '\'' | '"' | '`') {
        let length = text[at..].find(|c: char| c == ',' || c == ')' || c.is_whitespace())?;
        return (length > 0).then(|| (text[at..at + length].to_owned(), at + length));
    }
    let mut value = String::new();
    let mut characters = text[at + 1..].char_indices();
    while let Some((offset, character)) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?.1),
            character if character == quote => return Some((value, at + 1 + offset + 1)),
            character => value.push(character),
        }
    }
    None
}

/// The reference to a secret that stored data hold in its place.
pub fn render(vault: &str, key: &str) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('\'', "\\'");
    format!("${{{{ vault.get('{}', '{}') }}}}", quoted(vault), quoted(key))
}

/// The secret to which a stored text refers: the whole text must have the form that [`render`] writes.
pub fn whole_reference(text: &str) -> Option<Reference> {
    let inner = text.strip_prefix("${{")?.strip_suffix("}}")?.trim();
    let mut calls = Reference::calls(inner);
    let (range, reference) = calls.pop()?;
    let single_quoted = inner.contains('\'') && !inner.contains(['"', '`']);
    (calls.is_empty() && range == (0..inner.len()) && single_quoted).then_some(reference)
}

#[cfg(test)]
mod tests {
    use super::{Reference, render, whole_reference};

    #[test]
    fn calls_are_found_in_expressions() {
        for (expression, expected) in [
            ("vault.get('main', 'a')", vec![("main", "a")]),
            ("vault.get(\"main\", `a b`)", vec![("main", "a b")]),
            ("vault . get( main , api-key )", vec![("main", "api-key")]),
            ("'x' + vault.get('a','b') + vault.get('c','d')", vec![("a", "b"), ("c", "d")]),
            ("vault.get('it\\'s', 'k')", vec![("it's", "k")]),
            ("my_vault.get('a', 'b')", vec![]),
            ("x.vault.get('a', 'b')", vec![]),
            ("vault.get('a'", vec![]),
            ("vault.put('a', 'b')", vec![]),
            ("vault.get('a', 'b", vec![]),
        ] {
            let found: Vec<Reference> =
                Reference::calls(expression).into_iter().map(|(_, found)| found).collect();
            let expected: Vec<Reference> = expected.iter().map(|(v, k)| Reference::new(*v, *k)).collect();
            assert_eq!(found, expected, "{expression}");
        }
    }

    #[test]
    fn the_range_of_a_call_is_exact() {
        let expression = "a + vault.get('v', 'k') + b";
        let (range, _) = Reference::calls(expression).remove(0);
        assert_eq!(&expression[range], "vault.get('v', 'k')");
    }

    #[test]
    fn only_rendered_references_are_read_back() {
        for (vault, key) in [("main", "acme-thing-1"), ("it's", "a\\b'c")] {
            assert_eq!(whole_reference(&render(vault, key)), Some(Reference::new(vault, key)));
        }
        assert_eq!(render("main", "k"), "${{ vault.get('main', 'k') }}");
        for text in [
            "",
            "vault.get('main', 'k')",
            "x ${{ vault.get('main', 'k') }}",
            "${{ vault.get('main', 'k') }} y",
            "${{ vault.get(\"main\", \"k\") }}",
            "${{ vault.get(main, k) }}",
            "${{ vault.get('a', 'b') + vault.get('c', 'd') }}",
            "${{ inputs.x }}",
        ] {
            assert_eq!(whole_reference(text), None, "{text}");
        }
    }
}
