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
mod find;
mod lately;
mod listing;
mod load;
mod migrations;
mod notices;
mod pool;
mod prune;
mod quota;
mod report;
mod server_event;
mod sql;
mod table;
mod write;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use navigator_model::{Fetched, Heartbeat, HostName, ProjectId, Report, Revision, Scope};
use navigator_resources::{Caller, Context, Declaration, Facts, Row, Settings, Stop, Writes};

pub use agents::Heard;
pub use decide::Request;
pub use error::{DecideError, StoreError};
pub use figures::Figures;
pub use listing::{Bound, Columns, Direction, FixedIpFilter, Listing, Paging, TagFilter};
pub use migrations::Schema;
pub use notices::{LONGEST_NOTICE, Notices};
pub use quota::Limits;
pub use server_event::PendingEvent;

use backend::Backend;
use figures::Counters;
use find::Finds;
use lately::Lately;
use report::Hearing;

/// How long requests wait for a connection while nobody gets one.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// A handle on the database; clones share its connections.
#[derive(Clone)]
pub struct Store {
    backend: Arc<Backend>,
    counters: Arc<Counters>,
    finds: Finds,
    lately: Lately,
}

impl Store {
    /// `sqlite:/path/file.sqlite`, `sqlite::memory:` (gone with the store) or `postgres://…`.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::connect_with_patience(url, PATIENCE).await
    }

    /// The same; while PostgreSQL gives nobody a connection, callers wait that long for theirs before
    /// they are told [`StoreError::Unavailable`].
    pub async fn connect_with_patience(url: &str, patience: Duration) -> Result<Self, StoreError> {
        let backend = Arc::new(Backend::connect(url, patience).await?);
        let (finds, lately) = (Finds::default(), Lately::default());
        Ok(Self { backend, counters: Arc::default(), finds, lately })
    }

    /// Brings the schema up to date. Safe when several servers do it at once.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        migrations::run(&self.backend).await
    }

    /// What has been applied of the schema, and what this version wants beyond it. Changes nothing.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        migrations::schema(&self.backend).await
    }

    /// Hears from now on what the database's servers [`notify`](Self::notify). `None`: this database has
    /// one server only.
    pub async fn listen(&self) -> Result<Option<Notices>, StoreError> {
        Notices::listen(&self.backend).await
    }

    /// Tells whoever listens, the caller included. At most [`LONGEST_NOTICE`] bytes.
    pub async fn notify(&self, text: &str) -> Result<(), StoreError> {
        notices::notify(&self.backend, text).await
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

    /// One of them: by the key that its URL has, if the conditions say it. Those who ask at the same time
    /// share statements.
    pub async fn find(
        &self,
        declaration: &'static Declaration,
        listing: Listing,
    ) -> Result<Option<Row>, StoreError> {
        let is_for_rules = listing.columns == Columns::Facts && self.backend.is_postgres();
        let row = self.finds.find(&self.backend, declaration, listing).await?;
        if let Some(row) = row.as_ref().filter(|_| is_for_rules) {
            self.lately.saw(declaration.table, row);
        }
        Ok(row)
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
        T: Send + Sync,
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
        T: Send + Sync,
        F: FnMut(usize, &Facts, &Context<'_>) -> Result<(T, Writes), Stop> + Send,
    {
        let request = Request { caller, settings, now, created: &[] };
        let decided = decide::decide_all(self, request, count, decide, |_, _| Ok(()));
        let (values, (), moved) = decided.await?;
        Ok((values, moved))
    }

    /// The same for a request that may say what it creates. Answers with what `outcome`
    /// makes of the decisions' values and of facts as all of them left these, whoever comes next. It takes no
    /// locks.
    pub async fn decide_and_show<T, S, F, O>(
        &self,
        request: Request<'_>,
        count: usize,
        decide: F,
        outcome: O,
    ) -> Result<(S, Vec<(Scope, Revision)>), DecideError>
    where
        T: Send + Sync,
        S: Send,
        F: FnMut(usize, &Facts, &Context<'_>) -> Result<(T, Writes), Stop> + Send,
        O: Fn(&[T], &Facts) -> Result<S, Stop> + Send + Sync,
    {
        let (_, shown, moved) = decide::decide_all(self, request, count, decide, outcome).await?;
        Ok((shown, moved))
    }

    /// The limits that were set for projects, of those that have any.
    pub async fn all_quotas(&self) -> Result<BTreeMap<ProjectId, Limits>, StoreError> {
        quota::all(&self.backend).await
    }

    /// The limits that were set for this project.
    pub async fn quotas(&self, project: &ProjectId) -> Result<Limits, StoreError> {
        quota::of(&self.backend, project).await
    }

    pub async fn set_quotas(
        &self,
        project: &ProjectId,
        limits: &BTreeMap<&'static str, i64>,
    ) -> Result<(), StoreError> {
        quota::set(&self.backend, project, limits).await
    }

    /// Back to the defaults; whether any limit was set.
    pub async fn reset_quotas(&self, project: &ProjectId) -> Result<bool, StoreError> {
        quota::reset(&self.backend, project).await
    }

    /// How many objects of each of these resources the project has.
    pub async fn used(
        &self,
        project: &ProjectId,
        declarations: &[&'static Declaration],
    ) -> Result<Vec<i64>, StoreError> {
        quota::used(&self.backend, project, declarations).await
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

    /// Sets status and reason of the objects where they differ. What a host says of a port counts
    /// only for that host's part.
    pub async fn report(
        &self,
        host: &HostName,
        report: &Report,
        settings: &Settings,
        now: &str,
    ) -> Result<(), StoreError> {
        report::report(&self.backend, &Hearing { host, report, settings, now }).await
    }

    /// Ports that were wired before a time and wait for a DHCP server since: they are up from now on.
    /// Answers with their ids. Times are UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub async fn release_waiting_ports(
        &self,
        settings: &Settings,
        now: &str,
        before: &str,
    ) -> Result<Vec<String>, StoreError> {
        report::release(&self.backend, settings, now, before).await
    }

    /// The oldest events that the compute service has not taken yet.
    pub async fn pending_server_events(&self, limit: u32) -> Result<Vec<PendingEvent>, StoreError> {
        server_event::pending(&self.backend, limit).await
    }

    /// Nobody waits for these events any more.
    pub async fn forget_server_events(&self, ids: &[String]) -> Result<(), StoreError> {
        server_event::forget(&self.backend, ids).await
    }

    /// Forgets events that were written before a time; how many there were.
    pub async fn drop_server_events(&self, before: &str) -> Result<u64, StoreError> {
        server_event::drop_older(&self.backend, before).await
    }

    /// Takes a lease, or keeps it, until a time. False while another holder has it.
    pub async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: &str,
        until: &str,
    ) -> Result<bool, StoreError> {
        server_event::lease(&self.backend, name, holder, now, until).await
    }

    /// Forgets the scopes whose router or network was found gone at `before` or earlier; to be called
    /// now and then. How many there were. Both times are UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub async fn prune(&self, now: &str, before: &str) -> Result<u64, StoreError> {
        prune::prune(&self.backend, now, before).await
    }
}
