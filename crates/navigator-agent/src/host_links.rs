//! Which scopes care about a device in the host's own namespace. In: the devices that each scope's
//! desired state names there. Out: whom to wake when one of them appears, changes or vanishes.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use navigator_model::Scope;
use navigator_state::{Desired, LinkKind, Namespace};

#[derive(Default)]
struct Index {
    by_name: HashMap<String, BTreeSet<Scope>>,
    by_scope: HashMap<Scope, BTreeSet<String>>,
}

#[derive(Default)]
pub(crate) struct HostLinks(Mutex<Index>);

impl HostLinks {
    pub(crate) fn replace(&self, scope: &Scope, names: BTreeSet<String>) {
        let mut index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = index.by_scope.remove(scope).unwrap_or_default();
        for name in before.difference(&names) {
            if let Some(scopes) = index.by_name.get_mut(name) {
                scopes.remove(scope);
                if scopes.is_empty() {
                    index.by_name.remove(name);
                }
            }
        }
        for name in names.difference(&before) {
            index.by_name.entry(name.clone()).or_default().insert(scope.clone());
        }
        if !names.is_empty() {
            index.by_scope.insert(scope.clone(), names);
        }
    }

    pub(crate) fn concerned(&self, name: &str) -> Vec<Scope> {
        let index = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        index.by_name.get(name).into_iter().flatten().cloned().collect()
    }
}

/// Its bridges and tunnel devices, the devices of others that it takes into a bridge, and the
/// host's ends of its pairs.
pub(crate) fn names(desired: &Desired) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (namespace, wanted) in &desired.namespaces {
        if *namespace == Namespace::Host {
            names.extend(wanted.links.keys().chain(wanted.bridge_ports.keys()).cloned());
        }
        names.extend(wanted.links.values().filter_map(|link| match &link.kind {
            LinkKind::Veth { peer } => Some(peer.clone()),
            _ => None,
        }));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_wakes_all_that_name_it_and_none_that_no_longer_does() {
        let (a, b) = (Scope::Host("a".into()), Scope::Host("b".into()));
        let links = HostLinks::default();
        links.replace(&a, BTreeSet::from(["tap1".to_owned(), "brq1".to_owned()]));
        links.replace(&b, BTreeSet::from(["tap1".to_owned()]));
        assert_eq!(links.concerned("tap1"), [a.clone(), b.clone()]);
        links.replace(&a, BTreeSet::from(["brq1".to_owned()]));
        assert_eq!(links.concerned("tap1"), [b]);
        assert_eq!(links.concerned("brq1"), [a]);
    }
}
