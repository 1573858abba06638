//! What a reconcile would do, without doing it: the same pull, render, observe and plan.

use navigator_model::{Fetched, Scope, Snapshot};

use super::{Agent, AgentError, Inner, lock};
use crate::{
    assignment::{Assignment, Assignments},
    describe::ScopePlan,
    replica::fold,
};

impl Agent {
    /// For a program of its own beside the agent: asks the server, or, if it is away, the disk.
    pub async fn plan_scope(&self, scope: &Scope) -> Result<ScopePlan, AgentError> {
        let inner = self.inner.clone();
        let host = inner.known(&inner.host_scope()).await?;
        let host = host.ok_or_else(|| AgentError::Unknown(inner.host_scope()))?;
        let mut assignments = Assignments::default();
        assignments.take_over(&host.duties, &inner.config.roles);
        let serve = match assignments.of(scope) {
            Assignment::Serve(services) => {
                inner.known(scope).await?.map(|snapshot| (snapshot, services))
            }
            Assignment::LetGo | Assignment::Unknown => None,
        };
        let scope = scope.clone();
        let work = move || {
            let serve = serve.as_ref().map(|(snapshot, services)| (snapshot, services));
            let (desired, _, plan) = inner.machine.plan(&scope, serve)?;
            Ok(ScopePlan { plan, problems: desired.problems })
        };
        tokio::task::spawn_blocking(work).await.map_err(AgentError::Worker)?
    }
}

impl Inner {
    /// `None` when the server says that there is no such scope here.
    async fn known(&self, scope: &Scope) -> Result<Option<Snapshot>, AgentError> {
        let replica = || lock(&self.state(scope)).snapshot.clone();
        match self.server.fetch(&self.config.host, scope, None).await {
            Ok(Fetched::Gone { .. }) => Ok(None),
            Ok(fetched) => {
                let mut held = None;
                fold(&mut held, scope, fetched)
                    .map_err(|error| navigator_bus::BusError::Malformed(error.to_string()))?;
                Ok(held)
            }
            Err(error) => match replica() {
                Some(snapshot) => Ok(Some(snapshot)),
                None => Err(error.into()),
            },
        }
    }
}
