//! One scope to its desired state: render, observe, plan, apply. Blocking. The same code runs after
//! an event, after a restart and on the timer; only how closely it has to look differs.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use navigator_model::{Report, Scope, Snapshot};
use navigator_render::{HostConfig, Serve};
use navigator_state::{Actual, Desired, LinkKind, Plan, Step, plan};

use crate::{
    AgentMetrics, Role,
    apply::apply,
    assignment::Services,
    describe::Described,
    host::{Applied, Host, HostError},
    host_links::{self, HostLinks},
    own_changes::OwnChanges,
    queue::Causes,
    replica::Changed,
    scope_state::{Remembered, ScopeState},
};

mod increment;
mod outcome;

pub(crate) struct Machine {
    pub(crate) host: Arc<dyn Host>,
    pub(crate) config: HostConfig,
    pub(crate) links: HostLinks,
    pub(crate) own_changes: OwnChanges,
    pub(crate) metrics: Arc<AgentMetrics>,
    /// Whether foreign changes are heard of. If not, nothing is remembered of the kernel.
    pub(crate) watching: AtomicBool,
}

/// How a reconcile ended.
#[derive(Debug, Default)]
pub(crate) struct Converged {
    pub(crate) refused: usize,
    pub(crate) report: Option<Report>,
    /// The host's ends of pairs that were made: a network may wait for them.
    pub(crate) arrived: Vec<String>,
}

/// What one reconcile is about.
pub(crate) struct Task<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) services: &'a Services,
    pub(crate) changed: Changed,
    pub(crate) causes: Causes,
}

impl Machine {
    /// What would be done, without doing it.
    pub(crate) fn plan(
        &self,
        scope: &Scope,
        snapshot: Option<(&Snapshot, &Services)>,
    ) -> Result<(Desired, Actual, Plan), HostError> {
        let desired = match snapshot {
            Some((snapshot, services)) => {
                navigator_render::render(snapshot, &self.config, serve(services))
            }
            None => Desired::nothing(scope.clone()),
        };
        let actual = self.host.observe(scope, &desired)?;
        let plan = plan(&desired, &actual);
        Ok((desired, actual, plan))
    }

    /// Nothing happens to a scope of which no snapshot is held.
    pub(crate) fn converge(&self, state: &mut ScopeState, task: &Task<'_>) -> Converged {
        let Some(revision) = state.snapshot.as_ref().map(|snapshot| snapshot.revision) else {
            return Converged::default();
        };
        let known = state.in_sync == Some((revision, task.services.clone()));
        if task.causes.only_revision() && known && task.changed == Changed::Nothing {
            return Converged::default();
        }
        self.metrics.reconciled();
        if let Some(converged) = self.increment(state, task) {
            self.metrics.reconciled_incrementally();
            return converged;
        }
        let converged = self.recompute(state, task, known);
        if converged.refused > 0 {
            self.metrics.failed();
        }
        converged
    }

    fn recompute(&self, state: &mut ScopeState, task: &Task<'_>, was_in_sync: bool) -> Converged {
        let remembered = state.remembered.take();
        let in_sync = state.in_sync.take();
        let Some(snapshot) = &state.snapshot else { return Converged::default() };
        let revision = snapshot.revision;
        let desired = navigator_render::render(snapshot, &self.config, serve(task.services));
        // Before looking at the kernel: a device that appears after the look must find us.
        self.links.replace(task.scope, host_links::names(&desired));
        self.host.watch(&desired);
        let actual = match self.host.observe(task.scope, &desired) {
            Ok(actual) => actual,
            Err(error) => {
                let outcomes = outcome::unobserved(snapshot, &error);
                let report = state.report_all(task.scope, revision, outcomes, &|_| true);
                tracing::error!(scope = %task.scope, %error, "cannot look");
                // Perhaps it is going away under our eyes: what is then missing is drift.
                state.in_sync = in_sync;
                return Converged { refused: 1, report, ..Converged::default() };
            }
        };
        let plan = plan(&desired, &actual);
        if was_in_sync {
            self.tell_drift(state, &desired, &plan);
        }
        let applied = self.apply(&plan);
        self.host.watch(&desired);
        let refused = refused(task.scope, &applied) + plan.refused.len();
        let outcomes = outcome::of(snapshot, &desired, &actual, &plan, &applied);
        let named: BTreeSet<_> = match &task.changed {
            Changed::Objects(keys) => keys.iter().collect(),
            Changed::Nothing | Changed::Everything => BTreeSet::new(),
        };
        let changed = |key: &_| task.changed == Changed::Everything || named.contains(key);
        let report = state.report_all(task.scope, revision, outcomes, &changed);
        if refused == 0 {
            state.in_sync = Some((revision, task.services.clone()));
            let same = if was_in_sync { remembered } else { None };
            state.remembered = self.remember(state, task.scope, same);
        }
        Converged { refused, report, arrived: arrived(&plan) }
    }

