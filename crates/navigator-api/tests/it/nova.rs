//! The contract with Nova, replayed: its calls in its order, against the server; the server's events,
//! against a service that answers as Nova's API reference says. What they show is the contract as
//! written down; `make interop PART=nova` shows Nova's reading of it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use navigator_api::{Access, NovaClient, tell_nova};
use navigator_bus::ControlPlane as _;
use navigator_model::{HostName, NetworkId, ObjectKey, Outcome, PortId, Report, Scope};
use navigator_resources::Settings;
use navigator_testkit::{FakeNova, nova::TOKEN};
use navigator_tls::TlsOptions;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::{
    agents::beat,
    cloud::{Backend, Cloud, HOST, Site, text},
};

on_both! {
    api_validation_finds_what_it_asks_for,
    an_instance_boots_and_is_deleted,
    a_port_that_was_there_before_is_attached_and_detached,
    an_instance_migrates_cold,
    an_instance_migrates_live,
    a_live_migration_that_fails_is_rolled_back,
    floating_ips_tell_the_old_port_and_the_new_one,
    no_event_is_lost_while_nova_is_away,
    an_event_is_written_with_the_change_or_not_at_all,
    only_one_server_sends_and_another_takes_over,
    a_port_waits_for_its_dhcp_server_and_not_for_ever,
    nobody_waits_for_a_dhcp_server_that_is_dead,
}

const SERVER: &str = "2f6ff2c2-9f3b-4dd6-8a39-0d4d6ac0cd11";

/// A cloud, a Nova that knows [`SERVER`], and what tells it.
struct Compute {
    cloud: Cloud,
    site: Site,
    nova: FakeNova,
    teller: JoinHandle<()>,
}

impl Drop for Compute {
    fn drop(&mut self) {
        self.teller.abort();
    }
}

fn teller(cloud: &Cloud, nova: &FakeNova) -> JoinHandle<()> {
    let access = Access { endpoint: nova.endpoint().to_owned(), token: TOKEN.to_owned() };
    let client = NovaClient::new(nova.endpoint(), &TlsOptions::default()).unwrap();
    let interval = Duration::from_millis(50);
    tokio::spawn(tell_nova(cloud.store.clone(), Arc::new(access), client, interval))
}

impl Compute {
    /// Instances run on `compute-1` and `compute-2`; routers and DHCP are on [`HOST`].
    async fn new(on: Backend) -> Self {
        let settings = Settings { server_events: true, ..Settings::default() };
        let cloud = Cloud::with(on, settings).await;
        cloud.agents_appear().await;
        let site = cloud.site().await;
        for (host, tunnel) in [("compute-1", "198.51.100.1"), ("compute-2", "198.51.100.2")] {
            let mut wiring = beat(host, tunnel);
            wiring.roles.retain(|role| role.agent_type == "Linux bridge agent");
            cloud.plane.heartbeat(wiring).await.unwrap();
        }
        let nova = FakeNova::start(&[SERVER]).await;
        let teller = teller(&cloud, &nova);
        Self { cloud, site, nova, teller }
    }

    async fn put(&self, id: &str, port: Value) -> Value {
        let path = format!("/v2.0/ports/{id}");
        self.cloud.put("admin", &path, &json!({ "port": port })).await.expect(200)["port"].take()
    }

    async fn port(&self, id: &str) -> Value {
        self.cloud.get("admin", &format!("/v2.0/ports/{id}")).await.expect(200)["port"].take()
    }

    async fn status(&self, id: &str) -> String {
        text(&self.port(id).await["status"]).to_owned()
    }

    /// As Nova makes one: on no host.
    async fn minimal_port(&self) -> String {
        let port = json!({
            "device_id": SERVER, "network_id": self.site.network["id"], "admin_state_up": true,
            "tenant_id": self.site.network["tenant_id"]});
        text(&self.cloud.create("admin", "ports", "port", port).await["id"]).to_owned()
    }

