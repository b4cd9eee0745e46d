//! The members of the context that ask marsh for data and secrets.

use serde_json::json;

use crate::support::{OUTPUTS, method, model};
use crate::vault::{put, repo_with_vault};

/// What a method of the repository's type saw.
fn seen(repo: &marsh_testkit::Scratch, body: &str) -> serde_json::Value {
    let body = format!("const seen = {{}};\n{body}\nawait context.writeResource('out', 'seen', seen);");
    repo.write("extensions/models/x.ts", model("@me/x", &format!("{OUTPUTS} {}", method("run", &body))));
    repo.marsh(&crate::support::run_args(&[])).ok();
    repo.marsh(&["--json", "data", "get", "m", "seen"]).ok().json()["content"].clone()
}

#[test]
fn query_of_a_method_sees_what_it_has_just_written() {
    let repo = repo_with_vault();
    let seen = seen(
        &repo,
        r#"
        for (const [name, n] of [["a", 1], ["b", 2], ["c", 3]]) await context.writeResource("out", name, { n });
        const names = (records) => records.map((record) => record.name).sort();
        seen.records = names(await context.queryData("specName == 'out' && attributes.n > 1"));
        seen.fields = Object.keys((await context.queryData("name == 'a'"))[0]).includes("content");
        seen.selected = (await context.queryData("attributes.n > 1", "attributes.n")).sort();
        seen.service = names(await context.dataQueryService.query("attributes.n < 3"));
        seen.limited = (await context.dataQueryService.query("attributes.n < 3", { limit: 1, select: "name" })).length;
        seen.sync = context.dataQueryService.querySync("name == 'c'", { select: "attributes.n" });
        const said = async (predicate) => { try { await context.queryData(predicate); } catch (error) { return error.code; } };
        seen.errors = [await said("name =="), await said("nothing == 1")];
        "#,
    );
    assert_eq!(
        seen,
        json!({
            "records": ["b", "c"],
            "fields": true,
            "selected": [2, 3],
            "service": ["a", "b"],
            "limited": 1,
            "sync": [3],
            "errors": ["expression_syntax", "unknown_field"],
        })
    );
}

#[test]
fn vaults_are_read_and_changed_and_their_secrets_masked() {
    let repo = repo_with_vault();
    put(&repo, "token", "s3cr3t-of-the-vault");
    let seen = seen(
        &repo,
        r#"
        const vaults = context.vaultService;
        const token = await vaults.get("main", "token");
        seen.length = token.length;
        seen.leak = `it is ${token}`;
        seen.names = vaults.getVaultNames();
        seen.default = vaults.getDefaultVaultName() === undefined;
        await vaults.put("main", "made", "s3cr3t-of-the-method");
        seen.made = `${await vaults.get("main", "made")}!`;
        seen.keys = await vaults.list("main");
        seen.supports = [vaults.supportsDelete("main"), vaults.supportsAnnotations("main"), vaults.supportsRefreshHooks("main")];
        await vaults.putAnnotation("main", "made", { notes: "by a method", labels: { team: "red" } });
        const { notes, labels } = await vaults.getAnnotation("main", "made");
        seen.annotation = { notes, labels };
        await vaults.deleteAnnotation("main", "made");
        seen.gone = (await vaults.getAnnotation("main", "made")) === null;
        await vaults.putRefreshHook("main", "made", { command: "echo new", ttl: "1h", ttlMs: 3600000, lastRefreshedAt: null });
        seen.hook = (await vaults.getRefreshHook("main", "made")).command;
        await vaults.deleteRefreshHook("main", "made");
        seen.deleted = [await vaults.delete("main", "made"), await vaults.delete("main", "made")];
        const said = async (work) => { try { await work(); } catch (error) { return error.message; } };
        seen.noVault = (await said(() => vaults.get("none", "token"))).includes("none");
        seen.noKey = (await said(() => vaults.get("main", "gone"))).includes("gone");
        seen.badKey = (await said(() => vaults.put("main", "a=b", "x"))).includes("=");
        "#,
    );
    assert_eq!(
        seen,
        json!({
            "length": 19,
            "leak": "it is ***",
            "names": ["main"],
            "default": true,
            "made": "***!",
            "keys": ["made", "token"],
            "supports": [true, true, true],
            "annotation": { "notes": "by a method", "labels": { "team": "red" } },
            "gone": true,
            "hook": "echo new",
            "deleted": [true, false],
            "noVault": true,
            "noKey": true,
            "badKey": true,
        })
    );
    let trail = repo.marsh(&["--json", "vault", "audit-trail"]).ok().json().to_string();
    for action in ["put", "delete", "annotate"] {
        assert!(trail.contains(&format!("\"{action}\"")), "{action}: {trail}");
    }
    assert!(!trail.contains("s3cr3t"), "{trail}");
}

