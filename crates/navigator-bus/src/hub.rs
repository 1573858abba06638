//! Wake-ups inside one process: the server publishes after each commit, every subscriber hears.

use futures::{StreamExt, stream::BoxStream};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

use crate::Wakeup;

/// Wake-ups that a slow subscriber may lag behind before it loses some (and resyncs instead).
const CAPACITY: usize = 4096;

#[derive(Clone, Debug)]
pub struct Hub {
    sender: broadcast::Sender<Wakeup>,
}

impl Default for Hub {
    fn default() -> Self {
        Self { sender: broadcast::channel(CAPACITY).0 }
    }
}

impl Hub {
    /// Call after the commit, never inside the transaction.
    pub fn publish(&self, wakeups: impl IntoIterator<Item: Into<Wakeup>>) {
        for wakeup in wakeups {
            // No subscriber is fine: whoever comes later compares revisions.
            let _ = self.sender.send(wakeup.into());
        }
    }

    /// Ends when the subscriber lagged too far behind: it then reconnects and compares revisions.
    pub fn subscribe(&self) -> BoxStream<'static, Wakeup> {
        BroadcastStream::new(self.sender.subscribe())
            .take_while(|item| futures::future::ready(item.is_ok()))
            .filter_map(|item| futures::future::ready(item.ok()))
            .boxed()
    }
}
