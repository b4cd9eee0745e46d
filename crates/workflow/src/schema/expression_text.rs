//! Every text of a file that holds an expression, with its place, so that an error points at the part that is wrong.

use std::sync::Arc;

use marsh_expr::SourceLocation;
use serde_json::Value;

use super::Problem;
use super::fields::problem;
use marsh_types::yaml::{At, Node, NodeKind};

/// The texts, in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressionTexts {
    document: Arc<str>,
    texts: Vec<ExpressionText>,
}

/// A text of a file with an expression in it.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressionText {
    /// Such as `jobs.0.steps.1.task.inputs.key`.
    pub path: String,
    /// The text as it was written.
    pub text: String,
    at: At,
}

/// Keys whose text is an expression by itself.
const RAW: [&str; 2] = ["guard", "expr"];

impl ExpressionTexts {
    pub(super) fn of(document: &str, node: &Node) -> ExpressionTexts {
        let mut texts = Vec::new();
        collect(node, &mut String::new(), &mut texts);
        ExpressionTexts { document: document.into(), texts }
    }

    /// All texts with expressions.
    pub fn texts(&self) -> &[ExpressionText] {
        &self.texts
    }

    /// The text at that path of the document.
    pub fn find(&self, path: &str) -> Option<&ExpressionText> {
        self.texts.iter().find(|text| text.path == path)
    }

    /// Line and column of byte `offset` of an expression in that text.
    pub fn position(&self, text: &ExpressionText, expression: &str, offset: usize) -> Option<(u64, u64)> {
        let line = usize::try_from(text.at.line).ok().filter(|line| *line > 0)?;
        let column = usize::try_from(text.at.column).ok()?;
        let place = SourceLocation::new("", line, column).in_document(Arc::clone(&self.document));
        let (line, column) = place.position(expression, offset);
        Some((u64::try_from(line).ok()?, u64::try_from(column).ok()?))
    }

    /// A problem with a place inside such a text.
    pub fn problem(
        &self,
        text: &ExpressionText,
        expression: &str,
        offset: usize,
        message: String,
    ) -> Problem {
        let at = self.position(text, expression, offset);
        let at = at.map_or(text.at, |(line, column)| At { line, column });
        let lines: Vec<&str> = self.document.lines().collect();
        problem(&lines, &text.path, Some(at), message)
    }
}

fn collect(node: &Node, path: &mut String, texts: &mut Vec<ExpressionText>) {
    match &node.kind {
        NodeKind::Scalar(Value::String(text)) => {
            let key = path.rsplit('.').next().unwrap_or_default();
            if text.contains("${{") || RAW.contains(&key) {
                texts.push(ExpressionText { path: path.clone(), text: text.clone(), at: node.at });
            }
        }
        NodeKind::Scalar(_) => {}
        NodeKind::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                below(path, &index.to_string(), |path| collect(item, path, texts));
            }
        }
        NodeKind::Mapping(entries) => {
            for (key, item) in entries {
                below(path, &key.name, |path| collect(item, path, texts));
            }
        }
    }
}

fn below(path: &mut String, key: &str, visit: impl FnOnce(&mut String)) {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    path.push_str(key);
    visit(path);
    path.truncate(length);
}
