//! What holds for every resource of the registry, so that a new one cannot be forgotten.

use axum::body::Body;
use navigator_resources::{Declaration, OnCreate, Rules, Visitor, visit_all};
use serde_json::{Value, json};

use crate::cloud::{Backend, Cloud, Site, request, text};

on_both! {
    without_credentials_every_route_answers_401_in_keystones_form,
    an_unknown_id_is_404_with_the_class_in_the_type,
    every_wrong_body_is_400_with_neutrons_text,
    a_value_of_the_wrong_kind_is_400_and_names_the_attribute,
    every_declared_filter_and_sort_key_works_and_no_other_does,
    absurd_limits_and_markers_are_refused_or_harmless,
    a_put_of_a_read_only_attribute_is_400,
    a_put_of_what_another_object_has_is_taken_or_refused,
    an_unknown_url_is_404_and_a_wrong_method_405,
}

struct Declarations(Vec<&'static Declaration>);

impl Visitor for Declarations {
    fn visit<R: Rules>(&mut self) {
        self.0.push(R::declaration());
    }
}

pub(crate) fn declarations() -> Vec<&'static Declaration> {
    let mut declarations = Declarations(Vec::new());
    visit_all(&mut declarations);
    assert!(declarations.0.len() >= 8);
    declarations.0
}

/// Whether a POST makes one at all.
pub(crate) fn is_created(declaration: &Declaration) -> bool {
    declaration.verbs.create
        && declaration.attributes.iter().any(|a| !matches!(a.on_create, OnCreate::Refused))
}

/// What makes an object of that resource, as far as one can be made of what is there.
pub(crate) fn valid(declaration: &Declaration) -> Value {
    match declaration.name {
        "address_scope" => json!({"name": "s", "ip_version": 4}),
        "bandwidth_limit_rule" => json!({"max_kbps": 1000}),
        "conntrack_helper" => json!({"protocol": "udp", "port": 69, "helper": "tftp"}),
        "default_security_group_rule" => json!({"direction": "ingress", "protocol": "tcp",
            "port_range_min": 1, "port_range_max": 2}),
        "dscp_marking_rule" => json!({"dscp_mark": 10}),
        "flavor" => json!({"service_type": "L3_ROUTER_NAT"}),
        "floatingip" => json!({"floating_network_id": "{external}"}),
        "gateway_port_forwarding" | "port_forwarding" => json!({"protocol": "tcp",
            "external_port": 4000, "internal_port": 80, "internal_port_id": "{port}",
            "internal_ip_address": "{address}"}),
        "log" => json!({"resource_type": "security_group"}),
        "metering_label_rule" => json!({"direction": "ingress", "metering_label_id": "{label}",
            "remote_ip_prefix": "10.0.0.0/8"}),
        "minimum_bandwidth_rule" => json!({"min_kbps": 10}),
        "minimum_packet_rate_rule" => json!({"min_kpps": 10, "direction": "egress"}),
        "network_segment_range" => json!({"name": "r", "network_type": "vxlan",
            "minimum": 5000, "maximum": 5010}),
        "packet_rate_limit_rule" => json!({"max_kpps": 10}),
        "port" => json!({"network_id": "{network}", "fixed_ips": [{"subnet_id": "{subnet}"}]}),
        "rbac_policy" => json!({"object_type": "network", "object_id": "{network}",
            "target_tenant": "*", "action": "access_as_shared"}),
        "router" => json!({"external_gateway_info": {"network_id": "{external}"}}),
        "security_group_rule" => json!({"security_group_id": "{group}", "direction": "ingress",
            "protocol": "tcp", "port_range_min": 1, "port_range_max": 2}),
        "segment" => json!({"network_id": "{own}", "network_type": "vxlan"}),
        "service_profile" => json!({"driver": "", "metainfo": "a"}),
        "subnet" => json!({"network_id": "{own}", "ip_version": 4, "cidr": "10.9.0.0/24"}),
        "subnetpool" => json!({"name": "p", "prefixes": ["10.8.0.0/16"]}),
        "trunk" => json!({"port_id": "{port}", "sub_ports": []}),
        _ => json!({}),
    }
}

