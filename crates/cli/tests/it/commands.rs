//! Commands that need no model: making and finding a repository, help, completions, usage errors.

use insta::assert_snapshot;
use marsh_testkit::Scratch;

use crate::support::{BINARY, repo};

fn empty() -> Scratch {
    Scratch::empty(BINARY)
}

#[test]
fn init_makes_a_repository_once() {
    let scratch = empty();
    assert_snapshot!(scratch.marsh(&["init"]).snapshot(), @r"
    success: true
    exit_code: 0
    ----- stdout -----
    initialized [repo] for claude
    the tool's instructions, settings and skills are in place; review them with `git status`

    next:
      put extension sources under extensions/models/
      marsh model @command/shell method run execute hello --input run='echo hello'
    ----- stderr -----
    ");
    assert_snapshot!(scratch.read(".gitignore"), @r"
    # BEGIN swamp managed section - DO NOT EDIT
    .swamp/
    .swamp-sources.yaml
    .claude/worktrees/
    .claude/settings.local.json
    .claude/scheduled_tasks.lock
    # END swamp managed section
    ");
    let written = [".claude", ".gitignore", ".swamp", ".swamp.yaml", "CLAUDE.md"];
    assert!(written.iter().all(|name| scratch.exists(name)));
    let marker = scratch.read(".swamp.yaml");
    assert_snapshot!(scratch.marsh(&["init"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo] is already a repository (AI tools: claude)

    hint: use `--force` to write its marker and directories again; the repository keeps its id. `marsh repo upgrade --tool <name>` changes its AI tools
    ");
    assert_eq!(scratch.read(".swamp.yaml"), marker);

    scratch.marsh(&["repo", "init", "--force"]).ok();
    let id = |text: &str| text.lines().find(|line| line.starts_with("repoId")).unwrap().to_owned();
    assert_eq!(id(&scratch.read(".swamp.yaml")), id(&marker), "the repository keeps its id");
}

#[test]
fn init_takes_a_path_and_answers_as_json() {
    let scratch = empty();
    let run = scratch.marsh(&["--json", "init", "deep/er", "--tool", "none"]).ok();
    assert!(scratch.exists("deep/er/.swamp.yaml"));
    assert_snapshot!(run.snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    {
      "path": "[repo]/deep/er",
      "version": "0.1.0",
      "initializedAt": "[time]",
      "repoId": "[uuid]",
      "skillsCopied": [],
      "instructionsFileCreated": false,
      "settingsCreated": false,
      "gitignoreAction": "created",
      "tools": [],
      "removedTools": [],
      "tool": "none",
      "nextSteps": [
        "put extension sources under extensions/models/",
        "marsh model @command/shell method run execute hello --input run='echo hello'"
      ]
    }
    ----- stderr -----
    "#);
}

#[test]
fn a_repository_is_found_from_below_and_by_name() {
    let scratch = repo();
    scratch.marsh(&["--json", "model", "search"]).ok();
    let below = repo().cwd("a/b/c");
    below.marsh(&["--json", "model", "search"]).ok();

    let root = scratch.root().to_str().unwrap().to_owned();
    let outside = empty();
    outside.marsh(&["--repo-dir", &root, "model", "search"]).ok();
    for variable in ["MARSH_REPO_DIR", "SWAMP_REPO_DIR"] {
        empty().env(variable, &root).marsh(&["model", "search"]).ok();
    }
    let other = repo();
    let preferred = empty()
        .env("SWAMP_REPO_DIR", "/nonexistent")
        .env("MARSH_REPO_DIR", other.root().as_os_str())
        .marsh(&["model", "search"]);
    preferred.ok();
}

#[test]
fn without_a_repository_the_error_says_what_to_do() {
    let scratch = empty();
    assert_snapshot!(scratch.marsh(&["model", "search"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: no repository found: neither [repo] nor a directory above it has a .swamp.yaml

    hint: run `marsh init` here, or name a repository with `--repo-dir`
    ");
    assert_snapshot!(scratch.marsh(&["--json", "--repo-dir", "nowhere", "model", "search"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "not_found",
        "class": "not_found",
        "message": "[repo]/nowhere does not exist"
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(scratch.marsh(&["--repo-dir", ".", "model", "search"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo] is not a repository: it has no .swamp.yaml

    hint: run `marsh init [repo]` to make it a repository
    ");
}

#[test]
fn the_search_for_a_repository_ends_at_a_git_root() {
    let scratch = repo().cwd("vendored/project");
    scratch.write("vendored/.git/HEAD", "ref: refs/heads/main\n");
    scratch.marsh(&["model", "search"]).exits(1);
}

#[test]
fn a_repository_of_the_reference_implementation_is_accepted() {
    let scratch = empty();
    scratch.write(
        ".swamp.yaml",
        "swampVersion: 20260601.120000.0-sha.abcdef\ninitializedAt: 2026-06-01T12:00:00.000Z\n\
         repoId: 0b0e0f2c-7f0c-4d5e-9c11-0123456789ab\ntool: claude\ngitignoreManaged: true\nfutureKey: {a: 1}\n",
    );
    let before = scratch.read(".swamp.yaml");
    scratch.marsh(&["model", "type", "search"]).ok();
    assert_eq!(scratch.read(".swamp.yaml"), before, "reading changes nothing");
    scratch.marsh(&["init", "--force"]).ok();
    assert!(scratch.read(".swamp.yaml").contains("futureKey"), "unknown keys survive");
}

#[test]
fn a_broken_marker_is_shown() {
    let scratch = empty();
    scratch.write(".swamp.yaml", "swampVersion: 1\nrepoId: [\n");
    assert_snapshot!(scratch.marsh(&["model", "search"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/.swamp.yaml: unclosed bracket '['
     --> [repo]/.swamp.yaml:2:9
      |
    2 | repoId: [
      |         ^
    ");
}

#[test]
fn version() {
    let scratch = empty();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(scratch.marsh(&["--version"]).ok().stdout, format!("marsh {version}\n"));
    assert_eq!(scratch.marsh(&["version"]).ok().stdout, format!("marsh {version}\n"));
    let json = scratch.marsh(&["version", "--json"]).ok().json();
    assert_eq!(json, serde_json::json!({ "version": version }));
}

#[test]
fn completions_of_every_shell_name_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = empty().marsh(&["completions", shell]).ok();
        for word in ["workflow", "rollback", "completions"] {
            assert!(run.stdout.contains(word), "{shell}: {word}");
        }
        assert_eq!(run.stderr, "", "{shell}");
    }
}

#[test]
fn bash_completes_commands_and_options() {
    let scratch = empty();
    scratch.write("marsh.bash", scratch.marsh(&["completions", "bash"]).ok().stdout);
    let complete = |words: &str, index: usize| {
        let script = format!(
            "source marsh.bash; COMP_WORDS=({words}); COMP_CWORD={index}; \
             _marsh marsh \"${{COMP_WORDS[{index}]}}\" \"${{COMP_WORDS[{index}-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .current_dir(scratch.root())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(complete("marsh workf", 1), "workflow\n");
    assert_eq!(complete("marsh extension rollb", 2), "rollback\n");
    assert_eq!(complete("marsh model method run --last-e", 4), "--last-evaluated\n");
}

#[test]
fn help() {
    assert_snapshot!(empty().marsh(&["--help"]).snapshot(), @"
    success: true
    exit_code: 0
    ----- stdout -----
    marsh runs TypeScript models and workflows over them: one binary, no Deno and no Node to install.

    A repository holds definitions (`models/`), workflows (`workflows/`) and extension sources
    (`extensions/`); `marsh init` creates one.

    Usage: marsh [OPTIONS] <COMMAND>

    Commands:
      init         Create a repository in a directory
      repo         Manage repositories
      agent        Describe further AI tools for `init --tool`
      model        Manage definitions and types; run methods
      report       List, show and run reports
      data         Query, show and delete results
      datastore    Manage external datastores
      vault        Manage vaults and their secrets
      workflow     Create, run and inspect workflows
      run          List runs, find abandoned ones, delete old records
      summarise    Summarise recent runs and open approvals [alias: summarize]
      extension    Install, update, remove and publish extensions
      engine       Manage the engines that run extension code
      registry     Create and serve registries
      doctor       Check extensions, data, secrets and setup for problems
      audit        List the commands that AI tools ran
      auth         Log in to registries and servers
      config       Show and change the user's settings
      update       Check for a newer version
      source       Say where sources and documentation are
      serve        Run a server: schedules, webhooks, hot reload
      schema       Print the JSON Schemas of all documents
      version      Print the version
      completions  Print a completion script for a shell

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --json
              Print one JSON document on standard output, also for errors

          --repo-dir <DIR>
              The repository to use [env: MARSH_REPO_DIR]

          --engine <ENGINE>
              What runs extension code: `embedded` or `deno` [env: MARSH_ENGINE]

      -q, --quiet
              Print results only

      -v, --verbose
              Print more about what happens

          --no-color
              Disable colours [env: NO_COLOR]

    Start here:
      marsh init                                        create a repository in this directory
      marsh model type search                           list the available types
      marsh model create <type> <name>                  create a definition
      marsh model method run <name> <method>            run a method
      marsh workflow run <name>                         run a workflow

    `marsh help` prints all commands, arguments and options as JSON.

    Exit codes: 0 done, 1 failed, 2 usage, 75 locked by another process, 130 interrupted
    ----- stderr -----
    ");
    assert_snapshot!(empty().marsh(&["model", "method", "run", "-h"]).snapshot(), @r#"
    success: true
    exit_code: 0
    ----- stdout -----
    Run a method

    Usage: marsh model method run [OPTIONS] <TARGET> <METHOD> [NAME]

    Arguments:
      <TARGET>  Name or id of a definition, or @type
      <METHOD>  The method's name
      [NAME]    The definition's name when the target is a type; made if there is none

    Options:
      -i, --input <KEY=VALUE>          An input: key=value, a.b=value, key:json=…, key=@file, or one
                                       JSON object [alias: --arg]
          --input-file <FILE>          A YAML or JSON file of inputs; `--input` wins over it
          --stdin                      Read inputs from standard input: a JSON object, an array or lines
                                       of objects (one run each), or YAML
          --tag <KEY=VALUE>            Tag everything that the run writes
          --timeout <DURATION>         Time limit of a method: 30, 30s, 5m, 1h (default: 1h)
          --skip-checks                Skip pre-flight checks, except those that a definition requires
          --skip-check <NAME>          Skip this check
          --skip-check-label <LABEL>   Skip checks with this label
          --driver <NAME>              Where methods run: raw (this machine), docker, podman, or a
                                       driver type of an extension (default: raw)
          --driver-config <JSON>       The driver's configuration, e.g. {"image": "debian:stable-slim"}
          --traceparent <TRACEPARENT>  Trace of the caller, a W3C traceparent
          --tracestate <TRACESTATE>    Trace state of the caller, a W3C tracestate
          --last-evaluated             Reuse the arguments that the last run evaluated
          --skip-reports               Skip reports, except those that a definition requires
          --skip-report <NAME>         Skip this report
          --skip-report-label <LABEL>  Skip reports with this label
          --report <NAME>              Run only this report
          --report-label <LABEL>       Run only reports with this label
      -h, --help                       Print help

    Global options:
          --json             Print one JSON document on standard output, also for errors
          --repo-dir <DIR>   The repository to use [env: MARSH_REPO_DIR]
          --engine <ENGINE>  What runs extension code: `embedded` or `deno` [env: MARSH_ENGINE]
      -q, --quiet            Print results only
      -v, --verbose          Print more about what happens
          --no-color         Disable colours [env: NO_COLOR]

    Examples:
      marsh model method run root check
      marsh model method run root check --input path=/tmp --timeout 30s
      marsh model method run @command/shell execute hello --input run='echo hello'
    ----- stderr -----
    "#);
}

#[test]
fn a_mistyped_command_gets_a_suggestion() {
    assert_snapshot!(empty().marsh(&["modle"]).snapshot(), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: unrecognized subcommand 'modle'

      tip: a similar subcommand exists: 'model'

    Usage: marsh [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(empty().marsh(&["model", "metod", "run"]).snapshot(), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: unrecognized subcommand 'metod'

      tip: a similar subcommand exists: 'method'

    Usage: marsh model [OPTIONS] <COMMAND>

    For more information, try '--help'.
    ");
}

#[test]
fn a_usage_error_under_json_is_one_document() {
    let scratch = empty();
    assert_snapshot!(scratch.marsh(&["--json", "modle"]).snapshot(), @r#"
    success: false
    exit_code: 2
    ----- stdout -----
    {
      "error": {
        "code": "usage",
        "class": "usage",
        "message": "unrecognized subcommand 'modle'",
        "hint": "a similar subcommand exists: 'model'"
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(scratch.marsh(&["--json", "model", "get"]).snapshot(), @r#"
    success: false
    exit_code: 2
    ----- stdout -----
    {
      "error": {
        "code": "usage",
        "class": "usage",
        "message": "the following required arguments were not provided: <NAME>"
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(scratch.marsh(&["--json"]).snapshot(), @r#"
    success: false
    exit_code: 2
    ----- stdout -----
    {
      "error": {
        "code": "usage",
        "class": "usage",
        "message": "'marsh' requires a subcommand but one was not provided",
        "hint": "`marsh help` lists the commands"
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(scratch.marsh(&["--json", "model", "method", "run", "a", "b", "--timeout", "5x"]).snapshot(), @r#"
    success: false
    exit_code: 2
    ----- stdout -----
    {
      "error": {
        "code": "usage",
        "class": "usage",
        "message": "invalid value '5x' for '--timeout <DURATION>': unknown unit `x`; use ms, s, m, h, d, w, mo or y"
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn a_closed_pipe_succeeds() {
    let scratch = empty();
    let mut child = scratch.command(&["completions", "bash"]).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[test]
fn former_layout_is_named_with_the_command_that_upgrades_it() {
    let repo = repo();
    let id = crate::support::ID;
    repo.write(&format!(".swamp/workflows/workflow-{id}.yaml"), format!(
        "id: {id}\nname: old\njobs: [{{name: main, steps: [{{name: s, task: {{type: manual_approval, prompt: p}}}}]}}]\n"
    ));
    let listed = repo.marsh(&["workflow", "search"]).ok();
    assert!(
        listed.stderr.contains("`marsh repo upgrade`") && !listed.stdout.contains("old"),
        "{}",
        listed.snapshot()
    );
    let upgraded = repo.marsh(&["--json", "repo", "upgrade"]).ok().json();
    assert_eq!(upgraded["changedFiles"][1], format!("workflows/workflow-{id}.yaml"));
    let listed = repo.marsh(&["workflow", "search"]).ok();
    assert!(!listed.stderr.contains("upgrade") && listed.stdout.contains("old"), "{}", listed.snapshot());
    assert_eq!(repo.marsh(&["repo", "upgrade"]).ok().stdout.lines().count(), 1);
    repo.marsh(&["repo", "upgrade", "--tool", "none", "--tool", "claude"]).exits(2);
}
