//! What the agent remembers of one scope between two reconciles: the server's snapshot, what was
//! last told to the server, and, while the kernel's own marks allow it, the rendering that the
//! kernel is known to have. Losing all of it costs a full reconcile and nothing else.

use std::{collections::BTreeMap, time::Duration};

use navigator_model::{ObjectKey, Outcome, Report, Revision, Scope, Snapshot};
use navigator_render::router::RouterRendering;

use crate::{assignment::Services, backoff::Backoff};

/// What was rendered last, and the ruleset generation at which the kernel had exactly that.
pub(crate) struct Remembered {
    pub(crate) rendering: RouterRendering,
    pub(crate) generation: u32,
}

pub(crate) struct ScopeState {
    pub(crate) snapshot: Option<Snapshot>,
    pub(crate) remembered: Option<Remembered>,
    /// What the kernel had in full after the last reconcile.
    pub(crate) in_sync: Option<(Revision, Services)>,
    pub(crate) backoff: Backoff,
    /// `None` until the first report of this process, which tells everything.
    reported: Option<(Revision, BTreeMap<ObjectKey, Outcome>)>,
}

impl ScopeState {
    pub(crate) fn new(snapshot: Option<Snapshot>) -> Self {
        Self {
            snapshot,
            remembered: None,
            in_sync: None,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            reported: None,
        }
    }

    /// The kernel is to be looked at in full.
    pub(crate) fn suspect_kernel(&mut self) {
        self.remembered = None;
        self.in_sync = None;
    }

    /// All outcomes of the scope in, what the server has not heard out. Objects that changed are
    /// told again also with the same outcome: the server may have put them to DOWN meanwhile.
    pub(crate) fn report_all(
        &mut self,
        scope: &Scope,
        revision: Revision,
        outcomes: BTreeMap<ObjectKey, Outcome>,
        changed: &dyn Fn(&ObjectKey) -> bool,
    ) -> Option<Report> {
        let before = self.reported.replace((revision, outcomes));
        let (_, now) = self.reported.as_ref()?;
        let moved = before.as_ref().is_none_or(|(told, _)| *told != revision);
        let news = |(key, outcome): &(&ObjectKey, &Outcome)| {
            let told = before.as_ref().and_then(|(_, told)| told.get(*key));
            told != Some(*outcome) || (moved && changed(key))
        };
        let outcomes: Vec<_> =
            now.iter().filter(news).map(|(key, outcome)| (*key, outcome.clone())).collect();
        let worth_it = moved || !outcomes.is_empty();
        worth_it.then(|| Report { scope: scope.clone(), revision, outcomes })
    }

    /// Outcomes of some objects; `None` for an object that is gone. The others are as they were.
    pub(crate) fn report_some(
        &mut self,
        scope: &Scope,
        revision: Revision,
        outcomes: Vec<(ObjectKey, Option<Outcome>)>,
    ) -> Report {
        let (told, known) = self.reported.get_or_insert_default();
        *told = revision;
        let mut news = Vec::new();
        for (key, outcome) in outcomes {
            match outcome {
                Some(outcome) => {
                    known.insert(key, outcome.clone());
                    news.push((key, outcome));
                }
                None => {
                    known.remove(&key);
                }
            }
        }
        Report { scope: scope.clone(), revision, outcomes: news }
    }

    /// Whether this host had it in order when it last looked.
    pub(crate) fn is_active(&self, object: ObjectKey) -> bool {
        let known = self.reported.as_ref().and_then(|(_, outcomes)| outcomes.get(&object));
        known == Some(&Outcome::Active)
    }

    /// Objects that the server believes to be in error.
    pub(crate) fn reported_errors(&self) -> Vec<ObjectKey> {
        let known = self.reported.iter().flat_map(|(_, outcomes)| outcomes);
        known.filter(|(_, o)| matches!(o, Outcome::Error(_))).map(|(key, _)| *key).collect()
    }
}
