//! Modules that are imported by address, from a server on 127.0.0.1.

use marsh_bundle::{Diagnostic, ModuleMeta};
use serde_json::json;

use crate::registry::Registry;
use crate::scratch::Scratch;
use crate::web::Web;

const TS: &str = "application/typescript; charset=utf-8";
const JS: &str = "text/javascript";

fn scratch(web: &Web, path: &str) -> Scratch {
    let source = format!("import {{ top }} from '{}'; export const model = {{ top }};", web.url(path));
    Scratch::with(&[("m/a.ts", &source)])
}

#[track_caller]
fn only(scratch: &Scratch) -> Diagnostic {
    let mut all = scratch.diagnostics("m/a.ts");
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

#[test]
fn a_module_with_its_imports_is_fetched_once_and_recorded() {
    let (web, registry) = (Web::start(), Registry::start());
    registry.publish("p", "1.0.0", &[("index.js", "exports.p = 'FROM_NPM';")], json!({}));
    let top = web.put(
        "/lib/mod.ts",
        TS,
        "import { deep } from './deep/x.js?v=1'; import { abs } from '/abs'; import { p } from 'npm:p@1'; import data from './d.json' with { type: 'json' };
         import { sep } from 'node:path'; import type { T } from './types.ts'; import { named } from 'lib/named.ts';
         export const top: unknown[] = [deep, abs, p, data.n, sep, named] as T[];",
    );
    web.put("/lib/deep/x.js?v=1", JS, "export { deep } from '../up.ts';");
    web.put("/lib/up.ts", "text/plain", "export const deep: string = 'DEEP';");
    web.put("/abs", JS, "export const abs = 'ABS';");
    web.put("/lib/d.json", "application/json", "{ \"n\": 4711 }");
    web.put("/named.ts", TS, "export const named = 'NAMED' as const;");
    let scratch = scratch(&web, "/lib/mod.ts");
    scratch.use_registry(&registry);
    scratch.write("deno.json", &json!({ "imports": { "lib/": web.url("/") } }).to_string());
    let first = scratch.bundle("m/a.ts");
    for text in ["DEEP", "ABS", "FROM_NPM", "4711", "NAMED"] {
        assert!(first.code.contains(text), "{text}: {}", first.code);
    }
    assert_eq!(first.meta.warnings, Vec::<String>::new());
    assert_eq!(first.meta.modules.len(), 6);
    assert!(first.meta.modules.contains(&ModuleMeta { url: web.url("/lib/mod.ts"), sha256: top }));
    let mut asked = web.requests();
    asked.sort();
    assert_eq!(
        asked,
        ["/abs", "/lib/d.json", "/lib/deep/x.js?v=1", "/lib/mod.ts", "/lib/up.ts", "/named.ts"]
    );
    // What the server says later changes nothing, and it is not asked.
    web.put("/abs", JS, "export const abs = 'CHANGED';");
    let mut offline = scratch.request("m/a.ts");
    offline.offline = true;
    assert_eq!(scratch.try_request(&offline).unwrap().meta, first.meta);
    assert_eq!(web.requests().len(), 6);
}

#[test]
fn redirects_are_followed_and_recorded() {
    let web = Web::start();
    web.redirect("/latest", "/v1/mod.js");
    web.redirect("/v1/mod.js", &web.url("/v1.2/mod.js"));
    web.put("/v1.2/mod.js", JS, "export * from './other.js';");
    web.put("/v1.2/other.js", JS, "export const top = 'TOP';");
    let scratch = scratch(&web, "/latest");
    let first = scratch.bundle("m/a.ts");
    assert!(first.code.contains("TOP"));
    let urls: Vec<&str> = first.meta.modules.iter().map(|one| one.url.as_str()).collect();
    assert_eq!(urls, [web.url("/v1.2/mod.js"), web.url("/v1.2/other.js")]);
    web.redirect("/latest", "/v2/mod.js");
    assert_eq!(scratch.bundle("m/a.ts").meta, first.meta);
    assert_eq!(web.requests().len(), 4, "the redirect is recorded with the content");
}

#[test]
fn the_lock_decides_the_content() {
    let web = Web::start();
    web.redirect("/mod", "/mod@1.js");
    let digest = web.put("/mod@1.js", JS, "export const top = 'TOP_1';");
    let lock = |digest: &str| {
        json!({ "version": "5", "redirects": { web.url("/mod"): web.url("/mod@1.js") }, "remote": { web.url("/mod@1.js"): digest } })
            .to_string()
    };
    let scratch = scratch(&web, "/mod");
    scratch.write("deno.json", "{}");
    scratch.write("deno.lock", &lock(&digest));
    let first = scratch.bundle("m/a.ts");
    assert!(first.code.contains("TOP_1"));
    assert_eq!(first.meta.warnings, Vec::<String>::new());
    assert_eq!(web.requests(), ["/mod@1.js"], "the lock knows where the address leads");
    // Another lock, and a server that has something else by now: the cache does not stand in for what is locked.
    let other = "0".repeat(64);
    scratch.write("deno.lock", &lock(&other));
    let fault = only(&scratch);
    assert_eq!((fault.code.as_str(), fault.line), ("integrity_mismatch", Some(1)));
    for part in [&web.url("/mod@1.js"), &other, &digest, "deno.lock"] {
        assert!(fault.message.contains(part), "{part}: {}", fault.message);
    }
    scratch.write("deno.lock", r#"{ "version": "5" }"#);
    let warned = scratch.bundle("m/a.ts").meta.warnings;
    assert_eq!(
        warned,
        [format!("{} not in deno.lock: the module cache records what was fetched", web.url("/mod@1.js"))]
    );
}

#[test]
fn content_that_is_not_the_recorded_one_is_refused() {
    let web = Web::start();
    let digest = web.put("/mod.js", JS, "export const top = 1;");
    let scratch = scratch(&web, "/mod.js");
    scratch.bundle("m/a.ts");
    // The cache loses the content, and the server has another one by now.
    let blob = scratch.cache().join("remote/v1/blob").join(&digest);
    std::fs::write(&blob, "damaged").unwrap();
    let changed = web.put("/mod.js", JS, "export const top = 2;");
    let fault = only(&scratch);
    assert_eq!(fault.code.as_str(), "integrity_mismatch");
    let expected = format!(
        "{} is not what was expected: SHA-256 {digest} by the module cache, but the server sent {changed}",
        web.url("/mod.js")
    );
    assert_eq!(fault.message, expected);
    web.put("/mod.js", JS, "export const top = 1;");
    scratch.bundle("m/a.ts");
}

#[test]
fn what_cannot_be_fetched_is_reported_at_its_import() {
    let web = Web::start();
    web.put("/html", "text/html", "<p>Log in</p>");
    web.put("/nested.js", JS, "\nexport { top } from './gone.js';");
    web.put("/syntax.ts", TS, "export const top = 1;\nexport const = 2;");
    web.put(
        "/file.js",
        JS,
        "import '../../../etc/passwd'; import 'file:///etc/passwd'; export const top = 1;",
    );
    web.put("/bare.js", JS, "export { top } from 'nothing';");
    web.put("/missing_name.js", JS, "export const other = 1;");
    web.redirect("/loop", "/loop");
    web.redirect("/away", "http://192.0.2.1/x.js");
    let shown = |path: &str| only(&scratch(&web, path)).to_string().replace(&web.url(""), "BASE");
    assert_eq!(shown("/gone"), "m/a.ts:1:21: BASE/gone cannot be fetched: it answered 404");
    assert_eq!(shown("/html"), "m/a.ts:1:21: BASE/html is text/html, not a module");
    assert_eq!(
        shown("/nested.js"),
        "m/a.ts:1:21: BASE/gone.js cannot be fetched: it answered 404; BASE/nested.js imports it"
    );
    assert_eq!(shown("/loop"), "m/a.ts:1:21: BASE/loop cannot be fetched: it redirects more than 10 times");
    assert_eq!(
        shown("/away"),
        "m/a.ts:1:21: BASE/away cannot be fetched: BASE/away redirects to \"http://192.0.2.1/x.js\", which is not an address of https"
    );
    assert!(shown("/syntax.ts").starts_with("BASE/syntax.ts:2:14: "), "{}", shown("/syntax.ts"));
    assert_eq!(
        shown("/file.js"),
        "BASE/file.js:1:38: cannot import \"file:///etc/passwd\": this kind of import is not supported"
    );
    assert!(
        shown("/bare.js").starts_with("BASE/bare.js:1:21: cannot import \"nothing\""),
        "{}",
        shown("/bare.js")
    );
    assert!(
        shown("/missing_name.js").contains("\"top\" is not exported by"),
        "{}",
        shown("/missing_name.js")
    );
    let never = scratch(&web, "/never");
    let mut offline = never.request("m/a.ts");
    offline.offline = true;
    let error = never.try_request(&offline).unwrap_err();
    assert!(error.to_string().contains("/never is not in the module cache, and marsh is offline"), "{error}");
}
