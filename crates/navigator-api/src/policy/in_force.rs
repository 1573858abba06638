//! The rules in force, which an operator may replace while the server runs.

use std::sync::{Arc, PoisonError, RwLock};

use super::Policy;

/// Whoever decides takes the rules of that moment, whole: a decision never sees some of the old and
/// some of the new.
#[derive(Debug)]
pub struct PolicyInForce(RwLock<Arc<Policy>>);

impl PolicyInForce {
    pub fn new(policy: Policy) -> Self {
        Self(RwLock::new(Arc::new(policy)))
    }

    pub fn now(&self) -> Arc<Policy> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From the next decision on.
    pub fn replace(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }
}
