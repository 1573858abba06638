//! A router's default and static routes.

use std::{collections::BTreeSet, net::IpAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use navigator_model::{
    ObjectKey, kernel_name,
    snapshot::{Gateway, Router, RouterPort, StaticRoute},
};
use navigator_state::{Problem, Route};

use super::{device, problem};

pub(super) fn render(router: &Router) -> (BTreeSet<Route>, Vec<Problem>) {
    let mut routes = BTreeSet::new();
    let mut problems = Vec::new();
    for route in &router.routes {
        match static_route(router, route) {
            Ok(rendered) => routes.extend(rendered),
            Err(reason) => problems.push(problem(ObjectKey::Router(router.id), reason)),
        }
    }
    if let Some(gateway) = router.gateway.as_ref().filter(|gateway| gateway.port.admin_state_up) {
        for route in default_routes(gateway) {
            // A static default route is the user's word against the subnet's.
            if !routes.iter().any(|other| other.destination == route.destination) {
                routes.insert(route);
            }
        }
    }
    (routes, problems)
}

/// One per family, through the first next hop that is not the router itself.
fn default_routes(gateway: &Gateway) -> Vec<Route> {
    let own = |hop: &IpAddr| gateway.port.addresses.iter().any(|net| net.addr() == *hop);
    let hops = || gateway.next_hops.iter().copied().filter(|hop| !own(hop));
    let first = [hops().find(IpAddr::is_ipv4), hops().find(IpAddr::is_ipv6)];
    let route = |hop: IpAddr| Route {
        destination: everything(hop),
        via: Some(hop),
        link: Some(kernel_name::router_gateway(gateway.port.port_id)),
        onlink: !device::covers(&gateway.port, hop),
    };
    first.into_iter().flatten().map(route).collect()
}

fn everything(like: IpAddr) -> IpNet {
    match like {
        IpAddr::V4(_) => IpNet::V4(Ipv4Net::default()),
        IpAddr::V6(_) => IpNet::V6(Ipv6Net::default()),
    }
}

/// `None` while the port that would reach the next hop is down.
fn static_route(router: &Router, route: &StaticRoute) -> Result<Option<Route>, String> {
    let reaches = |port: &RouterPort| device::covers(port, route.nexthop);
    if let Some((name, _)) = device::devices(router).into_iter().find(|(_, port)| reaches(port)) {
        let (destination, via) = (route.destination.trunc(), Some(route.nexthop));
        return Ok(Some(Route { destination, via, link: Some(name), onlink: false }));
    }
    let gateway = router.gateway.as_ref().map(|gateway| &gateway.port);
    if router.interfaces.iter().chain(gateway).any(reaches) {
        return Ok(None);
    }
    let StaticRoute { destination, nexthop } = route;
    Err(format!("route {destination}: next hop {nexthop} is on no subnet of the router"))
}
