//! Web streams, and what is a stream.

use crate::common::run_body;
use serde_json::json;

#[test]
fn readable_writable_and_transform() {
    let value = run_body(
        "const seen = [];
         for await (const x of ReadableStream.from([1, 2])) seen.push(x);
         const double = new TransformStream({ transform: (x, c) => c.enqueue(x * 2) });
         const [a, b] = ReadableStream.from((async function* () { yield 3; yield 4; })()).pipeThrough(double).tee();
         seen.push(await Array.fromAsync(a), await Array.fromAsync(b));
         const written = []; await ReadableStream.from(['x', 'y']).pipeTo(new WritableStream({ write: (x) => void written.push(x) })); seen.push(written);
         const bytes = new ReadableStream({ type: 'bytes', pull(c) { c.enqueue(new Uint8Array([1, 2, 3])); c.close(); } });
         const byob = bytes.getReader({ mode: 'byob' }); seen.push([...(await byob.read(new Uint8Array(2))).value], [...(await byob.read(new Uint8Array(2))).value]);
         let pulled = 0; const slow = new ReadableStream({ pull(c) { c.enqueue(++pulled); } }, new CountQueuingStrategy({ highWaterMark: 2 }));
         await new Promise((resolve) => setTimeout(resolve, 5)); seen.push(pulled);
         const r = slow.getReader(); seen.push(slow.locked, (await r.read()).value); r.releaseLock(); await slow.cancel('enough');
         try { await new ReadableStream({ start(c) { c.error(new RangeError('bad')); } }).getReader().read(); } catch (error) { seen.push(error.message); }
         return seen;",
    );
    assert_eq!(value, json!([1, 2, [6, 8], [6, 8], ["x", "y"], [1, 2], [3], 2, true, 1, "bad"]));
}

#[test]
fn text_and_compression_streams() {
    let value = run_body(
        "const text = 'häß😀'.repeat(5000); const seen = [];
         const all = async (stream) => { let s = ''; for await (const part of stream.pipeThrough(new TextDecoderStream())) s += part; return s; };
         const chunked = () => ReadableStream.from((function* () { for (let i = 0; i < text.length; i += 777) yield text.slice(i, i + 777); })()).pipeThrough(new TextEncoderStream());
         seen.push(await all(chunked()) === text);
         for (const format of ['gzip', 'deflate', 'deflate-raw']) {
            let size = 0; const count = new TransformStream({ transform(chunk, c) { size += chunk.length; c.enqueue(chunk); } });
            seen.push(await all(chunked().pipeThrough(new CompressionStream(format)).pipeThrough(count).pipeThrough(new DecompressionStream(format))) === text, size < 2000);
         }
         const cut = async (bytes) => { try { await all(ReadableStream.from([bytes]).pipeThrough(new DecompressionStream('gzip'))); return 'fine'; } catch (error) { return error.name; } };
         seen.push(await cut(new Uint8Array([1, 2, 3])), await all(new Blob(['blob ', text]).stream()) === 'blob ' + text);
         try { new CompressionStream('zip') } catch (error) { seen.push(error.name) }
         return seen;",
    );
    assert_eq!(value, json!([true, true, true, true, true, true, true, "TypeError", true, "TypeError"]));
}

#[test]
fn a_child_has_real_streams() {
    let value = run_body(
        "const seen = [];
         const cat = new Deno.Command('cat', { stdin: 'piped', stdout: 'piped' }).spawn();
         const text = 'line\\n'.repeat(40000);
         const [, out] = await Promise.all([new Blob([text]).stream().pipeTo(cat.stdin), Array.fromAsync(cat.stdout.pipeThrough(new TextDecoderStream()))]);
         seen.push(out.join('') === text, (await cat.status).code);
         const echo = new Deno.Command('echo', { args: ['hi'], stdout: 'piped' }).spawn(); const [a, b] = echo.stdout.tee();
         seen.push((await Array.fromAsync(a.pipeThrough(new TextDecoderStream()))).join(''), (await Array.fromAsync(b)).length);
         const json = new Deno.Command('echo', { args: ['{\"a\":1}'], stdout: 'piped' }).spawn(); seen.push(await json.stdout.json(), echo.stdout instanceof ReadableStream);
         return seen;",
    );
    assert_eq!(value, json!([true, 0, "hi\n", 1, { "a": 1 }, true]));
}
