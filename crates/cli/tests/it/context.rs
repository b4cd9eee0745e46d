//! The context object that methods receive.

use insta::assert_snapshot;
use marsh_testkit::Scratch;
use serde_json::{Value, json};

use crate::support::{repo_running, repo_with, run_args};

/// Runs a body that assigns to `seen`, and returns what was seen.
fn seen(body: &str) -> (Scratch, Value) {
    let repo = repo_running(&format!(
        "const seen = {{}};\n{body}\nawait context.writeResource('out', 'seen', seen);"
    ));
    repo.marsh(&run_args(&[])).ok();
    let value = repo.marsh(&["--json", "data", "get", "m", "seen"]).ok().json()["content"].clone();
    (repo, value)
}

#[test]
fn who_is_running() {
    let (repo, seen) = seen(
        r#"
        seen.type = [context.modelType.raw, context.modelType.normalized, context.modelType.toDirectoryPath(), `${context.modelType}`];
        seen.id = context.modelId === context.definition.id;
        seen.definition = { ...context.definition, id: "" };
        seen.method = context.methodName;
        seen.repoDir = context.repoDir;
        seen.signal = [context.signal instanceof AbortSignal, context.signal.aborted];
        seen.namespace = context.dataRepository.namespace;
        seen.other = (await context.definitionRepository.findByNameGlobal("m"))?.definition.name;
        seen.nobody = await context.definitionRepository.findByNameGlobal("nobody");
        const { findById } = context.definitionRepository;
        seen.self = (await findById(context.modelType, context.modelId)).name;
        seen.strangers = [await findById("@me/other", context.modelId), await findById(context.modelType, "m")];
        "#,
    );
    assert_eq!(
        seen,
        json!({
            "type": ["@me/x", "@me/x", "@me/x", "@me/x"],
            "id": true,
            "definition": { "id": "", "name": "m", "version": 1, "tags": {} },
            "method": "run",
            "repoDir": repo.root(),
            "signal": [true, false],
            "namespace": "",
            "other": "m",
            "nobody": null,
            "self": "m",
            "strangers": [null, null],
        })
    );
}

