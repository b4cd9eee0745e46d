//! WebSocket clients against servers on 127.0.0.1.

use std::net::TcpStream;

use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

use crate::common::{Fixture, begin, call};
use crate::server;
use serde_json::json;

fn open<S: std::io::Read + std::io::Write>(stream: S) -> WebSocket<S> {
    accept_hdr(stream, |request: &Request, mut response: Response| {
        let wanted = request.headers().get("sec-websocket-protocol");
        if let Some(first) = wanted.and_then(|value| value.to_str().ok()?.split(',').next()) {
            response.headers_mut().insert("sec-websocket-protocol", first.trim().parse().unwrap());
        }
        Ok(response)
    })
    .unwrap()
}

/// Sends back what comes; `bye` is answered with a closing frame, `drop` with the end of the connection, `big` with 1 MiB.
fn echo<S: std::io::Read + std::io::Write>(stream: S) {
    let mut socket = open(stream);
    while let Ok(message) = socket.read() {
        let sent = match &message {
            Message::Text(text) if text.as_str() == "bye" => {
                socket.close(Some(CloseFrame { code: 4001.into(), reason: "so long".into() }))
            }
            Message::Text(text) if text.as_str() == "drop" => return,
            Message::Text(text) if text.as_str() == "big" => socket.send(Message::binary(vec![7; 1 << 20])),
            Message::Text(_) | Message::Binary(_) => socket.send(message),
            _ => Ok(()),
        };
        if sent.is_err() {
            return;
        }
    }
}

const MODULE: &str = "
    const once = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
    export const run = async ({ port }) => {
        const seen = [];
        const ws = new WebSocket(`ws://127.0.0.1:${port}/a?b`, ['one', 'two']); ws.binaryType = 'arraybuffer';
        seen.push(ws.readyState, ws.url.replace(/:\\d+/, ''));
        try { ws.send('x') } catch (error) { seen.push(error.name) }
        await once(ws, 'open'); seen.push(ws.readyState, ws.protocol, ws.extensions);
        ws.send('grüße'); seen.push((await once(ws, 'message')).data);
        ws.send(new Uint8Array([1, 2, 3]).subarray(1)); seen.push([...new Uint8Array((await once(ws, 'message')).data)]);
        ws.binaryType = 'blob'; ws.send(new Blob(['blob'])); seen.push(await (await once(ws, 'message')).data.text());
        let events = []; ws.onclose = (e) => events.push([e.type, e.code, e.reason, e.wasClean]); ws.onerror = (e) => events.push(e.type);
        ws.send('bye'); await once(ws, 'close'); seen.push(events, ws.readyState); ws.send('ignored'); ws.close();
        const two = new WebSocket(`http://127.0.0.1:${port}/`); await once(two, 'open'); two.close(3001, 'mine'); seen.push(two.readyState);
        const closed = await once(two, 'close'); seen.push([closed.code, closed.reason, closed.wasClean]);
        const three = new WebSocket(`ws://127.0.0.1:${port}/`); await once(three, 'open'); three.send('drop'); events = [];
        three.onerror = (e) => events.push(e.type); const lost = await once(three, 'close'); seen.push([events, lost.code, lost.wasClean]);
        const none = new WebSocket('ws://127.0.0.1:1/'); const [failure, closing] = await Promise.all([once(none, 'error'), once(none, 'close')]); seen.push(failure.message.includes('refused'), closing.code);
        for (const bad of [() => new WebSocket('nonsense'), () => new WebSocket('ftp://x/'), () => new WebSocket('ws://x/#f'), () => new WebSocket('ws://x/', ['a', 'a']), () => two.close(1001)]) try { bad() } catch (error) { seen.push(error.name) }
        seen.push(WebSocket.OPEN, String(ws));
        return seen;
    };
    export const large = async ({ port }) => {
        const ws = new WebSocket(`ws://127.0.0.1:${port}/`); await once(ws, 'open'); ws.send('big'); const closed = await once(ws, 'close');
        return [closed.code, closed.wasClean];
    };
    export const wait = async ({ port }) => { const ws = new WebSocket(`ws://127.0.0.1:${port}/`); await once(ws, 'open'); console.log('open'); await once(ws, 'message'); };
    export const secure = async ({ port }) => {
        const ws = new WebSocket(`wss://localhost:${port}/`); const said = once(ws, 'message'); await once(ws, 'open'); ws.send('secret'); return (await said).data;
    };";

#[test]
fn messages_go_both_ways_and_events_report_the_end() {
    let fixture = Fixture::new();
    let runtime = fixture.load(MODULE);
    let port = server::accept(|stream: TcpStream| echo(stream));
    let seen = call(&runtime, "run", json!({ "port": port })).unwrap();
    let expected = json!([
        0,
        "ws://127.0.0.1/a?b",
        "InvalidStateError",
        1,
        "one",
        "",
        "grüße",
        [2, 3],
        "blob",
        [["close", 4001, "so long", true]],
        3,
        2,
        [3001, "mine", true],
        [["error"], 1006, false],
        true,
        1006,
        "SyntaxError",
        "SyntaxError",
        "SyntaxError",
        "SyntaxError",
        "InvalidAccessError",
        1,
        "[object WebSocket]"
    ]);
    assert_eq!(seen, expected);
    runtime.close();
}

#[test]
fn a_connection_in_tls_trusts_what_the_environment_names() {
    let fixture = Fixture::new();
    let runtime = fixture
        .load(&format!("{MODULE}\nexport const trust = (ca) => {{ Deno.env.set('DENO_CERT', ca.path); }};"));
    let (port, ca) = server::tls(echo);
    let path = fixture.path("ca.pem");
    std::fs::write(&path, ca).unwrap();
    call(&runtime, "trust", json!({ "path": path })).unwrap();
    assert_eq!(call(&runtime, "secure", json!({ "port": port })).unwrap(), "secret");
}

#[test]
fn a_message_beyond_the_limit_ends_the_connection() {
    let mut fixture = Fixture::new();
    fixture.limits.memory_bytes = 3 << 20;
    let runtime = fixture.load(MODULE);
    let port = server::accept(|stream: TcpStream| echo(stream));
    assert_eq!(call(&runtime, "large", json!({ "port": port })).unwrap(), json!([1009, false]));
}

#[test]
fn a_connection_ends_with_its_runtime() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let sender = std::sync::Mutex::new(sender);
    let port = server::accept(move |stream: TcpStream| {
        echo(stream);
        sender.lock().unwrap().send(()).unwrap();
    });
    let fixture = Fixture::new();
    let runtime = fixture.load(MODULE);
    let pending = begin(&runtime, "w", "wait", json!({ "port": port }));
    fixture.until("the connection is open", |fixture| !fixture.lines("w", "stdout").is_empty());
    runtime.close();
    assert!(pending.wait().is_err());
    receiver.recv_timeout(crate::common::PATIENCE).unwrap();
}
