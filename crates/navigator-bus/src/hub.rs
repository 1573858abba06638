//! Wake-ups inside one process: the server publishes after each commit, every subscriber hears. What
//! other servers published comes in by `hear`, and `published` is what they should be told.

use futures::{StreamExt, future, stream::BoxStream};
use tokio::sync::broadcast;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::Wakeup;

/// Wake-ups that a slow subscriber may lag behind before it loses some (and resyncs instead).
const CAPACITY: usize = 4096;

#[derive(Clone, Debug)]
pub struct Hub {
    /// `None` ends every stream.
    agents: broadcast::Sender<Option<Wakeup>>,
    servers: broadcast::Sender<Wakeup>,
}

/// Wake-ups were lost: whoever should have heard them has to compare revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl Default for Hub {
    fn default() -> Self {
        Self { agents: broadcast::channel(CAPACITY).0, servers: broadcast::channel(CAPACITY).0 }
    }
}

impl Hub {
    /// Call after the commit, never inside the transaction.
    pub fn publish(&self, wakeups: impl IntoIterator<Item: Into<Wakeup>>) {
        for wakeup in wakeups {
            let wakeup = wakeup.into();
            // No subscriber is fine: whoever comes later compares revisions.
            let _ = self.servers.send(wakeup.clone());
            let _ = self.agents.send(Some(wakeup));
        }
    }

    /// What another server published.
    pub fn hear(&self, wakeups: impl IntoIterator<Item = Wakeup>) {
        for wakeup in wakeups {
            let _ = self.agents.send(Some(wakeup));
        }
    }

    /// What another server published may not have been heard: ends the streams of all subscribers,
    /// who then reconnect and compare revisions.
    pub fn missed(&self) {
        let _ = self.agents.send(None);
    }

    /// Ends when the subscriber lagged too far behind: it then reconnects and compares revisions.
    pub fn subscribe(&self) -> BoxStream<'static, Wakeup> {
        BroadcastStream::new(self.agents.subscribe())
            .take_while(|item| future::ready(matches!(item, Ok(Some(_)))))
            .filter_map(|item| future::ready(item.ok().flatten()))
            .boxed()
    }

    /// What this server publishes from now on, for the others.
    pub fn published(&self) -> BoxStream<'static, Result<Wakeup, Lost>> {
        let lost = |BroadcastStreamRecvError::Lagged(_)| Lost;
        BroadcastStream::new(self.servers.subscribe()).map(move |item| item.map_err(lost)).boxed()
    }
}
