//! The simulated kernels of all scopes of one host, which refuse what a test wants refused.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

use navigator_agent::{
    Host, HostError,
    host::{Applied, Noticed, Notify},
};
use navigator_model::{ObjectKey, Scope, kernel_name};
use navigator_state::{
    Action, Actual, Desired, Namespace, Plan, Step, nft::ElementChange, plan, simulate::ModelKernel,
};

use crate::{
    fleet::{router_id, router_scope},
    server::FakeServer,
};

#[derive(Default)]
struct Inner {
    kernels: BTreeMap<Scope, ModelKernel>,
    observed: BTreeMap<Scope, usize>,
    attempts: u64,
    refuse_step: Option<u64>,
    refuse_object: Option<ObjectKey>,
    refusals: usize,
    notify: Option<Notify>,
}

#[derive(Default)]
pub(crate) struct SimKernel(Mutex<Inner>);

fn namespace(router: u32) -> Namespace {
    Namespace::Named(kernel_name::router_namespace(router_id(router)))
}

impl SimKernel {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// Something of a router that nobody assigned.
    pub(crate) fn leave_behind(&self, router: u32) {
        let scope = router_scope(router);
        let step = Step { object: None, action: Action::CreateNamespace(namespace(router)) };
        let mut kernel = ModelKernel::new(scope.clone());
        kernel.apply_step(&step).unwrap();
        kernel.writes = 0;
        self.lock().kernels.insert(scope, kernel);
    }

    pub(crate) fn has(&self, router: u32) -> bool {
        let inner = self.lock();
        let kernel = inner.kernels.get(&router_scope(router));
        kernel.is_some_and(|kernel| kernel.state.namespaces.contains_key(&namespace(router)))
    }

    pub(crate) fn is_converged(&self, server: &FakeServer, router: u32) -> bool {
        let Some(snapshot) = server.snapshot(&router_scope(router)) else { return false };
        let desired = navigator_render::router::render(&snapshot);
        let inner = self.lock();
        let kernel = inner.kernels.get(&router_scope(router));
        let Some(kernel) = kernel else { return false };
        let plan = plan(&desired, &kernel.observe(&desired));
        plan.is_empty()
    }

    pub(crate) fn refuse_step(&self, n: u64) {
        self.lock().refuse_step = Some(n);
    }

    pub(crate) fn refuse_object(&self, object: ObjectKey) {
        self.lock().refuse_object = Some(object);
    }

    pub(crate) fn refuse_nothing(&self) {
        self.lock().refuse_object = None;
    }

    pub(crate) fn refusals(&self) -> usize {
        self.lock().refusals
    }

    pub(crate) fn observations(&self) -> usize {
        self.lock().observed.values().sum()
    }

    pub(crate) fn observed(&self, scope: &Scope) -> usize {
        self.lock().observed.get(scope).copied().unwrap_or_default()
    }

    pub(crate) fn reboot(&self) {
        self.lock().kernels.clear();
    }

    /// As `nft flush ruleset` by somebody else.
    pub(crate) fn flush_ruleset(&self, router: u32) {
        let mut inner = self.lock();
        let kernel = inner.kernels.get_mut(&router_scope(router)).unwrap();
        let nft = kernel.state.namespaces.get_mut(&namespace(router)).unwrap().nft.as_mut();
        let nft = nft.unwrap();
        nft.skeleton.clear();
        nft.sets.clear();
        nft.generation += 1;
    }

    /// As a monitor does.
    pub(crate) fn notice_namespace(&self, router: u32) {
        let notify = self.lock().notify.clone().unwrap();
        notify(Noticed::Namespace(namespace(router)));
    }
}

impl Inner {
    fn kernel(&mut self, scope: &Scope) -> &mut ModelKernel {
        self.kernels.entry(scope.clone()).or_insert_with(|| ModelKernel::new(scope.clone()))
    }

    fn apply_step(&mut self, scope: &Scope, step: &Step) -> Vec<Applied> {
        let attempt = self.attempts;
        self.attempts += 1;
        let poison = self.refuse_object;
        if self.refuse_step == Some(attempt) || (poison.is_some() && step.object == poison) {
            return vec![self.refuse(step.object)];
        }
        let Action::ChangeElements { namespace, changes } = &step.action else {
            return vec![self.plain(scope, step)];
        };
        let is_poison = |c: &&ElementChange| poison.is_some() && c.object == poison;
        let (bad, good): (Vec<_>, Vec<_>) = changes.iter().partition(is_poison);
        let changes = good.into_iter().cloned().collect();
        let action = Action::ChangeElements { namespace: namespace.clone(), changes };
        let mut applied = vec![self.plain(scope, &Step { object: step.object, action })];
        applied.extend(bad.into_iter().map(|change| self.refuse(change.object)));
        applied
    }

    fn plain(&mut self, scope: &Scope, step: &Step) -> Applied {
        let result = self.kernel(scope).apply_step(step).map_err(HostError);
        Applied { object: step.object, result }
    }

    fn refuse(&mut self, object: Option<ObjectKey>) -> Applied {
        self.refusals += 1;
        Applied { object, result: Err(HostError("poison: invalid argument".to_owned())) }
    }
}

/// Agents come and go; the kernel stays.
impl Host for SimKernel {
    fn observe(&self, scope: &Scope, desired: &Desired) -> Result<Actual, HostError> {
        let mut inner = self.lock();
        *inner.observed.entry(scope.clone()).or_default() += 1;
        Ok(inner.kernel(scope).observe(desired))
    }

    fn generation(&self, scope: &Scope) -> Result<Option<u32>, HostError> {
        let mut inner = self.lock();
        let state = &inner.kernel(scope).state;
        Ok(state.namespaces.values().find_map(|found| found.nft.as_ref()).map(|nft| nft.generation))
    }

    fn apply(&self, plan: &Plan) -> Vec<Applied> {
        let mut inner = self.lock();
        plan.steps.iter().flat_map(|step| inner.apply_step(&plan.scope, step)).collect()
    }

    fn scopes_present(&self) -> Result<BTreeSet<Scope>, HostError> {
        let inner = self.lock();
        let present = inner.kernels.iter().filter(|(_, k)| k.state.namespaces.len() > 1);
        Ok(present.map(|(scope, _)| scope.clone()).collect())
    }

    fn writes(&self) -> u64 {
        self.lock().kernels.values().map(|kernel| kernel.writes).sum()
    }

    fn start_watching(&self, notify: Notify) -> Result<(), HostError> {
        self.lock().notify = Some(notify);
        Ok(())
    }

    fn watch(&self, _: &Desired) {}
}
