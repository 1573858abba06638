//! Where DHCP servers are placed, extended, moved and removed.

use serde_json::json;

use super::*;
use crate::{AttributeValue, registry::agent::tests::agent, world::Session};

fn network(table: &mut Session) -> Network {
    table.create(json!({})).unwrap()
}

fn subnet(table: &mut Session, network: &Network, cidr: &str) -> Subnet {
    table
        .create(json!({"network_id": network.id.to_string(), "ip_version": 4, "cidr": cidr}))
        .unwrap()
}

fn servers(table: &Session) -> Vec<Port> {
    let mut ports = table.list::<Port>();
    ports.retain(|port| port.device_owner.0 == DHCP_OWNER);
    ports
}

fn ips(port: &Port) -> Vec<String> {
    port.fixed_ips.iter().map(|fixed_ip| fixed_ip.ip_address.to_string()).collect()
}

fn schedule(table: &mut Session) {
    table.decide(|facts, context| Ok(((), schedule_all(facts, context)?))).unwrap();
}

#[test]
fn a_subnet_with_dhcp_gets_a_server_and_further_ones_extend_it() {
    let mut table = Session::new();
    table.put(&agent(DHCP_AGENT, "h.example.org"));
    table.put(&agent("Linux bridge agent", "h.example.org"));
    let network = network(&mut table);
    let first = subnet(&mut table, &network, "10.0.0.0/24");
    assert!(table.touched_hosts);
    let server = servers(&table).pop().unwrap();
    assert_eq!(ips(&server), ["10.0.0.2"]);
    assert_eq!(server.vif_type, port::TAP);
    assert_eq!(server.host_id, "h.example.org".into());
    assert_eq!(server.standard.project_id, network.standard.project_id);
    // uuid5(NAMESPACE_DNS, "h"), as Neutron computes it.
    let host = Uuid::new_v5(&Uuid::NAMESPACE_DNS, b"h");
    assert_eq!(server.device_id.0, format!("dhcp{host}-{}", network.id));

    let second = subnet(&mut table, &network, "10.0.1.0/24");
    let extended = servers(&table).pop().unwrap();
    assert_eq!((extended.id, ips(&extended).len()), (server.id, 2));

    table.update::<Subnet>(first.id, json!({"enable_dhcp": false})).unwrap();
    assert_eq!(ips(&servers(&table)[0]), ["10.0.1.2"]);
    table.update::<Subnet>(second.id, json!({"enable_dhcp": false})).unwrap();
    assert_eq!(servers(&table), []);
    assert!(table.addresses.is_empty());
    table.update::<Subnet>(second.id, json!({"enable_dhcp": true})).unwrap();
    assert_eq!(servers(&table).len(), 1);
}

#[test]
fn without_an_agent_there_is_no_server_until_one_appears() {
    let mut table = Session::new();
    let network = network(&mut table);
    subnet(&mut table, &network, "10.0.0.0/24");
    assert_eq!(servers(&table), []);
    table.put(&agent(DHCP_AGENT, "h"));
    schedule(&mut table);
    assert_eq!(servers(&table).len(), 1);
    assert_eq!(servers(&table)[0].vif_type, port::BINDING_FAILED);
    schedule(&mut table);
    assert!(table.touched.is_empty(), "what is placed stays as it is");
    // Its host gets an agent that wires ports.
    table.put(&agent("Linux bridge agent", "h"));
    schedule(&mut table);
    assert_eq!(servers(&table)[0].vif_type, port::TAP);
}

#[test]
fn networks_are_spread_over_the_agents_also_in_one_go() {
    let mut table = Session::new();
    for _ in 0..4 {
        let network = network(&mut table);
        subnet(&mut table, &network, "10.0.0.0/24");
    }
    table.put(&agent(DHCP_AGENT, "a"));
    table.put(&agent(DHCP_AGENT, "b"));
    let mut off = agent(DHCP_AGENT, "c");
    off.admin_state_up = false;
    table.put(&off);
    schedule(&mut table);
    let on = |host: &str| servers(&table).iter().filter(|p| p.host_id == host.into()).count();
    assert_eq!((on("a"), on("b"), on("c")), (2, 2, 0));
}