    /// Then it says where the instance is.
    async fn bind(&self, id: &str, host: &str) -> Value {
        let port = json!({
            "device_id": SERVER, "device_owner": "compute:nova", "binding:host_id": host,
            "binding:profile": {}});
        self.put(id, port).await
    }

    fn network(&self) -> NetworkId {
        text(&self.site.network["id"]).parse().unwrap()
    }

    /// A host's agent says what became of the port.
    async fn report(&self, host: &str, id: &str, outcome: Outcome) {
        let port: PortId = id.parse().unwrap();
        self.outcomes(host, vec![(ObjectKey::Port(port), outcome)]).await;
    }

    /// A host's agent says that it has made all of the network.
    async fn outcomes(&self, host: &str, outcomes: Vec<(ObjectKey, Outcome)>) {
        let host: HostName = host.into();
        let scope = Scope::Network(self.network());
        let revisions = self.cloud.plane.revisions(&host).await.unwrap();
        let revision = revisions.iter().find(|(known, _)| *known == scope).unwrap().1;
        self.cloud.plane.report(&host, Report { scope, revision, outcomes }).await.unwrap();
    }

    /// The network's DHCP server knows every port.
    async fn dhcp_is_ready(&self) {
        self.outcomes(HOST, Vec::new()).await;
    }

    /// An instance that runs on compute-1.
    async fn running(&self) -> String {
        let id = self.minimal_port().await;
        self.bind(&id, "compute-1").await;
        self.dhcp_is_ready().await;
        self.report("compute-1", &id, Outcome::Active).await;
        let told = self.nova.wait(2).await;
        assert_eq!(told, self.events(&id, &["network-changed", "network-vif-plugged"]));
        id
    }

    fn events(&self, id: &str, names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("{name} completed {id}")).collect()
    }

    /// Stops what tells Nova, at a moment when it has nothing in its hands.
    async fn stop_telling(&self) {
        let store = &self.cloud.store;
        while !store.pending_server_events(1).await.unwrap().is_empty()
            || !store.lease("server-events", "test", "2000-01-01T00:00:00Z", "").await.unwrap()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.teller.abort();
    }

    /// Nothing more comes.
    async fn silence(&self) {
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert_eq!(self.nova.take(), Vec::<String>::new());
    }
}

async fn api_validation_finds_what_it_asks_for(on: Backend) {
    let compute = Compute::new(on).await;
    let (cloud, site) = (&compute.cloud, &compute.site);
    let id = compute.running().await;
    let project = text(&site.network["tenant_id"]);
    let network = text(&site.network["id"]);
    for (path, collection) in [
        (format!("networks?tenant_id={project}&shared=False&id={network}"), "networks"),
        (format!("ports?tenant_id={project}&fields=id"), "ports"),
        (format!("ports?device_id={SERVER}&tenant_id={project}"), "ports"),
        (format!("ports?network_id={network}&device_owner=network:dhcp"), "ports"),
        (format!("subnets?id={}", text(&site.subnet["id"])), "subnets"),
        ("networks?router:external=True".to_owned(), "networks"),
        ("extensions".to_owned(), "extensions"),
    ] {
        let answer = cloud.get("admin", &format!("/v2.0/{path}")).await.expect(200);
        assert!(!answer[collection].as_array().unwrap().is_empty(), "{path}");
    }
    let path = format!("/v2.0/floatingips?fixed_ip_address=10.0.0.9&port_id={id}");
    assert_eq!(cloud.get("admin", &path).await.expect(200), json!({"floatingips": []}));
    let port = compute.port(&id).await;
    for name in ["device_id", "fixed_ips", "network_id", "binding:vnic_type", "binding:profile"] {
        assert!(port.get(name).is_some(), "{name}");
    }
    let extensions = cloud.get("admin", "/v2.0/extensions").await.expect(200);
    let advertised = |alias: &str| {
        extensions["extensions"].as_array().unwrap().iter().any(|item| item["alias"] == alias)
    };
    for alias in ["binding", "binding-extended", "fip-port-details", "ip-substring-filtering"] {
        assert!(advertised(alias), "{alias}");
    }
}

