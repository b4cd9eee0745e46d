//! What is killed when a host dies, and what is not.

// cfg: the tests use pidfds, signals and /proc
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

mod common;

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{INITIALIZED, Recorder, Scratch, forger, run};

/// A process in a group of its own, which no host started.
struct Bystander(std::process::Child);

impl Bystander {
    fn new() -> Bystander {
        Bystander(Command::new("sleep").arg("600").process_group(0).stdin(Stdio::null()).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn forged_process_group_of_another_session_survives_the_death_of_the_host() {
    let scratch = Scratch::new();
    let module = scratch.module("m", "ok: () => {}");
    let mut bystander = Bystander::new();
    let forged = format!(
        r#"{{"jsonrpc":"2.0","method":"process/started","params":{{"callId":"c1","payload":{{"pgid":{}}}}}}}"#,
        bystander.0.id()
    );
    let hosts = forger(&format!(
        "read a; printf '%s\\n' '{INITIALIZED}' >&0; read b; read c; printf '%s\\n' '{forged}' >&0; exit 3"
    ));
    let recorder = Recorder::default();
    let error = run(&hosts.get("x").unwrap(), &module, "ok", Duration::from_secs(20), &recorder).unwrap_err();
    assert!(error.to_string().contains("exit status: 3"), "{error}");
    drop(hosts);
    assert!(
        recorder
            .notices
            .lock()
            .unwrap()
            .iter()
            .any(|notice| format!("{notice:?}").contains("ProcessStarted"))
    );
    assert!(bystander.is_alive(), "a number that a host reported was trusted");
}
