//! Objects of every declared resource, for the first project, for another one, and of the other one
//! but shared. A resource that this does not know how to make fails the tests.

use std::collections::BTreeMap;

use axum::body::Body;
use navigator_bus::ControlPlane as _;
use navigator_resources::{Declaration, Rules, Visitor, visit_all};
use navigator_testkit::keystone::Cloud as Keystone;
use serde_json::{Value, json};

use super::{
    people::{Facts, People, Person, Share},
    published::Table,
};
use crate::{
    agents::beat,
    cloud::{Answer, Backend, Cloud, request, text},
    every_resource,
};

pub(super) const NOBODYS_ID: &str = "00000000-0000-4000-8000-00000000dead";
/// The tag that every object with tags has.
pub(super) const TAG: &str = "kept";

/// The sites that have one of everything, beside the external one and the guest.
pub(super) const WHOLE: std::ops::Range<usize> = 1..GUEST;
/// The site of a project that shares nothing.
pub(super) const FOREIGN: usize = 2;
/// Has only a port, on another project's network.
const GUEST: usize = 5;

/// A declared resource as routes and rules know it.
pub(super) struct Kind {
    pub(super) declaration: &'static Declaration,
    /// As rules call it.
    pub(super) name: String,
    pub(super) actions: Vec<&'static str>,
}

impl Kind {
    pub(super) fn all() -> Vec<Self> {
        struct Collect(Vec<Kind>);
        impl Visitor for Collect {
            fn visit<R: Rules>(&mut self) {
                let declaration = R::declaration();
                let actions = R::actions().iter().map(|action| action.name).collect();
                self.0.push(Kind { declaration, name: declaration.policy_name(), actions });
            }
        }
        let mut collect = Collect(Vec::new());
        visit_all(&mut collect);
        collect.0
    }

    pub(super) fn parent(&self) -> Option<String> {
        self.declaration.parent.as_ref().map(|parent| (parent.declaration)().policy_name())
    }

    /// Whether `If-Match` stops what would change one.
    pub(super) fn has_revisions(&self) -> bool {
        self.declaration.attribute("revision_number").is_some()
    }

    pub(super) fn is_created(&self) -> bool {
        every_resource::is_created(self.declaration)
    }
}

/// One of each resource, with one owner.
pub(super) struct Site {
    pub(super) label: &'static str,
    pub(super) facts: Facts,
    maker: String,
    /// Keys by kind.
    pub(super) objects: BTreeMap<String, String>,
    /// A second one of each parent, without children.
    pub(super) twins: BTreeMap<String, String>,
    address: String,
}

/// Its own host.
fn host(site: &Site) -> String {
    format!("{}-1", site.label)
}

pub(super) struct World {
    pub(super) cloud: Cloud,
    _keystone: Keystone,
    pub(super) people: People,
    pub(super) kinds: Vec<Kind>,
    pub(super) table: Table,
    pub(super) sites: Vec<Site>,
    made: usize,
}

impl World {
    pub(super) async fn new(on: Backend) -> Self {
        let keystone = Keystone::fake();
        let people = People::of(&keystone);
        let service = keystone.account(&["service"]);
        let config = crate::keystone::config(&keystone, &service, 10);
        let identity = navigator_api::Identity::keystone(&config).unwrap();
        let cloud = Cloud::asking(on, identity).await;
        let mut world = Self {
            cloud,
            _keystone: keystone,
            people,
            kinds: Kind::all(),
            table: Table::whole(),
            sites: Vec::new(),
            made: 0,
        };
        world.furnish().await;
        world
    }

