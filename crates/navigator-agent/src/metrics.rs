//! Counters that the agent keeps of itself, for whoever exposes them. Plain atomics: reading them
//! costs the loop nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{SystemTime, UNIX_EPOCH},
};

#[derive(Debug, Default)]
pub struct AgentMetrics {
    reconciles: AtomicU64,
    incremental: AtomicU64,
    failed: AtomicU64,
    drift_repaired: AtomicU64,
    last_in_sync_ms: AtomicU64,
}

/// All counters at about one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricsReading {
    /// Scopes that were brought to their desired state, changed or not.
    pub reconciles: u64,
    /// Of those, the ones that looked only at what had changed.
    pub incremental: u64,
    /// Reconciles of which at least one step was refused.
    pub failed: u64,
    /// Steps that repaired what somebody else had changed.
    pub drift_repaired_total: u64,
    /// When everything was last as wanted, in milliseconds since 1970; 0 if never.
    pub last_in_sync_ms: u64,
}

impl AgentMetrics {
    pub fn read(&self) -> MetricsReading {
        MetricsReading {
            reconciles: self.reconciles.load(Relaxed),
            incremental: self.incremental.load(Relaxed),
            failed: self.failed.load(Relaxed),
            drift_repaired_total: self.drift_repaired.load(Relaxed),
            last_in_sync_ms: self.last_in_sync_ms.load(Relaxed),
        }
    }

    pub(crate) fn reconciled(&self) {
        self.reconciles.fetch_add(1, Relaxed);
    }

    pub(crate) fn reconciled_incrementally(&self) {
        self.incremental.fetch_add(1, Relaxed);
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(crate) fn drift_repaired(&self, steps: usize) {
        self.drift_repaired.fetch_add(steps as u64, Relaxed);
    }

    /// When it was in sync before, in milliseconds since 1970; 0 if never.
    pub(crate) fn in_sync(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.last_in_sync_ms.swap(u64::try_from(now.as_millis()).unwrap_or(u64::MAX), Relaxed)
    }
}
