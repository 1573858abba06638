//! What became of each object of a snapshot, from what was wanted and what failed. Goes into the
//! agent's report; decides nothing.

use std::collections::BTreeMap;

use navigator_model::{Object, ObjectKey, Outcome, Scope, Snapshot, kernel_name, snapshot::Port};
use navigator_state::{Actual, Desired, Namespace, Problem};

use crate::network;

/// A step or an element change that the kernel refused, or a planned refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `None`: the scope's main object.
    pub object: Option<ObjectKey>,
    pub reason: String,
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self { object: Some(problem.object), reason: problem.reason }
    }
}

/// One outcome for each object of the snapshot that is this host's to report. `actual` is what was
/// observed before or after applying; it only tells which instances' devices are there.
pub fn outcomes(
    snapshot: &Snapshot,
    desired: &Desired,
    actual: &Actual,
    failures: &[Failure],
) -> Vec<(ObjectKey, Outcome)> {
    let errors = errors(snapshot, desired, failures);
    let enabled = enabled(snapshot);
    let states = snapshot.objects.iter().filter_map(|(key, object)| {
        let calm = match object {
            Object::Port(port) => match port_outcome(port, desired, actual)? {
                Outcome::Active if !enabled => Outcome::Down,
                outcome => outcome,
            },
            _ if enabled => Outcome::Active,
            _ => Outcome::Down,
        };
        Some((*key, errors.get(key).map_or(calm, |reason| Outcome::Error((*reason).to_owned()))))
    });
    states.collect()
}

/// The first reason of each object.
fn errors<'a>(
    snapshot: &Snapshot,
    desired: &'a Desired,
    failures: &'a [Failure],
) -> BTreeMap<ObjectKey, &'a str> {
    let main = match snapshot.scope {
        Scope::Router(id) => Some(ObjectKey::Router(id)),
        Scope::Network(id) => Some(ObjectKey::Network(id)),
        Scope::Host(_) => None,
    };
    // A failure of something that the snapshot no longer has, or of a router's own port, which the
    // router's scope does not list, is the main object's.
    let place = |object: Option<ObjectKey>| {
        object.filter(|object| snapshot.objects.contains_key(object)).or(main)
    };
    let problems = desired.problems.iter().map(|p| (Some(p.object), p.reason.as_str()));
    let failures = failures.iter().map(|f| (f.object, f.reason.as_str()));
    let mut errors = BTreeMap::new();
    for (object, reason) in problems.chain(failures) {
        if let Some(object) = place(object) {
            errors.entry(object).or_insert(reason);
        }
    }
    errors
}

fn enabled(snapshot: &Snapshot) -> bool {
    snapshot.objects.values().all(|object| match object {
        Object::Router(router) => router.admin_state_up,
        Object::Network(network) => network.admin_state_up,
        _ => true,
    })
}

/// `None` for a port that is not on this host: its own host reports it. A port is active once its
/// device is there and belongs into our bridge; who put it there does not matter.
fn port_outcome(port: &Port, desired: &Desired, actual: &Actual) -> Option<Outcome> {
    let host = desired.namespaces.get(&Namespace::Host)?;
    let name = kernel_name::tap(port.id);
    let wanted = host.bridge_ports.get(&name)?;
    let found = actual.namespaces.get(&Namespace::Host);
    let there = found.is_some_and(|found| found.links.contains_key(&name))
        || network::own_taps(desired).contains(name.as_str());
    let active = wanted.up && port.admin_state_up && there;
    Some(if active { Outcome::Active } else { Outcome::Down })
}
