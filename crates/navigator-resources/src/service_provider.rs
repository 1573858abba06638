//! What provides services here: one implementation of routing.

/// An implementation of a service.
#[derive(Debug, PartialEq, Eq)]
pub struct ServiceProvider {
    pub service_type: &'static str,
    pub name: &'static str,
    /// What a service profile names it by.
    pub driver: &'static str,
    /// What objects that name no flavor get.
    pub default: bool,
}

pub const ROUTING: &str = "L3_ROUTER_NAT";

pub const PROVIDERS: &[ServiceProvider] = &[ServiceProvider {
    service_type: ROUTING,
    name: "navigator",
    driver: "navigator.router",
    default: true,
}];

pub(crate) fn of_driver(driver: &str) -> Option<&'static ServiceProvider> {
    PROVIDERS.iter().find(|provider| provider.driver == driver)
}