    async fn furnish(&mut self) {
        let (own, third) = (self.people.own.clone(), self.people.third.clone());
        let unlimited = json!({"quota": {"network": -1, "subnet": -1, "port": -1, "router": -1,
            "floatingip": -1, "security_group": -1, "security_group_rule": -1, "rbac_policy": -1}});
        for person in &self.people.all {
            let Some(project) = &person.project else { continue };
            let path = format!("/v2.0/quotas/{project}");
            self.ask("admin", "PUT", &path, &unlimited).await.expect(200);
        }
        let site = |label, owner: &str, maker: &str, share, external| Site {
            label,
            facts: Facts { share, external, ..Facts::of(Some(owner)) },
            maker: maker.to_owned(),
            objects: BTreeMap::new(),
            twins: BTreeMap::new(),
            address: String::new(),
        };
        let guest = Facts { around: Some(third.clone()), ..Facts::of(Some(&own)) };
        let cloud_project = self.people.called("admin").project.clone().unwrap();
        self.sites = vec![
            site("external", &cloud_project, "admin", Share::Nobody, true),
            site("own", &own, "manager", Share::Nobody, false),
            site("foreign", &third, "third manager", Share::Nobody, false),
            site("granted", &third, "third manager", Share::With(own.clone()), false),
            site("public", &third, "third manager", Share::Everybody, false),
            site("guest", &own, "manager", Share::Everybody, false),
        ];
        self.sites[GUEST].facts = Facts { share: Share::Everybody, ..guest };
        for site in &self.sites {
            self.cloud.plane.heartbeat(beat(&host(site), "198.51.100.1")).await.unwrap();
        }
        self.make_external().await;
        for index in WHOLE {
            for kind in 0..self.kinds.len() {
                self.make(index, kind).await;
            }
            self.share(index).await;
        }
        let body = json!({"port": {"network_id": self.sites[GUEST - 1].objects["network"]}});
        let port = self.post("manager", "/v2.0/ports", &body, "port").await;
        let id = text(&port["id"]).to_owned();
        let tag = format!("/v2.0/ports/{id}/tags/{TAG}");
        assert_eq!(self.ask("admin", "PUT", &tag, &Value::Null).await.status, 201);
        self.sites[GUEST].objects.insert("port".to_owned(), id);
        self.make_twins().await;
    }

    async fn make_twins(&mut self) {
        for kind in 0..self.kinds.len() {
            let name = self.kinds[kind].name.clone();
            if self.kinds.iter().any(|child| child.parent().as_ref() == Some(&name)) {
                let first = self.sites[1].objects[&name].clone();
                self.make(1, kind).await;
                let twin = self.sites[1].objects.insert(name.clone(), first).unwrap();
                self.sites[1].twins.insert(name, twin);
            }
        }
    }

    async fn make_external(&mut self) {
        let body = json!({"network": {"router:external": true,
            "provider:network_type": "flat", "provider:physical_network": "external"}});
        let network = self.post("admin", "/v2.0/networks", &body, "network").await;
        let body = json!({"subnet": {"network_id": network["id"], "ip_version": 4,
            "cidr": "203.0.112.0/22", "enable_dhcp": false}});
        let subnet = self.post("admin", "/v2.0/subnets", &body, "subnet").await;
        for (name, object) in [("network", network), ("subnet", subnet)] {
            let (id, path) = (text(&object["id"]).to_owned(), format!("/v2.0/{name}s"));
            let tags = format!("{path}/{id}/tags/{TAG}");
            assert_eq!(self.ask("admin", "PUT", &tags, &Value::Null).await.status, 201);
            self.sites[0].objects.insert(name.to_owned(), id);
        }
    }

    async fn share(&self, site: usize) {
        let site = &self.sites[site];
        let target = match &site.facts.share {
            Share::Nobody => return,
            Share::With(project) => project.as_str(),
            Share::Everybody => "*",
        };
        for kind in &self.kinds {
            let Some(object_type) = kind.declaration.rbac else { continue };
            let body = json!({"rbac_policy": {"object_type": object_type,
                "object_id": site.objects[&kind.name], "action": "access_as_shared",
                "target_tenant": target}});
            self.post("admin", "/v2.0/rbac-policies", &body, "rbac_policy").await;
        }
    }

