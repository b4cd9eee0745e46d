//! Vaults, reports, datastores and drivers of extensions do their jobs.

use std::path::Path;

use marsh_extension::Loader;
use marsh_extension::kinds::datastore::Trees;
use marsh_extension::kinds::driver::DriverStatus;
use marsh_extension::kinds::{CallOptions, DatastoreExtension, DriverExtension, KindError};
use marsh_host_client::NoCallbacks;
use marsh_testkit::Scratch;
use marsh_types::{Explain as _, Kind, TypeName};
use serde_json::{Map, Value, json};

use crate::kinds_serving::{hosts, serving};
use crate::support::{OUTPUTS, definition, method, model, repo, run_args};

fn named(text: &str) -> TypeName {
    TypeName::parse(text).unwrap()
}

/// A vault that keeps its secrets in a file, as those of other systems keep theirs there.
fn write_vault(repo: &Scratch, prefix: &str) {
    let source = r#"
export const vault = {
  type: "@me/box", name: "Box", description: "Keeps secrets in a file",
  createProvider: (name: string, config: { path: string }) => {
    const read = () => { try { return JSON.parse(Deno.readTextFileSync(config.path)); } catch { return {}; } };
    return {
      getName: () => name,
      get: (key: string) => {
        const all = read();
        if (!(key in all)) return Promise.reject(new Error(`nothing is called ${key}`));
        return Promise.resolve("PREFIX" + all[key]);
      },
      put: (key: string, value: string) =>
        Deno.writeTextFile(config.path, JSON.stringify({ ...read(), [key]: value })),
      list: () => Promise.resolve(Object.keys(read())),
    };
  },
};
"#;
    repo.write("extensions/vaults/box.ts", source.replace("PREFIX", prefix));
}

fn repo_with_vault() -> Scratch {
    let repo = repo();
    write_vault(&repo, "");
    let config = json!({ "path": repo.path("box.json") }).to_string();
    repo.marsh(&["vault", "create", "@me/box", "main", "--config", &config]).ok();
    repo
}

