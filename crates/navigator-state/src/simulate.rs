//! A kernel in memory, for tests of whatever plans and applies. It refuses what the real one
//! refuses (a second device of a name, a route through nothing, overlapping intervals) and loses
//! what the real one loses (a device's addresses and routes, a namespace's devices and their peers).
//!
//! It holds one scope and the foreign devices that a test puts beside it. It never runs anything.

mod device;
mod layer3;
mod table;

use std::{collections::BTreeMap, net::Ipv4Addr};

use navigator_model::Scope;

use crate::{
    desired::{Actual, Desired, FoundLink, Namespace, NamespaceState},
    link::{Link, LinkKind},
    process::{Process, ProcessState},
    step::{Action, FlowMatch, Plan, Step},
};

/// Why the kernel said no.
pub type Refusal = String;

#[derive(Clone, Debug)]
pub struct ModelKernel {
    /// Everything that there is; [`ModelKernel::observe`] shows the part that a driver would.
    pub state: Actual,
    /// Actions that were carried out.
    pub writes: u64,
    pub flushed: Vec<(Namespace, FlowMatch)>,
    pub announced: Vec<(Namespace, String, Ipv4Addr)>,
}

impl ModelKernel {
    pub fn new(scope: Scope) -> Self {
        let namespaces = BTreeMap::from([(Namespace::Host, NamespaceState::default())]);
        let state =
            Actual { scope, namespaces, files: BTreeMap::new(), processes: BTreeMap::new() };
        Self { state, writes: 0, flushed: Vec::new(), announced: Vec::new() }
    }

    /// Puts somebody else's device on the host.
    pub fn add_foreign_link(&mut self, name: &str) {
        let kind = LinkKind::Other("tun".into());
        let link = Link { kind, mac_address: None, mtu: Some(1500), up: false, master: None };
        let host = self.state.namespaces.entry(Namespace::Host).or_default();
        host.links.insert(name.to_owned(), FoundLink { link, ours: false });
    }

    /// As a driver observes: what is ours, foreign devices and sysctls only where asked for.
    pub fn observe(&self, desired: &Desired) -> Actual {
        let mut seen = self.state.clone();
        let peers = desired.namespaces.values().flat_map(|wanted| wanted.links.values());
        let peers: Vec<_> = peers.filter_map(|link| device::peer(&link.kind)).collect();
        for (namespace, found) in &mut seen.namespaces {
            let wanted = desired.namespaces.get(namespace);
            found.links.retain(|name, found| {
                found.ours
                    || wanted.is_some_and(|wanted| {
                        wanted.links.contains_key(name) || wanted.bridge_ports.contains_key(name)
                    })
                    || peers.contains(&name.as_str())
            });
            found
                .sysctls
                .retain(|key, _| wanted.is_some_and(|wanted| wanted.sysctls.contains_key(key)));
        }
        seen
    }

    /// Every step in turn, also after a refusal.
    pub fn apply(&mut self, plan: &Plan) -> Vec<Result<(), Refusal>> {
        plan.steps.iter().map(|step| self.apply_step(step)).collect()
    }

    pub fn apply_step(&mut self, step: &Step) -> Result<(), Refusal> {
        self.act(&step.action)?;
        self.writes += 1;
        Ok(())
    }

    fn act(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::CreateNamespace(namespace) => self.create_namespace(namespace),
            Action::DeleteNamespace(namespace) => self.delete_namespace(namespace),
            Action::CreateLink { .. }
            | Action::DeleteLink { .. }
            | Action::SetMac { .. }
            | Action::SetMtu { .. }
            | Action::SetUp { .. }
            | Action::SetMaster { .. } => self.act_on_device(action),
            Action::AddAddress { .. }
            | Action::DeleteAddress { .. }
            | Action::AddRoute { .. }
            | Action::DeleteRoute { .. }
            | Action::AddFdb { .. }
            | Action::DeleteFdb { .. }
            | Action::SetSysctl { .. }
            | Action::Announce { .. } => self.act_on_layer3(action),
            Action::ReplaceSkeleton { .. }
            | Action::DeleteTable { .. }
            | Action::ChangeElements { .. }
            | Action::FlushFlows { .. } => self.act_on_table(action),
            _ => self.act_on_child(action),
        }
    }

    fn act_on_child(&mut self, action: &Action) -> Result<(), Refusal> {
        match action {
            Action::WriteFile { path, content } => {
                self.state.files.insert(path.clone(), content.clone());
            }
            Action::DeleteFile { path } => {
                self.state.files.remove(path).ok_or("no such file")?;
            }
            Action::StartProcess { name, process } => {
                let running = self.state.processes.get(name).is_some_and(|p| p.argv.is_some());
                require(!running, "still running")?;
                self.namespace(&process.namespace)?;
                self.state.processes.insert(name.clone(), started(process));
            }
            Action::ReloadProcess { name, process } => {
                let found = self.state.processes.get_mut(name).ok_or("not running")?;
                found.loaded = Some(process.loaded.clone());
            }
            Action::StopProcess { name, .. } => {
                self.state.processes.remove(name).ok_or("not running")?;
            }
            other => return Err(format!("not a file or a child: {other:?}")),
        }
        Ok(())
    }

    fn namespace(&mut self, namespace: &Namespace) -> Result<&mut NamespaceState, Refusal> {
        let missing = || format!("no namespace {namespace}");
        self.state.namespaces.get_mut(namespace).ok_or_else(missing)
    }

    fn create_namespace(&mut self, namespace: &Namespace) -> Result<(), Refusal> {
        require(!self.state.namespaces.contains_key(namespace), "namespace exists")?;
        self.state.namespaces.insert(namespace.clone(), NamespaceState::default());
        Ok(())
    }

    fn delete_namespace(&mut self, namespace: &Namespace) -> Result<(), Refusal> {
        require(*namespace != Namespace::Host, "the host's namespace stays")?;
        let gone = self.state.namespaces.remove(namespace).ok_or("no such namespace")?;
        for found in gone.links.values() {
            self.delete_peer(&found.link.kind);
        }
        Ok(())
    }
}

fn started(process: &Process) -> ProcessState {
    ProcessState {
        argv: Some(process.argv.clone()),
        pid: Some(1),
        loaded: Some(process.loaded.clone()),
        pid_file: process.pid_file.clone(),
    }
}

fn require(condition: bool, otherwise: &str) -> Result<(), Refusal> {
    if condition { Ok(()) } else { Err(otherwise.to_owned()) }
}
