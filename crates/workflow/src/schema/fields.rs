//! Taking typed fields out of a YAML map, and collecting what is wrong on the way.

use std::collections::BTreeMap;

use marsh_types::near;
use serde_json::Value;

use super::Problem;
use marsh_types::yaml::{At, Key, Node, NodeKind};

/// What other systems call `dependsOn`.
pub(super) const NEEDS: &str = "needs";

/// The text being read, its problems so far, and the place of every path in it.
#[derive(Debug)]
pub(super) struct Reader<'t> {
    lines: Vec<&'t str>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub places: BTreeMap<String, At>,
}

/// What becomes of a key that the format does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    Error,
    Warning,
}

impl<'t> Reader<'t> {
    pub fn new(text: &'t str) -> Reader<'t> {
        Reader {
            lines: text.lines().collect(),
            problems: Vec::new(),
            warnings: Vec::new(),
            places: BTreeMap::new(),
        }
    }

    pub fn fail(&mut self, path: &str, at: At, message: impl Into<String>) {
        let problem = problem(&self.lines, path, Some(at), message.into());
        self.problems.push(problem);
    }

    pub fn warn(&mut self, path: &str, at: At, message: impl Into<String>) {
        let warning = problem(&self.lines, path, Some(at), message.into());
        self.warnings.push(warning);
    }

    /// The entries of a map whose keys are all known. `None`, with a problem, for anything but a map.
    pub fn fields<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        known: &[&str],
        unknown: Unknown,
    ) -> Option<Fields<'n>> {
        self.places.insert(path.to_owned(), node.at);
        let NodeKind::Mapping(entries) = &node.kind else {
            self.fail(path, node.at, format!("{} must be a map, not {}", what(path), node.word()));
            return None;
        };
        for (key, _) in entries {
            self.places.insert(join(path, &key.name), key.at);
            let name = key.name.as_str();
            if known.contains(&name) || name == NEEDS && known.contains(&"dependsOn") {
                continue;
            }
            if matches!(name, "driver" | "driverConfig") {
                let message = format!("`{name}` was removed from the format; delete it");
                self.fail(&join(path, name), key.at, message);
                continue;
            }
            let near = near::did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
            let place = if path.is_empty() { "the workflow".to_owned() } else { format!("`{path}`") };
            match unknown {
                Unknown::Error => {
                    self.fail(&join(path, name), key.at, format!("unknown key `{name}` in {place}; {near}"));
                }
                Unknown::Warning => {
                    let message = format!("unknown key `{name}` in {place} is ignored; {near}");
                    self.warn(&join(path, name), key.at, message);
                }
            }
        }
        Some(Fields { at: node.at, path: path.to_owned(), entries })
    }
}

/// A problem with the source line it is about.
pub(super) fn problem(lines: &[&str], path: &str, at: Option<At>, message: String) -> Problem {
    let at = at.filter(|at| at.line > 0);
    let source_line = at
        .and_then(|at| usize::try_from(at.line).ok())
        .and_then(|line| lines.get(line - 1))
        .map(|line| (*line).to_owned());
    Problem {
        path: path.to_owned(),
        message,
        line: at.map(|at| at.line),
        column: at.map(|at| at.column),
        source_line,
    }
}

pub(super) fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn what(path: &str) -> String {
    if path.is_empty() { "a workflow file".to_owned() } else { format!("`{path}`") }
}

/// The entries of one map.
#[derive(Debug)]
pub(super) struct Fields<'n> {
    pub at: At,
    pub path: String,
    entries: &'n [(Key, Node)],
}

