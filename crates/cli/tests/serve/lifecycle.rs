//! Starting, finding, ending a server, and clients that go away.

use std::os::unix::net::UnixStream;

use marsh_testkit::wait_for;
use serde_json::{Value, json};

use super::{model, model_running, repo};

const FOREVER: &str = "await new Promise((done) => setTimeout(done, 3600_000));";

#[test]
fn one_server_per_repository() {
    let repo = repo();
    let process = repo.spawn_extension_process(&[]);
    let second = repo.marsh(&["serve", "--json"]).exits(1);
    assert_eq!(second.error()["code"], "already_served");
    assert!(second.error()["message"].as_str().unwrap().contains(&process.pid().to_string()));
    process.stop().ok();
    // Gone for good: nothing stands in the way of the next.
    let next = repo.spawn_extension_process(&[]);
    next.stop().ok();
    assert_eq!(repo.list(".swamp/marsh/serve"), ["serve.lock"]);
    repo.assert_no_processes();
}

#[test]
fn a_killed_server_leaves_nothing_in_the_way() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let mut process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    process.kill();
    assert_eq!(process.wait().code, None);
    assert_eq!(repo.marsh(&["serve", "status", "--json"]).exits(1).error()["code"], "not_served");
    // Its host sees the end of its input.
    repo.assert_no_processes();
    let next = repo.spawn_extension_process(&[]);
    assert_eq!(next.run("@me/x", "run")["word"], "one");
    next.stop().ok();
}

#[test]
fn commands_show_reload_and_stop_a_server() {
    let repo = repo();
    assert_eq!(repo.marsh(&["serve", "status", "--json"]).exits(1).error()["code"], "not_served");
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    process.run("@me/x", "run");
    let status = repo.marsh(&["serve", "status", "--json"]).ok().json();
    assert_eq!(status["pid"], process.pid());
    let row = &status["types"][0];
    assert_eq!((&row["type"], &row["state"], &row["calls"]), (&json!("@me/x"), &json!("serving"), &json!(1)));
    assert!(row["heapBytes"].as_u64().unwrap() > 1_000_000, "{row:#}");
    assert!(repo.marsh(&["serve", "status"]).ok().stdout.contains("@me/x"));
    repo.write("extensions/models/x.ts", model("", "'two'"));
    let reloaded = repo.marsh(&["serve", "reload", "--json"]).ok().json();
    assert_eq!(reloaded["changed"], json!(["@me/x"]));
    repo.marsh(&["serve", "stop"]).ok();
    process.wait().ok();
    repo.assert_no_processes();
}

#[test]
fn signals_end_a_server_in_order() {
    for terminate in [false, true] {
        let repo = repo();
        repo.write("extensions/models/x.ts", model_running("", FOREVER));
        let process = repo.spawn_extension_process(&[]);
        let mut connection = process.connect();
        connection.send("call", json!({ "target": "@me/x", "name": "m", "method": "run" }));
        wait_for("the call to run", || (process.status()["types"][0]["inFlight"] == 1).then_some(()));
        if terminate {
            process.terminate()
        } else {
            process.interrupt()
        }
        let (_, outcome) = connection.receive(&mut |_| {});
        assert_eq!(outcome.unwrap_err()["data"]["code"], "cancelled");
        process.wait().ok();
        assert_eq!(repo.list(".swamp/marsh/serve"), ["serve.lock"]);
        repo.assert_no_processes();
        repo.assert_sound();
    }
}

#[test]
fn a_client_that_goes_away_cancels_its_calls() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model_running("", FOREVER));
    let process = repo.spawn_extension_process(&[]);
    let mut connection = process.connect();
    connection.send("call", json!({ "target": "@me/x", "name": "m", "method": "run" }));
    wait_for("the call to run", || (process.status()["inFlight"] == 1).then_some(()));
    drop(connection);
    wait_for("the call to end", || (process.status()["inFlight"] == 0).then_some(()));
    process.stop().ok();
}

#[test]
fn a_call_is_cancelled_by_its_id() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model_running("", FOREVER));
    let process = repo.spawn_extension_process(&[]);
    let mut connection = process.connect();
    let call = connection.send("call", json!({ "target": "@me/x", "name": "m", "method": "run" }));
    wait_for("the call to run", || (process.status()["types"][0]["inFlight"] == 1).then_some(()));
    let cancel = connection.send("cancel", json!({ "id": call }));
    let mut answers = [connection.receive(&mut |_| {}), connection.receive(&mut |_| {})];
    answers.sort_by_key(|(id, _)| *id);
    assert_eq!(answers[0].1.as_ref().unwrap_err()["data"]["code"], "cancelled");
    assert_eq!(answers[1], (cancel, Ok(json!({ "cancelled": true }))));
    process.stop().ok();
}

#[test]
fn invalid_requests_are_refused_and_harm_no_client() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let process = repo.spawn_extension_process(&[]);
    let mut connection = process.connect();
    let code = |outcome: Result<Value, Value>| outcome.unwrap_err()["data"]["code"].clone();
    assert_eq!(code(connection.ask("dance", Value::Null)), "unknown_method");
    assert_eq!(code(connection.ask("call", json!({ "method": "run" }))), "bad_request");
    assert_eq!(
        code(connection.ask("call", json!({ "target": "nobody", "method": "run" }))),
        "model_not_found"
    );
    assert_eq!(code(connection.ask("workflow", json!({ "workflow": "none" }))), "workflow_not_found");
    assert_eq!(connection.ask("status", Value::Null).unwrap()["pid"], process.pid());
    assert_eq!(process.run("@me/x", "run")["word"], "one");
    process.stop().ok();
}

#[test]
fn only_its_owner_reaches_the_socket() {
    use std::os::unix::fs::PermissionsExt as _;
    let repo = repo();
    let process = repo.spawn_extension_process(&[]);
    let mode = std::fs::metadata(process.socket().parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    process.stop().ok();
}

#[test]
fn a_server_on_standard_input_and_output_ends_with_its_input() {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("", "'one'"));
    let request = |id: u64| json!({ "jsonrpc": "2.0", "id": id, "method": "status", "params": null });
    let requests: String = (1..=50).map(|id| format!("{}\n", request(id))).collect();
    let run = repo.marsh_with_stdin(&["serve", "--stdio"], &requests).ok();
    // Every request that came before the end of the input is answered.
    let mut answered: Vec<u64> = Vec::new();
    for line in run.stdout.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["result"]["repository"], repo.root().display().to_string());
        answered.push(answer["id"].as_u64().unwrap());
    }
    answered.sort_unstable();
    assert_eq!(answered, (1..=50).collect::<Vec<u64>>());
    repo.assert_no_processes();
}

#[test]
fn idle_clients_make_room_for_others() {
    let repo = repo();
    let process = repo.spawn_extension_process(&[]);
    let mut first = process.connect();
    assert!(first.ask("status", Value::Null).is_ok());
    let idle: Vec<UnixStream> = (0..600).map(|_| UnixStream::connect(process.socket()).unwrap()).collect();
    let mut last = process.connect();
    assert!(last.ask("status", Value::Null).is_ok());
    let threads = std::fs::read_dir(format!("/proc/{}/task", process.pid())).map_or(0, Iterator::count);
    assert!(threads < 300, "{threads} threads for {} clients", idle.len());
    drop(idle);
    process.stop().ok();
}
