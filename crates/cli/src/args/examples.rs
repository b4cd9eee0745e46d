//! Examples at the end of each help page.
//!
//! They are a table beside the arguments, so that a test can read it: every command has an example, here or in its
//! `after_help`, and every example is a command line that marsh accepts. Only printing help looks at the table.

use clap::Command;

use super::Cli;

/// The words of a command, and its examples, one a line, without `marsh`.
const EXAMPLES: &[(&str, &str)] = &[
    ("init", "init\ninit ops --tool claude --tool kiro\ninit --tool none"),
    ("repo", "repo init ops"),
    ("repo init", "repo init ops"),
    ("repo upgrade", "repo upgrade\nrepo upgrade --tool cursor --include-gitignore"),
    ("agent", "agent list\nagent setup --name acme"),
    (
        "agent setup",
        "agent setup\nagent setup --name acme --skills-dir .acme/skills --instructions-file ACME.md",
    ),
    ("agent list", "agent list"),
    ("agent rm", "agent rm acme"),
    ("model", "model create @ops/disk root\nmodel method run root check"),
    ("model create", "model create @ops/disk root --global-arg path=/srv"),
    ("model get", "model get root"),
    ("model search", "model search disk"),
    ("model edit", "model edit root"),
    ("model delete", "model delete root --yes"),
    ("model evaluate", "model evaluate root\nmodel evaluate --all"),
    ("model validate", "model validate\nmodel validate root"),
    ("model cancel", "model cancel root --reason 'disk is full'\nmodel cancel --all"),
    ("run", "run history\nrun doctor --fix\nrun gc --older-than 30d --dry-run"),
    ("model type", "model type search\nmodel type describe @ops/disk"),
    ("model type search", "model type search\nmodel type search disk --json"),
    ("model type describe", "model type describe command/shell"),
    ("model method", "model method run root check\nmodel method describe root check"),
    (
        "model method run",
        "model method run root check\nmodel method run root check --input path=/tmp --timeout 30s\nmodel method run @command/shell execute hello --input run='echo hello'",
    ),
    ("model method describe", "model method describe root check"),
    ("model method history", "model method history root\nmodel method history logs root --tail 20"),
    ("model method history get", "model method history get root"),
    ("model method history search", "model method history search check"),
    ("model method history logs", "model method history logs root --tail 20"),
    ("model output", "model output root\nmodel output logs root"),
    ("model output get", "model output get root"),
    ("model output search", "model output search root"),
    ("model output logs", "model output logs root"),
    (
        "model output data",
        "model output data root --field usedPercent\nmodel output data 3fa --name usage --json",
    ),
    ("schema", "schema method-run\nschema --all"),
    ("report", "report search\nreport run @ops/summary root"),
    ("report search", "report search"),
    ("report get", "report get @ops/summary"),
    ("report run", "report run @ops/summary root\nreport run @ops/summary --workflow nightly"),
    ("report describe", "report describe @ops/summary"),
    ("report type", "report type search"),
    ("report type search", "report type search"),
    ("data", "data get root usage\ndata query 'name == \"usage\" && attributes.usedPercent > 80'"),
    ("data get", "data get root usage\ndata get root usage --json\ndata get --workflow nightly usage"),
    ("data list", "data list root\ndata list --workflow nightly"),
    ("data versions", "data versions root usage"),
    ("data search", "data search --limit 20"),
    ("data rename", "data rename root usage disk-usage"),
    ("data delete", "data delete root usage --version 3\ndata delete root --all --dry-run"),
    ("data gc", "data gc --dry-run"),
    ("data prune", "data prune --dry-run"),
    ("datastore", "datastore status\ndatastore sync --pull"),
    ("datastore setup", "datastore setup filesystem --path ../data"),
    ("datastore setup filesystem", "datastore setup filesystem --path ~/data --directories data,outputs"),
    ("datastore setup extension", "datastore setup extension @acme/bucket --config '{\"bucket\": \"data\"}'"),
    ("datastore namespace", "datastore namespace set team-a\ndatastore namespace list"),
    ("datastore namespace set", "datastore namespace set team-a"),
    ("datastore namespace unset", "datastore namespace unset --yes"),
    ("datastore namespace migrate", "datastore namespace migrate --yes"),
    ("datastore namespace list", "datastore namespace list"),
    ("datastore compact", "datastore compact"),
    ("datastore migrate-index", "datastore migrate-index"),
    ("datastore catalog", "datastore catalog pull --namespaces team-a"),
    ("datastore catalog pull", "datastore catalog pull --namespaces team-a,team-b"),
    ("datastore status", "datastore status"),
    ("datastore sync", "datastore sync\ndatastore sync --pull --timeout 1m"),
    ("datastore lock", "datastore lock status"),
    ("datastore lock status", "datastore lock status"),
    ("datastore lock release", "datastore lock release --force"),
    ("datastore type", "datastore type search"),
    ("datastore type search", "datastore type search"),
    ("vault", "vault create local_encryption main\nvault put main api-key"),
    ("vault create", "vault create local_encryption main"),
    ("vault type", "vault type search"),
    ("vault type search", "vault type search"),
    ("vault search", "vault search"),
    ("vault get", "vault get main"),
    ("vault edit", "vault edit main"),
    (
        "vault put",
        "vault put main api-key\nvault put main session --refresh-from 'login --print-token' --refresh-ttl 12h",
    ),
    ("vault read-secret", "vault read-secret main api-key"),
    ("vault list-keys", "vault list-keys main"),
    ("vault inspect", "vault inspect main api-key"),
    ("vault delete", "vault delete main api-key --yes"),
    ("vault annotate", "vault annotate main api-key --label team=ops"),
    ("vault migrate", "vault migrate main --to-type @acme/kv --dry-run"),
    ("vault audit-trail", "vault audit-trail"),
    ("workflow", "workflow create nightly\nworkflow validate nightly\nworkflow run nightly"),
    ("workflow create", "workflow create nightly"),
    ("workflow get", "workflow get nightly --graph"),
    ("workflow search", "workflow search"),
    ("workflow edit", "workflow edit nightly"),
    ("workflow delete", "workflow delete nightly --yes"),
    ("workflow validate", "workflow validate\nworkflow validate nightly"),
    ("workflow evaluate", "workflow evaluate nightly --input region=eu"),
    ("workflow trigger", "workflow trigger set nightly --schedule '0 3 * * *'"),
    ("workflow trigger set", "workflow trigger set nightly --schedule '0 3 * * *' --input region=eu"),
    ("workflow trigger get", "workflow trigger get nightly"),
    ("workflow trigger remove", "workflow trigger remove nightly"),
    ("workflow run", "workflow run nightly --input region=eu\nworkflow run nightly --events"),
    ("workflow resume", "workflow resume nightly\nworkflow resume nightly --from main/check"),
    ("workflow approve", "workflow approve nightly ask --reason tested"),
    ("workflow reject", "workflow reject nightly ask --reason 'not today'"),
    ("workflow approvals", "workflow approvals"),
    ("workflow cancel", "workflow cancel nightly"),
    ("workflow schema", "workflow schema"),
    (
        "workflow history",
        "workflow history nightly\nworkflow history search nightly\nworkflow history logs nightly",
    ),
    ("workflow history get", "workflow history get nightly"),
    ("workflow history search", "workflow history search nightly"),
    ("workflow history logs", "workflow history logs nightly"),
    ("summarise", "summarise"),
    ("extension", "extension pull @acme/dns\nextension update\nextension rollback"),
    (
        "extension pull",
        "extension pull @acme/dns\nextension pull '@acme/dns@>=2026.01.01.1' --registry registry",
    ),
    ("extension rm", "extension rm @acme/dns"),
    ("extension update", "extension update\nextension update @acme/dns"),
    ("extension install", "extension install"),
    ("extension list", "extension list --json"),
    ("extension outdated", "extension outdated"),
    ("extension info", "extension info @acme/dns"),
    ("extension search", "extension search dns"),
    (
        "extension push",
        "extension push manifest.yaml --dry-run\nextension push manifest.yaml --registry registry",
    ),
    ("extension fmt", "extension fmt manifest.yaml\nextension fmt manifest.yaml --check"),
    ("extension quality", "extension quality manifest.yaml"),
    ("extension version", "extension version @acme/dns"),
    ("extension yank", "extension yank @acme/dns 2026.01.01.1 --reason 'wrong zone'"),
    ("extension unyank", "extension unyank @acme/dns 2026.01.01.1"),
    ("extension deprecate", "extension deprecate @acme/dns --reason 'use @acme/zones'"),
    ("extension undeprecate", "extension undeprecate @acme/dns"),
    ("extension promote", "extension promote @acme/dns 2026.01.01.1"),
    ("engine", "engine list\nengine install"),
    ("engine list", "engine list"),
    ("engine install", "engine install"),
    ("engine remove", "engine remove --all"),
    ("extension trust", "extension trust list\nextension trust add acme"),
    ("extension trust list", "extension trust list"),
    ("extension trust add", "extension trust add acme"),
    ("extension trust rm", "extension trust rm acme"),
    ("extension trust auto-trust", "extension trust auto-trust off"),
    ("extension source", "extension source list\nextension source add ../shared"),
    ("extension source list", "extension source list"),
    ("extension source add", "extension source add ../shared"),
    ("extension source rm", "extension source rm ../shared"),
    ("extension history", "extension history"),
    ("extension rollback", "extension rollback\nextension rollback 12"),
    ("extension gc", "extension gc\nextension gc --apply"),
    ("registry", "registry init registry\nregistry serve registry"),
    ("registry init", "registry init registry"),
    ("registry serve", "registry serve registry --listen 127.0.0.1:8080"),
    ("registry token", "registry token add registry ada --collective acme"),
    ("registry token add", "registry token add registry ada --collective acme --scope publish"),
    ("registry token list", "registry token list registry"),
    ("registry token rm", "registry token rm registry t1"),
    ("doctor", "doctor extensions\ndoctor secrets"),
    ("doctor audit", "doctor audit\ndoctor audit --tool cursor"),
    ("doctor datastores", "doctor datastores\ndoctor datastores --repair"),
    ("doctor extensions", "doctor extensions\ndoctor extensions --repair --dry-run"),
    ("doctor install", "doctor install"),
    ("doctor secrets", "doctor secrets"),
    ("doctor vaults", "doctor vaults"),
    ("doctor workflows", "doctor workflows --json"),
    ("audit", "audit\naudit --hours 48 --all"),
    ("audit record", "audit record --from-hook --tool cursor"),
    ("auth", "auth login --server https://registry.example\nauth whoami"),
    ("auth login", "auth login --server https://registry.example"),
    ("auth logout", "auth logout"),
    ("auth whoami", "auth whoami --json"),
    ("auth token", "auth token create --collective acme --scopes publish"),
    ("auth token create", "auth token create --collective acme --scopes publish --name ci"),
    ("auth server-login", "auth server-login --server http://127.0.0.1:9090 --token ci.secret"),
    ("config", "config list"),
    ("config list", "config list"),
    ("config get", "config get update.auto"),
    ("config set", "config set update.cadence weekly"),
    ("update", "update --check"),
    ("source", "source path"),
    ("source fetch", "source fetch"),
    ("source path", "source path"),
    ("source clean", "source clean"),
    (
        "serve",
        "serve --watch\nserve --webhook push:build:@vault=main:github --http 127.0.0.1:9090\nserve status",
    ),
    ("serve status", "serve status"),
    ("serve reload", "serve reload"),
    ("serve stop", "serve stop"),
    ("version", "version --json"),
    ("help", "help\nhelp workflow run"),
    ("completions", "completions bash"),
    ("completions bash", "completions bash --name marsh"),
    ("completions zsh", "completions zsh"),
    ("completions fish", "completions fish"),
    ("completions elvish", "completions elvish"),
    ("completions powershell", "completions powershell"),
];

