//! What is shared with whom, as requests and answers.

use serde_json::json;

use super::*;
use crate::{
    AddressScope, Network, Port, SubnetPool,
    world::{World, admin, member, refusal, refused},
};

fn policy(
    world: &mut World,
    caller: &crate::Caller,
    network: &Network,
    target: &str,
) -> Result<RbacPolicy, Refusal> {
    let body = json!({
        "object_type": "network", "object_id": network.id.to_string(),
        "action": "access_as_shared", "target_tenant": target});
    world.create(caller, None, body)
}

fn port(world: &mut World, project: &str, network: &Network) -> Result<Port, Refusal> {
    world.create(&member(project), None, json!({"network_id": network.id.to_string()}))
}

#[test]
fn a_network_is_used_by_those_it_is_shared_with() {
    let mut world = World::default();
    let network: Network = world.create(&member("a"), None, json!({})).unwrap();
    assert_eq!(refusal(port(&mut world, "b", &network)), refused(404, "NetworkNotFound"));
    let shared = policy(&mut world, &member("a"), &network, "b").unwrap();
    let made = port(&mut world, "b", &network).unwrap();
    assert_eq!(refusal(port(&mut world, "c", &network)), refused(404, "NetworkNotFound"));

    let gone = world.delete::<RbacPolicy>(&member("a"), shared.id);
    assert_eq!(refusal(gone), refused(409, "RbacPolicyInUse"));
    let moved = world.update::<RbacPolicy>(&member("a"), shared.id, json!({"target_tenant": "c"}));
    assert_eq!(refusal(moved), refused(409, "RbacPolicyInUse"));
    // A policy for everybody covers it as well.
    policy(&mut world, &admin(), &network, "*").unwrap();
    world.update::<RbacPolicy>(&member("a"), shared.id, json!({"target_tenant": "c"})).unwrap();
    world.delete::<Port>(&member("b"), made.id).unwrap();
    world.update::<Network>(&admin(), network.id, json!({"shared": false})).unwrap();
    assert_eq!(refusal(port(&mut world, "b", &network)), refused(404, "NetworkNotFound"));
    port(&mut world, "c", &network).unwrap();
}

#[test]
fn owners_share_their_own_with_one_project_at_a_time() {
    let mut world = World::default();
    let network: Network = world.create(&member("a"), None, json!({})).unwrap();
    let mut make = |caller: &crate::Caller, target: &str| policy(&mut world, caller, &network, target);
    assert_eq!(refusal(make(&member("b"), "b")), refused(404, "NetworkNotFound"));
    assert_eq!(refusal(make(&member("a"), "")), refused(400, "HTTPBadRequest"));
    let made = make(&member("a"), "b").unwrap();
    let nobodys = world.update::<RbacPolicy>(&member("a"), made.id, json!({"target_tenant": ""}));
    assert_eq!(refusal(nobodys), refused(400, "HTTPBadRequest"));
}

#[test]
fn shared_in_a_request_is_a_policy_for_everybody() {
    let mut world = World::default();
    let network: Network = world.create(&admin(), None, json!({"shared": true})).unwrap();
    assert!(world.get::<Network>(network.id).shared);
    let [policy] = world.all::<RbacPolicy>(Select::all()).try_into().unwrap();
    assert_eq!((policy.target_project.0.as_str(), policy.action), ("*", Action::Shared));
    world.delete::<RbacPolicy>(&admin(), policy.id).unwrap();
    assert!(!world.get::<Network>(network.id).shared);
    world.update::<Network>(&admin(), network.id, json!({"shared": true})).unwrap();
    world.update::<Network>(&admin(), network.id, json!({"shared": true})).unwrap();
    assert_eq!(world.all::<RbacPolicy>(Select::all()).len(), 1);
}

