//! Which engine runs the code of an extension, and installing a Deno.

use marsh_testkit::{Running, Scratch, kill, wait_for};

use crate::support::{model, repo, run_args};

/// A method that says which engine runs it.
const SAYS: &str = "methods: { run: { description: 'd', arguments: z.object({}), execute: async (_, context) => {
    context.logger.info('engine: {e}', { e: typeof Deno.version.v8 === 'string' && Deno.version.v8.includes('rusty') ? 'deno' : 'embedded' });
    return {};
} } },";

/// A run's document, and what the method logged.
fn engine_of(repo: &Scratch, more: &[&str]) -> String {
    let run = repo.marsh(&run_args(more)).ok();
    let shown = run.told();
    let (_, said) = shown.split_once("engine: ").unwrap_or_else(|| panic!("{shown}"));
    said.split_whitespace().next().unwrap().to_owned()
}

fn write_model(repo: &Scratch, first_lines: &str, members: &str) {
    repo.write("extensions/models/x.ts", format!("{first_lines}{}", model("@me/x", members)));
}

#[test]
fn engine_of_the_command_precedes_that_of_the_source_and_of_the_repository() {
    let repo = repo().with_deno();
    write_model(&repo, "", SAYS);
    assert_eq!(engine_of(&repo, &[]), "embedded");
    let marker = repo.read(".swamp.yaml");
    repo.write(".swamp.yaml", format!("{marker}engine: deno\n"));
    assert_eq!(engine_of(&repo, &[]), "deno");
    write_model(&repo, "// marsh-engine: embedded\n", SAYS);
    assert_eq!(engine_of(&repo, &[]), "embedded");
    assert_eq!(engine_of(&repo, &["--engine", "deno"]), "deno");
    let repo = repo.env("MARSH_ENGINE", "deno");
    assert_eq!(engine_of(&repo, &[]), "deno");
    assert_eq!(engine_of(&repo, &["--engine", "embedded"]), "embedded");
    repo.assert_no_processes();
}

#[test]
fn code_that_the_embedded_engine_cannot_run_runs_in_deno_by_need_and_its_record_says_so() {
    let uses = "import vm from 'node:vm';\n";
    let members =
        SAYS.replace("context.logger", "if (vm.runInNewContext('1 + 2') !== 3) throw 1; context.logger");
    let repo = repo().with_deno();
    write_model(&repo, uses, &members);
    assert_eq!(engine_of(&repo, &[]), "deno");
    let records = repo.files(".swamp/outputs");
    let record = records.iter().find(|file| file.ends_with(".yaml")).unwrap();
    assert!(repo.read(&format!(".swamp/outputs/{record}")).contains("engine: deno 2."));

    let repo = repo.without_deno();
    let error = repo.marsh(&run_args(&["--json"])).exits(1).error();
    assert_eq!(error["code"], "unsupported");
    assert!(error["hint"].as_str().unwrap().contains("`marsh engine install`"), "{error}");
}

#[test]
fn code_that_the_embedded_engine_refuses_to_load_is_loaded_by_deno() {
    // Only a package says so: no import of the source's own.
    let loads = "const start = (0, eval)('require')('node:v8').getHeapStatistics();\n";
    let repo = repo().with_deno();
    write_model(&repo, "", &format!("{SAYS} }};\n{loads}export const other = {{ start,"));
    assert_eq!(engine_of(&repo, &[]), "deno");
    assert_eq!(engine_of(&repo, &[]), "deno");
    let error = repo.marsh(&run_args(&["--json", "--engine", "embedded"])).exits(1).error();
    assert_eq!(error["code"], "unsupported");
}

#[test]
fn deno_that_is_wanted_and_missing_is_an_error_with_the_command_that_brings_it() {
    let repo = repo().without_deno();
    write_model(&repo, "", SAYS);
    let error = repo.marsh(&run_args(&["--json", "--engine", "deno"])).exits(1).error();
    assert_eq!(error["code"], "unsupported");
    assert_eq!(
        error["message"], "the command asks for the engine `deno`, but there is no Deno on this machine",
        "{error}"
    );
    assert!(error["hint"].as_str().unwrap().contains("`marsh engine install`"), "{error}");
    write_model(&repo, "// marsh-engine: bun\n", SAYS);
    let shown = repo.marsh(&run_args(&[])).exits(1).told();
    assert!(shown.contains("unknown engine `bun`: expected embedded or deno"), "{shown}");
    assert!(shown.contains("extensions/models/x.ts:1:"), "{shown}");
}