/// The command line with its examples.
pub fn command() -> Command {
    with_examples(Cli::tree(), "")
}

fn with_examples(mut command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    for name in names {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command = command.mut_subcommand(name, |below| with_examples(below, &path));
    }
    match EXAMPLES.iter().find(|(words, _)| *words == path) {
        Some((_, lines)) => {
            let lines: Vec<String> = lines.lines().map(|line| format!("  marsh {line}")).collect();
            command.after_help(format!("Examples:\n{}", lines.join("\n")))
        }
        None => command,
    }
}

#[cfg(test)]
mod tests {
    use super::{EXAMPLES, command};
    use crate::args::Cli;
    use clap::Command;

    fn paths(command: &Command, path: &str, found: &mut Vec<String>) {
        if command.get_after_help().is_none() {
            found.push(path.to_owned());
        }
        for below in
            command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
        {
            let path = format!("{path} {}", below.get_name());
            paths(below, path.trim(), found);
        }
    }

    fn all_paths(command: &Command, path: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands() {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            all_paths(below, &path, found);
            found.push(path);
        }
    }

    #[test]
    fn every_command_has_an_example_and_every_example_a_command() {
        let mut wanted = Vec::new();
        paths(&Cli::tree(), "", &mut wanted);
        wanted.sort();
        // A command of the table may have examples beside its arguments too; then the table's win.
        let mut found: Vec<String> = EXAMPLES.iter().map(|(words, _)| (*words).to_owned()).collect();
        found.sort();
        let without: Vec<&String> = wanted.iter().filter(|words| !found.contains(words)).collect();
        assert!(without.is_empty(), "commands without an example: {without:?}");
        let mut known = Vec::new();
        all_paths(&Cli::tree(), "", &mut known);
        let unknown: Vec<&String> = found.iter().filter(|words| !known.contains(words)).collect();
        assert!(unknown.is_empty(), "examples of unknown commands: {unknown:?}");
    }

