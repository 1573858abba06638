//! Placing routers.

use serde_json::json;

use super::{place_router, schedule_all};
use crate::{
    Port, Router, Select,
    world::{Site, TENANT, World, admin, member},
};

fn l3(world: &mut World, host: &str) {
    world.agent("L3 agent", "neutron-l3-agent", host);
    world.agent("Linux bridge agent", "neutron-linuxbridge-agent", host);
}

fn host(router: &Router) -> Option<&str> {
    router.l3_host.as_ref().map(|host| host.0.as_str())
}

#[test]
fn routers_spread_over_the_agents() {
    let mut world = World::default();
    l3(&mut world, "b");
    l3(&mut world, "a");
    let mut hosts = Vec::new();
    for _ in 0..4 {
        let router: Router = world.create(&member(TENANT), None, json!({})).unwrap();
        hosts.extend(host(&router).map(str::to_owned));
    }
    assert_eq!(hosts, ["a", "b", "a", "b"]);
}

#[test]
fn the_preferred_agent_wins_over_an_idle_one() {
    let mut world = World::default();
    l3(&mut world, "a");
    l3(&mut world, "b");
    for _ in 0..3 {
        let body = json!({"configurations": {"preferred_agent": "b"}});
        let router: Router = world.create(&admin(), None, body).unwrap();
        assert_eq!(host(&router), Some("b"));
    }
}

#[test]
fn a_highly_available_router_is_on_its_master_or_else_on_its_first_slave() {
    let mut world = World::default();
    for node in ["a", "b", "c"] {
        l3(&mut world, node);
    }
    let body = json!({"ha": true, "configurations": {
        "preferred_agent": "a", "master_agent": "c", "slave_agents": ["b", "a"]}});
    let router: Router = world.create(&admin(), None, body.clone()).unwrap();
    assert_eq!(host(&router), Some("c"));
    let on_master = Select::eq("host", "c").and("agent_type", "L3 agent");
    let agent = world.all::<crate::Agent>(on_master).pop().unwrap();
    world.update::<crate::Agent>(&admin(), agent.id, json!({"admin_state_up": false})).unwrap();
    let router: Router = world.create(&admin(), None, body).unwrap();
    assert_eq!(host(&router), Some("b"));
}

#[test]
fn a_preferred_agent_that_is_switched_off_leaves_the_router_to_others() {
    let mut world = World::default();
    l3(&mut world, "a");
    l3(&mut world, "b");
    let agent = world
        .all::<crate::Agent>(Select::eq("host", "b").and("agent_type", "L3 agent"))
        .pop()
        .unwrap();
    world.update::<crate::Agent>(&admin(), agent.id, json!({"admin_state_up": false})).unwrap();
    let body = json!({"configurations": {"preferred_agent": "b"}});
    let router: Router = world.create(&admin(), None, body).unwrap();
    assert_eq!(host(&router), Some("a"));
}

#[test]
fn changed_configurations_move_the_router_with_all_its_ports() {
    let mut site = Site::new();
    l3(&mut site.world, "node-2");
    let body = json!({"configurations": {"preferred_agent": "node-2"}});
    let moved: Router = site.world.update(&admin(), site.router, body).unwrap();
    assert_eq!(host(&moved), Some("node-2"));
    let ports: Vec<Port> = site.world.all(Select::eq("device_id", site.router.to_string()));
    assert_eq!(ports.len(), 2);
    assert!(ports.iter().all(|port| port.host_id.0 == "node-2" && port.vif_type == "tap"));
    // Without a preference it stays where it is.
    let body = json!({"configurations": {}});
    let stayed: Router = site.world.update(&admin(), site.router, body).unwrap();
    assert_eq!(host(&stayed), Some("node-2"));
}

#[test]
fn a_gateway_that_changes_while_the_router_moves_keeps_both_changes() {
    let mut site = Site::new();
    l3(&mut site.world, "node-2");
    let ips = json!([{"ip_address": "203.0.113.99"}]);
    let body = json!({
        "configurations": {"preferred_agent": "node-2"},
        "external_gateway_info": {"network_id": site.external, "external_fixed_ips": ips},
    });
    let moved: Router = site.world.update(&admin(), site.router, body).unwrap();
    let port: Port = site.world.get(moved.gw_port_id.unwrap());
    assert_eq!(port.fixed_ips[0].ip_address.to_string(), "203.0.113.99");
    assert_eq!(port.host_id.0, "node-2");
}

#[test]
fn routers_that_nobody_serves_wait_for_an_agent() {
    let mut world = World::default();
    let body = json!({"name": "waits"});
    let first: Router = world.create(&member(TENANT), None, body.clone()).unwrap();
    let second: Router = world.create(&member(TENANT), None, body).unwrap();
    assert_eq!((host(&first), host(&second)), (None, None));
    l3(&mut world, "a");
    l3(&mut world, "b");
    world.decide(&admin(), |facts, context| Ok(((), schedule_all(facts, context)?))).unwrap();
    let routers: Vec<Router> = world.all(Select::all());
    let mut hosts: Vec<_> = routers.iter().filter_map(host).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["a", "b"]);
    world.decide(&admin(), |facts, context| Ok(((), schedule_all(facts, context)?))).unwrap();
    assert_eq!(world.written, 0, "who is served stays");
}

#[test]
fn placing_a_router_that_is_in_its_place_writes_nothing() {
    let mut site = Site::new();
    let router: Router = site.world.get(site.router);
    site.world
        .decide(&admin(), |facts, context| Ok(((), place_router(&router, facts, context)?)))
        .unwrap();
    assert_eq!(site.world.written, 0);
}

#[test]
fn routers_leave_an_agent_that_is_switched_off_or_forgotten_if_another_can_take_them() {
    for forgotten in [false, true] {
        let mut site = Site::new();
        let router: Router = site.world.get(site.router);
        let first = host(&router).unwrap().to_owned();
        let agent = Select::eq("host", first.as_str()).and("agent_type", "L3 agent");
        let agent = site.world.all::<crate::Agent>(agent).pop().unwrap();
        if forgotten {
            site.world.delete::<crate::Agent>(&admin(), agent.id).unwrap();
        } else {
            let body = json!({"admin_state_up": false});
            site.world.update::<crate::Agent>(&admin(), agent.id, body).unwrap();
        }
        let schedule = |world: &mut World| {
            world.decide(&admin(), |f, context| Ok(((), schedule_all(f, context)?))).unwrap();
        };
        schedule(&mut site.world);
        assert_eq!(host(&site.world.get(site.router)), Some(&*first), "nobody else is there");
        l3(&mut site.world, "node-2");
        schedule(&mut site.world);
        assert_eq!(host(&site.world.get(site.router)), Some("node-2"));
        assert!(site.world.touched_hosts);
    }
}