    /// Makes one of this kind, or makes it again, as the site's owner or else as administrator.
    pub(super) async fn make(&mut self, site: usize, kind: usize) {
        self.made += 1;
        let (declaration, name) = (self.kinds[kind].declaration, self.kinds[kind].name.clone());
        let key = if self.kinds[kind].is_created() {
            let body = self.body(site, &name, self.made).await;
            let maker = self.people.called(&self.sites[site].maker);
            let rule = format!("create_{name}");
            let may = self.table.allows(&rule, &|word| maker.holds(word, &self.sites[site].facts));
            let maker = if may { self.sites[site].maker.clone() } else { "admin".to_owned() };
            let path = self.collection(declaration, site);
            let made = self.post(&maker, &path, &body, declaration.name).await;
            if name == "port" {
                let address = text(&made["fixed_ips"][0]["ip_address"]);
                address.clone_into(&mut self.sites[site].address);
            }
            text(&made[declaration.key]).to_owned()
        } else {
            assert_eq!(name, "agent", "how is one of these made?");
            let host = host(&self.sites[site]);
            self.cloud.plane.heartbeat(beat(&host, "198.51.100.1")).await.unwrap();
            let path = format!("/v2.0/agents?host={host}&agent_type=L3%20agent");
            let listed = self.ask("admin", "GET", &path, &Value::Null).await.expect(200);
            text(&listed["agents"][0]["id"]).to_owned()
        };
        self.after(site, declaration, &name, &key).await;
        self.sites[site].objects.insert(name, key);
    }

    /// Makes what a DELETE took, and what went with it.
    pub(super) async fn make_again(&mut self, site: usize, kind: usize) {
        self.make(site, kind).await;
        for other in 0..self.kinds.len() {
            let (declaration, name) = (self.kinds[other].declaration, &self.kinds[other].name);
            let Some(key) = self.sites[site].objects.get(name) else { continue };
            let path = format!("{}/{key}", self.collection(declaration, site));
            if self.ask("admin", "GET", &path, &Value::Null).await.status == 404 {
                self.make(site, other).await;
            }
        }
    }

    async fn after(&self, site: usize, declaration: &Declaration, name: &str, key: &str) {
        let member = format!("{}/{key}", self.collection(declaration, site));
        if name == "router" && !self.sites[site].objects.contains_key(name) {
            let body = json!({"subnet_id": self.sites[site].objects["subnet"]});
            let path = format!("{member}/add_router_interface");
            self.ask(&self.sites[site].maker, "PUT", &path, &body).await.expect(200);
        }
        if declaration.tags {
            let path = format!("{member}/tags/{TAG}");
            assert_eq!(self.ask("admin", "PUT", &path, &Value::Null).await.status, 201, "{path}");
        }
    }

    /// Of this kind in this site.
    pub(super) fn collection(&self, declaration: &Declaration, site: usize) -> String {
        let parent = declaration.parent.as_ref().map(|parent| (parent.declaration)().policy_name());
        let parent = parent.map(|name| self.sites[site].objects[&name].as_str());
        declaration.url(parent.unwrap_or_default())
    }

    /// What rules see of the site's object of this kind.
    pub(super) fn facts(&self, site: usize, kind: &Kind) -> Facts {
        let facts = self.sites[site].facts.clone();
        match kind.name.as_str() {
            "port" if site != GUEST => Facts { device: "compute".to_owned(), ..facts },
            _ => facts,
        }
    }

