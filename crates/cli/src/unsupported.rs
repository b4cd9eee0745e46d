//! What other programs of this format do and marsh does not: accepted by the parser, and refused by name.
//!
//! A script that uses one of these gets one error with the code `unsupported` and the reason, not a usage error. This is the
//! only place that names them.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use crate::args::auth::AuthCommand;
use crate::args::serve::ServeCommand;
use crate::args::{Cli, Command as Cmd};
use crate::error::CliError;

// The words after a command that marsh has not. They are not looked at. (A documentation comment would become the help of
// each command.)
#[derive(Debug, Args)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub words: Vec<String>,
}

/// Commands that marsh has not, for the tests of commands that it has.
#[cfg(test)]
pub const COMMANDS: &[&str] = &["access", "issue", "quest", "worker"];

const NO_REMOTE: &str =
    "commands run in the repository on this machine; `marsh serve` answers on a local socket only";
const NO_ACCESS: &str = "a server of marsh has no users: its socket belongs to the user who started it";
const NO_WORKERS: &str = "remote workers are not supported yet; methods run on this machine";
const NO_DAEMON: &str = "marsh installs no service; a service manager can start `marsh serve`";
const NO_TRACKER: &str = "marsh has no issue tracker service, and sends nothing to one";
const NO_QUEST: &str = "marsh has no accounts and counts no progress";

/// Options of `serve` that marsh has not: the long name, whether it takes a value, and the value that asks for nothing.
const SERVE: &[(&str, bool, Option<&str>)] = &[
    ("config", true, None),
    ("cert-file", true, None),
    ("key-file", true, None),
    ("grants-file", true, None),
    ("grants-dir", true, None),
    ("grant-reload", true, Some("manual")),
    ("auth-mode", true, Some("none")),
    ("admins", true, None),
    ("allowed-collectives", true, None),
    ("allowed-users", true, None),
    ("oauth-provider", true, None),
    ("oauth-client-id", true, None),
    ("oauth-client-name", true, None),
    ("groups-field", true, None),
    ("restricted-model-types", true, None),
    ("restricted-commands", true, None),
    ("group-refresh-interval", true, None),
    ("trust-proxy", false, None),
    ("ws-idle-timeout", true, None),
    ("queue-timeout", true, None),
    ("verify-on-enroll", false, None),
    ("trusted-hosts", true, None),
    ("detach-runs", false, None),
    ("heartbeat-interval", true, None),
    ("stale-ttl", true, None),
    ("reconciliation-interval", true, None),
    ("hydration-timeout", true, None),
    ("max-concurrent-runs", true, None),
    ("max-runs-per-principal", true, None),
    ("max-run-duration", true, None),
    ("enable-internal-api", false, None),
    ("remote-only", false, None),
    ("dashboard", false, None),
];

/// The options of `serve` that marsh has not and that were given.
#[derive(Debug, Default)]
pub struct ServeOptions {
    given: Vec<&'static str>,
}

impl FromArgMatches for ServeOptions {
    fn from_arg_matches(matches: &ArgMatches) -> Result<ServeOptions, clap::Error> {
        let is_given = |name: &str, takes_value: bool, neutral: Option<&str>| match takes_value {
            true => matches.get_one::<String>(name).is_some_and(|value| Some(value.as_str()) != neutral),
            false => matches.get_flag(name),
        };
        let given =
            SERVE.iter().filter(|(name, takes_value, neutral)| is_given(name, *takes_value, *neutral));
        Ok(ServeOptions { given: given.map(|(name, ..)| *name).collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = ServeOptions::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ServeOptions {
    fn augment_args(command: Command) -> Command {
        command.args(SERVE.iter().map(|(name, takes_value, _)| {
            let action = if *takes_value { ArgAction::Set } else { ArgAction::SetTrue };
            Arg::new(*name).long(*name).action(action).hide(true)
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        ServeOptions::augment_args(command)
    }
}

/// Why marsh refuses this command line, if it asks for something that marsh has not.
pub fn refusal(cli: &Cli) -> Option<CliError> {
    let refuse = |what: &str, reason: &str| {
        Some(CliError::Unsupported { message: format!("`{what}` is not supported: {reason}") })
    };
    let remote = [
        ("--server", &cli.global.server),
        ("--token", &cli.global.token),
        ("--ca-cert", &cli.global.ca_cert),
    ];
    // These two name the server that they log in to.
    let is_login = matches!(&cli.command, Cmd::Auth(AuthCommand::Login { .. } | AuthCommand::ServerLogin));
    if let Some((option, _)) = remote.iter().find(|(_, value)| value.is_some())
        && !is_login
    {
        return refuse(option, NO_REMOTE);
    }
    match &cli.command {
        Cmd::Access(_) => refuse("access", NO_ACCESS),
        Cmd::Worker(_) => refuse("worker", NO_WORKERS),
        Cmd::Issue(_) => refuse("issue", NO_TRACKER),
        Cmd::Quest(_) => refuse("quest", NO_QUEST),
        Cmd::Serve(arguments) => match &arguments.command {
            Some(ServeCommand::Daemon(_)) => refuse("serve daemon", NO_DAEMON),
            _ => arguments.unsupported.given.first().and_then(|option| {
                refuse(
                    &format!("serve --{option}"),
                    "the server of marsh listens on a local socket, for one user",
                )
            }),
        },
        _ => None,
    }
}
