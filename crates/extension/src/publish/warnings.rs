//! Findings in published files that cause a warning and never a refusal.

use std::net::Ipv4Addr;

use super::error::PublishError;
use super::files::{Files, Role};
use super::source::{ending, is_code, read};

/// Characters of a line that are not blank.
const LONG_LINE: usize = 500;

/// One line of text for each finding, beginning with where it is.
pub(super) fn warnings(files: &Files) -> Result<Vec<String>, PublishError> {
    let mut found = Vec::new();
    for (path, file) in files.files.iter().filter(|(_, file)| matches!(file.role, Role::Code | Role::Data)) {
        let ending = ending(&file.source);
        if is_code(&file.source) {
            let source = read(&file.source)?;
            found.extend(long_line(&source).map(|line| {
                format!("{path}:{line}: a line of more than {LONG_LINE} characters cannot be reviewed")
            }));
            let places = marsh_bundle::suspicious_code(&source, &file.source.with_extension(&ending));
            // `prepare` has refused files with syntax errors before.
            for one in places.unwrap_or_default() {
                found.push(format!("{path}:{}: {}", one.line.unwrap_or(1), one.message));
            }
        } else if matches!(ending.as_str(), "md" | "txt") {
            for (line, address) in addresses(&read(&file.source)?) {
                found.push(format!(
                    "{path}:{line}: {address} looks like a real address; 192.0.2.0/24 is for examples"
                ));
            }
        }
    }
    Ok(found)
}

fn long_line(source: &str) -> Option<usize> {
    let length = |line: &str| line.chars().filter(|c| !c.is_whitespace()).count();
    source.lines().position(|line| length(line) > LONG_LINE).map(|index| index + 1)
}

/// Public IPv4 addresses, with their lines.
fn addresses(text: &str) -> Vec<(usize, Ipv4Addr)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let words = line.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_'));
        let parsed = words.filter_map(|word| word.trim_matches('.').parse::<Ipv4Addr>().ok());
        found.extend(parsed.filter(|address| !is_reserved(*address)).map(|address| (index + 1, address)));
    }
    found
}

/// For documentation, or of this machine or link alone.
fn is_reserved(address: Ipv4Addr) -> bool {
    address.is_documentation() || address.is_loopback() || address.is_link_local() || address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::{LONG_LINE, addresses, long_line};

    #[test]
    fn address_in_text_is_found_and_a_version_is_not() {
        let found = |text: &str| {
            addresses(text).into_iter().map(|(line, one)| format!("{line} {one}")).collect::<Vec<_>>()
        };
        assert_eq!(found("a\nuse (10.0.0.1), or 8.8.8.8:53."), ["2 10.0.0.1", "2 8.8.8.8"]);
        let examples = "192.0.2.1 198.51.100.7 203.0.113.9 127.0.0.1 169.254.1.1 0.0.0.0";
        assert!(found(examples).is_empty());
        assert!(found("2026.01.01.1 v1.2.3.4 1.2.3 1.2.3.4.5 256.1.1.1 a_1.2.3.4").is_empty());
    }

    #[test]
    fn long_line_of_blanks_is_accepted() {
        assert_eq!(long_line(&format!("a\n{}", "x".repeat(LONG_LINE + 1))), Some(2));
        assert_eq!(long_line(&"x ".repeat(LONG_LINE)), None);
    }
}
