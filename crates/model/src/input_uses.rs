//! Which inputs the expressions of a definition use. A definition that uses an input need not declare it.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// The inputs that expressions name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InputUses {
    names: BTreeSet<String>,
    /// An expression uses `inputs` as a whole, or a key that it computes.
    any: bool,
}

impl InputUses {
    /// The uses in all expressions of these values.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v Map<String, Value>>) -> InputUses {
        let mut uses = InputUses::default();
        for value in values.into_iter().flat_map(Map::values) {
            for (_, expression) in marsh_expr::expressions(value) {
                uses.add(&expression);
            }
        }
        uses
    }

    /// Whether an expression uses the input.
    pub fn contains(&self, name: &str) -> bool {
        self.any || self.names.contains(name)
    }

    /// Whether an expression names the input itself.
    pub fn names(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    fn add(&mut self, expression: &str) {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        for (at, word) in expression.match_indices("inputs") {
            let (before, after) = (&expression[..at], &expression[at + word.len()..]);
            // `inputs` of something else, or a part of a longer name.
            if before.ends_with(|before: char| is_word(before) || before == '.') || after.starts_with(is_word)
            {
                continue;
            }
            match accessor(after.trim_start()) {
                Some(name) => {
                    self.names.insert(name.to_owned());
                }
                None => self.any = true,
            }
        }
    }
}

/// The name in `.name`, `?.name`, `.?name`, `["name"]` or `[?"name"]`.
fn accessor(text: &str) -> Option<&str> {
    let rest = text.strip_prefix('?').unwrap_or(text);
    if let Some(rest) = rest.strip_prefix('.') {
        let rest = rest.strip_prefix('?').unwrap_or(rest).trim_start();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        return (end > 0).then_some(&rest[..end]);
    }
    let rest = rest.strip_prefix('[')?;
    let rest = rest.strip_prefix('?').unwrap_or(rest).trim_start();
    let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (name, after) = rest[1..].split_once(quote)?;
    (after.trim_start().starts_with(']') && !name.contains('\\')).then_some(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::InputUses;

    fn uses(expression: &str) -> InputUses {
        let values = json!({"a": [{"b": format!("text ${{{{ {expression} }}}}")}]});
        InputUses::of([values.as_object().unwrap()])
    }

    #[test]
    fn names_of_every_form_of_access_are_found() {
        let all = "inputs.a + inputs[\"b-c\"] + inputs['d'] + inputs.?e + inputs?.f + inputs [ \"g\" ]";
        let found = uses(all);
        for name in ["a", "b-c", "d", "e", "f", "g"] {
            assert!(found.names(name), "{name}");
        }
        assert!(!found.contains("h"));
    }

    #[test]
    fn longer_names_are_other_names() {
        let found = uses("inputs.name2 + self.inputs.x + my_inputs.y + inputs2.z");
        assert!(found.contains("name2"));
        for name in ["name", "x", "y", "z"] {
            assert!(!found.contains(name), "{name}");
        }
    }

    #[test]
    fn computed_key_uses_every_input_and_names_none() {
        for expression in ["inputs[self.name]", "size(inputs)", "inputs[\"a\" + \"b\"]"] {
            let found = uses(expression);
            assert!(found.contains("x") && !found.names("x"), "{expression}");
        }
    }
}
