//! Banned phrases: `xtask/banned.txt` lists what marsh does not say, each with what to write instead.
//!
//! A phrase may cross a line break. Underscores count as spaces, so that test names are read as sentences. In tests only
//! comments and names are read, because their texts are data: other programs' files, names that must not exist.

use regex::{Regex, RegexBuilder};

use crate::files::{Finding, Prose, Tree};

const LIST: &str = "xtask/banned.txt";

#[derive(Debug, Default)]
struct Rules {
    banned: Vec<(Regex, String)>,
    /// Phrases that a banned pattern may stand in.
    allowed: Vec<Regex>,
    /// Files that hold the words for another reason.
    files: Vec<String>,
    /// Findings that are tolerated until the last crates are rewritten.
    limit: usize,
}

/// Reports each banned phrase in the sources, the documents and the tests, and how many of them are tolerated.
pub fn check(tree: &Tree) -> Result<(Vec<Finding>, usize), String> {
    let list = tree.text(LIST)?.ok_or_else(|| format!("{LIST} is not UTF-8"))?;
    let rules = Rules::parse(&list)?;
    let mut found = Vec::new();
    for path in tree.written() {
        if rules.files.iter().any(|file| path.starts_with(file.as_str())) {
            continue;
        }
        if let Some(text) = tree.text(path)? {
            let text = if path.contains("/tests/") { without_data(&text) } else { text };
            found.extend(rules.look(path, &text));
        }
    }
    Ok((found, rules.limit))
}

/// Comments and names of functions; other lines are empty.
fn without_data(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let start = line.trim_start();
        if start.starts_with("//") {
            return line;
        }
        let name = start.split_once("fn ").map_or("", |(_, name)| name);
        name.split(['(', '<']).next().unwrap_or_default()
    });
    lines.collect::<Vec<&str>>().join("\n")
}

impl Rules {
    /// One rule a line: `pattern => what to write`, `allow pattern`, `skip path`, `limit number`; `#` starts a comment.
    fn parse(list: &str) -> Result<Rules, String> {
        let mut rules = Rules::default();
        for (index, line) in list.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let compile = |pattern: &str| {
                RegexBuilder::new(pattern)
                    .case_insensitive(true)
                    .build()
                    .map_err(|error| format!("{LIST}:{}: {error}", index + 1))
            };
            if let Some(limit) = line.strip_prefix("limit ") {
                rules.limit =
                    limit.trim().parse().map_err(|error| format!("{LIST}:{}: {error}", index + 1))?;
            } else if let Some(path) = line.strip_prefix("skip ") {
                rules.files.push(path.trim().to_owned());
            } else if let Some(pattern) = line.strip_prefix("allow ") {
                rules.allowed.push(compile(pattern.trim())?);
            } else if let Some((pattern, instead)) = line.split_once("=>") {
                rules.banned.push((compile(pattern.trim())?, instead.trim().to_owned()));
            } else {
                return Err(format!("{LIST}:{}: expected `pattern => what to write`", index + 1));
            }
        }
        Ok(rules)
    }

    fn look(&self, path: &str, text: &str) -> Vec<Finding> {
        let prose = Prose::of(text);
        let mut allowed: Vec<std::ops::Range<usize>> = Vec::new();
        for pattern in &self.allowed {
            allowed.extend(pattern.find_iter(&prose.text).map(|hit| hit.range()));
        }
        let mut found = Vec::new();
        for (pattern, instead) in &self.banned {
            for hit in pattern.find_iter(&prose.text) {
                if allowed.iter().any(|range| range.start <= hit.start() && hit.end() <= range.end) {
                    continue;
                }
                found.push(Finding {
                    path: path.to_owned(),
                    line: prose.line(hit.start()),
                    message: format!("`{}`: write {instead}", hit.as_str().trim()),
                });
            }
        }
        found.sort_by_key(|finding| finding.line);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Rules, without_data};

    fn hits(text: &str) -> Vec<(usize, String)> {
        let rules = Rules::parse(
            "# a comment\n\\bis no [a-z]+ => invalid X\nallow \\bis no longer\\b\n\\bnobody\\b => name the actor",
        )
        .unwrap();
        rules.look("a.rs", text).into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn a_phrase_across_a_line_break_is_found_at_its_first_line() {
        assert_eq!(hits("one\n/// This is\n/// no file."), [(2, "`is no file`: write invalid X".to_owned())]);
    }

    #[test]
    fn a_test_name_is_read_as_a_sentence() {
        assert_eq!(hits("fn what_is_no_file_is_refused() {}")[0].0, 1);
        assert_eq!(hits("fn a_lock_that_nobody_holds() {}")[0].0, 1);
    }

    #[test]
    fn an_allowed_phrase_is_not_reported() {
        assert!(hits("It is no longer there.").is_empty());
        assert!(hits("The option is none.").is_empty());
    }

    #[test]
    fn an_empty_line_ends_a_sentence() {
        assert!(hits("This is\n\nno file").is_empty());
    }

    #[test]
    fn texts_of_tests_are_not_read() {
        let test = without_data("// nobody\nfn nobody_waits() {\n    say(\"nobody\");\n}");
        assert_eq!(hits(&test).iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 2]);
    }
}
