//! HTTP servers of extensions: Deno.serve and node:http, on loopback addresses.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::common::{Fixture, begin, call, run};
use serde_json::json;

#[test]
fn a_server_answers_with_bodies_both_ways_until_it_is_shut_down() {
    let value = run(
        "export const run = async () => {
            const seen = []; let address, info;
            const server = Deno.serve({ port: 0, onListen: (addr) => { address = addr; }, onError: (error) => new Response(error.message, { status: 418 }) }, async (request, given) => {
                info = given; const { pathname, searchParams } = new URL(request.url);
                if (pathname === '/callback') return new Response(`code ${searchParams.get('code')} ${request.headers.get('x-a')}`, { headers: { 'x-b': 'ü', 'set-cookie': 'a=1' } });
                if (pathname === '/echo') return new Response(request.body, { status: 201 });
                if (pathname === '/pieces') return new Response(ReadableStream.from([new TextEncoder().encode('one '), new TextEncoder().encode('two')]));
                if (pathname === '/json') return Response.json({ method: request.method, body: await request.json() });
                if (pathname === '/empty') return new Response(null, { status: 204 });
                if (pathname === '/bad') return 'not a response';
                throw new Error('lost');
            });
            const base = `http://${address.hostname}:${address.port}`;
            seen.push(address.transport, address.hostname, server.addr.port === address.port);
            const first = await fetch(`${base}/callback?code=42`, { headers: { 'x-a': 'here' } });
            seen.push(await first.text(), first.headers.get('x-b'), first.headers.getSetCookie(), info.remoteAddr.hostname);
            const big = 'x'.repeat(3e6); const echoed = await fetch(`${base}/echo`, { method: 'POST', body: big }); seen.push(echoed.status, (await echoed.text()) === big);
            seen.push(await (await fetch(`${base}/pieces`)).text(), await (await fetch(`${base}/json`, { method: 'PUT', body: '[1]' })).json());
            seen.push((await fetch(`${base}/empty`)).status, (await fetch(`${base}/bad`)).status, await (await fetch(`${base}/other`)).text());
            const many = await Promise.all(Array.from({ length: 80 }, (_, i) => fetch(`${base}/callback?code=${i}`).then((r) => r.text()))); seen.push(many[79]);
            await server.shutdown(); await server.finished;
            try { await fetch(base) } catch (error) { seen.push(error.name) }
            const controller = new AbortController(); const other = Deno.serve({ port: 0, hostname: '::1', signal: controller.signal, onListen() {} }, () => new Response('x'));
            seen.push(other.addr.hostname); controller.abort(); await other.finished; seen.push('finished');
            return seen;
         };",
    )
    .unwrap();
    assert_eq!(
        value,
        json!([
            "tcp",
            "127.0.0.1",
            true,
            "code 42 here",
            "ü",
            ["a=1"],
            "127.0.0.1",
            201,
            true,
            "one two",
            { "method": "PUT", "body": [1] },
            204,
            418,
            "lost",
            "code 79 null",
            "TypeError",
            "::1",
            "finished"
        ])
    );
}

#[test]
fn another_address_than_loopback_is_refused_by_name() {
    for host in ["0.0.0.0", "::", "192.0.2.1", "example.org"] {
        let code = format!(
            "export const run = () => Deno.serve({{ hostname: '{host}', port: 0 }}, () => new Response());"
        );
        let error = run(&code).unwrap_err();
        assert_eq!(error.kind, marsh_engine::EngineErrorKind::Unsupported, "{error:?}");
        assert!(error.message.contains(host) && error.message.contains("127.0.0.1"), "{}", error.message);
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let code = format!(
        "export const run = () => {{ try {{ Deno.serve({{ port: {port} }}, () => new Response()) }} catch (error) {{ return error.name }} }};"
    );
    assert_eq!(run(&code).unwrap(), "AddrInUse");
}

#[test]
fn a_server_ends_with_its_call_and_with_its_runtime() {
    let fixture = Fixture::new();
    let runtime = fixture.load(
        "export const leave = () => Deno.serve({ port: 0, onListen() {} }, () => new Response('x')).addr.port;
         export const other = async () => { await new Promise((resolve) => setTimeout(resolve, 1e6)); };
         export const hold = async () => { const server = Deno.serve({ port: 0, onListen: ({ port }) => console.log(port) }, () => new Promise(() => {})); await server.finished; };",
    );
    let other = begin(&runtime, "other", "other", json!({}));
    let port = call(&runtime, "leave", json!({})).unwrap().as_u64().unwrap();
    fixture.until("nothing listens", |_| {
        TcpStream::connect(("127.0.0.1", u16::try_from(port).unwrap())).is_err()
    });
    let pending = begin(&runtime, "hold", "hold", json!({}));
    fixture.until("the server listens", |fixture| !fixture.lines("hold", "stdout").is_empty());
    let port: u16 = fixture.lines("hold", "stdout")[0].parse().unwrap();
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    runtime.close();
    assert!(pending.wait().is_err() && other.wait().is_err());
    // It ends, with a reset or without.
    drop(client.read_to_end(&mut Vec::new()));
    fixture.until("nothing listens", |_| TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn servers_of_node_answer_too() {
    let value = run(
        "import http, { createServer } from 'node:http'; import { once } from 'node:events'; import { text } from 'node:stream/consumers';
         export const run = async () => {
            const seen = [];
            const server = createServer(async (req, res) => {
                if (req.url === '/pieces') { res.writeHead(206, { 'x-c': 'd' }); res.write('one '); res.write(Buffer.from('two')); return res.end(); }
                if (req.url === '/cookies') { res.setHeader('Set-Cookie', ['a=1', 'b=2']); res.statusCode = 302; res.setHeader('location', '/x'); return res.end(); }
                res.setHeader('content-type', 'text/plain'); res.end(`${req.method} ${req.url} ${req.headers['x-a']} ${await text(req)} ${req.socket.remoteAddress}`);
            });
            server.listen(0); await once(server, 'listening'); const { port, address } = server.address(); seen.push(address, server.listening);
            const base = `http://localhost:${port}`;
            const posted = await fetch(`${base}/p?q`, { method: 'POST', body: 'body', headers: { 'x-a': 'b' } }); seen.push(await posted.text(), posted.headers.get('content-length') !== null);
            const pieces = await fetch(`${base}/pieces`); seen.push(pieces.status, pieces.headers.get('x-c'), await pieces.text());
            const moved = await fetch(`${base}/cookies`, { redirect: 'manual' }); seen.push(moved.status, moved.headers.getSetCookie());
            const got = await new Promise((resolve) => http.get(`${base}/got`, (res) => resolve(text(res)))); seen.push(got);
            server.close(); await once(server, 'close'); seen.push(server.listening);
            const refused = createServer().listen(0, '0.0.0.0'); const [error] = await once(refused, 'error'); seen.push(error.code);
            return seen;
         };",
    )
    .unwrap();
    assert_eq!(
        value,
        json!([
            "127.0.0.1",
            true,
            "POST /p?q b body 127.0.0.1",
            true,
            206,
            "d",
            "one two",
            302,
            ["a=1", "b=2"],
            "GET /got undefined  127.0.0.1",
            false,
            "MARSH_UNSUPPORTED"
        ])
    );
}
