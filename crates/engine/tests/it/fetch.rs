//! fetch, against servers of this process.

use std::io::Write;

use crate::common::{Fixture, begin, call, run_body};
use crate::server::{self, Request, https, reply};
use serde_json::{Value, json};

/// What most tests talk to.
fn serve(request: &Request, out: &mut dyn Write) {
    let path = request.path.split('?').next().unwrap();
    match path {
        "/echo" if request.method == "HEAD" => reply(out, "200 Fine", "", b""),
        "/echo" => {
            let said = json!({
                "method": request.method, "path": request.path, "type": request.header("content-type"), "auth": request.header("authorization"),
                "body": String::from_utf8_lossy(&request.body), "length": request.header("content-length"), "x": request.header("x-custom"),
                "coding": request.header("transfer-encoding"), "cookie": request.header("cookie"),
            });
            reply(out, "200 Fine", "content-type: application/json\r\n", said.to_string().as_bytes());
        }
        "/hop" => reply(out, "302 Found", "location: echo?a=1\r\n", b"hop"),
        "/see-other" => reply(out, "303 See Other", "location: /echo\r\n", b""),
        "/keep" => reply(out, "307 Temporary Redirect", "location: /echo\r\n", b""),
        "/away" => {
            let target = request.path.split_once('?').unwrap().1;
            reply(out, "302 Found", &format!("location: {target}\r\n"), b"");
        }
        "/loop" => reply(out, "302 Found", "location: /loop\r\n", b""),
        "/none" => reply(out, "204 No Content", "", b""),
        "/missing" => reply(out, "404 Not Found", "", b"gone"),
        "/cookies" => reply(out, "200 OK", "set-cookie: a=1\r\nset-cookie: b=2\r\nx-latin: \u{e4}\r\n", b""),
        "/gzip" | "/deflate" => {
            let (mut gz, mut z) = (
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()),
                flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default()),
            );
            gz.write_all(b"packed").unwrap();
            z.write_all(b"packed").unwrap();
            let body = if path == "/gzip" { gz.finish().unwrap() } else { z.finish().unwrap() };
            reply(out, "200 OK", &format!("content-encoding: {}\r\n", &path[1..]), &body);
        }
        "/big" => reply(out, "200 OK", "", &vec![7; 1 << 20]),
        "/slow" => {
            drop(out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nstart"));
            drop(out.flush());
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        "/never" => std::thread::sleep(std::time::Duration::from_secs(60)),
        "/close-cut" => drop(out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")),
        _ => reply(out, "500 What", "", b""),
    }
}

fn run_against(body: &str) -> Value {
    let url = server::http(serve);
    run_body(&format!("const base = {url:?}; const seen = []; {body}; return seen;"))
}

#[test]
fn methods_bodies_and_their_types() {
    let value = run_against(
        "const echo = async (init, url = '/echo') => (await fetch(base + url, init)).json();
         const short = ({ method, type, body, length, coding }) => [method, type, body, length, coding];
         seen.push(short(await echo()), short(await echo({ method: 'post', body: 'hä' })), short(await echo({ method: 'OPTIONS' })), short(await echo({ method: 'patch' })));
         seen.push(short(await echo({ method: 'PUT', body: new URLSearchParams({ a: '1 2' }) })), short(await echo({ method: 'POST', body: new Blob(['b'], { type: 'x/y' }) })));
         seen.push(short(await echo({ method: 'POST', body: new Uint8Array([65, 66]).subarray(1) })), short(await echo({ method: 'POST', body: JSON.stringify({ a: 1 }), headers: { 'Content-Type': 'application/json' } })));
         seen.push(short(await echo({ method: 'POST', body: ReadableStream.from(['a', 'b']).pipeThrough(new TextEncoderStream()), duplex: 'half' })));
         const form = new FormData(); form.append('k', 'v\\n'); form.append('f', new File(['data'], 'n\"x.txt', { type: 'text/plain' }));
         const sent = await echo({ method: 'POST', body: form }); const boundary = sent.type.split('boundary=')[1];
         seen.push(sent.type.startsWith('multipart/form-data; boundary='), sent.body.replaceAll(boundary, 'B'));
         seen.push((await echo({ headers: { 'X-Custom': ' y ' } })).x, (await (await fetch(new Request(base + '/echo?q=ä ö', { method: 'DELETE' }))).json()).path);
         seen.push((await (await fetch(new Request(base + '/echo', { method: 'POST', body: 'r' }), { headers: { 'x-custom': '1' } })).json()).body);
         const u = new URL(base); u.username = 'us er'; u.password = 'p'; u.pathname = '/echo'; seen.push((await (await fetch(u)).json()).auth);
         for (const bad of [{ headers: { a: 'b\\nc' } }, { headers: { 'a b': 'c' } }, { method: 'GE T' }, { body: 'x' }, { method: 'TRACE' }]) { try { await fetch(base, bad); seen.push('sent') } catch (error) { seen.push(error.name) } }",
    );
    let form = "--B\r\nContent-Disposition: form-data; name=\"k\"\r\n\r\nv\r\n\r\n--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"n%22x.txt\"\r\nContent-Type: text/plain\r\n\r\ndata\r\n--B--\r\n";
    assert_eq!(
        value,
        json!([
            ["GET", "", "", "", ""],
            ["POST", "text/plain;charset=UTF-8", "hä", "3", ""],
            ["OPTIONS", "", "", "", ""],
            ["PATCH", "", "", "0", ""],
            ["PUT", "application/x-www-form-urlencoded;charset=UTF-8", "a=1+2", "5", ""],
            ["POST", "x/y", "b", "1", ""],
            ["POST", "", "B", "1", ""],
            ["POST", "application/json", "{\"a\":1}", "7", ""],
            ["POST", "", "ab", "", "chunked"],
            true,
            form,
            "y",
            "/echo?q=%C3%A4%20%C3%B6",
            "r",
            "Basic dXMgZXI6cA==",
            "TypeError",
            "TypeError",
            "TypeError",
            "TypeError",
            "TypeError"
        ])
    );
}

#[test]
fn responses() {
    let value = run_against(
        "const r = await fetch(base + '/echo#frag'); seen.push(r.ok, r.status, r.statusText, r.url === base + '/echo#frag', r.redirected, r.headers.get('Content-Type'), r.bodyUsed, r instanceof Response);
         const copy = r.clone(); const [a, b] = await Promise.all([r.json(), copy.text()]); seen.push(a.method === JSON.parse(b).method, r.bodyUsed);
         try { await r.text() } catch (error) { seen.push(error.name) }
         const none = await fetch(base + '/none'); seen.push(none.status, none.body, await none.text());
         const missing = await fetch(base + '/missing'); seen.push(missing.ok, missing.status, await missing.text());
         const head = await fetch(base + '/echo', { method: 'HEAD' }).catch((error) => error); seen.push(head.status, head.body);
         const cookies = await fetch(base + '/cookies'); seen.push(cookies.headers.getSetCookie(), (await cookies.arrayBuffer()).byteLength);
         seen.push(await (await fetch(base + '/gzip')).text(), await (await fetch(base + '/deflate')).text());
         const big = await fetch(base + '/big'); let size = 0, chunks = 0; for await (const chunk of big.body) { size += chunk.length; chunks++; } seen.push(size, chunks > 1, big.bodyUsed);
         seen.push((await Promise.all(Array.from({ length: 20 }, async (_, i) => (await (await fetch(`${base}/echo?${i}`)).json()).path))).length);
         const half = await fetch(base + '/big'); const reader = half.body.getReader(); await reader.read(); await reader.cancel(); seen.push((await (await fetch(base + '/gzip')).blob()).size);
         seen.push(await (await fetch('data:text/plain;base64,aGk=')).text(), await (await fetch('data:,a%20b')).text());",
    );
    assert_eq!(
        value,
        json!([
            true,
            200,
            "Fine",
            true,
            false,
            "application/json",
            false,
            true,
            true,
            true,
            "TypeError",
            204,
            null,
            "",
            false,
            404,
            "gone",
            200,
            null,
            ["a=1", "b=2"],
            0,
            "packed",
            "packed",
            1 << 20,
            true,
            true,
            20,
            6,
            "hi",
            "a b"
        ])
    );
}

#[test]
fn request_and_response_by_themselves() {
    let value = run_body(
        "const seen = [];
         const r = new Request('http://x/a', { method: 'POST', body: 'text' }); const c = r.clone(); seen.push(await r.text(), await c.text(), r.bodyUsed, c.method, c.headers.get('content-type'));
         const j = Response.json({ a: 1 }, { status: 201 }); seen.push(j.status, j.headers.get('content-type'), await j.json());
         seen.push(Response.error().type, Response.redirect('http://x/', 307).headers.get('location'), new Response('x', { status: 404 }).ok);
         const s = new Response(ReadableStream.from([new Uint8Array([104]), new Uint8Array([105])])); const t = s.clone(); seen.push(await s.text(), (await t.bytes()).length);
         const form = new FormData(); form.append('a', '1'); form.append('f', new Blob(['bytes'], { type: 'a/b' }), 'name'); form.append('a', '');
         const parsed = await new Response(form).formData(); seen.push([...parsed.keys()], parsed.getAll('a'), parsed.get('f').name, parsed.get('f').type, await parsed.get('f').text());
         seen.push((await new Response(new URLSearchParams('q=1+2')).formData()).get('q'));
         for (const make of [() => new Response('x', { status: 204 }), () => new Response('', { status: 99 }), () => new Request('nope'), () => new Request('http://x', { body: 'x' }), () => new Response(new Response('x').body.getReader() && 1).json().then()]) { try { make(); seen.push('made') } catch (error) { seen.push(error.name) } }
         const locked = new Response('x'); locked.body.getReader(); try { await locked.text() } catch (error) { seen.push(error.name) }
         try { await new Response(ReadableStream.from(['not bytes'])).text() } catch (error) { seen.push(error.name) }
         seen.push((await new Response(new Blob(['b'], { type: 't/y' })).blob()).type, await new Response().text(), new Response().body, new Response('a').body instanceof ReadableStream);
         return seen;",
    );
    assert_eq!(
        value,
        json!([
            "text",
            "text",
            true,
            "POST",
            "text/plain;charset=UTF-8",
            201,
            "application/json",
            { "a": 1 },
            "error",
            "http://x/",
            false,
            "hi",
            2,
            ["a", "f", "a"],
            ["1", ""],
            "name",
            "a/b",
            "bytes",
            "1 2",
            "TypeError",
            "RangeError",
            "TypeError",
            "TypeError",
            "made",
            "TypeError",
            "TypeError",
            "t/y",
            "",
            null,
            true
        ])
    );
}

#[test]
fn redirects() {
    let other = server::http(serve);
    let value = run_against(&format!(
        "const other = {other:?}; const json = async (path, init) => {{ const r = await fetch(base + path, init); return [r.redirected, new URL(r.url).pathname, await r.json()]; }};
         let [redirected, path, said] = await json('/hop'); seen.push(redirected, path, said.path);
         [, , said] = await json('/see-other', {{ method: 'PUT', body: 'x', headers: {{ 'content-type': 'a/b' }} }}); seen.push(said.method, said.body, said.type);
         [, , said] = await json('/keep', {{ method: 'POST', body: 'kept' }}); seen.push(said.method, said.body);
         [, , said] = await json('/hop', {{ method: 'POST', body: 'x' }}); seen.push(said.method);
         [, , said] = await json('/hop', {{ headers: {{ authorization: 'a', cookie: 'c=1' }} }}); seen.push(said.auth, said.cookie);
         [, , said] = await json('/away?' + other + '/echo', {{ headers: {{ authorization: 'a', cookie: 'c=1', 'x-custom': 'kept' }} }}); seen.push(said.auth, said.cookie, said.x);
         const manual = await fetch(base + '/hop', {{ redirect: 'manual' }}); seen.push(manual.status, manual.headers.get('location'), await manual.text());
         for (const [path, init] of [['/hop', {{ redirect: 'error' }}], ['/loop'], ['/away?ftp://x/']]) {{ try {{ await fetch(base + path, init) }} catch (error) {{ seen.push(error.name + ': ' + error.message.slice(0, 16)) }} }}"
    ));
    assert_eq!(
        value,
        json!([
            true,
            "/echo",
            "/echo?a=1",
            "GET",
            "",
            "",
            "POST",
            "kept",
            "GET",
            "a",
            "c=1",
            "",
            "",
            "kept",
            302,
            "echo?a=1",
            "hop",
            "TypeError: the server redir",
            "TypeError: more than 20 red",
            "TypeError: scheme 'ftp' not"
        ])
    );
}

#[test]
fn aborts_and_failures() {
    let value = run_against(
        "const fails = async (promise) => { try { await promise; seen.push('fine') } catch (error) { seen.push(error instanceof DOMException ? error.name : error.name ?? error) } };
         await fails(fetch(base + '/echo', { signal: AbortSignal.abort() })); await fails(fetch(base + '/echo', { signal: AbortSignal.abort('why') }));
         const a = new AbortController(); setTimeout(() => a.abort(), 20); await fails(fetch(base + '/never', { signal: a.signal }));
         await fails(fetch(base + '/never', { signal: AbortSignal.timeout(20) }));
         const b = new AbortController(); const slow = await fetch(base + '/slow', { signal: b.signal }); const reader = slow.body.getReader(); seen.push(new TextDecoder().decode((await reader.read()).value));
         setTimeout(() => b.abort(), 10); await fails(reader.read());
         const c = await fetch(base + '/slow', { signal: AbortSignal.timeout(50) }); await fails(c.text());
         await fails((await fetch(base + '/close-cut')).text());
         try { await fetch('http://127.0.0.1:1/') } catch (error) { seen.push(error.name, error.cause.code, error.message.startsWith('error sending request for url (http://127.0.0.1:1/)')) }
         try { await fetch('http://no-such-host.invalid/') } catch (error) { seen.push(error.name, error.cause.code) }
         await fails(fetch(base + '/echo', { method: 'POST', body: new ReadableStream({ pull() { throw new RangeError('broken body') } }) }));
         await fails(fetch('nonsense'));",
    );
    assert_eq!(
        value,
        json!([
            "AbortError",
            "why",
            "AbortError",
            "TimeoutError",
            "start",
            "AbortError",
            "TimeoutError",
            "TypeError",
            "TypeError",
            "ECONNREFUSED",
            true,
            "TypeError",
            "ENOTFOUND",
            "RangeError",
            "TypeError"
        ])
    );
}

#[test]
fn tls_with_an_authority_of_ones_own() {
    let server = https(serve);
    let fixture = Fixture::new();
    std::fs::write(fixture.path("ca.pem"), &server.ca).unwrap();
    let runtime = fixture.load(
        "export const run = async ({ url, ca }) => {
            const seen = [];
            try { await fetch(url) } catch (error) { seen.push(error.name, error.cause.code) }
            const client = Deno.createHttpClient({ caCerts: [ca] }); seen.push((await (await fetch(url, { client })).json()).method); client.close();
            for (const name of ['DENO_CERT', 'SSL_CERT_FILE', 'NODE_EXTRA_CA_CERTS']) { Deno.env.set(name, 'ca.pem'); seen.push((await fetch(url)).status); Deno.env.delete(name); }
            try { await fetch(url.replace('localhost', '127.0.0.1'), { client }) } catch (error) { seen.push(error.cause.code) }
            Deno.env.set('DENO_CERT', 'none.pem'); try { await fetch(url) } catch (error) { seen.push(error.name) }
            return seen;
         };",
    );
    let value =
        call(&runtime, "run", json!({ "url": format!("{}/echo", server.url), "ca": server.ca })).unwrap();
    assert_eq!(
        value,
        json!([
            "TypeError",
            "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
            "GET",
            200,
            200,
            200,
            "ERR_TLS_CERT_ALTNAME_INVALID",
            "TypeError"
        ])
    );
    runtime.close();
}

