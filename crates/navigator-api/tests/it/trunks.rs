//! Trunks at the API: sub-ports, what parents show of them, and what is refused.

use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, text};

on_both! {
    a_trunk_takes_and_gives_back_sub_ports,
    a_parent_shows_its_trunk_and_other_ports_none,
    ports_of_a_trunk_stay_until_it_lets_them_go,
    a_trunk_is_its_projects_alone,
    two_trunks_never_get_the_same_port,
}

struct Wires {
    cloud: Cloud,
    /// Four ports of Alice's.
    ports: Vec<Value>,
}

impl Wires {
    async fn on(on: Backend) -> Self {
        let cloud = Cloud::on(on).await;
        let network = cloud.create("alice", "networks", "network", json!({})).await;
        let mut ports = Vec::new();
        for name in ["parent", "a", "b", "c"] {
            let body = json!({"network_id": network["id"], "name": name});
            ports.push(cloud.create("alice", "ports", "port", body).await);
        }
        Self { cloud, ports }
    }

    fn sub_port(&self, index: usize, tag: u32) -> Value {
        json!({"port_id": self.ports[index]["id"], "segmentation_type": "vlan",
            "segmentation_id": tag})
    }

    async fn trunk(&self, parent: usize, sub_ports: Value) -> (Value, String) {
        let body = json!({"port_id": self.ports[parent]["id"], "sub_ports": sub_ports});
        let trunk = self.cloud.create("alice", "trunks", "trunk", body).await;
        let path = format!("/v2.0/trunks/{}", text(&trunk["id"]));
        (trunk, path)
    }

    fn port(&self, index: usize) -> String {
        format!("/v2.0/ports/{}", text(&self.ports[index]["id"]))
    }
}

async fn a_trunk_takes_and_gives_back_sub_ports(on: Backend) {
    let wires = Wires::on(on).await;
    let cloud = &wires.cloud;
    let (trunk, path) = wires.trunk(0, json!([wires.sub_port(1, 10)])).await;
    assert_eq!(trunk["sub_ports"], json!([wires.sub_port(1, 10)]));
    assert_eq!((&trunk["status"], &trunk["admin_state_up"]), (&json!("DOWN"), &json!(true)));
    let add = json!({"sub_ports": [wires.sub_port(2, 20), wires.sub_port(3, 30)]});
    let answer = cloud.put("alice", &format!("{path}/add_subports"), &add).await.expect(200);
    assert_eq!((&answer["id"], &answer["tenant_id"]), (&trunk["id"], &trunk["project_id"]));
    assert_eq!(answer["sub_ports"].as_array().unwrap().len(), 3);
    let duplicate = json!({"sub_ports": [wires.sub_port(2, 10)]});
    let again = cloud.put("alice", &format!("{path}/add_subports"), &duplicate).await;
    again.refused(409, "PortInUseAsSubPort");
    let gone = json!({"sub_ports": [{"port_id": wires.ports[2]["id"]}]});
    let remove = format!("{path}/remove_subports");
    cloud.put("alice", &remove, &gone).await.expect(200);
    cloud.put("alice", &remove, &gone).await.refused(404, "SubPortNotFound");
    let left = cloud.get("alice", &format!("{path}/get_subports")).await.expect(200);
    let shown = cloud.get("alice", &path).await.expect(200);
    assert_eq!(left["sub_ports"], shown["trunk"]["sub_ports"]);
    assert_eq!(left["sub_ports"].as_array().unwrap().len(), 2);
    for wrong in [json!({}), json!({"sub_ports": {}})] {
        cloud.put("alice", &remove, &wrong).await.refused(400, "InvalidInput");
    }
    let read_only = json!({"trunk": {"sub_ports": []}});
    cloud.put("alice", &path, &read_only).await.refused(400, "HTTPBadRequest");
    let disabled = json!({"trunk": {"admin_state_up": false}});
    cloud.put("alice", &path, &disabled).await.expect(200);
    cloud.put("alice", &remove, &json!({"sub_ports": []})).await.refused(409, "TrunkDisabled");
}

async fn a_parent_shows_its_trunk_and_other_ports_none(on: Backend) {
    let wires = Wires::on(on).await;
    let (trunk, _) = wires.trunk(0, json!([wires.sub_port(1, 10), wires.sub_port(2, 20)])).await;
    let ports = wires.cloud.get("alice", "/v2.0/ports?sort_key=name").await.expect(200);
    for port in ports["ports"].as_array().unwrap() {
        let details = &port["trunk_details"];
        if port["name"] != "parent" {
            assert_eq!(*details, Value::Null);
            continue;
        }
        assert_eq!(details["trunk_id"], trunk["id"]);
        let mut expected = trunk["sub_ports"].clone();
        for sub_port in expected.as_array_mut().unwrap() {
            let of = |port: &&Value| port["id"] == sub_port["port_id"];
            let mac = wires.ports.iter().find(of).unwrap()["mac_address"].clone();
            sub_port["mac_address"] = mac;
        }
        assert_eq!(details["sub_ports"], expected);
    }
}

async fn ports_of_a_trunk_stay_until_it_lets_them_go(on: Backend) {
    let wires = Wires::on(on).await;
    let cloud = &wires.cloud;
    let (_, path) = wires.trunk(0, json!([wires.sub_port(1, 10)])).await;
    cloud.delete("alice", &wires.port(0)).await.refused(409, "PortInUseAsTrunkParent");
    cloud.delete("alice", &wires.port(1)).await.refused(409, "PortInUseAsSubPort");
    cloud.delete("alice", &path).await.expect(204);
    cloud.delete("alice", &wires.port(0)).await.expect(204);
    cloud.delete("alice", &wires.port(1)).await.expect(204);
}

async fn a_trunk_is_its_projects_alone(on: Backend) {
    let wires = Wires::on(on).await;
    let cloud = &wires.cloud;
    let (_, path) = wires.trunk(0, json!([])).await;
    let body = json!({"sub_ports": [wires.sub_port(1, 10)]});
    for action in ["add_subports", "remove_subports"] {
        let action = format!("{path}/{action}");
        assert_eq!(cloud.put("bob", &action, &body).await.status, 404);
    }
    assert_eq!(cloud.get("bob", &format!("{path}/get_subports")).await.status, 404);
    let foreign = json!({"trunk": {"port_id": wires.ports[2]["id"]}});
    cloud.post("bob", "/v2.0/trunks", &foreign).await.refused(404, "PortNotFound");
}

async fn two_trunks_never_get_the_same_port(on: Backend) {
    let wires = Wires::on(on).await;
    let cloud = &wires.cloud;
    let (_, first) = wires.trunk(0, json!([])).await;
    let (_, second) = wires.trunk(1, json!([])).await;
    let body = json!({"sub_ports": [wires.sub_port(2, 10)]});
    let (first, second) = (format!("{first}/add_subports"), format!("{second}/add_subports"));
    let parent = json!({"trunk": {"port_id": wires.ports[2]["id"]}});
    let answers = futures::join!(
        cloud.put("alice", &first, &body),
        cloud.put("alice", &second, &body),
        cloud.post("alice", "/v2.0/trunks", &parent),
    );
    let answers = [answers.0, answers.1, answers.2];
    assert_eq!(answers.iter().filter(|answer| answer.status < 300).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 2);
}
