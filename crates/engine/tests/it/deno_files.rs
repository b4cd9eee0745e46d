//! Deno's file API and errors.

use crate::common::{Fixture, begin, call, run_body};
use serde_json::json;

#[test]
fn text_and_bytes_round_trip_both_ways() {
    let value = run_body(
        "await Deno.writeTextFile('a.txt', 'äö\\n');
         await Deno.writeTextFile('a.txt', 'more', { append: true });
         Deno.writeFileSync('b.bin', new Uint8Array([0, 255, 7]));
         const url = new URL(`file://${Deno.cwd()}/a.txt`);
         return [await Deno.readTextFile(url), Deno.readTextFileSync('./a.txt').length, [...await Deno.readFile('b.bin')]];",
    );
    assert_eq!(value, json!(["äö\nmore", 7, [0, 255, 7]]));
}

#[test]
fn write_options_do_what_they_say() {
    let value = run_body(
        "await Deno.writeTextFile('x', '1', { createNew: true, mode: 0o600 });
         const names = [];
         try { await Deno.writeTextFile('x', '2', { createNew: true }) } catch (error) { names.push(error.name, error.code) }
         try { await Deno.writeTextFile('y', '2', { create: false }) } catch (error) { names.push(error.name) }
         Deno.chmodSync('x', 0o640);
         return [names, (Deno.statSync('x').mode & 0o777).toString(8), Deno.readTextFileSync('x')];",
    );
    assert_eq!(value, json!([["AlreadyExists", "EEXIST", "NotFound"], "640", "1"]));
}

#[test]
fn errors_are_denos_classes_with_codes_and_messages() {
    let value = run_body(
        "const seen = [];
         const note = (error) => seen.push([error.constructor.name, error instanceof Error, error.code, error.message]);
         try { await Deno.readTextFile('missing.txt') } catch (error) { note(error); seen.push(error instanceof Deno.errors.NotFound) }
         try { Deno.readFileSync('.') } catch (error) { note(error) }
         try { Deno.readDirSync('/etc/hostname') } catch (error) { note(error) }
         try { Deno.mkdirSync('.') } catch (error) { note(error) }
         try { Deno.readTextFileSync(5) } catch (error) { note(error) }
         const mine = new Deno.errors.TimedOut('late');
         return [seen, mine.name, mine instanceof Deno.errors.TimedOut, Object.keys(Deno.errors).length > 20];",
    );
    let seen = &value[0];
    assert_eq!(
        seen[0],
        json!(["NotFound", true, "ENOENT", "No such file or directory (os error 2): readfile 'missing.txt'"])
    );
    assert_eq!(seen[1], true);
    assert_eq!(seen[2][0], "IsADirectory");
    assert_eq!(seen[3][0], "NotADirectory");
    assert_eq!(seen[4][0], "AlreadyExists");
    assert_eq!(seen[5][0], "TypeError");
    assert_eq!(value[1], "TimedOut");
    assert_eq!((&value[2], &value[3]), (&json!(true), &json!(true)));
}

#[test]
fn directories_links_and_metadata() {
    let value = run_body(
        "await Deno.mkdir('d/e/f', { recursive: true });
         await Deno.mkdir('d/e/f', { recursive: true });
         await Deno.writeTextFile('d/one', '1');
         await Deno.symlink('one', 'd/two');
         const names = [];
         for await (const entry of Deno.readDir('d')) names.push(`${entry.name}:${entry.isFile}${entry.isDirectory}${entry.isSymlink}`);
         await Deno.rename('d/one', 'd/three');
         await Deno.copyFile('d/three', 'd/four');
         const link = await Deno.lstat('d/two');
         const info = await Deno.stat('d/four');
         let refused; try { await Deno.remove('d') } catch (error) { refused = error.message }
         await Deno.remove('d', { recursive: true });
         let gone; try { await Deno.stat('d') } catch (error) { gone = error instanceof Deno.errors.NotFound }
         return [names.sort(), link.isSymlink, info.size, info.mtime instanceof Date, info.isFile, refused.includes('not empty'), gone,
            await Deno.realPath('.') === Deno.realPathSync(Deno.cwd())];",
    );
    assert_eq!(
        value,
        json!([
            ["e:falsetruefalse", "one:truefalsefalse", "two:falsefalsetrue"],
            true,
            1,
            true,
            true,
            true,
            true,
            true
        ])
    );
}

#[test]
fn temporary_files_and_directories() {
    let value = run_body(
        "const file = await Deno.makeTempFile({ dir: '.', prefix: 'p-', suffix: '.txt' });
         const dir = Deno.makeTempDirSync({ dir: Deno.cwd() });
         const outside = await Deno.makeTempFile(); await Deno.remove(outside);
         return [/p-[0-9a-f]{12}\\.txt$/.test(file), (await Deno.stat(file)).isFile, (await Deno.stat(dir)).isDirectory,
            (Deno.statSync(dir).mode & 0o777).toString(8)];",
    );
    assert_eq!(value, json!([true, true, true, "700"]));
}

