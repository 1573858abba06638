//! The reconcile loop: names of scopes in, kernel state and reports out. A reconciler takes no
//! input but a scope's name, so the path of an event and the path of a restart are the same code.
//!
//! Never: touching the kernel before a complete snapshot of a scope is held, reading an empty or
//! failed answer as "nothing is wanted", remembering what was applied beyond what the kernel's own
//! marks confirm.

pub mod agent;
pub mod config;
pub mod describe;
pub mod host;
pub mod metrics;
pub mod queue;

mod apply;
mod assignment;
mod backoff;
mod heartbeat;
mod host_links;
mod machine;
mod outbox;
mod own_changes;
mod replica;
mod scope_state;

pub use agent::{Agent, AgentError};
pub use config::{AgentConfig, Role};
pub use describe::{Described, ScopePlan};
pub use host::{Host, HostError, KernelHost};
pub use metrics::{AgentMetrics, MetricsReading};
pub use queue::Cause;
