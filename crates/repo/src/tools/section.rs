//! The managed section of a text that marsh shares with the user.

/// Opens the section, as existing repositories have it.
const BEGIN: &str = "<!-- BEGIN swamp managed section - DO NOT EDIT -->";
/// Closes the section.
const END: &str = "<!-- END swamp managed section -->";

/// Whether the text has a managed section.
pub fn has_section(text: &str) -> bool {
    span(text).is_some()
}

/// Where the section is, markers included.
fn span(text: &str) -> Option<(usize, usize)> {
    let begin = text.find(BEGIN)?;
    let end = text[begin..].find(END)?;
    Some((begin, begin + end + END.len()))
}

/// `text` with `body` as its managed section. A section is replaced in place; a text without one gets it in front, behind
/// its front matter. `front_matter` is for a text that has none.
pub fn with_section(text: Option<&str>, front_matter: Option<&str>, body: &str) -> String {
    let section = format!("{BEGIN}\n{}\n{END}", body.trim_end());
    let text = text.unwrap_or_default();
    if let Some((begin, end)) = span(text) {
        return format!("{}{section}{}", &text[..begin], &text[end..]);
    }
    let (front, rest) = split_front_matter(text);
    let front = match (front.is_empty(), front_matter) {
        (true, Some(front_matter)) => format!("---\n{}\n---\n", front_matter.trim_end()),
        _ => front.to_owned(),
    };
    let rest = rest.trim_start_matches(['\r', '\n']);
    let rest = if rest.is_empty() { String::new() } else { format!("\n{rest}") };
    let gap = if front.is_empty() { "" } else { "\n" };
    format!("{front}{gap}{section}\n{rest}")
}

/// The front matter with its `---` lines, and the rest. The front matter is empty if there is none.
fn split_front_matter(text: &str) -> (&str, &str) {
    let is_fence = |line: &str| line.trim_end() == "---";
    let mut lines = text.split_inclusive('\n');
    let Some(first) = lines.next().filter(|line| is_fence(line)) else { return ("", text) };
    let mut length = first.len();
    for line in lines {
        length += line.len();
        if is_fence(line) {
            return text.split_at(length);
        }
    }
    ("", text)
}

#[cfg(test)]
mod tests {
    use super::{BEGIN, END, with_section};

    #[test]
    fn section_is_replaced_in_place_and_text_around_it_stays() {
        let text = format!("# Mine\n\n{BEGIN}\nold\n{END}\r\nafter\n");
        let replaced = with_section(Some(&text), Some("x: 1"), "new\n");
        assert_eq!(replaced, format!("# Mine\n\n{BEGIN}\nnew\n{END}\r\nafter\n"));
    }

    #[test]
    fn text_without_a_section_gets_it_in_front_behind_its_front_matter() {
        let text = "---\na: 1\n---\n# Mine\n";
        let once = with_section(Some(text), Some("b: 2"), "body");
        assert_eq!(once, format!("---\na: 1\n---\n\n{BEGIN}\nbody\n{END}\n\n# Mine\n"));
        assert_eq!(with_section(Some(&once), Some("b: 2"), "body"), once);
        let new = with_section(None, Some("b: 2"), "body");
        assert_eq!(new, format!("---\nb: 2\n---\n\n{BEGIN}\nbody\n{END}\n"));
        assert_eq!(with_section(None, None, "body"), format!("{BEGIN}\nbody\n{END}\n"));
    }

    #[test]
    fn section_that_is_not_closed_loses_no_text() {
        let text = format!("{BEGIN}\nmine\n");
        let once = with_section(Some(&text), None, "body");
        assert!(once.ends_with(&format!("{END}\n\n{BEGIN}\nmine\n")), "{once}");
        assert_eq!(with_section(Some(&once), None, "body"), once);
    }
}