#[test]
fn facts_about_process_and_environment() {
    let value = run_body(
        "Deno.env.set('MARSH_X', '1');
         const seen = [Deno.env.get('MARSH_X'), Deno.env.has('MARSH_X'), Deno.env.toObject().MARSH_X];
         Deno.env.delete('MARSH_X');
         seen.push(Deno.env.get('MARSH_X') === undefined, Deno.args, typeof Deno.pid, Deno.build.os, typeof Deno.hostname(), Deno.noColor,
            (await Deno.permissions.query({ name: 'read' })).state, Deno.memoryUsage().heapUsed > 0, Deno.inspect({ a: [1, 'x'] }));
         Deno.addSignalListener('SIGINT', () => {});
         return seen;",
    );
    let os = if cfg!(target_os = "macos") { "darwin" } else { std::env::consts::OS };
    assert_eq!(
        value,
        json!([
            "1",
            true,
            "1",
            true,
            ["one"],
            "number",
            os,
            "string",
            true,
            "granted",
            true,
            "{ a: [ 1, \"x\" ] }"
        ])
    );
}

#[test]
fn file_locks_are_the_kernel_s_and_a_wait_ends_with_its_file_its_call_or_its_runtime() {
    let fixture = Fixture::new();
    std::fs::write(fixture.path("f"), "").unwrap();
    let runtime = fixture.load(
        "export const run = async () => {
            const seen = []; const a = await Deno.open('f', { read: true, write: true }), b = Deno.openSync('f', { read: true, write: true }), c = Deno.openSync('f');
            await a.lock(); await b.lock(false); seen.push(await c.tryLock(true), c.tryLockSync(false)); await a.unlock(); b.unlockSync(); c.unlockSync();
            a.lockSync(true); seen.push(await b.tryLock(true)); let waited = false; const wait = b.lock(true).then(() => { waited = true; });
            await new Promise((resolve) => setTimeout(resolve, 5)); seen.push(waited); await a.unlock(); await wait; seen.push(waited);
            const lost = c.lock(true); c.close(); seen.push(await lost.catch((error) => error.name)); b.close(); seen.push(await a.tryLock(true)); a.close();
            try { a.lockSync() } catch (error) { seen.push(error.name) }
            return seen;
         };
         export const hold = async () => { const f = await Deno.open('f', { write: true }); console.log('waiting'); await f.lock(true); };
         export const leave = async () => { globalThis.f = await Deno.open('f', { write: true }); f.lock(true).catch((error) => { globalThis.said = error.message; }); };
         export const said = async () => { while (!globalThis.said) await new Promise((resolve) => setTimeout(resolve, 2)); return globalThis.said.replace(/\\d+/, 'N'); };
         export const holdSync = () => { const f = Deno.openSync('f', { write: true }); console.log('waiting'); f.lockSync(true); };",
    );
    let seen = call(&runtime, "run", json!({})).unwrap();
    assert_eq!(seen, json!([false, true, false, false, true, "BadResource", true, "BadResource"]));
    // Another process's lock, as far as the kernel can tell.
    let other = std::fs::File::open(fixture.path("f")).unwrap();
    other.lock().unwrap();
    call(&runtime, "leave", json!({})).unwrap();
    let said = call(&runtime, "said", json!({})).unwrap();
    assert_eq!(said, "the call ended before the lock of file N was free");
    let pending = begin(&runtime, "h", "hold", json!({}));
    fixture.until("the call waits", |fixture| !fixture.lines("h", "stdout").is_empty());
    runtime.close();
    assert!(pending.wait().is_err());
    let runtime = fixture.load("export const holdSync = () => { const f = Deno.openSync('f', { write: true }); console.log('waiting'); f.lockSync(true); };");
    let pending = begin(&runtime, "s", "holdSync", json!({}));
    fixture.until("the call waits", |fixture| !fixture.lines("s", "stdout").is_empty());
    runtime
        .interrupt("s", marsh_engine::EngineError::new(marsh_engine::EngineErrorKind::Deadline, "too long"));
    assert_eq!(pending.wait().unwrap_err().kind, marsh_engine::EngineErrorKind::Deadline);
    runtime.close();
}

#[test]
fn what_is_missing_names_itself() {
    for (code, name) in [
        ("Deno.listen({ port: 1 })", "Deno.listen"),
        ("Deno.cron()", "Deno.cron"),
        ("new Deno.UnsafeCallback()", "Deno.UnsafeCallback"),
        ("Deno.chdir('/')", "Deno.chdir"),
        ("new EventSource('http://x/')", "EventSource"),
        ("new FileReader()", "FileReader"),
    ] {
        let error = crate::common::run(&format!("export const run = async () => {{ {code} }}")).unwrap_err();
        assert_eq!(error.kind, marsh_engine::EngineErrorKind::Unsupported, "{code}: {error:?}");
        assert_eq!(error.message, format!("{name} is not available in marsh's engine"));
    }
}
