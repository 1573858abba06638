//! What this host serves according to its last complete host snapshot, and what it has to let go.
//! Only a snapshot moves a scope from one to the other; without one, nothing is known and nothing
//! is let go.

use std::collections::{BTreeMap, BTreeSet};

use navigator_model::{Scope, snapshot::Duties};

use crate::Role;

/// What the host does for a scope.
pub(crate) type Services = BTreeSet<Role>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Assignment {
    Serve(Services),
    /// Nothing of it may stay.
    LetGo,
    /// Not ours to touch.
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct Assignments {
    served: BTreeMap<Scope, Services>,
    leaving: BTreeSet<Scope>,
}

impl Assignments {
    pub(crate) fn of(&self, scope: &Scope) -> Assignment {
        match self.served.get(scope) {
            Some(services) => Assignment::Serve(services.clone()),
            None if self.leaving.contains(scope) => Assignment::LetGo,
            None => Assignment::Unknown,
        }
    }

    pub(crate) fn served(&self) -> impl Iterator<Item = &Scope> {
        self.served.keys()
    }

    /// Takes over complete duties. Returns the scopes for which something changed.
    pub(crate) fn take_over(&mut self, duties: &Duties, roles: &Services) -> Vec<Scope> {
        let wanted = services(duties, roles);
        let mut changed: Vec<Scope> =
            self.served.keys().filter(|scope| !wanted.contains_key(scope)).cloned().collect();
        self.leaving.extend(changed.iter().cloned());
        self.leaving.retain(|scope| !wanted.contains_key(scope));
        let new =
            wanted.iter().filter(|(scope, services)| self.served.get(scope) != Some(services));
        changed.extend(new.map(|(scope, _)| scope.clone()));
        self.served = wanted;
        changed
    }

    /// Of what is present, lets go what is not served. Returns those.
    pub(crate) fn sweep(&mut self, present: BTreeSet<Scope>) -> Vec<Scope> {
        let orphan =
            |scope: &Scope| !matches!(scope, Scope::Host(_)) && !self.served.contains_key(scope);
        let orphans: Vec<Scope> = present.into_iter().filter(orphan).collect();
        self.leaving.extend(orphans.iter().cloned());
        orphans
    }

    /// Nothing of it is left.
    pub(crate) fn has_left(&mut self, scope: &Scope) {
        self.leaving.remove(scope);
    }
}

fn services(duties: &Duties, roles: &Services) -> BTreeMap<Scope, Services> {
    let routers = duties.routers.iter().map(|id| (Scope::Router(*id), Role::L3));
    let wired = duties.networks.iter().map(|id| (Scope::Network(*id), Role::L2));
    let leased = duties.dhcp_networks.iter().map(|id| (Scope::Network(*id), Role::Dhcp));
    let mut services: BTreeMap<Scope, Services> = BTreeMap::new();
    for (scope, role) in routers.chain(wired).chain(leased) {
        if roles.contains(&role) {
            services.entry(scope).or_default().insert(role);
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(n: u8) -> navigator_model::RouterId {
        format!("{n:08x}-0000-4000-8000-000000000000").parse().unwrap()
    }

    fn duties(routers: &[u8]) -> Duties {
        let routers = routers.iter().map(|n| router(*n)).collect();
        Duties { routers, ..Duties::default() }
    }

    #[test]
    fn a_scope_that_left_is_let_go_until_it_comes_back() {
        let (mut assignments, roles) = (Assignments::default(), Services::from(Role::ALL));
        assert_eq!(assignments.of(&Scope::Router(router(1))), Assignment::Unknown);
        assert_eq!(assignments.take_over(&duties(&[1, 2]), &roles).len(), 2);
        assert_eq!(assignments.take_over(&duties(&[2]), &roles), [Scope::Router(router(1))]);
        assert_eq!(assignments.of(&Scope::Router(router(1))), Assignment::LetGo);
        assignments.take_over(&duties(&[1, 2]), &roles);
        assert!(matches!(assignments.of(&Scope::Router(router(1))), Assignment::Serve(_)));
    }

    #[test]
    fn a_sweep_takes_what_is_present_and_not_served() {
        let (mut assignments, roles) = (Assignments::default(), Services::from(Role::ALL));
        assignments.take_over(&duties(&[2]), &roles);
        let present = [Scope::Router(router(1)), Scope::Router(router(2))].into();
        assert_eq!(assignments.sweep(present), [Scope::Router(router(1))]);
    }

    #[test]
    fn a_role_that_the_host_does_not_have_is_not_served() {
        let mut assignments = Assignments::default();
        assert!(assignments.take_over(&duties(&[1]), &Services::from([Role::L2])).is_empty());
    }
}
