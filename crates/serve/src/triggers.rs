//! Workflows that start by themselves: at their times, and when a webhook is called.
//!
//! * What fires waits in one queue, and one thread runs it, one workflow after the other.
//! * A workflow that waits or runs already is not scheduled once more: that start is skipped and counted. A webhook is never
//!   skipped, because each call says something else; when [`MAX_WAITING`] wait, the next one hears that.
//! * The files are looked at before every decision, at least every [`LOOK`]: an edited schedule counts from then on.
//! * A webhook is on disk before its sender hears that it was accepted (`spool`). What waits when the server ends is run by the
//!   next one, once; a schedule that waits then is dropped. What runs is waited for as for any request.
//!
//! Held by the binary's `tests/serve/triggers.rs`; times themselves by the tests of `marsh-trigger`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use marsh_app::{CancelToken, FilesStamp, Session, TriggerRequest, TriggerSource, WorkflowSchedule};
use marsh_trigger::{Called, Config, Listener, NotTaken, Pattern, Timetable, Webhook};
use marsh_types::time::iso_millis;
use marsh_types::{ErrorCode, Explain as _};

use crate::connection::Hub;
use crate::error::ServeError;
use crate::protocol::TriggerRow;
use crate::service::TriggeredRun;
use crate::spool::{Kept, Spool};
use marsh_api::ErrorReport;

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

/// A workflow that waits for its turn.
#[derive(Debug)]
struct Queued {
    workflow: String,
    source: TriggerSource,
    /// Of a webhook.
    kept: Option<Kept>,
}

