//! Random expressions against a second implementation of marsh's expression language: the npm package that `PACKAGE` names,
//! under Deno.
//!
//! Where the two differ, the difference is listed here with its reason, and in `docs/reference/expressions.md`. Deno and the package
//! are installed by npm, which knows the registry; without them the test fails and says so. `CEL_SEED` and `CEL_COUNT` in
//! the environment choose other expressions and how many.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use marsh_expr::{Cel, Evaluated, Evaluator, Variables};
use marsh_types::Explain;
use serde_json::{Number, Value as Json, json};

#[path = "../../expr/tests/support/generate.rs"]
mod generate;
use generate::{CONTEXT, Generator};

const PACKAGE: &str = "@marcbachmann/cel-js";
const VERSION: &str = "7.6.1";

#[derive(Debug, PartialEq)]
enum Outcome {
    Value(Json),
    /// NaN or an infinity, for which there is no JSON.
    NotFinite,
    Error(String),
}

/// A difference that is meant.
struct Difference {
    reason: &'static str,
    is: fn(&str, &Outcome, &Outcome) -> bool,
}

fn fails(outcome: &Outcome, code: &str) -> bool {
    matches!(outcome, Outcome::Error(found) if found.contains(code))
}

fn gives(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Error(_))
}

const DIFFERENCES: [Difference; 9] = [
    Difference {
        reason: "integers have 64 bits; there, unary minus, division and int() are not checked",
        is: |_, ours, theirs| fails(ours, "expression_arithmetic") && gives(theirs),
    },
    Difference {
        reason: "int('') is an error; there it is 0",
        is: |_, ours, theirs| fails(ours, "\"\" is no") && gives(theirs),
    },
    Difference {
        reason: "an element of another type than the first ones is an element; there it is refused",
        is: |_, ours, theirs| gives(ours) && fails(theirs, "_type_mismatch"),
    },
    Difference {
        reason: "split('') is into characters; there, into halves of some",
        is: |expression, ours, theirs| {
            let splits = ["split('')", "split(inputs.e)"].iter().any(|split| expression.contains(split));
            splits && gives(ours) && gives(theirs)
        },
    },
    Difference {
        reason: "bytes, unsigned integers and times have no fields; there, `.?` finds none in them",
        is: |_, ours, theirs| fails(ours, "has no fields or elements") && gives(theirs),
    },
    Difference {
        reason: "macros go over lists and maps; there, over other objects too, as if they were empty",
        is: |_, ours, theirs| fails(ours, "goes over a list or a map") && gives(theirs),
    },
    Difference {
        reason: "a length and a time make a time; there, what is a length to the type checker",
        is: |_, ours, theirs| {
            let mixed = fails(ours, "timestamp") && fails(ours, "duration");
            let typed = ["Timestamp", "Duration", "mix BigInt"].iter().any(|word| fails(theirs, word));
            (mixed && gives(theirs)) || (gives(ours) && typed)
        },
    },
    Difference {
        reason: "what an empty list or optional would hold has any type; there, the checker trips over it",
        is: |_, ours, theirs| {
            gives(ours)
                && ["overlaps with", "'undefined'", "is not a function"]
                    .iter()
                    .any(|word| fails(theirs, word))
        },
    },
    Difference {
        reason: "the text of a time; there, there is none",
        is: |expression, ours, theirs| {
            gives(ours) && fails(theirs, "no_matching_overload") && expression.contains("string(")
        },
    },
];

