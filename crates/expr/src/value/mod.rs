//! The values of expressions.
//!
//! A value knows whether it is secret, and a container whether it holds a secret; both answers take one step. Containers know
//! their depth, and none nests deeper than [`MAX_DEPTH`], so code that walks values can recurse. Cloning is cheap.

mod json;
mod lazy;
mod render;
mod span_of_time;

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

pub(crate) use json::write_double;
pub use lazy::Lookup;
pub use render::to_text;
pub(crate) use span_of_time::{Duration, Timestamp};

use crate::lookup_error::LookupError;
use crate::too_deep::{MAX_DEPTH, TooDeep};

/// A value of the expression language.
#[derive(Clone)]
pub struct Value {
    pub(crate) kind: Kind,
    /// Whether the value itself depends on a secret.
    pub(crate) secret: bool,
}

#[derive(Clone)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    /// A whole number of the context that a double cannot hold: it computes as a double, and keeps its digits when it is
    /// only passed on.
    Large(serde_json::Number),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Arc<List>),
    Map(Arc<Map>),
    /// A map whose entries are looked up when they are asked for.
    Lazy(Arc<dyn Lookup>),
    Timestamp(Timestamp),
    Duration(Duration),
    Type(&'static str),
    Optional(Option<Arc<Value>>),
}

pub(crate) struct List {
    pub items: Vec<Value>,
    depth: u16,
    holds_secret: bool,
}

pub(crate) struct Map {
    pub entries: IndexMap<Arc<str>, Value>,
    depth: u16,
    holds_secret: bool,
}

impl Value {
    /// The value null.
    pub const NULL: Value = Value { kind: Kind::Null, secret: false };

    pub(crate) const fn new(kind: Kind) -> Value {
        Value { kind, secret: false }
    }

    /// A list.
    ///
    /// # Errors
    ///
    /// An item nests too deeply.
    pub fn list(items: impl IntoIterator<Item = Value>) -> Result<Value, TooDeep> {
        let items: Vec<Value> = items.into_iter().collect();
        let depth = depth_over(items.iter())?;
        let holds_secret = items.iter().any(Value::has_secret);
        Ok(Value::new(Kind::List(Arc::new(List { items, depth, holds_secret }))))
    }

    /// A map.
    ///
    /// # Errors
    ///
    /// A value nests too deeply.
    pub fn map<K: Into<Arc<str>>>(entries: impl IntoIterator<Item = (K, Value)>) -> Result<Value, TooDeep> {
        let entries: IndexMap<Arc<str>, Value> =
            entries.into_iter().map(|(key, value)| (key.into(), value)).collect();
        let depth = depth_over(entries.values())?;
        let holds_secret = entries.values().any(Value::has_secret);
        Ok(Value::new(Kind::Map(Arc::new(Map { entries, depth, holds_secret }))))
    }

    /// A map whose entries are looked up when they are asked for.
    pub fn lazy(lookup: Arc<dyn Lookup>) -> Value {
        Value::new(Kind::Lazy(lookup))
    }

    /// The same value, secret.
    #[must_use]
    pub fn into_secret(mut self) -> Value {
        self.secret = true;
        self
    }

    /// Secret if it was, or if `also`.
    #[must_use]
    pub(crate) fn tainted(mut self, also: bool) -> Value {
        self.secret |= also;
        self
    }

    /// Whether the value itself is secret. What is in a secret container is secret too.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether the value or anything in it is secret. What is not looked up yet counts as public.
    pub fn has_secret(&self) -> bool {
        self.secret
            || match &self.kind {
                Kind::List(list) => list.holds_secret,
                Kind::Map(map) => map.holds_secret,
                Kind::Optional(Some(value)) => value.has_secret(),
                _ => false,
            }
    }

    pub(crate) fn depth(&self) -> u16 {
        match &self.kind {
            Kind::List(list) => list.depth,
            Kind::Map(map) => map.depth,
            Kind::Optional(Some(value)) => value.depth(),
            _ => 0,
        }
    }

    pub(crate) fn optional(value: Option<Value>) -> Result<Value, TooDeep> {
        // An optional is a level of its own, or a chain of them could be as deep as it likes.
        if value.as_ref().is_some_and(|value| value.depth() >= MAX_DEPTH) {
            return Err(TooDeep);
        }
        Ok(Value::new(Kind::Optional(value.map(Arc::new))))
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.kind {
            Kind::Bool(truth) => Some(truth),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::String(text) => Some(text),
            _ => None,
        }
    }

    /// The elements, if it is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match &self.kind {
            Kind::List(list) => Some(&list.items),
            _ => None,
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The number as a double. `None` for other values.
    pub fn as_f64(&self) -> Option<f64> {
        match &self.kind {
            Kind::Int(number) => Some(*number as f64),
            Kind::Uint(number) => Some(*number as f64),
            Kind::Double(number) => Some(*number),
            Kind::Large(number) => number.as_f64(),
            _ => None,
        }
    }

