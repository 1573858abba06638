//! Pools' and scopes' rules, as requests and answers.

use serde_json::{Value, json};

use super::*;
use crate::{
    AddressScope, AttributeValue, Network, Resource,
    world::{Session, refused, refusal},
};

/// A table where project `p` asks.
fn table() -> Session {
    let mut table = Session::new();
    table.as_project("p");
    table
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn pool(table: &mut Session, more: Value) -> SubnetPool {
    make_pool(table, more).unwrap()
}

fn make_pool(table: &mut Session, more: Value) -> Result<SubnetPool, Refusal> {
    table.create(with(json!({"name": "pool", "prefixes": ["10.0.0.0/16"]}), more))
}

fn network(table: &mut Session) -> Network {
    table.create(json!({})).unwrap()
}

fn make_subnet(table: &mut Session, network: &Network, more: Value) -> Result<Subnet, Refusal> {
    table.create(with(json!({"network_id": network.id.to_string(), "ip_version": 4}), more))
}

fn cut(table: &mut Session, pool: &SubnetPool, length: u32) -> Result<String, Refusal> {
    let network = network(table);
    let wanted = json!({"subnetpool_id": pool.id.to_string(), "prefixlen": length});
    make_subnet(table, &network, wanted).map(|subnet| subnet.cidr.to_string())
}

fn scope(table: &mut Session, more: Value) -> AddressScope {
    table.create(with(json!({"name": "scope", "ip_version": 4}), more)).unwrap()
}

#[test]
fn what_is_not_said_is_computed_and_lengths_are_shown_as_texts() {
    let mut table = table();
    let prefixes = json!(["10.1.0.0/16", "10.0.0.0/16", "10.0.3.9/24"]);
    let shown = pool(&mut table, json!({ "prefixes": prefixes })).to_json();
    assert_eq!(shown["prefixes"], json!(["10.0.0.0/15"]));
    assert_eq!((&shown["ip_version"], &shown["default_quota"]), (&json!(4), &Value::Null));
    let lengths = ["min_prefixlen", "default_prefixlen", "max_prefixlen"];
    assert_eq!(lengths.map(|name| shown[name].clone()), ["8", "8", "32"].map(Value::from));
    let shown = pool(&mut table, json!({"prefixes": ["2001:db8::/32"], "min_prefixlen": "48"}));
    let shown = shown.to_json();
    assert_eq!(shown["ip_version"], 6);
    assert_eq!(lengths.map(|name| shown[name].clone()), ["48", "48", "128"].map(Value::from));
}

#[test]
fn pools_that_make_no_sense_are_refused() {
    let bounds = "IllegalSubnetPoolPrefixBounds";
    for (more, name) in [
        (json!({"prefixes": []}), "EmptySubnetPoolPrefixList"),
        (json!({"prefixes": ["10.0.0.0/8", "2001:db8::/32"]}), "PrefixVersionMismatch"),
        (json!({"min_prefixlen": 25, "max_prefixlen": 24}), bounds),
        (json!({"max_prefixlen": 33}), bounds),
        (json!({"min_prefixlen": 24, "default_prefixlen": 23}), bounds),
        (json!({"max_prefixlen": 24, "default_prefixlen": 25}), bounds),
        (json!({"name": " "}), "HTTPBadRequest"),
    ] {
        assert_eq!(refusal(make_pool(&mut table(), more.clone())), refused(400, name), "{more}");
    }
    let refusal = make_pool(&mut table(), json!({"min_prefixlen": 28, "default_prefixlen": 27}));
    assert_eq!(
        refusal.unwrap_err().to_string(),
        "Illegal prefix bounds: default_prefixlen=27, min_prefixlen=28."
    );
    let many: Vec<String> = (0..1001).map(|n| format!("10.{}.{}.0/24", n / 100, n % 100 * 2)).collect();
    assert!(make_pool(&mut table(), json!({ "prefixes": many })).is_err());
}

#[test]
fn subnets_are_cut_without_overlap_until_nothing_is_left() {
    let mut table = table();
    let small = pool(&mut table, json!({"prefixes": ["10.0.0.0/24"], "default_prefixlen": 26}));
    let network = network(&mut table);
    let named = json!({"subnetpool_id": small.id.to_string(), "cidr": "10.0.0.64/26"});
    let subnet = make_subnet(&mut table, &network, named.clone()).unwrap();
    assert_eq!(subnet.to_json()["subnetpool_id"], small.id.to_string());
    let taken = make_subnet(&mut table, &network, named);
    assert_eq!(refusal(taken), refused(409, "SubnetAllocationError"));
    let outside = json!({"subnetpool_id": small.id.to_string(), "cidr": "10.0.1.0/26"});
    let outside = make_subnet(&mut table, &network, outside);
    assert_eq!(refusal(outside), refused(409, "SubnetAllocationError"));

    let default = json!({"subnetpool_id": small.id.to_string()});
    let subnet = make_subnet(&mut table, &network, default).unwrap();
    assert_eq!(subnet.cidr.to_string(), "10.0.0.0/26");
    assert_eq!(subnet.gateway_ip.unwrap().to_string(), "10.0.0.1");
    assert_eq!(cut(&mut table, &small, 25).unwrap(), "10.0.0.128/25");
    let full = cut(&mut table, &small, 32).unwrap_err();
    assert_eq!(
        full.to_string(),
        "Failed to allocate subnet: Insufficient prefix space to allocate subnet size /32."
    );
    table.delete::<Subnet>(subnet.id).unwrap();
    assert_eq!(cut(&mut table, &small, 27).unwrap(), "10.0.0.0/27");
}

#[test]
fn a_pool_says_how_long_prefixes_may_be_and_how_much_a_project_gets() {
    let mut table = table();
    let bounded = pool(&mut table, json!({"min_prefixlen": 24, "max_prefixlen": 31}));
    let long = cut(&mut table, &bounded, 32);
    assert_eq!(refusal(long), refused(400, "MaxPrefixSubnetAllocationError"));
    let short = cut(&mut table, &bounded, 23);
    assert_eq!(refusal(short), refused(400, "MinPrefixSubnetAllocationError"));
    // Smaller than DHCP wants a subnet to be, but the pool's owner allowed it.
    assert!(cut(&mut table, &bounded, 31).is_ok());

    table.as_admin();
    let shared = json!({"prefixes": ["10.1.0.0/16"], "default_quota": 512, "shared": true});
    let limited = pool(&mut table, shared);
    for project in ["p", "q"] {
        table.as_project(project);
        assert!(cut(&mut table, &limited, 24).is_ok());
        assert!(cut(&mut table, &limited, 25).is_ok());
        let over = cut(&mut table, &limited, 24);
        assert_eq!(refusal(over), refused(409, "SubnetPoolQuotaExceeded"));
        assert!(cut(&mut table, &limited, 25).is_ok());
    }
}

#[test]
fn quotas_of_ipv6_count_prefixes_of_64_bits() {
    let mut table = table();
    let limited = pool(&mut table, json!({"prefixes": ["2001:db8::/32"], "default_quota": 2}));
    let mut cut = |length: u32| {
        let network = network(&mut table);
        let id = limited.id.to_string();
        let wanted = json!({"subnetpool_id": id, "prefixlen": length, "ip_version": 6});
        make_subnet(&mut table, &network, wanted).map_err(|refusal| refusal.type_name())
    };
    assert!(cut(64).is_ok());
    assert!(cut(65).is_ok());
    assert_eq!(cut(64).unwrap_err(), "SubnetPoolQuotaExceeded");
    assert!(cut(65).is_ok());
}

#[test]
fn requests_that_contradict_themselves_or_the_pool_are_refused() {
    let mut table = table();
    let pool = pool(&mut table, json!({}));
    let network = network(&mut table);
    let id = pool.id.to_string();
    for (more, status, name) in [
        (json!({"subnetpool_id": id, "use_default_subnetpool": true}), 400, "BadRequest"),
        (json!({"subnetpool_id": id, "cidr": "10.0.0.0/24", "prefixlen": 24}), 400, "BadRequest"),
        (json!({"subnetpool_id": id, "ip_version": 6}), 400, "BadRequest"),
        (json!({"subnetpool_id": "x"}), 400, "HTTPBadRequest"),
        (json!({"use_default_subnetpool": true}), 400, "BadRequest"),
        (
            json!({"subnetpool_id": id, "prefixlen": 24,
                "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.3"}]}),
            400,
            "BadRequest",
        ),
        (json!({"subnetpool_id": network.id.to_string()}), 404, "SubnetPoolNotFound"),
    ] {
        let made = make_subnet(&mut table, &network, more.clone());
        assert_eq!(refusal(made), refused(status, name), "{more}");
    }
    let foreign = cut(table.as_project("q"), &pool, 24);
    assert_eq!(refusal(foreign), refused(404, "SubnetPoolNotFound"));
}

