//! No secret leaves a run but to the code that asked for it. Every way in gets a value of its own, and then every byte
//! that was written or printed is looked at.

use std::path::Path;

use marsh_testkit::{Run, Scratch};

use crate::support::ID;
use crate::vault::{put, repo_with_vault};

const VAULT: &str = "c4n4ry-vault-\"quoted\"-1";
const LINES: &str = "c4n4ry-first-line-2\nc4n4ry-second-line-2";
const ARGUMENT: &str = "c4n4ry-argument-3";
const GLOBAL: &str = "c4n4ry-global-4";
const OUTPUT: &str = "c4n4ry-output-5";
const INPUT: &str = "c4n4ry-input-6";
const SHELL: &str = "c4n4ry-shell-7";

/// What none of them may be found as.
const CANARIES: [&str; 9] = [
    "c4n4ry-vault",
    "c4n4ry-first",
    "c4n4ry-second",
    "c4n4ry-argument",
    "c4n4ry-global",
    "c4n4ry-output",
    "c4n4ry-input",
    "c4n4ry-shell",
    "__SWAMP_VSEC",
];

/// Shows everything that it is given in every way that there is.
const MODEL: &str = r#"
import { z } from "npm:zod@4.3.6";
const secret = () => z.string().meta({ sensitive: true });
export const model = {
  type: "@me/leaky",
  version: "2026.01.01.1",
  globalArguments: z.object({ apiKey: secret().optional() }),
  resources: {
    out: {
      description: "everything",
      schema: z.object({ token: secret(), nested: z.object({ key: secret() }), seen: z.any() }),
      lifetime: "infinite",
      garbageCollection: 10,
    },
  },
  files: { blob: { description: "bytes", contentType: "text/plain", lifetime: "infinite", garbageCollection: 10 } },
  methods: {
    leak: {
      description: "Leak",
      arguments: z.object({ password: secret(), note: z.string().optional(), lines: z.string().optional() }),
      execute: async (args, context) => {
        const all = [args.password, args.note, args.lines, context.globalArgs.apiKey].filter(Boolean);
        const made = ["c4n4ry", "output", "5"].join("-");
        for (const value of all) {
          console.log("printed", value);
          console.error("printed", value);
          context.logger.info(`logged ${value}`);
          context.logger.debug(`logged ${value}`);
          context.logger.error("logged {value}", { value });
          context.onEvent({ type: "output", line: value, stream: "stdout" });
        }
        const data = {
          token: made,
          nested: { key: args.password },
          seen: { all, joined: all.join(" "), json: JSON.stringify(all), base64: all.map((value) => btoa(value)) },
        };
        const handle = await context.writeResource("out", "out", data, { tags: { note: args.password } });
        if (!String(handle.attributes.token).startsWith("${{ vault.get('main', '")) throw new Error("no reference");
        const read = await context.readResource("out");
        if (read.token !== made || read.nested.key !== args.password) throw new Error("not read back");
        const writer = context.createFileWriter("blob", "blob");
        const bytes = new TextEncoder().encode(all.join("\n"));
        await writer.writeAll(bytes);
        return { dataHandles: [] };
      },
    },
    fail: {
      description: "Fail",
      arguments: z.object({ password: secret(), note: z.string().optional() }),
      execute: async (args, context) => {
        const error = new Error(`failed with ${args.password} and ${args.note} and ${context.globalArgs.apiKey}`);
        error.data = { password: args.password };
        throw error;
      },
    },
    strict: {
      description: "Reject",
      arguments: z.object({ password: secret(), note: z.enum(["a", "b"]) }),
      execute: async () => ({ dataHandles: [] }),
    },
    wild: {
      description: "Write past the masks",
      arguments: z.object({ password: secret() }),
      execute: async (args, context) => {
        const writer = context.createFileWriter("blob", "wild");
        await Deno.writeTextFile(await writer.getFilePath(), `x${args.password}x`);
        await writer.finalize();
        return { dataHandles: [] };
      },
    },
    named: {
      description: "A secret as a name",
      arguments: z.object({ password: secret() }),
      execute: async (args, context) => {
        await context.writeResource("out", args.password, { token: "t", nested: { key: "k" }, seen: 1 });
        return { dataHandles: [] };
      },
    },
  },
};
"#;

