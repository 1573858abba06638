//! `openstack network segment …`, and networks and subnets that are on several.

use serde_json::json;

use crate::row::{Row, has, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        lists("network segment list --network inside", "Network Type", json!(["vxlan"]))
            .keep("first", "/0/ID"),
        shows(
            "network segment create second --network inside --network-type vlan \
             --physical-network external --segment 7 --description d",
            json!({"name": "second", "network_id": "{inside}", "network_type": "vlan",
                "physical_network": "external", "segmentation_id": 7, "description": "d"}),
        )
        .keep("second", "/id"),
        refused(
            "network segment create third --network inside --network-type vlan \
             --physical-network external --segment 7",
            "The VLAN 7 on physical network external is in use.",
        ),
        lists("network segment list --network inside", "ID", json!(["{first}", "{second}"])),
        quiet("network segment set second --name 2nd --description ''"),
        shows("network segment show 2nd", json!({"id": "{second}", "description": ""})),
        quiet("network segment delete 2nd"),
        refused("network segment delete {first}", "1 of 1 network segments failed to delete."),
        shows("network create empty", json!({"name": "empty"})),
        lists("network segment list --network empty --long", "Network Type", json!(["vxlan"]))
            .keep("only", "/0/ID"),
        shows(
            "subnet create routed --network empty --subnet-range 10.9.0.0/24 \
             --network-segment {only}",
            json!({"segment_id": "{only}"}),
        ),
        quiet("network delete empty"),
    ]
}

/// Which numbers the tenants' networks may have.
pub(crate) fn ranges() -> Vec<Row> {
    vec![
        shows(
            "network segment range create blue --network-type vlan --physical-network external \
             --minimum 100 --maximum 199",
            json!({"name": "blue", "network_type": "vlan", "physical_network": "external",
                "minimum": 100, "maximum": 199, "shared": true}),
        )
        .keep("blue", "/id"),
        has("network segment range list --long", "Name", json!(["blue"])),
        quiet("network segment range set blue --name green --minimum 100 --maximum 149"),
        shows("network segment range show green", json!({"id": "{blue}", "maximum": 149})),
        refused(
            "network segment range create second --network-type vlan \
             --physical-network external --minimum 149 --maximum 160",
            "overlaps",
        ),
        quiet("network segment range delete green"),
        refused("network segment range show green", "No NetworkSegmentRange found for green"),
    ]
}