#[test]
fn one_pool_of_a_family_is_the_default_and_only_who_sees_it_gets_it() {
    let mut table = table();
    table.as_admin();
    let shared = json!({"is_default": true, "shared": true, "default_prefixlen": 26});
    let default = pool(&mut table, shared);
    let second = make_pool(&mut table, json!({"prefixes": ["10.9.0.0/16"], "is_default": true}));
    assert_eq!(refusal(second), refused(400, "InvalidInput"));
    let hidden = pool(&mut table, json!({"prefixes": ["2001:db8::/32"], "is_default": true}));
    // Saying again what is so already is no second default.
    table.update::<SubnetPool>(default.id, json!({"is_default": true, "name": "d"})).unwrap();

    table.as_project("p");
    let network = network(&mut table);
    let any = json!({"use_default_subnetpool": true});
    let subnet = make_subnet(&mut table, &network, any).unwrap();
    assert_eq!((subnet.subnetpool_id, subnet.cidr.prefix_len()), (Some(default.id), 26));
    let six = json!({"use_default_subnetpool": true, "ip_version": 6});
    let six = make_subnet(&mut table, &network, six).unwrap_err();
    assert_eq!(six.to_string(), "Bad subnets request: No default subnetpool found for IPv6.");
    table.as_admin().update::<SubnetPool>(hidden.id, json!({"is_default": false})).unwrap();
}

