//! The node: modules.

use crate::common::{Fixture, call, run};
use marsh_engine::EngineErrorKind;
use serde_json::{Value, json};

fn with(imports: &str, body: &str) -> Value {
    match run(&format!("{imports}\nexport async function run(params) {{ {body} }}")) {
        Ok(value) => value,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn path() {
    let value = with(
        "import path, { join, posix } from 'node:path';",
        "return [join('/a', '../b', './c/'), path.resolve('/x', 'y', '../z'), path.relative('/a/b/c', '/a/d'), path.basename('/q/w.tar.gz', '.gz'), path.extname('.x'), path.dirname('/a'),
            path.normalize('a//b/../..'), path.parse('/h/f.txt'), path.format({ dir: '/h', base: 'g' }), path.isAbsolute('a'), posix === path, path.dirname('a/b/'), path.join('')];",
    );
    assert_eq!(
        value,
        json!(["/b/c/", "/x/z", "../../d", "w.tar", "", "/", ".", { "root": "/", "dir": "/h", "base": "f.txt", "ext": ".txt", "name": "f" }, "/h/g", false, true, "a", "."])
    );
}

#[test]
fn files_processes_and_facts() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "import fs, { existsSync, readFileSync } from 'node:fs';
         import { readFile, rm, mkdir, readdir } from 'fs/promises';
         import process, { env } from 'node:process';
         import os from 'os';
         export const run = async ({ dir }) => {
            fs.writeFileSync(`${dir}/f`, 'text'); fs.appendFileSync(`${dir}/f`, Buffer.from('+'));
            await mkdir(`${dir}/sub/deep`, { recursive: true });
            let code; try { await readFile(`${dir}/none`) } catch (error) { code = error.code }
            const called = await new Promise((resolve) => fs.readFile(`${dir}/f`, 'utf8', (error, text) => resolve(text)));
            await rm(`${dir}/none`, { force: true });
            env.MARSH_Y = '2'; process.stdout.write('from process\\n');
            return [readFileSync(`${dir}/f`, 'utf8'), readFileSync(`${dir}/f`) instanceof Buffer, existsSync(`${dir}/none`), code, called, (await readdir(dir)).includes('sub'), fs.statSync(dir).isDirectory(),
                Deno.env.get('MARSH_Y'), process.platform === os.platform(), process.cwd() === Deno.cwd(), globalThis.process === process, typeof process.hrtime.bigint(), os.EOL];
         };",
    );
    let value = call(&runtime, "run", json!({ "dir": fixture.dir.path() })).unwrap();
    assert_eq!(
        value,
        json!(["text+", true, false, "ENOENT", "text+", true, true, "2", true, true, true, "bigint", "\n"])
    );
    assert_eq!(fixture.lines("call-run", "stdout"), ["from process"]);
    runtime.close();
}

#[test]
fn events_util_crypto_buffer_assert_timers_url() {
    let value = with(
        "import EventEmitter, { once } from 'node:events'; import { promisify, inspect, format, isDeepStrictEqual } from 'node:util';
         import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'; import assert from 'node:assert'; import { fileURLToPath, pathToFileURL } from 'node:url';
         import { setTimeout as sleep } from 'node:timers/promises'; import { Buffer as B } from 'node:buffer';",
        "const e = new EventEmitter(); const seen = []; e.once('x', (v) => seen.push(v)); e.emit('x', 1); seen.push(e.emit('x', 2));
         const waited = once(e, 'y'); e.emit('y', 'later'); seen.push(await waited);
         seen.push(await promisify((a, cb) => cb(null, a + 1))(1), inspect({ a: 1 }), format('%s!', 'hi'), isDeepStrictEqual({ a: [1] }, { a: [1] }));
         const h = createHash('sha256').update('ab'); seen.push(h.copy().update('c').digest('hex').slice(0, 8), createHash('sha1').update('abc').digest('base64'), randomBytes(8).length, randomUUID().length);
         seen.push(timingSafeEqual(B.from('a'), B.from('a')), fileURLToPath('file:///a%20b'), pathToFileURL('/x y').href, await sleep(1, 'slept'));
         seen.push(B.from('aGk=', 'base64').toString(), B.from('hi').toString('hex'), B.concat([B.from('a'), B.from('b')]).toString('base64url'), B.from([1, 2]).readUInt16BE(0), B.byteLength('ä'), JSON.stringify(B.from('a')));
         try { assert.deepStrictEqual({ a: 1 }, { a: 2 }) } catch (error) { seen.push(error.code) } assert(true); await assert.rejects(async () => { throw new TypeError('x') }, TypeError);
         return seen;",
    );
    assert_eq!(
        value,
        json!([
            1,
            false,
            ["later"],
            2,
            "{ a: 1 }",
            "hi!",
            true,
            "ba7816bf",
            "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=",
            8,
            36,
            true,
            "/a b",
            "file:///x%20y",
            "slept",
            "hi",
            "6869",
            "YWI",
            258,
            2,
            "{\"type\":\"Buffer\",\"data\":[97]}",
            "ERR_ASSERTION"
        ])
    );
}

#[test]
fn a_missing_module_imports_and_throws_its_name_on_use() {
    for (code, name) in [
        (
            "import https from 'node:https'; export const run = () => https.createServer();",
            "node:https.createServer",
        ),
        (
            "import { createServer } from 'node:net'; export const run = () => createServer(1);",
            "node:net.createServer",
        ),
        (
            "import { fork } from 'child_process'; export const run = () => fork('x');",
            "node:child_process.fork",
        ),
        (
            "import { createContext } from 'node:vm'; export const run = () => createContext();",
            "node:vm.createContext",
        ),
        ("import * as v8 from 'v8'; export const run = () => v8.serialize('x');", "node:v8.serialize"),
        (
            "import { createECDH } from 'node:crypto'; export const run = () => createECDH('x');",
            "crypto.createECDH",
        ),
    ] {
        let error = run(code).unwrap_err();
        assert_eq!(error.kind, EngineErrorKind::Unsupported, "{code}: {error:?}");
        assert_eq!(error.message, format!("{name} is not available in marsh's engine"));
    }
    let error = Fixture::new().start("import 'node:no-such-thing'");
    assert_eq!(crate::common::loaded(&error).unwrap_err().kind, EngineErrorKind::Load);
}

#[test]
fn require_finds_builtins_and_nothing_else() {
    let value = with(
        "import { createRequire } from 'node:module'; import fs from 'fs';",
        "let code; try { require('left-pad') } catch (error) { code = error.code }
         const own = createRequire(import.meta.url);
         return [require('node:fs') === fs, own('path').join('a', 'b'), own('path/posix') === own('path'), code, typeof require('net').connect, require('tty').isatty(1)];",
    );
    assert_eq!(value, json!([true, "a/b", true, "MODULE_NOT_FOUND", "function", false]));
}