#[test]
fn a_proxy_from_the_environment() {
    let proxy = server::http(|request, out| {
        reply(out, "200 OK", "", format!("{} {}", request.method, request.path).as_bytes());
    });
    let value = run_against(&format!(
        "Deno.env.set('HTTP_PROXY', {proxy:?}); seen.push(await (await fetch('http://far.invalid/a?b')).text());
         Deno.env.set('NO_PROXY', '127.0.0.1'); seen.push((await fetch(base + '/echo')).status); Deno.env.delete('HTTP_PROXY');
         const client = Deno.createHttpClient({{ proxy: {{ url: {proxy:?} }} }}); seen.push(await (await fetch('http://far.invalid/c', {{ client }})).text());"
    ));
    assert_eq!(value, json!(["GET http://far.invalid/a?b", 200, "GET http://far.invalid/c"]));
}

#[test]
fn a_slow_reader_holds_the_sender_back() {
    let value = run_body(&format!(
        "const base = {:?}; const r = await fetch(base + '/'); const reader = r.body.getReader(); await reader.read();
         await new Promise((resolve) => setTimeout(resolve, 300));
         const sent = Number(await (await fetch(base + '/sent')).text()); await reader.cancel();
         return sent < 200 << 20;",
        {
            let sent = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
            server::http(move |request, out| {
                use std::sync::atomic::Ordering;
                if request.path == "/sent" {
                    return reply(out, "200 OK", "", sent.load(Ordering::Relaxed).to_string().as_bytes());
                }
                drop(out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n"));
                let block = vec![0; 1 << 20];
                for _ in 0..900 {
                    if out.write_all(&block).is_err() {
                        return;
                    }
                    sent.fetch_add(block.len(), Ordering::Relaxed);
                }
            })
        }
    ));
    assert_eq!(value, true);
}

#[test]
fn a_runtime_ends_with_requests_pending() {
    let url = server::http(serve);
    for _ in 0..3 {
        let fixture = Fixture::new();
        let runtime = fixture.load(
            "export const run = async ({ url }) => { const slow = await fetch(url + '/slow'); console.log('open'); slow.text(); await fetch(url + '/never'); };",
        );
        let pending = begin(&runtime, "a", "run", json!({ "url": url }));
        fixture.until("the response has begun", |fixture| !fixture.lines("a", "stdout").is_empty());
        let start = std::time::Instant::now();
        runtime.close();
        assert!(pending.wait().is_err());
        assert!(start.elapsed() < std::time::Duration::from_secs(5));
    }
}

#[test]
fn a_url_of_a_blob_stands_for_it_until_it_is_revoked() {
    let value = run_body(
        "const seen = []; const url = URL.createObjectURL(new Blob(['from ', 'a blob'], { type: 'text/x' }));
         const got = await fetch(url + '#part'); seen.push(got.status, got.headers.get('content-type'), got.headers.get('content-length'), await got.text());
         seen.push((await (await fetch(new URL(url))).blob()).type, new URL(url).protocol, url === URL.createObjectURL(new Blob([])));
         const refused = async (work) => { try { await work(); return 'fine'; } catch (error) { return error.name; } };
         seen.push(await refused(() => fetch(url, { method: 'POST', body: 'x' })), await refused(() => URL.createObjectURL({ size: 1 })));
         URL.revokeObjectURL(url); URL.revokeObjectURL('blob:null/never'); seen.push(await refused(() => fetch(url)));
         return seen;",
    );
    let expected = json!([
        200,
        "text/x",
        "11",
        "from a blob",
        "text/x",
        "blob:",
        false,
        "TypeError",
        "TypeError",
        "TypeError"
    ]);
    assert_eq!(value, expected);
}
