//! How many addresses networks have and use, and where floating IPs come from.

use axum::body::{Body, to_bytes};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::cloud::{Backend, Cloud, request, text};

on_both! {
    addresses_are_counted_for_networks_and_subnets,
    totals_of_ipv6_are_exact_numbers,
    networks_are_found_by_name_project_and_ip_version,
    only_administrators_see_it,
    floating_ip_pools_are_the_subnets_of_external_networks,
}

const PATH: &str = "/v2.0/network-ip-availabilities";

async fn subnet(cloud: &Cloud, network: &Value, more: Value) -> Value {
    let mut body = json!({"network_id": network["id"], "ip_version": 4, "enable_dhcp": false});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    cloud.create("alice", "subnets", "subnet", body).await
}

fn details(total: i64, pooled: i64, used: i64, used_of_pools: i64) -> Value {
    json!({"total_ips_in_subnet": total, "total_ips_in_allocation_pool": pooled,
        "used_ips_in_subnet": used, "used_ips_in_allocation_pool": used_of_pools})
}

async fn network(cloud: &Cloud, name: &str) -> Value {
    cloud.create("alice", "networks", "network", json!({"name": name})).await
}

async fn addresses_are_counted_for_networks_and_subnets(on: Backend) {
    let cloud = Cloud::on(on).await;
    let blue = network(&cloud, "blue").await;
    let pools = json!([{"start": "10.1.0.10", "end": "10.1.0.19"},
                       {"start": "10.1.0.30", "end": "10.1.0.30"}]);
    let first = subnet(&cloud, &blue, json!({"cidr": "10.0.0.0/24"})).await;
    let second = json!({"cidr": "10.1.0.0/24", "name": "second", "allocation_pools": pools});
    let second = subnet(&cloud, &blue, second).await;
    for subnet in [&first, &first, &second] {
        let port = json!({
            "network_id": blue["id"], "fixed_ips": [{"subnet_id": subnet["id"]}]});
        cloud.create("alice", "ports", "port", port).await;
    }
    let path = format!("{PATH}/{}", text(&blue["id"]));
    let shown = cloud.get("admin", &path).await.expect(200);
    let shown = &shown["network_ip_availability"];
    assert_eq!((&shown["total_ips"], &shown["used_ips"]), (&json!(264), &json!(3)));
    assert_eq!(shown["network_name"], "blue");
    assert_eq!(shown["project_id"], blue["project_id"]);
    assert_eq!(shown["tenant_id"], blue["project_id"]);
    let mut subnets = shown["subnet_ip_availability"].as_array().unwrap().clone();
    subnets.sort_by_key(|row| text(&row["cidr"]).to_owned());
    assert_eq!(
        subnets,
        [
            json!({"subnet_id": first["id"], "subnet_name": "", "ip_version": 4,
                   "cidr": "10.0.0.0/24", "total_ips": 253, "used_ips": 2,
                   "ip_availability_details": details(254, 253, 2, 2)}),
            json!({"subnet_id": second["id"], "subnet_name": "second", "ip_version": 4,
                   "cidr": "10.1.0.0/24", "total_ips": 11, "used_ips": 1,
                   "ip_availability_details": details(254, 11, 1, 1)}),
        ]
    );
    assert_eq!(shown["ip_availability_details"], details(508, 264, 3, 3));
    let some = cloud.get("admin", &format!("{path}?fields=used_ips")).await.expect(200);
    assert_eq!(some, json!({"network_ip_availability": {"used_ips": 3}}));
    for id in ["x", "00000000-0000-0000-0000-000000000000"] {
        cloud.get("admin", &format!("{PATH}/{id}")).await.refused(404, "NetworkNotFound");
    }
}

async fn totals_of_ipv6_are_exact_numbers(on: Backend) {
    let cloud = Cloud::on(on).await;
    let blue = network(&cloud, "blue").await;
    let large = json!({"cidr": "2001:db8::/32", "ip_version": 6, "gateway_ip": null});
    subnet(&cloud, &blue, large).await;
    subnet(&cloud, &blue, json!({"cidr": "10.0.0.0/29"})).await;
    let path = format!("{PATH}/{}", text(&blue["id"]));
    let asked = request("admin", "GET", &path).body(Body::empty()).unwrap();
    let answer = cloud.router.clone().oneshot(asked).await.unwrap();
    let bytes = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
    let answer = String::from_utf8(bytes.to_vec()).unwrap();
    // 2^96 less the first address, and 5 of IPv4.
    let (six, all) = ("79228162514264337593543950335", "79228162514264337593543950340");
    for number in [six, all] {
        assert!(answer.contains(&format!("\"total_ips\":{number}")), "{answer}");
    }
}