#[test]
fn only_networks_are_external() {
    let mut world = World::default();
    let network: Network = world.create(&member("a"), None, json!({})).unwrap();
    let body = |object_type: &str| {
        json!({
            "object_type": object_type, "object_id": network.id.to_string(),
            "action": "access_as_external", "target_tenant": "b"})
    };
    let scope = world.create::<RbacPolicy>(&admin(), None, body("address_scope"));
    assert_eq!(refusal(scope), refused(400, "InvalidInput"));
    // What leads outside is the administrator's to say.
    let tenant = world.create::<RbacPolicy>(&member("a"), None, body("network"));
    assert_eq!(refusal(tenant), refused(403, "PolicyNotAuthorized"));
    world.create::<RbacPolicy>(&admin(), None, body("network")).unwrap();
    assert!(world.get::<Network>(network.id).external);
    assert!(!world.get::<Network>(network.id).accessible);
    for wrong in ["router", "networks", ""] {
        let made = world.create::<RbacPolicy>(&admin(), None, body(wrong));
        assert_eq!(refusal(made), refused(400, "HTTPBadRequest"));
    }
}

#[test]
fn who_may_use_an_object_of_another_may_not_share_it() {
    let mut world = World::default();
    let network: Network = world.create(&member("a"), None, json!({})).unwrap();
    policy(&mut world, &member("a"), &network, "b").unwrap();
    let made = policy(&mut world, &member("b"), &network, "c");
    assert_eq!(refusal(made), refused(400, "InvalidInput"));
    let made = policy(&mut world, &member("c"), &network, "d");
    assert_eq!(refusal(made), refused(404, "NetworkNotFound"));
}

#[test]
fn a_network_is_external_while_somebody_may_use_it_as_such() {
    let mut world = World::default();
    let network: Network = world.create(&admin(), None, json!({})).unwrap();
    let mut open = |target: &str| {
        let body = json!({
            "object_type": "network", "object_id": network.id.to_string(),
            "action": "access_as_external", "target_tenant": target});
        world.create::<RbacPolicy>(&admin(), None, body).unwrap().id
    };
    let (all, one) = (open("*"), open("b"));
    world.delete::<RbacPolicy>(&admin(), all).unwrap();
    assert!(world.get::<Network>(network.id).external);
    world.delete::<RbacPolicy>(&admin(), one).unwrap();
    assert!(!world.get::<Network>(network.id).external);
}

#[test]
fn the_default_external_network_stays_everybodys() {
    let mut world = World::default();
    let body = json!({"router:external": true, "is_default": true});
    let network: Network = world.create(&admin(), None, body).unwrap();
    let [policy] = world.all::<RbacPolicy>(Select::all()).try_into().unwrap();
    let gone = world.delete::<RbacPolicy>(&admin(), policy.id);
    assert_eq!(refusal(gone), refused(409, "RbacPolicyInUse"));
    let moved = world.update::<RbacPolicy>(&admin(), policy.id, json!({"target_tenant": "b"}));
    assert_eq!(refusal(moved), refused(409, "RbacPolicyInUse"));
    world.update::<Network>(&admin(), network.id, json!({"is_default": false})).unwrap();
    world.delete::<RbacPolicy>(&admin(), policy.id).unwrap();
}

#[test]
fn a_pool_is_shared_with_who_may_use_its_address_scope() {
    let mut world = World::default();
    let scope = json!({"name": "scope", "ip_version": 4});
    let scope: AddressScope = world.create(&member("a"), None, scope).unwrap();
    let pool = json!({"name": "pool", "prefixes": ["10.0.0.0/8"], "address_scope_id": scope.id});
    let pool: SubnetPool = world.create(&member("a"), None, pool).unwrap();
    let mut share = |object_type: &str, id: String, target: &str| {
        let body = json!({"object_type": object_type, "object_id": id,
            "action": "access_as_shared", "target_tenant": target});
        world.create::<RbacPolicy>(&admin(), None, body)
    };
    let without = refused(400, "InvalidInput");
    assert_eq!(refusal(share("subnetpool", pool.id.to_string(), "b")), without);
    share("address_scope", scope.id.to_string(), "b").unwrap();
    share("subnetpool", pool.id.to_string(), "b").unwrap();
    assert_eq!(refusal(share("subnetpool", pool.id.to_string(), "*")), without);
}
