//! Deno.Command: results, streams, signals, and that no child outlives its call.

use crate::common::{Fixture, alive, begin, call, run_body};
use marsh_engine::EngineErrorKind;
use serde_json::{Value, json};

const TEXT: &str = "const text = (bytes) => new TextDecoder().decode(bytes); const sh = (script, options) => new Deno.Command('sh', { args: ['-c', script], ...options });";

fn shell(body: &str) -> Value {
    run_body(&format!("{TEXT} {body}"))
}

#[test]
fn output_collects_both_streams_and_the_status() {
    let value = shell(
        "const a = await sh('echo out; echo err >&2; exit 3').output();
         const b = sh('printf äö').outputSync();
         const c = await sh('kill -9 $$').output();
         return [a.code, a.success, a.signal, text(a.stdout), text(a.stderr), text(b.stdout), b.success, c.code, c.signal];",
    );
    assert_eq!(value, json!([3, false, null, "out\n", "err\n", "äö", true, 137, "SIGKILL"]));
}

#[test]
fn cwd_and_environment_are_the_given_ones() {
    let value = shell(
        "Deno.env.set('FROM_RUNTIME', 'r');
         const a = text((await sh('echo $FROM_RUNTIME $MINE; pwd', { env: { MINE: 'm' }, cwd: '/' }).output()).stdout);
         const b = text((await new Deno.Command('/usr/bin/env', { env: { MINE: 'm' }, clearEnv: true }).output()).stdout);
         const c = text((await sh('pwd').output()).stdout).trim() === Deno.realPathSync('.');
         return [a, b, c];",
    );
    assert_eq!(value, json!(["r m\n/\n", "MINE=m\n", true]));
    assert!(std::env::var("FROM_RUNTIME").is_err(), "the process's own environment is untouched");
}

#[test]
fn a_missing_program_is_not_found_by_name() {
    let value = shell(
        "const errors = [];
         for (const [program, options] of [['no-such-program', {}], ['sh', { cwd: '/no/such/dir' }]]) {
            try { await new Deno.Command(program, options).output() } catch (error) {
                errors.push([error instanceof Deno.errors.NotFound, error.name, error.code, error.message]);
            }
         }
         return errors;",
    );
    assert_eq!(value[0][0], true);
    assert_eq!(value[0][2], "ENOENT");
    assert_eq!(value[0][3], "Failed to spawn 'no-such-program': No such file or directory (os error 2)");
    assert_eq!(value[1][3], "Failed to spawn 'sh': No such cwd '/no/such/dir'");
}

#[test]
fn inherited_output_becomes_lines_of_the_call() {
    let fixture = Fixture::new();
    let code = format!(
        "{TEXT} export const run = async () => {{
            const a = await sh('printf \"one\\ntwo\"; echo oops >&2', {{ stdout: 'inherit', stderr: 'inherit' }}).output();
            const b = sh('cat; echo end').spawn();
            return [a.code, (await b.status).success];
        }};"
    );
    let runtime = fixture.load(&code);
    assert_eq!(call(&runtime, "run", json!({})).unwrap(), json!([0, true]));
    assert_eq!(fixture.lines("call-run", "stdout"), ["one", "twoend"]);
    assert_eq!(fixture.lines("call-run", "stderr"), ["oops"]);
    runtime.close();
}

#[test]
fn spawned_children_stream_both_ways() {
    let value = shell(
        "const child = new Deno.Command('cat', { stdin: 'piped', stdout: 'piped' }).spawn();
         const writer = child.stdin.getWriter();
         await writer.write(new TextEncoder().encode('hello '));
         await writer.write(new TextEncoder().encode('world'));
         await writer.close();
         let out = '';
         for await (const chunk of child.stdout) out += text(chunk);
         const status = await child.status;
         const killed = new Deno.Command('sleep', { args: ['1000'] }).spawn();
         killed.kill();
         return [out, status.success, (await killed.status).signal];",
    );
    assert_eq!(value, json!(["hello world", true, "SIGTERM"]));
}

#[test]
fn an_abort_signal_terminates_the_child() {
    let value = shell(
        "const controller = new AbortController();
         setTimeout(() => controller.abort(), 20);
         const result = await new Deno.Command('sleep', { args: ['1000'], signal: controller.signal }).output();
         return [result.success, result.code, result.signal];",
    );
    assert_eq!(value, json!([false, 143, "SIGTERM"]));
}

#[test]
fn cancel_terminates_the_children_of_that_call_only() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const run = async (_, call) => { const { signal } = await new Deno.Command('sleep', { args: ['1000'] }).output(); return signal; };",
    );
    let a = begin(&runtime, "a", "run", json!({}));
    let b = begin(&runtime, "b", "run", json!({}));
    fixture.until("both run", |fixture| fixture.noted("process/started").len() == 2);
    runtime.cancel("a", "enough");
    assert_eq!(a.wait().unwrap(), "SIGTERM");
    assert_eq!(runtime.in_flight(), 1);
    runtime.cancel("b", "enough");
    assert_eq!(b.wait().unwrap(), "SIGTERM");
    fixture.until("both have ended", |fixture| fixture.noted("process/ended").len() == 2);
    runtime.close();
}

#[test]
fn what_a_call_leaves_running_is_killed_at_its_end_grandchildren_included() {
    let fixture = Fixture::new();
    let code = format!(
        "{TEXT} export const run = async () => {{
            new Deno.Command('sleep', {{ args: ['1000'] }}).spawn();
            const {{ stdout }} = await sh('sleep 1000 >/dev/null 2>&1 & echo $!').output();
            return Number(text(stdout));
        }};"
    );
    let runtime = fixture.load(&code);
    let grandchild = call(&runtime, "run", json!({})).unwrap().as_i64().unwrap();
    let started = fixture.noted("process/started");
    assert_eq!(started.len(), 2);
    let child = started[0].1["pgid"].as_i64().unwrap();
    fixture.until("both are gone", |_| !alive(child) && !alive(grandchild));
    assert_eq!(fixture.noted("process/ended").len(), 2);
    runtime.close();
}

#[test]
fn large_output_does_not_block() {
    let value = shell(
        "const { stdout } = await sh('head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2').output(); return stdout.length;",
    );
    assert_eq!(value, json!(3_000_000));
}

#[test]
fn bad_options_say_so() {
    let error =
        crate::common::run("export const run = () => new Deno.Command('true', { stdout: 'file' }).output();")
            .unwrap_err();
    assert_eq!(error.kind, EngineErrorKind::Threw);
    assert!(error.message.contains("stdout is one of"), "{error:?}");
}
