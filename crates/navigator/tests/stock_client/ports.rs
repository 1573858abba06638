//! `openstack port …`, on network `inside`.

use serde_json::json;

use crate::row::{Row, becomes, lists, quiet, refused, shows};

pub(crate) fn rows() -> Vec<Row> {
    [made(), found(), changed(), cleared(), deleted()].into_iter().flatten().collect()
}

fn made() -> Vec<Row> {
    vec![
        shows(
            "port create web --network inside --fixed-ip subnet=inside,ip-address=10.0.0.50 \
             --mac-address fa:16:3e:00:00:01 --host node --device web-1 \
             --device-owner compute:nova --description 'a web server' \
             --no-security-group",
            json!({
                "name": "web", "network_id": "{inside}", "mac_address": "fa:16:3e:00:00:01",
                "fixed_ips": [{"subnet_id": "{inside_subnet}", "ip_address": "10.0.0.50"}],
                "device_id": "web-1", "device_owner": "compute:nova", "admin_state_up": true,
                "binding_host_id": "node", "binding_vif_type": "tap",
                "binding_vnic_type": "normal", "description": "a web server", "status": "DOWN",
                "port_security_enabled": true, "security_group_ids": []}),
        )
        .keep("web", "/id"),
        shows(
            "port create bare --network inside --no-fixed-ip --disable",
            json!({"fixed_ips": [], "admin_state_up": false, "binding_vif_type": "unbound"}),
        ),
        shows(
            "port create options --network inside --fixed-ip ip-address=10.0.0.60 \
             --binding-profile a=b \
             --extra-dhcp-option name=tftp-server,value=10.0.0.9,ip-version=4 \
             --allowed-address ip-address=10.0.0.200 --no-security-group",
            json!({
                "binding_profile": {"a": "b"},
                "extra_dhcp_opts": [
                    {"opt_name": "tftp-server", "opt_value": "10.0.0.9", "ip_version": 4}],
                "allowed_address_pairs": [{"ip_address": "10.0.0.200"}]}),
        ),
        refused(
            "port create other --network inside --fixed-ip ip-address=10.0.0.50",
            "ConflictException: 409: Client Error for url: http://127.0.0.1:9696/v2.0/ports, \
             IP address 10.0.0.50 already allocated in subnet {inside_subnet}",
        ),
        refused(
            "port create other --network inside --fixed-ip ip-address=10.9.0.50",
            "BadRequestException: 400: Client Error for url: http://127.0.0.1:9696/v2.0/ports, \
             IP address 10.9.0.50 is not a valid IP for any of the subnets on the specified \
             network.",
        ),
        refused(
            "port create other --network inside --mac-address fa:16:3e:00:00:01",
            "The mac address fa:16:3e:00:00:01 is in use.",
        ),
        refused(
            "port create other --network inside --disable-port-security \
             --allowed-address ip-address=10.0.0.201",
            "Port Security must be enabled in order to have allowed address pairs on a port.",
        ),
        refused("port create other --network green", "No Network found for green"),
        shows(
            "port create named --network inside --dns-name my-vm --dns-domain example.org. \
             --disable-uplink-status-propagation --fixed-ip ip-address=10.0.0.70",
            json!({
                "dns_name": "my-vm", "dns_domain": "example.org.", "ip_allocation": "immediate",
                "propagate_uplink_status": false,
                "dns_assignment": [{
                    "ip_address": "10.0.0.70", "hostname": "my-vm",
                    "fqdn": "my-vm.openstacklocal."}]}),
        ),
        quiet("port set named --dns-name other --data-plane-status DOWN"),
        shows("port show named", json!({"dns_name": "other", "data_plane_status": "DOWN"})),
        quiet("port unset named --data-plane-status"),
        quiet("port delete named"),
        refused(
            "port create --network inside --dns-name not_a_name other",
            "not a valid PQDN or FQDN",
        ),
    ]
}

fn found() -> Vec<Row> {
    vec![
        // The agent has given the network a DHCP server.
        becomes("port list --device-owner network:dhcp --host node", json!([{"Status": "ACTIVE"}])),
        lists("port list --device-owner compute:nova", "Name", json!(["web"])),
        lists(
            "port list --network inside --status DOWN",
            "Name",
            json!(["web", "bare", "options"]),
        ),
        lists("port list --network inside --device-id web-1", "ID", json!(["{web}"])),
        lists("port list --mac-address fa:16:3e:00:00:01", "Name", json!(["web"])),
        lists("port list --fixed-ip ip-address=10.0.0.50", "Name", json!(["web"])),
        lists("port list --fixed-ip subnet=inside,ip-substring=.50", "Name", json!(["web"])),
        lists("port list --name bare", "Fixed IP Addresses", json!([[]])),
        lists("port list --long --name web", "Device Owner", json!(["compute:nova"])),
        lists("port list --long --name web", "Security Groups", json!([[]])),
        shows("port show web", json!({"id": "{web}"})),
        refused("port show green", "No Port found for green"),
    ]
}

fn changed() -> Vec<Row> {
    let address = |host: &str| {
        let ip_address = format!("10.0.0.{host}");
        json!({"subnet_id": "{inside_subnet}", "ip_address": ip_address})
    };
    vec![
        quiet(
            "port set web --name www --fixed-ip subnet=inside,ip-address=10.0.0.51 \
             --description '' --disable",
        ),
        shows(
            "port show www",
            json!({
                "id": "{web}", "description": "", "admin_state_up": false,
                "fixed_ips": [address("50"), address("51")]}),
        ),
        quiet(
            "port set www --enable --no-fixed-ip --fixed-ip subnet=inside,ip-address=10.0.0.52 \
             --device web-2 --host elsewhere --binding-profile x=y \
             --allowed-address ip-address=10.0.0.201,mac-address=fa:16:3e:00:00:99",
        ),
        shows(
            "port show www",
            json!({
                "admin_state_up": true, "fixed_ips": [address("52")], "device_id": "web-2",
                "binding_host_id": "elsewhere", "binding_vif_type": "binding_failed",
                "binding_profile": {"x": "y"},
                "allowed_address_pairs": [
                    {"ip_address": "10.0.0.201", "mac_address": "fa:16:3e:00:00:99"}]}),
        ),
        quiet("port set bare --mac-address fa:16:3e:00:00:02"),
        shows("port show bare", json!({"mac_address": "fa:16:3e:00:00:02"})),
        refused(
            "port set bare --fixed-ip subnet=inside,ip-address=10.0.0.52",
            "IP address 10.0.0.52 already allocated in subnet {inside_subnet}",
        ),
        refused(
            "port unset www --fixed-ip subnet=inside,ip-address=10.0.0.99",
            "Port does not contain fixed-ip",
        ),
    ]
}

fn cleared() -> Vec<Row> {
    vec![
        quiet(
            "port unset www --fixed-ip subnet=inside,ip-address=10.0.0.52 --binding-profile x \
             --allowed-address ip-address=10.0.0.201,mac-address=fa:16:3e:00:00:99 --host \
             --device --device-owner",
        ),
        shows(
            "port show www",
            json!({
                "fixed_ips": [], "binding_profile": {}, "allowed_address_pairs": [],
                "binding_host_id": "", "binding_vif_type": "unbound", "device_id": "",
                "device_owner": ""}),
        ),
        quiet("port set www --disable-port-security"),
        shows("port show www", json!({"port_security_enabled": false})),
    ]
}

fn deleted() -> Vec<Row> {
    vec![
        quiet("port delete www bare"),
        refused("port delete green options", "1 of 2 ports failed to delete."),
        lists("port list --status DOWN", "Name", json!([])),
    ]
}
