//! The life of bindings, as requests and answers.

use serde_json::json;

use super::*;
use crate::{
    Network,
    registry::{
        agent::tests::agent,
        port::{TAP, UNBOUND},
    },
    world::{Session, refusal, refused},
};

/// An instance's port on `a`; agents wire on `a`, `b` and `c`.
fn table() -> (Session, Port) {
    let mut table = Session::new();
    for host in ["a", "b", "c"] {
        table.put(&agent("Linux bridge agent", host));
    }
    let network: Network = table.create(json!({})).unwrap();
    let port: Port = table
        .create(json!({
            "network_id": network.id.to_string(), "device_owner": "compute:nova",
            "device_id": "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11", "binding:host_id": "a",
            "binding:profile": {"slot": 1},
        }))
        .unwrap();
    (table, port)
}

fn bind(table: &mut Session, port: &Port, body: Value) -> Result<PortBinding, Refusal> {
    table.create_child(port.id, body)
}

fn activate(table: &mut Session, port: &Port, host: &str) -> Result<Value, Refusal> {
    let id = PortBinding::id_of(port.id, &host.into());
    table.action::<PortBinding>(id, "activate", json!({}))
}

/// Host and status of each.
fn bindings(table: &Session) -> Vec<(String, String)> {
    let all = table.list::<PortBinding>();
    all.into_iter().map(|binding| (binding.host.0, binding.status)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(host, status)| ((*host).to_owned(), (*status).to_owned())).collect()
}

#[test]
fn a_ports_own_binding_is_listed_and_follows_it() {
    let (mut table, port) = table();
    let own = &table.list::<PortBinding>()[0];
    assert_eq!((own.host.0.as_str(), own.status.as_str(), own.vif_type.as_str()), ("a", ACTIVE, TAP));
    assert_eq!(own.to_json()["profile"], json!({"slot": 1}));
    table.update::<Port>(port.id, json!({"binding:profile": {"slot": 2}})).unwrap();
    assert_eq!(table.list::<PortBinding>()[0].to_json()["profile"], json!({"slot": 2}));
    table.update::<Port>(port.id, json!({"binding:host_id": "b"})).unwrap();
    assert_eq!(bindings(&table), pairs(&[("b", ACTIVE)]));
    table.update::<Port>(port.id, json!({"binding:host_id": ""})).unwrap();
    assert_eq!(bindings(&table), pairs(&[]));
}

#[test]
fn a_live_migration_prepares_activates_and_cleans_up() {
    let (mut table, port) = table();
    let profile = json!({"migrating_to": "b", "deep": {"list": [1, null]}});
    let prepared = bind(&mut table, &port, json!({"host": "b", "profile": profile})).unwrap();
    assert_eq!((prepared.status.as_str(), prepared.vif_type.as_str()), (INACTIVE, TAP));
    assert_eq!(prepared.to_json()["profile"], profile);
    assert!(table.touched_hosts, "the host has to prepare");
    let mut running: Port = table.get(port.id).unwrap();
    assert_eq!(running.host_id.0, "a");
    running.status = "ACTIVE".to_owned();
    table.put(&running);

    let answer = activate(&mut table, &port, "b").unwrap();
    assert_eq!((&answer["host"], &answer["status"]), (&json!("b"), &json!(ACTIVE)));
    assert_eq!(bindings(&table), pairs(&[("a", INACTIVE), ("b", ACTIVE)]));
    let moved: Port = table.get(port.id).unwrap();
    assert_eq!((moved.host_id.0.as_str(), moved.status.as_str()), ("b", "DOWN"));
    assert_eq!(moved.to_json()["binding:profile"], profile);
    let again = activate(&mut table, &port, "b");
    assert_eq!(refusal(again), refused(409, "PortBindingAlreadyActive"));

    table.delete::<PortBinding>(PortBinding::id_of(port.id, &"a".into())).unwrap();
    assert_eq!(bindings(&table), pairs(&[("b", ACTIVE)]));
    assert_eq!(table.get::<Port>(port.id).unwrap().host_id.0, "b");
}

#[test]
fn what_cannot_be_bound_is_refused() {
    let (mut table, port) = table();
    let twice = bind(&mut table, &port, json!({"host": "a"}));
    assert_eq!(refusal(twice), refused(409, "PortBindingAlreadyExists"));
    let nobody = bind(&mut table, &port, json!({"host": "nobody-wires-here"}));
    assert_eq!(refusal(nobody), refused(409, "PortBindingError"));
    let direct = bind(&mut table, &port, json!({"host": "b", "vnic_type": "direct"}));
    assert_eq!(refusal(direct), refused(409, "PortBindingError"));
    for host in [String::new(), "h".repeat(256)] {
        let unusable = bind(&mut table, &port, json!({ "host": host }));
        assert_eq!(refusal(unusable), refused(400, "HTTPBadRequest"));
    }
    let plain: Port =
        table.create(json!({"network_id": port.network_id.to_string()})).unwrap();
    let made = bind(&mut table, &plain, json!({"host": "b"}));
    assert_eq!(refusal(made), refused(400, "BadRequest"));
    let own = PortBinding::id_of(port.id, &"a".into());
    let elsewhere = table.update::<PortBinding>(&own, json!({"host": "b"}));
    assert_eq!(refusal(elsewhere), refused(400, "BadRequest"));
    let direct = table.update::<PortBinding>(&own, json!({"vnic_type": "direct"}));
    assert_eq!(refusal(direct), refused(409, "PortBindingError"));
}

#[test]
fn the_first_binding_of_a_port_is_its_own() {
    let (mut table, port) = table();
    table.update::<Port>(port.id, json!({"binding:host_id": null})).unwrap();
    let first = bind(&mut table, &port, json!({"host": "c"})).unwrap();
    assert_eq!(first.status, ACTIVE);
    assert_eq!(table.get::<Port>(port.id).unwrap().host_id.0, "c");
    table.delete::<PortBinding>(first.id).unwrap();
    let off: Port = table.get(port.id).unwrap();
    assert_eq!((off.host(), off.vif_type.as_str()), (None, UNBOUND));
    assert_eq!(bindings(&table), pairs(&[]));
}

#[test]
fn an_active_bindings_profile_is_the_ports() {
    let (mut table, port) = table();
    let mut running: Port = table.get(port.id).unwrap();
    running.status = "ACTIVE".to_owned();
    table.put(&running);
    let own = PortBinding::id_of(port.id, &"a".into());
    table.update::<PortBinding>(own, json!({"profile": {"x": 1}})).unwrap();
    let after: Port = table.get(port.id).unwrap();
    assert_eq!(after.to_json()["binding:profile"], json!({"x": 1}));
    assert_eq!(after.status, "ACTIVE", "nothing is plugged otherwise");
}

/// A migration whose end nobody saw must not refuse the next one.
#[test]
fn a_port_that_is_moved_by_its_host_leaves_no_stale_binding() {
    let (mut table, port) = table();
    bind(&mut table, &port, json!({"host": "b"})).unwrap();
    bind(&mut table, &port, json!({"host": "c"})).unwrap();
    table.update::<Port>(port.id, json!({"binding:host_id": "b"})).unwrap();
    assert_eq!(bindings(&table), pairs(&[("b", ACTIVE)]));
    assert!(bind(&mut table, &port, json!({"host": "a"})).is_ok());
    // The same host again is no move.
    table.update::<Port>(port.id, json!({"binding:host_id": "b", "name": "n"})).unwrap();
    assert_eq!(bindings(&table), pairs(&[("a", INACTIVE), ("b", ACTIVE)]));
}
