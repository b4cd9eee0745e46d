//! The two ends of the worker process.

use std::time::{Duration, Instant};

use marsh_bundle::{BundleError, Worker, bundle_in_worker};

use crate::scratch::Scratch;

fn shell(script: &str) -> Worker {
    Worker::new("/bin/sh", ["-c", script])
}

fn run(worker: &Worker, timeout: Duration) -> BundleError {
    let scratch = Scratch::with(&[("a.ts", "")]);
    bundle_in_worker(worker, &scratch.request("a.ts"), timeout).unwrap_err()
}

#[test]
fn a_dead_worker_says_how_it_died() {
    match run(&shell("echo last words >&2; exit 3"), Duration::from_secs(20)) {
        BundleError::WorkerDied { status, stderr_tail } => {
            assert!(status.contains('3'), "{status}");
            assert_eq!(stderr_tail, "last words");
        }
        other => panic!("{other:?}"),
    }
    match run(&shell("kill -9 $$"), Duration::from_secs(20)) {
        BundleError::WorkerDied { status, .. } => assert!(status.contains("signal"), "{status}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_that_is_none_is_a_death() {
    let error = run(&shell("cat >/dev/null; echo '{\"bundled\": 1}'"), Duration::from_secs(20));
    assert!(matches!(error, BundleError::WorkerDied { .. }), "{error:?}");
}

#[test]
fn time_runs_out() {
    let start = Instant::now();
    let error = run(&shell("exec sleep 60"), Duration::from_millis(200));
    assert!(matches!(error, BundleError::Timeout { .. }), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_worker_that_is_ready_is_used_once() {
    let scratch = Scratch::with(&[("a.ts", "")]);
    let starts = scratch.path("starts");
    let answer = r#"{"io": {"path": "there", "message": "the request came"}}"#;
    let worker = shell(&format!("echo >> '{}'; cat > /dev/null; echo '{answer}'", starts.display()));
    let started = || std::fs::read_to_string(&starts).map_or(0, |text| text.len());
    let ask = || match bundle_in_worker(&worker, &scratch.request("a.ts"), Duration::from_secs(20)) {
        Err(BundleError::Io { source, .. }) => assert_eq!(source.to_string(), "the request came"),
        other => panic!("{other:?}"),
    };
    worker.make_ready();
    worker.make_ready();
    ask();
    assert_eq!(started(), 1);
    ask();
    assert_eq!(started(), 2);
}

#[test]
fn a_worker_that_died_as_it_waited_is_replaced() {
    let scratch = Scratch::with(&[("a.ts", "")]);
    let there = scratch.path("there");
    // The first one ends before anything is asked of it; later ones answer.
    let script = format!(
        "if mkdir '{}' 2> /dev/null; then exit 1; fi; cat > /dev/null; echo '{{\"io\": {{\"path\": \"p\", \"message\": \"m\"}}}}'",
        there.display()
    );
    let worker = shell(&script);
    worker.make_ready();
    let error = bundle_in_worker(&worker, &scratch.request("a.ts"), Duration::from_secs(20)).unwrap_err();
    assert!(matches!(error, BundleError::Io { .. }), "{error:?}");
}

#[test]
fn a_worker_that_cannot_start() {
    let error = run(&Worker::new("/nowhere/marsh", ["__bundle"]), Duration::from_secs(1));
    assert!(matches!(error, BundleError::Io { .. }), "{error:?}");
}

#[test]
fn an_output_directory_that_is_not_there() {
    let scratch = Scratch::with(&[("a.ts", "export const model = {};")]);
    let mut request = scratch.request("a.ts");
    request.out_dir = scratch.path("nowhere/out");
    let error = scratch.try_request(&request).unwrap_err();
    assert!(matches!(&error, BundleError::Io { path, .. } if path.starts_with(scratch.root())), "{error:?}");
}
