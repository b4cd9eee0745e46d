//! Types as far as they are known before anything is evaluated. What comes from the context is [`Type::Dyn`].

use std::fmt;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Type {
    Dyn,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Null,
    OfTypes,
    Timestamp,
    Duration,
    List(Arc<Type>),
    Map(Arc<Type>, Arc<Type>),
    Optional(Arc<Type>),
    /// What an empty list or map holds; in signatures, any type, but the same wherever it stands.
    Any,
    /// `optional`, `cel`.
    Namespace(&'static str),
}

/// Types nest no deeper; what is below is dyn. `cel.bind` could double a type at every step.
const MAX_DEPTH: u8 = 6;

impl Type {
    pub fn list(of: Type) -> Type {
        Type::List(Arc::new(of.cut(MAX_DEPTH)))
    }

    pub fn map(key: Type, value: Type) -> Type {
        Type::Map(Arc::new(key.cut(MAX_DEPTH)), Arc::new(value.cut(MAX_DEPTH)))
    }

    pub fn optional(of: Type) -> Type {
        Type::Optional(Arc::new(of.cut(MAX_DEPTH)))
    }

    fn cut(self, depth: u8) -> Type {
        if self.fits(depth) { self } else { Type::Dyn }
    }

    fn fits(&self, depth: u8) -> bool {
        match self {
            Type::List(of) | Type::Optional(of) => depth > 1 && of.fits(depth - 1),
            Type::Map(key, value) => depth > 1 && key.fits(depth - 1) && value.fits(depth - 1),
            _ => true,
        }
    }

    pub fn is_dyn(&self) -> bool {
        *self == Type::Dyn
    }

    pub fn may_be_bool(&self) -> bool {
        matches!(self, Type::Dyn | Type::Bool)
    }

    fn holds(&self, test: fn(&Type) -> bool) -> bool {
        test(self)
            || match self {
                Type::List(of) | Type::Optional(of) => of.holds(test),
                Type::Map(key, value) => key.holds(test) || value.holds(test),
                _ => false,
            }
    }

    fn is_open(&self) -> bool {
        self.holds(|of| matches!(of, Type::Dyn | Type::Any))
    }

    /// Whether a value of this type can be where `wanted` is asked for.
    pub fn matches(&self, wanted: &Type) -> bool {
        match (self, wanted) {
            (Type::Dyn | Type::Any, _) | (_, Type::Dyn | Type::Any) => true,
            (Type::List(a), Type::List(b)) | (Type::Optional(a), Type::Optional(b)) => a.matches(b),
            (Type::Map(k, v), Type::Map(l, w)) => k.matches(l) && v.matches(w),
            (a, b) => a == b,
        }
    }

    /// Whether two operands can be of one type.
    pub fn same_as(&self, other: &Type) -> bool {
        self.matches(other) && other.matches(self)
    }

    /// The type of either, if there is one that says it.
    pub fn unify(&self, other: &Type) -> Option<Type> {
        if self == other || self.is_dyn() || *other == Type::Any {
            return Some(self.clone());
        }
        if other.is_dyn() || *self == Type::Any {
            return Some(other.clone());
        }
        if !(self.is_open() || other.is_open()) {
            return None;
        }
        match (self, other) {
            (Type::List(a), Type::List(b)) => a.unify(b).map(Type::list),
            (Type::Optional(a), Type::Optional(b)) => a.unify(b).map(Type::optional),
            (Type::Map(k, v), Type::Map(l, w)) => Some(Type::map(k.unify(l)?, v.unify(w)?)),
            _ => None,
        }
    }

    /// As signatures write it.
    pub fn parse(text: &str) -> Option<Type> {
        let text = text.trim();
        Some(match text {
            "dyn" => Type::Dyn,
            "bool" => Type::Bool,
            "int" => Type::Int,
            "uint" => Type::Uint,
            "double" => Type::Double,
            "string" => Type::String,
            "bytes" => Type::Bytes,
            "null" => Type::Null,
            "type" => Type::OfTypes,
            "timestamp" => Type::Timestamp,
            "duration" => Type::Duration,
            "list" => Type::list(Type::Dyn),
            "list<string>" => Type::list(Type::String),
            "map" => Type::map(Type::Dyn, Type::Dyn),
            "optional" => Type::optional(Type::Dyn),
            _ => return None,
        })
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dyn | Type::Any => f.write_str("dyn"),
            Type::Bool => f.write_str("bool"),
            Type::Int => f.write_str("int"),
            Type::Uint => f.write_str("uint"),
            Type::Double => f.write_str("double"),
            Type::String => f.write_str("string"),
            Type::Bytes => f.write_str("bytes"),
            Type::Null => f.write_str("null"),
            Type::OfTypes => f.write_str("type"),
            Type::Timestamp => f.write_str("timestamp"),
            Type::Duration => f.write_str("duration"),
            Type::List(of) if of.is_dyn() => f.write_str("list"),
            Type::List(of) => write!(f, "list<{of}>"),
            Type::Map(key, value) if key.is_dyn() && value.is_dyn() => f.write_str("map"),
            Type::Map(key, value) => write!(f, "map<{key}, {value}>"),
            Type::Optional(of) => write!(f, "optional<{of}>"),
            Type::Namespace(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Type;

    #[test]
    fn the_type_of_either() {
        let list = Type::list;
        for (a, b, expected) in [
            (Type::Int, Type::Int, Some(Type::Int)),
            (Type::Int, Type::Double, None),
            (Type::Null, Type::Int, None),
            (Type::Dyn, Type::Int, Some(Type::Dyn)),
            (list(Type::Any), list(Type::Int), Some(list(Type::Int))),
            (list(Type::Dyn), list(Type::Int), Some(list(Type::Dyn))),
            (list(Type::Int), list(Type::String), None),
        ] {
            assert_eq!(a.unify(&b), expected, "{a} {b}");
        }
    }

    #[test]
    fn types_stay_bounded() {
        let mut of = Type::Int;
        for _ in 0..100 {
            of = Type::map(of.clone(), of);
        }
        assert!(of.to_string().len() < 2_000);
    }
}