#[test]
fn a_vault_of_an_extension_keeps_gives_and_lists() {
    let repo = repo_with_vault();
    repo.marsh(&["vault", "put", "main", "token", "s3cret"]).ok();
    assert_eq!(repo.read("box.json"), r#"{"token":"s3cret"}"#);
    let read = repo.marsh(&["vault", "read-secret", "main", "token"]).ok();
    assert_eq!(read.stdout.trim_end(), "s3cret");
    let keys = repo.marsh(&["--json", "vault", "list-keys", "main"]).ok().json();
    assert!(keys.to_string().contains("token"), "{keys}");
    let missing = repo.marsh(&["--json", "vault", "read-secret", "main", "other"]).exits(1).error();
    assert!(missing["message"].as_str().unwrap().contains("has no secret `other`"), "{missing}");
    let types = repo.marsh(&["--json", "vault", "type", "search"]).ok().json();
    assert!(types.to_string().contains("@me/box"), "{types}");
}

#[test]
fn a_definition_gets_secrets_from_a_vault_of_an_extension() {
    let repo = repo_with_vault();
    repo.marsh(&["vault", "put", "main", "token", "s3cret"]).ok();
    let members = "globalArguments: z.object({ token: z.string() }),";
    let body = "await context.writeResource('out', 'said', { length: context.globalArgs.token.length });";
    repo.write(
        "extensions/models/x.ts",
        model("@me/x", &format!("{members} {OUTPUTS} {}", method("run", body))),
    );
    let text = definition("@me/x", "m", "globalArguments:\n  token: ${{ vault.get('main', 'token') }}\n");
    repo.write("models/@me/x/m.yaml", text);
    let run = || {
        let run = repo.marsh(&["--json", "model", "method", "run", "m", "run"]).ok();
        assert!(!run.stdout.contains("s3cret"), "{}", run.stdout);
        run.json()["dataArtifacts"][0]["attributes"]["length"].clone()
    };
    assert_eq!(run(), 6);
    // The vault's code is as fresh as any other.
    write_vault(&repo, "longer-");
    assert_eq!(run(), 13);
}

/// A model `@me/x` whose method `run` is followed by the report `@me/about`.
fn repo_with_report(report_body: &str) -> Scratch {
    let repo = repo();
    let body = "await context.writeResource('out', 'said', { word: 'hello' });";
    let members = format!("reports: ['@me/about'], {OUTPUTS} {}", method("run", body));
    repo.write("extensions/models/x.ts", model("@me/x", &members));
    write_report(&repo, "method", report_body);
    repo
}

fn write_report(repo: &Scratch, scope: &str, body: &str) {
    let source = format!(
        "export const report = {{ name: '@me/about', description: 'About a run', scope: '{scope}', labels: ['short'],\n\
         execute: async (context: any) => {{ {body} }} }};\n"
    );
    repo.write("extensions/reports/about.ts", source);
}

const SUMMARY: &str = "
  const [handle] = context.dataHandles;
  const bytes = await context.dataRepository.getContent(context.modelType, context.modelId, handle.name);
  const { word } = JSON.parse(new TextDecoder().decode(bytes));
  context.logger.info('reporting');
  const { name } = (await context.definitionRepository.findById(context.modelType, context.modelId));
  return { markdown: `# ${name} ${context.methodName}: ${word}`, json: { status: context.executionStatus, word } };";

#[test]
fn a_report_follows_the_run_and_is_kept() {
    let repo = repo_with_report(SUMMARY);
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).ok().json();
    let report = &run["reports"]["@me/about"];
    assert_eq!(report["markdown"], "# m run: hello");
    assert_eq!(report["json"], json!({ "status": "succeeded", "word": "hello" }));
    let got = repo.marsh(&["--json", "report", "get", "@me/about"]).ok().json();
    assert_eq!((&got["modelName"], &got["version"]), (&json!("m"), &json!(1)));
    assert_eq!(got["json"], report["json"]);
    assert_eq!(
        repo.marsh(&["report", "get", "@me/about", "--markdown"]).ok().stdout.trim_end(),
        "# m run: hello"
    );
    let found = repo.marsh(&["--json", "report", "search", "about"]).ok().json();
    assert_eq!(found["results"][0]["name"], "@me/about");
    assert_eq!(repo.marsh(&["--json", "report", "describe", "@me/about"]).ok().json()["scope"], "method");
    repo.assert_sound();
}

#[test]
fn flags_and_definitions_say_which_reports_run() {
    let repo = repo_with_report(SUMMARY);
    let ran = |more: &[&str]| {
        let run = repo.marsh(&[&["--json"], run_args(more).as_slice()].concat()).ok().json();
        run["reports"]["@me/about"].is_object()
    };
    assert!(ran(&["--report", "@me/about"]) && ran(&["--report-label", "short"]));
    for skip in [&["--skip-reports"][..], &["--skip-report", "@me/about"], &["--skip-report-label", "short"]]
    {
        assert!(!ran(skip), "{skip:?}");
    }
    assert!(!ran(&["--report", "@me/other"]));
    // What a definition requires runs whatever the flags say; what it skips never does.
    let with_rules = |rules: &str| {
        repo.write("models/@me/x/r.yaml", definition("@me/x", "r", &format!("reports:\n  {rules}\n")));
        let run = ["--json", "model", "method", "run", "r", "run", "--skip-reports"];
        repo.marsh(&run).ok().json()["reports"]["@me/about"].is_object()
    };
    assert!(with_rules("require: ['@me/about']"));
    assert!(with_rules("require: [{ name: '@me/about', methods: [run] }]"));
    assert!(!with_rules("require: [{ name: '@me/about', methods: [other] }]"));
    assert!(!with_rules("{ require: ['@me/about'], skip: ['@me/about'] }"));
}

