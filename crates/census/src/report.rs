//! The table, the exceptions and the comparison.

use std::collections::BTreeMap;

use crate::entry::Row;

/// Counts by group, then every exception by name and cause.
pub fn table(rows: &[Row]) -> String {
    let mut groups: BTreeMap<(String, &str), Vec<&Row>> = BTreeMap::new();
    for row in rows {
        let origin = if row.generated { "generated" } else { "hand-written" };
        groups.entry((row.kind.to_string(), origin)).or_default().push(row);
        groups.entry(("all".into(), origin)).or_default().push(row);
    }
    let mut text = String::from(
        "| kind | origin | entries | literal | bundled | loaded | described | works | bundle ms p50 | load ms p50 | heap MB p50 |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for ((kind, origin), group) in &groups {
        let count = |test: fn(&Row) -> bool| group.iter().filter(|row| test(row)).count();
        let works = count(Row::works);
        text.push_str(&format!(
            "| {kind} | {origin} | {} | {} | {} | {} | {} | {works} ({:.1} %) | {} | {} | {:.1} |\n",
            group.len(),
            count(|row| row.literal),
            count(|row| row.bundled),
            count(|row| row.loaded),
            count(|row| row.described),
            percent(works, group.len()),
            median(group.iter().map(|row| row.bundle_ms)),
            median(group.iter().map(|row| row.load_ms)),
            megabytes(median(group.iter().map(|row| row.heap_bytes))),
        ));
    }
    let described: Vec<&Row> = rows.iter().filter(|row| row.described).collect();
    let sum = |count: fn(&Row) -> usize| described.iter().map(|row| count(row)).sum::<usize>();
    text.push_str(&format!(
        "\nindex and code: {} entry points compared, {} facts agree, {} left to the code, {} disagree\n",
        described.len(),
        sum(|row| row.compared),
        sum(|row| row.left_to_code),
        sum(|row| row.disagreements.len()),
    ));
    for row in &described {
        for difference in &row.disagreements {
            text.push_str(&format!("  {}: {difference}\n", row.path));
        }
    }
    let failures: Vec<&Row> = rows.iter().filter(|row| !row.works()).collect();
    if !failures.is_empty() {
        text.push_str(&format!("\n{} exceptions\n", failures.len()));
        for row in failures {
            let cause = row.error.as_deref().unwrap_or("its kind is not among its exports");
            text.push_str(&format!("  {}: {}\n", row.path, cause.lines().next().unwrap_or_default()));
        }
    }
    text
}

/// What works now and did not, and the other way round.
pub fn comparison(before: &[Row], after: &[Row]) -> String {
    let before: BTreeMap<&str, &Row> = before.iter().map(|row| (row.path.as_str(), row)).collect();
    let mut text = String::new();
    for row in after {
        let then = before.get(row.path.as_str()).map(|row| row.works());
        match (then, row.works()) {
            (Some(false), true) => text.push_str(&format!("+ {}\n", row.path)),
            (Some(true), false) => {
                text.push_str(&format!("- {}: {}\n", row.path, row.error.as_deref().unwrap_or_default()));
            }
            _ => {}
        }
    }
    if text.is_empty() { "\nnothing changed\n".into() } else { format!("\nchanges\n{text}") }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage for reading")]
fn percent(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "a size for reading")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.filter(|value| *value > 0).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}
