//! One client: its lines in, its answers and events out.
//!
//! A request runs on a thread of its own, so that a client may have many in flight. Whatever way the connection ends,
//! its requests are cancelled, because no client is left for the answers.

use std::collections::HashMap;
use std::io::{BufRead, Read as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use marsh_host_client::CancelToken;
use serde::de::DeserializeOwned;
use serde_json::Value;

use marsh_types::ErrorCode;

use crate::clients::{Activity, Clients};
use crate::error::to_rpc;
use crate::heap_trimmer::HeapTrimmer;
use crate::protocol::{
    CancelParams, Cancelled, EventNotification, Evicted, MAX_LINE, Message, ShutdownAccepted, raw,
};
use crate::reload::Cause;
use crate::service::{Service, to_value};
use crate::triggers::Triggers;
use marsh_api::ErrorReport;

/// What all connections of a server share.
pub struct Hub {
    pub service: Service,
    pub socket: Option<String>,
    /// Tells the server to end.
    pub end: Mutex<Sender<()>>,
    pub ending: AtomicBool,
    pub triggers: Triggers,
    pub(crate) heap_trimmer: HeapTrimmer,
    pub(crate) clients: Clients,
    running: Mutex<Running>,
}

#[derive(Default)]
struct Running {
    next: u64,
    tokens: HashMap<u64, CancelToken>,
}

impl Hub {
    pub fn new(service: Service, socket: Option<String>, end: Sender<()>) -> Hub {
        Hub {
            service,
            socket,
            end: Mutex::new(end),
            ending: AtomicBool::new(false),
            triggers: Triggers::default(),
            heap_trimmer: HeapTrimmer::start(),
            clients: Clients::default(),
            running: Mutex::default(),
        }
    }

    /// Cancels everything that runs.
    pub fn cancel_all(&self, reason: &str) {
        let tokens: Vec<CancelToken> = locked(&self.running).tokens.values().cloned().collect();
        for token in tokens {
            token.cancel(reason);
        }
    }

    pub(crate) fn unregister(&self, key: u64) {
        locked(&self.running).tokens.remove(&key);
    }

    pub(crate) fn register(&self, token: &CancelToken) -> u64 {
        let mut running = locked(&self.running);
        running.next += 1;
        let key = running.next;
        running.tokens.insert(key, token.clone());
        key
    }
}

struct Client {
    hub: Arc<Hub>,
    writer: Mutex<Box<dyn Write + Send>>,
    tokens: Mutex<HashMap<u64, CancelToken>>,
    activity: Arc<Activity>,
}

/// Serves a client until its input ends.
pub(crate) fn serve(
    hub: &Arc<Hub>,
    mut reader: impl BufRead,
    writer: Box<dyn Write + Send>,
    activity: &Arc<Activity>,
) {
    let client = Arc::new(Client {
        hub: Arc::clone(hub),
        writer: Mutex::new(writer),
        tokens: Mutex::default(),
        activity: Arc::clone(activity),
    });
    let mut line = Vec::new();
    loop {
        line.clear();
        match reader.by_ref().take(MAX_LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if line.last() != Some(&b'\n') {
            // Cut short by the end of the input or by the limit: what follows cannot be told apart any more.
            break;
        }
        match serde_json::from_slice::<Message>(&line) {
            Ok(message) => Client::take(&client, message),
            Err(error) => {
                let failure =
                    ErrorReport::new(ErrorCode::BadRequest, format!("invalid request line: {error}"));
                client.send(&Message::notification("error", raw(&failure)));
                break;
            }
        }
    }
    let tokens: Vec<CancelToken> = locked(&client.tokens).drain().map(|(_, token)| token).collect();
    for token in tokens {
        token.cancel("the client went away");
    }
}

impl Client {
    fn take(client: &Arc<Client>, message: Message) {
        let (Some(method), Some(id)) = (message.method, message.id) else { return };
        let params = message.params.as_deref().map_or("null", |params| params.get()).to_owned();
        // Counted first: the thread that ends the server either sees this request and waits for its answer, or has set
        // `ending`, which the next line reads.
        let in_flight = client.hub.service.entered();
        if client.hub.ending.load(Ordering::SeqCst) && method != "status" {
            let failure =
                ErrorReport::new(ErrorCode::ShuttingDown, "the server is ending and takes no more requests");
            client.send(&Message::answer(id, Err(to_rpc(&failure))));
            return;
        }
        let token = CancelToken::new();
        if locked(&client.tokens).insert(id, token.clone()).is_some() {
            let failure = ErrorReport::new(ErrorCode::BadRequest, format!("the id {id} is in use"));
            client.send(&Message::answer(id, Err(to_rpc(&failure))));
            return;
        }
        client.activity.begin(&client.hub.clients);
        let (serving, asking) = (Arc::clone(client), Arc::clone(client));
        let server = tracing::Span::current();
        let started = std::thread::Builder::new().name("request".into()).spawn(move || {
            let client = serving;
            let _request = tracing::info_span!(parent: &server, "request", method, id).entered();
            let hub = Arc::clone(&client.hub);
            let key = hub.register(&token);
            let outcome = client.perform(id, &method, &params, &token);
            let answer = outcome.map(|value| raw(&value)).map_err(|failure| to_rpc(&failure));
            locked(&client.tokens).remove(&id);
            hub.unregister(key);
            client.send(&Message::answer(id, answer));
            client.activity.end();
            drop(in_flight);
            hub.heap_trimmer.schedule();
            if method == "shutdown" {
                hub.ending.store(true, Ordering::SeqCst);
                // Another client asked first, if the receiver is gone.
                locked(&hub.end).send(()).ok();
            }
        });
        if let Err(error) = started {
            locked(&asking.tokens).remove(&id);
            asking.activity.end();
            let failure = ErrorReport::new(
                ErrorCode::RateLimited,
                format!("the server cannot start a thread: {error}"),
            );
            asking.send(&Message::answer(id, Err(to_rpc(&failure))));
        }
    }

    fn perform(
        &self,
        id: u64,
        method: &str,
        params: &str,
        token: &CancelToken,
    ) -> Result<Value, ErrorReport> {
        let service = &self.hub.service;
        let tell = |event: Value| {
            self.send(&Message::notification("event", raw(&EventNotification { id, event })));
        };
        match method {
            "call" => service.call(parse(params)?, token, &tell),
            "workflow" => service.workflow(parse(params)?, token, &tell),
            "resume" => service.resume(parse(params)?, token, &tell),
            "reload" => to_value(&service.reload(Cause::Asked)?),
            "status" => to_value(&service.status(self.hub.socket.clone(), &self.hub.triggers)?),
            "evict" => {
                let params = if params == "null" { Default::default() } else { parse(params)? };
                to_value(&Evicted { evicted: service.evict(&params)? })
            }
            "cancel" => {
                let params: CancelParams = parse(params)?;
                let other = locked(&self.tokens).get(&params.id).cloned();
                if let Some(other) = &other {
                    other.cancel("cancelled by the client");
                }
                to_value(&Cancelled { cancelled: other.is_some() })
            }
            "shutdown" => to_value(&ShutdownAccepted {}),
            other => {
                Err(ErrorReport::new(ErrorCode::UnknownMethod, format!("there is no request `{other}`")))
            }
        }
    }

    fn send(&self, message: &Message) {
        let Ok(line) = message.to_line() else { return };
        let mut writer = locked(&self.writer);
        // A client that does not read any more is gone; the end of its input will say so.
        writer.write_all(&line).and_then(|()| writer.flush()).ok();
    }
}

fn parse<T: DeserializeOwned>(params: &str) -> Result<T, ErrorReport> {
    serde_json::from_str(params)
        .map_err(|error| ErrorReport::new(ErrorCode::BadRequest, format!("bad parameters: {error}")))
}

fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