#[test]
fn a_report_that_fails_fails_the_command_and_not_the_record() {
    let repo = repo_with_report("throw new Error('no ink');");
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(1).json();
    assert_eq!(run["status"], "succeeded");
    let message = run["reports"]["@me/about"]["error"]["message"].as_str().unwrap();
    assert!(message.contains("no ink"), "{message}");
    let kept = repo.marsh(&["--json", "report", "get", "@me/about"]).ok().json();
    assert!(kept["markdown"].as_str().unwrap().contains("no ink"));
    write_report(&repo, "method", "return { markdown: 7 };");
    let run = repo.marsh(&[&["--json"], run_args(&[]).as_slice()].concat()).exits(1).json();
    assert_eq!(run["reports"]["@me/about"]["error"]["code"], "contract_violation");
}

#[test]
fn a_report_runs_on_demand() {
    let repo = repo_with_report(SUMMARY);
    repo.marsh(&run_args(&["--skip-reports"])).ok();
    let made = repo.marsh(&["--json", "report", "run", "@me/about", "m"]).ok().json();
    assert_eq!(made["markdown"], "# m : hello");
    let missing = repo.marsh(&["--json", "report", "run", "@me/nothing", "m"]).exits(1).error();
    assert_eq!(missing["code"], "unknown_report");
}

/// A datastore in a directory; its lock is a file in it.
const DATASTORE: &str = r#"
export const datastore = {
  type: "@me/disk", name: "Disk", description: "A directory",
  createProvider: (config: { root: string }) => ({
    createLock: (path: string) => {
      const file = `${config.root}/${path}.lock`;
      let beat: number | undefined;
      return {
        acquire: async () => {
          await Deno.writeTextFile(file, "0", { createNew: true });
          let beats = 0;
          beat = setInterval(() => Deno.writeTextFileSync(file, String(++beats)), 5);
        },
        release: async () => { clearInterval(beat); await Deno.remove(file); },
        inspect: async () => { try { return { beats: await Deno.readTextFile(file) }; } catch { return null; } },
      };
    },
    createVerifier: () => ({ verify: async () => ({ healthy: true, message: "fine", latencyMs: 1, datastoreType: "@me/disk" }) }),
    resolveDatastorePath: (repoDir: string) => `${repoDir}/store`,
    createSyncService: (repoDir: string, cache: string) => ({
      pullChanged: async () => 2,
      pushChanged: async (options: any) => { await Deno.writeTextFile(`${config.root}/pushed`, `${repoDir} ${cache} ${options.namespace}`); return 3; },
      markDirty: async () => {},
    }),
  }),
};
"#;

#[test]
fn a_datastore_of_an_extension_locks_verifies_and_synchronizes() {
    let repo = repo();
    repo.write("extensions/datastores/disk.ts", DATASTORE);
    let loader = serving(&repo, &hosts(&repo));
    let config: Map<String, Value> = [("root".to_owned(), json!(repo.root()))].into_iter().collect();
    let store = DatastoreExtension::open(&loader, &named("@me/disk"), &config).unwrap();
    assert!(store.verify().unwrap().healthy);
    assert_eq!(store.resolve_path(Path::new("/r")).unwrap(), "/r/store");

    let free = json!({});
    assert_eq!(store.inspect_lock("a", &free).unwrap(), None);
    let inside = store
        .with_lock("a", &free, || {
            // It renews itself while it is held.
            marsh_testkit::wait_for("a second beat", || {
                let beats =
                    store.inspect_lock("a", &free).unwrap()?["beats"].as_str()?.parse::<u32>().ok()?;
                (beats >= 2).then_some(())
            });
            store.with_lock("a", &free, || ()).unwrap_err().code().as_str()
        })
        .unwrap();
    assert_eq!(inside, Some("extension_call_failed"));
    assert_eq!(store.inspect_lock("a", &free).unwrap(), None);

    let trees = Trees { repo_dir: Path::new("/r"), cache_path: Path::new("/c") };
    assert_eq!(store.pull(&trees, &free).unwrap(), Some(2.0));
    assert_eq!(store.push(&trees, &json!({ "namespace": "n" })).unwrap(), Some(3.0));
    assert_eq!(repo.read("pushed"), "/r /c n");
    store.mark_dirty(&trees, &free).unwrap();
}

