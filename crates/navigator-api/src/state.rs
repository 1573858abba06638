//! What every handler shares.

use std::sync::Arc;

use jiff::Timestamp;
use navigator_bus::Hub;
use navigator_model::{Revision, Scope};
use navigator_resources::Settings;
use navigator_store::Store;

use crate::{identity::Identity, metrics::Metrics, patient::Patient, policy::PolicyInForce};

#[derive(Clone)]
pub struct ApiState {
    pub store: Store,
    pub hub: Hub,
    pub settings: Arc<Settings>,
    pub identity: Arc<Identity>,
    pub policy: Arc<PolicyInForce>,
    /// What agents in other processes authenticate with; `None`: their endpoints are closed.
    pub agent_secret: Option<Arc<str>>,
    pub metrics: Arc<Metrics>,
    pub patient: Patient,
}

impl ApiState {
    /// Tells the agents what moved. Only after the commit.
    pub(crate) fn wake(&self, moved: Vec<(Scope, Revision)>) {
        self.hub.publish(moved);
    }
}

/// UTC, `YYYY-MM-DDTHH:MM:SSZ`, as Neutron writes times.
pub(crate) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
