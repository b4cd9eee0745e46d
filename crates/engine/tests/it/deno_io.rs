//! Open files, connections, names.

use std::io::{Read, Write};

use crate::common::{Fixture, begin, call};
use crate::server;
use serde_json::json;

#[test]
fn files_are_read_written_and_streamed() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const run = async () => {
            const seen = []; const text = new TextDecoder();
            using f = await Deno.open('f', { read: true, write: true, create: true, truncate: true });
            seen.push(await f.write(new TextEncoder().encode('hello world')), await f.seek(6, Deno.SeekMode.Start)); const b = new Uint8Array(32);
            seen.push(await f.read(b), text.decode(b.subarray(0, 5)), await f.read(b), f.seekSync(-5, Deno.SeekMode.End), f.readSync(b.subarray(0, 2)), (await f.stat()).size);
            await f.truncate(5); seen.push(f.statSync().size, (await f.stat()).mtime instanceof Date);
            const w = await Deno.create('g'); await new Blob(['x'.repeat(200000)]).stream().pipeTo(w.writable); const r = Deno.openSync('g'); let size = 0; for await (const chunk of r.readable) size += chunk.length; seen.push(size);
            for (const wrong of [() => Deno.open('none'), () => r.read(b), () => Deno.open('f', { write: true, createNew: true })]) { try { await wrong(); seen.push('fine') } catch (error) { seen.push(error.name) } }
            return seen;
         };",
    );
    assert_eq!(
        call(&runtime, "run", json!({})).unwrap(),
        json!([
            11,
            6,
            5,
            "world",
            null,
            6,
            2,
            11,
            5,
            true,
            200_000,
            "NotFound",
            "BadResource",
            "AlreadyExists"
        ])
    );
    runtime.close();
}

/// Answers its input in capitals, until the other side ends.
fn shout(mut stream: impl Read + Write) {
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        if stream.write_all(&chunk[..read].to_ascii_uppercase()).is_err() {
            return;
        }
    }
}

#[test]
fn connections() {
    let fixture = Fixture::new();
    let port = server::accept(shout);
    let socket = fixture.path("s.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || shout(listener.accept().unwrap().0));
    let (tls_port, ca) = server::tls(shout);
    let runtime = fixture.load(
        "const e = new TextEncoder(), d = new TextDecoder();
         const ask = async (c, text) => { await c.write(e.encode(text)); const b = new Uint8Array(64); return d.decode(b.subarray(0, await c.read(b))); };
         export const run = async ({ port, tlsPort, ca }) => {
            const seen = [];
            const c = await Deno.connect({ hostname: 'localhost', port }); seen.push(await ask(c, 'tcp'), c.remoteAddr.port === port); await c.closeWrite(); seen.push(await c.read(new Uint8Array(4))); c.close();
            try { await c.read(new Uint8Array(1)) } catch (error) { seen.push(error.name) }
            const s = await Deno.connect({ port }); const w = s.writable.getWriter(); await w.write(e.encode('streams')); await w.close(); let all = ''; for await (const chunk of s.readable.pipeThrough(new TextDecoderStream())) all += chunk; seen.push(all);
            const u = await Deno.connect({ transport: 'unix', path: 's.sock' }); seen.push(await ask(u, 'unix')); u.close();
            const t = await Deno.connectTls({ hostname: 'localhost', port: tlsPort, caCerts: [ca] }); seen.push(await ask(t, 'tls')); t.close();
            const up = await Deno.startTls(await Deno.connect({ hostname: 'localhost', port: tlsPort }), { hostname: 'localhost', caCerts: [ca] }); seen.push(await ask(up, 'upgraded')); up.close();
            for (const wrong of [() => Deno.connectTls({ hostname: 'localhost', port: tlsPort }), () => Deno.connect({ port: 1 })]) { try { await wrong(); seen.push('fine') } catch (error) { seen.push(error.name, error.code) } }
            seen.push((await Deno.resolveDns('localhost', 'A')).includes('127.0.0.1')); try { await Deno.resolveDns('x', 'MX') } catch (error) { seen.push(error.message) }
            return seen;
         };
         export const wait = async ({ port }) => { const c = await Deno.connect({ port }); console.log('connected'); await c.read(new Uint8Array(1)); };",
    );
    assert_eq!(
        call(&runtime, "run", json!({ "port": port, "tlsPort": tls_port, "ca": ca })).unwrap(),
        json!([
            "TCP",
            true,
            null,
            "BadResource",
            "STREAMS",
            "UNIX",
            "TLS",
            "UPGRADED",
            "InvalidData",
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "ConnectionRefused",
            "ECONNREFUSED",
            true,
            "Deno.resolveDns of MX records is not available in marsh's engine"
        ])
    );
    // The other side must see the end of the runtime.
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let watched = server::accept(move |stream| {
        shout(stream);
        sender.lock().unwrap().send(()).unwrap();
    });
    let pending = begin(&runtime, "w", "wait", json!({ "port": watched }));
    fixture.until("the connection is there", |fixture| !fixture.lines("w", "stdout").is_empty());
    runtime.close();
    assert!(pending.wait().is_err());
    receiver.recv_timeout(crate::common::PATIENCE).unwrap();
}