async fn an_instance_boots_and_is_deleted(on: Backend) {
    let compute = Compute::new(on).await;
    let id = compute.minimal_port().await;
    let port = compute.port(&id).await;
    assert_eq!((&port["binding:vif_type"], &port["status"]), (&json!("unbound"), &json!("DOWN")));
    assert_eq!(port["fixed_ips"].as_array().unwrap().len(), 1, "before it has a host");
    compute.silence().await;

    // The binding is in the answer: Nova looks nowhere else.
    let bound = compute.bind(&id, "compute-1").await;
    assert_eq!((&bound["binding:vif_type"], &bound["status"]), (&json!("tap"), &json!("DOWN")));
    assert_eq!(
        bound["binding:vif_details"],
        json!({"port_filter": false, "connectivity": "l2", "bound_drivers": {"0": "navigator"}})
    );
    let failed = compute.bind(&compute.minimal_port().await, "nobody-there").await;
    assert_eq!(failed["binding:vif_type"], "binding_failed");
    compute.nova.wait(2).await;

    // It starts the instance paused; the agent finds the device; Nova lets it run.
    compute.dhcp_is_ready().await;
    compute.report("compute-1", &id, Outcome::Active).await;
    assert_eq!(compute.status(&id).await, "ACTIVE");
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-plugged"]));
    // The same again is no news.
    compute.report("compute-1", &id, Outcome::Active).await;
    compute.silence().await;

    compute.report("compute-1", &id, Outcome::Down).await;
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-unplugged"]));
    compute.report("compute-1", &id, Outcome::Error("no bridge".to_owned())).await;
    let failed = compute.nova.wait(1).await;
    assert_eq!(failed, [format!("network-vif-plugged failed {id}")]);

    let path = format!("/v2.0/ports/{id}");
    assert_eq!(compute.cloud.delete("admin", &path).await.status, 204);
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-deleted"]));
    compute.cloud.delete("admin", &path).await.refused(404, "PortNotFound");
}

async fn a_port_that_was_there_before_is_attached_and_detached(on: Backend) {
    let compute = Compute::new(on).await;
    let id = text(&compute.site.port["id"]).to_owned();
    let profile = json!({"kept": {"x": 1}, "pci_slot": "0000:03:00.0"});
    let port = json!({
        "device_id": SERVER, "device_owner": "compute:nova", "binding:host_id": "compute-1",
        "binding:profile": profile});
    assert_eq!(compute.put(&id, port).await["binding:profile"], profile, "opaque");
    compute.dhcp_is_ready().await;
    compute.report("compute-1", &id, Outcome::Active).await;
    compute.nova.wait(2).await;

    let detached = json!({
        "device_id": "", "device_owner": "", "binding:host_id": null,
        "binding:profile": {"kept": {"x": 1}}});
    let port = compute.put(&id, detached).await;
    for (name, value) in [
        ("device_id", json!("")),
        ("device_owner", json!("")),
        ("binding:host_id", json!("")),
        ("binding:vif_type", json!("unbound")),
        ("binding:vif_details", json!({})),
        ("binding:profile", json!({"kept": {"x": 1}})),
        ("status", json!("DOWN")),
        ("fixed_ips", compute.site.port["fixed_ips"].clone()),
        ("mac_address", compute.site.port["mac_address"].clone()),
    ] {
        assert_eq!(port[name], value, "{name}");
    }
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-unplugged"]));
    let bindings = format!("/v2.0/ports/{id}/bindings");
    let bindings = compute.cloud.get("admin", &bindings).await.expect(200);
    assert_eq!(bindings, json!({"bindings": []}));
}

