//! A YAML document as a tree in which every value has its line and column.
//!
//! Typed deserialization stops at the first error, and has no position for a value that is valid YAML but wrong. A reader of
//! this tree reports all errors at once, each with its position.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::YamlError;

/// A position in a file, counted from 1. Zero means unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct At {
    /// The line.
    pub line: u64,
    /// The column.
    pub column: u64,
}

/// A value with its position.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where the value begins.
    pub at: At,
    /// The value.
    pub kind: NodeKind,
}

/// The value of a [`Node`].
#[derive(Debug, Clone)]
pub enum NodeKind {
    /// A text, number, boolean or null.
    Scalar(Value),
    /// A list.
    Sequence(Vec<Node>),
    /// A map, in the order of the file.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping, with its position.
#[derive(Debug, Clone)]
pub struct Key {
    /// Where the key begins.
    pub at: At,
    /// The key's text.
    pub name: String,
}

impl Node {
    /// Reads one document.
    ///
    /// # Errors
    /// The text is not YAML.
    pub fn parse(text: &str) -> Result<Node, YamlError> {
        super::from_str(text)
    }

    /// Whether the value is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Scalar(Value::Null))
    }

    /// The value without positions.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::Sequence(items) => items.iter().map(Node::to_json).collect(),
            NodeKind::Mapping(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value at a JSON pointer (RFC 6901), if there is one.
    pub fn find(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, step| {
            let step = step.replace("~1", "/").replace("~0", "~");
            match &node.kind {
                NodeKind::Scalar(_) => None,
                NodeKind::Sequence(items) => items.get(step.parse::<usize>().ok()?),
                NodeKind::Mapping(entries) => {
                    entries.iter().find(|(key, _)| key.name == step).map(|(_, node)| node)
                }
            }
        })
    }

    /// The type of the value in words, for "expected …, found …".
    pub fn word(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(Value::Null) => "nothing",
            NodeKind::Scalar(Value::Bool(_)) => "a boolean",
            NodeKind::Scalar(Value::Number(_)) => "a number",
            NodeKind::Scalar(_) => "text",
            NodeKind::Sequence(_) => "a list",
            NodeKind::Mapping(_) => "a map",
        }
    }
}

fn at(spanned: &Spanned<impl Sized>) -> At {
    At { line: spanned.referenced.line(), column: spanned.referenced.column() }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<NodeKind>::deserialize(deserializer)?;
        Ok(Node { at: at(&spanned), kind: spanned.value })
    }
}

impl<'de> Deserialize<'de> for NodeKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

fn scalar<E>(value: impl Into<Value>) -> Result<NodeKind, E> {
    Ok(NodeKind::Scalar(value.into()))
}

impl<'de> Visitor<'de> for KindVisitor {
    type Value = NodeKind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<NodeKind, E> {
        scalar(value)
    }

    fn visit_i64<E>(self, value: i64) -> Result<NodeKind, E> {
        scalar(value)
    }

    fn visit_u64<E>(self, value: u64) -> Result<NodeKind, E> {
        scalar(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<NodeKind, E> {
        match Number::from_f64(value) {
            Some(number) => scalar(number),
            None => Err(E::custom("expected a finite number")),
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<NodeKind, E> {
        scalar(value)
    }

    fn visit_unit<E>(self) -> Result<NodeKind, E> {
        scalar(Value::Null)
    }

    fn visit_none<E>(self) -> Result<NodeKind, E> {
        scalar(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<NodeKind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element::<Node>()? {
            items.push(item);
        }
        Ok(NodeKind::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NodeKind, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let key = Key { at: at(&key), name: key.value };
            entries.push((key, map.next_value::<Node>()?));
        }
        Ok(NodeKind::Mapping(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::{Node, NodeKind};
    use serde_json::json;

    #[test]
    fn parsed_node_has_line_and_column() {
        let node = Node::parse("a: 1\nb:\n  - c: text\n    d: [1.5, true, null]\n").unwrap();
        assert_eq!(node.to_json(), json!({"a": 1, "b": [{"c": "text", "d": [1.5, true, null]}]}));
        let NodeKind::Mapping(entries) = &node.kind else { panic!() };
        let (key, list) = &entries[1];
        assert_eq!((key.at.line, key.at.column), (2, 1));
        let NodeKind::Sequence(items) = &list.kind else { panic!() };
        let NodeKind::Mapping(inner) = &items[0].kind else { panic!() };
        assert_eq!((inner[0].1.at.line, inner[0].1.at.column), (3, 8));
        assert_eq!((inner[1].0.at.line, inner[1].0.at.column), (4, 5));
    }

    #[test]
    fn find_with_a_json_pointer_returns_the_node() {
        let node = Node::parse("a/b:\n  - x: 1\n  - y~: here\n").unwrap();
        let found = node.find("/a~1b/1/y~0").unwrap();
        assert_eq!((found.to_json(), found.at.line, found.at.column), (json!("here"), 3, 9));
        assert!(node.find("/a~1b/2").is_none() && node.find("/a").is_none());
        assert_eq!(node.find("").unwrap().at.line, 1);
    }

    #[test]
    fn parse_of_invalid_yaml_fails_with_a_line() {
        let error = Node::parse("a: [1\nb: 2\n").unwrap_err();
        assert!(error.line.is_some(), "{error:?}");
    }
}