#[test]
fn a_pool_grows_but_keeps_what_it_has_and_goes_only_when_nothing_was_cut() {
    let mut table = table();
    let known = pool(&mut table, json!({}));
    let grown = json!({"prefixes": ["10.0.0.0/15"]});
    let grown: SubnetPool = table.update(known.id, grown).unwrap();
    assert_eq!(grown.prefixes[0].to_string(), "10.0.0.0/15");
    let smaller = json!({"prefixes": ["10.0.0.0/16"]});
    let smaller = table.update::<SubnetPool>(known.id, smaller);
    assert_eq!(refusal(smaller), refused(400, "IllegalSubnetPoolPrefixUpdate"));
    let other = json!({"prefixes": ["2001:db8::/32"]});
    let other = table.update::<SubnetPool>(known.id, other);
    assert_eq!(refusal(other), refused(400, "IllegalSubnetPoolPrefixUpdate"));
    let bounds = table.update::<SubnetPool>(known.id, json!({"min_prefixlen": 9}));
    assert_eq!(refusal(bounds), refused(400, "IllegalSubnetPoolPrefixBounds"));

    cut(&mut table, &known, 24).unwrap();
    let gone = table.delete::<SubnetPool>(known.id).unwrap_err();
    assert_eq!(
        (gone.status(), gone.to_string().as_str()),
        (400, "Unable to delete subnet pool: Subnet pool has existing allocations.")
    );
    let subnet = table.list::<Subnet>().remove(0);
    table.delete::<Subnet>(subnet.id).unwrap();
    table.delete::<SubnetPool>(known.id).unwrap();
}

#[test]
fn prefixes_are_added_and_removed_one_by_one() {
    let mut table = table();
    let pool = pool(&mut table, json!({"prefixes": ["10.0.0.0/24"]}));
    let act = |table: &mut Session, action: &str, prefixes: &[&str]| {
        let body = json!({ "prefixes": prefixes });
        table
            .action::<SubnetPool>(pool.id, action, body)
            .map(|mut answer| answer["prefixes"].take())
            .map_err(|refusal| refusal.type_name())
    };
    assert_eq!(act(&mut table, "add_prefixes", &["10.0.1.0/24"]), Ok(json!(["10.0.0.0/23"])));
    assert_eq!(cut(&mut table, &pool, 25).unwrap(), "10.0.0.0/25");
    let in_use = act(&mut table, "remove_prefixes", &["10.0.0.0/24"]);
    assert_eq!(in_use, Err("IllegalSubnetPoolPrefixUpdate".to_owned()));
    let left = act(&mut table, "remove_prefixes", &["10.0.1.0/24", "192.0.2.0/24"]);
    assert_eq!(left, Ok(json!(["10.0.0.0/24"])));
    assert_eq!(act(&mut table, "remove_prefixes", &[]), Ok(json!(["10.0.0.0/24"])));
    let mixed = act(&mut table, "add_prefixes", &["2001:db8::/32"]);
    assert_eq!(mixed, Err("PrefixVersionMismatch".to_owned()));
    for body in [json!({}), json!({"prefixes": "x"}), json!({"prefixes": ["x"]})] {
        let answer = table.action::<SubnetPool>(pool.id, "add_prefixes", body);
        assert_eq!(refusal(answer), refused(400, "HTTPBadRequest"));
    }
    let subnet = table.list::<Subnet>().remove(0);
    table.delete::<Subnet>(subnet.id).unwrap();
    let none = act(&mut table, "remove_prefixes", &["10.0.0.0/24"]);
    assert_eq!(none, Err("EmptySubnetPoolPrefixList".to_owned()));
}

