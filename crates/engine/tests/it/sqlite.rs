//! node:sqlite and Deno.openKv.

use std::time::{Duration, Instant};

use crate::common::{Fixture, begin, call, run};
use marsh_engine::{EngineError, EngineErrorKind};
use serde_json::json;

#[test]
fn a_database_in_a_file_keeps_what_was_written() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "import { DatabaseSync } from 'node:sqlite';
         export const write = () => {
            const db = new DatabaseSync('data.db'); db.exec('create table t(a integer primary key, b text, c blob); begin');
            const insert = db.prepare('insert into t(b, c) values (:b, ?)'); const seen = [db.isTransaction];
            for (let i = 0; i < 3; i++) seen.push(insert.run({ b: `row ${i}` }, new Uint8Array([i, 0])).lastInsertRowid);
            db.exec('commit'); db.close(); return seen;
         };
         export const read = () => {
            const db = new DatabaseSync('data.db', { readOnly: true }); const rows = db.prepare('select * from t where a > ? order by a').all(1).map((row) => [row.a, row.b, [...row.c]]);
            let refused; try { db.exec('delete from t') } catch (error) { refused = [error.code, error.errcode] } return [rows, refused, [...db.prepare('select a from t').iterate()].length];
         };",
    );
    assert_eq!(call(&runtime, "write", json!({})).unwrap(), json!([true, 1, 2, 3]));
    let read = call(&runtime, "read", json!({})).unwrap();
    assert_eq!(read, json!([[[2, "row 1", [1, 0]], [3, "row 2", [2, 0]]], ["ERR_SQLITE_ERROR", 8], 3]));
    assert!(fixture.path("data.db").exists());
}