async fn an_instance_migrates_cold(on: Backend) {
    let compute = Compute::new(on).await;
    let id = compute.running().await;
    let moved = compute.bind(&id, "compute-2").await;
    assert_eq!((&moved["status"], &moved["binding:vif_type"]), (&json!("DOWN"), &json!("tap")));
    let left = ["network-vif-unplugged", "network-changed"];
    assert_eq!(compute.nova.wait(2).await, compute.events(&id, &left));

    // The source has nothing to say of it any more, whatever it has seen last.
    let other = compute.minimal_port().await;
    compute.bind(&other, "compute-1").await;
    compute.nova.wait(1).await;
    compute.report("compute-1", &id, Outcome::Active).await;
    assert_eq!(compute.status(&id).await, "DOWN");
    compute.silence().await;

    compute.dhcp_is_ready().await;
    compute.report("compute-2", &id, Outcome::Active).await;
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-plugged"]));
    assert_eq!(compute.status(&id).await, "ACTIVE");
}

async fn an_instance_migrates_live(on: Backend) {
    let compute = Compute::new(on).await;
    let (cloud, id) = (&compute.cloud, compute.running().await);
    let bindings = format!("/v2.0/ports/{id}/bindings");
    let wanted = json!({"binding": {
        "host": "compute-2", "vnic_type": "normal", "profile": {"migrating_to": "compute-2"}}});
    let made = cloud.post("admin", &bindings, &wanted).await.expect(201);
    assert_eq!(made["binding"]["status"], "INACTIVE");
    let path = format!("{bindings}/compute-2");
    cloud.get("admin", &path).await.expect(200);

    // The destination has the device before the instance: Nova waits for that and starts then.
    compute.report("compute-2", &id, Outcome::Active).await;
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-plugged"]));
    let port = compute.port(&id).await;
    assert_eq!(
        (&port["status"], &port["binding:host_id"]),
        (&json!("ACTIVE"), &json!("compute-1")),
        "it still runs where it was"
    );
    compute.report("compute-2", &id, Outcome::Active).await;
    compute.silence().await;

    let activated = cloud.raw("admin", "PUT", &format!("{path}/activate"), Vec::new()).await;
    assert_eq!(activated.expect(200)["status"], "ACTIVE");
    let again = cloud.raw("admin", "PUT", &format!("{path}/activate"), Vec::new()).await;
    again.refused(409, "PortBindingAlreadyActive");
    let told = compute.nova.wait(2).await;
    assert_eq!(told, compute.events(&id, &["network-vif-unplugged", "network-changed"]));
    compute.dhcp_is_ready().await;
    compute.report("compute-2", &id, Outcome::Active).await;
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-plugged"]));
    assert_eq!(compute.status(&id).await, "ACTIVE");

    // The source's device goes with the instance: nobody's business any more.
    compute.report("compute-1", &id, Outcome::Down).await;
    assert_eq!(compute.status(&id).await, "ACTIVE");
    let source = format!("{bindings}/compute-1");
    assert_eq!(cloud.delete("admin", &source).await.status, 204);
    cloud.delete("admin", &source).await.refused(404, "PortBindingNotFound");
    let finished = compute.bind(&id, "compute-2").await;
    assert_eq!((&finished["status"], &finished["binding:profile"]), (&json!("ACTIVE"), &json!({})));
}

async fn a_live_migration_that_fails_is_rolled_back(on: Backend) {
    let compute = Compute::new(on).await;
    let (cloud, id) = (&compute.cloud, compute.running().await);
    let bindings = format!("/v2.0/ports/{id}/bindings");
    let wanted = |host: &str| json!({"binding": {"host": host}});
    cloud.post("admin", &bindings, &wanted("nobody-there")).await.refused(409, "PortBindingError");
    cloud.post("admin", &bindings, &wanted("compute-2")).await.expect(201);
    let again = cloud.post("admin", &bindings, &wanted("compute-2")).await;
    again.refused(409, "PortBindingAlreadyExists");
    assert_eq!(cloud.delete("admin", &format!("{bindings}/compute-2")).await.status, 204);
    let port = compute.port(&id).await;
    assert_eq!(
        (&port["status"], &port["binding:host_id"]),
        (&json!("ACTIVE"), &json!("compute-1"))
    );

    // One whose end nobody saw leaves a binding; the next evacuation is not stopped by it.
    cloud.post("admin", &bindings, &wanted("compute-2")).await.expect(201);
    compute.bind(&id, "compute-2").await;
    let left = cloud.get("admin", &bindings).await.expect(200);
    let hosts: Vec<_> = left["bindings"].as_array().unwrap().iter().map(|b| &b["host"]).collect();
    assert_eq!(hosts, [&json!("compute-2")]);
}

