//! Workflows that start by themselves: at their times, and when a webhook is called.
//!
//! * What fires waits in one queue, and one thread runs it, one workflow after the other.
//! * A workflow that waits or runs already is not scheduled once more: the fire is skipped and counted. A webhook is never
//!   skipped, because each call says something else; when [`MAX_WAITING`] wait, the next one hears that.
//! * The files are looked at before every decision, at least every [`LOOK`]: an edited schedule counts from then on.
//! * When the server ends, what waits is dropped, and what runs is waited for as for any request.
//!
//! Held by the binary's `tests/serve/triggers.rs`; times themselves by the tests of `marsh-trigger`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use marsh_host_client::CancelToken;
use marsh_trigger::{Called, Config, Full, Hook, Listener, Pattern, Scheduler, SecretSource, Webhook};
use marsh_types::time::iso_millis;
use marsh_types::{ErrorCode, Explain as _};
use marsh_vault::{Reference, Secret};
use marsh_workflow::{Stamp, WorkflowStore, Workflows};
use serde_json::Value;

use crate::connection::Hub;
use crate::error::ServeError;
use crate::protocol::TriggerRow;
use marsh_api::ErrorReport;

/// Below `.swamp`.
const CONFIG: &str = "serve.yaml";
/// How often files are looked at when nothing is due before.
const LOOK: Duration = Duration::from_secs(1);
/// How many webhooks may wait.
const MAX_WAITING: usize = 100;

/// What a server is asked to start by itself.
#[derive(Debug, Clone, Default)]
pub struct TriggerOptions {
    /// Whether workflows with a `trigger.schedule` run at their times.
    pub schedule: bool,
    /// More webhooks than those of `.swamp/serve.yaml`.
    pub webhooks: Vec<Webhook>,
    /// Where webhooks are listened for.
    pub http: Option<std::net::SocketAddr>,
}

/// Something that is to run.
#[derive(Debug)]
struct Fire {
    workflow: String,
    source: &'static str,
    webhook: Option<Value>,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Fire>,
    running: Option<String>,
    planned: Vec<marsh_trigger::Planned>,
    history: BTreeMap<String, History>,
    /// Schedules that are none.
    broken: BTreeMap<String, String>,
    ending: bool,
}

#[derive(Debug, Default, Clone)]
struct History {
    fired: u64,
    skipped: u64,
    missed: u64,
    last: Option<Last>,
}

#[derive(Debug, Clone)]
struct Last {
    at: String,
    status: String,
    error: Option<String>,
}

/// What the threads of the triggers share, and the status shows.
#[derive(Debug, Default)]
pub struct Triggers {
    state: Mutex<State>,
    changed: Condvar,
    http: OnceLock<std::net::SocketAddr>,
}