fn scene() -> Scratch {
    let repo = repo_with_vault();
    for (key, value) in [("quoted", VAULT), ("lines", LINES), ("global", GLOBAL), ("shell", SHELL)] {
        put(&repo, key, value);
    }
    repo.write("extensions/models/leaky.ts", MODEL);
    let definition = format!(
        "type: \"@me/leaky\"\nid: {ID}\nname: m\nversion: 1\ntags: {{}}\n\
         globalArguments:\n  apiKey: \"${{{{ vault.get('main', 'global') }}}}\"\n\
         methods:\n  leak:\n    arguments:\n      note: \"pre ${{{{ vault.get('main', 'quoted') }}}} post\"\n      \
         lines: \"${{{{ vault.get('main', 'lines') }}}}\"\n      password: \"${{{{ inputs.pw }}}}\"\n\
         inputs:\n  properties:\n    pw: {{ type: string, sensitive: true }}\n"
    );
    repo.write("models/@me/leaky/m.yaml", definition);
    repo
}

#[track_caller]
fn assert_hidden(run: &Run) {
    for canary in CANARIES {
        for (stream, text) in [("stdout", &run.stdout), ("stderr", &run.stderr)] {
            assert!(!text.contains(canary), "{canary} in {stream}:\n{}", run.snapshot());
        }
    }
}

/// Looks at every byte below a directory, in clear and in Base64.
fn assert_nowhere(dir: &Path, looked: &mut usize) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_symlink() {
            continue;
        }
        for canary in CANARIES {
            assert!(!path.to_string_lossy().contains(canary), "{canary} in the name {}", path.display());
        }
        if path.is_dir() {
            assert_nowhere(&path, looked);
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        *looked += 1;
        // `c4n4ry` at each of the three places that it can have in Base64.
        for canary in CANARIES.iter().chain(&["YzRuNHJ5", "M0bjRye", "jNG40cn"]) {
            let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
            assert!(!found, "{canary} in {}:\n{}", path.display(), String::from_utf8_lossy(&bytes));
        }
    }
}

/// The whole scratch directory, less the sources that this test wrote itself.
fn assert_clean(repo: &Scratch) {
    // It spells the beginning of the canaries.
    repo.remove("extensions/models/leaky.ts");
    repo.remove(".swamp/marsh/v1/bundles");
    let mut looked = 0;
    assert_nowhere(repo.root().parent().unwrap(), &mut looked);
    assert!(looked > 10, "only {looked} files");
}

