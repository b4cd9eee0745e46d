//! What everything that waits for the network has in common: it ends with its runtime.

use std::future::Future;

use tokio::sync::watch;

use crate::gate::{Completer, Env, HostError, HostResult};

/// Held by [`Env`]: dropping it ends every task of [`run`].
pub(crate) struct Alive(watch::Sender<()>);

impl Default for Alive {
    fn default() -> Alive {
        Alive(watch::Sender::new(()))
    }
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
            // Nothing is ever sent; this is the sender's end.
            _ = alive.changed() => drop(done),
        }
    });
    Ok(())
}
