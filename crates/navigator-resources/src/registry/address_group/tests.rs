//! Address groups' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    registry::security_group::tests::{group, table},
    world::{Session, refusal, refused},
};

fn made(table: &mut Session) -> AddressGroup {
    let addresses = json!(["10.0.0.1/24", "10.0.0.0/24", "2001:db8::/32"]);
    table.create(json!({"name": "offices", "addresses": addresses})).unwrap()
}

fn act(table: &mut Session, id: AddressGroupId, action: &str, list: Value) -> Result<Value, Refusal> {
    table.action::<AddressGroup>(id, action, json!({ "addresses": list }))
}

#[test]
fn addresses_are_prefixes_each_once() {
    let mut table = table();
    let group = made(&mut table);
    assert_eq!(group.to_json()["addresses"], json!(["10.0.0.0/24", "2001:db8::/32"]));
    for wrong in ["10.0.0.1", "10.0.0.0/33", "offices"] {
        let body = json!({ "addresses": [wrong] });
        assert_eq!(refusal(table.create::<AddressGroup>(body)), refused(400, "HTTPBadRequest"));
    }
}

#[test]
fn addresses_come_and_go() {
    let mut table = table();
    let id = made(&mut table).id;
    let added = act(&mut table, id, "add_addresses", json!(["192.0.2.1/32"])).unwrap();
    assert_eq!(
        added["address_group"]["addresses"],
        json!(["10.0.0.0/24", "192.0.2.1/32", "2001:db8::/32"])
    );
    assert_eq!(
        refusal(act(&mut table, id, "add_addresses", json!(["10.0.0.9/24"]))),
        refused(400, "AddressesAlreadyExist")
    );
    let left = act(&mut table, id, "remove_addresses", json!(["10.0.0.0/24"])).unwrap();
    assert_eq!(left["address_group"]["addresses"], json!(["192.0.2.1/32", "2001:db8::/32"]));
    assert_eq!(
        refusal(act(&mut table, id, "remove_addresses", json!(["10.0.0.0/24"]))),
        refused(404, "AddressesNotFound")
    );
    assert_eq!(
        refusal(act(&mut table, id, "remove_addresses", json!(["10.200.200.200"]))),
        refused(404, "AddressesNotFound")
    );
    assert_eq!(
        refusal(act(&mut table, id, "add_addresses", json!(["nonsense"]))),
        refused(400, "HTTPBadRequest")
    );
    let stored: AddressGroup = table.get(id).unwrap();
    assert_eq!(stored.addresses.len(), 2, "what was refused changed nothing");
}

#[test]
fn a_group_that_a_rule_names_stays() {
    let mut table = table();
    let offices = made(&mut table).id;
    let web = group(&mut table, "web").id;
    let body = json!({
        "security_group_id": web, "direction": "ingress", "remote_address_group_id": offices});
    let rule: SecurityGroupRule = table.create(body).unwrap();
    assert_eq!(refusal(table.delete::<AddressGroup>(offices)), refused(409, "AddressGroupInUse"));
    table.delete::<SecurityGroupRule>(rule.id).unwrap();
    table.delete::<AddressGroup>(offices).unwrap();
}
