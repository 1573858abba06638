//! `openstack network flavor …`, `… flavor profile …` and `… service provider list`.

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        lists("network service provider list", "Name", json!(["dvr", "dvrha", "ha", "single_node"])),
        shows(
            "network flavor profile create --description d \
             --driver neutron.services.l3_router.service_providers.single_node.SingleNodeDriver",
            json!({
                "driver": "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver",
                "description": "d", "enabled": true}),
        )
        .keep("profile", "/id"),
        refused("network flavor profile create --driver green", "could not be found"),
        lists("network flavor profile list", "ID", json!(["{profile}"])),
        quiet("network flavor profile set {profile} --disable --description off"),
        shows("network flavor profile show {profile}", json!({"enabled": false})),
        quiet("network flavor profile set {profile} --enable"),
        shows(
            "network flavor create usual --service-type L3_ROUTER_NAT --description d",
            json!({"name": "usual", "service_type": "L3_ROUTER_NAT", "enabled": true,
                "service_profile_ids": []}),
        )
        .keep("usual", "/id"),
        quiet("network flavor add profile usual {profile}"),
        shows("network flavor show usual", json!({"service_profile_ids": ["{profile}"]})),
        refused(
            "network flavor profile delete {profile}",
            "1 of 1 flavor_profiles failed to delete.",
        ),
        lists("network flavor list", "Name", json!(["usual"])),
        quiet("network flavor set usual --name common --description ''"),
        shows("router create edge --flavor-id {usual}", json!({"flavor_id": "{usual}"})),
        refused("network flavor delete common", "1 of 1 flavors failed to delete."),
        quiet("router delete edge"),
        quiet("network flavor remove profile common {profile}"),
        quiet("network flavor delete common"),
        quiet("network flavor profile delete {profile}"),
    ]
}
