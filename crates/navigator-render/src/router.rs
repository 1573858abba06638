//! A router: its namespace, devices, addresses, routes and NAT.
//!
//! A packet to a forward comes in by `qg-`, is checked against the forward's sources before its
//! destination changes, gets the instance's address from the map, is routed to a `qr-` device, and
//! keeps its source unless the instance would send its replies to another router. A packet from an
//! instance leaves by `qg-` with its floating IP or the gateway address as source.
//!
//! A router that is administratively down keeps its namespace, empty: its connections end, and
//! nothing else has to be made anew when it comes back.

mod device;
mod element;
mod increment;
mod route;
mod sysctl;
pub mod table;

use std::collections::BTreeMap;

use navigator_model::{ObjectKey, Snapshot, kernel_name, snapshot::Router};
use navigator_state::{Desired, DesiredNamespace, Namespace, Problem, nft};

pub use increment::{Increment, RouterRendering};

/// The whole router, from nothing.
pub fn render(snapshot: &Snapshot) -> Desired {
    let mut desired = Desired::nothing(snapshot.scope.clone());
    let Some(router) = snapshot.router() else { return desired };
    let (namespace, problems) = if router.admin_state_up {
        enabled(snapshot, router)
    } else {
        let sysctls = sysctl::render(router);
        (DesiredNamespace { sysctls, ..DesiredNamespace::default() }, Vec::new())
    };
    desired.namespaces.insert(namespace_of(router), namespace);
    desired.problems = problems;
    desired
}

fn namespace_of(router: &Router) -> Namespace {
    Namespace::Named(kernel_name::router_namespace(router.id))
}

fn enabled(snapshot: &Snapshot, router: &Router) -> (DesiredNamespace, Vec<Problem>) {
    let mut namespace = DesiredNamespace { sysctls: sysctl::render(router), ..Default::default() };
    device::render(snapshot, router, &mut namespace);
    let (routes, mut problems) = route::render(router);
    namespace.routes = routes;
    let mut elements = element::Elements::default();
    for (key, object) in &snapshot.objects {
        problems.extend(elements.put(*key, object, element::Place::of(router)));
    }
    problems.extend(elements.conflicts());
    namespace.nft = Some(nft_state(router, elements.into_sets()));
    (namespace, problems)
}

fn nft_state(router: &Router, mut sets: BTreeMap<String, nft::DesiredElements>) -> nft::Desired {
    for declared in nft::layout::SETS {
        sets.entry(declared.name.to_owned()).or_default();
    }
    nft::Desired { skeleton: table::render(router).to_string(), sets }
}

fn problem(object: ObjectKey, reason: impl Into<String>) -> Problem {
    Problem { object, reason: reason.into() }
}