/// What makes another one beside it; `None` where there is but one.
fn different(declaration: &Declaration) -> Option<Value> {
    let mut attributes = valid(declaration);
    let changes = match declaration.name {
        "bandwidth_limit_rule"
        | "minimum_bandwidth_rule"
        | "minimum_packet_rate_rule"
        | "packet_rate_limit_rule" => json!({"direction": "ingress"}),
        "conntrack_helper" => json!({"port": 70}),
        "default_security_group_rule" | "security_group_rule" => json!({"port_range_max": 3}),
        "metering_label_rule" => json!({"remote_ip_prefix": "10.1.0.0/16"}),
        "network_segment_range" => json!({"minimum": 6000, "maximum": 6010}),
        "rbac_policy" => json!({"target_tenant": "another"}),
        "subnet" => json!({"cidr": "10.10.0.0/24"}),
        "subnetpool" => json!({"prefixes": ["10.7.0.0/16"]}),
        "binding" | "dscp_marking_rule" | "trunk" => return None,
        "gateway_port_forwarding" | "port_forwarding" => {
            json!({"external_port": 4001, "internal_port": 81})
        }
        _ => json!({}),
    };
    attributes.as_object_mut().unwrap().append(&mut changes.as_object().unwrap().clone());
    Some(attributes)
}

pub(crate) struct Surface {
    pub(crate) cloud: Cloud,
    pub(crate) site: Site,
    floating_ip: Value,
    policy: Value,
    metering_label: Value,
}

impl Surface {
    pub(crate) async fn new(on: Backend) -> Self {
        let cloud = Cloud::on(on).await;
        cloud.agents_appear().await;
        let site = cloud.site().await;
        let floating_ip = cloud
            .create(
                "alice",
                "floatingips",
                "floatingip",
                json!({
                "floating_network_id": site.external["id"]}),
            )
            .await;
        let policy = cloud.create("alice", "qos/policies", "policy", json!({})).await;
        let metering_label =
            cloud.create("admin", "metering/metering-labels", "metering_label", json!({})).await;
        Self { cloud, site, floating_ip, policy, metering_label }
    }

    pub(crate) fn path(&self, declaration: &Declaration) -> String {
        let parent = match &declaration.parent {
            None => "",
            Some(parent) => match (parent.declaration)().name {
                "port" => text(&self.site.port["id"]),
                "router" => text(&self.site.router["id"]),
                "floatingip" => text(&self.floating_ip["id"]),
                "policy" => text(&self.policy["id"]),
                other => panic!("no {other} in the fixture: add one"),
            },
        };
        declaration.url(parent)
    }

    /// With ids in the place of their names.
    pub(crate) async fn filled(&self, own: &Value, body: &Value) -> Vec<u8> {
        let group = self.cloud.get("alice", "/v2.0/security-groups?fields=id").await;
        let site = &self.site;
        let mut text = body.to_string();
        for (name, value) in [
            ("{network}", &site.network["id"]),
            ("{subnet}", &site.subnet["id"]),
            ("{router}", &site.router["id"]),
            ("{port}", &site.port["id"]),
            ("{address}", &site.port["fixed_ips"][0]["ip_address"]),
            ("{mac}", &site.port["mac_address"]),
            ("{external}", &site.external["id"]),
            ("{group}", &group.body["security_groups"][0]["id"]),
            ("{label}", &self.metering_label["id"]),
            ("{own}", &own["id"]),
        ] {
            text = text.replace(name, value.as_str().unwrap_or_default());
        }
        text.into_bytes()
    }
}

async fn without_credentials_every_route_answers_401_in_keystones_form(on: Backend) {
    let surface = Surface::new(on).await;
    for declaration in declarations() {
        let path = surface.path(declaration);
        for (method, path) in [
            ("GET", path.clone()),
            ("POST", path.clone()),
            ("GET", format!("{path}/x")),
            ("PUT", format!("{path}/x")),
            ("DELETE", format!("{path}/x")),
        ] {
            let there = match method {
                "POST" => declaration.verbs.create,
                "PUT" => declaration.verbs.update,
                "DELETE" => declaration.verbs.delete,
                _ => true,
            };
            if !there {
                continue;
            }
            let answer = surface.cloud.raw("nobody", method, &path, b"{}".to_vec()).await;
            assert_eq!(
                (answer.status, &answer.body["error"]["code"]),
                (401, &json!(401)),
                "{method} {path}"
            );
        }
    }
}

