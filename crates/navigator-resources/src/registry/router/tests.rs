//! Routers' rules, from their creation to their end; what their parts do stands beside the parts.

use serde_json::{Value, json};

use crate::{
    Port, Refusal, Resource, Router, Select,
    service_provider::RouterKind,
    world::{Site, TENANT, admin, member, refusal, refused},
};

impl Site {
    pub(super) fn put(&mut self, body: Value) -> Result<Router, Refusal> {
        self.world.update(&admin(), self.router, body)
    }

    pub(super) fn act(&mut self, name: &str, body: Value) -> Result<Value, Refusal> {
        self.world.action::<Router>(&member(TENANT), self.router, name, body)
    }
}

#[test]
fn routes_lead_to_neighbours() {
    let mut site = Site::new();
    let route =
        |destination: &str, nexthop: &str| json!({"destination": destination, "nexthop": nexthop});
    for (routes, expected) in [
        (json!([route("10.99.0.0/16", "10.50.0.5")]), "InvalidRoutes"),
        (json!([route("10.99.0.0/16", "10.0.0.1")]), "InvalidRoutes"),
        (json!([route("2001:db8::/32", "10.0.0.5")]), "InvalidRoutes"),
        (
            json!([route("10.99.0.0/16", "10.0.0.5"), route("10.99.0.0/16", "10.0.0.5")]),
            "InvalidRoutes",
        ),
        (json!([route("10.99.0.1/16", "10.0.0.5")]), "HTTPBadRequest"),
        (json!([{"destination": "10.99.0.0/16"}]), "HTTPBadRequest"),
        (json!(vec![route("10.99.0.0/16", "10.0.0.5"); 31]), "RoutesExhausted"),
    ] {
        let outcome = site.put(json!({"routes": routes}));
        assert_eq!(refusal(outcome), refused(400, expected), "{routes}");
    }
    let good = json!([route("10.99.0.0/16", "10.0.0.5"), route("10.98.0.0/16", "203.0.113.200")]);
    let router = site.put(json!({"routes": good})).unwrap();
    assert_eq!(router.to_json()["routes"], good);
}

#[test]
fn extra_routes_are_added_and_removed_one_by_one_and_again() {
    let mut site = Site::new();
    let body = |n: u8| {
        json!({"router": {"routes": [
            {"destination": format!("10.{n}.0.0/16"), "nexthop": "10.0.0.5"}
        ]}})
    };
    for _ in 0..2 {
        let shown = site.act("add_extraroutes", body(98)).unwrap();
        assert_eq!(shown["router"]["routes"].as_array().unwrap().len(), 1);
        assert_eq!(shown["router"]["tenant_id"], TENANT);
    }
    assert_eq!(site.world.written, 0, "the second time changes nothing");
    site.act("add_extraroutes", body(99)).unwrap();
    let shown = site.act("remove_extraroutes", body(98)).unwrap();
    assert_eq!(shown["router"]["routes"][0]["destination"], "10.99.0.0/16");
    site.act("remove_extraroutes", body(98)).unwrap();
    assert_eq!(site.world.written, 0);
    assert_eq!(refusal(site.act("add_extraroutes", json!({}))), refused(400, "HTTPBadRequest"));
}

#[test]
fn a_router_with_interfaces_is_in_use_and_without_it_takes_its_gateway_along() {
    let mut site = Site::new();
    let caller = member(TENANT);
    assert_eq!(
        refusal(site.world.delete::<Router>(&caller, site.router)),
        refused(409, "RouterInUse")
    );
    site.act("remove_router_interface", json!({"subnet_id": site.subnet})).unwrap();
    site.world.delete::<Router>(&caller, site.router).unwrap();
    assert!(site.world.all::<Router>(Select::all()).is_empty());
    assert!(site.world.all::<Port>(Select::eq("network_id", site.external.to_string())).is_empty());
}

#[test]
fn of_what_kind_a_router_is_changes_only_while_it_is_down() {
    let mut site = Site::new();
    for (key, named) in [("ha", "HA attribute"), ("distributed", "the 'distributed' attribute")] {
        let mut is = |said: Value, expected: bool| {
            let shown = site.put(said).unwrap().to_json();
            assert_eq!(shown[key], json!(expected), "{key}");
        };
        is(json!({key: false}), false);
        is(json!({key: true, "admin_state_up": false}), true);
        is(json!({key: null}), true);
        is(json!({key: true, "admin_state_up": true}), true);
        let refused_change = site.put(json!({key: false})).unwrap_err();
        assert_eq!(
            refused_change.to_string(),
            format!(
                "Bad router request: Cannot change {named} of active routers. Please set router \
                 admin_state_up to False prior to upgrade."
            )
        );
        site.put(json!({"admin_state_up": false})).unwrap();
        let outcome = site.put(json!({key: false, "admin_state_up": true}));
        assert_eq!(refusal(outcome), refused(400, "BadRequest"), "{key}");
        site.put(json!({key: false})).unwrap();
        site.put(json!({"admin_state_up": true})).unwrap();
    }
}

#[test]
fn a_router_is_made_distributed_or_highly_available() {
    let mut site = Site::new();
    for (said, distributed, ha) in [
        (json!({}), false, false),
        (json!({"distributed": null, "ha": null}), false, false),
        (json!({"distributed": true}), true, false),
        (json!({"distributed": false, "ha": true}), false, true),
        (json!({"distributed": true, "ha": true}), true, true),
    ] {
        let router: Router = site.world.create(&admin(), None, said.clone()).unwrap();
        assert_eq!((router.distributed, router.ha), (distributed, ha), "{said}");
    }
    site.world.settings.router_kind = RouterKind { distributed: false, ha: true };
    let router: Router = site.world.create(&admin(), None, json!({})).unwrap();
    assert_eq!((router.distributed, router.ha), (false, true));
    let router: Router = site.world.create(&admin(), None, json!({"ha": false})).unwrap();
    assert!(!router.ha);
}

#[test]
fn an_update_that_changes_nothing_writes_nothing_and_a_name_wakes_no_agent() {
    let mut site = Site::new();
    let same = json!({"admin_state_up": true, "external_gateway_info": {"network_id": site.external},
        "configurations": {}});
    site.put(same).unwrap();
    assert_eq!(site.world.written, 0);
    site.put(json!({"name": "new"})).unwrap();
    assert_eq!((site.world.written, site.world.touched.len()), (1, 0));
    site.put(json!({"admin_state_up": false})).unwrap();
    assert_eq!(site.world.touched.len(), 1);
}
