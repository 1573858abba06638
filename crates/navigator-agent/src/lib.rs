//! The reconcile loop: names of scopes in, kernel state and reports out.

pub mod config;
pub mod metrics;

mod backoff;
pub mod queue;
mod replica;

pub use config::{AgentConfig, Role};
pub use metrics::{AgentMetrics, MetricsReading};
pub use queue::Cause;
