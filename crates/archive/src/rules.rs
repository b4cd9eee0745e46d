//! What may be published (extension formats, "Safety analysis"): the rules that need no parser.

use marsh_types::RelPath;

/// A file that is to be published.
#[derive(Debug, Clone)]
pub struct RuleFile<'a> {
    pub path: &'a RelPath,
    pub content: &'a [u8],
    /// Listed under `binaries`: any kind of file may be.
    pub is_binary: bool,
}

/// One thing about one file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    pub file: String,
    pub code: &'static str,
    pub message: String,
}

/// Errors forbid publishing, warnings do not.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
}

pub const MAX_FILES: usize = 150;
pub const MAX_FILE_BYTES: usize = 1_000_000;
pub const MAX_TOTAL_BYTES: usize = 10_000_000;
const ALLOWED: [&str; 6] = ["ts", "json", "md", "yaml", "yml", "txt"];
const LEGAL: [&str; 7] =
    ["AUTHORS", "CONTRIBUTORS", "COPYING", "COPYING-EXCEPTION", "LICENSE", "NOTICE", "PATENTS"];
const LONG_LINE: usize = 500;
const BASE64_RUN: usize = 100;

/// Judges all files of an extension.
pub fn check(files: &[RuleFile<'_>]) -> Report {
    let mut report = Report::default();
    let finding = |file: &str, code, message: String| Finding { file: file.to_owned(), code, message };
    if files.len() > MAX_FILES {
        let message = format!("there are {} files, and at most {MAX_FILES} may be published", files.len());
        report.errors.push(finding("", "too_many_files", message));
    }
    let total: usize = files.iter().map(|file| file.content.len()).sum();
    if total > MAX_TOTAL_BYTES {
        let message =
            format!("all files together have {total} bytes, and at most {MAX_TOTAL_BYTES} may be published");
        report.errors.push(finding("", "too_large", message));
    }
    for file in files {
        let (path, name) = (file.path.as_str(), file.path.file_name());
        if name.starts_with('.') {
            report.errors.push(finding(path, "hidden_file", "hidden files are not published".into()));
        }
        if file.content.len() > MAX_FILE_BYTES {
            let message =
                format!("it has {} bytes, and a file may have {MAX_FILE_BYTES}", file.content.len());
            report.errors.push(finding(path, "file_too_large", message));
        }
        if !file.is_binary && !is_allowed(name) {
            let message =
                format!("only {} files, licence files and `binaries` are published", ALLOWED.join(", "));
            report.errors.push(finding(path, "kind_not_allowed", message));
        }
        if let Ok(text) = std::str::from_utf8(file.content) {
            warn(path, text, &mut report);
        }
    }
    report
}

fn is_allowed(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, extension)) => ALLOWED.iter().any(|allowed| allowed.eq_ignore_ascii_case(extension)),
        None => LEGAL.contains(&name),
    }
}

fn warn(path: &str, text: &str, report: &mut Report) {
    let mut add = |code, message: &str| {
        report.warnings.push(Finding { file: path.to_owned(), code, message: message.to_owned() });
    };
    let lower = path.to_lowercase();
    if lower.ends_with(".ts") {
        if text.lines().any(|line| line.chars().filter(|c| !c.is_whitespace()).count() > LONG_LINE) {
            add("long_line", "a line has more than 500 characters, as generated or packed code has");
        }
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        if text.split(|c: char| !is_base64(c)).any(|run| run.len() >= BASE64_RUN) {
            add("base64", "it holds a long run of Base64");
        }
    }
    if (lower.ends_with(".md") || lower.ends_with(".txt"))
        && text.split(|c: char| !(c.is_ascii_digit() || c == '.')).any(is_real_address)
    {
        add("ipv4_address", "it names an IPv4 address that is not one of the documentation ranges");
    }
}

fn is_real_address(text: &str) -> bool {
    let Ok(address) = text.trim_matches('.').parse::<std::net::Ipv4Addr>() else { return false };
    let octets = address.octets();
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_link_local()
        || matches!(octets, [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]))
}

#[cfg(test)]
mod tests {
    use marsh_types::RelPath;

    use super::{RuleFile, check};

    fn codes(path: &str, content: &[u8], is_binary: bool) -> (Vec<&'static str>, Vec<&'static str>) {
        let path = RelPath::parse(path).unwrap();
        let report = check(&[RuleFile { path: &path, content, is_binary }]);
        let of = |list: &[super::Finding]| list.iter().map(|finding| finding.code).collect();
        (of(&report.errors), of(&report.warnings))
    }

    #[test]
    fn errors_and_warnings_by_file() {
        assert_eq!(codes("a.ts", b"export {};", false), (vec![], vec![]));
        assert_eq!(codes("x/.env", b"", false).0, ["hidden_file", "kind_not_allowed"]);
        assert_eq!(codes("tool.sh", b"", false).0, ["kind_not_allowed"]);
        assert_eq!(codes("tool.sh", b"", true).0, [] as [&str; 0]);
        assert_eq!(codes("LICENSE", b"", false).0, [] as [&str; 0]);
        assert_eq!(codes("A.MD", b"see 192.0.2.7", false), (vec![], vec![]));
        assert_eq!(codes("a.md", b"see 10.1.2.3.", false).1, ["ipv4_address"]);
        assert_eq!(codes("a.ts", "x".repeat(501).as_bytes(), false).1, ["long_line", "base64"]);
        assert_eq!(codes("a.txt", &[b'a'; 1_000_001], false).0, ["file_too_large"]);
    }

    #[test]
    fn limits_of_the_whole() {
        let paths: Vec<RelPath> = (0..151).map(|n| RelPath::parse(&format!("f{n}.ts")).unwrap()).collect();
        let files: Vec<RuleFile<'_>> =
            paths.iter().map(|path| RuleFile { path, content: b"", is_binary: false }).collect();
        assert_eq!(check(&files).errors[0].code, "too_many_files");
        let big = vec![b'a'; 1_000_000];
        let files: Vec<RuleFile<'_>> =
            paths[..11].iter().map(|path| RuleFile { path, content: &big, is_binary: false }).collect();
        assert_eq!(check(&files).errors[0].code, "too_large");
    }
}
