//! What provides services here: routing, of which a flavor chooses the kind. Names and drivers are
//! Neutron's, so that the flavors of a cloud stay what they are.

/// An implementation of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceProvider {
    pub service_type: &'static str,
    pub name: &'static str,
    /// What a service profile names it by.
    pub driver: &'static str,
    /// What objects that name no flavor get.
    pub default: bool,
    pub kind: RouterKind,
}

/// Of what kind a router is: both are recorded, one node serves it anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterKind {
    pub distributed: bool,
    pub ha: bool,
}

pub const ROUTING: &str = "L3_ROUTER_NAT";

macro_rules! router {
    ($name:literal, $driver:literal, $kind:expr) => {
        ServiceProvider {
            service_type: ROUTING,
            name: $name,
            driver: concat!("neutron.services.l3_router.service_providers.", $name, ".", $driver),
            default: !$kind.distributed && !$kind.ha,
            kind: $kind,
        }
    };
}

pub const PROVIDERS: &[ServiceProvider] = &[
    router!("dvr", "DvrDriver", RouterKind { distributed: true, ha: false }),
    router!("dvrha", "DvrHaDriver", RouterKind { distributed: true, ha: true }),
    router!("ha", "HaDriver", RouterKind { distributed: false, ha: true }),
    router!("single_node", "SingleNodeDriver", RouterKind { distributed: false, ha: false }),
];

pub(crate) fn of_driver(driver: &str) -> Option<&'static ServiceProvider> {
    PROVIDERS.iter().find(|provider| provider.driver == driver)
}
