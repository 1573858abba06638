//! Who may do what with whose objects, as the published default rules have it: every verb of the
//! resources below, asked by everybody. The table says it in its own words; it does not use the
//! rules that the server uses.

use std::{collections::HashMap, fmt::Write as _};

use axum::body::Body;
use navigator_api::Identity;
use serde_json::{Value, json};

use crate::cloud::{Answer, Backend, Cloud, request, text};

on_both! {
    every_verb_is_answered_as_the_published_rules_have_it,
    a_foreign_object_is_answered_exactly_as_one_that_does_not_exist,
    an_attribute_is_refused_to_those_whom_its_rule_leaves_out,
}

const OWN: &str = "11111111111111111111111111111111";
const OTHER: &str = "22222222222222222222222222222222";
const CLOUD: &str = "33333333333333333333333333333333";
const NOBODYS_ID: &str = "00000000-0000-4000-8000-00000000dead";

/// A letter in the table, the user, their role and project.
const PEOPLE: &[(char, &str, &str, &str)] = &[
    ('r', "reader", "reader", OWN),
    ('m', "member", "member", OWN),
    ('g', "manager", "manager", OWN),
    ('a', "root", "admin", CLOUD),
    ('s', "service", "service", CLOUD),
    ('M', "stranger", "member", OTHER),
    ('R', "onlooker", "reader", OTHER),
    ('x', "roleless", "auditor", OWN),
];

/// Of an object of the first project: who sees it, who may change it, who may delete it, and who may
/// make one like it.
struct Row {
    collection: &'static str,
    name: &'static str,
    get: &'static str,
    put: &'static str,
    delete: &'static str,
    post: &'static str,
}

