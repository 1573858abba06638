//! The short way: one forward among 50,000 costs one forward. Taken only when the server's word is
//! the only cause, the kernel was in sync, the monitors are on, and the ruleset's generation is
//! still the one that we left: then the kernel has what was rendered last, and the difference of
//! the renderings is the plan.

use std::collections::{BTreeMap, BTreeSet};

use navigator_model::{ObjectKey, Outcome};
use navigator_render::Increment;
use navigator_state::Plan;

use super::{Converged, Machine, Task, refused};
use crate::{
    apply::apply,
    host::Applied,
    replica::Changed,
    scope_state::{Remembered, ScopeState},
};

impl Machine {
    /// `None` when the long way has to be taken.
    pub(super) fn increment(&self, state: &mut ScopeState, task: &Task<'_>) -> Option<Converged> {
        let Changed::Objects(changed) = &task.changed else { return None };
        let trusted = task.causes.only_revision()
            && state.in_sync.as_ref().is_some_and(|(_, services)| services == task.services);
        let mut remembered = state.remembered.take().filter(|_| trusted)?;
        if self.generation(task.scope) != Some(remembered.generation) {
            return None;
        }
        let increment = remembered.rendering.change(state.snapshot.as_ref()?, changed)?;
        Some(self.follow(state, task, changed, remembered, increment))
    }

    fn follow(
        &self,
        state: &mut ScopeState,
        task: &Task<'_>,
        changed: &[ObjectKey],
        remembered: Remembered,
        increment: Increment,
    ) -> Converged {
        let applied = apply(&*self.host, &Plan::new(task.scope.clone(), increment.steps.clone()));
        let refused = refused(task.scope, &applied);
        let Some(snapshot) = &state.snapshot else { return Converged::default() };
        let revision = snapshot.revision;
        let errors = errors(&increment, &applied);
        let before = state.reported_errors().into_iter();
        let concerned: BTreeSet<ObjectKey> =
            before.chain(changed.iter().copied()).chain(errors.keys().copied()).collect();
        let outcome = |key: &ObjectKey| match errors.get(key) {
            Some(reason) => Outcome::Error(reason.clone()),
            None => Outcome::Active,
        };
        let outcomes = concerned
            .into_iter()
            .map(|key| (key, snapshot.objects.contains_key(&key).then(|| outcome(&key))));
        let outcomes: Vec<_> = outcomes.collect();
        let report = Some(state.report_some(task.scope, revision, outcomes));
        state.in_sync = None;
        if refused == 0 {
            state.in_sync = Some((revision, task.services.clone()));
            let generation = self.generation(task.scope);
            state.remembered = generation.map(|generation| Remembered { generation, ..remembered });
        } else {
            self.metrics.failed();
        }
        Converged { refused, report, ..Converged::default() }
    }
}

/// The first reason of each object that is not as wanted.
fn errors(increment: &Increment, applied: &[Applied]) -> BTreeMap<ObjectKey, String> {
    let problems = increment.problems.iter().map(|p| (p.object, p.reason.clone()));
    let refusals = applied
        .iter()
        .filter_map(|one| one.object.zip(one.result.as_ref().err().map(ToString::to_string)));
    let mut errors = BTreeMap::new();
    for (object, reason) in problems.chain(refusals) {
        errors.entry(object).or_insert(reason);
    }
    errors
}
