//! Attacks against ports.

use std::time::{Duration, Instant};

use navigator_bus::ControlPlane as _;
use navigator_model::{NetworkId, Scope};
use serde_json::{Value, json};

use crate::cloud::{Cloud, HOST, Site, text};

async fn cloud() -> (Cloud, Site) {
    let cloud = Cloud::new().await;
    cloud.agents_appear().await;
    let site = cloud.site().await;
    (cloud, site)
}

async fn ports(cloud: &Cloud, query: &str) -> Vec<Value> {
    let mut found = cloud.get("admin", &format!("/v2.0/ports?{query}")).await.expect(200);
    found["ports"].as_array_mut().map(std::mem::take).unwrap_or_default()
}

/// A port that claims to be another project's router's would be plugged into it.
#[tokio::test]
async fn sec_cve_2014_0056_nobody_plugs_a_port_into_anothers_router() {
    let (cloud, site) = cloud().await;
    let own = cloud.create("bob", "networks", "network", json!({})).await;
    let router = &site.router["id"];
    let before = ports(&cloud, &format!("device_id={}", text(router))).await.len();
    for (owner, status, error) in [
        ("network:router_interface", 400, "BadRequest"),
        ("network:router_gateway", 400, "BadRequest"),
        ("network:router_interface_distributed", 400, "BadRequest"),
        ("", 409, "DeviceIDNotOwnedByTenant"),
        ("compute:nova", 409, "DeviceIDNotOwnedByTenant"),
    ] {
        let port = json!({"network_id": own["id"], "device_id": router, "device_owner": owner});
        let answer = cloud.post("bob", "/v2.0/ports", &json!({ "port": port })).await;
        answer.refused(status, error);
    }
    let port = cloud.create("bob", "ports", "port", json!({"network_id": own["id"]})).await;
    let path = format!("/v2.0/ports/{}", text(&port["id"]));
    let change = json!({"port": {"device_id": router, "device_owner": "network:router_interface"}});
    assert!((400..410).contains(&cloud.put("bob", &path, &change).await.status));
    let change = json!({"port": {"device_id": router}});
    cloud.put("bob", &path, &change).await.refused(409, "DeviceIDNotOwnedByTenant");
    assert_eq!(ports(&cloud, &format!("device_id={}", text(router))).await.len(), before);
}

/// Each pair is a rule on every host that has the network.
#[tokio::test]
async fn sec_cve_2014_3555_address_pairs_are_limited() {
    let (cloud, site) = cloud().await;
    let path = format!("/v2.0/ports/{}", text(&site.port["id"]));
    let pairs = |count: u32| -> Vec<Value> {
        let address = |n: u32| format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255);
        (0..count).map(|n| json!({"ip_address": address(n)})).collect()
    };
    for count in [11, 10_000] {
        let change = json!({"port": {"allowed_address_pairs": pairs(count)}});
        cloud.put("alice", &path, &change).await.refused(400, "AllowedAddressPairExhausted");
        let port = json!({"port": {
            "network_id": site.network["id"], "allowed_address_pairs": pairs(count)}});
        cloud.post("alice", "/v2.0/ports", &port).await.refused(400, "AllowedAddressPairExhausted");
    }
    let change = json!({"port": {"allowed_address_pairs": pairs(10)}});
    cloud.put("alice", &path, &change).await.expect(200);
}

/// A packet filter refused pairs of everything, and with them the rules of all ports of the host. What
/// hosts are told of other ports is as before.
#[tokio::test]
async fn sec_cve_2015_3221_a_pair_of_everything_changes_nothing_for_other_ports() {
    let (cloud, site) = cloud().await;
    let other = json!({
        "network_id": site.network["id"], "device_owner": "compute:nova",
        "binding:host_id": HOST, "device_id": "neighbour"});
    let other = text(&cloud.create("admin", "ports", "port", other).await["id"]).to_owned();
    let path = format!("/v2.0/ports/{}", text(&site.port["id"]));
    let network: NetworkId = text(&site.network["id"]).parse().unwrap();
    let told = async || {
        let fetched = cloud.plane.fetch(&HOST.into(), &Scope::Network(network), None).await;
        let told = serde_json::to_value(fetched.unwrap()).unwrap().to_string();
        assert!(told.contains(&other), "{told}");
        let other = cloud.get("admin", &format!("/v2.0/ports/{other}")).await.expect(200);
        (other["port"]["status"].clone(), other["port"]["binding:vif_type"].clone())
    };
    let before = told().await;
    for address in ["0.0.0.0/0", "::/0", "0.0.0.0/1", "10.0.0.0/8", "::/1"] {
        let pair = json!([{"ip_address": address}]);
        let change = json!({"port": {"allowed_address_pairs": pair}});
        let changed = cloud.put("alice", &path, &change).await.expect(200);
        let kept = &changed["port"]["allowed_address_pairs"][0]["ip_address"];
        assert_eq!(kept, address);
        assert_eq!(told().await, before, "{address}");
    }
}

