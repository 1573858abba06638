//! Staying connected to the server: the stream of wake-ups, and, after every gap, a comparison of
//! revisions that finds what the gap swallowed. While the server is away the replicas serve.

use std::{collections::HashMap, sync::atomic::Ordering::Relaxed, time::Duration};

use futures::StreamExt;
use navigator_bus::{BusError, Wakeup};
use navigator_model::{Revision, Scope};

use super::{Inner, Link, lock};
use crate::{backoff::Backoff, queue::Cause};

/// Together with the time that a connection may take, below a second: what changed while the server
/// was away has to be here soon after it is back. Trying costs a server that is away nothing.
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

impl Inner {
    /// Never returns.
    pub(super) async fn stay_connected(&self) {
        let mut backoff = Backoff::new(Duration::from_millis(50), LONGEST_PAUSE);
        loop {
            match self.listen(&mut backoff).await {
                Ok(()) => tracing::warn!("the stream of wake-ups ended: reconnecting"),
                Err(error) => tracing::warn!(%error, "no connection to the server"),
            }
            self.disconnected();
            tokio::time::sleep(backoff.next()).await;
        }
    }

    async fn listen(&self, backoff: &mut Backoff) -> Result<(), BusError> {
        // Subscribed before compared: what moves in between is heard of.
        let mut wakeups = self.server.wakeups(&self.config.host).await?;
        let revisions = self.server.revisions(&self.config.host).await?;
        self.link.store(Link::Up as u8, Relaxed);
        backoff.reset();
        self.compare(revisions.into_iter().collect());
        while let Some(Wakeup { scope, revision }) = wakeups.next().await {
            if self.held(&scope).is_none_or(|held| held < revision) {
                self.queue.wake(scope, Cause::Revision);
            }
        }
        Ok(())
    }

    /// Wakes what is at another revision than ours, in either direction: a restored database goes
    /// back.
    fn compare(&self, revisions: HashMap<Scope, Revision>) {
        self.queue.wake(self.host_scope(), Cause::Duty);
        let held = lock(&self.held).clone();
        for (scope, revision) in revisions {
            if held.get(&scope) != Some(&revision) {
                self.queue.wake(scope, Cause::Revision);
            }
        }
    }

    /// The first time, what the disk holds is put to use.
    fn disconnected(&self) {
        if self.link.swap(Link::Down as u8, Relaxed) == Link::Starting as u8 {
            self.queue.wake(self.host_scope(), Cause::Duty);
        }
    }
}
