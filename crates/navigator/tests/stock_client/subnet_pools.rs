//! `openstack subnet pool …`, and the subnets that are cut from pools.

use serde_json::json;

use crate::row::{Row, ends, has, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    [made(), found(), cut(), onboarded(), changed(), deleted()].into_iter().flatten().collect()
}

fn made() -> Vec<Row> {
    vec![
        shows("address scope create scope", json!({"ip_version": 4})).keep("scope", "/id"),
        shows(
            "subnet pool create four --pool-prefix 10.8.1.0/24 --pool-prefix 10.8.0.0/24 \
             --default-prefix-length 26 --min-prefix-length 24 --max-prefix-length 28 \
             --default-quota 512 --address-scope scope --description 'of four'",
            json!({
                "name": "four", "prefixes": ["10.8.0.0/23"], "ip_version": 4,
                "default_prefixlen": 26, "min_prefixlen": 24, "max_prefixlen": 28,
                "default_quota": 512, "address_scope_id": "{scope}", "is_default": false,
                "shared": false, "description": "of four"}),
        )
        .keep("four", "/id"),
        shows(
            "subnet pool create six --pool-prefix 2001:db8::/32 --share --default",
            json!({
                "ip_version": 6, "shared": true, "is_default": true, "default_prefixlen": 64,
                "min_prefixlen": 64, "max_prefixlen": 128, "default_quota": null,
                "address_scope_id": null}),
        )
        .keep("six", "/id"),
        refused(
            "subnet pool create second --pool-prefix 2001:db9::/32 --default",
            "A default subnetpool for this IP family has already been set.",
        ),
        refused(
            "subnet pool create other --pool-prefix 10.8.0.0/16 --address-scope scope",
            "ConflictException: 409: Client Error for url: http://127.0.0.1:9696/v2.0/subnetpools, \
             Failed to associate address scope",
        ),
        refused(
            "subnet pool create other --pool-prefix 10.8.0.0/16 --pool-prefix 2001:db9::/32",
            "Cannot mix IPv4 and IPv6 prefixes in a subnet pool.",
        ),
        refused(
            "subnet pool create other --pool-prefix 10.9.0.0/16 --min-prefix-length 33",
            "Illegal prefix bounds: min_prefixlen=33, max_prefixlen=32.",
        ),
    ]
}

fn found() -> Vec<Row> {
    vec![
        lists("subnet pool list", "Name", json!(["four", "six"])),
        lists("subnet pool list", "Prefixes", json!([["10.8.0.0/23"], ["2001:db8::/32"]])),
        lists("subnet pool list --long", "Default Prefix Length", json!([26, 64])),
        lists("subnet pool list --share", "Name", json!(["six"])),
        lists("subnet pool list --no-share", "Name", json!(["four"])),
        lists("subnet pool list --default", "ID", json!(["{six}"])),
        lists("subnet pool list --no-default", "ID", json!(["{four}"])),
        lists("subnet pool list --address-scope scope", "Name", json!(["four"])),
        lists("subnet pool list --name six", "Name", json!(["six"])),
        shows("subnet pool show {four}", json!({"name": "four"})),
        refused("subnet pool show five", "No SubnetPool found for five"),
        has(
            "extension list --network",
            "Alias",
            json!([
                "subnet_allocation",
                "default-subnetpools",
                "subnetpool-prefix-ops",
                "subnet_onboard",
                "subnet-service-types",
                "subnet-dns-publish-fixed-ip"
            ]),
        ),
    ]
}

