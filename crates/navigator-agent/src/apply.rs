//! Applying a plan: one call to the host, and, in builds for development and crash tests only, an
//! abort of the process after the n-th write.

use navigator_state::Plan;

use crate::host::{Applied, Host};

#[cfg(not(any(feature = "failpoints", debug_assertions)))]
pub(crate) fn apply(host: &dyn Host, plan: &Plan) -> Vec<Applied> {
    host.apply(plan)
}

/// Step by step, so that a test can end the process between any two.
#[cfg(any(feature = "failpoints", debug_assertions))]
pub(crate) fn apply(host: &dyn Host, plan: &Plan) -> Vec<Applied> {
    let variable = std::env::var("NAVIGATOR_CRASH_AFTER_WRITES").ok();
    let Some(limit) = variable.and_then(|text| text.parse::<u64>().ok()) else {
        return host.apply(plan);
    };
    let mut applied = Vec::new();
    for step in &plan.steps {
        if host.writes() >= limit {
            // No unwinding and no destructors: as if the machine had pulled the plug.
            std::process::abort();
        }
        applied.extend(host.apply(&Plan::new(plan.scope.clone(), vec![step.clone()])));
    }
    applied
}
