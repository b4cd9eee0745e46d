//! What everything that waits for the network has in common: it ends with its runtime.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;

use crate::gate::{Completer, Env, HostError, HostResult};
use marsh_allocator as allocator;

/// Held by [`Env`]: dropping it ends every task of [`run`].
pub(crate) struct Alive(Arc<watch::Sender<()>>);

impl Default for Alive {
    fn default() -> Alive {
        Alive(Arc::new(watch::Sender::new(())))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_replace(());
        if self.0.receiver_count() == 0 {
            return;
        }
        // The tasks end on the I/O thread, later than the thread of their runtime, and what they held with them.
        let tasks = Arc::clone(&self.0);
        if let Ok(io) = crate::io::handle() {
            io.spawn(async move {
                tasks.closed().await;
                allocator::give_back();
            });
        }
    }
}

/// Runs `work` until it ends or the runtime does.
pub(crate) fn spawn(env: &Env, work: impl Future<Output = ()> + Send + 'static) -> Result<(), HostError> {
    let mut alive = env.alive.0.subscribe();
    crate::io::handle()?.spawn(async move {
        tokio::select! {
            biased;
            () = work => {}
            _ = alive.changed() => {}
        }
    });
    Ok(())
}

/// Complete `done` with what `work` comes to, unless the runtime ends first; then `work` is dropped where it waits, and
/// with it its sockets.
pub(crate) fn run(
    env: &Env,
    done: Completer,
    work: impl Future<Output = HostResult> + Send + 'static,
) -> Result<(), HostError> {
    let mut alive = env.alive.0.subscribe();
    crate::io::handle()?.spawn(async move {
        tokio::select! {
            biased;
            result = work => done.done(result),
            _ = alive.changed() => drop(done),
        }
    });
    Ok(())
}
