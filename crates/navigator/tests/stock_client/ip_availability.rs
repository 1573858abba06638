//! `openstack ip availability …`, and topologies made by asking for one.

use serde_json::json;

use crate::row::{Row, has, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    vec![
        shows("network create small", json!({"name": "small"})).keep("small", "/id"),
        shows(
            "subnet create small --network small --no-dhcp --subnet-range 10.1.0.0/29",
            json!({"cidr": "10.1.0.0/29"}),
        )
        .keep("four", "/id"),
        shows("network create large", json!({"name": "large"})),
        shows(
            "subnet create large --network large --no-dhcp --ip-version 6 \
             --subnet-range 2001:db8::/48 --gateway none",
            json!({"cidr": "2001:db8::/48"}),
        ),
        shows("port create --network small one", json!({"name": "one"})),
        lists("ip availability list", "Network Name", json!(["small"])),
        lists("ip availability list", "Total IPs", json!([5])),
        lists("ip availability list", "Used IPs", json!([1])),
        lists("ip availability list --ip-version 6", "Network Name", json!(["large"])),
        lists("ip availability list --ip-version 6", "Used IPs", json!([0])),
        shows(
            "ip availability show small",
            json!({
                "network_id": "{small}", "network_name": "small", "total_ips": 5, "used_ips": 1,
                "subnet_ip_availability": [{
                    "subnet_id": "{four}", "subnet_name": "small", "cidr": "10.1.0.0/29",
                    "ip_version": 4, "total_ips": 5, "used_ips": 1}],
                "ip_availability_details": {
                    "total_ips_in_subnet": 6, "total_ips_in_allocation_pool": 5,
                    "used_ips_in_subnet": 1, "used_ips_in_allocation_pool": 1}}),
        ),
        // The client shows every digit; a test's JSON has no room for them.
        shows("ip availability show large -c total_ips", json!({"total_ips": 2.0_f64.powi(80)})),
        refused("ip availability show medium", "No Network found for medium"),
        has("extension list --network", "Alias", json!(["network-ip-availability"])),
    ]
}

/// The client knows no project here, which it says as `None`.
pub(crate) fn topologies() -> Vec<Row> {
    vec![
        refused(
            "network auto allocated topology create --check-resources",
            "Deployment error: No default router:external network.",
        ),
        shows(
            "network create outside --external --default --provider-network-type flat \
             --provider-physical-network external",
            json!({"is_default": true}),
        ),
        shows(
            "subnet create outside --network outside --no-dhcp --subnet-range 203.0.113.0/24",
            json!({"router:external": true}),
        ),
        refused(
            "network auto allocated topology create --check-resources",
            "Deployment error: No default subnetpools defined.",
        ),
        shows(
            "subnet pool create pool --pool-prefix 10.0.0.0/16 --default --share \
             --default-prefix-length 26",
            json!({"is_default": true}),
        ),
        shows("network auto allocated topology create --check-resources", json!({})),
        lists("network list", "Name", json!(["outside"])),
        quiet("network set outside --no-default"),
    ]
}

/// With a project of one's own.
pub(crate) fn own_topology() -> Vec<Row> {
    vec![
        shows(
            "network create outside --external --default --provider-network-type flat \
             --provider-physical-network external",
            json!({"is_default": true}),
        ),
        shows(
            "subnet create outside --network outside --no-dhcp --subnet-range 203.0.113.0/24",
            json!({"router:external": true}),
        ),
        shows(
            "subnet pool create pool --pool-prefix 10.0.0.0/16 --default --share \
             --default-prefix-length 26",
            json!({"is_default": true}),
        ),
        shows("network auto allocated topology create", json!({})).keep("own", "/id"),
        shows("network auto allocated topology create --or-show", json!({"id": "{own}"})),
        quiet("network auto allocated topology delete"),
        lists("network list", "Name", json!(["outside"])),
    ]
}
