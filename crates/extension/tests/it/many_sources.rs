//! Sources are read on several threads when there are many; nothing else depends on how many there are.

use marsh_extension::TypeCatalog;
use marsh_fs::Durability;

const FILES: usize = 300;

#[test]
fn catalog_of_many_sources_has_each_type_once_in_order_and_each_problem() {
    let top = tempfile::tempdir().unwrap();
    let repo = marsh_repo::init(top.path(), "1", false).unwrap().repo;
    let dir = top.path().join("extensions/models");
    marsh_fs::create_dir_all(&dir).unwrap();
    let write = |number: usize, version: &str| {
        let text = match number {
            77 => "export const model = {".to_owned(),
            _ => format!(
                "export const model = {{ type: '@me/m{number:03}', version: '{version}', methods: {{}} }};\n"
            ),
        };
        let path = dir.join(format!("m{number:03}.ts"));
        marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Atomic).unwrap();
    };
    (0..FILES).for_each(|number| write(number, "2026.01.01.1"));
    let names = |catalog: &TypeCatalog| -> Vec<String> {
        catalog.types.iter().map(|indexed| indexed.raw.clone()).collect()
    };
    let expected: Vec<String> =
        (0..FILES).filter(|number| *number != 77).map(|number| format!("@me/m{number:03}")).collect();
    let cold = TypeCatalog::load(&repo).unwrap();
    assert_eq!(names(&cold), expected);
    let problems: Vec<_> = cold.problems.iter().map(|problem| problem.path.clone()).collect();
    assert_eq!(problems, [dir.join("m077.ts")]);
    // With the index that the first reading left, and one file that has changed since.
    write(150, "2026.02.01.1");
    let warm = TypeCatalog::load(&repo).unwrap();
    assert_eq!(names(&warm), expected);
    let version = |catalog: &TypeCatalog| catalog.types[149].version.clone();
    assert_eq!((version(&cold), version(&warm)), (Some("2026.01.01.1".into()), Some("2026.02.01.1".into())));
}
