//! Extension code that misbehaves while it runs. Every case fails its own run with a message that says why, leaves
//! nothing half-written or running, and does not spoil the next run.

use insta::assert_snapshot;
use marsh_testkit::{Run, Scratch};

use crate::support::{OUTPUTS, method, model, repo, repo_running, run_args};

/// Runs a body that must fail with exit code 1; then the same repository runs a good one.
#[track_caller]
fn fails(body: &str, more: &[&str]) -> Run {
    let repo = repo_running(body);
    let run = repo.marsh(&run_args(more)).exits(1);
    recovers(&repo);
    run
}

#[track_caller]
fn recovers(repo: &Scratch) {
    repo.assert_no_processes();
    repo.assert_sound();
    let good = format!("{OUTPUTS} {}", method("run", "await context.writeResource('out', 'good', {});"));
    repo.write("extensions/models/x.ts", model("@me/x", &good));
    repo.marsh(&run_args(&[])).ok();
}

#[test]
fn an_endless_loop() {
    assert_snapshot!(fails("for (;;) {}", &["--timeout", "1s"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: the call did not end within 1 s

    hint: `--timeout` sets how long a method may run
    ");
}

#[test]
fn an_endless_loop_of_microtasks() {
    let run =
        fails("const again = () => Promise.resolve().then(again); await again();", &["--timeout", "1s"]);
    assert!(run.stderr.contains("did not end within 1 s"), "{}", run.stderr);
}

#[test]
fn a_promise_that_never_resolves() {
    assert_snapshot!(fails("await new Promise(() => {});", &["--timeout", "1s"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: the call did not end within 1 s

    hint: `--timeout` sets how long a method may run
    ");
}

#[test]
fn a_timer_that_never_ends() {
    let run = fails("await new Promise((done) => setTimeout(done, 3_600_000));", &["--timeout", "1s"]);
    assert!(run.stderr.contains("did not end within 1 s"), "{}", run.stderr);
}

#[test]
fn a_method_that_catches_everything_still_ends() {
    let run = fails("for (;;) { try { for (;;) {} } catch {} finally { continue; } }", &["--timeout", "1s"]);
    assert!(run.stderr.contains("did not end within 1 s"), "{}", run.stderr);
}

#[test]
fn exit_is_refused() {
    assert_snapshot!(fails("Deno.exit(3);", &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: extension called Deno.exit(3)
    ");
}

#[test]
fn an_unhandled_rejection() {
    let body =
        "Promise.reject(new Error('nobody listens')); await new Promise((done) => setTimeout(done, 50));";
    assert_snapshot!(fails(body, &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: a promise was rejected and nothing handled it: nobody listens
     --> extensions/models/x.ts:8:20
      |
    8 | Promise.reject(new Error('nobody listens')); await new Promise((done) => setTimeout(done, 50));
      |                    ^
    ");
}

#[test]
fn two_gigabytes_of_bytes() {
    let body = "const all = []; for (let i = 0; i < 2048; i++) all.push(new Uint8Array(1 << 20).fill(1)); console.log(all.length);";
    assert_snapshot!(fails(body, &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: InternalError: out of memory
     --> extensions/models/x.ts:8:77
      |
    8 | const all = []; for (let i = 0; i < 2048; i++) all.push(new Uint8Array(1 << 20).fill(1)); console.log(all.length);
      |                                                                             ^
    ");
}

#[test]
fn two_gigabytes_of_text() {
    let body = "const all = []; for (let i = 0; ; i++) all.push(('x' + i).repeat(1 << 20));";
    let run = fails(body, &[]);
    assert!(run.stderr.contains("memory"), "{}", run.stderr);
}

#[test]
fn deep_recursion() {
    assert_snapshot!(fails("const down = (n) => down(n + 1) + 1; down(0);", &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: RangeError: Maximum call stack size exceeded
     --> extensions/models/x.ts:8:30
      |
    8 | const down = (n) => down(n + 1) + 1; down(0);
      |                              ^
    ");
}

#[test]
fn a_throw_shows_its_message() {
    assert_snapshot!(fails("throw new TypeError('the server said no');", &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: TypeError: the server said no
     --> extensions/models/x.ts:8:11
      |
    8 | throw new TypeError('the server said no');
      |           ^
    ");
    let run = fails("throw 'just text';", &[]);
    assert!(run.stderr.contains("just text"), "{}", run.stderr);
    fails("throw undefined;", &[]);
}

/// A `fetch` that fails must say why: the cause chain is the only clue that a user has.
#[test]
fn a_cause_is_shown() {
    let run = fails("throw new Error('could not sync', { cause: new Error('connection refused') });", &[]);
    assert!(run.stderr.contains("could not sync"), "{}", run.stderr);
}

#[test]
fn what_was_written_before_a_throw_is_whole() {
    let repo = repo_running(
        r#"
        await context.writeResource("out", "first", { n: 1 });
        const lines = context.createFileWriter("blob", "second");
        await lines.writeLine("half");
        throw new Error("in the middle");
        "#,
    );
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(1).json();
    assert_eq!(run["dataArtifacts"][0]["name"], "first", "the run says what it stored before it failed");
    let summary = &run["reports"]["@swamp/method-summary"]["json"];
    assert_eq!(summary["dataProduced"][0]["name"], "first", "and so does its summary");
    repo.assert_sound();
    let list = repo.marsh(&["--json", "data", "list", "m", "--type", "resource"]).ok().json();
    assert_eq!(list["total"], 1);
    recovers(&repo);
}

#[test]
fn a_flood_of_output_is_survived() {
    let repo = repo_running(
        "const line = 'x'.repeat(1 << 10); for (let i = 0; i < 100 * 1024; i++) console.log(line);",
    );
    let run = repo.marsh(&[run_args(&[]).as_slice(), &["--quiet"]].concat());
    assert!(matches!(run.code, Some(0 | 1)), "{:?}", run.code);
    recovers(&repo);
}

/// Standard output carries the protocol between marsh and the host; code that writes to it must not break that.
#[test]
fn writing_to_standard_output_does_not_break_the_protocol() {
    let repo = repo_running(
        r#"
        const noise = new TextEncoder().encode('{"jsonrpc":"2.0","id":1,"result":null}\nnot json\n');
        Deno.stdout.writeSync(noise);
        await Deno.stdout.write(noise);
        console.log('{"jsonrpc":"2.0","id":1,"result":{"handles":[]}}');
        await new Deno.Command("sh", { args: ["-c", "echo child; echo '{}' >&1"], stdout: "inherit" }).spawn().status;
        await context.writeResource("out", "a", { done: true });
        "#,
    );
    let run = repo.marsh(&run_args(&[])).ok();
    assert!(run.stdout.contains("done  true"), "{}", run.snapshot());
}

#[test]
fn a_top_level_that_throws() {
    let repo = repo();
    let source = model("@me/x", &method("run", "return {};")) + "throw new Error('not today');\n";
    repo.write("extensions/models/x.ts", source);
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot load [repo]/extensions/models/x.ts: not today
     --> extensions/models/x.ts:9:11
      |
    9 | throw new Error('not today');
      |           ^
    ");
    recovers(&repo);
}

/// `--timeout` covers loading too; without it, loading has half a minute.
#[test]
fn a_top_level_that_never_ends() {
    let repo = repo();
    let source = model("@me/x", &method("run", "return {};")) + "for (;;) {}\n";
    repo.write("extensions/models/x.ts", source);
    assert_snapshot!(repo.marsh(&run_args(&["--timeout", "1s"])).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: cannot load [repo]/extensions/models/x.ts: the module did not finish loading within 1 s
    ");
    recovers(&repo);
}

#[test]
fn wrong_return_values() {
    for body in [
        "return 7;",
        "return { dataHandles: 'all' };",
        "return { dataHandles: [{ name: 'forged' }] };",
        "return null;",
    ] {
        let repo = repo_running(body);
        let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat());
        assert!(matches!(run.code, Some(0 | 1)), "{body}: {}", run.snapshot());
        run.json();
    }
}

#[test]
fn data_without_a_json_form() {
    let run = fails("const loop = {}; loop.self = loop; await context.writeResource('out', 'a', loop);", &[]);
    assert!(run.stderr.contains("circular"), "{}", run.stderr);
    let run = fails("await context.writeResource('out', 'a', { n: 1n });", &[]);
    assert!(run.stderr.to_lowercase().contains("bigint"), "{}", run.stderr);
}
