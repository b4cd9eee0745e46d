//! marsh does what Deno did when it was recorded, but for the differences that are listed; and the comparison notices.

use std::collections::BTreeMap;
use std::path::PathBuf;

use marsh_conformance::cases::{self, Case, Outcome};
use marsh_conformance::compare::{self, Known};
use marsh_conformance::server::Servers;
use marsh_conformance::{deno, engine, report};
use marsh_types::EngineKind;
use serde_json::{Value, json};

#[test]
fn every_difference_from_deno_is_listed_and_every_listed_one_is_there() {
    let found = cases::find(None).unwrap();
    let servers = Servers::start().unwrap();
    let mut known = Known::read(EngineKind::Embedded).unwrap();
    let mut compared = Vec::new();
    for case in &found {
        let theirs = deno::recorded(case).unwrap();
        let ours = cases::scratch(|dir, module| engine::run(case, &servers, dir, module)).unwrap();
        compared.push(compare::compare(case, &ours, &theirs, &mut known));
    }
    let unlisted = report::differences(&compared).filter(|difference| difference.reason.is_none()).count();
    assert_eq!(unlisted, 0, "{}", report::text(&compared));
    assert_eq!(known.vanished(&found), Vec::<String>::new());
    let checks: usize = compared.iter().map(|case| case.checks).sum();
    assert!(checks >= 400, "{checks} checks");
}

fn outcome(name: &str, value: Value) -> Outcome {
    Outcome { name: name.to_owned(), value: Some(value), threw: None, code: None, message: None }
}

fn throws(name: &str, error: &str, code: &str) -> Outcome {
    let (threw, code) = (Some(error.to_owned()), Some(code.to_owned()));
    Outcome { name: name.to_owned(), value: None, threw, code, message: None }
}

fn case(area: &str) -> Case {
    Case { area: area.to_owned(), name: "x".to_owned(), path: PathBuf::new() }
}

fn differing(area: &str, marsh: &[Outcome], deno: &[Outcome], known: &mut Known) -> Vec<(String, bool)> {
    let compared = compare::compare(&case(area), marsh, deno, known);
    compared.differences.into_iter().map(|each| (each.check, each.reason.is_some())).collect()
}

#[test]
fn a_difference_is_found_whatever_it_is() {
    let mut known = Known::new(BTreeMap::new());
    let mut one =
        |area: &str, marsh: Outcome, deno: Outcome| differing(area, &[marsh], &[deno], &mut known).len();
    assert_eq!(one("web", outcome("a", json!(1)), outcome("a", json!(1))), 0);
    assert_eq!(one("web", outcome("a", json!(1)), outcome("a", json!(2))), 1);
    assert_eq!(one("web", outcome("a", json!(null)), throws("a", "TypeError", "")), 1);
    assert_eq!(one("web", outcome("a", json!(1)), outcome("b", json!(1))), 2, "each is missing on one side");
    assert_eq!(one("web", throws("a", "TypeError", "A"), throws("a", "TypeError", "B")), 0);
    assert_eq!(one("node", throws("a", "TypeError", "A"), throws("a", "TypeError", "B")), 1);
    let stuck = || outcome("a", json!({ "$": "never ends" }));
    assert_eq!(one("web", stuck(), stuck()), 1, "two that hang do not agree");
    assert_eq!(one("web", cases::broken(String::new()).remove(0), cases::broken(String::new()).remove(0)), 1);
}

#[test]
fn a_listed_difference_has_a_reason_and_one_that_vanished_is_named() {
    let listed = [
        ("web/x: a", "meant"),
        ("web/x: b*", "all of them"),
        ("web/x: gone", "was"),
        ("web/y: b", "other case"),
    ];
    let mut known = Known::new(listed.map(|(check, why)| (check.to_owned(), why.to_owned())).into());
    let names = ["a", "b1", "b2", "c"];
    let marsh = names.map(|name| outcome(name, json!(1)));
    let deno = names.map(|name| outcome(name, json!(2)));
    let found = differing("web", &marsh, &deno, &mut known);
    let found: Vec<_> = found.iter().map(|(check, listed)| (check.as_str(), *listed)).collect();
    assert_eq!(found, [("web/x: a", true), ("web/x: b1", true), ("web/x: b2", true), ("web/x: c", false)]);
    assert_eq!(known.vanished(&[case("web")]), ["web/x: gone"]);
}
