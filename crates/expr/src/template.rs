//! Finding `${{ … }}` in text.

use crate::scan::{is_raw, string_end};

/// A piece of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Segment<'a> {
    /// Text without expressions.
    Text(&'a str),
    /// An expression.
    Expression {
        /// All of `${{ … }}`.
        source: &'a str,
        /// The text between the braces, trimmed.
        expression: &'a str,
    },
}

const OPEN: &str = "${{";
const CLOSE: &str = "}}";
/// How many expressions of a text may have quotes or braces that do not match up before these no longer count in it: each of
/// them is looked through to the end of the text.
const UNMATCHED: usize = 16;

/// Splits a text into segments, which together are the text. An expression without end or without content is text.
pub fn segments(text: &str) -> Vec<Segment<'_>> {
    let mut found = Vec::new();
    let (mut text_start, mut from, mut unmatched) = (0, 0, 0);
    while let Some(open) = text[from..].find(OPEN).map(|at| from + at) {
        let inside = open + OPEN.len();
        let Some(close) = close_of(text, inside, &mut unmatched) else { break };
        let end = close + CLOSE.len();
        let expression = text[inside..close].trim();
        if !expression.is_empty() {
            if text_start < open {
                found.push(Segment::Text(&text[text_start..open]));
            }
            found.push(Segment::Expression { source: &text[open..end], expression });
            text_start = end;
        }
        from = end;
    }
    if text_start < text.len() {
        found.push(Segment::Text(&text[text_start..]));
    }
    found
}

/// If the text is one expression (white space may follow), that expression: its result keeps its type.
pub(crate) fn only_expression(text: &str) -> Option<&str> {
    match segments(text.trim_end()).as_slice() {
        [Segment::Expression { expression, .. }] => Some(expression),
        _ => None,
    }
}

/// The `}}` outside of strings and maps; where quotes or braces do not match up, the first one.
fn close_of(text: &str, inside: usize, unmatched: &mut usize) -> Option<usize> {
    if *unmatched < UNMATCHED {
        let matched = matched_close(text, inside);
        if matched.is_some() {
            return matched;
        }
        *unmatched += 1;
    }
    text[inside..].find(CLOSE).map(|at| inside + at)
}

fn matched_close(text: &str, inside: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut in_comment) = (inside, 0_usize, false);
    while at < bytes.len() {
        match bytes[at] {
            b'}' if depth == 0 && bytes[at..].starts_with(CLOSE.as_bytes()) => return Some(at),
            b'\n' => in_comment = false,
            _ if in_comment => {}
            b'/' if bytes[at..].starts_with(b"//") => in_comment = true,
            b'"' | b'\'' => {
                at = string_end(text, at, is_raw(text, at))?;
                continue;
            }
            b'{' => depth += 1,
            // A lone one at depth 0 cannot be matched: the expression is malformed, and its evaluator will say so.
            b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Segment, only_expression, segments};

    /// Expressions in `⟨⟩`, so that a case fits on a line.
    fn shape(text: &str) -> String {
        let pieces = segments(text);
        let all: String = pieces
            .iter()
            .map(|piece| match piece {
                Segment::Text(text) => *text,
                Segment::Expression { source, .. } => source,
            })
            .collect();
        assert_eq!(all, text, "the pieces are the text");
        pieces
            .into_iter()
            .map(|piece| match piece {
                Segment::Text(text) => text.to_owned(),
                Segment::Expression { expression, .. } => format!("⟨{expression}⟩"),
            })
            .collect()
    }

    #[test]
    fn finds_expressions() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("${{ inputs.a }}", "⟨inputs.a⟩"),
            ("${{inputs.a}}", "⟨inputs.a⟩"),
            ("echo ${{ inputs.a }} and ${{ inputs.b }}!", "echo ⟨inputs.a⟩ and ⟨inputs.b⟩!"),
            ("${{ a }}${{ b }}", "⟨a⟩⟨b⟩"),
            ("${{ a\n + b }}", "⟨a\n + b⟩"),
            ("é${{ a }}ü", "é⟨a⟩ü"),
            ("{{ a }} ${a} $${{ a }}", "{{ a }} ${a} $⟨a⟩"),
        ] {
            assert_eq!(shape(text), expected);
        }
    }

    #[test]
    fn strings_and_maps_do_not_end_an_expression() {
        for (text, expected) in [
            (r#"${{ {"a": {"b": 1}} }}"#, r#"⟨{"a": {"b": 1}}⟩"#),
            (r#"${{ {"a": {}}}}x"#, r#"⟨{"a": {}}⟩x"#),
            (r#"${{ "}}" + inputs.a }}"#, r#"⟨"}}" + inputs.a⟩"#),
            (r#"${{ '}}' }}"#, r#"⟨'}}'⟩"#),
            (r#"${{ "\"}}" }}"#, r#"⟨"\"}}"⟩"#),
            (r#"${{ """a"}}""" }}"#, r#"⟨"""a"}}"""⟩"#),
            (r#"${{ r"\" }} ${{ "b" }}"#, r#"⟨r"\"⟩ ⟨"b"⟩"#),
            ("${{ a // it's }}", "⟨a // it's⟩"),
            ("${{ a // it's\n + {'b': {}} }}", "⟨a // it's\n + {'b': {}}⟩"),
        ] {
            assert_eq!(shape(text), expected);
        }
    }

    #[test]
    fn what_does_not_match_up_ends_at_the_first_braces() {
        for (text, expected) in [
            ("${{ it's }} x", "⟨it's⟩ x"),
            ("${{ {a }} x", "⟨{a⟩ x"),
            ("${{ a } b }} x", "⟨a } b⟩ x"),
            ("${{ a", "${{ a"),
            ("${{ a } }", "${{ a } }"),
            ("${{}}", "${{}}"),
            ("x ${{  }} ${{ a }}", "x ${{  }} ⟨a⟩"),
        ] {
            assert_eq!(shape(text), expected);
        }
        // As many as there are, in one pass or a few.
        let many = "${{ {a }}".repeat(100_001);
        assert_eq!(segments(&many).len(), 100_001);
    }

    #[test]
    fn one_expression_alone_keeps_its_type() {
        for (text, expected) in [
            ("${{ a }}", Some("a")),
            ("${{ a }} \n", Some("a")),
            (" ${{ a }}", None),
            ("${{ a }}${{ b }}", None),
            ("${{ a }}.", None),
            ("a", None),
        ] {
            assert_eq!(only_expression(text), expected, "{text:?}");
        }
    }
}