async fn an_unknown_id_is_404_with_the_class_in_the_type(on: Backend) {
    let surface = Surface::new(on).await;
    for declaration in declarations() {
        let path = surface.path(declaration);
        for id in ["00000000-0000-0000-0000-00000000dead", "not-an-id", "%00", "%F0%9F%92%A9"] {
            for (method, body) in [
                ("GET", String::new()),
                ("PUT", json!({ declaration.name: {} }).to_string()),
                ("DELETE", String::new()),
            ] {
                let path = format!("{path}/{id}");
                let answer = surface.cloud.raw("alice", method, &path, body.into_bytes()).await;
                match method {
                    "PUT" if !declaration.verbs.update => assert_eq!(answer.status, 405, "{path}"),
                    "DELETE" if !declaration.verbs.delete => {
                        assert_eq!(answer.status, 405, "{path}");
                    }
                    _ => answer.refused(404, &format!("{}NotFound", declaration.class)),
                }
            }
        }
    }
}

async fn every_wrong_body_is_400_with_neutrons_text(on: Backend) {
    let surface = Surface::new(on).await;
    for declaration in declarations().into_iter().filter(|d| is_created(d)) {
        let path = surface.path(declaration);
        let name = declaration.name;
        let wrong_key = format!("Unable to find '{name}' in request body");
        let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        for (body, message) in [
            (String::new(), "Resource body required"),
            ("{".to_owned(), "Body contains invalid data"),
            ("[]".to_owned(), "Body contains invalid data"),
            (deep, "Body contains invalid data"),
            ("{}".to_owned(), &*wrong_key),
            (json!({ name: [] }).to_string(), "Body contains invalid data"),
            (json!({ declaration.collection: {} }).to_string(), "Body contains invalid data"),
            (json!({ declaration.collection: [] }).to_string(), "Resources required"),
            (json!({ name: {"no_such": 1} }).to_string(), "Unrecognized attribute(s) 'no_such'"),
        ] {
            let answer = surface.cloud.raw("admin", "POST", &path, body.into_bytes()).await;
            answer.refused(400, "HTTPBadRequest");
            assert_eq!(answer.message(), message, "POST {path}");
        }
    }
}

async fn a_value_of_the_wrong_kind_is_400_and_names_the_attribute(on: Backend) {
    let surface = Surface::new(on).await;
    for declaration in declarations() {
        let path = surface.path(declaration);
        for attribute in declaration.all().filter(|a| !a.internal) {
            for value in
                [json!({"a": {"b": 1}}), json!([1, {"x": []}]), json!("\u{0}"), json!(1e300)]
            {
                if (attribute.check)(&value).is_ok() {
                    continue;
                }
                let body = json!({ declaration.name: { attribute.name: value } });
                let answer = surface.cloud.post("admin", &path, &body).await;
                assert!(
                    (400..500).contains(&answer.status),
                    "POST {path} {body}: {} {}",
                    answer.status,
                    answer.body
                );
            }
        }
    }
}

async fn every_declared_filter_and_sort_key_works_and_no_other_does(on: Backend) {
    let surface = Surface::new(on).await;
    for declaration in declarations() {
        let path = surface.path(declaration);
        for attribute in declaration.all().filter(|a| !a.internal) {
            for value in ["", "x", "1", "true", "%27%3B--", "00000000-0000-0000-0000-000000000000"]
            {
                let answer =
                    surface.cloud.get("admin", &format!("{path}?{}={value}", attribute.name)).await;
                let special = attribute.name == "fixed_ips";
                let expected = if attribute.filter { 200 } else { 400 };
                assert!(
                    answer.status == expected || special,
                    "{path} {} {}",
                    attribute.name,
                    answer.body
                );
            }
            let by = format!("{path}?sort_key={}&sort_dir=desc", attribute.name);
            let expected = if attribute.sort { 200 } else { 400 };
            assert_eq!(surface.cloud.get("admin", &by).await.status, expected, "{by}");
        }
        surface
            .cloud
            .get("admin", &format!("{path}?no_such=1"))
            .await
            .refused(400, "HTTPBadRequest");
        surface
            .cloud
            .get("admin", &format!("{path}?sort_key=no_such&sort_dir=asc"))
            .await
            .refused(400, "HTTPBadRequest");
    }
}