impl Queued {
    fn of(kept: Kept) -> Queued {
        let Called { workflow, webhook } = kept.called.clone();
        Queued { workflow, source: TriggerSource::Webhook(webhook), kept: Some(kept) }
    }
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Queued>,
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
            || state.queue.iter().any(|queued| queued.workflow == due.workflow);
        let history = state.history.entry(due.workflow.clone()).or_default();
        history.missed += due.missed;
        if is_busy {
            history.skipped += 1;
            return;
        }
        state.queue.push_back(Queued {
            workflow: due.workflow.clone(),
            source: TriggerSource::Schedule,
            kept: None,
        });
        drop(state);
        self.changed.notify_all();
    }

    fn is_full(&self) -> bool {
        let state = self.locked();
        let waiting = state.queue.iter().filter(|queued| queued.kept.is_some()).count();
        waiting >= MAX_WAITING || state.ending
    }

    fn call(&self, spool: &Spool, called: Called) -> Result<(), NotTaken> {
        if self.is_full() {
            return Err(NotTaken::Full);
        }
        let kept = spool.keep(called).map_err(|error| {
            tracing::error!(%error, "cannot keep a webhook request");
            NotTaken::NotKept
        })?;
        self.push(kept);
        Ok(())
    }

    fn push(&self, kept: Kept) {
        // A server that ends leaves it on disk, for the next one.
        self.locked().queue.push_back(Queued::of(kept));
        self.changed.notify_all();
    }

    /// The next one; `None` when the server ends.
    fn next(&self) -> Option<Queued> {
        let mut state = self.locked();
        loop {
            if state.ending {
                return None;
            }
            if let Some(queued) = state.queue.pop_front() {
                state.running = Some(queued.workflow.clone());
                return Some(queued);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn ran(&self, workflow: &str, at: Timestamp, result: &Result<TriggeredRun, ErrorReport>) {
        let mut state = self.locked();
        state.running = None;
        let history = state.history.entry(workflow.to_owned()).or_default();
        history.fired += 1;
        let (status, error) = match result {
            Ok(run) => (run.status.as_str().to_owned(), run.failure_reason.clone()),
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
                waiting: state.queue.iter().filter(|queued| queued.workflow == *workflow).count(),
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
pub struct Triggering {
    hub: Arc<Hub>,
    listener: Option<Listener>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Triggering {
    pub fn addr(&self) -> Option<std::net::SocketAddr> {
        self.listener.as_ref().map(|listener| listener.addr)
    }
}

impl Drop for Triggering {
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
) -> Result<Option<Triggering>, ServeError> {
    let config = config(hub).map_err(ServeError::Refused)?;
    config.warnings.iter().for_each(|warning| warn(warning));
    let mut webhooks = options.webhooks.clone();
    webhooks.extend(config.webhooks.iter().cloned());
    let is_scheduled = options.schedule && config.schedule != Some(false);
    let addr = options.http.or_else(|| (!webhooks.is_empty()).then(|| address(&config)));
    let repo = hub.service.server.repo().map_err(|error| ServeError::Refused(error.report()))?;
    let spool = Arc::new(Spool::new(&repo.layout));
    let (kept, warnings) = spool.kept();
    warnings.iter().for_each(|warning| warn(warning));
    if !is_scheduled && addr.is_none() && kept.is_empty() {
        return Ok(None);
    }
    kept.into_iter().for_each(|kept| hub.triggers.push(kept));
    let listener = addr.map(|addr| {
        let session = hub.service.session().map_err(ServeError::Refused)?;
        let hooks = webhooks.iter().map(|webhook| session.read().webhook_with_secret(webhook));
        let hooks = hooks.collect::<Result<_, _>>().map_err(|error| ServeError::Refused(error.report()))?;
        let calling = Arc::clone(hub);
        marsh_trigger::listen(addr, hooks, Arc::new(move |called| calling.triggers.call(&spool, called)))
            .map_err(|error| ServeError::Refused(ErrorReport::of(&error)))
    });
    let listener = listener.transpose()?;
    if let Some(listener) = &listener {
        hub.triggers.http.get_or_init(|| listener.addr);
    }
    let mut triggering = Triggering { hub: Arc::clone(hub), listener, threads: Vec::new() };
    let runner = Arc::clone(hub);
    triggering.threads.push(std::thread::spawn(move || {
        while let Some(queued) = runner.triggers.next() {
            run(&runner, queued);
        }
    }));
    if is_scheduled {
        let zone = marsh_trigger::local_zone(hub.service.server.settings().environment.raw("TZ"));
        let (hub, mut times) = (Arc::clone(hub), Times { timetable: Timetable::new(zone), seen: None });
        // The first look is before the server reports that it is ready.
        times.look(&hub);
        triggering.threads.push(std::thread::spawn(move || follow(&hub, times)));
    }
    Ok(Some(triggering))
}

fn address(config: &Config) -> std::net::SocketAddr {
    let host = config.host.as_deref().and_then(|host| host.parse().ok());
    let host = host.unwrap_or(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    std::net::SocketAddr::new(host, config.port.unwrap_or(9090))
}

/// `.swamp/serve.yaml`, as it is now.
fn config(hub: &Hub) -> Result<Config, ErrorReport> {
    let repo = hub.service.server.repo().map_err(|error| error.report())?;
    match marsh_fs::read_to_string(repo.layout.serve_config()) {
        Ok(text) => Config::parse(&text).map_err(|error| ErrorReport::of(&error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => Err(ErrorReport::new(ErrorCode::Io, format!("cannot read .swamp/serve.yaml: {error}"))),
    }
}

/// Runs what a trigger queued, as a request is run.
fn run(hub: &Hub, queued: Queued) {
    tracing::info!(workflow = queued.workflow, source = queued.source.as_str(), "trigger fired");
    let at = Timestamp::now();
    let in_flight = hub.service.entered();
    let token = CancelToken::new();
    let key = hub.register(&token);
    let (workflow, kept) = (queued.workflow.clone(), queued.kept.clone());
    let result = if hub.ending.load(Ordering::SeqCst) {
        Err(ErrorReport::new(ErrorCode::ShuttingDown, "the server is ending"))
    } else {
        let result = run_queued(hub, queued, &token);
        // A run that could not start cannot start later.
        kept.iter().for_each(Kept::forget);
        result
    };
    hub.unregister(key);
    hub.triggers.ran(&workflow, at, &result);
    drop(in_flight);
}

fn run_queued(hub: &Hub, queued: Queued, token: &CancelToken) -> Result<TriggeredRun, ErrorReport> {
    let config = config(hub)?;
    let replaced = config.triggers.get(&queued.workflow).and_then(|trigger| trigger.inputs.clone());
    let kept = queued.kept;
    let request = TriggerRequest {
        workflow: queued.workflow,
        source: queued.source,
        inputs: replaced,
        cancel: token.clone(),
        run_id: kept.as_ref().map(|kept| kept.run_id.clone()),
    };
    hub.service.run_triggered(&request, &|| kept.iter().for_each(Kept::forget))
}

/// The timetable, and the files as they were when it got their schedules.
struct Times {
    timetable: Timetable,
    seen: Option<FilesStamp>,
}

impl Times {
    /// Brings the timetable up to date with the files. What cannot be read now stays as it was; the next look may do better.
    fn look(&mut self, hub: &Hub) {
        let Ok(session) = hub.service.session() else { return };
        let Ok(repo) = hub.service.server.repo() else { return };
        let others = [repo.layout.serve_config()];
        let Ok(stamp) = session.read().workflow_files_stamp(others) else { return };
        if self.seen.as_ref() == Some(&stamp) {
            return;
        }
        let Ok((wanted, broken)) = wanted(hub, &session) else { return };
        self.seen = Some(stamp);
        self.timetable.set(wanted, Timestamp::now());
        let mut state = hub.triggers.locked();
        state.planned = self.timetable.planned();
        state.broken = broken;
    }
}

type Wanted = (Vec<(String, Pattern)>, BTreeMap<String, String>);

/// The workflows with a schedule, and what is wrong with those that have none that can be read.
fn wanted(hub: &Hub, session: &Session) -> Result<Wanted, ErrorReport> {
    let config = config(hub)?;
    let schedules = session.read().workflow_schedules().map_err(|error| error.report())?;
    let (mut wanted, mut broken) = (Vec::new(), BTreeMap::new());
    for WorkflowSchedule { workflow, schedule } in schedules {
        let replaced = config.triggers.get(&workflow).and_then(|trigger| trigger.schedule.clone());
        let Some(text) = replaced.or(schedule) else { continue };
        match Pattern::parse(&text) {
            Ok(pattern) => wanted.push((workflow, pattern)),
            Err(error) => {
                let hint = error.hint().unwrap_or_default();
                broken.insert(workflow, format!("{error}; {hint}"));
            }
        }
    }
    Ok((wanted, broken))
}

fn follow(hub: &Hub, mut times: Times) {
    loop {
        let now = Timestamp::now();
        let until = times.timetable.next().map(|next| next.duration_since(now));
        let until = until.map_or(LOOK, |until| Duration::try_from(until).unwrap_or_default().min(LOOK));
        let state = hub.triggers.locked();
        // Whatever else wakes it: it looks, and goes on waiting.
        let waited = hub.triggers.changed.wait_timeout_while(state, until, |state| !state.ending);
        if waited.map_or_else(|error| error.into_inner().0.ending, |(state, _)| state.ending) {
            return;
        }
        times.look(hub);
        let due = times.timetable.due(Timestamp::now());
        if due.is_empty() {
            continue;
        }
        due.iter().for_each(|due| hub.triggers.schedule(due));
        hub.triggers.locked().planned = times.timetable.planned();
    }
}
