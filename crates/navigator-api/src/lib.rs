//! The HTTP face: one generic controller for every declared resource, identity, paging, faults and
//! the agents' endpoints. The only crate that uses the HTTP server library.
//!
//! In: requests. Out: JSON, and wake-ups to the hub after each commit. Nothing is decided here:
//! the rules of `navigator-resources` decide, `navigator-store` runs them in a transaction.

mod address_usage;
mod agent_endpoints;
mod auto_topology;
mod availability_zones;
mod body;
mod consequences;
mod control_plane;
mod controller;
mod extensions;
mod fault;
mod flavors;
mod health;
mod hosting;
mod housekeeping;
mod identity;
mod if_match;
mod listing;
mod loggable;
mod metrics;
mod mount;
mod normalize;
mod nova;
mod page;
mod patient;
mod policy;
mod present;
mod qos;
mod quotas;
mod receive;
mod reference;
mod request_id;
mod serve;
mod servers;
mod state;
mod trunks;
mod turns;
mod versions;

pub use control_plane::LocalControlPlane;
pub use housekeeping::keep_house;
pub use identity::{
    Endpoint, HtpasswdError, Identity, KeystoneConfig, KeystoneError, Registrar, Registration,
    ServiceAccess,
};
pub use metrics::Metrics;
pub use mount::{guarded_routes, router};
pub use nova::{Access, AccessSource, NovaClient, release_waiting_ports, tell_nova};
pub use patient::Patient;
pub use policy::{GuardedRoute, Policy, PolicyInForce, UnregisteredRules};
pub use reference::pages as reference_pages;
pub use serve::{Limits, serve};
pub use servers::tell_servers;
pub use state::ApiState;
