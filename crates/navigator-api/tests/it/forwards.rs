//! All forwards of a project in one list, and external ports that nobody has to choose.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, Site, text};

on_both! {
    forwards_of_both_kinds_are_in_one_list,
    forwards_of_a_device_are_found_however_many_ports_it_has,
    a_free_external_port_is_found,
    what_cannot_be_forwarded_is_refused,
    a_gateway_with_several_addresses_shows_the_first,
}

struct Place {
    cloud: Cloud,
    site: Site,
    floating_ip: Value,
    other: Value,
}

impl Place {
    async fn on(backend: Backend) -> Self {
        let cloud = Cloud::on(backend).await;
        cloud.agents_appear().await;
        let site = cloud.site().await;
        let of = json!({"floating_network_id": site.external["id"]});
        let floating_ip = cloud.create("alice", "floatingips", "floatingip", of).await;
        let of = json!({"network_id": site.network["id"], "device_id": "server-2"});
        let other = cloud.create("alice", "ports", "port", of).await;
        Self { cloud, site, floating_ip, other }
    }

    fn gateway(&self, more: Value) -> Value {
        let common = json!({"kind": "gateway", "router_id": self.site.router["id"]});
        self.body(common, &self.site.port, more)
    }

    fn floating(&self, more: Value) -> Value {
        let common = json!({"kind": "floating_ip", "floatingip_id": self.floating_ip["id"]});
        self.body(common, &self.other, more)
    }

    fn body(&self, mut forward: Value, port: &Value, more: Value) -> Value {
        let map = forward.as_object_mut().unwrap();
        map.insert("protocol".to_owned(), json!("tcp"));
        map.insert("internal_port".to_owned(), json!(80));
        map.insert("internal_port_id".to_owned(), port["id"].clone());
        let address = port["fixed_ips"][0]["ip_address"].clone();
        map.insert("internal_ip_address".to_owned(), address);
        map.extend(more.as_object().unwrap().clone());
        json!({ "forward": forward })
    }

    async fn make(&self, body: Value) -> Value {
        let mut answer = self.cloud.post("alice", "/v1/forwards", &body).await.expect(201);
        answer["forward"].take()
    }

    async fn ids(&self, user: &str, query: &str) -> Vec<Value> {
        let answer = self.cloud.get(user, &format!("/v1/forwards?{query}")).await.expect(200);
        answer["forwards"].as_array().unwrap().iter().map(|f| f["id"].clone()).collect()
    }
}

async fn forwards_of_both_kinds_are_in_one_list(on: Backend) {
    let place = Place::on(on).await;
    let first = place.make(place.gateway(json!({"external_port": 8080}))).await;
    let second =
        place.make(place.floating(json!({"external_port": 8443, "protocol": "udp"}))).await;
    assert_eq!(first["kind"], "gateway");
    assert_eq!(second["external_address"], place.floating_ip["floating_ip_address"]);
    assert_eq!(second["device_id"], "server-2");
    assert_eq!(second["router_id"], place.site.router["id"]);
    let (id, address) = (text(&first["id"]), text(&first["external_address"]));
    let shown = place.cloud.get("alice", &format!("/v1/forwards/{id}")).await.expect(200);
    assert_eq!(shown["forward"], first);
    // It is the gateway port forwarding of the same id.
    let same = format!("{}/{id}", place.site.forwardings());
    let same = place.cloud.get("alice", &same).await.expect(200);
    assert_eq!(same["gateway_port_forwarding"]["gw_ip_address"], address);
    for query in [
        "kind=gateway".to_owned(),
        "protocol=tcp".to_owned(),
        "external_port=8080".to_owned(),
        format!("external_address={address}"),
        format!("internal_port_id={}", text(&place.site.port["id"])),
        "kind=gateway&external_port=8080&sort_key=external_address".to_owned(),
    ] {
        assert_eq!(place.ids("alice", &query).await, [first["id"].clone()], "{query}");
    }
    let other_address = format!("external_address={}", text(&second["external_address"]));
    for query in ["device_id=server-2", &other_address, "sort_key=kind&limit=1"] {
        assert_eq!(place.ids("alice", query).await, [second["id"].clone()], "{query}");
    }
    let router = format!("router_id={}&sort_key=external_port", text(&second["router_id"]));
    let both = [first["id"].clone(), second["id"].clone()];
    assert_eq!(place.ids("alice", &router).await, both);
    assert_eq!(place.ids("alice", &format!("{router}&limit=1")).await, both[..1]);
    let next = format!("{router}&limit=1&marker={id}");
    assert_eq!(place.ids("alice", &next).await, both[1..]);
    assert!(place.ids("alice", "device_id=nowhere&limit=9").await.is_empty());
    assert_eq!(place.ids("alice", "").await.len(), 2);
    assert_eq!(place.ids("admin", "limit=1").await.len(), 1);
    assert!(place.ids("bob", "").await.is_empty());
    let path = format!("/v1/forwards/{id}");
    place.cloud.delete("bob", &path).await.refused(404, "ForwardNotFound");
    place
        .cloud
        .put("alice", &path, &json!({"forward": {}}))
        .await
        .refused(405, "HTTPMethodNotAllowed");
    for id in [&first["id"], &second["id"]] {
        place.cloud.delete("alice", &format!("/v1/forwards/{}", text(id))).await.expect(204);
    }
    let left = place.cloud.get("alice", &place.site.forwardings()).await.expect(200);
    assert_eq!(left["gateway_port_forwardings"], json!([]));
}

