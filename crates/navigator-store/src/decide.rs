//! Runs pure decisions to their end: loads the facts they ask for, asks again, writes what they
//! want written, all in one transaction; and starts over where the database asks for it.

use std::time::Duration;

use navigator_model::{Revision, Scope};
use navigator_resources::{
    Caller, Context, Declaration, DecodeError, Facts, Query, Refusal, Settings, Stop, Writes,
    facts::Fact,
};
use uuid::Uuid;

use crate::{
    Store,
    backend::{Step, Tx},
    change_log::Touched,
    error::{DecideError, Fault, StoreError},
    figures::count,
    lately::Lately,
    load,
    quota::Creation,
    server_event::Noted,
    write::{self, Bumped, Effects, Need, Sent, Statements},
};

/// Attempts of a transaction before the caller is told to come back later.
const ATTEMPTS: u32 = 12;
/// A decision that asks for more facts than this asks in circles.
const MOST_FACTS: usize = 100_000;

/// Who asks, when, under which settings: the same for every attempt.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub caller: &'a Caller,
    pub settings: &'a Settings,
    /// UTC, `YYYY-MM-DDTHH:MM:SSZ`.
    pub now: &'a str,
    /// The resources whose objects it creates: refused if a project would have more of them than its quota.
    pub created: &'a [&'static Declaration],
}

/// Why an attempt ended without a commit.
pub(crate) enum Ended {
    Refused(Refusal),
    /// Nothing was committed and a new attempt may go better.
    Again(StoreError),
    Failed(StoreError),
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        match error.fault() {
            // A reference that broke: what the decision saw has changed since.
            Some(Fault::Contention | Fault::Unique | Fault::Reference | Fault::Unmet) => {
                Self::Again(error)
            }
            _ => Self::Failed(error),
        }
    }
}

impl From<DecodeError> for Ended {
    fn from(error: DecodeError) -> Self {
        Self::Failed(error.into())
    }
}

/// The value of each decision, what the transaction left, and the wake-ups to publish.
pub(crate) type Decided<T, S> = (Vec<T>, S, Vec<(Scope, Revision)>);

