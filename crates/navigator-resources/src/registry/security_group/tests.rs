//! Security groups' and templates' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    Network, Port, Subnet,
    world::{Session, refusal, refused},
};

/// With the templates that a new database has; project `p` asks.
pub(crate) fn table() -> Session {
    let mut table = Session::new();
    for ethertype in ["IPv4", "IPv6"] {
        for (direction, remote, other) in
            [("egress", Value::Null, true), ("ingress", json!("PARENT"), false)]
        {
            let template = json!({
                "direction": direction, "ethertype": ethertype, "remote_group_id": remote,
                "used_in_default_sg": true, "used_in_non_default_sg": other});
            table.create::<DefaultSecurityGroupRule>(template).unwrap();
        }
    }
    table.as_project("p");
    table
}

pub(crate) fn group(table: &mut Session, name: &str) -> SecurityGroup {
    table.create(json!({ "name": name })).unwrap()
}

fn rules_of(table: &Session, group: SecurityGroupId) -> Vec<String> {
    let rules: Vec<SecurityGroupRule> = table.list();
    let mut shown: Vec<String> = rules
        .iter()
        .filter(|rule| rule.security_group_id == group)
        .map(|rule| {
            let remote = rule.remote_group_id.is_some_and(|remote| remote == group);
            format!("{} {} {remote}", rule.direction, rule.ethertype)
        })
        .collect();
    shown.sort();
    shown
}

#[test]
fn the_first_group_brings_the_default_group_and_both_start_with_the_templates_rules() {
    let mut table = table();
    let web = group(&mut table, "web");
    let groups: Vec<SecurityGroup> = table.list();
    assert_eq!(groups.len(), 2);
    let default = groups.iter().find(|group| group.is_default).unwrap();
    assert_eq!((default.name.0.as_str(), &default.standard.project_id), ("default", &"p".into()));
    assert_eq!(rules_of(&table, web.id), ["egress IPv4 false", "egress IPv6 false"]);
    assert_eq!(
        rules_of(&table, default.id),
        ["egress IPv4 false", "egress IPv6 false", "ingress IPv4 true", "ingress IPv6 true"]
    );
    group(&mut table, "db");
    assert_eq!(table.list::<SecurityGroup>().len(), 3, "there is one default group");
    table.as_project("q");
    group(&mut table, "web");
    assert_eq!(table.list::<SecurityGroup>().len(), 5, "the other project has its own");
}

#[test]
fn the_name_default_is_taken() {
    let mut table = table();
    let taken = refused(409, "SecurityGroupDefaultAlreadyExists");
    for name in ["default", "Default", "DEFAULT"] {
        assert_eq!(refusal(table.create::<SecurityGroup>(json!({ "name": name }))), taken);
    }
    let web = group(&mut table, "web");
    assert_eq!(
        refusal(table.update::<SecurityGroup>(web.id, json!({"name": "default"}))),
        taken
    );
}

#[test]
fn the_default_group_keeps_its_name_and_goes_only_with_an_administrator() {
    let mut table = table();
    group(&mut table, "web");
    let default = table.list::<SecurityGroup>().into_iter().find(|group| group.is_default).unwrap();
    assert_eq!(
        refusal(table.update::<SecurityGroup>(default.id, json!({"name": "mine"}))),
        refused(409, "SecurityGroupCannotUpdateDefault")
    );
    let described: SecurityGroup =
        table.update(default.id, json!({"description": "ours"})).unwrap();
    assert_eq!(described.standard.description.0, "ours");
    assert_eq!(
        refusal(table.delete::<SecurityGroup>(default.id)),
        refused(409, "SecurityGroupCannotRemoveDefault")
    );
    table.as_admin().delete::<SecurityGroup>(default.id).unwrap();
}

fn port_of(table: &mut Session, more: Value) -> Result<Port, Refusal> {
    let network: Network = table.create(json!({})).unwrap();
    let subnet = json!({
        "network_id": network.id, "ip_version": 4, "cidr": "10.0.0.0/24", "enable_dhcp": false});
    table.create::<Subnet>(subnet).unwrap();
    let mut body = json!({ "network_id": network.id });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    table.create(body)
}

#[test]
fn a_group_on_a_port_stays_and_stays_as_stateful_as_it_is() {
    let mut table = table();
    let web = group(&mut table, "web");
    let port = port_of(&mut table, json!({ "security_groups": [web.id] })).unwrap();
    let in_use = refused(409, "SecurityGroupInUse");
    assert_eq!(refusal(table.delete::<SecurityGroup>(web.id)), in_use);
    let stateless = json!({"stateful": false});
    assert_eq!(refusal(table.update::<SecurityGroup>(web.id, stateless.clone())), in_use);
    table.update::<SecurityGroup>(web.id, json!({"stateful": true, "name": "www"})).unwrap();
    table.update::<Port>(port.id, json!({"security_groups": []})).unwrap();
    table.update::<SecurityGroup>(web.id, stateless).unwrap();
    table.delete::<SecurityGroup>(web.id).unwrap();
}

#[test]
fn stateful_and_stateless_groups_are_not_mixed_on_a_port() {
    let mut table = table();
    let web = group(&mut table, "web");
    let fast: SecurityGroup =
        table.create(json!({"name": "fast", "stateful": false})).unwrap();
    let both = json!({ "security_groups": [web.id, fast.id] });
    assert_eq!(refusal(port_of(&mut table, both)), refused(409, "SecurityGroupConflict"));
    port_of(&mut table, json!({ "security_groups": [fast.id] })).unwrap();
}