fn cut() -> Vec<Row> {
    vec![
        shows("network create pooled", json!({"ipv4_address_scope": null})),
        shows(
            "subnet create first --network pooled --subnet-pool four",
            json!({"subnetpool_id": "{four}", "cidr": "10.8.0.0/26", "gateway_ip": "10.8.0.1"}),
        ),
        shows(
            "subnet create second --network pooled --subnet-pool four --prefix-length 28",
            json!({"subnetpool_id": "{four}", "cidr": "10.8.0.64/28"}),
        ),
        shows(
            "subnet create third --network pooled --subnet-pool four --subnet-range 10.8.1.0/24",
            json!({"subnetpool_id": "{four}", "cidr": "10.8.1.0/24"}),
        ),
        shows("network show pooled", json!({"ipv4_address_scope": "{scope}"})),
        shows(
            "subnet create v6 --network pooled --use-default-subnet-pool --ip-version 6",
            json!({"subnetpool_id": "{six}", "cidr": "2001:db8::/64"}),
        ),
        lists("subnet list --subnet-pool four", "Name", json!(["first", "second", "third"])),
        refused(
            "subnet create x --network pooled --subnet-pool four --subnet-range 10.8.1.0/28",
            "Cannot allocate requested subnet from the available set of prefixes.",
        ),
        refused(
            "subnet create x --network pooled --subnet-pool four --prefix-length 24",
            "Per-tenant subnet pool prefix quota exceeded.",
        ),
        refused(
            "subnet create x --network pooled --subnet-pool four --prefix-length 29",
            "maximum allowed prefix is 28.",
        ),
        refused(
            "subnet create x --network pooled --subnet-range 192.0.2.0/24",
            "must be allocated from the same subnet pool.",
        ),
        refused(
            "subnet create x --network pooled --use-default-subnet-pool",
            "No default subnetpool found for IPv4.",
        ),
        quiet("subnet set first --service-type compute:nova --dns-publish-fixed-ip"),
        shows(
            "subnet show first",
            json!({"service_types": ["compute:nova"], "dns_publish_fixed_ip": true}),
        ),
        refused("subnet set first --service-type kitchen", "does not correspond to a valid"),
        quiet("subnet unset first --service-type compute:nova"),
        shows("subnet show first", json!({"service_types": []})),
    ]
}

fn onboarded() -> Vec<Row> {
    vec![
        shows("network create old", json!({"name": "old"})),
        shows(
            "subnet create old --network old --subnet-range 192.0.2.0/25",
            json!({"subnetpool_id": null}),
        ),
        quiet("subnet pool add network old four"),
        shows("subnet show old", json!({"subnetpool_id": "{four}"})),
        shows("subnet pool show four", json!({"prefixes": ["10.8.0.0/23", "192.0.2.0/25"]})),
        // Another command for the same.
        shows("subnet pool create seven --pool-prefix 10.77.0.0/24", json!({"name": "seven"})),
        shows("network create older", json!({"name": "older"})),
        shows(
            "subnet create older --network older --subnet-range 198.51.100.0/24",
            json!({"name": "older"}),
        ),
        // Says that it is the older one of the two.
        ends("network onboard subnet older seven"),
        shows("subnet pool show seven", json!({"prefixes": ["10.77.0.0/24", "198.51.100.0/24"]})),
        quiet("subnet pool set seven --tag a"),
        quiet("subnet pool unset seven --all-tag"),
        shows("subnet pool show seven", json!({"tags": []})),
        quiet("network delete older"),
        quiet("subnet pool delete seven"),
    ]
}

fn changed() -> Vec<Row> {
    vec![
        quiet(
            "subnet pool set four --name vier --pool-prefix 10.8.2.0/23 --default-prefix-length 25 \
             --default-quota 1024 --description ''",
        ),
        shows(
            "subnet pool show vier",
            json!({
                "id": "{four}", "prefixes": ["10.8.0.0/22", "192.0.2.0/25"],
                "default_prefixlen": 25, "default_quota": 1024, "description": ""}),
        ),
        refused("subnet pool set vier --min-prefix-length 26", "Illegal prefix bounds"),
        quiet("subnet pool set six --no-default"),
        quiet("subnet pool set vier --no-address-scope --default"),
        shows("subnet pool show vier", json!({"address_scope_id": null, "is_default": true})),
    ]
}

fn deleted() -> Vec<Row> {
    vec![
        refused("subnet pool delete vier", "Subnet pool has existing allocations"),
        quiet("network delete pooled old"),
        refused("subnet pool delete five vier", "1 of 2 subnet pools failed to delete."),
        quiet("subnet pool delete six"),
        lists("subnet pool list", "Name", json!([])),
    ]
}