#[test]
fn as_many_servers_as_configured_each_on_its_own_host() {
    let mut table = Session::new();
    table.settings.dhcp_agents_per_network = 3;
    table.put(&agent(DHCP_AGENT, "a"));
    table.put(&agent(DHCP_AGENT, "b"));
    let network = network(&mut table);
    subnet(&mut table, &network, "10.0.0.0/24");
    let mut hosts: Vec<HostName> = servers(&table).into_iter().map(|p| p.host_id).collect();
    hosts.sort();
    assert_eq!(hosts, ["a".into(), "b".into()]);
}

#[test]
fn a_server_whose_agent_is_silent_moves_with_its_addresses() {
    let mut table = Session::new();
    let mut silent = agent(DHCP_AGENT, "a");
    table.put(&silent);
    let network = network(&mut table);
    subnet(&mut table, &network, "10.0.0.0/24");
    let before = servers(&table).pop().unwrap();
    silent.heartbeat_timestamp = "2026-01-02T02:00:00Z".to_owned();
    table.put(&silent);
    schedule(&mut table);
    assert_eq!(servers(&table), std::slice::from_ref(&before), "nowhere to go");
    table.put(&agent(DHCP_AGENT, "b"));
    schedule(&mut table);
    let after = servers(&table);
    assert_eq!(after.len(), 1);
    assert_eq!((after[0].id, &after[0].fixed_ips), (before.id, &before.fixed_ips));
    assert_eq!(after[0].host_id, "b".into());
    assert!(table.touched_hosts);
}

#[test]
fn zone_hints_are_kept() {
    let mut table = Session::new();
    table.put(&agent(DHCP_AGENT, "a"));
    let mut east = agent(DHCP_AGENT, "z");
    east.availability_zone = Some("east".to_owned());
    table.put(&east);
    let network: Network = table.create(json!({"availability_zone_hints": ["east"]})).unwrap();
    assert_eq!(network.availability_zone_hints.to_json(), json!(["east"]));
    subnet(&mut table, &network, "10.0.0.0/24");
    assert_eq!(servers(&table)[0].host_id, "z".into());
}

#[test]
fn a_full_subnet_goes_without_and_does_not_keep_the_others_from_it() {
    let mut table = Session::new();
    let network = network(&mut table);
    let id = network.id.to_string();
    subnet(&mut table, &network, "10.0.0.0/30");
    table.create::<Port>(json!({"network_id": id})).unwrap();
    table.put(&agent(DHCP_AGENT, "a"));
    subnet(&mut table, &network, "10.0.1.0/24");
    assert_eq!(ips(&servers(&table)[0]), ["10.0.1.2"]);
}

#[test]
fn a_chosen_address_is_seldom_the_servers() {
    let mut table = Session::new();
    table.put(&agent(DHCP_AGENT, "a"));
    let network = network(&mut table);
    subnet(&mut table, &network, "10.0.0.0/24");
    let id = network.id.to_string();
    for last in 3..=254 {
        let fixed_ips = json!([{"ip_address": format!("10.0.0.{last}")}]);
        table.create::<Port>(json!({"network_id": id, "fixed_ips": fixed_ips})).unwrap();
    }
}

#[test]
fn an_agent_may_be_given_a_network_before_there_is_anything_to_serve() {
    let mut table = Session::new();
    let given = agent(DHCP_AGENT, "a");
    table.put(&given);
    table.put(&agent(DHCP_AGENT, "b"));
    let network = network(&mut table);
    let (agent_id, id) = (given.id.to_string(), network.id.to_string());
    table.decide(|facts, context| Ok(((), assign(&agent_id, &id, facts, context)?))).unwrap();
    let server = servers(&table).pop().unwrap();
    assert_eq!((ips(&server).len(), &server.host_id), (0, &"a".into()));
    let body = json!({"network_id": id, "ip_version": 4, "cidr": "10.0.1.0/24",
        "enable_dhcp": false});
    table.create::<Subnet>(body).unwrap();
    assert_eq!(servers(&table), std::slice::from_ref(&server), "still nothing to serve");
    subnet(&mut table, &network, "10.0.0.0/24");
    let serving = servers(&table);
    assert_eq!(
        (serving.len(), serving[0].id, ips(&serving[0])),
        (1, server.id, vec!["10.0.0.2".to_owned()])
    );
    table.decide(|facts, context| Ok(((), unassign(&agent_id, &id, facts, context)?))).unwrap();
    assert_eq!(servers(&table), []);
}
