const once = (target, type) => new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));
const opened = async (...args) => { const ws = new WebSocket(...args); await once(ws, "open"); return ws; };
check("constants", () => [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.prototype.OPEN]);
check("states", async () => { const ws = new WebSocket(env.ws); const seen = [ws.readyState]; await once(ws, "open"); seen.push(ws.readyState); ws.close(); seen.push(ws.readyState); await once(ws, "close"); seen.push(ws.readyState); return seen; });
check("attributes", async () => { const ws = await opened(`${env.ws}/a?b`); const seen = [ws.url.replace(/:\d+/, ""), ws.protocol, ws.extensions, ws.binaryType, ws.bufferedAmount, String(ws)]; ws.close(); return seen; });
check("text", async () => { const ws = await opened(env.ws); ws.send("grüße \ud83d\ude00"); const e = await once(ws, "message"); ws.close(); return [e.data, e.type, e.origin.replace(/:\d+/, ""), e instanceof MessageEvent]; });
check("what send takes", async () => { const ws = await opened(env.ws); ws.binaryType = "arraybuffer"; const seen = []; for (const data of [12, null, { a: 1 }, new Uint8Array([1, 2]), new DataView(new ArrayBuffer(2)), new ArrayBuffer(1)]) { ws.send(data); seen.push((await once(ws, "message")).data); } ws.close(); return seen; });
check("a blob", async () => { const ws = await opened(env.ws); ws.send(new Blob(["b", "c"])); const { data } = await once(ws, "message"); ws.close(); return [data instanceof Blob, await data.text()]; });
check("order", async () => { const ws = await opened(env.ws); const seen = []; ws.onmessage = (e) => seen.push(e.data); for (let i = 0; i < 20; i++) ws.send(String(i)); while (seen.length < 20) await sleep(1); ws.close(); return seen.join(); });
check("the server closes", async () => { const ws = await opened(env.ws); const events = []; ws.onerror = () => events.push("error"); ws.send("bye"); const e = await once(ws, "close"); return [e.code, e.reason, e.wasClean, events, e instanceof CloseEvent]; });
check("the client closes", async () => { const ws = await opened(env.ws); ws.close(3001, "mine"); const e = await once(ws, "close"); return [e.code, e.reason, e.wasClean]; });
check("close without a code", async () => { const ws = await opened(env.ws); ws.close(); const e = await once(ws, "close"); return [e.code, e.reason, e.wasClean]; });
check("the connection is lost", async () => { const ws = await opened(env.ws); const events = []; ws.onerror = () => events.push("error"); ws.send("drop"); const e = await once(ws, "close"); return [e.code, e.wasClean, events]; });
check("protocols", async () => { const ws = await opened(env.ws, ["one", "two"]); ws.close(); return ws.protocol; });
check("one protocol", async () => { const ws = await opened(env.ws, "solo"); ws.close(); return ws.protocol; });
check("http becomes ws", async () => { const ws = await opened(env.ws.replace("ws:", "http:")); ws.close(); return ws.url.replace(/:\d+/, ""); });
check("refused", async () => { const ws = new WebSocket("ws://127.0.0.1:1"); const events = []; ws.onerror = (e) => events.push(e instanceof ErrorEvent); const e = await once(ws, "close"); return [events, e.code, e.wasClean, ws.readyState]; });
check("not a WebSocket server", async () => { const ws = new WebSocket(env.base.replace("http", "ws")); const e = await once(ws, "close"); return [e.code, e.wasClean]; });
check("send too early", () => new WebSocket(env.ws).send("x"));
check("send after close", async () => { const ws = await opened(env.ws); ws.close(); ws.send("abc"); return ws.bufferedAmount; });
check("closed before it opens", async () => { const ws = new WebSocket(env.ws); ws.close(); const e = await once(ws, "close"); return [e.code, e.wasClean, ws.readyState]; });
for (const [name, body] of Object.entries({
  "not a URL": () => new WebSocket("nonsense"), scheme: () => new WebSocket("ftp://x/"), fragment: () => new WebSocket("ws://x/#f"), "a protocol twice": () => new WebSocket("ws://x/", ["a", "a"]),
  "a bad protocol": () => new WebSocket("ws://x/", "a b"), "a bad code": () => new WebSocket("ws://127.0.0.1:1").close(1001), "a long reason": () => new WebSocket("ws://127.0.0.1:1").close(1000, "x".repeat(124)),
})) check(`refuses: ${name}`, () => thrown(body).name);
check("CloseEvent", () => { const e = new CloseEvent("close", { code: 7, reason: "r", wasClean: true }); return [e.type, e.code, e.reason, e.wasClean, new CloseEvent("x").code]; });
