//! `marsh-census run`: one method of each extension of a plan, end to end with the real binary, against local stubs.
//!
//! ```sh
//! cargo build --release -p marsh -p marsh-census
//! target/release/marsh-census run --plan crates/census/plans/webframp.yaml CHECKOUT [--match TEXT] [--verbose]
//! ```
//!
//! A case passes when marsh ends with exit code 0, prints no warning (it warns of a result that the extension's own
//! schema refuses), the result holds what the plan expects, and every route of the stub was asked and nothing else was.
//! Nothing is written into the checkout.

mod case;
mod expect;
pub mod plan;
pub mod stub;

use std::collections::BTreeSet;
use std::path::PathBuf;

use self::case::Setting;
use self::plan::{Case, Plan};

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Options {
    pub checkout: PathBuf,
    pub plan: PathBuf,
    pub matching: Option<String>,
    pub marsh: PathBuf,
    pub loud: bool,
}

/// Runs the plan and prints its table; false when a case failed.
pub fn run(options: &Options) -> Result<bool, String> {
    let plan = Plan::read(&options.plan)?;
    // Packages are fetched once per tool, not once per case; what is cached depends on nothing in a case.
    let cache = options.marsh.with_file_name("census-cache");
    let setting =
        Setting { marsh: &options.marsh, checkout: &options.checkout, cache: &cache, loud: options.loud };
    let wanted = |text: &str| options.matching.as_deref().is_none_or(|part| text.contains(part));
    println!("`{}` at `{}`\n", plan.repository, plan.commit);
    println!("| extension | family | method | stub | result |\n|---|---|---|---|---|");
    let (mut passed, mut failed) = (0, 0);
    let (mut extensions, mut families) = (BTreeSet::new(), BTreeSet::new());
    for case in &plan.cases {
        if !wanted(&format!("{} {} {} {}", case.extension, case.type_name, case.method, case.family)) {
            continue;
        }
        let result = match case::run(&setting, case) {
            Ok(done) => {
                passed += 1;
                extensions.insert(&case.type_name);
                families.insert(&case.family);
                let version =
                    if done.version.is_empty() { String::new() } else { format!(" {}", done.version) };
                format!("ok{version}, {} ms: {}", done.ms, done.summary)
            }
            Err(error) => {
                failed += 1;
                format!("**failed**: {}", error.replace('\n', " ").replace('|', "\\|"))
            }
        };
        let Case { type_name, family, method, stub, .. } = case;
        println!("| `{type_name}` | {family} | `{method}` | {stub} | {result} |");
    }
    println!(
        "\n{passed} passed, {failed} failed; {} extensions, {} families",
        extensions.len(),
        families.len()
    );
    Ok(failed == 0)
}
