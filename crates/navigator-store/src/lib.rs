//! The database: rows of declared resources, decisions run as transactions, allocators, the change
//! log and what agents fetch of it. SQLite and PostgreSQL, one SQL text.
//!
//! Goes in: declarations, pure decisions, agents' reports. Comes out: rows, and after a commit the
//! scopes that moved on with their new revisions. The store never decides anything about a
//! resource and never publishes wake-ups itself.

mod allocate;
mod backend;
mod change_log;
mod decide;
mod error;
mod listing;
mod load;
mod migrations;
mod sql;
mod table;
mod write;

use std::sync::Arc;

use navigator_model::{Revision, Scope};
use navigator_resources::{Caller, Context, Declaration, Facts, Row, Settings, Stop, Writes};

pub use error::{DecideError, StoreError};
pub use listing::{Direction, FixedIpFilter, Listing, Paging};

use backend::Backend;
use decide::Surroundings;

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
}

impl Store {
    /// `sqlite:/path/file.sqlite`, `sqlite::memory:` (gone with the store) or `postgres://…`.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Ok(Self { backend: Arc::new(Backend::connect(url).await?) })
    }

    /// Brings the schema up to date. Safe when several servers do it at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrations::run(&self.backend).await
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
        let surroundings = Surroundings { caller, settings, now };
        decide::decide_all(&self.backend, surroundings, count, decide).await
    }
}
