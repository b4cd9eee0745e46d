//! What an expression refers to, found without evaluating it.

use crate::scan::{ident, is_ident_byte, is_raw, skip_space, string_end};

const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];
/// Macros whose first argument names a variable of their own.
const BINDERS: [&str; 6] = ["all", "exists", "exists_one", "map", "filter", "bind"];
const MODEL_PARTS: [&str; 5] = ["input", "resource", "file", "execution", "definition"];

/// The variables that an expression mentions, each once, in order: `inputs` and `data` of
/// `data.latest(inputs.model, "x")`. Names of functions and variables of macros are none. Lexical, hence also right
/// for what the evaluator does not support; at worst it names too many.
pub fn references(expression: &str) -> Vec<String> {
    let mut found: Vec<&str> = Vec::new();
    let mut bound: Vec<&str> = Vec::new();
    let mut binding = None;
    walk(expression, |name, start, end| {
        if binding.take().is_some_and(|at| at == start) {
            bound.push(name);
            return;
        }
        let next = skip_space(expression, end);
        let is_call = expression[next..].starts_with('(');
        let before = expression[..start].trim_end();
        let is_member = before.strip_suffix('?').unwrap_or(before).ends_with('.');
        if is_call && is_member && BINDERS.contains(&name) {
            binding = Some(skip_space(expression, next + 1));
        }
        if !is_call && !is_member && !KEYWORDS.contains(&name) && !found.contains(&name) {
            found.push(name);
        }
    });
    found.retain(|name| !bound.contains(name));
    found.into_iter().map(str::to_owned).collect()
}

/// Rewrites `model.my-name.resource` to `model["my-name"].resource`: a name with hyphens would read as a subtraction.
pub fn quote_model_names(expression: &str) -> String {
    let mut edits = Vec::new();
    walk(expression, |name, start, end| {
        let before = expression[..start].trim_end();
        if name != "model" || before.ends_with('.') || !expression[end..].starts_with('.') {
            return;
        }
        let from = end + 1;
        let length =
            expression[from..].bytes().take_while(|byte| is_ident_byte(*byte) || *byte == b'-').count();
        let (hyphenated, rest) = expression[from..].split_at(length);
        let part = rest.strip_prefix('.').and_then(|part| ident(part, 0));
        if hyphenated.contains('-') && part.is_some_and(|part| MODEL_PARTS.contains(&part)) {
            edits.push((end, from + length, format!("[\"{hyphenated}\"]")));
        }
    });
    let mut text = expression.to_owned();
    for (start, end, quoted) in edits.into_iter().rev() {
        text.replace_range(start..end, &quoted);
    }
    text
}

/// Calls `visit` for each identifier outside of strings, comments and numbers, with its start and end.
fn walk<'e>(expression: &'e str, mut visit: impl FnMut(&'e str, usize, usize)) {
    let bytes = expression.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = string_end(expression, at, is_raw(expression, at)) {
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
    use super::{quote_model_names, references};

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
        ] {
            assert_eq!(references(expression).join(" "), expected, "{expression}");
        }
    }

    #[test]
    fn model_names_with_hyphens_are_quoted() {
        for (expression, expected) in [
            ("model.my-vpc.resource.state", "model[\"my-vpc\"].resource.state"),
            ("model.a-b.input.x + model.c-d-e.file.y", "model[\"a-b\"].input.x + model[\"c-d-e\"].file.y"),
            ("model.plain.resource", "model.plain.resource"),
            ("model.a-b.other", "model.a-b.other"),
            ("model.a-b", "model.a-b"),
            ("x.model.a-b.resource", "x.model.a-b.resource"),
            ("'model.a-b.resource'", "'model.a-b.resource'"),
        ] {
            assert_eq!(quote_model_names(expression), expected);
        }
    }
}
