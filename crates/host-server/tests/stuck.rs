//! Hosts that do not answer.

// cfg: the tests use pidfds, signals and /proc
#![cfg(target_os = "linux")]

mod common;

use std::time::{Duration, Instant};

use common::{INITIALIZED, Recorder, Scratch, forger, run};
use marsh_host_client::HostError;

const DEADLINE: Duration = Duration::from_secs(1);
/// The deadline, the 2 s after it, and what a busy machine takes; the load limit of 30 s would show.
const MOST: Duration = Duration::from_secs(15);

#[test]
fn host_that_stops_itself_is_killed_two_seconds_after_the_deadline() {
    let scratch = Scratch::new();
    let module = scratch.module(
        "m",
        "ok: () => {}, stop: async () => { await new Deno.Command('kill', { args: ['-STOP', String(Deno.pid)] }).output(); \
         await new Promise(() => {}); }",
    );
    let host = scratch.host();
    run(&host, &module, "ok", Duration::from_secs(60), &Recorder::default()).unwrap();
    let started = Instant::now();
    let error = run(&host, &module, "stop", DEADLINE, &Recorder::default()).unwrap_err();
    let took = started.elapsed();
    assert!(matches!(error, HostError::Unresponsive { seconds: 3, .. }), "{error}");
    assert!(took >= DEADLINE && took < MOST, "{took:?}");
    assert_ne!(scratch.host().pid(), host.pid());
}

#[test]
fn host_that_is_stuck_in_its_first_call_is_killed_two_seconds_after_the_deadline() {
    let scratch = Scratch::new();
    let module = scratch.module("m", "ok: () => {}");
    let hosts = forger(&format!(
        "read a; printf '%s\\n' '{INITIALIZED}' >&0; while read line; do :; done; exec sleep 1000"
    ));
    let started = Instant::now();
    let error = run(&hosts.get("x").unwrap(), &module, "ok", DEADLINE, &Recorder::default()).unwrap_err();
    let took = started.elapsed();
    assert!(matches!(error, HostError::Unresponsive { .. }), "{error}");
    assert!(took < MOST, "{took:?}");
}

#[test]
fn host_that_reads_nothing_is_killed_and_its_caller_is_answered() {
    let scratch = Scratch::new();
    let module = scratch.module("m", "ok: () => {}");
    let hosts = forger(&format!("read a; printf '%s\\n' '{INITIALIZED}' >&0; exec sleep 1000"));
    let host = hosts.get("x").unwrap();
    let mut large = module.clone();
    large.url = format!("{}{}", module.url, "x".repeat(8 << 20));
    let started = Instant::now();
    let error = run(&host, &large, "ok", DEADLINE, &Recorder::default()).unwrap_err();
    assert!(matches!(error, HostError::Died { .. }), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}