#[test]
fn rules_that_let_a_deleted_group_in_go_with_it() {
    let mut table = table();
    let (web, db) = (group(&mut table, "web"), group(&mut table, "db"));
    let rule = json!({
        "security_group_id": db.id, "direction": "ingress", "remote_group_id": web.id});
    table.create::<SecurityGroupRule>(rule).unwrap();
    table.delete::<SecurityGroup>(web.id).unwrap();
    assert_eq!(table.written, 2, "the other group changed too");
}

#[test]
fn a_port_that_names_no_group_gets_the_default_one_unless_nothing_filters_it() {
    let mut table = table();
    let port = port_of(&mut table, json!({})).unwrap();
    let default = table.list::<SecurityGroup>().pop().unwrap();
    assert!(default.is_default);
    assert_eq!(port.security_groups, [default.id]);
    let none = json!({"security_groups": []});
    assert_eq!(port_of(&mut table, none).unwrap().security_groups, []);
    for free in [
        json!({"port_security_enabled": false}),
        json!({"device_owner": "network:dhcp"}),
    ] {
        assert_eq!(port_of(&mut table, free).unwrap().security_groups, []);
    }
    // An administrator's port for a project is in that project's default group.
    table.as_admin();
    let port = port_of(&mut table, json!({"project_id": "p"})).unwrap();
    assert_eq!(port.security_groups, [default.id]);
}

#[test]
fn groups_of_a_port_are_there_visible_and_named_once() {
    let mut table = table();
    let web = group(&mut table, "web");
    let nobody = "00000000-0000-0000-0000-00000000dead";
    let not_found = refused(404, "SecurityGroupNotFound");
    let named = |id: &str| json!({ "security_groups": [id] });
    assert_eq!(refusal(port_of(&mut table, named(nobody))), not_found);
    let twice = json!({ "security_groups": [web.id, web.id] });
    assert_eq!(refusal(port_of(&mut table, twice)), refused(400, "HTTPBadRequest"));
    let port = port_of(&mut table, json!({})).unwrap();
    assert_eq!(refusal(table.update::<Port>(port.id, named(nobody))), not_found);
    table.as_project("q");
    assert_eq!(refusal(port_of(&mut table, named(&web.id.to_string()))), not_found);
    // What somebody else put on the port may stay.
    let foreign = group(&mut table, "foreign");
    table.as_admin();
    let both = json!({ "security_groups": [foreign.id] });
    table.update::<Port>(port.id, both).unwrap();
    table.as_project("p");
    let kept = json!({ "security_groups": [foreign.id, web.id] });
    assert_eq!(table.update::<Port>(port.id, kept).unwrap().security_groups.len(), 2);
}

#[test]
fn port_security_and_groups_need_each_other() {
    let mut table = table();
    let web = group(&mut table, "web");
    let needs = refused(400, "PortSecurityAndIPRequiredForSecurityGroups");
    let unfiltered = json!({ "port_security_enabled": false, "security_groups": [web.id] });
    assert_eq!(refusal(port_of(&mut table, unfiltered)), needs);
    let addressless = json!({ "fixed_ips": [], "security_groups": [web.id] });
    assert_eq!(port_of(&mut table, addressless).unwrap().security_groups, [web.id]);
    let port = port_of(&mut table, json!({})).unwrap();
    let off = json!({"port_security_enabled": false});
    assert_eq!(
        refusal(table.update::<Port>(port.id, off.clone())),
        refused(409, "PortSecurityPortHasSecurityGroup")
    );
    let other = json!({"port_security_enabled": false, "security_groups": [web.id]});
    assert_eq!(refusal(table.update::<Port>(port.id, other)), needs);
    let both = json!({"port_security_enabled": false, "security_groups": []});
    table.update::<Port>(port.id, both).unwrap();
    let named = json!({ "security_groups": [web.id] });
    assert_eq!(refusal(table.update::<Port>(port.id, named)), needs);
    let on = json!({"port_security_enabled": true});
    assert_eq!(table.update::<Port>(port.id, on).unwrap().security_groups, []);
}

#[test]
fn each_template_is_there_once() {
    let mut table = table();
    let template = json!({"direction": "ingress", "protocol": "icmp"});
    table.as_admin();
    let made: DefaultSecurityGroupRule = table.create(template.clone()).unwrap();
    assert!(made.used_in_non_default_sg && !made.used_in_default_sg);
    let exists = refused(409, "DefaultSecurityGroupRuleExists");
    assert_eq!(refusal(table.create::<DefaultSecurityGroupRule>(template.clone())), exists);
    // For other groups it is another one.
    let mut of_default = template;
    of_default["used_in_default_sg"] = true.into();
    of_default["used_in_non_default_sg"] = false.into();
    let other: DefaultSecurityGroupRule = table.create(of_default.clone()).unwrap();
    assert_eq!(refusal(table.create::<DefaultSecurityGroupRule>(of_default)), exists);
    table.delete::<DefaultSecurityGroupRule>(other.id).unwrap();
    table.as_project("p");
    let web = group(&mut table, "web");
    assert_eq!(rules_of(&table, web.id).len(), 3);
    table.as_admin().delete::<DefaultSecurityGroupRule>(made.id).unwrap();
    assert_eq!(rules_of(&table, web.id).len(), 3, "groups keep what they have");
}
