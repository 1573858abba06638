//! Heartbeats and reports.

use std::time::{Duration, Instant};

use navigator_model::{
    Heartbeat, NetworkId, ObjectKey, Outcome, PortId, Report, Revision, RouterId, Scope,
    report::AgentRole,
};
use navigator_resources::{
    Agent, GatewayPortForwarding, Network, Port, Resource, Router, Settings, SqlValue, Write,
};
use navigator_store::{Listing, Store};
use serde_json::json;

use crate::{
    database::Database,
    world::{commit, id, insertion},
};

on_both! {
    a_heartbeat_is_news_when_a_role_appears_returns_or_changes,
    a_new_tunnel_address_touches_the_host_s_ports,
    a_host_serves_its_own_scope_and_its_duties,
    a_host_hears_of_its_duties_after_its_last_agent_was_forgotten,
    a_report_sets_status_and_reason_of_what_differs,
    ports_of_a_router_that_is_off_are_up_unless_they_are_off_themselves,
    ten_thousand_outcomes_are_one_quick_call,
}

fn beat(tunnel: &str) -> Heartbeat {
    let role = |agent_type: &str| AgentRole {
        agent_type: agent_type.to_owned(),
        binary: "neutron-agent".to_owned(),
        topic: "topic".to_owned(),
        configurations: json!({"tunneling_ip": tunnel}),
    };
    Heartbeat {
        host: "h1".into(),
        availability_zone: "nova".to_owned(),
        roles: vec![role("L3 agent"), role("Linux bridge agent")],
        started: false,
    }
}

async fn a_heartbeat_is_news_when_a_role_appears_returns_or_changes(database: &Database) {
    let store = database.migrated().await;
    let settings = Settings::default();
    let heard = async |heartbeat: &Heartbeat, time: &str| {
        let now = format!("2026-01-02T{time}Z");
        store.heartbeat(heartbeat, &settings, &now).await.unwrap().news
    };
    let mut heartbeat = beat("198.51.100.1");
    assert!(heard(&heartbeat, "03:00:00").await, "appeared");
    assert!(!heard(&heartbeat, "03:00:30").await, "nothing new");
    heartbeat.started = true;
    assert!(!heard(&heartbeat, "03:01:00").await, "only restarted");
    heartbeat.started = false;
    assert!(heard(&heartbeat, "03:09:00").await, "was taken for dead");
    heartbeat.availability_zone = "other".to_owned();
    assert!(heard(&heartbeat, "03:09:30").await, "moved to another zone");
    heartbeat.roles.pop();
    assert!(!heard(&heartbeat, "03:10:00").await, "one role less");
    let agents = store.list(Agent::declaration(), &Listing::default()).await.unwrap();
    assert_eq!(agents.len(), 2);
    let l3 = agents.iter().find(|row| row.text("agent_type") == "L3 agent").unwrap();
    assert_eq!(l3.text("created_at"), "2026-01-02T03:00:00Z");
    assert_eq!(l3.text("started_at"), "2026-01-02T03:01:00Z");
    assert_eq!(l3.text("heartbeat_timestamp"), "2026-01-02T03:10:00Z");
    assert_eq!(l3.text("binary"), "neutron-agent");
}

async fn a_new_tunnel_address_touches_the_host_s_ports(database: &Database) {
    let store = database.migrated().await;
    let settings = Settings::default();
    commit(
        &store,
        vec![
            insertion::<Network>(&[("id", id(1).into())]),
            insertion::<Port>(&[
                ("id", id(2).into()),
                ("network_id", id(1).into()),
                ("host_id", "h1".into()),
            ]),
        ],
    )
    .await;
    let network = Scope::Network(id(1).parse().unwrap());
    for (tunnel, revision, moves) in
        [("198.51.100.1", 1, true), ("198.51.100.1", 1, false), ("198.51.100.2", 2, true)]
    {
        let beat = beat(tunnel);
        let heard = store.heartbeat(&beat, &settings, "2026-01-02T03:00:00Z");
        let expected = Vec::from_iter(moves.then(|| (network.clone(), Revision(revision))));
        assert_eq!(heard.await.unwrap().moved, expected);
        let revisions = store.revisions(&"h1".into()).await.unwrap();
        assert_eq!(revisions[1], (network.clone(), Revision(revision)));
    }
}