#[test]
fn a_driver_of_an_extension_executes_a_request() {
    let repo = repo();
    let source = "
export const driver = {
  type: '@me/echo', name: 'Echo', description: 'Answers with what it was asked',
  createDriver: (config: any) => ({
    type: '@me/echo',
    execute: async (request: any, callbacks: any) => {
      callbacks.onLog('working');
      const content = new TextEncoder().encode(JSON.stringify({ method: request.methodName, at: config.at, size: request.bundle.length }));
      return { status: 'success', outputs: [{ kind: 'pending', specName: 'out', name: 'echo', type: 'resource', content, tags: {} }], logs: ['working'], durationMs: 1 };
    },
  }),
};
";
    repo.write("extensions/drivers/echo.ts", source);
    let loader = serving(&repo, &hosts(&repo));
    let config: Map<String, Value> = [("at".to_owned(), json!("here"))].into_iter().collect();
    let driver = DriverExtension::open(&loader, &named("@me/echo"), &config).unwrap();
    let request = json!({ "protocolVersion": 1, "methodName": "go", "bundle": "AAEC" });
    let result = driver.execute(request, &CallOptions::default(), &NoCallbacks).unwrap();
    assert_eq!((result.status, result.logs.as_slice()), (DriverStatus::Success, &["working".to_owned()][..]));
    // {"method":"go","at":"here","size":3}
    assert_eq!(result.outputs[0].base64, "eyJtZXRob2QiOiJnbyIsImF0IjoiaGVyZSIsInNpemUiOjN9");
}

fn complaint(loader: &Loader, repo: &Scratch, kind: Kind, source: &str) -> String {
    repo.write(&format!("extensions/{}/bad.ts", kind.directory()), source);
    let error = loader.resolve_kind(kind, &named("@me/bad")).unwrap_err();
    assert_eq!(error.code().as_str(), "contract_violation", "{error}");
    KindError::from(error).to_string()
}

#[test]
fn a_broken_contract_names_the_field() {
    let repo = repo();
    let loader = serving(&repo, &hosts(&repo));
    let bad = [
        (
            Kind::Vault,
            "type: '@me/bad', name: 'B', description: 'b'",
            "`vault.createProvider` must be a function",
        ),
        (Kind::Vault, "type: '@me/bad', name: 'B', createProvider() {}", "`vault.description`"),
        (
            Kind::Datastore,
            "type: '@me/bad', name: '', description: 'b', createProvider() {}",
            "`datastore.name`",
        ),
        (
            Kind::Driver,
            "type: '@me/bad', name: 'B', description: 'b'",
            "`driver.createDriver` must be a function",
        ),
        (
            Kind::Report,
            "name: '@me/bad', description: 'b', scope: 'all', execute() {}",
            "`report.scope` must be one of",
        ),
        (
            Kind::Report,
            "name: '@me/bad', description: 'b', scope: 'model'",
            "`report.execute` must be a function",
        ),
    ];
    for (kind, members, expected) in bad {
        let message = complaint(&loader, &repo, kind, &format!("export const {kind} = {{ {members} }};\n"));
        assert!(message.contains(expected), "{message}");
    }
    let vault = "type: '@me/bad', name: 'B', description: 'b', configSchema: 1, createProvider() {}";
    let message = complaint(&loader, &repo, Kind::Vault, &format!("export const vault = {{ {vault} }};\n"));
    assert!(message.contains("`vault.configSchema` must be a zod schema"), "{message}");
}
