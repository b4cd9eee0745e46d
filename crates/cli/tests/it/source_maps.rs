//! Errors of bundled TypeScript name the file, line and column that their author wrote.

use std::path::Path;

use marsh_extension::kinds::{CallOptions, DatastoreExtension, DriverExtension, KindError};
use marsh_host_client::NoCallbacks;
use marsh_testkit::Scratch;
use marsh_types::{Explain as _, TypeName};
use serde_json::{Map, Value, json};

use crate::kinds_serving::{hosts, serving};
use crate::support::{OUTPUTS, method, model, repo, run_args};

const HELPER: &str = "// A comment that the bundler drops.
interface Wanted {
  name: string;
  /** Never read. */
  size?: number;
}

export const check = (wanted: Wanted): number => {
  if (wanted.size === undefined) {
    throw new RangeError(`no size for ${wanted.name}`);
  }
  return wanted.size;
};
";

fn written() -> Scratch {
    let repo = repo();
    repo.write("extensions/models/lib/check.ts", HELPER);
    let methods = "methods: {\n  run: {\n    description: 'd',\n    arguments: z.object({}),\n    execute: async () => {\n      const size: number = check({ name: 'disk' });\n      return {};\n    },\n  },\n},";
    let source = format!("import {{ check }} from './lib/check.ts';\n{}", model("@me/x", methods));
    repo.write("extensions/models/x.ts", source);
    repo
}

#[test]
fn an_error_points_at_the_line_that_threw_it() {
    let repo = written();
    let run = repo.marsh(&run_args(&[])).exits(1);
    for line in [
        "error: RangeError: no size for disk\n  --> extensions/models/lib/check.ts:10:",
        "\n10 |     throw new RangeError(`no size for ${wanted.name}`);\n",
    ] {
        assert!(run.stderr.contains(line), "{}", run.stderr);
    }
}

#[test]
fn its_stack_is_that_of_the_sources() {
    let repo = written();
    let run = repo.marsh(&run_args(&["--json"])).exits(1);
    let error = &run.json()["error"]["details"];
    assert_eq!((&error["file"], &error["line"]), (&"extensions/models/lib/check.ts".into(), &10.into()));
    let stack = error["stack"].as_str().unwrap();
    let frames: Vec<&str> = stack.lines().map(str::trim).collect();
    assert!(frames[0].starts_with("at check (extensions/models/lib/check.ts:10:"), "{stack}");
    assert!(frames[1].contains("(extensions/models/x.ts:"), "{stack}");
    assert!(!stack.contains("bundle.js"), "{stack}");
}

#[test]
fn an_error_at_the_top_of_a_module_is_found_too() {
    let repo = repo();
    let text = "type Never = { a: string };\n\nconst wrong = JSON.parse(\"{\") as Never;\n";
    repo.write("extensions/models/x.ts", format!("{text}{}", model("@me/x", "methods: {}, wrong,")));
    let run = repo.marsh(&run_args(&[])).exits(1);
    assert!(run.stderr.contains("extensions/models/x.ts:3:"), "{}", run.stderr);
}

/// What is shown is what ran, though the file has changed since.
#[test]
fn the_line_shown_is_the_one_that_ran() {
    let repo = written();
    let script = format!(
        "import {{ z }} from 'npm:zod@4.3.6';\n{}",
        "export const model = { type: '@me/x', version: '2026.01.01.1', methods: { run: { description: 'd', arguments: z.object({}), execute: async () => {\n  await Deno.writeTextFile(new URL('PATH'), 'changed');\n  throw new Error('after the change');\n} } } };\n"
            .replace("PATH", &format!("file://{}", repo.path("extensions/models/x.ts").display()))
    );
    repo.write("extensions/models/x.ts", script);
    let run = repo.marsh(&run_args(&[])).exits(1);
    assert!(run.stderr.contains("4 |   throw new Error('after the change');"), "{}", run.stderr);
}

/// A file of each other kind. What throws in them is the helper's line 10.
fn thrower(kind: &str, text: &str) -> Scratch {
    let repo = repo();
    repo.write(&format!("extensions/{kind}s/lib/check.ts"), HELPER);
    let head = "import { check } from './lib/check.ts';\ninterface Unused {\n  a: string;\n}\n";
    repo.write(&format!("extensions/{kind}s/x.ts"), format!("{head}{text}"));
    repo
}

/// The details of an error of an extension of a kind, which tell the helper's line and the way to it.
fn assert_told(details: &Value, kind: &str) {
    let file = format!("extensions/{kind}s/lib/check.ts");
    assert_eq!((&details["file"], &details["line"]), (&json!(file), &json!(10)), "{details}");
    assert_eq!(details["sourceLine"], "    throw new RangeError(`no size for ${wanted.name}`);");
    let stack = details["stack"].as_str().unwrap();
    assert!(stack.contains(&format!("extensions/{kind}s/x.ts:")) && !stack.contains("bundle.js"), "{stack}");
}