    #[test]
    fn every_example_is_accepted_and_is_of_its_command() {
        for (words, lines) in EXAMPLES {
            for line in lines.lines() {
                assert!(line.starts_with(words), "`marsh {line}` is not an example of `{words}`");
                let mut arguments = vec!["marsh".to_owned()];
                let mut quoted = false;
                for part in line.split('\'') {
                    if quoted {
                        arguments.push(part.to_owned());
                    } else {
                        arguments.extend(part.split_whitespace().map(str::to_owned));
                    }
                    quoted = !quoted;
                }
                // `run='echo hello'` is one argument.
                if let Some(at) = arguments.iter().position(|argument| argument.ends_with('=')) {
                    let value = arguments.remove(at + 1);
                    arguments[at].push_str(&value);
                }
                let parsed = command().try_get_matches_from(&arguments);
                assert!(parsed.is_ok(), "marsh {line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn first_lines_of_help_fit_sixty_characters() {
        fn long(command: &Command, found: &mut Vec<String>) {
            for below in command.get_subcommands() {
                let about = below.get_about().map(ToString::to_string).unwrap_or_default();
                if about.chars().count() > 60 {
                    found.push(about);
                }
                long(below, found);
            }
        }
        let mut found = Vec::new();
        long(&Cli::tree(), &mut found);
        assert_eq!(found, Vec::<String>::new());
    }
}
