//! The builtins of node that packages need: streams, processes, connections, compression.

use std::io::{Read, Write};

use crate::common::{Fixture, call, run};
use crate::server::{self, reply};
use serde_json::{Value, json};

fn with(imports: &str, body: &str) -> Value {
    match run(&format!(
        "{imports}\nexport async function run(params) {{ const seen = []; {body}; return seen; }}"
    )) {
        Ok(value) => value,
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn streams() {
    let value = with(
        "import { Readable, Writable, Transform, PassThrough, pipeline as cb, Duplex } from 'node:stream'; import { pipeline, finished } from 'node:stream/promises'; import { text, json } from 'node:stream/consumers'; import { StringDecoder } from 'string_decoder'; import { ReadableStream as R } from 'node:stream/web'; import zlib from 'node:zlib'; import { promisify } from 'util';",
        "const upper = () => new Transform({ transform(chunk, _, done) { done(null, String(chunk).toUpperCase()); } });
         const out = []; await pipeline(Readable.from(['a', 'b']), upper(), new Writable({ write(chunk, _, done) { out.push(String(chunk)); done(); } })); seen.push(out);
         seen.push(await text(Readable.from(['x', 'y']).pipe(upper())), await json(Readable.from(['{\"a\"', ':1}'])));
         seen.push(await text(Readable.fromWeb(new Blob(['web']).stream())), await new Response(Readable.toWeb(Readable.from([Buffer.from('to')]))).text(), R === ReadableStream);
         const w = []; const web = Writable.toWeb(new Writable({ write(c, _, d) { w.push(String(c)); d(); } })); await ReadableStream.from(['q']).pipeTo(web); seen.push(w);
         try { await pipeline(Readable.from(['a']), new Transform({ transform(c, _, done) { done(new RangeError('no')); } }), new PassThrough()) } catch (error) { seen.push(error.message) }
         const late = new PassThrough(); setTimeout(() => late.end('end'), 2); late.resume(); await finished(late); seen.push(late.readableEnded);
         const s = new StringDecoder(); seen.push(s.write(Buffer.from([0xe2, 0x82])) + s.write(Buffer.from([0xac])));
         const big = 'zip '.repeat(50000); const packed = zlib.gzipSync(big); seen.push(zlib.gunzipSync(packed).toString() === big, packed.length * 100 < big.length, (await promisify(zlib.inflate)(await promisify(zlib.deflate)('async'))).toString(), zlib.inflateRawSync(zlib.deflateRawSync('raw')).toString());
         seen.push((await text(Readable.from([Buffer.from(big)]).pipe(zlib.createGzip()).pipe(zlib.createGunzip()))) === big, zlib.unzipSync(packed).length);
         seen.push(zlib.crc32('lo', zlib.crc32('hel')) === zlib.crc32('hello'), zlib.crc32('hello'), String(process));
         try { zlib.gunzipSync('nonsense and nonsense') } catch (error) { seen.push(error.code) }",
    );
    assert_eq!(
        value,
        json!([
            ["A", "B"],
            "XY",
            { "a": 1 },
            "web",
            "to",
            true,
            ["q"],
            "no",
            true,
            "€",
            true,
            true,
            "async",
            "raw",
            true,
            200_000,
            true,
            907_060_870,
            "[object process]",
            "Z_DATA_ERROR"
        ])
    );
}

#[test]
fn buffers_are_nodes() {
    let value = with(
        "import { Buffer as B, isUtf8 } from 'node:buffer';",
        "const b = B.from('häß'); seen.push(b.toString('hex'), b.toString('latin1').length, B.from('_-8', 'base64url').toString('hex'), B.from('Zm9v\\n', 'base64').toString(), B.alloc(3, 'ab').toString());
         const n = B.alloc(16); n.writeInt32LE(-5, 0); n.writeDoubleBE(1.5, 4); n.writeUIntBE(0x123456, 12, 3); seen.push(n.readInt32LE(0), n.readDoubleBE(4), n.readUIntBE(12, 3), n.subarray(0, 2) instanceof B, B.isBuffer(n.slice(1)), n.slice(0, 4).length);
         seen.push(b.indexOf('ß'), b.includes('x'), B.concat([b, B.from('!')]).toString(), B.compare(B.from('a'), B.from('b')), b.equals(B.from('häß')), B.from('abc').swap16 !== undefined, B.byteLength('ä'), B.from([256, -1]).toJSON().data, B.from(new Uint16Array([1, 2])).length);
         seen.push(B.from('x').toString('utf16le'), B.from('hi', 'utf16le').toString('ucs2'), B(3).length, b.write('zz', 1), b.toString(), isUtf8(B.from([255])), B === globalThis.Buffer, B.from(B.from('copy')).toString('ascii'), B.from('abcdef').toString('utf8', 1, 3), [...B.from('ab').entries()].length);
         seen.push(new TextDecoder().decode(B.from('dec')), structuredClone(B.from('a')).length, B.from('ab').map((x) => x + 1).toString(), B.from(new ArrayBuffer(8), 2, 3).length)",
    );
    assert_eq!(
        value,
        json!([
            "68c3a4c39f",
            5,
            "ffef",
            "foo",
            "aba",
            -5,
            1.5,
            0x12_3456,
            true,
            true,
            4,
            3,
            false,
            "häß!",
            -1,
            true,
            true,
            2,
            [0, 255],
            2,
            "",
            "hi",
            3,
            2,
            "hzz\u{fffd}\u{fffd}".replace("\u{fffd}\u{fffd}", "ß"),
            false,
            true,
            "copy",
            "bc",
            2,
            "dec",
            1,
            "bc",
            3
        ])
    );
}

#[test]
fn child_processes() {
    let value = with(
        "import cp, { spawn, exec, execFile, execFileSync, execSync, spawnSync } from 'node:child_process'; import { promisify } from 'node:util'; import { text } from 'node:stream/consumers'; import { once } from 'node:events';",
        "const cat = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] }); cat.stdin.end('through'); const all = text(cat.stdout), closed = once(cat, 'close'); seen.push(await all, await closed, cat.exitCode, typeof cat.pid);
         seen.push(await promisify(exec)('echo $X; echo err >&2', { env: { X: '1', PATH: Deno.env.get('PATH') } }));
         seen.push(await new Promise((resolve) => execFile('sh', ['-c', 'echo out; exit 3'], (error, stdout) => resolve([error.code, stdout, error.cmd]))));
         seen.push(execFileSync('echo', ['a'], { encoding: 'utf8' }), execSync('cat', { input: 'in' }).toString(), spawnSync('sh', ['-c', 'exit 4']).status, spawnSync('none-such').error.code);
         const large = 'x'.repeat(1 << 20); seen.push(execFileSync('cat', { input: large, encoding: 'utf8' }) === large);
         try { execSync('exit 5', { stdio: 'pipe' }) } catch (error) { seen.push(error.status) }
         const [error] = await once(spawn('none-such'), 'error'); seen.push(error.code, error.syscall);
         const sleep = spawn('sleep', ['50']); sleep.kill(); seen.push(await once(sleep, 'exit'), sleep.killed);
         seen.push(spawnSync('sleep', ['50'], { timeout: 30 }).error.code, (await promisify(execFile)('sleep', ['50'], { timeout: 30 }).catch((e) => e)).signal)",
    );
    assert_eq!(
        value,
        json!([
            "through",
            [0, null],
            0,
            "number",
            { "stdout": "1\n", "stderr": "err\n" },
            [3, "out\n", "sh -c echo out; exit 3"],
            "a\n",
            "in",
            4,
            "ENOENT",
            true,
            5,
            "ENOENT",
            "spawn none-such",
            [null, "SIGTERM"],
            true,
            "ETIMEDOUT",
            "SIGTERM"
        ])
    );
}

#[test]
fn http_requests_as_the_aws_sdk_makes_them() {
    let url = server::http(|request, out| match request.path.as_str() {
        "/slow" => std::thread::sleep(std::time::Duration::from_secs(60)),
        "/hop" => reply(out, "302 Found", "location: /x\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n", b""),
        _ => {
            let said = json!({ "method": request.method, "path": request.path, "x": request.header("x-a"), "size": request.body.len(), "length": request.header("content-length"), "auth": request.header("authorization") });
            reply(out, "200 OK", "x-back: 1\r\n", said.to_string().as_bytes());
        }
    });
    let secure = server::https(|_, out| reply(out, "200 OK", "", b"secure"));
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "import http, { Agent } from 'node:http'; import https from 'node:https'; import { Readable } from 'node:stream'; import { json, text } from 'node:stream/consumers'; import { once } from 'node:events';
         export const run = async ({ url, secure, ca }) => {
            const seen = []; const { hostname, port } = new URL(url); const agent = new Agent({ keepAlive: true, maxSockets: 50 });
            const ask = (options, body, from = http) => new Promise((resolve, reject) => {
                const request = from.request(options, (response) => resolve(response)); request.on('error', reject);
                request.on('socket', (socket) => { if (!socket.connecting) socket.setKeepAlive(true); });
                if (body?.pipe) body.pipe(request); else request.end(body);
            });
            const r = await ask({ hostname, port, method: 'POST', path: '/p?q', headers: { 'X-A': 'v', host: new URL(url).host }, agent, auth: 'u:p' }, Buffer.from('body')); seen.push(r.statusCode, r.headers['x-back'], await json(r));
            seen.push(await json(await ask({ hostname, port, method: 'PUT', path: '/big' }, Readable.from([Buffer.alloc(3 << 20), Buffer.alloc(1 << 20)]))));
            seen.push((await json(await new Promise((resolve) => http.get(url + '/get', resolve)))).method);
            const hop = await ask(url + '/hop'); seen.push(hop.statusCode, hop.headers.location, hop.headers['set-cookie'], await text(hop));
            try { await ask({ port: 1, hostname: '127.0.0.1' }) } catch (error) { seen.push(error.code, error.message) }
            const slow = http.get(url + '/slow'); slow.setTimeout(20, () => slow.destroy(new Error('too slow'))); seen.push((await once(slow, 'error').catch((e) => [e]))[0].message);
            const gone = http.get(url + '/slow'); setTimeout(() => gone.destroy(), 5); seen.push(await new Promise((resolve) => gone.on('error', (e) => resolve(e.code))));
            seen.push(await text(await ask(secure, undefined, { request: (o, c) => https.request(o, { ca }, c) })), await text(await ask(secure, undefined, { request: (o, c) => https.request(o, { agent: new https.Agent({ rejectUnauthorized: false }) }, c) })));
            try { await ask(secure, undefined, https) } catch (error) { seen.push(error.code) }
            return seen;
         };",
    );
    let value = call(&runtime, "run", json!({ "url": url, "secure": secure.url, "ca": secure.ca })).unwrap();
    assert_eq!(
        value,
        json!([
            200,
            "1",
            { "method": "POST", "path": "/p?q", "x": "v", "size": 4, "length": "4", "auth": "Basic dTpw" },
            { "method": "PUT", "path": "/big", "x": "", "size": 4 << 20, "length": "", "auth": "" },
            "GET",
            302,
            "/x",
            ["a=1", "b=2"],
            "",
            "ECONNREFUSED",
            "connect ECONNREFUSED 127.0.0.1:1",
            "too slow",
            "ECONNRESET",
            "secure",
            "secure",
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
        ])
    );
    runtime.close();
}

#[test]
fn sockets_files_and_lines() {
    let echo = |mut stream: Box<dyn server::Stream>| {
        let mut chunk = [0; 512];
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            if stream.write_all(&chunk[..read]).is_err() {
                return;
            }
        }
    };
    let port = server::accept(move |stream| echo(Box::new(stream)));
    let (tls_port, ca) = server::tls(move |stream| echo(Box::new(stream)));
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "import net from 'node:net'; import tls from 'node:tls'; import fs from 'node:fs'; import { open } from 'node:fs/promises'; import readline from 'node:readline'; import { pipeline } from 'node:stream/promises'; import { once } from 'node:events'; import dns from 'node:dns';
         export const run = async ({ port, tlsPort, ca }) => {
            const seen = [];
            const s = net.connect(port, 'localhost'); await once(s, 'connect'); s.write('ping'); seen.push(String((await once(s, 'data'))[0]), s.remotePort === port); s.end(); await once(s, 'close'); seen.push(s.destroyed);
            const t = tls.connect({ host: 'localhost', port: tlsPort, ca }); await once(t, 'secureConnect'); t.write('tls'); seen.push(String((await once(t, 'data'))[0]), t.authorized); t.destroy();
            const raw = net.connect(tlsPort, 'localhost'); await once(raw, 'connect'); const up = tls.connect({ socket: raw, servername: 'localhost', ca }); up.write('up'); seen.push(String((await once(up, 'data'))[0])); up.destroy();
            const [refused] = await once(net.connect(1), 'error'); seen.push(refused.code, net.isIP('::1'), net.isIP('1.2.3.4'), net.isIP('1.2.3'));
            const w = fs.createWriteStream('f'); w.write('one\\ntwo\\n'); w.end('three'); await once(w, 'finish'); seen.push(w.bytesWritten);
            const lines = []; for await (const line of readline.createInterface({ input: fs.createReadStream('f') })) lines.push(line); seen.push(lines);
            let part = ''; for await (const chunk of fs.createReadStream('f', { start: 4, end: 6, encoding: 'utf8' })) part += chunk; seen.push(part);
            await pipeline(fs.createReadStream('f'), fs.createWriteStream('g', { flags: 'a' })); seen.push(fs.readFileSync('g', 'utf8').length);
            const fd = fs.openSync('f', 'r+'); const b = Buffer.alloc(3); seen.push(fs.readSync(fd, b, 0, 3, 4), b.toString(), fs.writeSync(fd, 'X'), fs.fstatSync(fd).size); fs.closeSync(fd); seen.push(fs.readFileSync('f', 'utf8')[0]);
            const h = await open('f'); seen.push((await h.readFile('utf8')).length, (await h.stat()).isFile()); await h.close();
            const [none] = await once(fs.createReadStream('none'), 'error'); seen.push(none.code);
            seen.push(await new Promise((resolve) => dns.lookup('localhost', 4, (error, address) => resolve(address))));
            return seen;
         };",
    );
    let value = call(&runtime, "run", json!({ "port": port, "tlsPort": tls_port, "ca": ca })).unwrap();
    assert_eq!(
        value,
        json!([
            "ping",
            true,
            true,
            "tls",
            true,
            "up",
            "ECONNREFUSED",
            6,
            4,
            0,
            13,
            ["one", "two", "three"],
            "two",
            13,
            3,
            "two",
            1,
            13,
            "X",
            13,
            true,
            "ENOENT",
            "127.0.0.1"
        ])
    );
    runtime.close();
}