#[test]
fn the_subnets_of_a_network_and_family_are_of_one_pool() {
    let mut table = table();
    let (a, b) = (
        pool(&mut table, json!({})),
        pool(&mut table, json!({"prefixes": ["10.1.0.0/16"]})),
    );
    let affinity = || refused(400, "NetworkSubnetPoolAffinityError");
    let of = |pool: &SubnetPool| json!({"subnetpool_id": pool.id.to_string(), "prefixlen": 24});
    let plain = json!({"cidr": "192.0.2.0/24"});

    let pooled = network(&mut table);
    make_subnet(&mut table, &pooled, of(&a)).unwrap();
    make_subnet(&mut table, &pooled, of(&a)).unwrap();
    assert_eq!(refusal(make_subnet(&mut table, &pooled, of(&b))), affinity());
    assert_eq!(refusal(make_subnet(&mut table, &pooled, plain.clone())), affinity());
    let six = json!({"cidr": "2001:db8::/64", "ip_version": 6});
    make_subnet(&mut table, &pooled, six).unwrap();

    let unpooled = network(&mut table);
    make_subnet(&mut table, &unpooled, plain).unwrap();
    assert_eq!(refusal(make_subnet(&mut table, &unpooled, of(&a))), affinity());
}

#[test]
fn pools_of_one_scope_do_not_overlap_and_are_of_its_family() {
    let mut table = table();
    let known = scope(&mut table, json!({}));
    let inside = |prefix: &str| json!({"prefixes": [prefix], "address_scope_id": known.id.to_string()});
    let first = pool(&mut table, inside("10.0.0.0/16"));
    for (prefix, status, name) in [
        ("10.0.3.0/24", 409, "AddressScopePrefixConflict"),
        ("10.0.0.0/8", 409, "AddressScopePrefixConflict"),
        ("2001:db8::/32", 400, "IllegalSubnetPoolIpVersionAssociationToAddressScope"),
    ] {
        assert_eq!(refusal(make_pool(&mut table, inside(prefix))), refused(status, name));
    }
    let second = pool(&mut table, inside("10.1.0.0/16"));
    let grown = json!({"prefixes": ["10.1.0.0/16", "10.0.4.0/24"]});
    let grown = table.update::<SubnetPool>(second.id, grown);
    assert_eq!(refusal(grown), refused(409, "AddressScopePrefixConflict"));

    let used = table.delete::<AddressScope>(known.id);
    assert_eq!(refusal(used), refused(409, "AddressScopeInUse"));
    for pool in [first.id, second.id] {
        table.update::<SubnetPool>(pool, json!({"address_scope_id": null})).unwrap();
    }
    table.delete::<AddressScope>(known.id).unwrap();
    let gone = make_pool(&mut table, inside("10.2.0.0/16"));
    assert_eq!(refusal(gone), refused(404, "AddressScopeNotFound"));
}

#[test]
fn who_may_not_see_a_scope_does_not_use_it_and_who_does_not_own_it_changes_no_pool_in_it() {
    let mut table = table();
    table.as_admin();
    let (hidden, shared) = (scope(&mut table, json!({})), scope(&mut table, json!({"shared": true})));
    let unshared = table.update::<AddressScope>(shared.id, json!({"shared": false}));
    assert_eq!(refusal(unshared), refused(400, "AddressScopeUpdateError"));

    table.as_project("p");
    let foreign = make_pool(&mut table, json!({"address_scope_id": hidden.id.to_string()}));
    assert_eq!(refusal(foreign), refused(404, "AddressScopeNotFound"));
    let known = pool(&mut table, json!({"address_scope_id": shared.id.to_string()}));
    let grown = json!({"prefixes": ["10.0.0.0/15"]});
    let refusal_of = refusal(table.update::<SubnetPool>(known.id, grown.clone()));
    assert_eq!(refusal_of, refused(400, "IllegalSubnetPoolUpdate"));
    table.as_admin().update::<SubnetPool>(known.id, grown).unwrap();
}

