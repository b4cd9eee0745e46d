//! The channel of the protocol: what extension code can do to it, and what garbage on it does.

// cfg: the tests use pidfds, signals and /proc
#![cfg(target_os = "linux")]

mod common;

use std::time::{Duration, Instant};

use common::{INITIALIZED, Recorder, Scratch, forger, run};
use marsh_host_client::HostError;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn method_that_writes_to_the_hosts_standard_streams_gets_an_error_and_its_neighbour_an_answer() {
    let scratch = Scratch::new();
    let module = scratch.module(
        "m",
        "wait: () => new Promise((resolve) => setTimeout(resolve, 300)), \
         write: async () => { const failed = []; \
           for (const path of ['/dev/stdout', '/proc/self/fd/0', '/proc/self/fd/1']) { \
             try { await Deno.writeTextFile(path, 'x\\n'); } catch { failed.push(path); } } \
           for (let fd = 3; fd < 32; fd++) { \
             try { await Deno.writeTextFile(`/proc/self/fd/${fd}`, 'x\\n', { create: false }); } catch {} } \
           return { dataHandles: failed.map((name) => ({ name })) }; }",
    );
    let host = scratch.host();
    std::thread::scope(|scope| {
        let neighbour = scope.spawn(|| run(&host, &module, "wait", LONG, &Recorder::default()));
        let written = run(&host, &module, "write", LONG, &Recorder::default()).unwrap();
        let names: Vec<&str> = written["handles"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|handle| handle["name"].as_str())
            .collect();
        assert_eq!(names, ["/dev/stdout", "/proc/self/fd/0", "/proc/self/fd/1"]);
        neighbour.join().unwrap().unwrap();
    });
    assert!(host.is_alive());
}

#[test]
fn garbage_on_the_channel_kills_the_host_at_once_with_its_reason() {
    let scratch = Scratch::new();
    let module = scratch.module("m", "ok: () => {}");
    let hosts = forger(&format!(
        "read a; printf '%s\\n' '{INITIALIZED}' >&0; read b; read c; printf 'no protocol\\n' >&0; exec sleep 1000"
    ));
    let started = Instant::now();
    let host = hosts.get("x").unwrap();
    let error = run(&host, &module, "ok", LONG, &Recorder::default()).unwrap_err();
    assert!(matches!(&error, HostError::Garbage { line } if line == "no protocol"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(!host.is_alive());
}

#[test]
fn endless_line_on_the_channel_kills_the_host_within_the_limit_of_a_line() {
    let scratch = Scratch::new();
    let module = scratch.module("m", "ok: () => {}");
    let hosts = forger(&format!("read a; printf '%s\\n' '{INITIALIZED}' >&0; cat /dev/zero >&0"));
    let error = run(&hosts.get("x").unwrap(), &module, "ok", LONG, &Recorder::default()).unwrap_err();
    assert!(matches!(&error, HostError::Garbage { line } if line.contains("a line of more than")), "{error}");
}

#[test]
fn result_beyond_the_output_limit_is_an_error_of_the_call() {
    let scratch = Scratch::new();
    let mut module = scratch.module(
        "m",
        "large: () => ({ dataHandles: Array.from({ length: 90 }, (_, i) => ({ name: `${i} ${'x'.repeat(20000)}` })) }), \
         ok: () => {}",
    );
    module.limits.output_bytes = 1 << 20;
    let host = scratch.host();
    let error = run(&host, &module, "large", LONG, &Recorder::default()).unwrap_err();
    let HostError::Call(error) = error else { panic!("{error}") };
    assert_eq!(error.code.as_deref(), Some("result_too_large"), "{error:?}");
    run(&host, &module, "ok", LONG, &Recorder::default()).unwrap();
}

#[test]
fn returned_references_to_a_large_array_do_not_reach_the_parent() {
    let scratch = Scratch::new();
    let module = scratch.module(
        "m",
        "go: () => { const zeros = new Array(1000000).fill(0); \
           return { dataHandles: Array.from({ length: 40 }, (_, i) => ({ name: String(i), zeros })) }; }",
    );
    let returned = run(&scratch.host(), &module, "go", LONG, &Recorder::default()).unwrap();
    assert_eq!(returned["handles"].as_array().unwrap().len(), 40);
    assert_eq!(returned["handles"][0], serde_json::json!({ "name": "0", "dataId": null }));
}