async fn networks_are_found_by_name_project_and_ip_version(on: Backend) {
    let cloud = Cloud::on(on).await;
    let (four, six) = (network(&cloud, "four").await, network(&cloud, "six").await);
    let both = network(&cloud, "both").await;
    cloud.create("bob", "networks", "network", json!({"name": "none"})).await;
    for (net, third) in [(&four, 1), (&both, 2)] {
        subnet(&cloud, net, json!({ "cidr": format!("10.0.{third}.0/24") })).await;
    }
    for (net, third) in [(&six, 1), (&both, 2)] {
        let cidr = format!("2001:db8:{third}::/64");
        subnet(&cloud, net, json!({"cidr": cidr, "ip_version": 6})).await;
    }
    let project = text(&four["project_id"]);
    for (query, expected) in [
        (String::new(), &["both", "four", "none", "six"][..]),
        ("ip_version=4".to_owned(), &["both", "four"]),
        ("ip_version=6".to_owned(), &["both", "six"]),
        ("ip_version=4&ip_version=6".to_owned(), &["both", "four", "six"]),
        ("network_name=six".to_owned(), &["six"]),
        (format!("network_id={}", text(&four["id"])), &["four"]),
        (format!("project_id={project}"), &["both", "four", "six"]),
        (format!("tenant_id={project}&ip_version=4"), &["both", "four"]),
    ] {
        let found = cloud.get("admin", &format!("{PATH}?{query}")).await.expect(200);
        let found = found["network_ip_availabilities"].as_array().unwrap();
        let mut names: Vec<_> = found.iter().map(|row| text(&row["network_name"])).collect();
        names.sort_unstable();
        assert_eq!(names, expected, "{query}");
    }
    let found = cloud.get("admin", &format!("{PATH}?ip_version=6&network_name=both")).await;
    let found = found.expect(200);
    let subnets = found["network_ip_availabilities"][0]["subnet_ip_availability"].as_array();
    assert_eq!(subnets.unwrap().len(), 1);
    for query in ["ip_version=5", "total_ips=1", "sort_key=total_ips", "limit=-1"] {
        let answer = cloud.get("admin", &format!("{PATH}?{query}")).await;
        answer.refused(400, "HTTPBadRequest");
    }
    let page = cloud.get("admin", &format!("{PATH}?limit=3&sort_key=network_id")).await.expect(200);
    assert_eq!(page["network_ip_availabilities"].as_array().unwrap().len(), 3);
    let next = text(&page["network_ip_availabilities_links"][0]["href"]);
    let rest = cloud.get("admin", &next["http://api.example:9696".len()..]).await.expect(200);
    assert_eq!(rest["network_ip_availabilities"].as_array().unwrap().len(), 1);
}

async fn only_administrators_see_it(on: Backend) {
    let cloud = Cloud::on(on).await;
    let blue = network(&cloud, "blue").await;
    let list = cloud.get("alice", PATH).await.expect(200);
    assert_eq!(list, json!({"network_ip_availabilities": []}));
    let path = format!("{PATH}/{}", text(&blue["id"]));
    cloud.get("alice", &path).await.refused(404, "NetworkNotFound");
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(cloud.raw("admin", method, &path, Vec::new()).await.status, 405);
    }
}

async fn floating_ip_pools_are_the_subnets_of_external_networks(on: Backend) {
    const PATH: &str = "/v2.0/floatingip_pools";
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let six = json!({
        "network_id": site.external["id"], "ip_version": 6, "cidr": "2001:db8::/64"});
    cloud.create("admin", "subnets", "subnet", six).await;
    let all = cloud.get("admin", PATH).await.expect(200);
    let pools = all["floatingip_pools"].as_array().unwrap();
    assert_eq!(pools.len(), 1);
    assert_eq!(pools[0]["network_id"], site.external["id"]);
    assert_eq!(
        (&pools[0]["cidr"], &pools[0]["subnet_name"]),
        (&json!("203.0.113.0/24"), &json!(""))
    );
    assert_eq!(pools[0]["project_id"], pools[0]["tenant_id"]);
    let own = cloud.get("alice", PATH).await.expect(200);
    assert_eq!(own, json!({"floatingip_pools": []}));
    let some = cloud.get("admin", &format!("{PATH}?fields=cidr&cidr=203.0.113.0/24")).await;
    assert_eq!(some.expect(200), json!({"floatingip_pools": [{"cidr": "203.0.113.0/24"}]}));
    cloud.get("admin", &format!("{PATH}?no_such=1")).await.refused(400, "HTTPBadRequest");
}