fn loaded_error<T: std::fmt::Debug>(result: Result<T, KindError>, kind: &str) {
    let error = result.unwrap_err();
    assert!(error.to_string().contains("no size for disk"), "{error}");
    assert_told(&error.details().unwrap(), kind);
}

#[test]
fn an_error_of_a_vault_points_at_its_line() {
    let provider =
        "{ get: () => check({ name: 'disk' }), put: () => {}, list: () => ['a'], getName: () => 'v' }";
    let text = format!(
        "export const vault = {{\n  type: '@me/x', name: 'X', description: 'd',\n  createProvider: () => ({provider}),\n}};\n"
    );
    let repo = thrower("vault", &text);
    repo.marsh(&["vault", "create", "@me/x", "main"]).ok();
    let read = |more: &[&str]| repo.marsh(&[more, &["vault", "read-secret", "main", "a"]].concat()).exits(1);
    assert_told(&read(&["--json"]).error()["details"], "vault");
    let told = read(&[]).stderr;
    assert!(told.contains("--> extensions/vaults/lib/check.ts:10:"), "{told}");
    assert!(told.contains("\n10 |     throw new RangeError(`no size for ${wanted.name}`);\n"), "{told}");
}

/// What a vault's code attaches to an error may be a secret of another name, which nothing can mask.
#[test]
fn what_a_vault_attaches_to_its_error_is_not_told() {
    let get = "() => { throw Object.assign(new Error('no'), { data: { held } }); }";
    let text = format!(
        "const held = ['c4n', '4ry'].join('');\nexport const vault = {{ type: '@me/x', name: 'X', description: 'd', \
         createProvider: () => ({{ get: {get}, put: () => {{}}, list: () => ['a'], getName: () => 'v' }}) }};\n"
    );
    let repo = thrower("vault", &text);
    repo.marsh(&["vault", "create", "@me/x", "main"]).ok();
    let read = repo.marsh(&["--json", "vault", "read-secret", "main", "a"]).exits(1);
    assert_eq!(read.error()["details"]["file"], "extensions/vaults/x.ts");
    assert!(!format!("{}{}", read.stdout, read.stderr).contains("c4n4ry"), "{}", read.stdout);
}

#[test]
fn an_error_of_a_report_points_at_its_line() {
    let text = "export const report = {\n  name: '@me/about', description: 'd', scope: 'method',\n  execute: () => check({ name: 'disk' }),\n};\n";
    let repo = thrower("report", text);
    let run = method("run", "await context.writeResource('out', 'said', { word: 'hello' });");
    repo.write("extensions/models/x.ts", model("@me/x", &format!("reports: ['@me/about'], {OUTPUTS} {run}")));
    let document = repo.marsh(&run_args(&["--json"])).exits(1).json();
    assert_told(&document["reports"]["@me/about"]["error"]["details"], "report");
    let told = repo.marsh(&["report", "run", "@me/about", "m"]).exits(1).stdout;
    assert!(told.contains("--> extensions/reports/lib/check.ts:10:"), "{told}");
}

#[test]
fn an_error_of_a_driver_points_at_its_line() {
    let text = "export const driver = {\n  type: '@me/x', name: 'X', description: 'd',\n  createDriver: () => ({ type: '@me/x', execute: async () => check({ name: 'disk' }) }),\n};\n";
    let repo = thrower("driver", text);
    let loader = serving(&repo, &hosts(&repo));
    let name = TypeName::parse("@me/x").unwrap();
    let driver = DriverExtension::open(&loader, &name, &Map::new()).unwrap();
    let request = json!({ "protocolVersion": 1, "methodName": "go", "bundle": "AAEC" });
    loaded_error(driver.execute(request, &CallOptions::default(), &NoCallbacks), "driver");
}

#[test]
fn an_error_of_a_datastore_points_at_its_line() {
    let text = "export const datastore = {\n  type: '@me/x', name: 'X', description: 'd',\n  createProvider: () => ({\n    createLock: () => ({}), createVerifier: () => ({ verify: () => check({ name: 'disk' }) }),\n    resolveDatastorePath: () => check({ name: 'disk' }), createSyncService: () => ({}),\n  }),\n};\n";
    let repo = thrower("datastore", text);
    let loader = serving(&repo, &hosts(&repo));
    let name = TypeName::parse("@me/x").unwrap();
    let store = DatastoreExtension::open(&loader, &name, &Map::new()).unwrap();
    loaded_error(store.verify(), "datastore");
    loaded_error(store.resolve_path(Path::new("/r")), "datastore");
}