/// Host h1 reports.
async fn hear(store: &Store, report: &Report) {
    let settings = Settings::default();
    store.report(&"h1".into(), report, &settings, "2026-01-02T03:00:00Z").await.unwrap();
}

async fn statuses<R: Resource>(store: &Store) -> Vec<(String, SqlValue)> {
    let rows = store.list(R::declaration(), &Listing::default()).await.unwrap();
    rows.iter()
        .map(|row| (row.text("status").to_owned(), row.get("status_reason").clone()))
        .collect()
}

async fn a_report_sets_status_and_reason_of_what_differs(database: &Database) {
    let store = database.migrated().await;
    let network: NetworkId = id(1).parse().unwrap();
    let router: RouterId = id(3).parse().unwrap();
    let port: PortId = id(2).parse().unwrap();
    commit(
        &store,
        vec![
            insertion::<Network>(&[("id", id(1).into()), ("status", "ACTIVE".into())]),
            insertion::<Port>(&[
                ("id", id(2).into()),
                ("network_id", id(1).into()),
                ("host_id", "h1".into()),
            ]),
            insertion::<Router>(&[("id", id(3).into())]),
        ],
    )
    .await;
    let gone: PortId = id(9).parse().unwrap();
    let report = async |outcomes| {
        let scope = Scope::Network(network);
        hear(&store, &Report { scope, revision: Revision(1), outcomes }).await;
    };
    report(vec![
        (ObjectKey::Network(network), Outcome::Active),
        (ObjectKey::Port(port), Outcome::Error("no device\0".to_owned())),
        (ObjectKey::Port(gone), Outcome::Active),
        (ObjectKey::Router(router), Outcome::Down),
    ])
    .await;
    assert_eq!(statuses::<Network>(&store).await, [("ACTIVE".to_owned(), SqlValue::Null)]);
    assert_eq!(statuses::<Port>(&store).await, [("ERROR".to_owned(), "no device".into())]);
    assert_eq!(statuses::<Router>(&store).await, [("ACTIVE".to_owned(), SqlValue::Null)]);
    report(vec![(ObjectKey::Port(port), Outcome::Down)]).await;
    assert_eq!(statuses::<Port>(&store).await, [("DOWN".to_owned(), SqlValue::Null)]);
    let ports = store.list(Port::declaration(), &Listing::default()).await.unwrap();
    assert_eq!(*ports[0].get("revision_number"), SqlValue::Int(1));
}

async fn ports_of_a_router_that_is_off_are_up_unless_they_are_off_themselves(database: &Database) {
    let store = database.migrated().await;
    let port = |number: u32, router: u32, up: bool| {
        insertion::<Port>(&[
            ("id", id(number).into()),
            ("network_id", id(1).into()),
            ("mac_address", format!("fa:16:3e:00:00:{number:02x}").into()),
            ("host_id", "h1".into()),
            ("device_owner", "network:router_interface".into()),
            ("device_id", id(router).into()),
            ("admin_state_up", up.into()),
        ])
    };
    commit(
        &store,
        vec![
            insertion::<Network>(&[("id", id(1).into())]),
            insertion::<Router>(&[("id", id(2).into()), ("admin_state_up", false.into())]),
            insertion::<Router>(&[("id", id(3).into()), ("admin_state_up", true.into())]),
            port(4, 2, true),
            port(5, 2, false),
            port(6, 3, true),
        ],
    )
    .await;
    let down = |n: u32| (ObjectKey::Port(id(n).parse().unwrap()), Outcome::Down);
    let scope = Scope::Network(id(1).parse().unwrap());
    let outcomes = (4..=6).map(down).collect();
    hear(&store, &Report { scope, revision: Revision(1), outcomes }).await;
    let ports = store.list(Port::declaration(), &Listing::default()).await.unwrap();
    for (number, status) in [(4, "ACTIVE"), (5, "DOWN"), (6, "DOWN")] {
        let port = ports.iter().find(|row| row.text("id") == id(number)).unwrap();
        assert_eq!(port.text("status"), status, "port {number}");
    }
}