impl<'n> Fields<'n> {
    /// The value of a key; one that is written as null is absent.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries
            .iter()
            .find(|(known, _)| known.name == key)
            .map(|(_, node)| node)
            .filter(|node| !node.is_null())
    }

    pub fn key_at(&self, key: &str) -> At {
        self.entries.iter().find(|(known, _)| known.name == key).map_or(self.at, |(known, _)| known.at)
    }

    pub fn value_at(&self, key: &str) -> At {
        self.get(key).map_or(self.at, |node| node.at)
    }

    pub fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    pub fn required(&self, reader: &mut Reader<'_>, key: &str) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let place =
                if self.path.is_empty() { "the workflow".to_owned() } else { format!("`{}`", self.path) };
            reader.fail(&self.path_of(key), self.key_at(key), format!("{place} needs `{key}`"));
        }
        found
    }

    fn wrong(&self, reader: &mut Reader<'_>, key: &str, wanted: &str, node: &Node) {
        let path = self.path_of(key);
        reader.fail(&path, node.at, format!("`{path}` must be {wanted}, not {}", node.word()));
    }

    pub fn text(&self, reader: &mut Reader<'_>, key: &str) -> Option<String> {
        let node = self.get(key)?;
        match &node.kind {
            NodeKind::Scalar(Value::String(text)) => Some(text.clone()),
            _ => {
                self.wrong(reader, key, "text", node);
                None
            }
        }
    }

    /// Text that is there and is not empty.
    pub fn required_text(&self, reader: &mut Reader<'_>, key: &str) -> Option<String> {
        self.required(reader, key)?;
        let text = self.text(reader, key)?;
        if text.trim().is_empty() {
            let path = self.path_of(key);
            reader.fail(&path, self.key_at(key), format!("`{path}` must not be empty"));
            return None;
        }
        Some(text)
    }

    pub fn boolean(&self, reader: &mut Reader<'_>, key: &str) -> Option<bool> {
        let node = self.get(key)?;
        match &node.kind {
            NodeKind::Scalar(Value::Bool(value)) => Some(*value),
            _ => {
                self.wrong(reader, key, "true or false", node);
                None
            }
        }
    }

    pub fn number(&self, reader: &mut Reader<'_>, key: &str) -> Option<f64> {
        let node = self.get(key)?;
        match &node.kind {
            NodeKind::Scalar(Value::Number(number)) if number.as_f64().is_some() => number.as_f64(),
            _ => {
                self.wrong(reader, key, "a number", node);
                None
            }
        }
    }

    /// A number of seconds, or whatever else must not be below `least` (or equal to it, if `above`).
    pub fn number_from(&self, reader: &mut Reader<'_>, key: &str, least: f64, above: bool) -> Option<f64> {
        let number = self.number(reader, key)?;
        if number > least || (!above && number == least) {
            return Some(number);
        }
        let (path, at) = (self.path_of(key), self.get(key).map_or(self.at, |node| node.at));
        let word = if above { "above" } else { "at least" };
        reader.fail(&path, at, format!("`{path}` must be {word} {least}"));
        None
    }

    pub fn count(&self, reader: &mut Reader<'_>, key: &str) -> Option<u32> {
        let node = self.get(key)?;
        let count = match &node.kind {
            NodeKind::Scalar(Value::Number(number)) => {
                number.as_u64().and_then(|number| u32::try_from(number).ok())
            }
            _ => None,
        };
        if count.is_none() {
            let path = self.path_of(key);
            reader.fail(&path, node.at, format!("`{path}` must be a whole number, 0 or more"));
        }
        count
    }

    /// A list; absent is empty.
    pub fn list(&self, reader: &mut Reader<'_>, key: &str) -> &'n [Node] {
        match self.get(key) {
            Some(Node { kind: NodeKind::Sequence(items), .. }) => items,
            Some(node) => {
                self.wrong(reader, key, "a list", node);
                &[]
            }
            None => &[],
        }
    }

    pub fn map(&self, reader: &mut Reader<'_>, key: &str) -> Option<Value> {
        let node = self.get(key)?;
        if matches!(node.kind, NodeKind::Mapping(_)) {
            return Some(node.to_json());
        }
        self.wrong(reader, key, "a map", node);
        None
    }

    /// A map, or one expression that will give one.
    pub fn map_or_expression(&self, reader: &mut Reader<'_>, key: &str) -> Option<Value> {
        let node = self.get(key)?;
        let value = node.to_json();
        let is_expression = value.as_str().is_some_and(|text| {
            let text = text.trim();
            text.starts_with("${{") && text.ends_with("}}") && marsh_expr::expressions(&value).len() == 1
        });
        if value.is_object() || is_expression {
            return Some(value);
        }
        self.wrong(reader, key, "a map, or one `${{ … }}` that gives a map", node);
        None
    }

    /// A map from text to text.
    pub fn text_map(&self, reader: &mut Reader<'_>, key: &str) -> Vec<(String, String)> {
        let Some(node) = self.get(key) else { return Vec::new() };
        let NodeKind::Mapping(entries) = &node.kind else {
            self.wrong(reader, key, "a map", node);
            return Vec::new();
        };
        let mut result = Vec::new();
        for (name, value) in entries {
            match &value.kind {
                NodeKind::Scalar(Value::String(text)) => result.push((name.name.clone(), text.clone())),
                _ => {
                    let path = join(&self.path_of(key), &name.name);
                    reader.fail(
                        &path,
                        value.at,
                        format!("`{path}` must be text, not {}; quote it", value.word()),
                    );
                }
            }
        }
        result
    }
}
