//! Code by its digest: found at the path that the parent names, or asked for.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails, and its files are fixtures"
)]

mod common;

use std::time::Duration;

use common::{Recorder, Scratch, host_program, run};
use marsh_host_client::{ErrorKind, HostCommand, HostError, Hosts, ModuleRef};

const LONG: Duration = Duration::from_secs(60);

/// A host in a working directory of its own, and a module version at a path that exists in the parent's only.
struct Elsewhere {
    scratch: Scratch,
    module: ModuleRef,
    hosts: Hosts,
    _dir: tempfile::TempDir,
}

impl Elsewhere {
    fn new(methods: &str) -> Elsewhere {
        let mut scratch = Scratch::new();
        scratch.dir = tempfile::tempdir_in(".").unwrap();
        let mut module = scratch.module("m", methods);
        let own = std::env::current_dir().unwrap().canonicalize().unwrap();
        module.path = module.path.canonicalize().unwrap().strip_prefix(own).unwrap().to_path_buf();
        assert!(module.path.is_relative() && module.path.exists());
        let dir = tempfile::tempdir().unwrap();
        assert!(!dir.path().join(&module.path).exists());
        let hosts = Hosts::new(HostCommand {
            program: host_program(),
            args: Vec::new(),
            bytecode_cache: None,
            cwd: Some(dir.path().to_path_buf()),
        });
        Elsewhere { scratch, module, hosts, _dir: dir }
    }

    fn name(&self) -> Result<serde_json::Value, HostError> {
        let host = self.hosts.get("x").unwrap();
        let returned = run(&host, &self.module, "ok", LONG, &Recorder::default())?;
        Ok(returned["handles"][0]["name"].clone())
    }
}

#[test]
fn module_that_the_host_cannot_read_is_asked_of_the_parent() {
    let elsewhere = Elsewhere::new("ok: () => ({ dataHandles: [{ name: 'fetched' }] })");
    assert_eq!(elsewhere.name().unwrap(), "fetched");
}

/// The parent no longer has the code, so only the host's own copy can serve the second version.
#[test]
fn code_that_the_host_fetched_serves_later_module_versions() {
    let mut elsewhere = Elsewhere::new("ok: () => ({ dataHandles: [{ name: 'fetched' }] })");
    assert_eq!(elsewhere.name().unwrap(), "fetched");
    std::fs::remove_file(&elsewhere.module.path).unwrap();
    elsewhere.module.url = elsewhere.module.url.replace("?fp=1", "?fp=2");
    assert_eq!(elsewhere.name().unwrap(), "fetched");
    // Code that it never had is not invented.
    elsewhere.module = elsewhere.scratch.module("other", "ok: () => ({ dataHandles: [{ name: 'other' }] })");
    std::fs::remove_file(&elsewhere.module.path).unwrap();
    let error = elsewhere.name().unwrap_err();
    assert!(error.to_string().contains("cannot read"), "{error}");
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
