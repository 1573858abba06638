//! What an administrator and two users see of each other through the client.

use navigator_testkit::Site;
use serde_json::json;

use crate::{
    client::Client,
    row::{Row, lists, quiet, refused, run, shows},
    world::{Door, agents_are_there, start, two_networks},
};

/// By `alice`, after the administrator has made `outside` and `inside`.
fn alice_works() -> Vec<Row> {
    vec![
        // External networks are everybody's to use, others are not even seen.
        lists("network list", "Name", json!(["outside"])),
        lists("subnet list", "Name", json!(["outside"])),
        shows(
            "network show outside",
            json!({
            "provider:network_type": null, "provider:segmentation_id": null}),
        ),
        shows("network create mine", json!({"name": "mine"})),
        shows(
            "subnet create mine --network mine --subnet-range 10.5.0.0/24",
            json!({"name": "mine"}),
        ),
        shows("router create mine --external-gateway outside", json!({"name": "mine"})),
        quiet("router add subnet mine mine"),
        shows("port create mine --network mine", json!({"name": "mine"}))
            .keep("port", "/id")
            .keep("address", "/fixed_ips/0/ip_address"),
        shows(
            "floating ip create outside --port mine",
            json!({"port_id": "{port}", "fixed_ip_address": "{address}"}),
        ),
    ]
}

fn alice_is_refused() -> Vec<Row> {
    vec![
        refused(
            "network create other --external",
            "ForbiddenException: 403: Client Error for url: http://127.0.0.1:9696/v2.0/networks",
        ),
        refused("network create other --share", "ForbiddenException: 403"),
        refused(
            "network create other --provider-network-type flat \
             --provider-physical-network external",
            "ForbiddenException: 403",
        ),
        refused("network set outside --name stolen", "ForbiddenException: 403"),
        refused("network delete outside", "ForbiddenException: 403"),
        refused("network show inside", "No Network found for inside"),
        refused("router create other --distributed", "403"),
        refused("port create other --network mine --host node", "ForbiddenException: 403"),
    ]
}

/// By `bob`: nothing of alice's is there.
fn bob_sees_nothing() -> Vec<Row> {
    vec![
        lists("network list", "Name", json!(["outside"])),
        lists("router list", "Name", json!([])),
        lists("port list", "Name", json!([])),
        lists("floating ip list", "ID", json!([])),
        refused("network show mine", "No Network found for mine"),
        refused("router delete mine", "No Router found for mine"),
        shows("network create mine", json!({"name": "mine"})),
    ]
}

#[test]
fn projects_do_not_see_each_other() {
    let site = Site::new();
    let host = site.host("node");
    let _navigator = start(&host, Door::Basic);
    let client = |user| Client::start(&host, &Door::Basic.identity(user));
    let mut admin = client("admin");
    run(&mut admin, vec![agents_are_there()]);
    run(&mut admin, two_networks());
    run(&mut client("alice"), alice_works());
    run(&mut client("alice"), alice_is_refused());
    run(&mut client("bob"), bob_sees_nothing());
    // The administrator sees everything; two networks of one name are told apart by id only.
    run(
        &mut admin,
        vec![
            lists("network list", "Name", json!(["inside", "mine", "mine", "outside"])),
            refused("network show mine", "More than one Network exists with the name 'mine'"),
        ],
    );
}