async fn floating_ips_tell_the_old_port_and_the_new_one(on: Backend) {
    let compute = Compute::new(on).await;
    let (first, second) = (compute.running().await, compute.running().await);
    let external = &compute.site.external["id"];
    let floating_ip = json!({
        "floating_network_id": external, "port_id": first,
        "tenant_id": compute.site.network["tenant_id"]});
    let made = compute.cloud.create("admin", "floatingips", "floatingip", floating_ip).await;
    assert_eq!(compute.nova.wait(1).await, compute.events(&first, &["network-changed"]));
    let path = format!("/v2.0/floatingips/{}", text(&made["id"]));
    let lead = |port: Value| json!({"floatingip": {"port_id": port}});
    compute.cloud.put("admin", &path, &lead(json!(second))).await.expect(200);
    let mut both = compute.events(&first, &["network-changed"]);
    both.extend(compute.events(&second, &["network-changed"]));
    assert_eq!(compute.nova.wait(2).await, both);
    compute.cloud.put("admin", &path, &lead(Value::Null)).await.expect(200);
    assert_eq!(compute.nova.wait(1).await, compute.events(&second, &["network-changed"]));
    compute.cloud.put("admin", &path, &lead(json!(first))).await.expect(200);
    compute.nova.wait(1).await;
    assert_eq!(compute.cloud.delete("admin", &path).await.status, 204);
    assert_eq!(compute.nova.wait(1).await, compute.events(&first, &["network-changed"]));
}

