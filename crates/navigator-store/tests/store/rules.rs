//! The real rules on the real databases: a tenant's cloud is built, fetched and taken down again,
//! and nothing of it is left.

use std::time::{Duration, Instant};

use navigator_model::{Fetched, Heartbeat, Object, Scope, Snapshot, report::AgentRole};
use navigator_resources::{
    FloatingIp, GatewayPortForwarding, Input, MemberAction, Network, Port, PortForwarding, Refusal,
    Router, Rules, Settings, Stop, Subnet, facts::Facts,
};
use navigator_store::{DecideError, Listing, Store};
use serde_json::{Map, Value, json};

use crate::{
    database::Database,
    world::{NOW, caller},
};

on_both! {
    a_cloud_is_built_fetched_and_taken_down_without_a_trace,
    two_forwards_of_one_external_port_are_refused,
    a_thousand_ports_at_three_servers_fill_a_subnet_exactly,
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(mut map) = value else { panic!("no object: {value}") };
    map.entry("project_id").or_insert(json!("p1"));
    map
}

async fn create<R: Rules>(store: &Store, parent: Option<&str>, body: Value) -> String {
    try_create::<R>(store, parent, body).await.unwrap()
}

async fn try_create<R: Rules>(
    store: &Store,
    parent: Option<&str>,
    body: Value,
) -> Result<String, DecideError> {
    let input = R::Create::from_json(&object(body)).unwrap();
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, context| {
        R::create(&input, parent, facts, context)
    });
    decided.await.map(|(made, _)| made.id())
}

fn locked<R: Rules>(facts: &Facts, id: &str) -> Result<R, Stop> {
    facts.lock::<R>(id)?.ok_or_else(|| Refusal::not_found::<R>(id).into())
}

async fn update<R: Rules>(store: &Store, id: &str, body: Value) {
    let Value::Object(body) = body else { panic!("no object") };
    let input = R::Update::from_json(&body).unwrap();
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, context| {
        R::update(&locked::<R>(facts, id)?, &input, facts, context)
    });
    decided.await.unwrap();
}

async fn delete<R: Rules>(store: &Store, id: &str) {
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, context| {
        Ok(((), R::delete(&locked::<R>(facts, id)?, facts, context)?))
    });
    decided.await.unwrap();
}

async fn act<R: Rules>(store: &Store, id: &str, name: &str, body: Value) {
    let body = object(body);
    let action: &MemberAction<R> = R::actions().iter().find(|action| action.name == name).unwrap();
    let (caller, settings) = (caller(), Settings::default());
    let decided = store.decide(&caller, &settings, NOW, |facts, context| {
        (action.run)(&locked::<R>(facts, id)?, &body, facts, context)
    });
    decided.await.unwrap();
}

async fn agents(store: &Store) {
    let role = |agent_type: &str| AgentRole {
        agent_type: agent_type.to_owned(),
        binary: "navigator".to_owned(),
        topic: "topic".to_owned(),
        configurations: json!({"tunneling_ip": "192.0.2.1", "agent_mode": "legacy"}),
    };
    let roles = ["L3 agent", "DHCP agent", "Linux bridge agent"].map(role).to_vec();
    let heartbeat =
        Heartbeat { host: "h1".into(), availability_zone: "nova".to_owned(), roles, started: true };
    assert!(store.heartbeat(&heartbeat, &Settings::default(), NOW).await.unwrap().news);
}

struct Cloud {
    external: String,
    external_subnet: String,
    network: String,
    subnet: String,
    router: String,
    instance: String,
}

async fn cloud(store: &Store) -> Cloud {
    agents(store).await;
    let body = json!({
        "name": "external", "router:external": true, "provider:network_type": "flat",
        "provider:physical_network": "external"
    });
    let external = create::<Network>(store, None, body).await;
    let body = json!({
        "network_id": external, "ip_version": 4, "cidr": "198.51.100.0/24", "enable_dhcp": false
    });
    let external_subnet = create::<Subnet>(store, None, body).await;
    let network = create::<Network>(store, None, json!({"name": "tenant"})).await;
    let body = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"});
    let subnet = create::<Subnet>(store, None, body).await;
    let body = json!({"name": "r", "external_gateway_info": {"network_id": external}});
    let router = create::<Router>(store, None, body).await;
    act::<Router>(store, &router, "add_router_interface", json!({"subnet_id": subnet})).await;
    let body = json!({"network_id": network, "binding:host_id": "h1"});
    let instance = create::<Port>(store, None, body).await;
    Cloud { external, external_subnet, network, subnet, router, instance }
}

async fn count<R: Rules>(store: &Store) -> usize {
    store.list(R::declaration(), &Listing::default()).await.unwrap().len()
}

async fn snapshot(store: &Store, scope: Scope) -> Snapshot {
    match store.fetch(&"h1".into(), &scope, None).await.unwrap() {
        Fetched::Complete(snapshot) => snapshot,
        other => panic!("{other:?}"),
    }
}

