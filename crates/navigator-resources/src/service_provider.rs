//! What provides services here: routing, of which a flavor chooses the kind. Names and drivers are
//! Neutron's, so that the flavors of a cloud stay what they are.

/// An implementation of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceProvider {
    pub service_type: &'static str,
    pub name: &'static str,
    /// What a service profile names it by.
    pub driver: &'static str,
    pub kind: RouterKind,
}

/// Of what kind a router is: both are recorded, one node serves it anyway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterKind {
    pub distributed: bool,
    pub ha: bool,
}

pub const ROUTING: &str = "L3_ROUTER_NAT";

pub const PROVIDERS: &[ServiceProvider] = &[
    router("dvr", "neutron.services.l3_router.service_providers.dvr.DvrDriver", true, false),
    router("dvrha", "neutron.services.l3_router.service_providers.dvrha.DvrHaDriver", true, true),
    router("ha", "neutron.services.l3_router.service_providers.ha.HaDriver", false, true),
    router(
        "single_node",
        "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver",
        false,
        false,
    ),
];

const fn router(
    name: &'static str,
    driver: &'static str,
    distributed: bool,
    ha: bool,
) -> ServiceProvider {
    let kind = RouterKind { distributed, ha };
    ServiceProvider { service_type: ROUTING, name, driver, kind }
}

impl ServiceProvider {
    /// Shown as the default, as in Neutron: what is neither distributed nor highly available.
    pub fn is_default(&self) -> bool {
        self.kind == RouterKind::default()
    }
}

pub(crate) fn of_driver(driver: &str) -> Option<&'static ServiceProvider> {
    PROVIDERS.iter().find(|provider| provider.driver == driver)
}
