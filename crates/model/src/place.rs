//! Where an expression of a definition stands in its file.
//!
//! A definition is read without places, as few of them ever matter; when an error needs one the file is read again. Should
//! it be another one by then, the expression is not found and the error does without a place.

use std::sync::Arc;

use marsh_expr::{ExprError, Place};
use marsh_types::yaml::{Node, NodeKind};
use serde_json::Value;

use crate::definition::Stored;

/// The text of a definition, with the places of its parts.
pub(crate) struct Written {
    /// As shown.
    file: String,
    document: Arc<str>,
    node: Node,
}

impl Written {
    pub fn of(stored: &Stored, file: String) -> Option<Written> {
        let document = std::fs::read_to_string(&stored.path).ok()?;
        let node = Node::parse(&document).ok()?;
        Some(Written { file, document: document.into(), node })
    }

    /// `file:line:column` of what is wrong in an expression, which is in the text that a JSON pointer leads to.
    pub fn place(&self, pointer: &str, expression: &str, error: &ExprError) -> Option<String> {
        let node = self.node.find(pointer)?;
        let NodeKind::Scalar(Value::String(text)) = &node.kind else { return None };
        if !text.contains(expression) {
            return None;
        }
        let start = |number: u64| usize::try_from(number).ok().filter(|number| *number > 0);
        let place = Place::new(self.file.clone(), start(node.at.line)?, start(node.at.column)?)
            .in_document(Arc::clone(&self.document));
        let (line, column) = place.position(expression, error.span().map_or(0, |span| span.start));
        Some(format!("{}:{line}:{column}", self.file))
    }
}
