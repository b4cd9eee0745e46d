const to = (code, path) => `${env.base}/redirect/${code}?${path}`;
check("follows a relative location", async () => { const r = await fetch(to(302, "/echo")); return [r.status, r.redirected, r.url]; });
check("follows an absolute location", async () => (await fetch(to(301, `${env.base}/json`))).url);
check("follows a location without a slash", async () => (await fetch(to(302, "303"))).url);
for (const code of [301, 302, 303, 307, 308]) {
  check(`POST through ${code}`, async () => {
    const { method, body, headers } = await (await fetch(to(code, "/echo"), { method: "POST", body: "b", headers: { "content-type": "x/y" } })).json();
    return [method, body, headers["content-type"], headers["content-length"]];
  });
}
check("HEAD through 303", async () => (await fetch(to(303, "/echo"), { method: "HEAD" })).status);
check("manual", async () => { const r = await fetch(to(302, "/echo"), { redirect: "manual" }); return [r.status, r.type, r.redirected, r.headers.get("location"), await r.text()]; });
check("error", async () => (await rejection(fetch(to(302, "/echo"), { redirect: "error" }))).name);
check("a loop ends", async () => (await rejection(fetch(`${env.base}/loop`))).name);
check("a redirect to another scheme", async () => (await rejection(fetch(to(302, "file:///etc/hostname")))).name);
check("an unknown redirect mode", () => fetch(env.base, { redirect: "sideways" }));
check("own headers go along", async () => (await (await fetch(to(302, "/echo"), { headers: { "x-a": "1", authorization: "t" } })).json()).headers.authorization);
check("authorization stays with its origin", async () => {
  const other = `http://localhost:${new URL(env.base).port}/echo`;
  return (await (await fetch(to(302, other), { headers: { "x-a": "1", authorization: "t", cookie: "c=1" } })).json()).headers;
});
check("a stream body and 307", async () => {
  const body = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([97])); c.close(); } });
  return (await rejection(fetch(to(307, "/echo"), { method: "POST", body, duplex: "half" }))).name;
});
check("aborted before", () => fetch(env.base, { signal: AbortSignal.abort() }));
check("aborted before, with a reason", async () => rejection(fetch(env.base, { signal: AbortSignal.abort("why") })));
check("aborted while waiting", async () => {
  const c = new AbortController();
  setTimeout(() => c.abort(), 20);
  const error = await rejection(fetch(`${env.base}/slow`, { signal: c.signal }));
  return [error.name, error instanceof DOMException, error === c.signal.reason];
});
check("aborted with a reason while waiting", async () => {
  const c = new AbortController();
  setTimeout(() => c.abort(new RangeError("mine")), 20);
  return (await rejection(fetch(`${env.base}/slow`, { signal: c.signal }))).name;
});
check("aborted while reading", async () => {
  const c = new AbortController();
  const r = await fetch(`${env.base}/stall`, { signal: c.signal });
  setTimeout(() => c.abort(), 20);
  return (await rejection(r.text())).name;
});
check("timeout signal", async () => (await rejection(fetch(`${env.base}/slow`, { signal: AbortSignal.timeout(20) }))).name);
check("aborting after the end changes nothing", async () => { const c = new AbortController(); const r = await fetch(`${env.base}/text`, { signal: c.signal }); const text = await r.text(); c.abort(); return text; });
check("the signal of a Request", async () => { const c = new AbortController(); const q = new Request(`${env.base}/slow`, { signal: c.signal }); setTimeout(() => c.abort(), 20); return (await rejection(fetch(q))).name; });
check("cancel the body", async () => { const r = await fetch(`${env.base}/stall`); await r.body.cancel(); return [r.bodyUsed, r.body.locked]; });
check("stream chunks", async () => {
  let text = ""; const r = await fetch(`${env.base}/stream`); const decoder = new TextDecoder();
  for await (const chunk of r.body) { if (!(chunk instanceof Uint8Array)) return "no bytes"; text += decoder.decode(chunk, { stream: true }); }
  return text;
});
check("stream through a reader", async () => { const reader = (await fetch(`${env.base}/stream`)).body.getReader(); let size = 0; for (;;) { const { done, value } = await reader.read(); if (done) return [size, value]; size += value.length; } });
check("byob reader", async () => { const reader = (await fetch(`${env.base}/bytes/5`)).body.getReader({ mode: "byob" }); const { value } = await reader.read(new Uint8Array(3)); return value; });
check("tee", async () => { const [a, b] = (await fetch(`${env.base}/stream`)).body.tee(); return [await new Response(a).text(), await new Response(b).text()]; });
check("pipe through", async () => { let out = ""; for await (const text of (await fetch(`${env.base}/text`)).body.pipeThrough(new TextDecoderStream())) out += text; return out; });
check("clone before reading", async () => { const r = await fetch(`${env.base}/stream`); const c = r.clone(); return [await c.text(), await r.text(), c.url, c.status]; });
check("clone after reading", async () => { const r = await fetch(`${env.base}/text`); await r.text(); return r.clone(); });
check("a locked body", async () => { const r = await fetch(`${env.base}/text`); r.body.getReader(); return r.text(); });
check("large body up and down", async () => { const body = new Uint8Array(1 << 20).fill(97); return (await (await fetch(`${env.base}/echo`, { method: "POST", body })).json()).length; });
