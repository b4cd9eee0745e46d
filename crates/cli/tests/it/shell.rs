//! The built-in `command/shell`.

use insta::assert_snapshot;
use marsh_testkit::{Run, Scratch};

use crate::support::repo;

fn shell(repo: &Scratch, more: &[&str]) -> Run {
    repo.marsh(&[&["model", "@command/shell", "method", "run", "execute", "s"], more].concat())
}

fn result(repo: &Scratch, name: &str) -> serde_json::Value {
    repo.marsh(&["--json", "data", "get", name, "result"]).ok().json()["content"].clone()
}

#[test]
fn a_command_line_runs_and_its_output_is_stored() {
    let repo = repo();
    let run = shell(&repo, &["--input", "run=echo out; echo err >&2"]).ok();
    assert_snapshot!(run.shown(), @r"
    s execute succeeded in [duration]
      result v1
        exitCode  0
        executedAt  [time]
        command  echo out; echo err >&2
        durationMs  [duration]
        stdout  out
        stderr  err
      log v1
        [stdout]
        out
        [stderr]
        err
    ");
    // Two pipes, so either line may come first.
    for line in ["│ out\n", "│ err\n"] {
        assert!(run.stderr.contains(line), "{}", run.stderr);
    }
    let stored = result(&repo, "s");
    assert_eq!(
        (&stored["exitCode"], &stored["stdout"], &stored["stderr"]),
        (&0.into(), &"out".into(), &"err".into())
    );
    let log = repo.marsh(&["data", "get", "s", "log"]).ok();
    assert!(log.stdout.ends_with("[stdout]\nout\n[stderr]\nerr\n"), "{:?}", log.stdout);
}

#[test]
fn a_failed_command_stores_nothing() {
    let repo = repo();
    assert_snapshot!(shell(&repo, &["--input", "run=echo lost; exit 7"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    s execute failed in [duration]
    ----- stderr -----
    created the definition s
    │ lost
    error: command exited with code 7
    ");
    assert_eq!(repo.marsh(&["--json", "data", "list", "s", "--type", "resource"]).ok().json()["total"], 0);
    repo.assert_sound();
}

#[test]
fn a_failed_command_is_stored_when_its_exit_code_is_ignored() {
    let repo = repo();
    shell(&repo, &["--input", "run=echo kept; exit 7", "--input", "ignoreExitCode=true"]).ok();
    let stored = result(&repo, "s");
    assert_eq!((&stored["exitCode"], &stored["stdout"]), (&7.into(), &"kept".into()));
}

#[test]
fn environment_and_working_directory() {
    let repo = repo();
    repo.write("sub/here.txt", "");
    let sub = repo.path("sub");
    let dir = format!("workingDir={}", sub.display());
    shell(&repo, &["--input", "run=ls; echo $GREETING", "--input", &dir, "--input", "env.GREETING=hi"]).ok();
    assert_eq!(result(&repo, "s")["stdout"], "here.txt\nhi");
}

#[test]
fn its_own_timeout_ends_the_command() {
    let repo = repo();
    let run = shell(&repo, &["--input", "run=sleep 60", "--input", "timeout=200"]).exits(1);
    assert_snapshot!(run.snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    s execute failed in [duration]
    ----- stderr -----
    created the definition s
    error: the command did not end within [duration]
    ");
    repo.assert_no_processes();
}

#[test]
fn the_timeout_of_the_run_ends_the_command() {
    let repo = repo();
    assert_snapshot!(shell(&repo, &["--input", "run=sleep 60", "--timeout", "200ms"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    s execute failed in [duration]
    ----- stderr -----
    created the definition s
    error: the command did not end within [duration]
    ");
    repo.assert_no_processes();
}

/// The command prints as fast as it can. The timeout ends it all the same, and memory, log and screen stay bounded.
#[test]
fn a_flood_of_output_ends_at_the_timeout() {
    let repo = repo();
    let run = shell(&repo, &["--input", "run=yes", "--timeout", "1s"]).exits(1);
    assert!(run.stderr.contains("error: the command did not end within 1000 ms"), "{}", tail(&run.stderr));
    assert!(run.stderr.len() < 64 << 20, "{}", run.stderr.len());
    repo.assert_no_processes();
    repo.assert_sound();
}

#[test]
fn an_endless_line_ends_at_the_timeout() {
    let repo = repo();
    let run = shell(&repo, &["--input", "run=tr '\\0' x < /dev/zero", "--timeout", "1s"]).exits(1);
    assert!(run.stderr.contains("error: the command did not end within 1000 ms"), "{}", tail(&run.stderr));
    assert!(run.stderr.len() < 16 << 20, "{}", run.stderr.len());
    repo.assert_no_processes();
}

#[test]
fn output_beyond_the_limit_is_counted_in_the_record() {
    let repo = repo();
    let run = shell(&repo, &["--quiet", "--input", "run=yes 0123456789 | head -c 9000000"]).ok();
    assert!(run.stderr.contains("dropped 611392 bytes of stdout"), "{}", tail(&run.stderr));
    let stored = result(&repo, "s");
    assert_eq!(stored["stdout"].as_str().unwrap().len(), 8 << 20);
    assert_eq!(stored["droppedBytes"], serde_json::json!({"stdout": 611_392, "stderr": 0}));
    let log = repo.marsh(&["data", "get", "s", "log"]).ok();
    let notice = "\n[marsh]\n`execute` dropped 611392 bytes of stdout beyond the limit of 8 MB";
    assert!(log.stdout.contains(notice), "{}", tail(&log.stdout));
}

/// The end of a text, for the message of a failed assertion.
fn tail(text: &str) -> &str {
    text.get(text.len().saturating_sub(600)..).unwrap_or_default()
}

#[test]
fn arguments_are_checked() {
    let repo = repo();
    assert_snapshot!(shell(&repo, &[]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    s execute failed in [duration]
    ----- stderr -----
    created the definition s
    error: arguments of `execute`: `run`: expected a command line
    ");
    assert_snapshot!(shell(&repo, &["--input", "run=true", "--input", "timeout=soon"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----
    s execute failed in [duration]
    ----- stderr -----
    error: arguments of `execute`: `timeout`: expected a whole number of milliseconds above zero
    ");
    assert_snapshot!(shell(&repo, &["--input", "rum=true"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: inputs of `execute`: `rum`: unknown argument of `execute` and of the type; did you mean `run`?
    ");
    let unknown =
        repo.marsh(&["model", "@command/shell", "method", "run", "exec", "s", "--input", "run=true"]);
    assert_snapshot!(unknown.snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `command/shell` has no method `exec`

    hint: did you mean `execute`?
    ");
}

#[test]
fn a_definition_holds_the_command() {
    let repo = repo();
    repo.marsh(&["model", "create", "command/shell", "hello"]).ok();
    let text = repo.read("models/command/shell/hello.yaml");
    let text =
        text.replace("methods: {}", "methods:\n  execute:\n    arguments:\n      run: echo ${{ self.name }}");
    repo.marsh_with_stdin(&["model", "edit", "hello"], &text).ok();
    repo.marsh(&["model", "method", "run", "hello", "execute"]).ok();
    assert_eq!(result(&repo, "hello")["stdout"], "hello");
}