#[test]
fn random_expressions_give_what_they_give_elsewhere() {
    let number = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
    };
    let (seed, count) = (number("CEL_SEED", 20_261_125), number("CEL_COUNT", 4_000));
    let mut generator = Generator::new(seed);
    let expressions: Vec<String> = (0..count).map(|_| generator.any()).collect();
    let theirs = second(&expressions);
    let context: Json = serde_json::from_str(CONTEXT).unwrap();
    let scope = Variables::new().with("inputs", context["inputs"].clone());
    let (mut values, mut unlisted) = (0, Vec::new());
    let mut listed = [0; DIFFERENCES.len()];
    for (expression, theirs) in expressions.iter().zip(&theirs) {
        let ours = match Cel::default().evaluate(expression, &scope).and_then(|value| Evaluated::of(&value)) {
            Ok(evaluated) => Outcome::Value(evaluated.value),
            Err(error) if error.code().as_str() == "expression_not_finite" => Outcome::NotFinite,
            Err(error) => Outcome::Error(format!("{}: {error}", error.code().as_str())),
        };
        let same = match (&ours, theirs) {
            (Outcome::Error(_), Outcome::Error(_)) => true,
            (ours, theirs) => *ours == *theirs,
        };
        if same {
            values += usize::from(gives(&ours));
            continue;
        }
        match DIFFERENCES.iter().position(|known| (known.is)(expression, &ours, theirs)) {
            Some(known) => listed[known] += 1,
            None => unlisted.push(format!("{expression}\n  here {ours:?}\n  there {theirs:?}")),
        }
    }
    println!("seed {seed}: {count} expressions, {values} with one value in both");
    for (known, count) in DIFFERENCES.iter().zip(listed) {
        println!("{count}: {}", known.reason);
    }
    assert!(
        unlisted.is_empty(),
        "{} differences:\n{}",
        unlisted.len(),
        unlisted[..unlisted.len().min(12)].join("\n")
    );
    assert!(
        values * 2 > expressions.len(),
        "{values} of {count} have a value: the generator is of little use"
    );
}

/// What the second implementation says.
fn second(expressions: &[String]) -> Vec<Outcome> {
    let deno = marsh_bench::deno::find(None).unwrap_or_else(|error| panic!("{error}"));
    let library = package();
    let dir = tempfile::tempdir().unwrap();
    let (given, answers) = (dir.path().join("given.json"), dir.path().join("answers.json"));
    let context: Json = serde_json::from_str(CONTEXT).unwrap();
    let text = json!({"context": context, "expressions": expressions}).to_string();
    marsh_fs::atomic_write(&given, text.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
    let output = Command::new(deno)
        .args(["run", "--allow-all", "--quiet", "--no-config", "--no-lock", "--no-remote", "--no-npm"])
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cel.mjs"))
        .arg(format!("file://{}", library.display()))
        .args([&given, &answers])
        .env("NO_COLOR", "1")
        .env("TZ", "UTC")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let results: Vec<Json> = serde_json::from_slice(&std::fs::read(&answers).unwrap()).unwrap();
    assert_eq!(results.len(), expressions.len());
    results.iter().map(outcome).collect()
}

fn outcome(result: &Json) -> Outcome {
    match result {
        Json::Object(map) if map.contains_key("value") => Outcome::Value(decode(&map["value"])),
        Json::Object(map) if map.contains_key("notFinite") => Outcome::NotFinite,
        _ => Outcome::Error(format!("{}: {}", result["error"], result["message"])),
    }
}

fn decode(encoded: &Json) -> Json {
    if let Some(items) = encoded.get("list").and_then(Json::as_array) {
        return items.iter().map(decode).collect();
    }
    if let Some(map) = encoded.get("map").and_then(Json::as_object) {
        return Json::Object(map.iter().map(|(key, item)| (key.clone(), decode(item))).collect());
    }
    if let Some(text) = encoded.get("number").and_then(Json::as_str) {
        return text.parse::<Number>().map_or_else(|_| Json::from(text), Json::Number);
    }
    encoded["plain"].clone()
}

/// The library's entry, installed by npm into the cache where Deno is too.
fn package() -> PathBuf {
    let deno = marsh_bench::deno::find(None).unwrap_or_else(|error| panic!("{error}"));
    let cache = deno.ancestors().find(|dir| dir.ends_with("marsh-bench")).map_or_else(
        || std::env::temp_dir().join("marsh-bench-cel"),
        |dir| dir.join(format!("cel-js-{VERSION}")),
    );
    let entry = cache.join("node_modules").join(PACKAGE).join("lib").join("index.js");
    if entry.is_file() {
        return entry;
    }
    marsh_fs::create_dir_all(&cache).unwrap();
    let package = format!("{PACKAGE}@{VERSION}");
    let output = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
        .arg(&cache)
        .arg(&package)
        .output();
    let said = match output {
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(entry.is_file(), "no second implementation: `npm install {package}` does not work: {said}");
    entry
}