#[test]
fn error_in_deno_names_the_line_that_the_author_wrote() {
    let repo = repo().with_deno();
    let throws =
        SAYS.replace("context.logger", "\n      if (context) throw new Error('here');\n      context.logger");
    write_model(&repo, "", &throws);
    let embedded = repo.marsh(&run_args(&["--engine", "embedded"])).exits(1).told();
    let deno = repo.marsh(&run_args(&["--engine", "deno"])).exits(1).told();
    let place = |shown: &str| {
        let line = shown.lines().find(|line| line.contains("x.ts:")).unwrap_or_else(|| panic!("{shown}"));
        line.rsplit_once(':').unwrap().0.to_owned()
    };
    assert_eq!(place(&embedded), place(&deno));
}

#[test]
fn deno_is_installed_once_listed_and_removed() {
    let repo = repo().without_deno();
    let installed = repo.marsh(&["--json", "engine", "install"]).ok().json();
    assert_eq!((&installed["installed"], &installed["version"]), (&true.into(), &"2.9.6".into()));
    assert!(installed["integrity"].as_str().unwrap().starts_with("sha512-"), "{installed}");
    // Nothing is fetched for a version that is there.
    let offline = ["--json", "engine", "install"];
    let repo = repo.env("MARSH_OFFLINE", "1");
    assert_eq!(repo.marsh(&offline).ok().json()["installed"], false);
    let list = repo.marsh(&["--json", "engine", "list"]).ok().json();
    assert_eq!(list["engines"][1]["origin"], "installed");
    assert_eq!(list["engines"][1]["used"], true);
    write_model(&repo, "", SAYS);
    assert_eq!(engine_of(&repo, &["--engine", "deno"]), "deno");
    let error = repo.marsh(&["--json", "engine", "remove", "1.0.0"]).exits(1).error();
    assert_eq!(error["code"], "not_found");
    let removed = repo.marsh(&["--json", "engine", "remove", "2.9.6"]).ok().json();
    assert_eq!(removed["removed"][0], "2.9.6");
    let error = repo.marsh(&offline).exits(1).error();
    assert_eq!(error["code"], "offline");
    let error = repo
        .env("MARSH_OFFLINE", "")
        .marsh(&["--json", "engine", "install", "--version", "2.0.0"])
        .exits(2)
        .error();
    assert!(error["message"].as_str().unwrap().contains("too old"), "{error}");
}

/// A run whose method never ends and never waits, in Deno.
fn endless(repo: &Scratch) -> Running {
    let loops = SAYS.replace("return {};", "for (;;);");
    write_model(repo, "", &loops);
    let running = repo.spawn(&run_args(&["--engine", "deno"]));
    wait_for("the method to run", || {
        let logs = repo.files(".swamp/outputs");
        let log = logs.iter().find(|file| file.ends_with(".log"))?;
        repo.read(&format!(".swamp/outputs/{log}")).contains("engine: deno").then_some(())
    });
    running
}

#[test]
fn no_deno_survives_a_marsh_that_is_killed() {
    let repo = repo().with_deno();
    endless(&repo).kill();
    repo.assert_no_processes();
}

/// Only the kernel can end it then.
// cfg: other systems have no signal at the death of a parent
#[cfg(target_os = "linux")]
#[test]
fn no_deno_survives_a_marsh_and_a_host_that_are_killed_together() {
    let repo = repo().with_deno();
    let mut running = endless(&repo);
    let hosts = repo.hosts();
    for host in &hosts {
        // A host that is stopped sees neither the end of marsh nor anything else.
        let stopped = std::process::Command::new("kill").args(["-STOP", &host.to_string()]).status().unwrap();
        assert!(stopped.success());
    }
    running.kill();
    for host in hosts {
        kill(host);
    }
    repo.assert_no_processes();
}
