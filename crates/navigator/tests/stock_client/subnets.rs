//! `openstack subnet …`

use serde_json::json;

use crate::row::{Row, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    [made(), found(), changed(), deleted()].into_iter().flatten().collect()
}

fn made() -> Vec<Row> {
    vec![
        shows("network create blue", json!({"subnets": []})).keep("blue", "/id"),
        shows("network create red", json!({"subnets": []})).keep("red", "/id"),
        shows(
            "subnet create four --network blue --subnet-range 10.1.0.0/24 --gateway 10.1.0.254 \
             --allocation-pool start=10.1.0.10,end=10.1.0.20 --dns-nameserver 192.0.2.53 \
             --host-route destination=192.0.2.0/24,gateway=10.1.0.9 --description 'four of blue'",
            json!({
                "name": "four", "network_id": "{blue}", "cidr": "10.1.0.0/24", "ip_version": 4,
                "gateway_ip": "10.1.0.254", "enable_dhcp": true, "description": "four of blue",
                "allocation_pools": [{"start": "10.1.0.10", "end": "10.1.0.20"}],
                "dns_nameservers": ["192.0.2.53"],
                "host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.1.0.9"}]}),
        )
        .keep("four", "/id"),
        shows(
            "subnet create six --network blue --ip-version 6 --subnet-range 2001:db8:1::/64 \
             --ipv6-ra-mode slaac --ipv6-address-mode slaac",
            json!({
                "ip_version": 6, "gateway_ip": "2001:db8:1::1", "ipv6_ra_mode": "slaac",
                "ipv6_address_mode": "slaac"}),
        ),
        shows(
            "subnet create bare --network red --gateway none --no-dhcp --subnet-range 10.2.0.0/29",
            json!({
                "gateway_ip": null, "enable_dhcp": false,
                "allocation_pools": [{"start": "10.2.0.1", "end": "10.2.0.6"}]}),
        ),
        shows(
            "subnet create plain --network red --gateway auto --subnet-range 10.3.0.0/29",
            json!({
                "gateway_ip": "10.3.0.1",
                "allocation_pools": [{"start": "10.3.0.2", "end": "10.3.0.6"}]}),
        ),
        refused(
            "subnet create other --network blue --subnet-range 10.1.0.128/25",
            "BadRequestException: 400: Client Error for url: http://127.0.0.1:9696/v2.0/subnets, \
             Invalid input for operation: Requested subnet with cidr: 10.1.0.128/25 for network: \
             {blue} overlaps with another subnet",
        ),
        refused(
            "subnet create other --network blue --subnet-range 10.9.0.0/33",
            "Invalid input for cidr. Reason: '10.9.0.0/33' is not a valid IP subnet.",
        ),
        refused(
            "subnet create other --network blue --subnet-range 10.9.0.0/24 \
             --allocation-pool start=10.9.0.9,end=10.9.1.9",
            "The allocation pool 10.9.0.9-10.9.1.9 spans beyond the subnet cidr 10.9.0.0/24.",
        ),
        refused(
            "subnet create other --network green --subnet-range 10.9.0.0/24",
            "No Network found for green",
        ),
        shows("network show blue", json!({"name": "blue"})),
    ]
}

fn found() -> Vec<Row> {
    vec![
        lists("subnet list", "Name", json!(["four", "six", "bare", "plain"])),
        lists("subnet list --long", "DHCP", json!([true, true, false, true])),
        lists(
            "subnet list --long",
            "Gateway",
            json!(["10.1.0.254", "2001:db8:1::1", null, "10.3.0.1"]),
        ),
        lists("subnet list --network blue", "Name", json!(["four", "six"])),
        lists("subnet list --ip-version 6", "Subnet", json!(["2001:db8:1::/64"])),
        lists("subnet list --no-dhcp", "Name", json!(["bare"])),
        lists("subnet list --dhcp", "Name", json!(["four", "six", "plain"])),
        lists("subnet list --gateway 10.1.0.254", "Network", json!(["{blue}"])),
        lists("subnet list --subnet-range 10.1.0.0/24", "ID", json!(["{four}"])),
        lists("subnet list --name plain", "Subnet", json!(["10.3.0.0/29"])),
        shows("subnet show four", json!({"id": "{four}"})),
        shows("subnet show {four}", json!({"name": "four"})),
        refused("subnet show five", "No Subnet found for five"),
    ]
}

fn changed() -> Vec<Row> {
    vec![
        quiet(
            "subnet set four --name vier --description '' --dns-nameserver 192.0.2.54 \
             --host-route destination=198.51.100.0/24,gateway=10.1.0.8 \
             --allocation-pool start=10.1.0.30,end=10.1.0.40",
        ),
        shows(
            "subnet show vier",
            json!({
                "id": "{four}", "description": "", "revision_number": 2,
                "dns_nameservers": ["192.0.2.54", "192.0.2.53"],
                "allocation_pools": [
                    {"start": "10.1.0.30", "end": "10.1.0.40"},
                    {"start": "10.1.0.10", "end": "10.1.0.20"}],
                "host_routes": [
                    {"destination": "198.51.100.0/24", "nexthop": "10.1.0.8"},
                    {"destination": "192.0.2.0/24", "nexthop": "10.1.0.9"}]}),
        ),
        quiet(
            "subnet unset vier --dns-nameserver 192.0.2.53 \
             --host-route destination=198.51.100.0/24,gateway=10.1.0.8 \
             --allocation-pool start=10.1.0.30,end=10.1.0.40",
        ),
        shows(
            "subnet show vier",
            json!({
                "dns_nameservers": ["192.0.2.54"],
                "allocation_pools": [{"start": "10.1.0.10", "end": "10.1.0.20"}],
                "host_routes": [{"destination": "192.0.2.0/24", "nexthop": "10.1.0.9"}]}),
        ),
        quiet(
            "subnet set vier --no-dhcp --gateway none --no-dns-nameservers --no-host-route \
             --no-allocation-pool --allocation-pool start=10.1.0.50,end=10.1.0.60",
        ),
        shows(
            "subnet show vier",
            json!({
                "gateway_ip": null, "enable_dhcp": false, "dns_nameservers": [],
                "allocation_pools": [{"start": "10.1.0.50", "end": "10.1.0.60"}],
                "host_routes": []}),
        ),
        quiet("subnet set vier --dhcp --gateway 10.1.0.1"),
        shows("subnet show vier", json!({"gateway_ip": "10.1.0.1", "enable_dhcp": true})),
        quiet("subnet unset vier --gateway"),
        shows("subnet show vier", json!({"gateway_ip": null})),
        refused("subnet set vier --gateway 10.1.0.55", "Gateway ip 10.1.0.55 conflicts with"),
        refused(
            "subnet unset vier --dns-nameserver 192.0.2.9",
            "Subnet does not contain dns-nameserver 192.0.2.9",
        ),
    ]
}

fn deleted() -> Vec<Row> {
    vec![
        shows("port create --network red --fixed-ip subnet=bare held", json!({"name": "held"})),
        refused("subnet delete bare", "One or more ports have an IP allocation from this subnet"),
        quiet("port delete held"),
        quiet("subnet delete bare six"),
        refused("subnet delete five vier", "1 of 2 subnets failed to delete."),
        lists("subnet list", "Name", json!(["plain"])),
        lists("network list --name blue", "Subnets", json!([[]])),
    ]
}