/// Checks of names took exponential time, or let control characters through.
#[tokio::test]
async fn sec_cve_2014_7821_names_are_checked_in_little_time() {
    let (cloud, site) = cloud().await;
    let port = format!("/v2.0/ports/{}", text(&site.port["id"]));
    let subnet = format!("/v2.0/subnets/{}", text(&site.subnet["id"]));
    let network = format!("/v2.0/networks/{}", text(&site.network["id"]));
    for name in [
        "a".repeat(64 << 10),
        "a.".repeat(32 << 10),
        format!("{}!", "a-".repeat(120)),
        "host\n".to_owned(),
        "host\r\nserver=/#/203.0.113.1".to_owned(),
        "h\u{f6}st".to_owned(),
        "\u{202e}tsoh".to_owned(),
    ] {
        for (path, body) in [
            (&port, json!({"port": {"dns_name": name}})),
            (&port, json!({"port": {"dns_domain": format!("{name}.")}})),
            (&network, json!({"network": {"dns_domain": name}})),
            (&subnet, json!({"subnet": {"dns_nameservers": [name]}})),
        ] {
            let begun = Instant::now();
            cloud.put("alice", path, &body).await.refused(400, "HTTPBadRequest");
            // An expression that goes back and forth over 64 KiB would take minutes.
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        }
    }
}

/// A line feed in a value, or a name, was another line of dnsmasq's configuration.
#[tokio::test]
async fn sec_cve_2021_40085_dhcp_options_are_single_known_options() {
    let (cloud, site) = cloud().await;
    let path = format!("/v2.0/ports/{}", text(&site.port["id"]));
    for (name, value) in [
        ("server-ip-address", "10.0.0.9\nlog-facility=/tmp/x"),
        ("bootfile-name", "pxe\r\ndhcp-script=/bin/sh"),
        ("bootfile-name", "a b"),
        ("bootfile-name", "a,tag:x"),
        ("bootfile-name\ndhcp-script=/bin/sh", "x"),
        ("domain-name", "a.example\naddress=/#/203.0.113.1"),
        ("dhcp-script", "/bin/sh"),
        ("conf-file", "/etc/shadow"),
        ("6", "10.0.0.9 #"),
        ("mtu", "1400\u{0}"),
        ("mtu", "-1"),
    ] {
        let option = json!({"opt_name": name, "opt_value": value});
        let change = json!({"port": {"extra_dhcp_opts": [option]}});
        let answer = cloud.put("alice", &path, &change).await;
        assert_eq!(answer.status, 400, "{name:?} {value:?} {}", answer.body);
    }
    let shown = cloud.get("alice", &path).await.expect(200);
    assert_eq!(shown["port"]["extra_dhcp_opts"], json!([]));
}

/// On a network that somebody else shares, a port of the network itself would not be filtered. Also
/// not by changing an ordinary port, at once or later.
async fn no_network_port(advisory: &str) {
    let (cloud, site) = cloud().await;
    let path = format!("/v2.0/networks/{}", text(&site.network["id"]));
    cloud.put("admin", &path, &json!({"network": {"shared": true}})).await.expect(200);
    for owner in ["network:dhcp", "network:anything", "network:local_ip", "network:distributed"] {
        let port = json!({"network_id": site.network["id"], "device_owner": owner});
        let made = cloud.post("bob", "/v2.0/ports", &json!({ "port": port })).await;
        made.refused(403, "PolicyNotAuthorized");
        let plain = json!({"network_id": site.network["id"]});
        let plain = cloud.create("bob", "ports", "port", plain).await;
        let path = format!("/v2.0/ports/{}", text(&plain["id"]));
        let change = json!({"port": {"device_owner": owner}});
        cloud.put("bob", &path, &change).await.refused(403, "PolicyNotAuthorized");
        let change = json!({"port": {"device_owner": owner, "device_id": "x", "name": "n"}});
        cloud.put("bob", &path, &change).await.refused(403, "PolicyNotAuthorized");
        let shown = cloud.get("bob", &path).await.expect(200);
        assert_eq!(
            (&shown["port"]["device_owner"], &shown["port"]["name"]),
            (&json!(""), &json!(""))
        );
    }
    let bulk = json!({"ports": [
        {"network_id": site.network["id"]},
        {"network_id": site.network["id"], "device_owner": "network:dhcp", "name": advisory}]});
    cloud.post("bob", "/v2.0/ports", &bulk).await.refused(403, "PolicyNotAuthorized");
    assert!(ports(&cloud, &format!("name={advisory}")).await.is_empty());
    let servers = ports(&cloud, "device_owner=network:dhcp").await;
    assert_eq!(servers.len(), 1);
    assert_eq!(servers[0]["binding:host_id"], HOST);
}

#[tokio::test]
async fn sec_cve_2015_5240_no_port_of_the_network_on_a_shared_network() {
    no_network_port("cve-2015-5240").await;
}

#[tokio::test]
async fn sec_cve_2026_50266_no_port_of_the_network_by_changing_one() {
    no_network_port("cve-2026-50266").await;
}