async fn absurd_limits_and_markers_are_refused_or_harmless(on: Backend) {
    let surface = Surface::new(on).await;
    for declaration in declarations() {
        let path = surface.path(declaration);
        for (query, status) in [
            ("limit=-1", 400),
            ("limit=x", 400),
            ("limit=1.5", 400),
            ("limit=0", 200),
            ("limit=1000000000000", 200),
            ("limit=1&marker=nothing", 404),
            ("sort_key=id&sort_key=id&sort_dir=asc", 400),
            ("sort_key=id&sort_dir=up", 400),
            ("fields=no_such", 200),
            ("tenant_id=a&project_id=b", 400),
        ] {
            let answer = surface.cloud.get("admin", &format!("{path}?{query}")).await;
            assert_eq!(answer.status, status, "{path}?{query}: {}", answer.body);
        }
        let many = "fields=id&".repeat(3000);
        let answer = surface.cloud.get("admin", &format!("{path}?{many}")).await;
        assert!([400, 414].contains(&answer.status));
    }
}

async fn a_put_of_a_read_only_attribute_is_400(on: Backend) {
    let surface = Surface::new(on).await;
    let network = format!("/v2.0/networks/{}", text(&surface.site.network["id"]));
    for attribute in ["id", "status", "subnets", "project_id", "tenant_id", "created_at"] {
        let body = json!({"network": { attribute: "x" }});
        let answer = surface.cloud.put("alice", &network, &body).await;
        answer.refused(400, "HTTPBadRequest");
        assert!(
            answer.message().starts_with("Cannot update read-only attribute"),
            "{}",
            answer.message()
        );
    }
}

async fn a_put_of_what_another_object_has_is_taken_or_refused(on: Backend) {
    let surface = Surface::new(on).await;
    let own = surface.cloud.create("alice", "networks", "network", json!({})).await;
    for declaration in declarations().into_iter().filter(|d| is_created(d) && d.verbs.update) {
        let Some(different) = different(declaration) else { continue };
        let (path, name) = (surface.path(declaration), declaration.name);
        let make = async |attributes: Value| {
            let body = surface.filled(&own, &json!({ name: attributes })).await;
            surface.cloud.raw("admin", "POST", &path, body).await.expect(201)[name].take()
        };
        let one = make(valid(declaration)).await;
        let other = make(different).await;
        let member = format!("{path}/{}", text(&one[declaration.key]));
        for attribute in declaration.all().filter(|attribute| attribute.update) {
            let body = json!({ name: { attribute.name: other[attribute.name] } });
            let answer = surface.cloud.put("admin", &member, &body).await;
            let told = format!("PUT {member} {body}: {} {}", answer.status, answer.body);
            assert!([200, 400, 404, 409].contains(&answer.status), "{told}");
        }
    }
}

async fn an_unknown_url_is_404_and_a_wrong_method_405(on: Backend) {
    let surface = Surface::new(on).await;
    let cloud = &surface.cloud;
    cloud.get("alice", "/v2.0/no_such").await.refused(404, "HTTPNotFound");
    cloud.get("alice", "/v3").await.refused(404, "HTTPNotFound");
    assert_eq!(cloud.raw("alice", "PATCH", "/v2.0/networks", Vec::new()).await.status, 405);
    assert_eq!(cloud.raw("alice", "PUT", "/v2.0/networks", Vec::new()).await.status, 405);
    let versions = cloud.send(request("nobody", "GET", "/").body(Body::empty()).unwrap()).await;
    assert_eq!(
        versions.body["versions"][0],
        json!({"id": "v2.0", "status": "CURRENT",
               "links": [{"href": "http://api.example:9696/v2.0/", "rel": "self"}]})
    );
}
