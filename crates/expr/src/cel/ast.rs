//! The tree of an expression: nodes in one list, so that dropping it does not recurse.

use std::ops::Range;
use std::sync::Arc;

use crate::value::Value;

pub(crate) type Id = u32;

/// How deep a tree may be. Operators of a chain count once.
pub(crate) const MAX_DEPTH: u16 = 100;
/// How many nodes a tree may have.
pub(crate) const MAX_NODES: usize = 20_000;
/// How long an expression may be, in bytes.
pub(crate) const MAX_TEXT: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Node {
    pub op: Op,
    /// What an error about it points at.
    pub span: Range<usize>,
    pub depth: u16,
}

#[derive(Debug)]
pub(crate) enum Op {
    Literal(Value),
    Name(Arc<str>),
    /// An unquoted argument of `vault.get`: a variable of a macro, or else text.
    Word(Arc<str>),
    Field {
        object: Id,
        name: Arc<str>,
        optional: bool,
    },
    Index {
        object: Id,
        index: Id,
        optional: bool,
    },
    Call {
        name: Arc<str>,
        arguments: Vec<Id>,
    },
    Method {
        receiver: Id,
        name: Arc<str>,
        arguments: Vec<Id>,
    },
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
    Unary(Unary, Id),
    Binary(Binary, Id, Id),
    Ternary {
        condition: Id,
        yes: Id,
        no: Id,
    },
    Has(Id),
    Each {
        each: Each,
        range: Id,
        variable: Arc<str>,
        condition: Option<Id>,
        result: Option<Id>,
    },
    Bind {
        variable: Arc<str>,
        value: Id,
        result: Id,
    },
    /// `a.or(b)`; `a.orValue(b)` if `unwrap`.
    Or {
        receiver: Id,
        other: Id,
        unwrap: bool,
    },
}

impl Op {
    /// Nodes directly below, in the order in which they are written.
    pub fn children(&self) -> Vec<Id> {
        match self {
            Op::Literal(_) | Op::Name(_) | Op::Word(_) => Vec::new(),
            Op::Field { object, .. } => vec![*object],
            Op::Index { object, index, .. } => vec![*object, *index],
            Op::Call { arguments, .. } => arguments.clone(),
            Op::Method { receiver, arguments, .. } => {
                std::iter::once(*receiver).chain(arguments.iter().copied()).collect()
            }
            Op::List(items) => items.clone(),
            Op::Map(entries) => entries.iter().flat_map(|(key, value)| [*key, *value]).collect(),
            Op::Unary(_, operand) | Op::Has(operand) => vec![*operand],
            Op::Binary(_, left, right) => vec![*left, *right],
            Op::Ternary { condition, yes, no } => vec![*condition, *yes, *no],
            Op::Each { range, condition, result, .. } => {
                std::iter::once(*range).chain(*condition).chain(*result).collect()
            }
            Op::Bind { value, result, .. } => vec![*value, *result],
            Op::Or { receiver, other, .. } => vec![*receiver, *other],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unary {
    Not,
    Minus,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    pub fn symbol(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::In => "in",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
        }
    }

    /// Higher binds closer.
    pub fn precedence(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Equal | Binary::NotEqual => 3,
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual | Binary::In => 4,
            Binary::Add | Binary::Subtract => 5,
            Binary::Multiply | Binary::Divide | Binary::Remainder => 6,
        }
    }
}

/// The macros over the elements of a list or the keys of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Each {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

impl Each {
    pub fn name(self) -> &'static str {
        match self {
            Each::All => "all",
            Each::Exists => "exists",
            Each::ExistsOne => "exists_one",
            Each::Filter => "filter",
            Each::Map => "map",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Tree {
    pub text: Arc<str>,
    pub nodes: Vec<Node>,
    pub root: Id,
}

impl Tree {
    pub fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub fn op(&self, id: Id) -> &Op {
        &self.node(id).op
    }

    /// The text that a node was read from, for messages.
    pub fn source(&self, id: Id) -> &str {
        self.text.get(self.node(id).span.clone()).unwrap_or_default()
    }

    /// The chain of binary operators that ends at `id`, outermost first, and the operand at its beginning.
    pub fn spine(&self, id: Id) -> (Vec<Id>, Id) {
        let mut chain = Vec::new();
        let mut first = id;
        while let Op::Binary(_, left, _) = self.op(first) {
            chain.push(first);
            first = *left;
        }
        (chain, first)
    }

    pub fn children(&self, id: Id) -> Vec<Id> {
        self.op(id).children()
    }
}