    /// Removes all that carries the scope's mark.
    pub(crate) fn remove(&self, scope: &Scope) -> Result<Converged, HostError> {
        self.metrics.reconciled();
        let (_, _, plan) = self.plan(scope, None)?;
        if !plan.is_empty() {
            tracing::info!(%scope, steps = plan.steps.len(), "no longer served here: removing");
        }
        let applied = self.apply(&plan);
        let refused = refused(scope, &applied);
        if refused > 0 {
            self.metrics.failed();
        } else {
            self.links.replace(scope, BTreeSet::new());
            self.host.watch(&Desired::nothing(scope.clone()));
        }
        Ok(Converged { refused, ..Converged::default() })
    }

    fn apply(&self, plan: &Plan) -> Vec<Applied> {
        if plan.is_empty() {
            return Vec::new();
        }
        self.own_changes.during(&plan.scope, || apply(&*self.host, plan))
    }

    /// After everything was applied: what the next change may build on.
    fn remember(
        &self,
        state: &ScopeState,
        scope: &Scope,
        same: Option<Remembered>,
    ) -> Option<Remembered> {
        if !matches!(scope, Scope::Router(_)) || !self.watching.load(Relaxed) {
            return None;
        }
        let generation = self.generation(scope)?;
        let anew = || {
            let snapshot = state.snapshot.as_ref()?;
            navigator_render::router::RouterRendering::new(snapshot)
        };
        let rendering = same.map(|remembered| remembered.rendering).or_else(anew);
        rendering.map(|rendering| Remembered { rendering, generation })
    }

    /// Not knowing it only costs the short way.
    fn generation(&self, scope: &Scope) -> Option<u32> {
        let generation = self.host.generation(scope);
        generation.unwrap_or_else(|error| {
            tracing::warn!(%scope, %error, "the ruleset's generation is not readable");
            None
        })
    }

    fn tell_drift(&self, state: &ScopeState, desired: &Desired, plan: &Plan) {
        let is_drift = |step: &&Step| {
            step.object.is_some_and(|port| state.is_active(port)) || !is_arrival(desired, step)
        };
        let drift: Vec<_> = plan.steps.iter().filter(is_drift).collect();
        if drift.is_empty() {
            return;
        }
        self.metrics.drift_repaired(drift.len());
        for step in drift {
            tracing::warn!(scope = %plan.scope, missing = %Described(step), "repairing drift");
        }
    }
}

/// Taking somebody's device into a bridge when it shows up is not a repair.
fn is_arrival(desired: &Desired, step: &Step) -> bool {
    use navigator_state::Action::{SetMaster, SetMtu, SetUp};
    match &step.action {
        SetMaster { namespace, name, .. }
        | SetMtu { namespace, name, .. }
        | SetUp { namespace, name, .. } => {
            let wanted = desired.namespaces.get(namespace);
            wanted.is_some_and(|wanted| wanted.bridge_ports.contains_key(name))
        }
        _ => false,
    }
}

fn arrived(plan: &Plan) -> Vec<String> {
    let made = plan.steps.iter().filter_map(|step| match &step.action {
        navigator_state::Action::CreateLink { link, .. } => match &link.kind {
            LinkKind::Veth { peer } => Some(peer.clone()),
            _ => None,
        },
        _ => None,
    });
    made.collect()
}

/// Counts and logs what the host refused.
fn refused(scope: &Scope, applied: &[Applied]) -> usize {
    let errors = applied.iter().filter_map(|one| one.result.as_ref().err().map(|e| (one, e)));
    errors
        .map(|(one, error)| match one.object {
            Some(object) => tracing::error!(%scope, %object, %error, "refused"),
            None => tracing::error!(%scope, %error, "refused"),
        })
        .count()
}

fn serve(services: &Services) -> Serve {
    if services.contains(&Role::Dhcp) {
        Serve::WireAndDhcp
    } else if services.is_empty() {
        Serve::Nothing
    } else {
        Serve::Wire
    }
}