fn forward(cloud: &Cloud, external_port: u16, address: &str) -> Value {
    json!({
        "external_port": external_port, "internal_port": 80, "protocol": "tcp",
        "internal_port_id": cloud.instance, "internal_ip_address": address
    })
}

/// The instance's only address.
async fn address(store: &Store, cloud: &Cloud) -> String {
    let told = snapshot(store, Scope::Network(cloud.network.parse().unwrap())).await;
    let ports = told.objects.values().filter_map(|object| match object {
        Object::Port(port) if port.id.to_string() == cloud.instance => Some(port),
        _ => None,
    });
    ports.flat_map(|port| &port.fixed_ips).next().unwrap().ip_address.to_string()
}

async fn a_cloud_is_built_fetched_and_taken_down_without_a_trace(database: &Database) {
    let store = database.migrated().await;
    let cloud = cloud(&store).await;
    let address = address(&store, &cloud).await;
    let router = cloud.router.as_str();
    let body = forward(&cloud, 8080, &address);
    let gateway_forward = create::<GatewayPortForwarding>(&store, Some(router), body).await;
    let body = json!({"floating_network_id": cloud.external});
    let floating_ip = create::<FloatingIp>(&store, None, body).await;
    let body = forward(&cloud, 2222, &address);
    let floating_forward = create::<PortForwarding>(&store, Some(&floating_ip), body).await;

    let duties = snapshot(&store, Scope::Host("h1".into())).await.duties;
    assert_eq!((duties.routers.len(), duties.dhcp_networks.len()), (1, 1));
    let told = snapshot(&store, Scope::Router(router.parse().unwrap())).await;
    assert_eq!(told.objects.len(), 4, "{told:?}");
    let described = told.router().unwrap();
    assert_eq!(described.interfaces.len(), 1);
    assert!(described.gateway.as_ref().unwrap().primary_ipv4().is_some());
    let mut forwards = told.objects.values().filter_map(|object| match object {
        Object::Forward(forward) => Some(forward),
        _ => None,
    });
    assert!(forwards.all(|f| f.internal_address.to_string() == address && !f.foreign_gateway));

    update::<Network>(&store, &cloud.network, json!({"name": "renamed"})).await;
    delete::<PortForwarding>(&store, &floating_forward).await;
    delete::<GatewayPortForwarding>(&store, &gateway_forward).await;
    delete::<FloatingIp>(&store, &floating_ip).await;
    delete::<Port>(&store, &cloud.instance).await;
    let body = json!({"subnet_id": cloud.subnet});
    act::<Router>(&store, router, "remove_router_interface", body).await;
    delete::<Router>(&store, router).await;
    delete::<Subnet>(&store, &cloud.subnet).await;
    delete::<Network>(&store, &cloud.network).await;
    delete::<Subnet>(&store, &cloud.external_subnet).await;
    delete::<Network>(&store, &cloud.external).await;
    assert_eq!(count::<Port>(&store).await + count::<Network>(&store).await, 0);
    for table in ["ip_allocations", "segment_allocations", "port_claims"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
}

async fn two_forwards_of_one_external_port_are_refused(database: &Database) {
    let store = database.migrated().await;
    let cloud = cloud(&store).await;
    let address = address(&store, &cloud).await;
    let tasks = (0..10).map(|_| {
        let (store, router) = (store.clone(), cloud.router.clone());
        let body = forward(&cloud, 8080, &address);
        tokio::spawn(async move {
            try_create::<GatewayPortForwarding>(&store, Some(&router), body).await
        })
    });
    let made: Vec<_> =
        futures::future::join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.into_iter().filter_map(Result::err) {
        assert!(matches!(refused, DecideError::Refused(_)), "{refused}");
    }
}

async fn a_thousand_ports_at_three_servers_fill_a_subnet_exactly(database: &Database) {
    // A /22 without its gateway and its DHCP port.
    const PLACES: usize = 1020;
    let stores = [database.migrated().await, database.connect().await, database.connect().await];
    agents(&stores[0]).await;
    let network = create::<Network>(&stores[0], None, json!({"name": "tenant"})).await;
    let body = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/22"});
    create::<Subnet>(&stores[0], None, body).await;
    let start = Instant::now();
    let tasks = (0..PLACES + 10).map(|n| {
        let (store, body) = (stores[n % 3].clone(), json!({"network_id": network}));
        tokio::spawn(async move { try_create::<Port>(&store, None, body).await })
    });
    let made = futures::future::join_all(tasks).await.into_iter().map(Result::unwrap);
    let (good, bad): (Vec<_>, Vec<_>) = made.partition(Result::is_ok);
    for refused in bad.into_iter().filter_map(Result::err) {
        let full =
            DecideError::Refused(Refusal::IpAddressGenerationFailure { net_id: network.clone() });
        assert_eq!(refused.to_string(), full.to_string());
    }
    assert_eq!(good.len(), PLACES);
    assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
}
