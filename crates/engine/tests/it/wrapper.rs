//! A wrapper around the table of host operations.

use std::sync::{Arc, Mutex};

use marsh_engine::{
    Arg, Determinism, ErrorClass, HostError, HostResult, ModuleRuntime, Operation, OperationCall, Val,
    Wrapper,
};
use serde_json::json;

use crate::common::{Fixture, call, loaded};

/// Writes down what it sees, refuses to read `/refused`, and knows the content of `/replayed`.
#[derive(Default)]
struct Recorder {
    calls: Mutex<Vec<(u64, &'static str, String)>>,
    outcomes: Mutex<Vec<(u64, &'static str, bool)>>,
}

impl Wrapper for Recorder {
    fn before(&self, call: &OperationCall<'_>) -> Option<HostResult> {
        let name = call.operation.name();
        if call.operation.determinism() != Determinism::Pure && !call.call_id.is_empty() {
            self.calls.lock().unwrap().push((call.number, name, call.call_id.to_owned()));
        }
        match call.arguments.all().first() {
            Some(Arg::Str(path)) if path == "/refused" => {
                Some(Err(HostError::new(ErrorClass::PermissionDenied, "not granted")))
            }
            Some(Arg::Str(path)) if path == "/replayed" => Some(Ok(Val::Str("from the record".to_owned()))),
            _ => None,
        }
    }

    fn after(&self, number: u64, operation: &'static Operation, outcome: &HostResult) {
        self.outcomes.lock().unwrap().push((number, operation.name(), outcome.is_ok()));
    }
}

const MODULE: &str = r#"
    export async function go({ path }) {
        const said = [];
        for (const read of [Deno.readTextFileSync, Deno.readTextFile]) {
            for (const one of [path, "/refused", "/replayed", "/missing"]) {
                try { said.push(await read(one)); } catch (error) { said.push(error.constructor.name); }
            }
        }
        await new Deno.Command("true").output();
        return said;
    }
"#;

#[test]
fn a_wrapper_sees_every_call_and_may_answer_it() {
    let fixture = Fixture::new();
    let recorder = Arc::new(Recorder::default());
    let runtime = fixture.spawn_with(MODULE, |source, externals, options, bridge| {
        ModuleRuntime::spawn_wrapped(source, externals, options, bridge, recorder.clone())
    });
    let path = fixture.dir.path().join("text");
    std::fs::write(&path, "content").unwrap();
    loaded(&runtime).unwrap();
    let said = call(&runtime, "go", json!({ "path": path })).unwrap();
    runtime.close();
    let once = ["content", "PermissionDenied", "from the record", "NotFound"];
    assert_eq!(said, json!([once, once].concat()));
    let calls = recorder.calls.lock().unwrap().clone();
    let reads: Vec<_> = calls.iter().filter(|(_, name, _)| *name == "fs.readText").collect();
    assert_eq!(reads.len(), 8, "{calls:?}");
    assert!(calls.iter().all(|(_, _, id)| *id == calls[0].2), "{calls:?}");
    let outcomes = recorder.outcomes.lock().unwrap().clone();
    let of = |name: &str| {
        outcomes.iter().filter(|(_, own, _)| *own == name).map(|(_, _, ok)| *ok).collect::<Vec<_>>()
    };
    // What the wrapper answered did not run.
    assert_eq!(of("fs.readText"), [true, false, true, false]);
    assert_eq!(of("process.output"), [true]);
    let mut numbers: Vec<u64> = outcomes.iter().map(|(number, ..)| *number).collect();
    numbers.sort_unstable();
    let reported = numbers.len();
    numbers.dedup();
    assert_eq!(numbers.len(), reported, "an outcome was reported twice: {outcomes:?}");
}