    /// A POST of one of these that hangs on the site's other objects.
    pub(super) async fn body(&self, site: usize, name: &str, nth: usize) -> Value {
        let of = |name: &str| self.sites[site].objects.get(name).cloned().unwrap_or_default();
        let forward = |external: usize| {
            json!({"protocol": "tcp", "external_port": external, "internal_port": external,
                "internal_port_id": of("port"), "internal_ip_address": self.sites[site].address})
        };
        let mut body = match name {
            "network" | "security_group" | "policy" | "metering_label" | "router" => {
                json!({"name": format!("n{nth}")})
            }
            "address_scope" => json!({"name": "s", "ip_version": 4}),
            "address_group" => json!({"name": "a", "addresses": ["192.0.2.0/24"]}),
            "subnetpool" => json!({"name": "p", "prefixes": ["10.0.0.0/8"]}),
            "subnet" => {
                let cidr = format!("10.{}.{}.0/24", nth / 250, nth % 250);
                json!({"network_id": of("network"), "ip_version": 4, "cidr": cidr})
            }
            "security_group_rule" => json!({"security_group_id": of("security_group"),
                "direction": "ingress", "protocol": "tcp",
                "port_range_min": nth, "port_range_max": nth}),
            "default_security_group_rule" => json!({"direction": "ingress", "protocol": "tcp",
                "port_range_min": nth, "port_range_max": nth}),
            "port" => json!({"network_id": of("network"), "device_owner": "compute:nova"}),
            "port_binding" => json!({"host": host(&self.sites[site]), "vnic_type": "normal"}),
            "floatingip" => json!({"floating_network_id": self.sites[0].objects["network"]}),
            "floatingip_port_forwarding" | "router_gateway_port_forwarding" => forward(nth),
            "router_conntrack_helper" => json!({"protocol": "udp", "port": nth, "helper": "tftp"}),
            "log" => json!({"resource_type": "security_group",
                "resource_id": of("security_group")}),
            "metering_label_rule" => json!({"metering_label_id": of("metering_label"),
                "direction": "ingress", "remote_ip_prefix": format!("10.{}.{}.0/24", nth / 250, nth % 250)}),
            "forward" => forward(20_000 + nth),
            "segment" => json!({"network_id": of("network"), "network_type": "vxlan",
                "segmentation_id": 50_000 + nth}),
            "network_segment_range" => json!({"name": format!("r{nth}"), "network_type": "vxlan",
                "minimum": 100_000 + nth * 10, "maximum": 100_005 + nth * 10}),
            "trunk" => {
                let body = json!({"port": {"network_id": of("network")}});
                let maker = &self.sites[site].maker;
                json!({"port_id": self.post(maker, "/v2.0/ports", &body, "port").await["id"]})
            }
            "service_profile" => json!({"driver": "", "metainfo": {"n": nth}}),
            "flavor" => json!({"name": format!("f{nth}"), "service_type": "L3_ROUTER_NAT"}),
            "rbac_policy" => json!({"object_type": "address_scope",
                "object_id": of("address_scope"), "action": "access_as_shared",
                "target_tenant": format!("{nth:032}")}),
            "policy_bandwidth_limit_rule" => json!({"max_kbps": 1000}),
            "policy_dscp_marking_rule" => json!({"dscp_mark": 8}),
            "policy_minimum_bandwidth_rule" => json!({"min_kbps": 10}),
            "policy_packet_rate_limit_rule" => json!({"max_kpps": 1000}),
            "policy_minimum_packet_rate_rule" => json!({"min_kpps": 10, "direction": "any"}),
            other => panic!("how is a {other} made? say it here"),
        };
        match name {
            "router" => {
                let network_id = &self.sites[0].objects["network"];
                body["external_gateway_info"] = json!({ "network_id": network_id });
            }
            "forward" => {
                body["kind"] = json!("gateway");
                body["router_id"] = json!(of("router"));
            }
            _ => {}
        }
        let kind = self.kinds.iter().find(|kind| kind.name == name).expect("a kind");
        json!({ kind.declaration.name: body })
    }

    pub(super) async fn post(&self, who: &str, path: &str, body: &Value, name: &str) -> Value {
        let answer = self.ask(who, "POST", path, body).await;
        assert_eq!(answer.status, 201, "{who} POST {path} {body}: {}", answer.body);
        answer.body[name].clone()
    }

    pub(super) async fn ask(&self, who: &str, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_as(self.people.called(who), method, path, body, false).await
    }

    /// `unchanged`: only at a revision that no object is at.
    pub(super) async fn ask_as(
        &self,
        who: &Person,
        method: &str,
        path: &str,
        body: &Value,
        unchanged: bool,
    ) -> Answer {
        let mut request = request("nobody", method, path);
        if let Some(token) = &who.token {
            request = request.header("x-auth-token", token);
        }
        if unchanged {
            request = request.header("if-match", "revision_number=987654");
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.cloud.send(request.body(Body::from(body)).unwrap()).await
    }
}
