//! What the path of a mounted source stands for: `~`, `$NAME`, `${NAME}`, and the patterns `*`, `?` and `{a,b}`.

use std::path::{Path, PathBuf};

/// Alternatives and names multiply; more than this is a mistake.
const MAX_PATTERNS: usize = 256;

/// Whether the path is a pattern, which can match any number of directories.
pub fn is_pattern(path: &str) -> bool {
    path.contains(['*', '?', '{'])
}

/// The matching paths, sorted. A path without a pattern matches itself, whether it exists or not; a pattern matches
/// existing directories. `Err` names a variable that is not set.
pub(super) fn expand(
    root: &Path,
    written: &str,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<PathBuf>, String> {
    let path = substitute(written, variable)?;
    if !is_pattern(&path) {
        return Ok(vec![root.join(path)]);
    }
    let mut alternatives = Vec::new();
    braces(&path, &mut alternatives);
    let mut found: Vec<PathBuf> =
        alternatives.iter().flat_map(|one| matching(&root.join(one))).filter(|path| path.is_dir()).collect();
    found.sort();
    found.dedup();
    Ok(found)
}

fn substitute(written: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let value = |name: &str| match variable(name) {
        Some(value) if !value.is_empty() => Ok(value),
        _ => Err(format!("the variable {name} is not set")),
    };
    let mut out = String::new();
    let mut rest = written;
    if rest == "~" || rest.starts_with("~/") {
        out.push_str(&value("HOME")?);
        rest = &rest[1..];
    }
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some((name, after)) = after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            out.push_str(&value(name)?);
            rest = after;
            continue;
        }
        let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        // A lone dollar sign is one.
        out.push_str(&if name.is_empty() { "$".to_owned() } else { value(name)? });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// `a{b,c}d` is `abd` and `acd`; a brace that does not close is a character.
fn braces(pattern: &str, out: &mut Vec<String>) {
    if out.len() >= MAX_PATTERNS {
        return;
    }
    // The first closing brace and the last opening one before it are a pair without braces in it.
    let pair = pattern.find('}').and_then(|close| Some((pattern[..close].rfind('{')?, close)));
    let Some((open, close)) = pair else { return out.push(pattern.to_owned()) };
    for alternative in pattern[open + 1..close].split(',') {
        braces(&format!("{}{alternative}{}", &pattern[..open], &pattern[close + 1..]), out);
    }
}

/// Directory by directory; hidden ones only where the pattern begins with a dot as well.
fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if !name.contains(['*', '?']) {
            for path in &mut found {
                path.push(part);
            }
            continue;
        }
        let below = |dir: &PathBuf| -> Vec<PathBuf> {
            let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
            entries
                .filter(|entry| {
                    let found = entry.file_name().to_string_lossy().into_owned();
                    (!found.starts_with('.') || name.starts_with('.')) && is_like(&name, &found)
                })
                .map(|entry| entry.path())
                .collect()
        };
        found = found.iter().flat_map(below).collect();
    }
    found
}

/// `*` is any number of characters, `?` one. Steps back to the last star only, so it is never more than a product.
fn is_like(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::{braces, is_like, substitute};

    #[test]
    fn variables_and_the_home_directory() {
        let variable = |name: &str| match name {
            "HOME" => Some("/home/me".to_owned()),
            "TEAM" => Some("net".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        let of = |path: &str| substitute(path, &variable);
        assert_eq!(of("~/x").unwrap(), "/home/me/x");
        assert_eq!(of("a~/x").unwrap(), "a~/x");
        assert_eq!(of("../$TEAM/${TEAM}s$").unwrap(), "../net/nets$");
        assert_eq!(of("$TEAM-x").unwrap(), "net-x");
        assert!(of("$EMPTY/x").is_err() && of("${GONE}").is_err());
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "aXbbXc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
            ("ab", "abc", false),
        ] {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
        let mut out = Vec::new();
        braces("x/{a,b{c,d}}", &mut out);
        out.sort();
        out.dedup();
        assert_eq!(out, ["x/a", "x/bc", "x/bd"]);
        let mut out = Vec::new();
        braces("{", &mut out);
        assert_eq!(out, ["{"]);
    }
}
