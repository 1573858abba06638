//! Routes and forwarding entries. A route is replaced by deleting and adding it next to each other,
//! because the kernel refuses a second route to the same destination.

use std::cmp::Reverse;

use crate::{desired::Namespace, route::Route, step::Action};

use super::draft::Draft;

impl Draft<'_> {
    /// Those that nothing replaces; before addresses go, which may take routes along.
    pub(super) fn delete_routes(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            let found = self.space(namespace).routes.clone();
            for route in found.difference(&wanted.routes) {
                let replaced = |other: &Route| other.destination == route.destination;
                if !wanted.routes.iter().any(replaced) {
                    self.delete_route(namespace, route.clone());
                }
            }
        }
    }

    fn delete_route(&mut self, namespace: &Namespace, route: Route) {
        self.space(namespace).routes.remove(&route);
        self.push(None, Action::DeleteRoute { namespace: namespace.clone(), route });
    }

    /// On-link routes first: the next hops of others may be reached through them. The default
    /// route is last.
    pub(super) fn add_routes(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            let found = self.space(namespace).routes.clone();
            let mut missing: Vec<_> = wanted.routes.difference(&found).collect();
            missing.sort_by_key(|route| {
                (route.via.is_some(), Reverse(route.destination.prefix_len()))
            });
            for route in missing {
                let link = route.link.as_deref();
                if link.is_some_and(|link| self.our_link(namespace, link).is_none()) {
                    continue;
                }
                let old = found.iter().filter(|old| old.destination == route.destination);
                for old in old.filter(|old| !wanted.routes.contains(*old)) {
                    if self.space(namespace).routes.contains(old) {
                        self.delete_route(namespace, old.clone());
                    }
                }
                let object = link.and_then(|link| wanted.owner(link));
                let (namespace, route) = (namespace.clone(), route.clone());
                self.push(object, Action::AddRoute { namespace, route });
            }
        }
    }

    pub(super) fn adjust_fdb(&mut self) {
        let desired = self.desired;
        for (namespace, wanted) in &desired.namespaces {
            let found = self.space(namespace).fdb.clone();
            for entry in found.difference(&wanted.fdb) {
                let (namespace, entry) = (namespace.clone(), entry.clone());
                self.push(None, Action::DeleteFdb { namespace, entry });
            }
            for entry in wanted.fdb.difference(&found) {
                if self.our_link(namespace, &entry.link).is_some() {
                    let (namespace, entry) = (namespace.clone(), entry.clone());
                    self.push(None, Action::AddFdb { namespace, entry });
                }
            }
        }
    }
}
