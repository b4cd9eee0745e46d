//! The tables of `docs/reference` that come from tables of the code. `cargo xtask schemas` writes them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fmt::Write as _;
use std::path::Path;

use marsh_repo::env::variables;
use marsh_types::KINDS;

/// Compares the first table of a page that has this header with the rows, or writes it.
fn page_equals(page: &str, header: &str, rows: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(page);
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, after) =
        text.split_once(header).unwrap_or_else(|| panic!("{page} lacks the table {header}"));
    let (_, rest) = after.split_once("\n\n").unwrap_or_else(|| panic!("{page} ends with its table"));
    let wanted = format!("{before}{header}{rows}\n{rest}");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        marsh_fs::atomic_write(&path, wanted.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
    } else {
        assert_eq!(text, wanted, "run `cargo xtask schemas`");
    }
}

#[test]
fn kinds_page_equals_the_table_of_kinds() {
    let mut rows = String::new();
    for row in &KINDS {
        let variable = row.source_dir.variable;
        let (export, directory) = (row.export, row.directory);
        let (fields, purpose) = (row.required_fields, row.purpose);
        writeln!(rows, "| `{export}` | `{directory}` | `{variable}` | {fields} | {purpose} |").unwrap();
    }
    let header = "| export | directory | moved by | required fields | purpose |\n|---|---|---|---|---|\n";
    page_equals("kinds.md", header, &rows);
}

#[test]
fn environment_page_equals_the_table_of_variables() {
    let mut rows = String::new();
    for variable in variables() {
        let fallback = variable.fallback.map_or(String::new(), |name| format!("`{name}`"));
        writeln!(rows, "| `{}` | {fallback} | {} |", variable.name, variable.meaning).unwrap();
    }
    page_equals("environment.md", "| name | also | meaning |\n|---|---|---|\n", &rows);
}
