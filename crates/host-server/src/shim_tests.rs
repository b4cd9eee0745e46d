//! The shim's names, the protocol's tables and the table of kinds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use marsh_host_protocol::{
    CallbackError, ContextNotice, ContextNoticeName, ContextRequestName, Limits, ModuleEngine, ModuleRef,
    OperationName,
};
use marsh_types::{KINDS, KindSpec};

use crate::engine::{Bridge, Engine as _, OpName, Reply, Shim};
use crate::quickjs::QuickJs;
use crate::shim::SHIM;

struct Deaf;

impl Bridge for Deaf {
    fn request(&self, _call_id: &str, method: &str, _params: String, reply: Reply) {
        reply(Err(CallbackError::new("refused", method)));
    }

    fn notify(&self, _call_id: &str, _method: &str, _params: String) {}

    fn module(&self, sha256: &str) -> Result<Vec<u8>, String> {
        Err(format!("no module {sha256} here"))
    }

    fn notice(&self, _call_id: &str, _notice: &ContextNotice) {}
}

/// What the shim has, by asking the shim.
#[derive(serde::Deserialize)]
struct Told {
    operations: Vec<String>,
    requests: Vec<String>,
    notices: Vec<String>,
    /// The operations of each registered kind.
    kinds: BTreeMap<String, Vec<String>>,
}

fn told() -> Told {
    const DISPATCH: &str = "export const dispatch = (op, params, call) => {";
    let told = "export const dispatch = () => ({\n\
                  operations: Object.keys(OPERATIONS),\n\
                  requests: Object.values(REQUEST),\n\
                  notices: Object.values(NOTICE),\n\
                  kinds: Object.fromEntries([...KINDS].map(([kind, one]) => [kind, Object.keys(one.operations)])),\n\
                });\n\
                const replaced = (op, params, call) => {";
    assert_eq!(SHIM.code.matches(DISPATCH).count(), 1);
    let code: &'static str = Box::leak(SHIM.code.replace(DISPATCH, told).into_boxed_str());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("module.js");
    marsh_fs::atomic_write(&path, b"export {};", marsh_fs::Durability::Atomic).unwrap();
    let module = ModuleRef {
        url: "file:///module.js".into(),
        sha256: marsh_types::Digest::of(b"export {};").to_hex(),
        path,
        externals: Vec::new(),
        limits: Limits::default(),
        engine: ModuleEngine::default(),
    };
    let runtime = QuickJs.start(&module, Shim { name: "marsh:told", code }, None, Arc::new(Deaf)).unwrap();
    let (sender, receiver) = channel();
    runtime.call("c", OpName::Other("names"), "{}", Box::new(move |outcome| sender.send(outcome).unwrap()));
    let names = receiver.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    runtime.close();
    serde_json::from_str(&names).unwrap()
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names
}

#[test]
fn shim_names_and_protocol_tables_are_equal() {
    let Told { operations, requests, notices, .. } = told();
    let table = OperationName::all().map(|name| name.to_string()).collect();
    assert_eq!(sorted(operations), sorted(table));
    let table = ContextRequestName::ALL.iter().map(|name| name.to_string()).collect();
    assert_eq!(sorted(requests), sorted(table));
    // The others are reports of the host itself.
    let own = [ContextNoticeName::Loaded, ContextNoticeName::ProcessStarted, ContextNoticeName::ProcessEnded];
    let table = ContextNoticeName::ALL.iter().filter(|name| !own.contains(name));
    assert_eq!(sorted(notices), sorted(table.map(|name| name.to_string()).collect()));
}

#[test]
fn shim_kinds_and_the_table_of_kinds_are_equal() {
    let members = |row: &KindSpec| row.operations.iter().map(|one| one.member().to_owned()).collect();
    let table: BTreeMap<String, Vec<String>> =
        KINDS.iter().map(|row| (row.export.to_owned(), sorted(members(row)))).collect();
    let registered: BTreeMap<String, Vec<String>> =
        told().kinds.into_iter().map(|(kind, members)| (kind, sorted(members))).collect();
    assert_eq!(registered, table);
}

/// A file that registers another kind, or that no row has, would hide among the others.
#[test]
fn shim_file_of_a_kind_registers_the_kind_of_its_name() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/shim/kinds");
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let code = std::fs::read_to_string(&path).unwrap();
        let registrations: Vec<&str> = code.lines().filter(|line| line.contains("registerKind(")).collect();
        assert_eq!(registrations.len(), 1, "{}", path.display());
        assert!(registrations[0].starts_with(&format!("registerKind(\"{kind}\", {{")), "{}", path.display());
        assert!(SHIM.code.contains(&code), "{} is not in the shim", path.display());
        files.push(kind);
    }
    assert_eq!(sorted(files), sorted(KINDS.iter().map(|row| row.export.to_owned()).collect()));
}

#[test]
fn shim_files_other_than_names_hold_no_name_of_the_protocol() {
    let (names, rest) = SHIM.code.split_at(include_str!("shim/names.js").len());
    assert!(names.contains("const NOTICE"));
    for name in ContextRequestName::ALL.iter().map(|name| name.as_str()) {
        assert!(!rest.contains(&format!("\"{name}\"")), "{name}");
    }
    for name in ContextNoticeName::ALL.iter().map(|name| name.as_str()) {
        assert!(!rest.contains(&format!("(\"{name}\"")), "{name}");
    }
}
