//! What `--input`, `--input-file` and `--stdin` can say, and how text becomes typed.

use insta::assert_snapshot;
use marsh_testkit::Scratch;
use serde_json::{Value, json};

use crate::support::{definition, repo_with};

/// A model that stores the arguments it was given.
const ECHO: &str = r#"
  resources: { out: { description: "anything", schema: z.any(), lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    run: {
      description: "Store the arguments",
      arguments: z.object({
        text: z.string().optional(), n: z.number().optional(), yes: z.boolean().optional(),
        list: z.array(z.number()).optional(), o: z.object({ a: z.string().optional(), b: z.number().optional() }).optional(),
      }),
      execute: async (args, context) => ({ dataHandles: [await context.writeResource("out", "args", args)] }),
    },
  },"#;

fn echo() -> Scratch {
    repo_with(ECHO)
}

fn run(repo: &Scratch, arguments: &[&str]) -> marsh_testkit::Run {
    repo.marsh(&[&["--json", "model", "method", "run", "@me/x", "run", "m"], arguments].concat())
}

fn args(run: &marsh_testkit::Run) -> Value {
    run.clone().ok().json()["dataArtifacts"][0]["attributes"].clone()
}

#[test]
fn inputs_on_the_command_line() {
    let repo = echo();
    let file = repo.write("note.txt", "from a file\n");
    let at_file = format!("text=@{}", file.display());
    let cases: [(&[&str], Value); 8] = [
        (&["--input", "text=a=b"], json!({ "text": "a=b" })),
        (&["--input", "n=4.5", "--input", "yes=true"], json!({ "n": 4.5, "yes": true })),
        (&["--input", "list=[1,2]"], json!({ "list": [1, 2] })),
        (
            &["--input", "o.a=x", "--arg", "o:json={\"a\":\"y\",\"b\":1}"],
            json!({ "o": { "a": "y", "b": 1 } }),
        ),
        (&["--input", "n:json=7"], json!({ "n": 7 })),
        (&["--input", &at_file], json!({ "text": "from a file\n" })),
        (&["--input", "text=\\@literal"], json!({ "text": "@literal" })),
        (&["--input", "{\"text\":\"t\",\"list\":[3]}"], json!({ "text": "t", "list": [3] })),
    ];
    for (arguments, expected) in cases {
        assert_eq!(args(&run(&repo, arguments)), expected, "{arguments:?}");
    }
    assert_eq!(args(&run(&repo, &["--input", "text=@scope/name"])), json!({ "text": "@scope/name" }));
}

#[test]
fn inputs_from_a_file_are_below_those_of_the_command_line() {
    let repo = echo();
    repo.write("in.yaml", "text: from file\nn: 3\no: { a: kept }\n");
    let merged =
        args(&run(&repo, &["--input-file", "in.yaml", "--input", "text=wins", "--input", "o.b:json=2"]));
    assert_eq!(merged, json!({ "text": "wins", "n": 3, "o": { "a": "kept", "b": 2 } }));
    repo.write("bad.yaml", "a: 1\nb: [\n");
    assert_snapshot!(run(&repo, &["--input-file", "bad.yaml"]).snapshot(), @r#"
    success: false
    exit_code: 2
    ----- stdout -----
    {
      "error": {
        "code": "usage",
        "class": "usage",
        "message": "bad.yaml:2:4: unclosed bracket '['"
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&repo, &["--input-file", "none.yaml"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "io",
        "class": "unavailable",
        "message": "cannot read none.yaml: No such file or directory (os error 2)"
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn standard_input_is_an_object_many_objects_or_yaml() {
    let repo = echo();
    let with_stdin = |text: &str| {
        repo.marsh_with_stdin(
            &["--json", "model", "method", "run", "@me/x", "run", "m", "--stdin", "--input", "yes=true"],
            text,
        )
        .ok()
        .json()
    };
    let one = with_stdin("{\"text\": \"one\"}");
    assert_eq!(one["dataArtifacts"][0]["attributes"], json!({ "text": "one", "yes": true }));
    let yaml = with_stdin("text: yaml\nn: 2\n");
    assert_eq!(yaml["dataArtifacts"][0]["attributes"], json!({ "text": "yaml", "n": 2, "yes": true }));
    for many in ["[{\"n\": 1}, {\"n\": 2}]", "{\"n\": 1}\n{\"n\": 2}\n"] {
        let many = with_stdin(many);
        let numbers: Vec<&Value> =
            many.as_array().unwrap().iter().map(|one| &one["dataArtifacts"][0]["attributes"]["n"]).collect();
        assert_eq!(numbers, [1, 2], "one run per item, one document");
    }
}

#[test]
fn each_of_many_items_has_its_summary_in_their_order() {
    let repo = echo();
    let arguments = ["--json", "model", "method", "run", "@me/x", "run", "m", "--stdin"];
    let runs = repo.marsh_with_stdin(&arguments, "[{\"n\": 1}, {\"n\": 2}, {\"n\": 3}]").ok().json();
    for n in 1..=3_usize {
        let embedded = &runs[n - 1]["reports"]["@swamp/method-summary"]["json"];
        let version = n.to_string();
        let name = "report-swamp-method-summary-json";
        let stored =
            repo.marsh(&["--json", "data", "get", "m", name, "--version", &version]).ok().json()["content"]
                .clone();
        assert_eq!(stored["methodArgs"]["n"], n, "{stored}");
        assert_eq!(&stored, embedded);
    }
}

#[test]
fn of_many_items_those_before_a_failure_are_reported() {
    let repo = echo();
    let arguments = ["--json", "model", "method", "run", "@me/x", "run", "m", "--stdin"];
    let run = repo.marsh_with_stdin(&arguments, "[{\"n\": 1}, {\"n\": \"x\"}, {\"n\": 3}]").exits(1);
    let json = run.json();
    assert_eq!(json[0]["status"], "succeeded");
    assert!(json[1]["error"].is_object(), "{json:#}");
}

#[test]
fn inputs_of_the_wrong_type_name_the_field() {
    let repo = echo();
    assert_snapshot!(repo.marsh(&["model", "method", "run", "@me/x", "run", "m", "--input", "n=lots"]).snapshot(), @"
    success: false
    exit_code: 1
    ----- stdout -----
    m run failed in [duration]
    ----- stderr -----
    created the definition m
    error: arguments of `run`: `n`: Invalid input: expected number, received string
    ");
    let wrong = run(&repo, &["--input", "o:json={\"b\":\"x\"}", "--input", "yes=maybe"]).exits(1);
    let text = wrong.stdout;
    assert!(text.contains("o.b") && text.contains("yes"), "{text}");
    assert_snapshot!(run(&repo, &["--input", "n:json={"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "validation_failed",
        "class": "invalid",
        "message": "inputs: `n`: invalid JSON: EOF while parsing an object at line 1 column 1",
        "details": {
          "issues": [
            {
              "field": "n",
              "message": "invalid JSON: EOF while parsing an object at line 1 column 1"
            }
          ]
        }
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&repo, &["--input", "text"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "validation_failed",
        "class": "invalid",
        "message": "inputs: `text`: expected key=value",
        "details": {
          "issues": [
            {
              "field": "text",
              "message": "expected key=value"
            }
          ]
        }
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn an_unknown_input_names_near_ones() {
    let repo = echo();
    run(&repo, &[]).ok();
    assert_snapshot!(repo.marsh(&["model", "method", "run", "m", "run", "--input", "txt=a"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: inputs of `run`: `txt`: unknown argument of `run`; did you mean `text`?
    ");
    assert_snapshot!(repo.marsh(&["model", "method", "run", "@me/x", "run", "m", "--input", "lisst=a"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: inputs of `run`: `lisst`: unknown argument of `run` and of the type; did you mean `list`?
    ");
}

/// Inputs that a definition declares are its own; the rest are arguments of the method.
#[test]
fn a_definition_declares_inputs() {
    let repo = repo_with(ECHO);
    repo.write(
        "models/@me/x/a.yaml",
        definition(
            "@me/x",
            "a",
            "inputs:\n  properties:\n    who: { type: string }\n    count: { type: integer, default: 2 }\n  required: [who]\n\
             methods:\n  run:\n    arguments:\n      text: \"hi ${{ inputs.who }}\"\n      n: \"${{ inputs.count }}\"",
        ),
    );
    let run = |more: &[&str]| repo.marsh(&[&["--json", "model", "method", "run", "a", "run"], more].concat());
    let given = run(&["--input", "who=you", "--input", "yes=true"]).ok().json();
    assert_eq!(given["dataArtifacts"][0]["attributes"], json!({ "text": "hi you", "n": 2, "yes": true }));
    let typed = run(&["--input", "who=you", "--input", "count=5"]).ok().json();
    assert_eq!(typed["dataArtifacts"][0]["attributes"]["n"], 5, "text becomes what the input declares");
    assert_snapshot!(run(&[]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "validation_failed",
        "class": "invalid",
        "message": "inputs of `a`: `who`: is required",
        "details": {
          "issues": [
            {
              "field": "who",
              "message": "is required"
            }
          ]
        }
      }
    }
    ----- stderr -----
    "#);
    assert_snapshot!(run(&["--input", "who=you", "--input", "count=many"]).snapshot(), @r#"
    success: false
    exit_code: 1
    ----- stdout -----
    {
      "error": {
        "code": "validation_failed",
        "class": "invalid",
        "message": "inputs of `a`: `count`: \"many\" is not of type \"integer\"",
        "details": {
          "issues": [
            {
              "field": "count",
              "message": "\"many\" is not of type \"integer\""
            }
          ]
        }
      }
    }
    ----- stderr -----
    "#);
}

#[test]
fn the_last_evaluated_arguments_can_be_used_again() {
    let repo = repo_with(ECHO);
    repo.write(
        "models/@me/x/a.yaml",
        definition("@me/x", "a", "inputs:\n  properties:\n    who: { type: string }\nmethods:\n  run: { arguments: { text: \"hi ${{ inputs.who }}\" } }"),
    );
    let never = repo.marsh(&["model", "method", "run", "a", "run", "--last-evaluated"]).exits(1);
    assert!(never.stderr.contains("never run"), "{}", never.stderr);
    repo.marsh(&["model", "method", "run", "a", "run", "--input", "who=you"]).ok();
    let again = repo.marsh(&["--json", "model", "method", "run", "a", "run", "--last-evaluated"]).ok().json();
    assert_eq!(again["dataArtifacts"][0]["attributes"], json!({ "text": "hi you" }));
}
