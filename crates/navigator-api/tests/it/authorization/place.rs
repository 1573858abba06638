//! What a route is: the plan by which the matrix asks it, found from its path and the declarations.

use navigator_api::GuardedRoute;

use super::world::{Kind, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// For everybody with a token.
    Open,
    List(usize),
    Create(usize),
    /// The object itself, its tags, an action: decided on the object. With the index of its kind.
    Member(usize),
    /// Reached by its id alone, and seen by who sees its parent.
    Alias(usize),
    /// Decided without an object: whatever stands in the URL, the answer is 403.
    Untargeted,
    /// Of the project in the URL, where nobody looks whether there is one.
    Project,
    /// Of the caller's own project.
    Callers,
    /// Lists and documents about other resources' objects.
    Usage,
}

const PLACES: &[(&str, Place)] = &[
    ("/v2.0/availability_zones", Place::Untargeted),
    ("/v2.0/service_providers", Place::Untargeted),
    ("/v2.0/qos/rule_types", Place::Untargeted),
    ("/v2.0/qos/rule_types/{type}", Place::Untargeted),
    ("/v2.0/quotas", Place::Untargeted),
    ("/v2.0/log/loggable_resources", Place::Callers),
    ("/v2.0/quotas/{project}", Place::Project),
    ("/v2.0/quotas/{project}/default", Place::Project),
    ("/v2.0/quotas/{project}/details", Place::Project),
    ("/v2.0/auto_allocated_topology/{project}", Place::Project),
    ("/v2.0/network_ip_availabilities", Place::Usage),
    ("/v2.0/network_ip_availabilities/{id}", Place::Usage),
    ("/v2.0/floatingip_pools", Place::Usage),
];

/// What goes on after an object's URL and is decided without the object.
const WITHOUT_OBJECT: &[&str] = &[
    "l3_agents",
    "dhcp_agents",
    "l3_routers",
    "l3_routers/{other}",
    "dhcp_networks",
    "dhcp_networks/{other}",
    "next_provider",
    "next_providers",
    "service_profiles",
    "service_profiles/{profile}",
];

fn below(kind: &Kind, rest: &str) -> bool {
    let tags = kind.declaration.tags && ["tags", "tags/{tag}"].contains(&rest);
    let trunk = kind.name == "trunk" && rest == "get_subports";
    tags || trunk || kind.actions.contains(&rest)
}

/// `None`: nobody told the matrix what this is.
pub(super) fn of(route: &GuardedRoute, world: &World) -> Option<Place> {
    if route.rule.is_none() {
        return Some(Place::Open);
    }
    if let Some((_, place)) = PLACES.iter().find(|(path, _)| *path == route.path) {
        return Some(*place);
    }
    for (index, kind) in world.kinds.iter().enumerate() {
        let collection = kind.declaration.url("{parent}");
        let short = format!("/{}/{}", kind.declaration.root, kind.declaration.collection);
        let alias = format!("/v2.0/qos/alias_{}/{{id}}", kind.declaration.collection);
        if route.path == collection {
            return Some(match route.method {
                "POST" => Place::Create(index),
                _ => Place::List(index),
            });
        }
        if route.path == alias && kind.parent().as_deref() == Some("policy") {
            return Some(Place::Alias(index));
        }
        for url in [collection, short] {
            let member = format!("{url}/{{id}}");
            let Some(rest) = route.path.strip_prefix(&member) else { continue };
            match rest.strip_prefix('/') {
                None if rest.is_empty() => return Some(Place::Member(index)),
                Some(rest) if below(kind, rest) => return Some(Place::Member(index)),
                Some(rest) if WITHOUT_OBJECT.contains(&rest) => return Some(Place::Untargeted),
                _ => {}
            }
        }
    }
    None
}
