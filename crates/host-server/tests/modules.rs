//! Code by its digest: found at the path that the parent names, or asked for.

mod common;

use std::time::Duration;

use common::{Recorder, Scratch, host_program, run};
use marsh_host_client::{ErrorKind, HostCommand, HostError, Hosts};

const LONG: Duration = Duration::from_secs(60);

#[test]
fn module_that_the_host_cannot_read_is_asked_of_the_parent() {
    let mut scratch = Scratch::new();
    // A relative path: it exists in the parent's working directory, and not in the host's.
    scratch.dir = tempfile::tempdir_in(".").unwrap();
    let mut module = scratch.module("m", "ok: () => ({ dataHandles: [{ name: 'fetched' }] })");
    let own = std::env::current_dir().unwrap().canonicalize().unwrap();
    module.path = module.path.canonicalize().unwrap().strip_prefix(own).unwrap().to_path_buf();
    assert!(module.path.is_relative() && module.path.exists());
    let elsewhere = tempfile::tempdir().unwrap();
    let hosts = Hosts::new(HostCommand {
        program: host_program(),
        args: Vec::new(),
        bytecode_cache: None,
        cwd: Some(elsewhere.path().to_path_buf()),
    });
    assert!(!elsewhere.path().join(&module.path).exists());
    let returned = run(&hosts.get("x").unwrap(), &module, "ok", LONG, &Recorder::default()).unwrap();
    assert_eq!(returned["handles"][0]["name"], "fetched");
}

#[test]
fn module_whose_text_has_another_digest_is_refused() {
    let scratch = Scratch::new();
    let mut module = scratch.module("m", "ok: () => {}");
    module.sha256 = marsh_types::Digest::of(b"another text").to_hex();
    let error = run(&scratch.host(), &module, "ok", LONG, &Recorder::default()).unwrap_err();
    let HostError::Call(error) = error else { panic!("{error}") };
    assert_eq!(error.kind, ErrorKind::Load);
    assert!(error.message.contains("does not have the digest of the module"), "{}", error.message);
}