#[test]
fn small_ones() {
    let value = with(
        "import { AsyncLocalStorage } from 'node:async_hooks'; import { channel, tracingChannel } from 'node:diagnostics_channel'; import qs from 'node:querystring'; import punycode from 'punycode'; import { performance as p } from 'node:perf_hooks'; import { EventEmitter, errorMonitor, on } from 'node:events'; import { isDate } from 'node:util/types'; import url, { parse } from 'node:url';",
        "const als = new AsyncLocalStorage(); seen.push(als.run(7, () => als.getStore()), als.getStore() === undefined, await als.run(8, async () => { await null; return als.getStore(); }), als.getStore() === undefined);
         const c = channel('x'); c.subscribe((message) => seen.push(message)); c.publish('told'); seen.push(tracingChannel('y').hasSubscribers);
         seen.push(qs.stringify({ a: [1, 2], b: 'ä &' }), qs.parse('a=1&a=2&b=x+y'), punycode.toASCII('mañana.com'), punycode.toUnicode('xn--maana-pta.com'), punycode.encode('bücher'), typeof p.now(), isDate(new Date()));
         const e = new EventEmitter(); e.on(errorMonitor, () => seen.push('monitored')); try { e.emit('error', new Error('x')) } catch { seen.push('thrown') }
         function Old() { EventEmitter.call(this) } Old.prototype = new EventEmitter(); const a = new Old(), b = new Old(); a.on('x', () => {}); seen.push(b.listenerCount('x'), JSON.stringify(Object.assign({}, a)));
         const { port1, port2 } = new MessageChannel(); port2.onmessage = ({ data }) => { seen.push(data); port2.close(); }; port1.postMessage({ deep: [1] }); await new Promise((resolve) => setTimeout(resolve, 5));
         const x = new BroadcastChannel('n'), y = new BroadcastChannel('n'); y.onmessage = (event) => seen.push(event.data); x.postMessage('all'); await new Promise((resolve) => setTimeout(resolve, 5)); x.close(); y.close();
         const u = parse('http://u:p@Host:81/a/b?x=1&x=2#h', true); seen.push([u.auth, u.host, u.hostname, u.port, u.path, u.hash, u.query.x, u.href], parse('/only?q').path, url.format({ protocol: 'https', hostname: 'x', pathname: 'p', query: { a: 1 } }), url.format(new URL('http://y')))",
    );
    assert_eq!(
        value,
        json!([
            7,
            true,
            8,
            true,
            "told",
            false,
            "a=1&a=2&b=%C3%A4%20%26",
            { "a": ["1", "2"], "b": "x y" },
            "xn--maana-pta.com",
            "mañana.com",
            "bcher-kva",
            "number",
            true,
            "monitored",
            "thrown",
            0,
            "{}",
            { "deep": [1] },
            "all",
            ["u:p", "host:81", "host", "81", "/a/b?x=1&x=2", "#h", ["1", "2"], "http://u:p@host:81/a/b?x=1&x=2#h"],
            "/only?q",
            "https://x/p?a=1",
            "http://y/"
        ])
    );
}

