//! Lists: pages and their links, order, filters, fields.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    following_the_links_shows_every_object_once_in_both_directions,
    a_full_page_has_a_next_one_and_after_the_last_is_the_way_back,
    values_of_one_filter_are_alternatives_and_filters_narrow_each_other,
    fields_narrow_what_is_shown,
    ports_are_found_by_address_subnet_and_part_of_an_address,
    pages_of_ports_by_a_part_of_an_address_hold_every_one_once,
    routers_are_found_by_whether_they_do_snat,
}

async fn networks(on: Backend, count: usize) -> Cloud {
    let cloud = Cloud::on(on).await;
    let items: Vec<_> =
        (0..count).map(|n| json!({"name": format!("n{n:02}"), "mtu": 1300 + n % 3})).collect();
    cloud.post("alice", "/v2.0/networks", &json!({"networks": items})).await.expect(201);
    cloud
}

fn names(body: &Value) -> Vec<String> {
    body["networks"].as_array().unwrap().iter().map(|n| text(&n["name"]).to_owned()).collect()
}

fn link(body: &Value, rel: &str) -> Option<String> {
    body["networks_links"]
        .as_array()
        .or_else(|| body["ports_links"].as_array())?
        .iter()
        .find(|link| link["rel"] == rel)
        .map(|link| text(&link["href"]).trim_start_matches("http://api.example:9696").to_owned())
}

async fn following_the_links_shows_every_object_once_in_both_directions(on: Backend) {
    let cloud = networks(on, 10).await;
    for query in ["sort_key=name&sort_dir=asc", "sort_key=mtu&sort_dir=desc", ""] {
        let all = names(&cloud.get("alice", &format!("/v2.0/networks?{query}")).await.expect(200));
        assert_eq!(all.len(), 10);
        let mut seen = Vec::new();
        let mut page =
            cloud.get("alice", &format!("/v2.0/networks?limit=3&{query}")).await.expect(200);
        assert_eq!(link(&page, "previous"), None);
        loop {
            seen.extend(names(&page));
            let Some(next) = link(&page, "next") else { break };
            page = cloud.get("alice", &next).await.expect(200);
        }
        assert_eq!(seen, all, "forward, {query}");
        let mut backward = names(&page);
        while let Some(previous) = link(&page, "previous") {
            page = cloud.get("alice", &previous).await.expect(200);
            backward.splice(0..0, names(&page));
        }
        assert_eq!(backward, all, "backward, {query}");
    }
}

/// As in Neutron, whose clients read on until a page has no next one.
async fn a_full_page_has_a_next_one_and_after_the_last_is_the_way_back(on: Backend) {
    let cloud = networks(on, 2).await;
    let get = async |path: String| cloud.get("alice", &path).await.expect(200);
    let first = get("/v2.0/networks?limit=1&sort_key=name&sort_dir=asc".to_owned()).await;
    let second = get(link(&first, "next").unwrap()).await;
    assert_eq!((names(&first), names(&second)), (vec!["n00".into()], vec!["n01".into()]));
    let end = get(link(&second, "next").unwrap()).await;
    assert_eq!((names(&end), link(&end, "next")), (Vec::new(), None));
    let last = get(link(&end, "previous").unwrap()).await;
    assert_eq!(names(&last), ["n01"]);
    let before = get(link(&last, "previous").unwrap()).await;
    assert_eq!(names(&before), ["n00"]);
    let begin = get(link(&before, "previous").unwrap()).await;
    assert_eq!((names(&begin), link(&begin, "previous")), (Vec::new(), None));
    assert_eq!(names(&get(link(&begin, "next").unwrap()).await), ["n00"]);
}

async fn values_of_one_filter_are_alternatives_and_filters_narrow_each_other(on: Backend) {
    let cloud = networks(on, 6).await;
    let get = async |query: &str| {
        let mut found =
            names(&cloud.get("alice", &format!("/v2.0/networks?{query}")).await.expect(200));
        found.sort();
        found
    };
    assert_eq!(get("name=n01&name=n02&name=nothing").await, ["n01", "n02"]);
    assert_eq!(get("name=n01&name=n02&mtu=1301").await, ["n01"]);
    assert_eq!(get("mtu=1300").await, ["n00", "n03"]);
    assert!(get("mtu=many").await.is_empty());
    assert_eq!(get("admin_state_up=True").await.len(), 6);
    assert!(get("admin_state_up=false").await.is_empty());
    assert!(get("description=x").await.is_empty());
    assert_eq!(get("description=").await.len(), 6);
    assert_eq!(get("changed_since=2001-01-01T00:00:00").await.len(), 6);
    assert!(get("changed_since=2901-01-01T00:00:00Z").await.is_empty());
}

