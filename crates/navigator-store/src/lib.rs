//! The database: rows of declared resources, decisions run as transactions, allocators, the change
//! log and what agents fetch of it. SQLite and PostgreSQL, one SQL text.
//!
//! Goes in: declarations, pure decisions, agents' reports. Comes out: rows, and after a commit the
//! scopes that moved on with their new revisions. The store never decides anything about a
//! resource and never publishes wake-ups itself.

mod agents;
mod allocate;
mod backend;
mod change_log;
mod decide;
mod decode;
mod error;
mod fetch;
mod figures;
mod listing;
mod load;
mod migrations;
mod prune;
mod sql;
mod table;
mod write;

use std::sync::Arc;

use navigator_model::{Fetched, Heartbeat, HostName, Report, Revision, Scope};
use navigator_resources::{Caller, Context, Declaration, Facts, Row, Settings, Stop, Writes};

pub use agents::Heard;
pub use error::{DecideError, StoreError};
pub use figures::Figures;
pub use listing::{Bound, Direction, FixedIpFilter, Listing, Paging};
pub use migrations::Schema;

use backend::Backend;
use decide::Surroundings;
use figures::Counters;

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
    counters: Arc<Counters>,
}

impl Store {
    /// `sqlite:/path/file.sqlite`, `sqlite::memory:` (gone with the store) or `postgres://…`.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        let backend = Arc::new(Backend::connect(url).await?);
        Ok(Self { backend, counters: Arc::default() })
    }

    /// Brings the schema up to date. Safe when several servers do it at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrations::run(&self.backend).await
    }

    /// What has been applied of the schema, and what this version wants beyond it. Changes nothing.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        migrations::schema(&self.backend).await
    }

    /// What this store has done so far.
    pub fn figures(&self) -> Figures {
        self.counters.figures(&self.backend)
    }

    /// Ends all connections. Afterwards every call answers [`StoreError::Unavailable`].
    pub async fn close(&self) {
        self.backend.close().await;
    }

    /// Rows of a resource: the read path of the API.
    pub async fn list(
        &self,
        declaration: &'static Declaration,
        listing: &Listing,
    ) -> Result<Vec<Row>, StoreError> {
        listing::list(&self.backend, declaration, listing).await
    }

    /// Runs a decision to its end in one transaction. It is asked again while it needs facts, and
    /// from the start, with a new seed, when the database wants that; so it must depend on its
    /// arguments only. Answers with its value and the wake-ups to publish.
    pub async fn decide<T, F>(
        &self,
        caller: &Caller,
        settings: &Settings,
        now: &str,
        mut decide: F,
    ) -> Result<(T, Vec<(Scope, Revision)>), DecideError>
    where
        T: Send,
        F: FnMut(&Facts, &Context<'_>) -> Result<(T, Writes), Stop> + Send,
    {
        let (mut values, reached) = self
            .decide_all(caller, settings, now, 1, |_, facts, context| decide(facts, context))
            .await?;
        let missing = || StoreError::Internal("a decision without a value".to_owned());
        Ok((values.pop().ok_or_else(missing)?, reached))
    }

    /// Runs decisions 0 to `count` in one transaction, in order: each sees what those before it
    /// wrote, and all are refused if one is.
    pub async fn decide_all<T, F>(
        &self,
        caller: &Caller,
        settings: &Settings,
        now: &str,
        count: usize,
        decide: F,
    ) -> Result<(Vec<T>, Vec<(Scope, Revision)>), DecideError>
    where
        T: Send,
        F: FnMut(usize, &Facts, &Context<'_>) -> Result<(T, Writes), Stop> + Send,
    {
        let surroundings = Surroundings { counters: &self.counters, caller, settings, now };
        decide::decide_all(&self.backend, surroundings, count, decide).await
    }

    /// A scope as of now: complete, or what changed since a revision if that is still known.
    pub async fn fetch(
        &self,
        host: &HostName,
        scope: &Scope,
        since: Option<Revision>,
    ) -> Result<Fetched, StoreError> {
        fetch::fetch(&self.backend, host, scope, since).await
    }

    /// The current revision of everything that the host serves, its own scope first.
    pub async fn revisions(&self, host: &HostName) -> Result<Vec<(Scope, Revision)>, StoreError> {
        fetch::revisions(&self.backend, host).await
    }

    /// Whether the host renders the scope: it is its own, or one of its duties.
    pub async fn serves(&self, host: &HostName, scope: &Scope) -> Result<bool, StoreError> {
        fetch::serves(&self.backend, host, scope).await
    }

    /// Registers the host's roles as alive.
    pub async fn heartbeat(
        &self,
        heartbeat: &Heartbeat,
        settings: &Settings,
        now: &str,
    ) -> Result<Heard, StoreError> {
        agents::heartbeat(&self.backend, heartbeat, settings, now).await
    }

    /// Sets status and reason of the objects where they differ.
    pub async fn report(&self, report: &Report) -> Result<(), StoreError> {
        agents::report(&self.backend, report).await
    }

    /// Forgets the scopes whose router or network was found gone at `before` or earlier; to be called
    /// now and then. How many there were. Both times are UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub async fn prune(&self, now: &str, before: &str) -> Result<u64, StoreError> {
        prune::prune(&self.backend, now, before).await
    }
}