/// Packages reach a proxy by an agent that keeps its address in `proxy` and would tunnel by itself.
#[test]
fn an_agent_that_stands_for_a_proxy() {
    let proxy = server::http(|request, out| {
        let said = format!("{} {} {}", request.method, request.path, request.header("proxy-authorization"));
        reply(out, "200 OK", "", said.as_bytes());
    });
    let value = with(
        "import http, { Agent } from 'node:http'; import { text } from 'node:stream/consumers';",
        &format!(
            "class ProxyAgent extends Agent {{ constructor(url) {{ super(); this.proxy = new URL(url); }} connect() {{ throw new Error('unused'); }} }}
             const url = {proxy:?}; const ask = (agent) => new Promise((resolve, reject) => {{ http.get('http://far.invalid/a?b', {{ agent }}, (r) => resolve(text(r))).on('error', reject); }});
             seen.push(await ask(new ProxyAgent(url)), await ask(new ProxyAgent(url.replace('//', '//u:p@'))));
             try {{ await ask({{ connect() {{}} }}) }} catch (error) {{ seen.push(error.message) }}"
        ),
    );
    assert_eq!(
        value,
        json!([
            "GET http://far.invalid/a?b ",
            "GET http://far.invalid/a?b Basic dTpw",
            "an http.Agent that makes its own connections is not available in marsh's engine"
        ])
    );
}
