//! The defaults as a whole, and what a file does to them.

use super::*;

#[test]
fn every_default_reads_and_refers_to_rules_that_exist() {
    let table = defaults::table();
    let mut names: Vec<_> = table.iter().map(|(name, _)| name).collect();
    names.sort();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count, "a rule is there twice");
    assert!(count > 300, "{count}");
    for (name, check) in &table {
        assert!(!name.contains(['{', '}', '$', ',']), "{name}");
        assert!(!check.contains('$'), "{name}: {check}");
    }
    let rules = Rules::neutron().unwrap();
    assert_eq!(rules.dangling(), []);
    assert_eq!(rules.check_chains().err().map(|e| e.to_string()), None);
}

#[test]
fn the_short_forms_of_defaults_mean_what_they_should() {
    let rules = Rules::neutron().unwrap();
    for (name, check) in [
        ("create_network", "rule:admin_only or role:member and project_id:%(project_id)s"),
        ("update_network:router:external", "rule:admin_only"),
        ("create_port:binding:profile", "rule:admin_only or rule:service_api"),
        (
            "update_port:device_owner",
            "not rule:network_device or rule:admin_only or rule:service_api or role:member and \
             rule:network_owner",
        ),
        (
            "create_rbac_policy:target_tenant",
            "rule:admin_only or not field:rbac_policy:target_tenant=* and not \
             field:rbac_policy:target_project=*",
        ),
        (
            "delete_port",
            "rule:admin_only or rule:service_api or service_roles:service and (role:member and \
             rule:network_owner or role:member and project_id:%(project_id)s) or not \
             rule:compute_device and not rule:baremetal_device and not rule:manila_device and \
             (role:member and rule:network_owner or role:member and project_id:%(project_id)s)",
        ),
    ] {
        assert_eq!(rules.get(name).unwrap().check.to_string(), check, "{name}");
    }
}

#[test]
fn a_file_replaces_rules_and_names_that_nothing_knows_are_told() {
    let mut rules = Rules::neutron().unwrap();
    let text = "create_network: role:netadmin\nnetadmins: role:x\nget_router: rule:netadmins\ncreate_netwrok: '@'\n";
    assert_eq!(rules.replace(text).unwrap(), ["create_netwrok"]);
    assert_eq!(rules.get("create_network").unwrap().origin, Origin::Override);
    assert_eq!(rules.get("delete_network").unwrap().origin, Origin::Default);
    let origins: Vec<_> = rules.closure("get_router").iter().map(|rule| rule.origin).collect();
    assert_eq!(origins, [Origin::Override, Origin::Override]);
    rules.replace("get_port: rule:gone").unwrap();
    assert_eq!(rules.dangling(), [("get_port", "gone")]);
}

#[test]
fn circles_and_endless_chains_and_wrong_checks_are_refused() {
    let refused = |text: &str| Rules::neutron().unwrap().replace(text).unwrap_err().to_string();
    assert_eq!(refused("a: rule:b\nb: not rule:a"), "rule 'a' refers to itself: a → b → a");
    assert_eq!(refused("owner: rule:owner"), "rule 'owner' refers to itself: owner → owner");
    assert_eq!(refused("a: '@'\nb: role:a or"), "line 2: rule 'b': ends where a check belongs");
    let chain = |step: fn(usize) -> String| {
        (0..1000).map(|n| format!("{}: rule:{}\n", step(n), step(n + 1))).collect::<String>()
    };
    let up = chain(|n| format!("r{n:04}"));
    let down = chain(|n| format!("r{:04}", 2000 - n));
    for text in [up, down] {
        assert!(refused(&text).contains("too many steps"));
    }
}
