//! The location of an expression in the file of a definition.
//!
//! A definition is read without locations, as few are ever needed. An error that needs one reads the file again. If the file
//! has changed or is gone by then, the expression is not found, and the error has no location.

use std::sync::Arc;

use marsh_expr::{ExprError, SourceLocation};
use marsh_types::yaml::{Node, NodeKind};
use serde_json::Value;

use crate::definition::Stored;

/// The text of a definition, with the locations of its parts.
pub(crate) struct DefinitionText {
    /// The path for messages.
    file: String,
    document: Arc<str>,
    node: Node,
}

impl DefinitionText {
    /// `None`: the file is gone or not YAML any more.
    pub fn of(stored: &Stored, file: String) -> Option<DefinitionText> {
        let document = marsh_fs::read_to_string(&stored.path).ok()?;
        let node = Node::parse(&document).ok()?;
        Some(DefinitionText { file, document: document.into(), node })
    }

    /// `file:line:column` of an error in an expression. The JSON pointer leads to the text with the expression.
    pub fn location(&self, pointer: &str, expression: &str, error: &ExprError) -> Option<String> {
        let node = self.node.find(pointer)?;
        let NodeKind::Scalar(Value::String(text)) = &node.kind else { return None };
        if !text.contains(expression) {
            return None;
        }
        let start = |number: u64| usize::try_from(number).ok().filter(|number| *number > 0);
        let location = SourceLocation::new(self.file.clone(), start(node.at.line)?, start(node.at.column)?)
            .in_document(Arc::clone(&self.document));
        let (line, column) = location.position(expression, error.span().map_or(0, |span| span.start));
        Some(format!("{}:{line}:{column}", self.file))
    }
}
