//! The table by area, and every difference by name.

use std::collections::BTreeMap;

use crate::compare::{Compared, Difference};

#[derive(Clone, Copy, Debug, Default)]
struct Row {
    checks: usize,
    meant: usize,
    unlisted: usize,
}

impl Row {
    fn equal(self) -> usize {
        self.checks.saturating_sub(self.meant + self.unlisted)
    }
}

fn rows(compared: &[Compared]) -> (BTreeMap<&str, Row>, Row) {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut total = Row::default();
    for case in compared {
        let meant = case.differences.iter().filter(|difference| difference.reason.is_some()).count();
        for row in [rows.entry(&case.area).or_default(), &mut total] {
            row.checks += case.checks;
            row.meant += meant;
            row.unlisted += case.differences.len() - meant;
        }
    }
    (rows, total)
}

pub fn differences(compared: &[Compared]) -> impl Iterator<Item = &Difference> {
    compared.iter().flat_map(|case| &case.differences)
}

/// For a terminal: unlisted differences in full, the meant ones counted.
pub fn text(compared: &[Compared]) -> String {
    let (rows, total) = rows(compared);
    let mut out = format!("{:<12} {:>7} {:>7} {:>7} {:>9}\n", "area", "checks", "equal", "meant", "unlisted");
    for (area, row) in rows.into_iter().chain([("all", total)]) {
        let (equal, meant, unlisted) = (row.equal(), row.meant, row.unlisted);
        out.push_str(&format!("{area:<12} {:>7} {equal:>7} {meant:>7} {unlisted:>9}\n", row.checks));
    }
    for difference in differences(compared).filter(|difference| difference.reason.is_none()) {
        let Difference { check, marsh, deno, .. } = difference;
        out.push_str(&format!("\n{check}\n  marsh: {}\n  deno:  {}\n", short(marsh), short(deno)));
    }
    out
}

/// For `docs/internals/conformance.md`.
pub fn markdown(compared: &[Compared], version: &str) -> String {
    let (rows, total) = rows(compared);
    let mut out =
        format!("Compared with {version}.\n\n| area | checks | equal | different |\n|---|---|---|---|\n");
    for (area, row) in rows.into_iter().chain([("**all**", total)]) {
        out.push_str(&format!(
            "| {area} | {} | {} | {} |\n",
            row.checks,
            row.equal(),
            row.meant + row.unlisted
        ));
    }
    out.push_str("\n| difference | marsh | Deno | why |\n|---|---|---|---|\n");
    for Difference { check, marsh, deno, reason } in differences(compared) {
        let cell = |text: &str| format!("`{}`", short(text).replace('|', "\\|").replace(['\n', '`'], " "));
        let reason = reason.as_deref().unwrap_or("**not listed**");
        out.push_str(&format!(
            "| {} | {} | {} | {reason} |\n",
            check.replace('|', "\\|"),
            cell(marsh),
            cell(deno)
        ));
    }
    out
}

fn short(text: &str) -> String {
    const MOST: usize = 600;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(['…']).collect()
}