/// Decisions in their order. `outcome` is made of their values, and of facts as all of them left these.
pub(crate) async fn decide_all<T, S, F, O>(
    store: &Store,
    request: Request<'_>,
    decisions: usize,
    mut decide: F,
    outcome: O,
) -> Result<Decided<T, S>, DecideError>
where
    T: Send + Sync,
    S: Send,
    F: FnMut(usize, &Facts, &Context<'_>) -> Result<(T, Writes), Stop> + Send,
    O: Fn(&[T], &Facts) -> Result<S, Stop> + Send + Sync,
{
    let counters = &store.counters;
    let mut attempt = 1;
    // SQLite has no round trips to spare.
    let mut sent = if store.backend.is_postgres() { Sent::Together } else { Sent::Alone };
    loop {
        let attempt_made = one_attempt(store, request, decisions, sent, &mut decide, &outcome);
        match attempt_made.await {
            Ok(decided) => {
                count(&counters.committed);
                return Ok(decided);
            }
            Err(Ended::Refused(refusal)) => {
                count(&counters.refused);
                return Err(DecideError::Refused(refusal));
            }
            // Only a statement that goes alone says what was in its way.
            Err(Ended::Again(error)) if sent == Sent::Together && error.is_unexplained() => {
                sent = Sent::Alone;
            }
            Err(ended) => {
                if matches!(ended, Ended::Again(_)) {
                    count(&counters.conflicts);
                }
                retry_later(ended, &mut attempt).await.inspect_err(|_| count(&counters.failed))?;
                count(&counters.retries);
            }
        }
    }
}

/// Waits for the next attempt, or says why there is none.
pub(crate) async fn retry_later(ended: Ended, attempt: &mut u32) -> Result<(), StoreError> {
    match ended {
        Ended::Again(error) if *attempt < ATTEMPTS => {
            tracing::debug!(attempt, %error, "transaction again");
            tokio::time::sleep(pause(*attempt)).await;
            *attempt += 1;
            Ok(())
        }
        Ended::Again(error) | Ended::Failed(error) => Err(error),
        Ended::Refused(refusal) => Err(StoreError::Internal(refusal.to_string())),
    }
}

/// Random, so that those who met once do not meet again; longer each time.
fn pause(attempt: u32) -> Duration {
    let longest_ms = 4_u64 << attempt.min(7);
    Duration::from_millis(rand::random_range(0..=longest_ms))
}

async fn one_attempt<T, S, F, O>(
    store: &Store,
    request: Request<'_>,
    count: usize,
    sent: Sent,
    decide: &mut F,
    outcome: &O,
) -> Result<Decided<T, S>, Ended>
where
    T: Send + Sync,
    S: Send,
    F: FnMut(usize, &Facts, &Context<'_>) -> Result<(T, Writes), Stop> + Send,
    O: Fn(&[T], &Facts) -> Result<S, Stop> + Send + Sync,
{
    let Request { caller, settings, now, created } = request;
    let Store { backend, lately, .. } = store;
    let viewer = &caller.project_id.0;
    let mut tx = backend.write().await?;
    let written = async {
        let mut effects = Effects {
            touched: Touched::default(),
            creation: Creation::new(created, &settings.quotas),
            noted: Noted::of(settings),
            bumped: Bumped::new(),
            statements: Statements::new(sent),
        };
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            // What the one before it wrote is among the facts.
            effects.statements.send(&mut tx).await?;
            // New for each: otherwise two of one kind would get the same ids.
            let context = Context { caller, settings, now, seed: Uuid::new_v4() };
            let (value, writes) =
                settle(&mut tx, viewer, lately, |facts| decide(index, facts, &context)).await?;
            write::execute(&mut tx, writes, now, &mut effects).await?;
            values.push(value);
        }
        let Effects { touched, creation, noted, mut statements, .. } = effects;
        creation.check(&mut tx, &mut statements).await?;
        if noted.reads() {
            statements.send(&mut tx).await?;
        }
        for event in noted.events(&mut tx, now).await? {
            statements.put(&mut tx, event, Need::Nothing).await?;
        }
        let outcome = |facts: &Facts| outcome(&values, facts);
        let shown = shown(&mut tx, viewer, lately, &mut statements, outcome).await?;
        Ok((values, shown, touched, statements.into_waiting()))
    }
    .await;
    let (values, shown, touched, writes) = match written {
        Ok(written) => written,
        Err(ended) => {
            // The connection is cleaned up by the pool if this fails too.
            let _ = tx.rollback().await;
            return Err(ended);
        }
    };
    match shown {
        Shown::Known(shown) => {
            let (moved, _) = touched.commit(tx, backend, writes, Vec::new()).await?;
            Ok((values, shown, moved))
        }
        Shown::Read(queries, steps) => {
            let (moved, rows) = touched.commit(tx, backend, writes, steps).await?;
            let mut facts = Facts::default();
            for (query, rows) in queries.into_iter().zip(rows) {
                facts.insert(query, Fact::Rows(rows));
            }
            let again = |_| StoreError::Internal("an outcome asks once more".to_owned());
            let shown = outcome(&values, &facts).map_err(again)?;
            Ok((values, shown, moved))
        }
    }
}

/// What a transaction leaves, before its commit.
enum Shown<S> {
    Known(S),
    /// It is read by the message that commits: one round trip less, under all of the locks.
    Read(Vec<Query>, Vec<Step<'static>>),
}

async fn shown<S: Send>(
    tx: &mut Tx,
    viewer: &str,
    lately: &Lately,
    statements: &mut Statements,
    outcome: impl Fn(&Facts) -> Result<S, Stop> + Send + Sync,
) -> Result<Shown<S>, Ended> {
    match outcome(&Facts::default()) {
        Ok(shown) => return Ok(Shown::Known(shown)),
        Err(Stop::Need(queries)) => {
            if let Some(steps) = load::reads(tx, &queries, viewer)? {
                return Ok(Shown::Read(queries, steps));
            }
        }
        Err(_) => {}
    }
    statements.send(tx).await?;
    let (shown, _) =
        settle(tx, viewer, lately, |facts| Ok((outcome(facts)?, Writes::new()))).await?;
    Ok(Shown::Known(shown))
}

/// Loads facts until the decision ends.
async fn settle<T, F>(
    tx: &mut Tx,
    viewer: &str,
    lately: &Lately,
    mut decide: F,
) -> Result<(T, Writes), Ended>
where
    T: Send,
    F: FnMut(&Facts) -> Result<(T, Writes), Stop> + Send,
{
    let mut known = Known::default();
    for attempt in 0..MOST_FACTS {
        match decide(&known.facts) {
            Ok(decided) => return Ok(decided),
            Err(Stop::Refuse(refusal)) => return Err(Ended::Refused(refusal)),
            Err(Stop::Corrupt(error)) => return Err(error.into()),
            Err(Stop::Need(mut queries)) => {
                if !tx.is_postgres() {
                    // No lock makes a fact stale there.
                    queries.retain(|query| !known.facts.knows(query));
                } else if attempt == 0 {
                    let next = foreseen(&queries, lately, &mut decide);
                    queries.extend(next);
                }
                let facts = load::load(tx, &queries, viewer).await?;
                for (query, fact) in queries.into_iter().zip(facts) {
                    known.learn(query, fact, tx, lately);
                }
            }
        }
    }
    Err(Ended::Failed(StoreError::Internal("a decision asks in circles".to_owned())))
}

/// What a decision asks for after the rows that it locks, if these are still as they were last seen: it may
/// be asked for along with the locks. If they are not, the decision asks for something else, or again.
fn foreseen<T>(
    queries: &[Query],
    lately: &Lately,
    mut decide: impl FnMut(&Facts) -> Result<(T, Writes), Stop>,
) -> Vec<Query> {
    let mut facts = Facts::default();
    for query in queries {
        let Some(row) = lately.locked(query) else { return Vec::new() };
        facts.insert(query.clone(), Fact::Rows(vec![row]));
    }
    match decide(&facts) {
        // What takes something is asked for when it is certain.
        Err(Stop::Need(next)) if next.iter().all(|next| matches!(next, Query::Rows { .. })) => next,
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Known {
    facts: Facts,
    /// Facts that a lock does not make stale: locked rows, and what was allocated.
    lasting: Vec<(Query, Fact)>,
    /// Whether facts are known that a lock does make stale.
    passing: bool,
}

impl Known {
    /// Where transactions run side by side, what was read before a lock was granted may be older
    /// than what the lock's last holder wrote: it is forgotten, and read again if asked for again.
    fn learn(&mut self, query: Query, fact: Fact, tx: &Tx, lately: &Lately) {
        let locks = query.locks();
        let lasts = locks || !matches!(&query, Query::Rows { .. });
        if locks && tx.is_postgres() && self.passing {
            self.facts = Facts::default();
            for (query, fact) in &self.lasting {
                self.facts.insert(query.clone(), fact.clone());
            }
            self.passing = false;
        }
        if let (true, Query::Rows { table, .. }, Fact::Rows(rows)) = (locks, &query, &fact)
            && let [row] = &rows[..]
            && tx.is_postgres()
        {
            lately.saw(table, row);
        }
        if lasts && tx.is_postgres() {
            self.lasting.push((query.clone(), fact.clone()));
        }
        self.passing |= !lasts;
        self.facts.insert(query, fact);
    }
}
