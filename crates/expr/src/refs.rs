//! The names in an expression, found without evaluating it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::cel::ast::{Id, Op, Tree};
use crate::cel::{is_constant, parser};
use crate::scan::{ident, is_ident_byte, is_raw, skip_space, string_end};

const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];
/// Macros whose first argument names a variable of their own.
const BINDERS: [&str; 6] = ["all", "exists", "exists_one", "map", "filter", "bind"];

/// The variables of an expression, each once, in order: `data` and `inputs` of `data.latest(inputs.model, "x")`. Names of
/// functions and types and variables of macros do not count. For an invalid expression, the words that would be variables:
/// at worst too many.
pub fn references(expression: &str) -> Vec<String> {
    match parser::parse(expression) {
        Ok(tree) => names(&tree),
        Err(_) => lexical(expression),
    }
}

pub(crate) fn names(tree: &Tree) -> Vec<String> {
    let mut walk = Walk { tree, bound: Vec::new(), seen: HashSet::new(), found: Vec::new() };
    walk.visit(tree.root);
    walk.found.iter().map(ToString::to_string).collect()
}

struct Walk<'t> {
    tree: &'t Tree,
    bound: Vec<Arc<str>>,
    seen: HashSet<Arc<str>>,
    found: Vec<Arc<str>>,
}

impl Walk<'_> {
    fn visit(&mut self, id: Id) {
        let tree = self.tree;
        match tree.op(id) {
            Op::Name(name) => {
                if !self.bound.contains(name) && !is_constant(name) && self.seen.insert(name.clone()) {
                    self.found.push(name.clone());
                }
            }
            Op::Binary(..) => {
                let (chain, first) = tree.spine(id);
                self.visit(first);
                for link in chain.into_iter().rev() {
                    if let Op::Binary(_, _, right) = tree.op(link) {
                        self.visit(*right);
                    }
                }
            }
            Op::Each { range: outside, variable, .. } | Op::Bind { value: outside, variable, .. } => {
                self.visit(*outside);
                self.bound.push(variable.clone());
                for child in tree.children(id).into_iter().filter(|child| child != outside) {
                    self.visit(child);
                }
                self.bound.pop();
            }
            _ => {
                for child in tree.children(id) {
                    self.visit(child);
                }
            }
        }
    }
}

fn lexical(expression: &str) -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    let mut bound: HashSet<&str> = HashSet::new();
    let mut binding = None;
    walk(expression, |name, start, end| {
        if binding.take().is_some_and(|at| at == start) {
            bound.insert(name);
            return;
        }
        let next = skip_space(expression, end);
        let is_call = expression[next..].starts_with('(');
        let before = expression[..start].trim_end();
        let is_member = before.strip_suffix('?').unwrap_or(before).ends_with('.');
        if is_call && is_member && BINDERS.contains(&name) {
            binding = Some(skip_space(expression, next + 1));
        }
        if !is_call && !is_member && !KEYWORDS.contains(&name) && seen.insert(name) {
            found.push(name);
        }
    });
    found.retain(|name| !bound.contains(name));
    found.into_iter().map(str::to_owned).collect()
}

/// Calls `visit` for each identifier outside of strings, comments and numbers, with its start and end.
fn walk<'e>(expression: &'e str, mut visit: impl FnMut(&'e str, usize, usize)) {
    let bytes = expression.as_bytes();
    let mut at = 0;
    // Each quote without an end is looked for to the end of the text.
    let mut unmatched = 0;
    while at < bytes.len() {
        let is_quote = matches!(bytes[at], b'"' | b'\'') && unmatched < 16;
        let end = if is_quote { string_end(expression, at, is_raw(expression, at)) } else { None };
        unmatched += usize::from(is_quote && end.is_none());
        if let Some(end) = end {
            at = end;
        } else if bytes[at..].starts_with(b"//") {
            at += expression[at..].find('\n').unwrap_or(expression.len() - at);
        } else if bytes[at].is_ascii_digit() {
            at += expression[at..].bytes().take_while(|byte| is_ident_byte(*byte)).count();
        } else if !expression.is_char_boundary(at) {
            at += 1;
        } else if let Some(name) = ident(expression, at) {
            let end = at + name.len();
            // `r"…"` and `b"…"` are strings, not a variable before one.
            if !expression[end..].starts_with(['"', '\'']) {
                visit(name, at, end);
            }
            at = end;
        } else {
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::references;

    #[test]
    fn references_are_the_variables() {
        for (expression, expected) in [
            ("inputs.name", "inputs"),
            ("inputs.a + env.inputs - inputs.b", "inputs env"),
            ("data.latest(inputs.model, \"env.x\").attributes.v", "data inputs"),
            ("size(self.items) > 1e3 && true", "self"),
            ("inputs.items.map(x, x.id > 1, x.name + run.id)", "inputs run"),
            ("inputs.items.filter( y , y in self.z)", "inputs self"),
            ("inputs .?name.orValue(r\"\\d\")", "inputs"),
            ("a // b", "a"),
            ("'a' + \"b\"", ""),
            ("{'k': v}[w]", "v w"),
            ("é + a", "a"),
            ("\"unclosed a", "unclosed a"),
            ("vault.get(main, api-key)", "vault"),
            ("type(x) == int", "x"),
            ("model.my-vpc.resource.a.b", "model"),
            ("cel.bind(a, b, a + c)", "b c"),
            ("x.map(x, x + y)", "x y"),
        ] {
            assert_eq!(references(expression).join(" "), expected, "{expression}");
        }
    }
}
