//! A plan in the making: the steps so far, and what the kernel will look like after them as far as
//! later steps depend on it (a deleted device takes its addresses and routes along).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use navigator_model::{ObjectKey, Scope};

use crate::{
    desired::{Actual, Desired, DesiredNamespace, FoundLink, Namespace, Problem},
    link::{FdbEntry, LinkKind},
    route::Route,
    step::{Action, FlowMatch, Plan, Step},
};

/// The part of a namespace's state that steps change for each other.
#[derive(Default)]
pub(super) struct Space {
    pub(super) links: BTreeMap<String, FoundLink>,
    pub(super) addresses: BTreeMap<String, BTreeSet<IpNet>>,
    pub(super) routes: BTreeSet<Route>,
    pub(super) fdb: BTreeSet<FdbEntry>,
}

impl Space {
    /// What goes with a device.
    pub(super) fn forget_link(&mut self, name: &str) {
        self.links.remove(name);
        self.addresses.remove(name);
        self.forget_routes(name);
        self.fdb.retain(|entry| entry.link != name);
        for found in self.links.values_mut() {
            if found.link.master.as_deref() == Some(name) {
                found.link.master = None;
            }
        }
    }

    pub(super) fn forget_routes(&mut self, link: &str) {
        self.routes.retain(|route| route.link.as_deref() != Some(link));
    }
}

pub(super) struct Draft<'a> {
    pub(super) desired: &'a Desired,
    pub(super) actual: &'a Actual,
    pub(super) spaces: BTreeMap<Namespace, Space>,
    /// Namespaces that this plan makes: whatever was found under their name is gone.
    pub(super) created: BTreeSet<Namespace>,
    /// Devices that this plan makes: settings of an earlier device of that name are gone.
    pub(super) fresh: BTreeSet<(Namespace, String)>,
    pub(super) flows: BTreeMap<Namespace, Vec<FlowMatch>>,
    pub(super) announced: Vec<Step>,
    steps: Vec<Step>,
    refused: Vec<Problem>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(desired: &'a Desired, actual: &'a Actual) -> Self {
        let spaces = actual.namespaces.iter().map(|(namespace, found)| {
            let space = Space {
                links: found.links.clone(),
                addresses: found.addresses.clone(),
                routes: found.routes.clone(),
                fdb: found.fdb.clone(),
            };
            (namespace.clone(), space)
        });
        Self {
            desired,
            actual,
            spaces: spaces.collect(),
            created: BTreeSet::new(),
            fresh: BTreeSet::new(),
            flows: BTreeMap::new(),
            announced: Vec::new(),
            steps: Vec::new(),
            refused: Vec::new(),
        }
    }

    pub(super) fn into_plan(self) -> Plan {
        Plan { scope: self.desired.scope.clone(), steps: self.steps, refused: self.refused }
    }

    pub(super) fn push(&mut self, object: Option<ObjectKey>, action: Action) {
        self.steps.push(Step { object, action });
    }

    pub(super) fn refuse(&mut self, object: Option<ObjectKey>, reason: String) {
        let main = match self.desired.scope {
            Scope::Router(id) => Some(ObjectKey::Router(id)),
            Scope::Network(id) => Some(ObjectKey::Network(id)),
            Scope::Host(_) => None,
        };
        if let Some(object) = object.or(main) {
            self.refused.push(Problem { object, reason });
        }
    }

    pub(super) fn space(&mut self, namespace: &Namespace) -> &mut Space {
        self.spaces.entry(namespace.clone()).or_default()
    }

    /// A device of ours, as the steps so far leave it.
    pub(super) fn our_link(&self, namespace: &Namespace, name: &str) -> Option<&FoundLink> {
        self.spaces.get(namespace)?.links.get(name).filter(|found| found.ours)
    }

    pub(super) fn create_namespaces(&mut self) {
        for namespace in self.desired.namespaces.keys() {
            if !self.spaces.contains_key(namespace) {
                self.push(None, Action::CreateNamespace(namespace.clone()));
                self.spaces.insert(namespace.clone(), Space::default());
                self.created.insert(namespace.clone());
            }
        }
    }

    pub(super) fn delete_namespaces(&mut self) {
        for namespace in self.actual.namespaces.keys() {
            let unwanted = !self.desired.namespaces.contains_key(namespace);
            if unwanted && *namespace != Namespace::Host {
                self.push(None, Action::DeleteNamespace(namespace.clone()));
            }
        }
    }

    /// Before any device exists, because a device takes the namespace's defaults when it is made.
    pub(super) fn set_namespace_sysctls(&mut self) {
        self.set_sysctls(Moment::Namespace);
    }

    pub(super) fn set_device_sysctls(&mut self) {
        self.set_sysctls(Moment::Device);
    }

    /// After the table: loading it is what brings connection tracking where it is a module.
    pub(super) fn set_conntrack_sysctls(&mut self) {
        self.set_sysctls(Moment::Conntrack);
    }

    fn set_sysctls(&mut self, moment: Moment) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            let found = self.actual.namespaces.get(namespace).map(|found| &found.sysctls);
            let due = |key: &str| Moment::of(wanted, key) == moment;
            for (key, value) in wanted.sysctls.iter().filter(|(key, _)| due(key)) {
                let fresh = device_of(wanted, key)
                    .is_some_and(|link| self.fresh.contains(&(namespace.clone(), link.into())));
                if fresh || found.and_then(|found| found.get(key)) != Some(value) {
                    let (namespace, key, value) = (namespace.clone(), key.clone(), value.clone());
                    self.push(None, Action::SetSysctl { namespace, key, value });
                }
            }
        }
    }

    pub(super) fn flush_flows(&mut self) {
        for (namespace, flows) in std::mem::take(&mut self.flows) {
            self.push(None, Action::FlushFlows { namespace, flows });
        }
    }

    pub(super) fn announce(&mut self) {
        let announced = std::mem::take(&mut self.announced);
        self.steps.extend(announced);
    }
}

/// When a sysctl can be set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moment {
    Namespace,
    Device,
    Conntrack,
}

impl Moment {
    fn of(wanted: &DesiredNamespace, key: &str) -> Self {
        if key.starts_with("net/netfilter/") {
            Self::Conntrack
        } else if device_of(wanted, key).is_some() {
            Self::Device
        } else {
            Self::Namespace
        }
    }
}

/// The device of ours that a sysctl key is about.
fn device_of<'k>(wanted: &DesiredNamespace, key: &'k str) -> Option<&'k str> {
    key.split('/').find(|part| wanted.links.contains_key(*part))
}

/// Bridges first: the others hang on them.
pub(super) fn rank(kind: &LinkKind) -> u8 {
    match kind {
        LinkKind::Bridge => 0,
        LinkKind::Vxlan { .. } => 1,
        LinkKind::Veth { .. } | LinkKind::Other(_) => 2,
    }
}