    /// The number if it is whole: `3`, and `3.0` as contexts hold it.
    pub fn as_whole(&self) -> Option<i64> {
        match &self.kind {
            Kind::Int(number) => Some(*number),
            Kind::Uint(number) => i64::try_from(*number).ok(),
            Kind::Double(number) if number.fract() == 0.0 && number.abs() < 9.007_199_254_740_992e15 => {
                Some(*number as i64)
            }
            Kind::Large(number) => number.as_i64(),
            _ => None,
        }
    }

    /// The entry of a map, looked up if need be; `None` if it is missing, or if the value is not a map.
    pub fn get(&self, key: &str) -> Result<Option<Value>, LookupError> {
        let found = match &self.kind {
            Kind::Map(map) => map.entries.get(key).cloned(),
            Kind::Lazy(lookup) => lookup.get(key)?,
            _ => None,
        };
        Ok(found.map(|value| value.tainted(self.secret)))
    }

    /// The name of its type, as `type()` calls it.
    pub fn type_name(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Bool(_) => "bool",
            Kind::Int(_) => "int",
            Kind::Uint(_) => "uint",
            Kind::Double(_) | Kind::Large(_) => "double",
            Kind::String(_) => "string",
            Kind::Bytes(_) => "bytes",
            Kind::List(_) => "list",
            Kind::Map(_) | Kind::Lazy(_) => "map",
            Kind::Timestamp(_) => "google.protobuf.Timestamp",
            Kind::Duration(_) => "google.protobuf.Duration",
            Kind::Type(_) => "type",
            Kind::Optional(_) => "optional",
        }
    }

    /// How much memory its own level takes, about.
    pub(crate) fn size(&self) -> usize {
        let inside = match &self.kind {
            Kind::String(text) => text.len(),
            Kind::Bytes(bytes) => bytes.len(),
            Kind::List(list) => list.items.len() * size_of::<Value>(),
            Kind::Map(map) => map.entries.len() * (size_of::<Value>() + 32),
            _ => 0,
        };
        inside + size_of::<Value>()
    }
}

fn depth_over<'v>(inside: impl Iterator<Item = &'v Value>) -> Result<u16, TooDeep> {
    let depth = 1 + inside.map(Value::depth).max().unwrap_or(0);
    if depth > MAX_DEPTH { Err(TooDeep) } else { Ok(depth) }
}

/// Secrets do not show.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.secret {
            return f.write_str("(secret)");
        }
        // Parts that are shared would show again and again.
        if self.depth() > 12 {
            return write!(f, "({} levels)", self.depth());
        }
        match &self.kind {
            Kind::Null => f.write_str("null"),
            Kind::Bool(truth) => write!(f, "{truth}"),
            Kind::Int(number) => write!(f, "{number}"),
            Kind::Uint(number) => write!(f, "{number}u"),
            Kind::Double(number) => write!(f, "{number:?}"),
            Kind::Large(number) => write!(f, "{number}"),
            Kind::String(text) => write!(f, "{text:?}"),
            Kind::Bytes(bytes) => write!(f, "bytes({})", bytes.len()),
            Kind::List(list) => f.debug_list().entries(&list.items).finish(),
            Kind::Map(map) => f.debug_map().entries(&map.entries).finish(),
            Kind::Lazy(_) => f.write_str("{…}"),
            Kind::Timestamp(at) => write!(f, "timestamp({at})"),
            Kind::Duration(length) => write!(f, "duration({length})"),
            Kind::Type(name) => write!(f, "type({name})"),
            Kind::Optional(value) => write!(f, "optional({value:?})"),
        }
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Value {
        Value::new(Kind::Bool(truth))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::new(Kind::Int(number))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::new(Kind::Double(number))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::new(Kind::String(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::new(Kind::String(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::Value;

    #[test]
    fn secrets_are_known_at_any_depth_and_never_shown() {
        let secret = Value::from("hunter2").into_secret();
        let list = Value::list([Value::from("a"), secret]).unwrap();
        let map = Value::map([("k", list.clone())]).unwrap();
        assert!(map.has_secret() && !map.is_secret());
        assert_eq!(format!("{map:?}"), r#"{"k": ["a", (secret)]}"#);
        assert!(!Value::list([Value::from("a")]).unwrap().has_secret());
        let inner = map.clone().into_secret().get("k").unwrap().unwrap();
        assert!(inner.is_secret(), "what is in a secret is secret");
    }

    #[test]
    fn nesting_ends() {
        let mut value = Value::NULL;
        for _ in 0..super::MAX_DEPTH {
            value = Value::list([value]).unwrap();
        }
        assert!(Value::list([value.clone()]).is_err());
        assert!(Value::map([("k", value)]).is_err());
    }
}