#[test]
fn members_of_other_kinds_of_servers_are_absent() {
    let repo = repo_with_vault();
    let seen = seen(
        &repo,
        r#"
        const names = ["outputRepository", "cloudControlClientFactory", "approveWorkflowGate", "rejectWorkflowGate"];
        seen.absent = names.filter((name) => context[name] === undefined).length;
        seen.secrets = Object.keys(context.vaultSecrets).length;
        "#,
    );
    assert_eq!(seen, json!({ "absent": 4, "secrets": 0 }));
}

#[test]
fn data_are_saved_found_renamed_and_collected_through_the_repository() {
    let repo = repo_with_vault();
    put(&repo, "token", "s3cr3t-of-the-vault");
    let seen = seen(
        &repo,
        r#"
        const data = context.dataRepository;
        const { modelType, modelId } = context;
        const token = await context.vaultService.get("main", "token");
        const made = { name: "raw", contentType: "text/plain", lifetime: "infinite", garbageCollection: 2, tags: { type: "file", modelName: "m" } };
        seen.versions = [];
        for (const text of ["one", "two", `three ${token}`]) {
          seen.versions.push((await data.save(modelType, modelId, made, new TextEncoder().encode(text))).version);
        }
        const chunks = [];
        for await (const chunk of data.stream(modelType, modelId, "raw")) chunks.push(new TextDecoder().decode(chunk));
        seen.content = chunks.join("");
        seen.tagged = (await data.findByTaggedName("m", "raw")).map(({ data, modelId: id }) => [data.version, id === modelId]);
        seen.dry = (await data.collectGarbage(modelType, modelId, { dryRun: true })).versionsRemoved;
        seen.renamed = await data.rename(modelType, modelId, "raw", "cooked");
        const said = async (work) => { try { await work(); } catch (error) { return error.code; } };
        seen.invalid = await said(() => data.save(modelType, modelId, { name: "x" }, "x"));
        seen.taken = await said(() => data.rename(modelType, modelId, "none", "x"));
        seen.refused = await said(() => data.allocateVersion(modelType, modelId, made));
        "#,
    );
    assert_eq!(
        seen,
        json!({
            "versions": [1, 2, 3],
            "content": "three ***",
            "tagged": [[3, true]],
            "dry": 1,
            "renamed": { "oldName": "raw", "newName": "cooked", "copiedVersion": 3, "newVersion": 1 },
            "invalid": "invalid_arguments",
            "taken": "data_not_found",
            "refused": "unsupported",
        })
    );
}

#[test]
fn definitions_are_found_by_type_and_name() {
    let repo = repo_with_vault();
    let seen = seen(
        &repo,
        r#"
        const all = context.definitionRepository;
        const { modelType, modelId } = context;
        seen.found = [
          (await all.findAll(modelType)).map(({ name }) => name),
          (await all.findAllGlobal()).map(({ definition, type }) => [definition.name, type]),
          (await all.findByName(modelType, "m")).id === modelId,
          await all.findByName("@me/other", "m"),
          await all.exists(modelType, modelId),
          await all.exists(modelType, all.nextId()),
        ];
        seen.path = all.getPath(modelType, modelId).endsWith("m.yaml");
        try { await all.delete(modelType, modelId); } catch (error) { seen.refused = error.code; }
        "#,
    );
    let found = json!([["m"], [["m", "@me/x"]], true, null, true, false]);
    assert_eq!(seen, json!({ "found": found, "path": true, "refused": "unsupported" }));
}
