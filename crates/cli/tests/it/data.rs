//! Results and records of runs.

use insta::assert_snapshot;
use marsh_testkit::Scratch;

use crate::support::{repo_running, run_args};

/// A model that ran twice: `main` has two versions, `notes` one.
fn ran_twice() -> Scratch {
    let repo = repo_running(
        r#"
        const before = await context.readResource("main");
        const run = (before?.run ?? 0) + 1;
        console.log(`run ${run}`);
        context.logger.warn("careful with {what}", { what: "that" });
        await context.writeResource("out", "main", { run });
        if (run === 1) await context.createFileWriter("blob", "notes").writeText("one\ntwo\n");
        "#,
    );
    for _ in 0..2 {
        repo.marsh(&run_args(&[])).ok();
    }
    repo
}

#[test]
fn get_shows_metadata_and_content() {
    let repo = ran_twice();
    assert_snapshot!(repo.marsh(&["data", "get", "m", "main"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    main v2 of m, application/json, [time]
      run  2
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["data", "get", "m", "notes"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    notes v1 of m, text/plain, [time]
    one
    two
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "data", "get", "m", "main", "--version", "1"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "id": "[uuid]",
      "name": "main",
      "modelId": "[uuid]",
      "modelName": "m",
      "modelType": "@me/x",
      "version": 1,
      "contentType": "application/json",
      "lifetime": "infinite",
      "garbageCollection": 10,
      "streaming": false,
      "tags": {
        "type": "resource",
        "specName": "out",
        "modelName": "m"
      },
      "ownerDefinition": {
        "ownerType": "model-method",
        "ownerRef": "[uuid]"
      },
      "createdAt": "[time]",
      "size": 9,
      "checksum": "[sha256]",
      "contentPath": ".swamp/data/@me/x/[uuid]/main/1/raw",
      "content": {
        "run": 1
      }
    }
    ----- stderr -----
    "#);
    let bare = repo.marsh(&["--json", "data", "get", "m", "main", "--no-content"]).ok().json();
    assert!(bare.get("content").is_none());
}

#[test]
fn list_groups_by_kind() {
    let repo = ran_twice();
    assert_snapshot!(repo.marsh(&["data", "list", "m", "--type", "resource"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    main  v2  resource  application/json  9 B  [time]
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "data", "list", "m", "--type", "file"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "modelId": "[uuid]",
      "modelName": "m",
      "modelType": "@me/x",
      "namespace": "",
      "groups": [
        {
          "type": "file",
          "items": [
            {
              "id": "[uuid]",
              "name": "notes",
              "version": 1,
              "contentType": "text/plain",
              "type": "file",
              "streaming": false,
              "size": 8,
              "createdAt": "[time]"
            }
          ]
        }
      ],
      "total": 1
    }
    ----- stderr -----
    "#);
}

#[test]
fn versions_newest_first() {
    let repo = ran_twice();
    assert_snapshot!(repo.marsh(&["data", "versions", "m", "main"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    v2  [time]  9 B  latest
    v1  [time]  9 B
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "data", "versions", "m", "notes"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "dataName": "notes",
      "modelId": "[uuid]",
      "modelName": "m",
      "modelType": "@me/x",
      "versions": [
        {
          "version": 1,
          "createdAt": "[time]",
          "size": 8,
          "checksum": "[sha256]",
          "isLatest": true
        }
      ],
      "total": 1
    }
    ----- stderr -----
    "#);
}

#[test]
fn unknown_data_fail_with_a_hint() {
    let repo = ran_twice();
    assert_snapshot!(repo.marsh(&["data", "get", "m", "mian"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: `m` has no result `mian`

    hint: did you mean `main`?
    ");
    assert_snapshot!(repo.marsh(&["--json", "data", "versions", "m", "zzz"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "not_found",
        "class": "not_found",
        "message": "`m` has no result `zzz`",
        "hint": "`marsh data list m` lists the results"
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn records_of_runs_are_found_by_model_and_by_id() {
    let repo = ran_twice();
    let list = repo.marsh(&["--json", "model", "output", "search"]).ok().json();
    assert_eq!(list["results"].as_array().unwrap().len(), 2);
    let newest = list["results"][0]["id"].as_str().unwrap();
    let by_model = repo.marsh(&["--json", "model", "output", "get", "m"]).ok();
    assert_eq!(by_model.json()["id"], newest);
    assert_snapshot!(by_model.snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "id": "[uuid]",
      "definitionId": "[uuid]",
      "modelName": "m",
      "type": "@me/x",
      "methodName": "run",
      "status": "succeeded",
      "startedAt": "[time]",
      "completedAt": "[time]",
      "durationMs": [duration],
      "retryCount": 0,
      "provenance": {
        "definitionHash": "[sha256]",
        "modelVersion": "2026.01.01.1",
        "triggeredBy": "manual",
        "bundleFingerprint": "[sha256]"
      },
      "artifacts": {
        "dataArtifacts": [
          {
            "dataId": "[uuid]",
            "name": "main",
            "version": 2,
            "tags": {
              "type": "resource",
              "specName": "out",
              "modelName": "m"
            }
          }
        ]
      },
      "logFile": ".swamp/outputs/@me/x/run/[uuid]-[time].log",
      "pid": [pid]
    }
    ----- stderr -----
    "#);
    let by_prefix = repo.marsh(&["--json", "model", "output", "get", &newest[..8]]).ok().json();
    assert_eq!(by_prefix["id"], newest);
    assert_snapshot!(repo.marsh(&["model", "output", "get", "nobody"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: unknown run or model `nobody`

    hint: `marsh model output search` lists all runs
    ");
    assert_eq!(
        repo.marsh(&["--json", "model", "output", "search", "zzz"]).ok().json()["results"],
        serde_json::json!([])
    );
}

#[test]
fn logs_of_a_run() {
    let repo = ran_twice();
    assert_snapshot!(repo.marsh(&["model", "output", "logs", "m"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    [time] [INF] model·method·run·m·run: run 2
    [time] [WRN] model·method·run·m·run: careful with that
    ----- stderr -----
    ");
    assert_snapshot!(repo.marsh(&["--json", "model", "output", "logs", "m", "--tail", "1"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "outputId": "[uuid]",
      "methodName": "run",
      "path": ".swamp/outputs/@me/x/run/[uuid]-[time].log",
      "lines": [
        "[time] [WRN] model·method·run·m·run: careful with that"
      ],
      "totalLines": 2,
      "showingLines": 1,
      "lineCount": 1
    }
    ----- stderr -----
    "#);
}

#[test]
fn tags_of_the_run_are_on_everything_it_writes() {
    let repo =
        repo_running(r#"await context.writeResource("out", "a", {}, { tags: { team: "b", of: "call" } });"#);
    repo.marsh(&run_args(&["--tag", "team=c", "--tag", "ticket=1"])).ok();
    let tags = repo.marsh(&["--json", "data", "get", "m", "a"]).ok().json()["tags"].clone();
    assert_eq!(
        tags,
        serde_json::json!({
            "type": "resource", "team": "c", "of": "call", "specName": "out", "modelName": "m", "ticket": "1",
        })
    );
}
