//! Applies a plan: every step is tried, and each says what became of it.

use navigator_model::Scope;
use navigator_state::{Action, Namespace, Plan, Step, nft::ElementChange};

use super::{Kernel, StepOutcome};
use crate::{DriverError, sysctl};

impl Kernel {
    /// One outcome per step, and one per element of a step that changes elements. Never stops at a
    /// failure.
    pub fn apply(&self, plan: &Plan) -> Vec<StepOutcome> {
        let mut outcomes = Vec::with_capacity(plan.steps.len());
        let mut at = 0;
        while let Some(step) = plan.steps.get(at) {
            match &step.action {
                // Sysctls need a thread inside the namespace: one for all that follow each other.
                Action::SetSysctl { namespace, .. } => {
                    let run = sysctl_run(&plan.steps[at..], namespace);
                    outcomes.extend(self.set_sysctls(&plan.scope, namespace, at, run));
                    at += run.len();
                    continue;
                }
                Action::ChangeElements { namespace, changes } => {
                    outcomes.extend(self.change_elements(
                        &plan.scope,
                        namespace,
                        at,
                        step,
                        changes,
                    ));
                }
                action => {
                    self.count_write();
                    let result = self.act(&plan.scope, action);
                    outcomes.push(StepOutcome { step: at, object: step.object, result });
                }
            }
            at += 1;
        }
        outcomes
    }

    fn set_sysctls(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        at: usize,
        run: &[Step],
    ) -> Vec<StepOutcome> {
        let written = self.open_for(scope, namespace).and_then(|_| {
            self.namespaces.run_in(namespace, || run.iter().map(set_sysctl).collect::<Vec<_>>())
        });
        // Could not even enter: then every one of them failed for that reason.
        let mut results = written.map_err(|e| e.to_string()).map(Vec::into_iter);
        let outcomes = run.iter().enumerate().map(|(n, step)| {
            self.count_write();
            let result = match &mut results {
                Ok(results) => results.next().unwrap_or(Ok(())),
                Err(reason) => Err(std::io::Error::other(reason.clone())),
            };
            let result = result.map_err(|source| failed_sysctl(namespace, step, source));
            StepOutcome { step: at + n, object: step.object, result }
        });
        outcomes.collect()
    }

    fn change_elements(
        &self,
        scope: &Scope,
        namespace: &Namespace,
        at: usize,
        step: &Step,
        changes: &[ElementChange],
    ) -> Vec<StepOutcome> {
        self.count_write();
        let results = self
            .open_for(scope, namespace)
            .and_then(|_| self.nft(namespace, |nft| Ok(nft.change_elements(changes))));
        let outcome = |object, result| StepOutcome { step: at, object, result };
        match results {
            Err(error) => vec![outcome(step.object, Err(error))],
            Ok(results) => {
                let refused = |source| DriverError::Nft { namespace: namespace.clone(), source };
                let results = results.into_iter().map(|r| r.map_err(refused));
                let objects = changes.iter().map(|change| change.object.or(step.object));
                objects.zip(results).map(|(object, result)| outcome(object, result)).collect()
            }
        }
    }
}

fn sysctl_run<'a>(steps: &'a [Step], namespace: &Namespace) -> &'a [Step] {
    let same = |step: &&Step| matches!(&step.action, Action::SetSysctl { namespace: n, .. } if n == namespace);
    &steps[..steps.iter().take_while(same).count()]
}

fn set_sysctl(step: &Step) -> std::io::Result<()> {
    match &step.action {
        Action::SetSysctl { key, value, .. } => sysctl::write(key, value),
        _ => Ok(()),
    }
}

fn failed_sysctl(namespace: &Namespace, step: &Step, source: std::io::Error) -> DriverError {
    let key = match &step.action {
        Action::SetSysctl { key, .. } => key.clone(),
        _ => String::new(),
    };
    DriverError::Sysctl { namespace: namespace.clone(), key, source }
}