async fn fields_narrow_what_is_shown(on: Backend) {
    let cloud = networks(on, 1).await;
    let body =
        cloud.get("alice", "/v2.0/networks?fields=id&fields=name&fields=x").await.expect(200);
    let keys: Vec<_> = body["networks"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["id", "name"]);
}

async fn ports_are_found_by_address_subnet_and_part_of_an_address(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let address = text(&site.port["fixed_ips"][0]["ip_address"]).to_owned();
    let subnet = text(&site.subnet["id"]).to_owned();
    let count = async |query: String| {
        cloud.get("alice", &format!("/v2.0/ports?{query}")).await.expect(200)["ports"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(count(format!("fixed_ips=ip_address%3D{address}")).await, 1);
    assert_eq!(
        count(format!("fixed_ips=ip_address={address}&fixed_ips=subnet_id={subnet}")).await,
        1
    );
    assert!(count(format!("fixed_ips=subnet_id%3D{subnet}")).await >= 2);
    assert!(count("fixed_ips=ip_address_substr%3D10.0.0".to_owned()).await >= 2);
    assert_eq!(count("fixed_ips=ip_address%3D10.9.9.9".to_owned()).await, 0);
}

async fn pages_of_ports_by_a_part_of_an_address_hold_every_one_once(on: Backend) {
    let cloud = Cloud::on(on).await;
    let network = cloud.create("admin", "networks", "network", json!({})).await["id"].take();
    let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.9.0.0/24"});
    let subnet = cloud.create("admin", "subnets", "subnet", subnet).await["id"].take();
    // The last one's addresses both match, and it is there once.
    let with = |last: &[u8]| {
        let fixed = |n: &u8| json!({"subnet_id": subnet, "ip_address": format!("10.9.0.{n}")});
        let fixed: Vec<Value> = last.iter().map(fixed).collect();
        json!({"network_id": network, "fixed_ips": fixed})
    };
    let mut ports: Vec<Value> = (0..9).map(|n| with(&[60 + n, 100 + n])).collect();
    ports.push(with(&[70, 71]));
    cloud.post("admin", "/v2.0/ports", &json!({ "ports": ports })).await.expect(201);
    let get = async |path: String| cloud.get("admin", &path).await.expect(200);
    for (part, count) in [("9.0.7", 1), ("10.9.0.6", 9), (".9.0.10", 9), ("_", 0), ("%25", 0)] {
        for query in ["", "sort_key=id&sort_dir=desc", "sort_key=name", "device_id="] {
            let query = format!("{query}&fixed_ips=ip_address_substr%3D{part}");
            let all = ids(&get(format!("/v2.0/ports?{query}")).await);
            assert_eq!(all.len(), count, "{query}");
            let mut page = get(format!("/v2.0/ports?limit=2&{query}")).await;
            let mut seen = ids(&page);
            while let Some(next) = link(&page, "next") {
                page = get(next).await;
                seen.extend(ids(&page));
            }
            assert_eq!(seen, all, "forward, {query}");
            let mut backward = ids(&page);
            while let Some(previous) = link(&page, "previous") {
                page = get(previous).await;
                backward.splice(0..0, ids(&page));
            }
            assert_eq!(backward, all, "backward, {query}");
        }
    }
}

fn ids(body: &Value) -> Vec<String> {
    body["ports"].as_array().unwrap().iter().map(|port| text(&port["id"]).to_owned()).collect()
}

async fn routers_are_found_by_whether_they_do_snat(on: Backend) {
    let cloud = Cloud::on(on).await;
    let site = cloud.site().await;
    let gateway = json!({"network_id": site.external["id"], "enable_snat": false});
    let without = json!({"name": "without", "external_gateway_info": gateway});
    let made = cloud.create("admin", "routers", "router", without).await;
    assert_eq!(made["enable_snat"], false);
    cloud.create("admin", "routers", "router", json!({"name": "alone"})).await;
    for (value, names) in [("false", vec!["without"]), ("true", vec!["alone", "edge"])] {
        let path = format!("/v2.0/routers?enable_snat={value}&sort_key=name");
        let found = cloud.get("admin", &path).await.expect(200);
        let found = found["routers"].as_array().unwrap().iter();
        assert_eq!(found.map(|router| text(&router["name"])).collect::<Vec<_>>(), names);
    }
}