impl Triggers {
    fn locked(&self) -> MutexGuard<'_, State> {
        // What it guards is whole after every statement.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn http(&self) -> Option<String> {
        self.http.get().map(ToString::to_string)
    }

    pub(crate) fn end(&self) {
        let mut state = self.locked();
        state.ending = true;
        state.queue.clear();
        drop(state);
        self.changed.notify_all();
    }

    fn schedule(&self, due: &marsh_trigger::Due) {
        let mut state = self.locked();
        let is_busy = state.running.as_ref() == Some(&due.workflow)
            || state.queue.iter().any(|fire| fire.workflow == due.workflow);
        let history = state.history.entry(due.workflow.clone()).or_default();
        history.missed += due.missed;
        if is_busy {
            history.skipped += 1;
            return;
        }
        state.queue.push_back(Fire { workflow: due.workflow.clone(), source: "schedule", webhook: None });
        drop(state);
        self.changed.notify_all();
    }

    fn call(&self, called: Called) -> Result<(), Full> {
        let mut state = self.locked();
        let waiting = state.queue.iter().filter(|fire| fire.webhook.is_some()).count();
        if waiting >= MAX_WAITING || state.ending {
            return Err(Full);
        }
        state.queue.push_back(Fire {
            workflow: called.workflow,
            source: "webhook",
            webhook: Some(called.webhook),
        });
        drop(state);
        self.changed.notify_all();
        Ok(())
    }

    /// The next one; `None` when the server ends.
    fn next(&self) -> Option<Fire> {
        let mut state = self.locked();
        loop {
            if state.ending {
                return None;
            }
            if let Some(fire) = state.queue.pop_front() {
                state.running = Some(fire.workflow.clone());
                return Some(fire);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ran(&self, workflow: &str, at: Timestamp, result: &Result<Value, ErrorReport>) {
        let mut state = self.locked();
        state.running = None;
        let history = state.history.entry(workflow.to_owned()).or_default();
        history.fired += 1;
        let (status, error) = match result {
            Ok(document) => {
                let status = document["status"].as_str().unwrap_or("succeeded").to_owned();
                (status, document["failureReason"].as_str().map(str::to_owned))
            }
            Err(failure) => ("refused".to_owned(), Some(failure.message.clone())),
        };
        history.last = Some(Last { at: iso_millis(at), status, error });
    }

    pub(crate) fn rows(&self) -> Vec<TriggerRow> {
        let state = self.locked();
        let mut names: Vec<&String> = state.planned.iter().map(|planned| &planned.workflow).collect();
        names.extend(state.history.keys());
        names.extend(state.broken.keys());
        names.sort();
        names.dedup();
        let rows = names.into_iter().map(|workflow| {
            let planned = state.planned.iter().find(|planned| planned.workflow == *workflow);
            let history = state.history.get(workflow).cloned().unwrap_or_default();
            let last = history.last.as_ref();
            TriggerRow {
                workflow: workflow.clone(),
                schedule: planned.map(|planned| planned.schedule.clone()),
                next: planned.and_then(|planned| planned.next).map(iso_millis),
                running: state.running.as_ref() == Some(workflow),
                waiting: state.queue.iter().filter(|fire| fire.workflow == *workflow).count(),
                fired: history.fired,
                skipped: history.skipped,
                missed: history.missed,
                last: last.map(|last| last.at.clone()),
                last_status: last.map(|last| last.status.clone()),
                error: state
                    .broken
                    .get(workflow)
                    .cloned()
                    .or_else(|| last.and_then(|last| last.error.clone())),
            }
        });
        rows.collect()
    }
}

/// What runs beside the requests; it ends when this is dropped.
pub struct Firing {
    hub: Arc<Hub>,
    listener: Option<Listener>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Firing {
    pub fn addr(&self) -> Option<std::net::SocketAddr> {
        self.listener.as_ref().map(|listener| listener.addr)
    }
}

impl Drop for Firing {
    fn drop(&mut self) {
        self.listener = None;
        self.hub.triggers.end();
        // A thread that panicked has said so.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

/// Starts what the options and the file ask for. `None`: nothing.
pub(crate) fn start(
    hub: &Arc<Hub>,
    options: &TriggerOptions,
    warn: &dyn Fn(&str),
) -> Result<Option<Firing>, ServeError> {
    let config = config(hub).map_err(ServeError::Refused)?;
    config.warnings.iter().for_each(|warning| warn(warning));
    let mut webhooks = options.webhooks.clone();
    webhooks.extend(config.webhooks.iter().cloned());
    let is_scheduled = options.schedule && config.schedule != Some(false);
    let addr = options.http.or_else(|| (!webhooks.is_empty()).then(|| address(&config)));
    if !is_scheduled && addr.is_none() {
        return Ok(None);
    }
    let listener = addr.map(|addr| {
        let hooks: Vec<Hook> = webhooks
            .iter()
            .map(|webhook| hook(hub, webhook))
            .collect::<Result<_, ErrorReport>>()
            .map_err(ServeError::Refused)?;
        let calling = Arc::clone(hub);
        marsh_trigger::listen(addr, hooks, Arc::new(move |called| calling.triggers.call(called)))
            .map_err(|error| ServeError::Refused(ErrorReport::of(&error)))
    });
    let listener = listener.transpose()?;
    if let Some(listener) = &listener {
        hub.triggers.http.get_or_init(|| listener.addr);
    }
    let mut firing = Firing { hub: Arc::clone(hub), listener, threads: Vec::new() };
    let runner = Arc::clone(hub);
    firing.threads.push(std::thread::spawn(move || {
        while let Some(fire) = runner.triggers.next() {
            run(&runner, &fire);
        }
    }));
    if is_scheduled {
        let zone = marsh_trigger::local_zone(opened_env(hub, "TZ").as_deref());
        let (hub, mut times) = (Arc::clone(hub), Times { scheduler: Scheduler::new(zone), seen: None });
        // The first look is before the server reports that it is ready.
        times.look(&hub);
        firing.threads.push(std::thread::spawn(move || follow(&hub, times)));
    }
    Ok(Some(firing))
}

fn address(config: &Config) -> std::net::SocketAddr {
    let host = config.host.as_deref().and_then(|host| host.parse().ok());
    let host = host.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    std::net::SocketAddr::new(host, config.port.unwrap_or(9090))
}

fn opened_env(hub: &Hub, name: &str) -> Option<String> {
    let opened = (hub.service.options.open)().ok()?;
    opened.env.raw(name).map(str::to_owned)
}

/// `.swamp/serve.yaml`, as it is now.
fn config(hub: &Hub) -> Result<Config, ErrorReport> {
    let opened = (hub.service.options.open)()?;
    match std::fs::read_to_string(opened.repo.layout.state().join(CONFIG)) {
        Ok(text) => Config::parse(&text).map_err(|error| ErrorReport::of(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(ErrorReport::new(ErrorCode::Io, format!("cannot read .swamp/serve.yaml: {error}"))),
    }
}

/// The webhook with its secret.
fn hook(hub: &Hub, webhook: &Webhook) -> Result<Hook, ErrorReport> {
    let refused = |message: String| {
        ErrorReport::new(
            ErrorCode::WebhookSecret,
            format!("the secret of webhook `{}`: {message}", webhook.route),
        )
    };
    let models = hub.service.models()?;
    let secret = match &webhook.secret {
        SecretSource::Literal(secret) => Secret::new(secret.as_str()),
        SecretSource::Env(name) => Secret::new(
            models.env.raw(name).ok_or_else(|| refused(format!("the variable {name} is not set")))?,
        ),
        SecretSource::File(path) => {
            let path = models.repo.layout.root().join(path);
            let text = std::fs::read_to_string(&path)
                .map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?;
            Secret::new(text.trim_end_matches(['\r', '\n']))
        }
        SecretSource::Vault { vault, key } => {
            let reference = Reference::new(vault.as_str(), key.as_str());
            let found = models.vaults.resolve(&reference, "webhook", &mut |_| {});
            found.map_err(|error| refused(error.to_string()))?
        }
    };
    if secret.expose().is_empty() {
        return Err(refused("it is empty".to_owned()));
    }
    let (route, workflow) = (webhook.route.clone(), webhook.workflow.clone());
    Ok(Hook { route, workflow, secret, scheme: webhook.scheme.clone() })
}

/// Runs what fired, as a request is run.
fn run(hub: &Hub, fire: &Fire) {
    tracing::info!(workflow = fire.workflow, source = fire.source, "trigger fired");
    let at = Timestamp::now();
    let in_flight = hub.service.entered();
    let token = CancelToken::new();
    let key = hub.register(&token);
    let result = if hub.ending.load(Ordering::SeqCst) {
        Err(ErrorReport::new(ErrorCode::ShuttingDown, "the server is ending"))
    } else {
        fired(hub, fire, &token)
    };
    hub.unregister(key);
    hub.triggers.ran(&fire.workflow, at, &result);
    drop(in_flight);
}

fn fired(hub: &Hub, fire: &Fire, token: &CancelToken) -> Result<Value, ErrorReport> {
    let config = config(hub)?;
    let replaced = config.triggers.get(&fire.workflow).and_then(|trigger| trigger.inputs.as_ref());
    hub.service.fire(&fire.workflow, fire.source, replaced, fire.webhook.as_ref(), token)
}

/// The scheduler, and the files as they were when it was told what they say.
struct Times {
    scheduler: Scheduler,
    seen: Option<Vec<Stamp>>,
}

impl Times {
    /// Brings the scheduler up to date with the files. What cannot be read now stays as it was; the next look may do better.
    fn look(&mut self, hub: &Hub) {
        let Ok(opened) = (hub.service.options.open)() else { return };
        let layout = &opened.repo.layout;
        let Ok(mut stamps) = WorkflowStore::new(layout.clone()).stamps() else { return };
        stamps.push(Stamp::of(layout.state().join(CONFIG)));
        if self.seen.as_ref() == Some(&stamps) {
            return;
        }
        let Ok((wanted, broken)) = wanted(hub) else { return };
        self.seen = Some(stamps);
        self.scheduler.set(wanted, Timestamp::now());
        let mut state = hub.triggers.locked();
        state.planned = self.scheduler.planned();
        state.broken = broken;
    }
}

type Wanted = (Vec<(String, Pattern)>, BTreeMap<String, String>);

/// The workflows with a schedule, and what is wrong with those that have none that can be read.
fn wanted(hub: &Hub) -> Result<Wanted, ErrorReport> {
    let models = hub.service.models()?;
    let config = config(hub)?;
    let listing = Workflows::new(&models).store().list().map_err(|error| ErrorReport::of(&error))?;
    let (mut wanted, mut broken) = (Vec::new(), BTreeMap::new());
    for stored in &listing.workflows {
        let workflow = stored.workflow();
        let own = workflow.trigger.as_ref().and_then(|trigger| trigger.schedule.as_deref());
        let replaced = config.triggers.get(&workflow.name).and_then(|trigger| trigger.schedule.as_deref());
        let Some(text) = replaced.or(own) else { continue };
        match Pattern::parse(text) {
            Ok(pattern) => wanted.push((workflow.name.clone(), pattern)),
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                broken.insert(workflow.name.clone(), format!("{error}; {hint}"));
            }
        }
    }
    Ok((wanted, broken))
}

fn follow(hub: &Hub, mut times: Times) {
    loop {
        let now = Timestamp::now();
        let until = times.scheduler.next().map(|next| next.duration_since(now));
        let until = until.map_or(LOOK, |until| Duration::try_from(until).unwrap_or_default().min(LOOK));
        let state = hub.triggers.locked();
        // Whatever else wakes it: it looks, and goes on waiting.
        let waited = hub.triggers.changed.wait_timeout_while(state, until, |state| !state.ending);
        if waited.map_or_else(|error| error.into_inner().0.ending, |(state, _)| state.ending) {
            return;
        }
        times.look(hub);
        let due = times.scheduler.due(Timestamp::now());
        if due.is_empty() {
            continue;
        }
        due.iter().for_each(|due| hub.triggers.schedule(due));
        hub.triggers.locked().planned = times.scheduler.planned();
    }
}
