//! The clients of the local socket, counted. An open connection costs a thread, so there is a bound; when it is reached, the
//! client that has been idle longest makes room (`tests/serve/lifecycle.rs` of the binary).

use std::collections::HashMap;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use marsh_types::ignore;

/// Connections at once.
pub(crate) const MAX_CLIENTS: usize = 200;

/// The clients that are connected.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    clock: AtomicU64,
    connected: Mutex<HashMap<u64, Connected>>,
}

#[derive(Debug)]
struct Connected {
    stream: UnixStream,
    activity: Arc<Activity>,
}

/// What a client does.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// When it last asked for something, by the clock of all clients.
    last: AtomicU64,
    requests: AtomicU64,
}

impl Activity {
    /// A request began.
    pub fn begin(&self, clients: &Clients) {
        self.last.store(clients.tick(), Ordering::SeqCst);
        self.requests.fetch_add(1, Ordering::SeqCst);
    }

    /// A request was answered.
    pub fn end(&self) {
        self.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Clients {
    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }

    /// A new client, and its number. `None`: there is no room, as every client waits for an answer.
    pub fn connect(&self, stream: &UnixStream) -> std::io::Result<Option<(u64, Arc<Activity>)>> {
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        if connected.len() >= MAX_CLIENTS {
            let idle =
                connected.iter().filter(|(_, client)| client.activity.requests.load(Ordering::SeqCst) == 0);
            let oldest = idle.min_by_key(|(_, client)| client.activity.last.load(Ordering::SeqCst));
            let Some(key) = oldest.map(|(key, _)| *key) else { return Ok(None) };
            if let Some(client) = connected.remove(&key) {
                ignore(client.stream.shutdown(Shutdown::Both), "the client may be gone already");
            }
        }
        let key = self.tick();
        let activity = Arc::new(Activity::default());
        activity.last.store(key, Ordering::SeqCst);
        connected.insert(key, Connected { stream: stream.try_clone()?, activity: Arc::clone(&activity) });
        Ok(Some((key, activity)))
    }

    /// A client is gone.
    pub fn disconnect(&self, key: u64) {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
    }
}
