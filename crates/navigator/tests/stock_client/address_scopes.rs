//! `openstack address scope …`

use serde_json::json;

use crate::row::{Row, has, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows(
            "address scope create four",
            json!({"name": "four", "ip_version": 4, "shared": false}),
        )
        .keep("scope", "/id"),
        shows(
            "address scope create six --ip-version 6 --share",
            json!({"name": "six", "ip_version": 6, "shared": true}),
        ),
        lists("address scope list", "Name", json!(["four", "six"])),
        lists("address scope list --ip-version 6", "Name", json!(["six"])),
        lists("address scope list --share", "Name", json!(["six"])),
        lists("address scope list --no-share", "ID", json!(["{scope}"])),
        lists("address scope list --name four", "IP Version", json!([4])),
        has("extension list --network", "Alias", json!(["address-scope"])),
        quiet("address scope set four --name vier"),
        shows("address scope show vier", json!({"id": "{scope}", "name": "vier"})),
        shows("address scope show {scope}", json!({"name": "vier"})),
        refused("address scope show four", "No AddressScope found for four"),
        refused("address scope set six --no-share", "Shared address scope can't be unshared"),
        shows(
            "subnet pool create pool --pool-prefix 10.0.0.0/8 --address-scope vier",
            json!({"address_scope_id": "{scope}"}),
        ),
        refused("address scope delete vier", "1 of 1 address scopes failed to delete"),
        quiet("subnet pool delete pool"),
        quiet("address scope delete vier six"),
        lists("address scope list", "Name", json!([])),
    ]
}