#[test]
fn data_that_does_not_match_its_schema_is_a_warning() {
    let repo = repo_with(
        r#"
        resources: { s: { description: "d", schema: z.object({ n: z.number(), d: z.string().default("x") }), lifetime: "infinite", garbageCollection: 3 } },
        methods: { run: { description: "d", arguments: z.object({}), execute: async (_a, context) => {
          await context.writeResource("s", "odd", { n: "seven" });
        } } },"#,
    );
    assert_snapshot!(repo.marsh(&run_args(&[])).snapshot(), @"
    success: true
    exit_code: 0
    ----- stdout -----
    m run succeeded in [duration]
      odd v1
        n  seven
    ----- stderr -----
    created the definition m
    warning: `odd` does not match its schema: resource `s`: `n`: Invalid input: expected number, received string
    ");
    let stored = repo.marsh(&["--json", "data", "get", "m", "odd"]).ok().json();
    assert_eq!(stored["content"], json!({ "n": "seven" }), "stored as given, without the schema's defaults");
}

#[test]
fn resources_can_be_written_and_read_back() {
    let (_repo, seen) = seen(
        r#"
        const handle = await context.writeResource("out", "a", { n: 1 });
        await context.writeResource("out", "a", { n: 2 });
        seen.handle = { ...handle, dataId: typeof handle.dataId, metadata: handle.metadata.contentType };
        seen.latest = await context.readResource("a");
        seen.first = await context.readResource("a", 1);
        seen.none = await context.readResource("nothing");
        await context.writeResource("out", "list", [1]);
        seen.list = await context.readResource("list").catch((error) => error.message);
        await context.deleteResource("a");
        seen.deleted = await context.readResource("a");
        "#,
    );
    assert_eq!(
        seen["handle"],
        json!({
            "name": "a", "specName": "out", "kind": "resource", "dataId": "string", "version": 1, "size": 7,
            "tags": { "type": "resource", "specName": "out", "modelName": "m" },
            "metadata": "application/json", "attributes": { "n": 1 },
        })
    );
    assert_eq!(
        (&seen["latest"], &seen["first"], &seen["none"]),
        (&json!({ "n": 2 }), &json!({ "n": 1 }), &Value::Null)
    );
    assert!(seen["list"].as_str().unwrap().contains("not a JSON object"), "{seen}");
    assert_eq!(seen["deleted"], Value::Null);
}

#[test]
fn outputs_that_are_not_declared_or_not_named_well_are_refused() {
    let (_repo, seen) = seen(
        r#"
        const message = async (attempt) => { try { await attempt(); return "fine"; } catch (error) { return error.message; } };
        seen.resource = await message(() => context.writeResource("nope", "a", {}));
        seen.file = await message(() => context.createFileWriter("nope", "a"));
        seen.latest = await message(() => context.writeResource("out", "latest", {}));
        seen.blank = await message(() => context.writeResource("out", "", {}));
        seen.up = await message(() => context.writeResource("out", "../a", {}));
        seen.undefined = await message(() => context.writeResource("out", "a", undefined));
        "#,
    );
    assert_snapshot!(serde_json::to_string_pretty(&seen).unwrap(), @r#"
    {
      "resource": "the model declares no resource `nope`; it declares: out",
      "file": "the model declares no file `nope`; it declares: blob",
      "latest": "invalid data name \"latest\": it is reserved",
      "blank": "invalid data name \"\": it is empty",
      "up": "invalid data name \"../a\": it contains \"..\"",
      "undefined": "the data of resource `out` has no JSON form"
    }
    "#);
}

#[test]
fn files_are_written_in_every_way() {
    let (repo, seen) = seen(
        r#"
        const writer = (name, overrides) => context.createFileWriter("blob", name, overrides);
        await writer("text").writeText("grüße\n");
        await writer("bytes", { contentType: "application/octet-stream" }).writeAll(new Uint8Array([0, 255, 10]));
        const lines = writer("lines");
        await lines.writeLine("one");
        await lines.writeLine("two");
        const handle = await lines.finalize();
        seen.handle = [handle.name, handle.kind, handle.version, handle.size];
        const own = writer("own");
        await Deno.writeTextFile(await own.getFilePath(), "by path");
        await own.finalize();
        const streamed = [];
        const parts = async function* () { for (const part of ["a\nb", "c\n", "d"]) yield new TextEncoder().encode(part); };
        await writer("stream").writeStream(parts(), { onLine: (line) => streamed.push(line) });
        seen.streamed = streamed;
        seen.twice = await lines.finalize().catch((error) => error.message);
        await writer("unfinished").writeLine("lost");
        "#,
    );
    assert_eq!(seen["handle"], json!(["lines", "file", 1, 8]));
    assert_eq!(seen["streamed"], json!(["a", "bc", "d"]));
    assert!(seen["twice"].as_str().unwrap().contains("used already"), "{seen}");
    let content =
        |name: &str| repo.marsh(&["--json", "data", "get", "m", name]).ok().json()["content"].clone();
    assert_eq!(content("text"), "grüße\n");
    assert_eq!(content("lines"), "one\ntwo\n");
    assert_eq!(content("own"), "by path");
    assert_eq!(content("stream"), "a\nbc\nd");
    let bytes = repo.marsh(&["--json", "data", "get", "m", "bytes"]).ok().json();
    assert_eq!(std::fs::read(repo.path(bytes["contentPath"].as_str().unwrap())).unwrap(), [0, 255, 10]);
    assert_eq!(
        (&bytes["content"], &bytes["contentType"]),
        (&Value::Null, &json!("application/octet-stream"))
    );
    repo.marsh(&["data", "get", "m", "unfinished"]).exits(1);
    repo.assert_sound();
}

#[test]
fn the_data_repository_reads_asynchronously_and_synchronously() {
    let (_repo, seen) = seen(
        r#"
        await context.writeResource("out", "a", { n: 1 });
        await context.writeResource("out", "a", { n: 2 });
        await context.createFileWriter("blob", "b").writeText("text");
        const data = context.dataRepository;
        const [type, id] = [context.modelType, context.modelId];
        const text = (bytes) => bytes && new TextDecoder().decode(bytes);
        seen.async = [
          text(await data.getContent(type, id, "a")),
          text(await data.getContent(type, id, "a", 1)),
          await data.getContent(type, id, "none"),
          (await data.findByName(type, id, "a")).version,
          await data.findByName(type, id, "none"),
          (await data.findAllForModel(type, id)).map((one) => one.name).sort(),
          await data.listVersions(type, id, "a"),
        ];
        seen.sync = [
          text(data.getContentSync(type, id, "a")),
          text(data.getContentSync("@me/x", id, "a", 1)),
          data.getContentSync(type, id, "none"),
          data.findByNameSync(type, id, "a").version,
          data.findByNameSync(type, id, "none"),
          data.findAllForModelSync(type, id).map((one) => one.name).sort(),
          data.listVersionsSync(type, id, "a"),
        ];
        const record = (await context.readModelData("m", "out"))[0];
        seen.record = [record.name, record.attributes, record.modelName, record.specName];
        "#,
    );
    let expected = json!(["{\"n\":2}", "{\"n\":1}", null, 2, null, ["a", "b"], [1, 2]]);
    assert_eq!(seen["async"], expected);
    assert_eq!(seen["sync"], expected);
    assert_eq!(seen["record"], json!(["a", { "n": 2 }, "m", "out"]));
}

#[test]
fn data_repository_has_nothing_for_an_empty_model_id() {
    let (_repo, seen) = seen(
        r#"
        await context.writeResource("out", "a", { n: 1 });
        const data = context.dataRepository;
        const type = context.modelType;
        seen.answers = [];
        for (const id of ["", undefined, null]) {
          seen.answers.push([
            await data.getContent(type, id, "a"),
            data.getContentSync(type, id, "a"),
            await data.findByName(type, id, "a"),
            await data.findById(type, id, "x"),
            await data.findAllForModel(type, id),
            await data.listVersions(type, id, "a"),
            await data.getContentPath(type, id, "a"),
          ]);
        }
        seen.refused = await data.delete(type, "", "a").then(() => "deleted", () => "refused");
        seen.kept = await data.listVersions(type, context.modelId, "a");
        "#,
    );
    let nothing = json!([null, null, null, null, [], [], null]);
    assert_eq!(seen["answers"], json!([nothing, nothing, nothing]));
    assert_eq!((&seen["refused"], &seen["kept"]), (&json!("refused"), &json!([1])));
}

#[test]
fn loggers_fill_placeholders_and_know_levels() {
    let repo = repo_running(
        r#"
        const { logger } = context;
        logger.trace("traced");
        logger.debug("debugged {a}", { a: 1 });
        logger.info("info {name} {missing} {*}", { name: "n" });
        logger.with({ job: 7 }).warn("warned {job}");
        logger.getChild("sub").error("failed");
        logger.info`template ${1 + 1}`;
        console.error("to stderr");
        Deno.stdout.writeSync(new TextEncoder().encode("raw\n"));
        "#,
    );
    assert_snapshot!(repo.marsh(&run_args(&[])).told(), @r#"
    created the definition m
    │ info n {missing} {"name":"n"}
    │ warned 7
    │ failed
    │ template 2
    │ to stderr
    │ raw
    "#);
    assert_snapshot!(repo.marsh(&["model", "output", "logs", "m"]).shown(), @r#"
    [time] [TRC] model·method·run·m·run: traced
    [time] [DBG] model·method·run·m·run: debugged 1
    [time] [INF] model·method·run·m·run: info n {missing} {"name":"n"}
    [time] [WRN] model·method·run·m·run: warned 7
    [time] [ERR] model·method·run·m·run: failed
    [time] [INF] model·method·run·m·run: template 2
    [time] [ERR] model·method·run·m·run: to stderr
    [time] [INF] model·method·run·m·run: raw
    "#);
    let quiet = repo.marsh(&run_args(&["--quiet"])).ok();
    assert_eq!(quiet.stderr, "");
}

/// The dialect is that of `${{ … }}`; what code registers is there for that environment alone.
#[test]
fn expressions_can_be_evaluated_with_functions_of_the_code() {
    let (_repo, seen) = seen(
        r#"
        const cel = context.createCelEnvironment();
        cel.registerFunction("matches_all(string, string): bool", (text, pattern) => new RegExp(pattern).test(text));
        class Reader { latest(name) { return { name, size: 3 }; } }
        cel.registerType("Reader", Reader);
        cel.registerFunction("Reader.latest(string): dyn", (reader, name) => reader.latest(name));
        const program = cel.parse("host.tags.exists(t, t == 'web') && matches_all(host.name, '^w.*1$')");
        const host = (name) => ({ host: { name, tags: ["web", "eu"] } });
        seen.matched = [program(host("web-1")), program(host("web-2"))];
        seen.latest = cel.evaluate("data.latest('plan').name + '!'", { data: new Reader() });
        seen.mixed = cel.evaluate("1 + 0.5 == 1.5 && host.?gone.orValue(7) == 7", host("a"));
        const told = (work) => { try { work(); return "nothing"; } catch (error) { return error.message.split("\n")[0]; } };
        seen.missing = told(() => cel.evaluate("host.gone", host("a")));
        seen.syntax = told(() => cel.parse("1 +"));
        seen.alone = told(() => context.createCelEnvironment().evaluate("matches_all('a', 'a')"));
        "#,
    );
    assert_eq!(seen["matched"], json!([true, false]));
    assert_eq!(seen["latest"], "plan!");
    assert_eq!(seen["mixed"], true);
    assert_eq!(seen["missing"], "No such key: gone");
    assert_eq!(seen["syntax"], "Unexpected token: EOF");
    assert!(seen["alone"].as_str().unwrap().contains("matches_all"), "{seen}");
}

#[test]
fn extension_files_are_found_inside_the_extension_only() {
    let repo = repo_running(
        r#"
        const seen = { path: context.extensionFile("assets/a.txt") };
        for (const [name, path] of [["up", "../a"], ["none", "assets/b.txt"], ["absolute", "/etc/passwd"]]) {
          try { context.extensionFile(path); } catch (error) { seen[name] = error.message; }
        }
        await context.writeResource("out", "seen", seen);
        "#,
    );
    repo.write("assets/a.txt", "a");
    repo.marsh(&run_args(&[])).ok();
    let seen = repo.marsh(&["data", "get", "m", "seen"]).ok();
    assert_snapshot!(seen.shown(), @r#"
    seen v1 of m, application/json, [time]
      path  [repo]/assets/a.txt
      up  unsafe path "../a": it contains ".."
      none  the extension has no file `assets/b.txt`
      absolute  unsafe path "/etc/passwd": it is absolute
    "#);
}

#[test]
fn a_method_can_run_programs_and_use_files() {
    let (_repo, seen) = seen(
        r#"
        const { code, stdout } = await new Deno.Command("sh", { args: ["-c", "echo $0; exit 3", "hi"] }).output();
        seen.run = [code, new TextDecoder().decode(stdout)];
        const dir = await Deno.makeTempDir();
        await Deno.writeTextFile(`${dir}/f`, "content");
        seen.file = await Deno.readTextFile(`${dir}/f`);
        await Deno.remove(dir, { recursive: true });
        seen.hash = Array.from(new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode("x"))).slice(0, 2));
        "#,
    );
    assert_eq!(seen, json!({ "run": [3, "hi\n"], "file": "content", "hash": [45, 113] }));
}

#[test]
fn redactor_of_a_method_masks_the_secrets_that_the_code_adds() {
    let (_repo, seen) = seen(
        r#"
        const secret = ["s3cr3t", "token", "value"].join("-");
        const { redactor } = context;
        seen.plain = redactor.redact("plain text");
        redactor.addSecret(secret);
        seen.has = redactor.hasSecrets;
        seen.leaks = redactor.redact(`it is ${secret}, here`).includes(secret);
        seen.rest = redactor.redact(`it is ${secret}, here`).endsWith(", here");
        "#,
    );
    assert_eq!(seen, json!({ "plain": "plain text", "has": true, "leaks": false, "rest": true }));
}

#[test]
fn definition_of_an_invalid_type_is_an_error_and_not_null() {
    let (_repo, seen) = seen(
        r#"
        try { await context.definitionRepository.findById("a\\b", context.modelId); }
        catch (error) { seen.code = error.code; }
        "#,
    );
    assert_eq!(seen, json!({ "code": "invalid_name" }));
}

#[test]
fn model_data_with_corrupt_json_is_an_error_and_not_null() {
    let (_repo, seen) = seen(
        r#"
        await context.writeResource("out", "a", { n: 1 });
        const path = await context.dataRepository.getContentPath(context.modelType, context.modelId, "a");
        await Deno.remove(path);
        await Deno.writeTextFile(path, "{");
        try { await context.readModelData("m", "out"); }
        catch (error) { seen.code = error.code; seen.names = error.message.includes("`a` version 1"); }
        "#,
    );
    assert_eq!(seen, json!({ "code": "file_damaged", "names": true }));
}

#[test]
fn file_that_code_replaced_by_a_link_or_a_pipe_is_not_published() {
    let (repo, seen) = seen(
        r#"
        const message = async (attempt) => { try { await attempt(); return "fine"; } catch (error) { return error.message; } };
        const replaced = async (name, make) => {
          const writer = context.createFileWriter("blob", name);
          const path = await writer.getFilePath();
          await Deno.remove(path);
          await make(path);
          return await message(() => writer.finalize());
        };
        seen.link = await replaced("link", (path) => Deno.symlink("/etc/passwd", path));
        seen.pipe = await replaced("pipe", (path) => new Deno.Command("mkfifo", { args: [path] }).output());
        "#,
    );
    assert!(seen["link"].as_str().unwrap().contains("expected a file, found a link"), "{seen}");
    assert!(seen["pipe"].as_str().unwrap().contains("expected a file, found a pipe"), "{seen}");
    for name in ["link", "pipe"] {
        repo.marsh(&["data", "get", "m", name]).exits(1);
    }
}

/// Most parsers refuse JSON with a lone surrogate.
#[test]
fn text_with_a_lone_surrogate_is_stored_with_a_replacement() {
    let (repo, _) = seen(
        r#"
        await context.writeResource("out", "odd", { n: 1, lone: "a\ud800b", pair: "\ud83d\ude00", text: "\\ud800" });
        "#,
    );
    let content = repo.marsh(&["--json", "data", "get", "m", "odd"]).ok().json()["content"].clone();
    assert_eq!(content, json!({ "n": 1, "lone": "a\u{fffd}b", "pair": "😀", "text": "\\ud800" }));
}
