//! Every API resource: its declaration and its rules. Pure: no I/O, no async, no clock, no
//! randomness.
//!
//! A resource is one struct with `#[derive(Resource)]` and one [`Rules`] implementation in its file
//! below `registry/`, and one line in `registry.rs`. The struct says which attributes exist, who may set and see them, how they are
//! validated, stored, filtered and sorted. The rules decide from [`Facts`] alone and answer with
//! [`Writes`] or a [`Refusal`]; a fact that is not loaded yet stops the decision with
//! [`Stop::Need`], the store loads it in the same transaction and asks again.

// The derive writes `::navigator_resources::…`.
extern crate self as navigator_resources;

pub mod address_usage;
pub mod attribute;
pub mod auto_topology;
pub mod context;
pub mod declaration;
pub mod dhcp_scheduling;
pub mod facts;
pub mod forwarding;
pub mod l3_scheduling;
pub mod provisioning;
pub mod qos;
pub mod quota;
mod recorded;
pub mod refusal;
pub mod registry;
pub mod resource;
pub mod route_attribute;
pub mod row;
pub mod rules;
pub mod server_event;
pub mod service_provider;
pub mod sharing;
pub mod standard;
pub mod tagging;
pub mod writes;

#[cfg(test)]
mod world;

pub use attribute::AttributeValue;
pub use context::{Caller, Context, Settings};
pub use declaration::{Attribute, Declaration, Link, OnCreate, Parent, Through};
pub use facts::{Facts, Query, Select, Stop};
pub use navigator_derive::Resource;
pub use quota::Quotas;
pub use recorded::recorded_only;
pub use refusal::Refusal;
pub use registry::*;
pub use resource::{Changes, Input, Reshape, Resource};
pub use row::{DecodeError, Row, SqlType, SqlValue};
pub use rules::{
    Consequence, Cutoff, Embedded, Lazy, MemberAction, Moment, Momentary, Rules, Schemas,
};
pub use standard::Standard;
pub use writes::{Write, Writes};
