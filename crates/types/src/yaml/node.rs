//! A YAML document as a tree whose every part knows its line and column.
//!
//! Typed deserialization stops at the first error and knows no place for what is valid YAML but wrong; reading the
//! tree ourselves reports everything at once, each with its place.

use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::YamlError;

/// A place in a file, counted from 1. Zero: unknown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct At {
    pub line: u64,
    pub column: u64,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    pub at: At,
    pub kind: NodeKind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone)]
pub enum NodeKind {
    Scalar(Value),
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping, with its place.
#[derive(Debug, Clone)]
pub struct Key {
    pub at: At,
    pub name: String,
}

impl Node {
    pub fn parse(text: &str) -> Result<Node, YamlError> {
        super::from_str(text)
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Scalar(Value::Null))
    }

    pub fn to_json(&self) -> Value {
        match &self.kind {
            NodeKind::Scalar(value) => value.clone(),
            NodeKind::Sequence(items) => items.iter().map(Node::to_json).collect(),
            NodeKind::Mapping(entries) => Value::Object(
                entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>(),
            ),
        }
    }

    /// The part that a JSON pointer leads to.
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

    /// What it is, for "expected …, found …".
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
            None => Err(E::custom("a number must be finite")),
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
    fn every_part_knows_its_place() {
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
    fn a_pointer_finds_a_part() {
        let node = Node::parse("a/b:\n  - x: 1\n  - y~: here\n").unwrap();
        let found = node.find("/a~1b/1/y~0").unwrap();
        assert_eq!((found.to_json(), found.at.line, found.at.column), (json!("here"), 3, 9));
        assert!(node.find("/a~1b/2").is_none() && node.find("/a").is_none());
        assert_eq!(node.find("").unwrap().at.line, 1);
    }

    #[test]
    fn text_that_is_no_yaml_has_a_place_too() {
        let error = Node::parse("a: [1\nb: 2\n").unwrap_err();
        assert!(error.line.is_some(), "{error:?}");
    }
}