async fn no_event_is_lost_while_nova_is_away(on: Backend) {
    let mut compute = Compute::new(on).await;
    let id = compute.running().await;
    compute.nova.fail_next(&[503, 401, 500]);
    compute.report("compute-1", &id, Outcome::Down).await;
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-unplugged"]));

    // The server dies between its commit and the request: another one sends.
    compute.stop_telling().await;
    compute.report("compute-1", &id, Outcome::Active).await;
    compute.put(&id, json!({"name": "renamed"})).await;
    compute.silence().await;
    assert_eq!(compute.cloud.store.pending_server_events(10).await.unwrap().len(), 2);
    compute.teller = teller(&compute.cloud, &compute.nova);
    let told = compute.nova.wait(2).await;
    assert_eq!(told, compute.events(&id, &["network-vif-plugged", "network-changed"]));

    // A server that Nova does not know (any more) is told of once.
    let requests = compute.nova.requests();
    let port = json!({
        "device_id": "11111111-9f3b-4dd6-8a39-0d4d6ac0cd11", "device_owner": "compute:nova"});
    compute.put(text(&compute.site.port["id"]), port).await;
    let pending = async || compute.cloud.store.pending_server_events(10).await.unwrap().len();
    let start = Instant::now();
    while compute.nova.requests() == requests || pending().await > 0 {
        assert!(start.elapsed() < Duration::from_secs(30), "nobody is told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    compute.silence().await;
    assert_eq!(compute.nova.requests(), requests + 1);
    assert_eq!(pending().await, 0);
}

async fn an_event_is_written_with_the_change_or_not_at_all(on: Backend) {
    let compute = Compute::new(on).await;
    let id = compute.running().await;
    compute.stop_telling().await;
    let pending = async || compute.cloud.store.pending_server_events(10).await.unwrap();
    let path = format!("/v2.0/ports/{id}");
    let refused = json!({"port": {"name": "n", "mac_address": "02:00:00:00:00:09"}});
    compute.cloud.put("admin", &path, &refused).await.refused(409, "PortBound");
    assert!(pending().await.is_empty(), "what was refused did not happen");
    compute.put(&id, json!({"name": "n"})).await;
    let told: Vec<_> = pending().await.iter().map(|event| event.name.clone()).collect();
    assert_eq!(told, ["network-changed"]);
    compute.put(&id, json!({"name": "n"})).await;
    assert_eq!(pending().await.len(), 1, "what is as it was did not change");
    compute.put(text(&compute.site.port["id"]), json!({"name": "n"})).await;
    assert_eq!(pending().await.len(), 1, "no server has that port");
}

async fn only_one_server_sends_and_another_takes_over(on: Backend) {
    let compute = Compute::new(on).await;
    let store = &compute.cloud.store;
    let lease = async |holder: &str, now: &str, until: &str| {
        let time = |minute: &str| format!("2026-01-02T03:{minute}:00Z");
        store.lease("test", holder, &time(now), &time(until)).await.unwrap()
    };
    assert!(lease("a", "00", "02").await);
    assert!(!lease("b", "01", "03").await);
    assert!(lease("a", "01", "04").await, "it goes on");
    assert!(!lease("b", "03", "05").await);
    assert!(lease("b", "05", "07").await, "a died");
    assert!(!lease("a", "06", "08").await);
}

async fn a_port_waits_for_its_dhcp_server_and_not_for_ever(on: Backend) {
    let compute = Compute::new(on).await;
    let id = compute.minimal_port().await;
    compute.bind(&id, "compute-1").await;
    compute.nova.wait(1).await;
    compute.report("compute-1", &id, Outcome::Active).await;
    assert_eq!(compute.status(&id).await, "DOWN", "nobody would give it an address");
    compute.silence().await;
    // A server that could not make the network knows nothing.
    let network = ObjectKey::Network(compute.network());
    compute.outcomes(HOST, vec![(network, Outcome::Error("no dnsmasq".to_owned()))]).await;
    assert_eq!(compute.status(&id).await, "DOWN");
    compute.outcomes(HOST, vec![(network, Outcome::Active)]).await;
    assert_eq!(compute.status(&id).await, "ACTIVE");
    assert_eq!(compute.nova.wait(1).await, compute.events(&id, &["network-vif-plugged"]));

    let forgotten = compute.minimal_port().await;
    compute.bind(&forgotten, "compute-1").await;
    compute.report("compute-1", &forgotten, Outcome::Active).await;
    compute.nova.wait(1).await;
    let settings = Settings { server_events: true, ..Settings::default() };
    let release = async |before: &str| {
        let now = "2026-01-02T03:04:05Z";
        compute.cloud.store.release_waiting_ports(&settings, now, before).await.unwrap()
    };
    assert!(release("2026-01-02T03:00:00Z").await.is_empty(), "it was wired after that");
    assert_eq!(release("2100-01-01T00:00:00Z").await, std::slice::from_ref(&forgotten));
    assert_eq!(compute.status(&forgotten).await, "ACTIVE");
    assert_eq!(compute.nova.wait(1).await, compute.events(&forgotten, &["network-vif-plugged"]));
    assert!(release("2100-01-01T00:00:00Z").await.is_empty());
}

async fn nobody_waits_for_a_dhcp_server_that_is_dead(on: Backend) {
    let compute = Compute::new(on).await;
    let agents = "/v2.0/agents?agent_type=DHCP%20agent";
    let agents = compute.cloud.get("admin", agents).await.expect(200);
    let path = format!("/v2.0/agents/{}", text(&agents["agents"][0]["id"]));
    let off = json!({"agent": {"admin_state_up": false}});
    compute.cloud.put("admin", &path, &off).await.expect(200);
    let id = compute.minimal_port().await;
    compute.bind(&id, "compute-1").await;
    compute.report("compute-1", &id, Outcome::Active).await;
    assert_eq!(compute.status(&id).await, "ACTIVE");
    let told = compute.nova.wait(2).await;
    assert_eq!(told, compute.events(&id, &["network-changed", "network-vif-plugged"]));
}