fn run_method(repo: &Scratch, method: &str, more: &[&str]) -> Run {
    let key = if method == "leak" { "pw" } else { "password" };
    let password = format!(r#"{{"{key}":"{ARGUMENT}"}}"#);
    let arguments = [&["model", "method", "run", "m", method, "--stdin", "--verbose"], more].concat();
    let run = repo.marsh_with_stdin(&arguments, &password);
    assert_hidden(&run);
    run
}

#[test]
fn only_the_method_gets_its_secrets() {
    let repo = scene();
    for more in [&[][..], &["--json"]] {
        let run = run_method(&repo, "leak", more).ok();
        assert!(run.stdout.contains("***") || run.stderr.contains("***"), "{}", run.snapshot());
    }
    // What failed says so without them.
    for more in [&[][..], &["--json"]] {
        let run = run_method(&repo, "fail", more).exits(1);
        assert!((run.stdout + &run.stderr).contains("failed with ***"));
    }
    let data = repo.marsh(&["--json", "data", "get", "m", "out"]).ok();
    assert_hidden(&data);
    let content = &data.json()["content"];
    assert!(content["token"].as_str().unwrap().starts_with("${{ vault.get('main', 'me-leaky-"), "{content}");
    assert_eq!(content["seen"]["all"][0], "***");
    // The value itself is in the vault, under the key that the reference names.
    let keys = repo.marsh(&["--json", "vault", "list-keys", "main"]).ok().json();
    let key = keys["secretKeys"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|key| key.as_str().filter(|key| key.ends_with("-leak-out-out-token")));
    let read = repo.marsh(&["vault", "read-secret", "main", key.unwrap()]).ok();
    assert_eq!(read.stdout, OUTPUT);
    for arguments in
        [&["model", "output", "get", "m"][..], &["model", "output", "logs", "m"], &["model", "get", "m"]]
    {
        assert_hidden(&repo.marsh(arguments).ok());
    }
    assert_clean(&repo);
}

#[test]
fn the_error_of_a_report_does_not_tell_them() {
    let repo = scene();
    let body = "const { note } = context.methodArgs; \
                throw Object.assign(new Error(`failed with ${note}`), { data: { note } });";
    let report = "export const report = { name: '@me/tells', description: 'd', scope: 'method', execute: (context) => { BODY } };";
    repo.write("extensions/reports/tells.ts", report.replace("BODY", body));
    let definition = repo.read("models/@me/leaky/m.yaml");
    repo.write("models/@me/leaky/m.yaml", format!("{definition}reports: {{ require: ['@me/tells'] }}\n"));
    for more in [&[][..], &["--json"]] {
        let run = run_method(&repo, "leak", more).exits(1);
        assert!(run.stdout.contains("failed with pre *** post"), "{}", run.snapshot());
    }
    assert_clean(&repo);
}

#[test]
fn arguments_that_are_refused_are_not_shown() {
    let repo = scene();
    let input = format!(r#"{{"password":"{ARGUMENT}","note":"{ARGUMENT}"}}"#);
    for more in [&[][..], &["--json"]] {
        let arguments = [&["model", "method", "run", "m", "strict", "--stdin"], more].concat();
        assert_hidden(&repo.marsh_with_stdin(&arguments, &input).exits(1));
    }
    let wrong = repo.marsh_with_stdin(
        &["model", "method", "run", "m", "strict", "--stdin"],
        &format!(r#"{{"password":["{ARGUMENT}"]}}"#),
    );
    assert_hidden(&wrong.exits(1));
    assert_clean(&repo);
}

#[test]
fn what_cannot_be_masked_is_refused() {
    let repo = scene();
    for method in ["wild", "named"] {
        let error = run_method(&repo, method, &["--json"]).exits(1);
        assert!(error.stdout.contains("holds a secret in"), "{}", error.snapshot());
    }
    assert_clean(&repo);
}

#[test]
fn an_evaluated_copy_asks_for_its_secrets_again() {
    let repo = scene();
    run_method(&repo, "leak", &[]).ok();
    let copy = repo.read(".swamp/definitions-evaluated/@me/leaky/m.yaml");
    assert!(copy.contains("vault.get('main', 'quoted')") && copy.contains("inputs.pw"), "{copy}");
    run_method(&repo, "leak", &["--last-evaluated"]).ok();
    assert_clean(&repo);
}

#[test]
fn a_secret_that_is_not_there_stops_the_run() {
    let repo = scene();
    repo.marsh(&["vault", "delete", "main", "quoted", "--yes"]).ok();
    let error = run_method(&repo, "leak", &["--json"]).exits(1).error();
    assert_eq!(error["code"], "secret_not_found", "{error}");
    assert!(!repo.exists(".swamp/data/@me"));
}

/// The command looks for the secret in the command lines of all processes, its own among them.
const LOOK: &str = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | \
     awk 'index($0, ENVIRON[\"WANTED\"]) { n++ } END { print \"in command lines:\", n + 0 }'";

#[test]
fn the_shell_gets_secrets_in_its_environment() {
    let repo = scene();
    let run = format!(
        "printf '<%s>\\n' \"${{{{ vault.get('main', 'shell') }}}}\" ${{{{ vault.get('main', 'quoted') }}}}; \
         test \"$WANTED\" = c4n4r\"\"y-shell-7 && echo the value arrived; {LOOK}"
    );
    let definition = format!(
        "type: command/shell\nid: {ID}\nname: s\nversion: 1\ntags: {{}}\nglobalArguments: {{}}\n\
         methods:\n  execute:\n    arguments:\n      run: |\n        {run}\n      env:\n        \
         WANTED: \"${{{{ vault.get('main', 'shell') }}}}\"\n"
    );
    repo.write("models/command/shell/s.yaml", definition);
    for more in [&[][..], &["--json"]] {
        let shown = repo.marsh(&[&["model", "method", "run", "s", "execute"], more].concat()).ok();
        assert_hidden(&shown);
        let content = repo.marsh(&["--json", "data", "get", "s", "result"]).ok().json()["content"].clone();
        let printed = content["stdout"].as_str().unwrap();
        assert!(printed.starts_with("<***>\n<***>\nthe value arrived\n"), "{printed}");
        if cfg!(target_os = "linux") {
            assert!(printed.ends_with("in command lines: 0"), "{printed}");
        }
        assert!(content["command"].as_str().unwrap().contains("\"***\""), "{content}");
    }
    let failing = "type: command/shell\nid: 11111111-2222-4333-8444-666666666666\nname: f\nversion: 1\ntags: {}\n\
         globalArguments: {}\nmethods:\n  execute:\n    arguments:\n      \
         run: \"echo ${{ vault.get('main', 'shell') }} >&2; exit 3\"\n";
    repo.write("models/command/shell/f.yaml", failing);
    for more in [&[][..], &["--json"]] {
        assert_hidden(&repo.marsh(&[&["model", "method", "run", "f", "execute"], more].concat()).exits(1));
    }
    assert_clean(&repo);
}

#[test]
fn a_workflow_hands_secrets_to_its_steps_and_records_none() {
    let repo = scene();
    repo.write(
        "workflows/workflow-w.yaml",
        r#"
id: 11111111-2222-4333-8444-777777777777
name: w
inputs:
  properties:
    password: { type: string, sensitive: true }
jobs:
  - name: main
    steps:
      - name: leak
        task:
          type: model_method
          modelIdOrName: m
          methodName: leak
          inputs:
            pw: ${{ inputs.password }}
            note: "a ${{ vault.get('main', 'quoted') }}"
      - name: shell
        task:
          type: model_method
          modelType: "command/shell"
          modelName: direct
          methodName: execute
          inputs:
            run: "echo ${{ vault.get('main', 'shell') }} ${{ inputs.password }}"
      - name: fail
        task:
          type: model_method
          modelIdOrName: m
          methodName: fail
          inputs:
            password: ${{ vault.get('main', 'global') }}
            note: ${{ inputs.password }}
"#,
    );
    repo.marsh(&["workflow", "validate", "w"]).ok();
    for more in [&[][..], &["--json"]] {
        let arguments = [&["workflow", "run", "w", "--stdin", "--verbose"], more].concat();
        let run = repo.marsh_with_stdin(&arguments, &format!(r#"{{"password":"{INPUT}"}}"#));
        assert_hidden(&run);
        let told = run.exits(1).snapshot();
        assert!(told.contains("failed with ***"), "{told}");
    }
    let history = repo.marsh(&["--json", "workflow", "history", "get", "w"]).ok();
    assert_hidden(&history);
    assert_eq!(history.json()["inputs"]["password"], "***");
    assert_hidden(&repo.marsh(&["workflow", "history", "logs", "w"]).ok());
    assert_clean(&repo);
}

/// What one model keeps in a vault, another gets through an expression; no process in between sees it.
#[test]
fn a_stored_secret_is_read_back_by_expressions() {
    let repo = scene();
    run_method(&repo, "leak", &[]).ok();
    let definition = "type: command/shell\nid: 11111111-2222-4333-8444-888888888888\nname: reader\nversion: 1\ntags: {}\n\
         globalArguments: {}\nmethods:\n  execute:\n    arguments:\n      \
         run: \"test ${{ data.latest('m', 'out').attributes.token }} = c4n4r\\\"\\\"y-output-5 && echo got it\"\n";
    repo.write("models/command/shell/reader.yaml", definition);
    for more in [&[][..], &["--json"]] {
        let run = repo.marsh(&[&["model", "method", "run", "reader", "execute"], more].concat()).ok();
        assert_hidden(&run);
    }
    let content = repo.marsh(&["--json", "data", "get", "reader", "result"]).ok().json()["content"].clone();
    assert_eq!(content["stdout"], "got it");
    // In a definition, which is a file, it is refused.
    repo.write(
        "workflows/workflow-w.yaml",
        "id: 11111111-2222-4333-8444-777777777777\nname: w\njobs:\n  - name: main\n    steps:\n      - name: s\n        task:\n          \
         type: model_method\n          modelType: \"@me/leaky\"\n          modelName: other\n          methodName: fail\n          \
         inputs: { password: x }\n          globalArgs:\n            apiKey: \"${{ data.latest('m', 'out').attributes.token }}\"\n",
    );
    let refused = repo.marsh(&["workflow", "run", "w"]).exits(1);
    assert_hidden(&refused);
    assert!((refused.stdout + &refused.stderr).contains("the result is secret"));
    repo.remove("models/command/shell/reader.yaml");
    assert_clean(&repo);
}
