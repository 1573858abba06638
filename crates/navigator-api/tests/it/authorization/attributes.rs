//! T31 on the wire: every rule that has an attribute's name, for everybody, on objects of their own,
//! of others, shared ones and ports on another's network. A rule whose attribute this has no value for
//! fails the test.

use std::collections::BTreeSet;

use navigator_resources::{Attribute, Declaration, OnCreate};
use serde_json::{Value, json};

use super::{
    matrix::{Expected, Matrix},
    world::{Kind, NOBODYS_ID, WHOLE},
};
use crate::cloud::text;

/// Rules of attributes that Navigator does not have, or that are not to be said there: a request
/// that does is refused with 400.
const UNKNOWN: &[&str] = &[
    "create_floatingip:router_id",
    "create_network:pvlan",
    "create_port:hints",
    "create_port:pvlan_community",
    "create_port:pvlan_type",
    "create_port:trusted",
    "create_rbac_policy:target_project",
    "create_router:enable_default_route_bfd",
    "create_router:enable_default_route_ecmp",
    "create_router:evpn_vni",
    "get_network:pvlan",
    "get_port:hints",
    "get_port:pvlan_community",
    "get_port:pvlan_type",
    "get_port:trusted",
    "get_router:evpn_vni",
    "update_floatingip:router_id",
    "update_network:provider:network_type",
    "update_network:provider:physical_network",
    "update_network:provider:segmentation_id",
    "update_network:pvlan",
    "update_network:segments",
    "update_port:hints",
    "update_port:pvlan_community",
    "update_port:pvlan_type",
    "update_port:trusted",
    "update_rbac_policy:target_project",
    "update_router:enable_default_route_bfd",
    "update_router:enable_default_route_ecmp",
    "update_subnet:leak_routes",
];

struct AttributeRule {
    verb: &'static str,
    kind: usize,
    /// `fixed_ips:ip_address`
    path: String,
}

fn rules(matrix: &Matrix) -> (Vec<AttributeRule>, BTreeSet<String>) {
    let (mut rules, mut unknown) = (Vec::new(), BTreeSet::new());
    for name in matrix.world.table.0.keys() {
        for verb in ["create", "update", "get"] {
            let Some(rest) = name.strip_prefix(&format!("{verb}_")) else { continue };
            let Some((resource, path)) = rest.split_once(':') else { continue };
            let kind = matrix.world.kinds.iter().position(|kind| kind.name == resource);
            let Some(kind) = kind.filter(|_| path != "tags") else { continue };
            match attribute(matrix.world.kinds[kind].declaration, path) {
                Some(a) if sayable(a, verb) => {
                    rules.push(AttributeRule { verb, kind, path: path.to_owned() })
                }
                _ => drop(unknown.insert(name.clone())),
            }
        }
    }
    (rules, unknown)
}

fn attribute<'a>(declaration: &'static Declaration, path: &'a str) -> Option<&'static Attribute> {
    let part = |(attribute, _): (&'a str, &'a str)| declaration.attribute(attribute);
    declaration.attribute(path).or_else(|| path.rsplit_once(':').and_then(part))
}

/// Whether a request of this verb may name it at all; a GET shows it.
fn sayable(attribute: &Attribute, verb: &str) -> bool {
    match verb {
        "create" => !matches!(attribute.on_create, OnCreate::Refused),
        "update" => attribute.update,
        _ => true,
    }
}

impl Matrix {
    /// What a request says to fall under the rule and under as few others as can be.
    fn said(&self, kind: &Kind, path: &str, site: usize) -> Value {
        let objects = &self.world.sites[site].objects;
        let of = |name: &str| objects.get(name).map_or(NOBODYS_ID, String::as_str);
        let external = &self.world.sites[0].objects["network"];
        let gateway = |more: &Value| {
            let mut gateway = json!({ "network_id": external });
            gateway.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            json!({ "external_gateway_info": gateway })
        };
        match (kind.name.as_str(), path) {
            (_, "shared" | "is_default" | "router:external" | "distributed" | "ha") => {
                json!({ path: true })
            }
            (_, "port_security_enabled") => json!({ path: false }),
            (_, "provider:network_type") => json!({ path: "vxlan" }),
            (_, "provider:physical_network") => json!({ path: "external" }),
            (_, "provider:segmentation_id") => json!({ path: 4001 }),
            ("network", "segments") => json!({ path: [{"provider:network_type": "vxlan"}] }),
            ("subnet", "segment_id") => json!({ path: of("segment") }),
            ("subnet", "service_types") => json!({ path: ["compute:nova"] }),
            ("port", "device_id") => json!({ path: "some" }),
            ("port", "device_owner") => json!({ path: "network:dhcp" }),
            ("port", "mac_address") => json!({ path: "02:00:00:00:00:01" }),
            ("port", "fixed_ips" | "allowed_address_pairs") => json!({ path: [] }),
            ("port", "fixed_ips:ip_address") => json!({"fixed_ips": [{"ip_address": "10.0.0.77"}]}),
            ("port", "fixed_ips:subnet_id") => json!({"fixed_ips": [{"subnet_id": of("subnet")}]}),
            ("port", "allowed_address_pairs:ip_address") => {
                json!({"allowed_address_pairs": [{"ip_address": "10.0.0.78"}]})
            }
            ("port", "allowed_address_pairs:mac_address") => json!({"allowed_address_pairs":
                [{"ip_address": "10.0.0.78", "mac_address": "02:00:00:00:00:02"}]}),
            ("port", "binding:host_id") => json!({ path: "own-1" }),
            ("port", "binding:profile") => json!({ path: {"a": 1} }),
            ("port", "binding:vnic_type") => json!({ path: "macvtap" }),
            ("port", "data_plane_status") => json!({ path: "ACTIVE" }),
            ("router", "external_gateway_info" | "external_gateway_info:network_id") => {
                gateway(&json!({}))
            }
            ("router", "external_gateway_info:enable_snat") => {
                gateway(&json!({"enable_snat": true}))
            }
            ("router", "external_gateway_info:external_fixed_ips") => {
                gateway(&json!({"external_fixed_ips": [{"ip_address": "203.0.113.9"}]}))
            }
            ("router", "configurations") => json!({ path: {"preferred_agent": "own-1"} }),
            ("floatingip", "floating_ip_address") => json!({ path: "203.0.113.77" }),
            ("rbac_policy", "target_tenant") => json!({ path: "*" }),
            (kind, path) => panic!("what is said of {path} of a {kind}?"),
        }
    }

