//! What commands work on, opened once.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_bundle::Worker;
use marsh_datastore::{Choice, Datastore};
use marsh_extension::lifecycle::{AutoInstall, Event, Lifecycle, LifecycleOptions, Reporter};
use marsh_extension::publish::Builder;
use marsh_extension::{LoadOptions, Loader, LoaderOptions, OnFailure};
use marsh_host::{CancelToken, HostCommand, Hosts, Limits, Retention};
use marsh_model::Models;
use marsh_registry::{ClientOptions, Location, LocationError};
use marsh_repo::{Environment, Repo, env};

use crate::args::{Cli, SetArgs};
use crate::error::CliError;
use crate::exit;
use crate::ui::Ui;

/// The repository of this command, opened, and the store of an extension that its data are in.
pub struct Opened {
    pub models: Models,
    pub datastore: Option<Datastore>,
}

/// The repository of a command that changes no data.
pub fn open(cli: &Cli) -> Result<Models, CliError> {
    open_with(cli, Retention::default(), OnFailure::Report).map(|opened| opened.models)
}

/// The repository of a command that may change data.
pub fn open_to_change(cli: &Cli) -> Result<Opened, CliError> {
    open_with(cli, Retention::default(), OnFailure::Report)
}

/// The same, for a server: idle versions are bounded, and the version that loaded last serves while its sources are
/// broken.
pub fn open_to_stay(cli: &Cli) -> Result<Models, CliError> {
    let opened = open_with(cli, Retention { weigh: true, ..Retention::default() }, OnFailure::LastGood)?;
    match opened.datastore {
        None => Ok(opened.models),
        Some(store) => Err(CliError::Refused {
            message: format!("the data of this repository are in the datastore `{}`", store.type_name()),
            hint: Some(
                "`marsh serve` works on data that are in a directory; run single commands instead".into(),
            ),
        }),
    }
}

fn open_with(cli: &Cli, retention: Retention, on_failure: OnFailure) -> Result<Opened, CliError> {
    let environment = Environment::from_process();
    let cwd = current_dir()?;
    let mut repo = Repo::find(cli.global.repo_dir.as_deref(), &environment, &cwd)?;
    let choice = Choice::of(&repo, &environment)?;
    let cache_dir = environment.cache_dir().ok_or(marsh_extension::LoadError::NoCacheDir)?;
    let program = program()?;
    let hosts = Hosts::new(HostCommand {
        program: program.clone(),
        args: vec![marsh_host::SUBCOMMAND.to_owned()],
        bytecode_cache: Some(cache_dir.join("bytecode")),
        cwd: None,
    })
    .with_retention(retention);
    let options = LoaderOptions {
        worker: Worker::new(program, [crate::BUNDLE_SUBCOMMAND]),
        cache_dir,
        offline: environment.flag(env::OFFLINE),
        limits: Limits::default(),
        cancel: CancelToken::new(),
        auto: Some(AutoInstall::new(lifecycle(cli, &SetArgs::default(), "auto-install")?, Arc::new(Told))),
    };
    let mut loader = Loader::new(repo.clone(), options, Arc::new(hosts)).on_failure(on_failure);
    if let Some(timeout) = cli.command.load_timeout() {
        loader = loader.for_call(LoadOptions { timeout });
    }
    let datastore = Datastore::open(&choice, &mut repo, &environment, &loader)?;
    let models = Models::new(repo, environment, loader);
    Ui::hide(&models.secrets);
    Ok(Opened { models, datastore })
}

fn program() -> Result<PathBuf, CliError> {
    std::env::current_exe()
        .map_err(|source| CliError::Read { what: "the path of this program".into(), source })
}

/// What bundles for a publication.
pub fn builder(set: &SetArgs) -> Result<Builder, CliError> {
    let environment = Environment::from_process();
    let cache_dir = environment.cache_dir().ok_or(marsh_extension::LoadError::NoCacheDir)?;
    let offline = set.offline || environment.flag(env::OFFLINE);
    Ok(Builder { worker: Worker::new(program()?, [crate::BUNDLE_SUBCOMMAND]), cache_dir, offline })
}

/// Says on standard error what is installed without having been asked for.
struct Told;

impl Reporter for Told {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning { message } = event {
            Ui::note(message);
        }
    }
}

/// The installed set of this command's repository, and how to change it.
pub fn lifecycle(cli: &Cli, set: &SetArgs, command: &str) -> Result<Lifecycle, CliError> {
    let environment = Environment::from_process();
    let repo = Repo::find(cli.global.repo_dir.as_deref(), &environment, &current_dir()?)?;
    let cache_dir = environment.cache_dir().ok_or(marsh_extension::LoadError::NoCacheDir)?;
    let offline = set.offline || environment.flag(env::OFFLINE);
    let options = LifecycleOptions {
        command: format!("marsh extension {command}"),
        lock_timeout: set.lock_timeout.unwrap_or_else(|| environment.lock_timeout()),
        offline,
        archive_cache: cache_dir.join("archives").join("v1"),
        registry: registry_location(set.registry.as_deref(), &environment, &repo)?,
        client: client_options(&environment, offline),
        jobs: 8,
        allow_missing_checksum: false,
    };
    Ok(Lifecycle::new(repo, options))
}

/// `--registry`, else the environment, else the marker, else the user's own directory registry.
pub fn registry_location(
    given: Option<&str>,
    environment: &Environment,
    repo: &Repo,
) -> Result<Location, CliError> {
    let usage = |error: LocationError| CliError::usage(error.to_string());
    if let Some(text) = given.or_else(|| environment.get(env::REGISTRY)) {
        return Location::parse(text, &current_dir()?).map_err(usage);
    }
    if let Some(text) = repo.marker.text("registry") {
        return Location::parse(text, repo.layout.root()).map_err(usage);
    }
    let home = environment.home_dir().ok_or(marsh_extension::LoadError::NoCacheDir)?;
    Ok(Location::Directory(home.join("registry")))
}

pub fn client_options(environment: &Environment, offline: bool) -> ClientOptions {
    ClientOptions {
        offline,
        user_agent: format!("marsh/{}", env!("CARGO_PKG_VERSION")),
        api_key: environment.get(env::API_KEY).map(str::to_owned),
        timeout: std::time::Duration::from_secs(15),
        transfer_timeout: std::time::Duration::from_secs(120),
        max_archive_bytes: 64 << 20,
        retries: 3,
    }
}

pub fn current_dir() -> Result<PathBuf, CliError> {
    std::env::current_dir().map_err(|source| CliError::Read { what: "the current directory".into(), source })
}

/// Cancels on the first Ctrl-C or termination signal; the second kills what still runs and ends the process.
pub fn cancel_on_signal(models: &Models) -> CancelToken {
    let token = models.loader.cancel().clone();
    let (cancel, hosts) = (token.clone(), Arc::clone(models.hosts()));
    let handler = move || {
        if cancel.is_cancelled() {
            hosts.kill_all();
            marsh_model::builtin::shell::kill_all();
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
        cancel.cancel("interrupted");
    };
    // Without a handler the signal ends the process, which is what it is for.
    drop(ctrlc::set_handler(handler));
    token
}

/// Who runs this, for provenance.
pub fn initiated_by(environment: &Environment) -> Option<String> {
    environment.raw("USER").or_else(|| environment.raw("LOGNAME")).map(|user| format!("user:{user}"))
}