async fn ten_thousand_outcomes_are_one_quick_call(database: &Database) {
    const COUNT: u32 = 10_000;
    let store = database.migrated().await;
    let mut writes = vec![
        insertion::<Network>(&[("id", id(1).into())]),
        insertion::<Port>(&[("id", id(2).into()), ("network_id", id(1).into())]),
        insertion::<Router>(&[("id", id(3).into())]),
    ];
    writes.extend((0..COUNT).map(|n| {
        insertion::<GatewayPortForwarding>(&[
            ("id", id(100 + n).into()),
            ("router_id", id(3).into()),
            ("internal_port_id", id(2).into()),
        ])
    }));
    commit(&store, writes).await;
    let outcomes = (0..COUNT).map(|n| {
        let key = ObjectKey::GatewayPortForwarding(id(100 + n).parse().unwrap());
        (key, if n % 2 == 0 { Outcome::Active } else { Outcome::Error(format!("reason {n}")) })
    });
    let scope = Scope::Router(id(3).parse().unwrap());
    let report = Report { scope, revision: Revision(1), outcomes: outcomes.collect() };
    let start = Instant::now();
    hear(&store, &report).await;
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    let statuses = statuses::<GatewayPortForwarding>(&store).await;
    assert_eq!(statuses[0], ("ACTIVE".to_owned(), SqlValue::Null));
    assert_eq!(statuses[9_999], ("ERROR".to_owned(), "reason 9999".into()));
}

async fn a_host_serves_its_own_scope_and_its_duties(database: &Database) {
    let store = database.migrated().await;
    commit(
        &store,
        vec![
            insertion::<Network>(&[("id", id(1).into())]),
            insertion::<Port>(&[
                ("id", id(2).into()),
                ("network_id", id(1).into()),
                ("host_id", "h1".into()),
            ]),
            insertion::<Router>(&[("id", id(3).into()), ("l3_host", "h1".into())]),
            insertion::<Router>(&[("id", id(4).into())]),
        ],
    )
    .await;
    for (scope, h1) in [
        (Scope::Host("h1".into()), true),
        (Scope::Host("h3".into()), false),
        (Scope::Network(id(1).parse().unwrap()), true),
        (Scope::Network(id(9).parse().unwrap()), false),
        (Scope::Router(id(3).parse().unwrap()), true),
        (Scope::Router(id(4).parse().unwrap()), false),
    ] {
        assert_eq!(store.serves(&"h1".into(), &scope).await.unwrap(), h1, "{scope}");
        assert!(!store.serves(&"h2".into(), &scope).await.unwrap(), "{scope}");
    }
}

async fn a_host_hears_of_its_duties_after_its_last_agent_was_forgotten(database: &Database) {
    let store = database.migrated().await;
    let settings = Settings::default();
    store.heartbeat(&beat("198.51.100.1"), &settings, "2026-01-02T03:00:00Z").await.unwrap();
    let mut writes: Vec<Write> = Vec::new();
    for row in store.list(Agent::declaration(), &Listing::default()).await.unwrap() {
        let id = row.text("id").to_owned();
        writes.push(Write::Delete { declaration: Agent::declaration(), id });
    }
    writes.push(Write::TouchHosts);
    assert_eq!(commit(&store, writes).await, [(Scope::Host("h1".into()), Revision(1))]);
}