#[test]
fn a_network_is_of_one_scope() {
    let mut table = table();
    let (one, other) = (scope(&mut table, json!({})), scope(&mut table, json!({})));
    let mut pool_in = |scope: &AddressScope, prefix: &str| {
        let id = scope.id.to_string();
        pool(&mut table, json!({"prefixes": [prefix], "address_scope_id": id}))
    };
    let (a, b) = (pool_in(&one, "10.0.0.0/16"), pool_in(&one, "10.1.0.0/16"));
    let stranger = pool_in(&other, "10.2.0.0/16");
    let network = network(&mut table);
    let of = |pool: &SubnetPool| json!({"subnetpool_id": pool.id.to_string(), "prefixlen": 24});
    make_subnet(&mut table, &network, of(&a)).unwrap();
    // Of one scope, so of two pools.
    make_subnet(&mut table, &network, of(&b)).unwrap();
    let affinity = || refused(400, "NetworkAddressScopeAffinityError");
    assert_eq!(refusal(make_subnet(&mut table, &network, of(&stranger))), affinity());
    let moved = json!({"address_scope_id": other.id.to_string()});
    assert_eq!(refusal(table.update::<SubnetPool>(a.id, moved)), affinity());
    assert_eq!(refusal(table.update::<SubnetPool>(a.id, json!({"address_scope_id": null}))), affinity());
}

#[test]
fn a_networks_subnets_are_onboarded_by_who_owns_pool_network_and_subnets() {
    let mut table = table();
    let known = pool(&mut table, json!({"prefixes": ["192.0.2.0/24"]}));
    let network = network(&mut table);
    let subnet = make_subnet(&mut table, &network, json!({"cidr": "10.0.0.0/24"})).unwrap();
    let six = json!({"cidr": "2001:db8::/64", "ip_version": 6});
    let six = make_subnet(&mut table, &network, six).unwrap();
    let onboard = |table: &mut Session, pool: &SubnetPool| {
        let body = json!({"network_id": network.id.to_string()});
        table.action::<SubnetPool>(pool.id, "onboard_network_subnets", body)
    };
    let answer = onboard(&mut table, &known).unwrap();
    assert_eq!(answer, json!([{"id": subnet.id.to_string(), "cidr": "10.0.0.0/24"}]));
    let grown = table.get::<SubnetPool>(known.id).unwrap();
    assert_eq!(grown.prefixes.to_json(), json!(["10.0.0.0/24", "192.0.2.0/24"]));
    let pool_of = |table: &Session, id| table.get::<Subnet>(id).unwrap().subnetpool_id;
    assert_eq!(pool_of(&table, subnet.id), Some(known.id));
    assert_eq!(pool_of(&table, six.id), None);
    // Again: nothing to do.
    onboard(&mut table, &grown).unwrap();
    let second = pool(&mut table, json!({"prefixes": ["198.51.100.0/24"]}));
    assert_eq!(refusal(onboard(&mut table, &second)), refused(400, "IllegalSubnetPoolUpdate"));

    // Whoever owns only the pool gets neither a network that it cannot see nor a shared one.
    table.as_project("q");
    let theirs = pool(&mut table, json!({"prefixes": ["198.51.100.0/24"]}));
    assert_eq!(refusal(onboard(&mut table, &theirs)), refused(404, "NetworkNotFound"));
    table.as_admin().update::<Network>(network.id, json!({"shared": true})).unwrap();
    let denied = onboard(table.as_project("q"), &theirs);
    assert_eq!(refusal(denied), refused(403, "PolicyNotAuthorized"));
    for body in [json!({}), json!({"network_id": null})] {
        let answer = table.action::<SubnetPool>(theirs.id, "onboard_network_subnets", body);
        assert_eq!(refusal(answer), refused(400, "InvalidInput"));
    }
}

#[test]
fn a_subnet_of_somebody_else_in_the_own_network_is_not_onboarded() {
    let mut table = table();
    let (known, network) = (pool(&mut table, json!({})), network(&mut table));
    let foreign = json!({"cidr": "192.0.2.0/24", "project_id": "admin"});
    make_subnet(table.as_admin(), &network, foreign).unwrap();
    let body = json!({"network_id": network.id.to_string()});
    let action = "onboard_network_subnets";
    let denied = table.as_project("p").action::<SubnetPool>(known.id, action, body.clone());
    assert_eq!(refusal(denied), refused(403, "PolicyNotAuthorized"));
    assert!(table.as_admin().action::<SubnetPool>(known.id, action, body).is_ok());
}
