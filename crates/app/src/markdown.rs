//! Markdown within a width: prose is wrapped, cells of tables are cut, code stays.

/// How wide a text may become; `None`: as wide as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MarkdownWidth {
    /// The longest line of prose, in characters.
    pub line: Option<usize>,
    /// The longest cell of a table, in characters.
    pub cell: Option<usize>,
}

/// The text within a width.
pub fn fit_markdown(text: &str, width: MarkdownWidth) -> String {
    let mut out = String::new();
    let mut in_code = false;
    for line in text.lines() {
        let trimmed = line.trim_start();
        let is_fence = trimmed.starts_with("```") || trimmed.starts_with("~~~");
        if is_fence {
            in_code = !in_code;
        }
        if is_fence || in_code || trimmed.starts_with('#') {
            out.push_str(line);
        } else if trimmed.starts_with('|') {
            match width.cell {
                Some(max) => out.push_str(&cut_cells(line, max)),
                None => out.push_str(line),
            }
        } else {
            match width.line {
                Some(max) => out.push_str(&wrapped(line, max)),
                None => out.push_str(line),
            }
        }
        out.push('\n');
    }
    out
}

fn cut_cells(line: &str, max: usize) -> String {
    // A `|` in a cell is escaped.
    let line = line.replace("\\|", "\u{0}");
    let cells: Vec<String> = line
        .split('|')
        .map(|cell| {
            let text = cell.trim();
            if text.chars().count() <= max || text.chars().all(|c| c == '-' || c == ':') {
                return cell.to_owned();
            }
            let cut: String = text.chars().take(max.saturating_sub(1)).collect();
            format!(" {cut}… ")
        })
        .collect();
    cells.join("|").replace('\u{0}', "\\|")
}

fn wrapped(line: &str, max: usize) -> String {
    let indent: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    let mut out = indent.clone();
    let mut length = indent.chars().count();
    let mut is_first = true;
    for word in line.split_whitespace() {
        let size = word.chars().count();
        if !is_first && length + 1 + size > max {
            out.push('\n');
            out.push_str(&indent);
            length = indent.chars().count();
            is_first = true;
        }
        if !is_first {
            out.push(' ');
            length += 1;
        }
        out.push_str(word);
        length += size;
        is_first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{MarkdownWidth, fit_markdown};

    const TEXT: &str = "# A heading that is longer than the width\n\none two three four\n\n```\na long line of code stays\n```\n| Name | Value |\n| --- | ----- |\n| a\\|b | abcdefgh |\n";

    #[test]
    fn prose_is_wrapped_and_cells_are_cut() {
        let fitted = fit_markdown(TEXT, MarkdownWidth { line: Some(9), cell: Some(5) });
        let expected = "# A heading that is longer than the width\n\none two\nthree\nfour\n\n```\na long line of code stays\n```\n| Name | Value |\n| --- | ----- |\n| a\\|b | abcd… |\n";
        assert_eq!(fitted, expected);
    }

    #[test]
    fn text_without_a_width_stays() {
        assert_eq!(fit_markdown(TEXT, MarkdownWidth::default()), TEXT);
    }
}
