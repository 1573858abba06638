//! Snapshot to desired state. Pure and total: no I/O, no clock, no randomness, and what cannot be
//! rendered becomes a problem of that one object beside everything else.
//!
//! In: a complete [`Snapshot`] and what this host is ([`HostConfig`]). Out: [`Desired`], for
//! `navigator_state::plan`. Never: anything about what the kernel has at the moment.

pub mod dhcp;
pub mod host;
pub mod network;
pub mod outcome;
pub mod router;

use navigator_model::{Scope, Snapshot};
use navigator_state::Desired;

pub use host::{HostConfig, Serve};
pub use outcome::{Failure, outcomes};
pub use router::{Increment, RouterRendering};

/// What the scope wants on this host. `serve` matters to networks only.
pub fn render(snapshot: &Snapshot, host: &HostConfig, serve: Serve) -> Desired {
    match &snapshot.scope {
        Scope::Router(_) => router::render(snapshot),
        Scope::Network(_) => network::render(snapshot, host, serve),
        // A host scope only says which other scopes there are.
        Scope::Host(_) => Desired::nothing(snapshot.scope.clone()),
    }
}
