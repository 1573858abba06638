//! A network on this host.
use navigator_model::Snapshot;
use navigator_state::Desired;

use crate::host::{HostConfig, Serve};

pub fn render(snapshot: &Snapshot, _host: &HostConfig, _serve: Serve) -> Desired {
    Desired::nothing(snapshot.scope.clone())
}
