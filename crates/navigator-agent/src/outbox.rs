//! Reports on their way to the server. Reconciling never waits for them: what was not delivered is
//! merged with what is newer and tried again. A report that the server refuses is dropped, because
//! it is about something that the server no longer has.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use navigator_bus::{BusError, ControlPlane};
use navigator_model::{HostName, ObjectKey, Outcome, Report, Revision, Scope};
use tokio::sync::Notify;

use crate::backoff::Backoff;

#[derive(Debug, PartialEq)]
struct Pending {
    revision: Revision,
    outcomes: BTreeMap<ObjectKey, Outcome>,
}

type Waiting = BTreeMap<Scope, Pending>;

#[derive(Default)]
pub(crate) struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A newer outcome replaces an older one of the same object that is still waiting.
    pub(crate) fn add(&self, report: Report) {
        let mut waiting = self.lock();
        let fresh = || Pending { revision: report.revision, outcomes: BTreeMap::new() };
        let pending = waiting.entry(report.scope).or_insert_with(fresh);
        pending.revision = report.revision;
        pending.outcomes.extend(report.outcomes);
        drop(waiting);
        self.changed.notify_one();
    }

    /// The scope is no longer here: nobody needs to hear of it.
    pub(crate) fn forget(&self, scope: &Scope) {
        self.lock().remove(scope);
    }

    fn take(&self) -> Option<Report> {
        let (scope, pending) = self.lock().pop_first()?;
        let outcomes = pending.outcomes.into_iter().collect();
        Some(Report { scope, revision: pending.revision, outcomes })
    }

    /// Puts an undelivered report under what has come since.
    fn put_back(&self, report: Report) {
        let mut waiting = self.lock();
        let fresh = || Pending { revision: report.revision, outcomes: BTreeMap::new() };
        let pending = waiting.entry(report.scope).or_insert_with(fresh);
        for (object, outcome) in report.outcomes {
            pending.outcomes.entry(object).or_insert(outcome);
        }
    }

    /// Delivers until dropped.
    pub(crate) async fn run(&self, server: Arc<dyn ControlPlane>, host: HostName) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let Some(report) = self.take() else {
                self.changed.notified().await;
                continue;
            };
            let scope = report.scope.clone();
            match server.report(&host, report.clone()).await {
                Ok(()) => backoff.reset(),
                Err(BusError::Unreachable(_)) => {
                    self.put_back(report);
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(error) => tracing::warn!(%scope, %error, "a report was not accepted"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> ObjectKey {
        format!("port/{n:08x}-0000-4000-8000-000000000000").parse().unwrap()
    }

    fn report(revision: u64, outcomes: Vec<(ObjectKey, Outcome)>) -> Report {
        Report { scope: Scope::Host("h".into()), revision: Revision(revision), outcomes }
    }

    #[test]
    fn an_undelivered_report_never_hides_a_newer_outcome() {
        let outbox = Outbox::default();
        outbox.add(report(1, vec![(key(1), Outcome::Down), (key(2), Outcome::Down)]));
        let undelivered = outbox.take().unwrap();
        outbox.add(report(2, vec![(key(1), Outcome::Active)]));
        outbox.put_back(undelivered);
        let merged = report(2, vec![(key(1), Outcome::Active), (key(2), Outcome::Down)]);
        assert_eq!(outbox.take(), Some(merged));
        assert_eq!(outbox.take(), None);
    }
}
