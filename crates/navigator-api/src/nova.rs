//! Tells the compute service what became of its servers' ports: empties the outbox that decisions and
//! reports fill. In: pending events of the store. Out: `POST /os-server-external-events`.
//!
//! An event goes once the service has taken it, so one that was committed is sent at least once,
//! whichever server dies when. One server at a time sends, in order, so that of one port the last
//! word is the last one sent.

mod client;

use std::{sync::Arc, time::Duration};

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use navigator_resources::Settings;
use navigator_store::{PendingEvent, Store, StoreError};
use uuid::Uuid;

use client::Failure;
pub use client::NovaClient;

/// Events per request.
const BATCH: u32 = 100;
const LEASE: &str = "server-events";
/// Longer than a request may take. Another server goes on after this if the sender died.
const LEASE_TIME: SignedDuration = SignedDuration::from_secs(30);
/// Nobody waits any more for what happened before this.
const KEPT: SignedDuration = SignedDuration::from_hours(1);
/// A port that is wired waits this long for its DHCP server, then it is up without.
const DHCP_PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Where the compute service is and what it knows us by.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Such as `http://nova.example:8774/v2.1`.
    pub endpoint: String,
    /// For `X-Auth-Token`.
    pub token: String,
}

/// Gets access, such as from the identity service.
pub trait AccessSource: Send + Sync {
    /// The reason why there is none is for the log.
    fn access(&self) -> BoxFuture<'_, Result<Access, String>>;

    /// The token was refused: the next one has to be a new one.
    fn refused(&self, token: &str);
}

/// Always the same, from the configuration.
impl AccessSource for Access {
    fn access(&self) -> BoxFuture<'_, Result<Access, String>> {
        Box::pin(std::future::ready(Ok(self.clone())))
    }

    fn refused(&self, _token: &str) {}
}

/// Sends what there is to send, every `interval`, until it is dropped. Never fails: what does not
/// work now is tried again.
pub async fn tell_nova(
    store: Store,
    source: Arc<dyn AccessSource>,
    client: NovaClient,
    interval: Duration,
) {
    let teller = Teller { store, source, client, holder: Uuid::new_v4().to_string() };
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        while teller.send_some().await {}
    }
}

struct Teller {
    store: Store,
    source: Arc<dyn AccessSource>,
    client: NovaClient,
    holder: String,
}

/// UTC, as the store keeps times.
fn text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Teller {
    /// Sends a batch; whether there may be another one right now.
    async fn send_some(&self) -> bool {
        match self.attempt().await {
            Ok(sent) => sent >= BATCH as usize,
            Err(error) => {
                tracing::warn!(%error, "the compute service's events wait: the database failed");
                false
            }
        }
    }

    /// How many were sent or given up.
    async fn attempt(&self) -> Result<usize, StoreError> {
        let now = Timestamp::now();
        if self.store.pending_server_events(1).await?.is_empty() {
            return Ok(0);
        }
        let until = text(now.saturating_add(LEASE_TIME).unwrap_or(now));
        if !self.store.lease(LEASE, &self.holder, &text(now), &until).await? {
            return Ok(0);
        }
        let outcome = self.batch(now).await;
        // Nobody waits for a sender that is done.
        self.store.lease(LEASE, &self.holder, &text(now), "").await?;
        outcome
    }

    /// Under the lease: what its last holder sent is gone.
    async fn batch(&self, now: Timestamp) -> Result<usize, StoreError> {
        let events = self.store.pending_server_events(BATCH).await?;
        if let Err(failure) = self.deliver(&events).await {
            tracing::warn!(%failure, "the compute service did not take events: they wait");
            self.give_up_old(now).await?;
            return Ok(0);
        }
        let ids: Vec<String> = events.iter().map(|event| event.id.clone()).collect();
        self.store.forget_server_events(&ids).await?;
        Ok(ids.len())
    }

    async fn deliver(&self, events: &[PendingEvent]) -> Result<(), Failure> {
        let access = self.source.access().await.map_err(Failure::NoAccess)?;
        let sent = self.client.send(&access, events).await;
        if let Err(Failure::Unauthorized) = &sent {
            self.source.refused(&access.token);
        }
        sent
    }

    async fn give_up_old(&self, now: Timestamp) -> Result<(), StoreError> {
        let before = text(now.saturating_sub(KEPT).unwrap_or(now));
        let dropped = self.store.drop_server_events(&before).await?;
        if dropped > 0 {
            tracing::warn!(dropped, "gave up events that the compute service did not take");
        }
        Ok(())
    }
}

/// Ends the wait of ports whose DHCP server does not say that it knows them. Until it is dropped.
pub async fn release_waiting_ports(store: Store, settings: Arc<Settings>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(10));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = Timestamp::now();
        let before = text(now.saturating_sub(DHCP_PATIENCE).unwrap_or(now));
        match store.release_waiting_ports(&settings, &text(now), &before).await {
            Ok(ports) if ports.is_empty() => {}
            Ok(ports) => tracing::warn!(?ports, "up although no DHCP server knows them yet"),
            Err(error) => tracing::warn!(%error, "cannot look for ports that wait"),
        }
    }
}
