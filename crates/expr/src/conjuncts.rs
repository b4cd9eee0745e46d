//! Conjuncts of a predicate, which a database can test.
//!
//! `a && b` is true only if both are, so a row that fails one conjunct fails the predicate. The remaining rows must still be
//! evaluated, unless the database tested every conjunct.

use serde_json::Value as Json;

use crate::cel::ast::{Binary, Id, Op, Tree, Unary};
use crate::program::Program;

/// One side of the `&&` at the top of a predicate.
#[derive(Debug, Clone, PartialEq)]
pub struct Conjunct {
    /// Its text.
    pub text: String,
    /// The comparison of a field with a literal, if it is one.
    pub test: Option<Test>,
}

/// `path operator literal`.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// `["tags", "team"]` of `tags.team` and of `tags["team"]`.
    pub path: Vec<String>,
    /// The operator.
    pub comparison: Comparison,
    /// A list, for [`Comparison::In`].
    pub literal: Json,
}

/// The operator of a [`Test`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `startsWith`
    StartsWith,
}

impl Program {
    /// The conjuncts, in order; one if there is no `&&` at the top.
    pub fn conjuncts(&self) -> Vec<Conjunct> {
        let tree = self.tree();
        let mut found = Vec::new();
        let mut pending = vec![tree.root];
        while let Some(id) = pending.pop() {
            match tree.op(id) {
                Op::Binary(Binary::And, left, right) => pending.extend([*right, *left]),
                _ => found.push(Conjunct { text: tree.source(id).to_owned(), test: test(tree, id) }),
            }
        }
        found
    }
}

fn test(tree: &Tree, id: Id) -> Option<Test> {
    let bare = |id: Id, truth: bool| {
        Some(Test { path: path(tree, id)?, comparison: Comparison::Equal, literal: Json::from(truth) })
    };
    match tree.op(id) {
        Op::Name(_) | Op::Field { .. } => bare(id, true),
        Op::Unary(Unary::Not, operand) => bare(*operand, false),
        Op::Method { receiver, name, arguments } if **name == *"startsWith" => {
            let [prefix] = arguments.as_slice() else { return None };
            let literal = literal(tree, *prefix).filter(Json::is_string)?;
            Some(Test { path: path(tree, *receiver)?, comparison: Comparison::StartsWith, literal })
        }
        Op::Binary(Binary::In, field, list) => {
            let Op::List(items) = tree.op(*list) else { return None };
            let items: Option<Vec<Json>> = items.iter().map(|item| literal(tree, *item)).collect();
            let literal = Json::Array(items?);
            Some(Test { path: path(tree, *field)?, comparison: Comparison::In, literal })
        }
        Op::Binary(operator, left, right) => {
            let comparison = comparison(*operator)?;
            if let (Some(path), Some(literal)) = (path(tree, *left), literal(tree, *right)) {
                return Some(Test { path, comparison, literal });
            }
            let (path, literal) = (path(tree, *right)?, literal(tree, *left)?);
            Some(Test { path, comparison: flipped(comparison), literal })
        }
        _ => None,
    }
}

fn comparison(operator: Binary) -> Option<Comparison> {
    Some(match operator {
        Binary::Equal => Comparison::Equal,
        Binary::NotEqual => Comparison::NotEqual,
        Binary::Less => Comparison::Less,
        Binary::LessOrEqual => Comparison::LessOrEqual,
        Binary::Greater => Comparison::Greater,
        Binary::GreaterOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

fn flipped(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
        other => other,
    }
}

fn path(tree: &Tree, id: Id) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut at = id;
    loop {
        match tree.op(at) {
            Op::Field { object, name, optional: false } => {
                keys.push(name.to_string());
                at = *object;
            }
            Op::Index { object, index, optional: false } => {
                keys.push(literal(tree, *index)?.as_str()?.to_owned());
                at = *object;
            }
            Op::Name(name) => {
                keys.push(name.to_string());
                keys.reverse();
                return Some(keys);
            }
            _ => return None,
        }
    }
}

fn literal(tree: &Tree, id: Id) -> Option<Json> {
    match tree.op(id) {
        Op::Literal(value) => value.to_json().ok().filter(|json| !json.is_object()),
        Op::Unary(Unary::Minus, operand) => {
            let json = literal(tree, *operand)?;
            match json.as_i64() {
                Some(number) => number.checked_neg().map(Json::from),
                None => json.as_f64().map(|number| Json::from(-number)),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::Program;

    fn described(predicate: &str) -> String {
        let program = Program::parse(predicate).unwrap();
        let conjuncts = program.conjuncts().into_iter().map(|conjunct| match conjunct.test {
            Some(test) => format!("{} {:?} {}", test.path.join("."), test.comparison, test.literal),
            None => format!("<{}>", conjunct.text),
        });
        conjuncts.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn tests_of_fields_are_found_and_the_rest_is_kept_as_text() {
        for (predicate, expected) in [
            ("modelName == \"a\"", "modelName Equal \"a\""),
            ("modelName == 'a' && version > 3", "modelName Equal \"a\"; version Greater 3"),
            (
                "3 < version && isLatest && !streaming",
                "version Greater 3; isLatest Equal true; streaming Equal false",
            ),
            (
                "tags[\"team\"] == 'x' && tags.env in ['a', 'b']",
                "tags.team Equal \"x\"; tags.env In [\"a\",\"b\"]",
            ),
            ("name.startsWith('log-')", "name StartsWith \"log-\""),
            ("version >= -1.5", "version GreaterOrEqual -1.5"),
            ("a == 1 || b == 2", "<a == 1 || b == 2>"),
            ("a && (b || c) && size(d) == 2", "a Equal true; <b || c>; <size(d) == 2>"),
            ("attributes.n + 1 == 4", "<attributes.n + 1 == 4>"),
            ("a == b", "<a == b>"),
        ] {
            assert_eq!(described(predicate), expected, "{predicate}");
        }
    }
}