async fn forwards_of_a_device_are_found_however_many_ports_it_has(on: Backend) {
    let place = Place::on(on).await;
    let forward = place.make(place.floating(json!({"external_port": 1}))).await;
    let network = place.cloud.create("alice", "networks", "network", json!({})).await;
    let port = json!({"network_id": network["id"], "device_id": "server-2"});
    for _ in 0..3 {
        assert_eq!(place.ids("alice", "device_id=server-2").await, [forward["id"].clone()]);
        assert_eq!(place.ids("alice", "device_id=server-3&device_id=").await, [] as [Value; 0]);
        let ports = json!({"ports": vec![port.clone(); 150]});
        place.cloud.post("alice", "/v2.0/ports", &ports).await.expect(201);
    }
}

async fn a_free_external_port_is_found(on: Backend) {
    let place = Place::on(on).await;
    let choice = json!({"external_port_choice": "30000:30002", "source_nat": "always",
                        "allowed_cidrs": ["198.51.100.0/24"]});
    place.make(place.gateway(json!({"external_port": 30001, "internal_port": 1}))).await;
    let mut ports = Vec::new();
    for internal_port in [2, 3] {
        let mut body = place.gateway(choice.clone());
        body["forward"]["internal_port"] = json!(internal_port);
        ports.push(place.make(body).await["external_port"].clone());
    }
    assert_eq!(ports, [json!(30000), json!(30002)]);
    let mut body = place.gateway(choice.clone());
    body["forward"]["internal_port"] = json!(4);
    place.cloud.post("alice", "/v1/forwards", &body).await.refused(409, "Conflict");
    // Of another protocol all are free, and of a floating IP anyway.
    body["forward"]["protocol"] = json!("udp");
    assert_eq!(place.make(body).await["external_port"], 30000);
    let floating = place.floating(json!({"external_port_choice": "1:65535"}));
    assert_eq!(place.make(floating).await["external_port"], 1);
}

async fn what_cannot_be_forwarded_is_refused(on: Backend) {
    let place = Place::on(on).await;
    let refused = |user: &'static str, body: Value, status, error_type: &'static str| {
        let cloud = &place.cloud;
        async move { cloud.post(user, "/v1/forwards", &body).await.refused(status, error_type) }
    };
    let bad = "HTTPBadRequest";
    let port = json!({"external_port": 8080});
    refused("bob", place.gateway(port.clone()), 404, "RouterNotFound").await;
    refused("bob", place.floating(port.clone()), 404, "FloatingIPNotFound").await;
    let both = json!({"external_port": 8080, "floatingip_id": place.floating_ip["id"]});
    refused("alice", place.gateway(both), 400, bad).await;
    let both = json!({"external_port": 8080, "external_port_choice": "1:2"});
    refused("alice", place.gateway(both), 400, bad).await;
    refused("alice", place.gateway(json!({"kind": "proxy"})), 400, bad).await;
    refused("alice", place.gateway(json!({})), 400, bad).await;
    let of_a_gateway = json!({"external_port": 8080, "source_nat": "always"});
    refused("alice", place.floating(of_a_gateway), 400, bad).await;
    let mut without = place.gateway(port);
    without["forward"].as_object_mut().unwrap().remove("router_id");
    refused("alice", without, 400, bad).await;
}

async fn a_gateway_with_several_addresses_shows_the_first(on: Backend) {
    let place = Place::on(on).await;
    let path = format!("/v2.0/routers/{}", text(&place.site.router["id"]));
    for addresses in [["203.0.113.9", "203.0.113.77"], ["203.0.113.78", "203.0.113.10"]] {
        let fixed: Vec<Value> = addresses.iter().map(|a| json!({"ip_address": a})).collect();
        let gateway = json!({"network_id": place.site.external["id"], "external_fixed_ips": fixed});
        let body = json!({"router": {"external_gateway_info": gateway}});
        place.cloud.put("admin", &path, &body).await.expect(200);
        let made = place.make(place.gateway(json!({"external_port": 8080}))).await;
        let same = format!("{}/{}", place.site.forwardings(), text(&made["id"]));
        let same = place.cloud.get("alice", &same).await.expect(200);
        let of = &same["gateway_port_forwarding"]["gw_ip_address"];
        assert_eq!((&made["external_address"], of), (&json!(addresses[0]), &json!(addresses[0])));
        assert_eq!(
            place.ids("alice", &format!("external_address={}", addresses[0])).await.len(),
            1
        );
        assert!(place.ids("alice", &format!("external_address={}", addresses[1])).await.is_empty());
        let path = format!("/v1/forwards/{}", text(&made["id"]));
        place.cloud.delete("alice", &path).await.expect(204);
    }
}