#[test]
fn other_files_and_extensions_are_out_of_reach() {
    let value = run(
        "import { DatabaseSync } from 'node:sqlite';
         export const run = () => { const db = new DatabaseSync(':memory:'); const seen = [];
            for (const sql of [\"attach 'other.db' as o\", \"select load_extension('x')\"]) try { db.exec(sql) } catch (error) { seen.push(error.message) }
            try { db.function('f', () => 1) } catch (error) { seen.push(error.message) } return seen; };",
    )
    .unwrap();
    let shown = value.to_string();
    assert!(
        shown.contains("too many attached databases") && shown.contains("DatabaseSync.function"),
        "{shown}"
    );
    assert_eq!(value.as_array().unwrap().len(), 3);
}

#[test]
fn a_statement_that_never_ends_ends_with_its_call() {
    let endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select count(*) from n";
    let module = format!(
        "import {{ DatabaseSync }} from 'node:sqlite';
         export const compute = () => {{ console.log('on'); new DatabaseSync(':memory:').prepare('{endless}').get(); }};
         export const wait = () => {{ const one = new DatabaseSync('w.db'), two = new DatabaseSync('w.db', {{ timeout: 1e8 }}); one.exec('begin exclusive'); console.log('on'); two.exec('create table t(a)'); }};",
    );
    for op in ["compute", "wait"] {
        let fixture = Fixture::new();
        let runtime = fixture.load(&module);
        let pending = begin(&runtime, op, op, json!({}));
        fixture.until("the call runs", |fixture| !fixture.lines(op, "stdout").is_empty());
        let start = Instant::now();
        runtime.interrupt(op, EngineError::new(EngineErrorKind::Deadline, "took too long"));
        assert_eq!(pending.wait().unwrap_err().kind, EngineErrorKind::Deadline, "{op}");
        runtime.close();
        assert!(start.elapsed() < Duration::from_secs(2), "{op}: {:?}", start.elapsed());
    }
}

#[test]
fn rows_and_databases_in_memory_are_held_to_the_limit() {
    let mut fixture = Fixture::new();
    fixture.limits.memory_bytes = 16 << 20;
    let runtime = fixture.load(
        "import { DatabaseSync } from 'node:sqlite';
         export const rows = () => { try { new DatabaseSync(':memory:').prepare('with recursive n(x) as (select 1 union all select x + 1 from n limit 1000000) select x, zeroblob(1000) from n').all() } catch (error) { return [error.name, error.message] } };
         export const pages = () => { const db = new DatabaseSync(':memory:'); db.exec('create table t(a)'); try { for (;;) db.exec('insert into t values (zeroblob(1000000))') } catch (error) { return error.message } };",
    );
    let rows = call(&runtime, "rows", json!({})).unwrap();
    assert_eq!(rows, json!(["RangeError", "the rows do not fit the memory limit"]));
    assert_eq!(call(&runtime, "pages", json!({})).unwrap(), "database or disk is full");
}

#[test]
fn a_key_value_store_keeps_its_order_versions_and_expiry() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const run = async () => {
            const seen = []; const kv = await Deno.openKv('store.kv');
            const first = await kv.set(['users', 'a'], { name: 'A', at: new Date(5), big: 7n, list: new Map([['k', new Set([1])]]), bytes: new Uint8Array([1, 2]) });
            const got = await kv.get(['users', 'a']); seen.push(first.ok, got.versionstamp === first.versionstamp, /^[0-9a-f]{20}$/.test(got.versionstamp), got.key, got.value.name, got.value.at.getTime(), String(got.value.big), got.value.list.get('k').has(1), [...got.value.bytes]);
            seen.push(await kv.get(['none']), (await kv.getMany([['users', 'a'], ['x']])).map((entry) => entry.value === null));
            const keys = [[new Uint8Array([0])], [new Uint8Array([0, 1])], ['a'], ['a', 1], ['ab'], [-300n], [-1n], [0n], [1n], [256n], [-1.5], [-0.5], [0], [2], [10], [false], [true]];
            for (const key of [...keys].reverse()) await kv.set(['order', ...key], key.length);
            const listed = []; for await (const { key } of kv.list({ prefix: ['order'] }, { batchSize: 4 })) listed.push(key.slice(1));
            seen.push(listed.every((key, at) => Deno.inspect(key) === Deno.inspect(keys[at])), listed.length);
            const page = kv.list({ prefix: ['order'] }, { limit: 3, reverse: true }); const back = []; for await (const { key } of page) back.push(key[1]); const rest = kv.list({ prefix: ['order'] }, { limit: 1, reverse: true, cursor: page.cursor }); back.push(String((await rest.next()).value.key[1])); seen.push(back.map(String));
            const range = []; for await (const { key } of kv.list({ start: ['order', 'a'], end: ['order', 'ab'] })) range.push(key.length); seen.push(range);
            const race = await kv.atomic().check({ key: ['users', 'a'], versionstamp: null }).set(['users', 'a'], 0).commit(); seen.push(race.ok);
            const won = await kv.atomic().check(got).set(['users', 'b'], 1).delete(['users', 'a']).commit(); seen.push(won.ok, won.versionstamp > first.versionstamp, (await kv.get(['users', 'a'])).value);
            await kv.set(['n'], new Deno.KvU64(5n)); await kv.atomic().sum(['n'], 3n).max(['m'], 9n).commit(); await kv.atomic().min(['n'], 2n).sum(['m'], -1n + 2n).commit(); seen.push(String((await kv.get(['n'])).value), (await kv.get(['m'])).value.value === 10n);
            await kv.set(['soon'], 1, { expireIn: 1 }); await new Promise((resolve) => setTimeout(resolve, 10)); seen.push((await kv.get(['soon'])).value);
            for (const bad of [() => kv.set([], 1), () => kv.set(['big'], new Uint8Array(70000)), () => kv.set([{}], 1), () => kv.set(['f'], () => {}), () => kv.enqueue(1), () => Deno.openKv()]) try { await bad(); seen.push('?') } catch (error) { seen.push(error.name) }
            kv.close(); try { await kv.get(['n']) } catch (error) { seen.push(error.name) }
            const again = await Deno.openKv('store.kv'); seen.push((await again.get(['users', 'b'])).value); again.close();
            return seen;
         };",
    );
    assert_eq!(
        call(&runtime, "run", json!({})).unwrap(),
        json!([
            true,
            true,
            true,
            ["users", "a"],
            "A",
            5,
            "7",
            true,
            [1, 2],
            { "key": ["none"], "value": null, "versionstamp": null },
            [false, true],
            true,
            17,
            ["true", "false", "10", "2"],
            [2, 3],
            false,
            true,
            true,
            null,
            "2",
            true,
            null,
            "TypeError",
            "TypeError",
            "TypeError",
            "TypeError",
            "Unsupported",
            "Unsupported",
            "BadResource",
            1
        ])
    );
}

#[test]
fn worker_threads_are_what_the_main_thread_sees() {
    let value = run(
        "import wt, { isMainThread, threadId, parentPort, workerData, MessageChannel as Channel, receiveMessageOnPort, Worker, setEnvironmentData, getEnvironmentData } from 'node:worker_threads';
         export const run = async () => {
            const seen = [isMainThread, threadId, parentPort, workerData, wt.MessageChannel === MessageChannel, Channel === MessageChannel];
            const { port1, port2 } = new MessageChannel(); port1.postMessage({ a: 1 }); port1.postMessage(2); seen.push(receiveMessageOnPort(port2), receiveMessageOnPort(port2), receiveMessageOnPort(port2) === undefined);
            const said = new Promise((resolve) => port2.once('message', resolve)); port1.postMessage('later'); seen.push(await said);
            setEnvironmentData('k', 5); seen.push(getEnvironmentData('k')); try { new Worker('x') } catch (error) { seen.push(error.message) }
            return seen;
         };",
    )
    .unwrap();
    assert_eq!(
        value,
        json!([
            true,
            0,
            null,
            null,
            true,
            true,
            { "message": { "a": 1 } },
            { "message": 2 },
            true,
            "later",
            5,
            "node:worker_threads.Worker is not available in marsh's engine"
        ])
    );
}
