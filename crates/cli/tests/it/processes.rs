//! Processes: hosts that die, runs that are interrupted, parents that are killed. Nothing may be left running.

use insta::assert_snapshot;
use marsh_testkit::{Running, Scratch, kill, wait_for};

use crate::support::{method, model, repo, repo_running, run_args};

/// A method that says that it is there and then sleeps in a child process.
const SLEEPS: &str = r#"
    await context.writeResource("out", "started", {});
    await new Deno.Command("sleep", { args: ["60"] }).output();"#;

/// Starts it and waits until the child sleeps.
fn asleep(repo: &Scratch) -> Running {
    let running = repo.spawn(&run_args(&[]));
    wait_for("the child to sleep", || sleepers(repo).first().copied());
    running
}

fn sleepers(repo: &Scratch) -> Vec<u32> {
    let sleeping = repo.processes().into_iter().filter(|(_, command)| command.starts_with("sleep "));
    sleeping.map(|(pid, _)| pid).collect()
}

#[test]
fn a_host_that_is_killed_fails_its_run_only() {
    let repo = repo_running(SLEEPS);
    let running = asleep(&repo);
    let hosts = repo.hosts();
    assert_eq!(hosts.len(), 1, "{hosts:?}");
    kill(hosts[0]);
    let run = running.wait().exits(1);
    assert_snapshot!(run.snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
      started v1
    ----- stderr -----
    created the definition m
    error: the host process died (signal: 9 (SIGKILL))
    ");
    repo.assert_no_processes();
    repo.assert_sound();
    let record = repo.marsh(&["--json", "model", "output", "get", "m"]).ok().json();
    assert_eq!(record["status"], "failed");
    repo.marsh(&["data", "get", "m", "started"]).ok();
}

#[test]
fn ctrl_c_ends_the_run_and_its_children() {
    let repo = repo_running(SLEEPS);
    let running = asleep(&repo);
    let asked = std::time::Instant::now();
    running.interrupt();
    let run = running.wait().exits(130);
    // The promise is two seconds; the machine may be busy with other tests.
    assert!(asked.elapsed().as_secs() < 5, "{:?}", asked.elapsed());
    assert_snapshot!(run.snapshot(), @"
    success: false
    exit_code: 130
    ----- stdout -----
    m run cancelled in [duration]
      started v1
    ----- stderr -----
    created the definition m
    error: interrupted
    ");
    repo.assert_no_processes();
    repo.assert_sound();
    let record = repo.marsh(&["--json", "model", "output", "get", "m"]).ok().json();
    assert_eq!(record["status"], "cancelled");
}

#[test]
fn termination_is_like_ctrl_c_and_json_stays_one_document() {
    let repo = repo_running(SLEEPS);
    let running = repo.spawn(&[&["--json"], run_args(&[]).as_slice()].concat());
    wait_for("the child to sleep", || sleepers(&repo).first().copied());
    running.terminate();
    let run = running.wait().exits(130);
    assert_eq!(run.json()["status"], "cancelled");
    repo.assert_no_processes();
}

#[test]
fn an_interrupted_method_can_clean_up() {
    let repo = repo_running(
        r#"
        const aborted = new Promise((done) => context.signal.addEventListener("abort", done));
        await context.writeResource("out", "started", {});
        await aborted;
        await context.writeResource("out", "cleaned", {});
        "#,
    );
    let running = repo.spawn(&run_args(&[]));
    wait_for("the method to start", || {
        repo.files(".swamp/data").iter().any(|path| path.ends_with("started/latest")).then_some(())
    });
    running.interrupt();
    running.wait().exits(130);
    repo.marsh(&["data", "get", "m", "cleaned"]).ok();
}

#[test]
fn an_endless_loop_can_be_interrupted() {
    let repo = repo_running("await context.writeResource('out', 'started', {}); for (;;) {}");
    let running = repo.spawn(&run_args(&[]));
    wait_for("the method to start", || {
        repo.files(".swamp/data").iter().any(|path| path.ends_with("started/latest")).then_some(())
    });
    running.interrupt();
    running.wait().exits(130);
    repo.assert_no_processes();
}

#[test]
fn loading_can_be_interrupted() {
    let repo = repo();
    let mark = repo.path("loading");
    let source = format!(
        "{}\nDeno.writeTextFileSync({mark:?}, ''); await new Promise(() => {{}});\n",
        model("@me/x", &method("run", "return {};"))
    );
    repo.write("extensions/models/x.ts", source);
    let running = repo.spawn(&run_args(&[]));
    wait_for("the module to load", || mark.exists().then_some(()));
    running.interrupt();
    running.wait().exits(130);
    repo.assert_no_processes();
}

#[test]
fn a_killed_marsh_takes_its_host_and_children_along() {
    let repo = repo_running(SLEEPS);
    let mut running = asleep(&repo);
    running.kill();
    assert_eq!(running.wait().code, None);
    repo.assert_no_processes();
    repo.assert_sound();
    repo.marsh(&["data", "get", "m", "started"]).ok();
}

#[test]
fn children_that_a_method_leaves_behind_end_with_it() {
    let repo = repo_running("new Deno.Command('sleep', { args: ['60'] }).spawn();");
    repo.marsh(&run_args(&[])).ok();
    repo.assert_no_processes();
}

#[test]
fn a_timeout_ends_the_children_too() {
    let repo = repo_running(SLEEPS);
    repo.marsh(&run_args(&["--timeout", "1s"])).exits(1);
    repo.assert_no_processes();
}

#[test]
fn ctrl_c_ends_a_shell_command() {
    let repo = repo();
    let running = repo.spawn(&[
        "model",
        "@command/shell",
        "method",
        "run",
        "execute",
        "s",
        "--input",
        "run=sleep 60; echo never",
    ]);
    wait_for("the command to sleep", || sleepers(&repo).first().copied());
    running.interrupt();
    assert_snapshot!(running.wait().exits(130).snapshot(), @"
    success: false
    exit_code: 130
    ----- stdout -----
    s execute cancelled in [duration]
    ----- stderr -----
    created the definition s
    error: interrupted
    ");
    repo.assert_no_processes();
    assert_eq!(repo.marsh(&["--json", "data", "list", "s"]).ok().json()["total"], 0);
}
