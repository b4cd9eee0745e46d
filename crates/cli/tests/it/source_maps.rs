//! Errors of bundled TypeScript name the file, line and column that their author wrote.

use crate::support::{model, repo, run_args};

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

fn written() -> marsh_testkit::Scratch {
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