const fn row(
    (collection, name): (&'static str, &'static str),
    [get, put, delete, post]: [&'static str; 4],
) -> Row {
    Row { collection, name, get, put, delete, post }
}

const TABLE: &[Row] = &[
    row(("networks", "network"), ["rmgas", "mga", "mga", "mgaM"]),
    row(("subnets", "subnet"), ["rmgas", "mga", "mga", "mga"]),
    row(("ports", "port"), ["rmgas", "mgas", "mgas", "mgas"]),
    row(("routers", "router"), ["rmga", "mga", "mga", "mgaM"]),
    row(("floatingips", "floatingip"), ["rmga", "mga", "mga", "mgaM"]),
    row(("security-groups", "security_group"), ["rmga", "mga", "mga", "mgaM"]),
    row(("subnetpools", "subnetpool"), ["rmga", "mga", "mga", "mgaM"]),
    row(("address-scopes", "address_scope"), ["rmga", "mga", "mga", "mgaM"]),
    row(("address-groups", "address_group"), ["rmga", "mga", "mga", "mgaM"]),
    row(("qos/policies", "policy"), ["rmga", "ga", "ga", "ga"]),
];

fn identity() -> Identity {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("htpasswd");
    let mut lines = String::new();
    let (mut projects, mut roles) = (HashMap::new(), HashMap::new());
    for (_, user, role, project) in PEOPLE {
        writeln!(lines, "{user}:{}", bcrypt::hash(user, 4).unwrap()).unwrap();
        projects.insert((*user).to_owned(), (*project).to_owned());
        roles.insert((*user).to_owned(), vec![(*role).to_owned()]);
    }
    std::fs::write(&file, lines).unwrap();
    Identity::basic(&file, &[], &projects, &roles).unwrap()
}

struct World {
    cloud: Cloud,
    external: Value,
    network: Value,
}

impl World {
    async fn new(on: Backend) -> Self {
        let cloud = Cloud::asking(on, identity()).await;
        let body = json!({"name": "public", "router:external": true,
            "provider:network_type": "flat", "provider:physical_network": "external"});
        let external = cloud.create("root", "networks", "network", body).await;
        let body = json!({"network_id": external["id"], "ip_version": 4,
            "cidr": "203.0.113.0/24", "enable_dhcp": false});
        cloud.create("root", "subnets", "subnet", body).await;
        let network = cloud.create("member", "networks", "network", json!({})).await;
        Self { cloud, external, network }
    }

    /// What a POST of one says.
    fn body(&self, name: &str, octet: usize) -> Value {
        match name {
            "subnet" => json!({"network_id": self.network["id"], "ip_version": 4,
                "cidr": format!("10.{octet}.0.0/24")}),
            "port" => json!({"network_id": self.network["id"]}),
            "floatingip" => json!({"floating_network_id": self.external["id"]}),
            "subnetpool" => json!({"name": "p", "prefixes": ["10.0.0.0/8"]}),
            "address_scope" => json!({"name": "s", "ip_version": 4}),
            _ => json!({"name": "n"}),
        }
    }

    /// An object of the first project, made by its manager, who may make any of these.
    async fn object(&self, row: &Row) -> String {
        let body = self.body(row.name, 200);
        text(&self.cloud.create("manager", row.collection, row.name, body).await["id"]).to_owned()
    }

    /// Changes nothing: a PUT is empty, a DELETE insists on a revision that there is not.
    async fn ask(&self, user: &str, method: &str, path: &str, name: &str) -> Answer {
        let mut builder = request(user, method, path);
        if method == "DELETE" {
            builder = builder.header("if-match", "revision_number=987654");
        }
        let body = if method == "PUT" { json!({ name: {} }).to_string() } else { String::new() };
        self.cloud.send(builder.body(Body::from(body)).unwrap()).await
    }
}

async fn every_verb_is_answered_as_the_published_rules_have_it(on: Backend) {
    let world = World::new(on).await;
    let mut wrong = Vec::new();
    for row in TABLE {
        let id = world.object(row).await;
        let path = format!("/v2.0/{}/{id}", row.collection);
        for (index, (letter, user, ..)) in PEOPLE.iter().enumerate() {
            let sees = row.get.contains(*letter);
            let refused = if sees { 403 } else { 404 };
            for (method, allowed, status) in
                [("GET", row.get, 200), ("PUT", row.put, 200), ("DELETE", row.delete, 412)]
            {
                let expected = if allowed.contains(*letter) { status } else { refused };
                let answer = world.ask(user, method, &path, row.name).await;
                if answer.status != expected {
                    wrong.push(format!("{user} {method} {path}: {} {expected}", answer.status));
                }
            }
            let listed =
                world.cloud.get(user, &format!("/v2.0/{}", row.collection)).await.expect(200);
            let key = row.collection.rsplit('/').next().unwrap_or_default().replace('-', "_");
            let items = listed[&key].as_array().unwrap_or_else(|| panic!("{listed}"));
            if items.iter().any(|item| item["id"] == *id) != sees {
                wrong.push(format!("{user} lists {path}"));
            }
            let body = json!({ row.name: world.body(row.name, index) });
            let made = world.cloud.post(user, &format!("/v2.0/{}", row.collection), &body).await;
            if (made.status == 201) != row.post.contains(*letter)
                || ![201, 403, 404].contains(&made.status)
            {
                wrong
                    .push(format!("{user} POST {}: {} {}", row.collection, made.status, made.body));
            }
        }
        assert_eq!(world.ask("nobody", "GET", &path, row.name).await.status, 401);
    }
    assert_eq!(wrong, Vec::<String>::new());
}

async fn a_foreign_object_is_answered_exactly_as_one_that_does_not_exist(on: Backend) {
    let world = World::new(on).await;
    for row in TABLE {
        let id = world.object(row).await;
        let path = |id: &str| format!("/v2.0/{}/{id}", row.collection);
        for method in ["GET", "PUT", "DELETE"] {
            let foreign = world.ask("stranger", method, &path(&id), row.name).await;
            let none = world.ask("stranger", method, &path(NOBODYS_ID), row.name).await;
            let renamed = none.body.to_string().replace(NOBODYS_ID, &id);
            assert_eq!(
                (foreign.status, foreign.body.to_string()),
                (404, renamed),
                "{method} {}",
                path(&id)
            );
        }
    }
    // Of another object's child, and of something that a new object is to hang on.
    let router = world.cloud.create("member", "routers", "router", json!({})).await;
    for children in ["gateway_port_forwardings", "conntrack_helpers"] {
        let below = |id: &str| format!("/v2.0/routers/{id}/{children}");
        let foreign = world.cloud.get("stranger", &below(text(&router["id"]))).await;
        foreign.refused(404, "RouterNotFound");
        world.cloud.get("stranger", &below(NOBODYS_ID)).await.refused(404, "RouterNotFound");
    }
    for name in ["subnet", "port"] {
        let body = json!({ name: world.body(name, 9) });
        let foreign = world.cloud.post("stranger", &format!("/v2.0/{name}s"), &body).await;
        foreign.refused(404, "NetworkNotFound");
    }
}

async fn an_attribute_is_refused_to_those_whom_its_rule_leaves_out(on: Backend) {
    let world = World::new(on).await;
    let cloud = &world.cloud;
    let share = json!({"network": {"shared": true}});
    let shared = cloud.create("root", "networks", "network", json!({"shared": true})).await;
    let mine = format!("/v2.0/networks/{}", text(&world.network["id"]));
    for user in ["member", "manager"] {
        cloud.put(user, &mine, &share).await.refused(403, "PolicyNotAuthorized");
    }
    let on = |network: &Value, more: Value| {
        let mut port = json!({"network_id": network["id"]});
        port.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "port": port })
    };
    // On another's shared network a port is only a port.
    for user in ["member", "manager"] {
        for (attribute, value) in [
            ("device_owner", json!("network:dhcp")),
            ("mac_address", json!("02:00:00:00:00:01")),
            ("port_security_enabled", json!(false)),
            ("fixed_ips", json!([{"ip_address": "10.0.0.9"}])),
            ("allowed_address_pairs", json!([{"ip_address": "10.0.0.9"}])),
            ("binding:host_id", json!("host")),
            ("binding:profile", json!({"a": 1})),
        ] {
            let body = on(&shared, json!({ attribute: value }));
            cloud.post(user, "/v2.0/ports", &body).await.refused(403, "PolicyNotAuthorized");
        }
        let body = on(&shared, json!({"device_owner": "compute:nova", "binding:profile": {}}));
        let made = cloud.post(user, "/v2.0/ports", &body).await.expect(201);
        assert!(made["port"].get("binding:host_id").is_none());
        let path = format!("/v2.0/ports/{}", text(&made["port"]["id"]));
        for change in [
            json!({"device_owner": "network:dhcp"}),
            json!({"port_security_enabled": true}),
            json!({"fixed_ips": []}),
            json!({"allowed_address_pairs": []}),
            json!({"binding:profile": {}}),
        ] {
            let refused = cloud.put(user, &path, &json!({ "port": change })).await;
            refused.refused(403, "PolicyNotAuthorized");
        }
        // What the compute service put there is its to take away.
        cloud.delete(user, &path).await.refused(403, "PolicyNotAuthorized");
        assert_eq!(cloud.delete("service", &path).await.status, 204);
    }
    let profile = on(&world.network, json!({"binding:profile": {"a": 1}}));
    cloud.post("member", "/v2.0/ports", &profile).await.refused(403, "PolicyNotAuthorized");
    cloud.post("root", "/v2.0/ports", &profile).await.expect(201);
    cloud.post("service", "/v2.0/ports", &profile).await.expect(201);
    let gateway = json!({"router": {"external_gateway_info":
        {"network_id": world.external["id"], "enable_snat": true}}});
    cloud.post("manager", "/v2.0/routers", &gateway).await.refused(403, "PolicyNotAuthorized");
    cloud.post("root", "/v2.0/routers", &gateway).await.expect(201);
    let address = json!({"floatingip": {"floating_network_id": world.external["id"],
        "floating_ip_address": "203.0.113.77"}});
    cloud.post("member", "/v2.0/floatingips", &address).await.refused(403, "PolicyNotAuthorized");
    cloud.post("manager", "/v2.0/floatingips", &address).await.expect(201);
}