    /// What one must say, with `more`.
    async fn posted(&self, kind: &Kind, site: usize, more: &Value) -> Value {
        let mut body = self.world.body(site, &kind.name, 1000 + self.cells % 18_000).await;
        let own = body[kind.declaration.name].as_object_mut().unwrap();
        // Only what is asked about.
        own.remove("external_gateway_info");
        own.remove("device_owner");
        own.extend(more.as_object().unwrap().clone());
        body
    }

    async fn create_with(&mut self, who: usize, rule: &AttributeRule, site: usize) {
        let kind = &self.world.kinds[rule.kind];
        let body = self.posted(kind, site, &self.said(kind, &rule.path, site)).await;
        let path = self.world.collection(kind.declaration, site);
        let expected = self.creation(who, rule.kind, site, &body);
        let answer = self.ask(who, "POST", &path, &body).await;
        let label = self.world.sites[site].label;
        let cell = format!("{} POST {path} {body} ({label})", self.person(who).name);
        let made = &answer.body[kind.declaration.name][kind.declaration.key];
        let made = (answer.status == 201).then(|| format!("{path}/{}", text(made)));
        self.note(&cell, expected, &answer);
        if let Some(path) = made {
            let gone = self.world.ask("admin", "DELETE", &path, &Value::Null).await;
            assert_eq!(gone.status, 204, "{path}: {}", gone.body);
        }
    }

    async fn update_with(&mut self, who: usize, rule: &AttributeRule, site: usize) {
        let kind = &self.world.kinds[rule.kind];
        let said = self.said(kind, &rule.path, site);
        let name = format!("update_{}", kind.name);
        let facts = self.world.facts(site, kind);
        let expected = self.if_asked(who, || {
            if !self.sees(who, rule.kind, site) {
                Expected::NotFound
            } else if self.allows(who, &name, &facts)
                && self.permits(who, &name, &[], &facts.clone().with(&said), &said)
            {
                if kind.has_revisions() { Expected::Exactly(412) } else { Expected::Through }
            } else {
                Expected::Forbidden
            }
        });
        let path = format!(
            "{}/{}",
            self.world.collection(kind.declaration, site),
            self.key(site, rule.kind)
        );
        let body = json!({ kind.declaration.name: said });
        let answer = self.ask(who, "PUT", &path, &body).await;
        let label = self.world.sites[site].label;
        let cell = format!("{} PUT {path} {body} ({label})", self.person(who).name);
        self.note(&cell, expected, &answer);
    }

    async fn show(&mut self, who: usize, rule: &AttributeRule, site: usize) {
        if !self.sees(who, rule.kind, site) || self.person(who).project.is_none() {
            return;
        }
        let kind = &self.world.kinds[rule.kind];
        let name = format!("get_{}:{}", kind.name, rule.path);
        let shown = self.allows(who, &name, &self.world.facts(site, kind));
        let path = format!(
            "{}/{}",
            self.world.collection(kind.declaration, site),
            self.key(site, rule.kind)
        );
        let answer = self.ask(who, "GET", &path, &Value::Null).await;
        let object = &answer.body[kind.declaration.name];
        // A network of several segments shows them in the place of what it has of one.
        let place = match (rule.path.as_str(), object.get("segments")) {
            ("segments", None) => "provider:network_type",
            (path, Some(_)) if path.starts_with("provider:") => "segments",
            (path, _) => path,
        };
        let there = object.get(place).is_some();
        let cell = format!("{} GET {path} {}", self.person(who).name, rule.path);
        self.check(&cell, there == shown, &format!("shown: {there}"));
    }

    pub(super) async fn run_attributes(mut self) {
        let (rules, unknown) = rules(&self);
        assert_eq!(unknown.iter().map(String::as_str).collect::<Vec<_>>(), UNKNOWN);
        for rule in &rules {
            for who in 0..self.world.people.all.len() {
                for site in 0..self.world.sites.len() {
                    let there = self.has(site, rule.kind);
                    match rule.verb {
                        "create" if WHOLE.contains(&site) => {
                            self.create_with(who, rule, site).await
                        }
                        "update" if there => self.update_with(who, rule, site).await,
                        "get" if there => self.show(who, rule, site).await,
                        _ => {}
                    }
                }
            }
        }
        println!(
            "T31: {} rules of attributes, {} cells, {} mismatches",
            rules.len(),
            self.cells,
            self.wrong.len()
        );
        assert!(self.wrong.is_empty(), "{}", self.wrong.join("\n"));
    }
}
