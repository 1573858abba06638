//! Outcomes of a reconcile that looked at everything.

use std::collections::BTreeMap;

use navigator_model::{ObjectKey, Outcome, Scope, Snapshot};
use navigator_render::Failure;
use navigator_state::{Actual, Desired, Plan};

use crate::host::{Applied, HostError};

/// The scope could not even be looked at: its main object says why.
pub(super) fn unobserved(snapshot: &Snapshot, error: &HostError) -> BTreeMap<ObjectKey, Outcome> {
    main_object(&snapshot.scope)
        .map(|key| (key, Outcome::Error(error.to_string())))
        .into_iter()
        .collect()
}

fn main_object(scope: &Scope) -> Option<ObjectKey> {
    match scope {
        Scope::Router(id) => Some(ObjectKey::Router(*id)),
        Scope::Network(id) => Some(ObjectKey::Network(*id)),
        Scope::Host(_) => None,
    }
}

pub(super) fn of(
    snapshot: &Snapshot,
    desired: &Desired,
    actual: &Actual,
    plan: &Plan,
    applied: &[Applied],
) -> BTreeMap<ObjectKey, Outcome> {
    let refused = plan.refused.iter().cloned().map(Failure::from);
    let failed = applied.iter().filter_map(|one| {
        let error = one.result.as_ref().err()?;
        Some(Failure { object: one.object, reason: error.to_string() })
    });
    let failures: Vec<Failure> = refused.chain(failed).collect();
    navigator_render::outcomes(snapshot, desired, actual, &failures).into_iter().collect()
}
