//! What the servers of one database tell each other, through the database: which scopes moved, so that
//! an agent hears of every change at once, whichever server made it and whichever it is connected to.
//!
//! In: what this server publishes, and the others' notices. Out: notices, and to the hub what others
//! published. A notice that is lost costs latency only: where one may have been, agents compare
//! revisions. A server that knows of no other tells nothing but that it is there.

mod said;

use std::{collections::HashMap, time::Duration};

use futures::{
    StreamExt as _, future,
    stream::{BoxStream, ReadyChunks},
};
use navigator_bus::{Hub, Lost, Wakeup};
use navigator_store::{Notices, Store, StoreError};
use said::Said;
use tokio::{
    select,
    time::{Instant, interval, sleep},
};
use uuid::Uuid;

/// Every server says so often that it is there.
const BEAT: Duration = Duration::from_secs(10);
/// A server that has not been heard for this long is gone, and if it is oneself, the connection is.
const SILENCE: Duration = Duration::from_secs(35);
const PAUSE: Duration = Duration::from_secs(1);
/// Wake-ups that are told at once if so many are waiting.
const BATCH: usize = 256;

/// Run it beside the server until that ends.
pub async fn tell_servers(store: Store, hub: Hub) {
    let mut told = false;
    loop {
        let error = match store.listen().await {
            Ok(None) => return future::pending().await,
            Ok(Some(notices)) => {
                told = false;
                Talk::new(&store, &hub, notices).go_on().await
            }
            Err(error) => error,
        };
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(%error, "hearing nothing of other servers: agents find by themselves what moved");
        }
        sleep(PAUSE).await;
    }
}

/// As long as a connection lasts.
struct Talk<'a> {
    store: &'a Store,
    hub: &'a Hub,
    notices: Notices,
    /// Whatever waits at a time.
    published: ReadyChunks<BoxStream<'static, Result<Wakeup, Lost>>>,
    own: Uuid,
    servers: Servers,
}

impl<'a> Talk<'a> {
    fn new(store: &'a Store, hub: &'a Hub, notices: Notices) -> Self {
        let (published, own) = (hub.published().ready_chunks(BATCH), Uuid::new_v4());
        Self { store, hub, notices, published, own, servers: Servers::new(own, Instant::now()) }
    }

    /// Until it cannot: why.
    async fn go_on(mut self) -> StoreError {
        let mut beats = interval(BEAT);
        loop {
            let done = select! {
                notice = self.notices.next() => match notice {
                    Ok(text) => self.hear(&text).await,
                    Err(error) => Err(error),
                },
                Some(published) = self.published.next() => self.tell(published).await,
                _ = beats.tick() => self.beat().await,
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    async fn say(&mut self, said: &Said) -> Result<(), StoreError> {
        for text in said.write(self.own) {
            self.store.notify(&text).await?;
        }
        Ok(())
    }

    async fn beat(&mut self) -> Result<(), StoreError> {
        if self.servers.forget(Instant::now(), self.own) {
            return Err(StoreError::Internal("PostgreSQL does not pass on notices".to_owned()));
        }
        self.say(&Said::Here).await
    }

    async fn hear(&mut self, text: &str) -> Result<(), StoreError> {
        let Some((server, said)) = Said::read(text) else {
            tracing::warn!(text, "a notice that is no server's");
            return Ok(());
        };
        let is_new = self.servers.heard(server, Instant::now());
        if server == self.own {
            return Ok(());
        }
        match said {
            Said::Moved(wakeups) => self.hub.hear(wakeups),
            Said::Lost => self.hub.missed(),
            Said::Here => {}
        }
        // Whoever did not know it told it nothing; in return it will say the same.
        if is_new { self.say(&Said::Lost).await } else { Ok(()) }
    }

    async fn tell(&mut self, published: Vec<Result<Wakeup, Lost>>) -> Result<(), StoreError> {
        if self.servers.are_alone() {
            return Ok(());
        }
        match published.into_iter().collect() {
            Ok(wakeups) => self.say(&Said::Moved(wakeups)).await,
            Err(Lost) => self.say(&Said::Lost).await,
        }
    }
}

/// When each server was last heard, this one included.
struct Servers(HashMap<Uuid, Instant>);

impl Servers {
    fn new(own: Uuid, now: Instant) -> Self {
        Self(HashMap::from([(own, now)]))
    }

    /// Whether it was not known.
    fn heard(&mut self, server: Uuid, now: Instant) -> bool {
        self.0.insert(server, now).is_none()
    }

    fn are_alone(&self) -> bool {
        self.0.len() < 2
    }

    /// Those that have been silent for long. Whether this one is among them.
    fn forget(&mut self, now: Instant, own: Uuid) -> bool {
        self.0.retain(|server, heard| *server == own || now - *heard < SILENCE);
        self.0.get(&own).is_none_or(|heard| now - *heard >= SILENCE)
    }
}
