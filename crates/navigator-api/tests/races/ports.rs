//! Forwards that race for the ports of one address.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use futures::future::{BoxFuture, join_all};
use serde_json::{Value, json};

use crate::{
    audit,
    cloud::{Backend, Cloud, text},
    relay::{Gate, Verdict},
    seed::{Random, seed},
    servers::Servers,
};

/// External ports that there are for all.
const FIRST: usize = 20_000;
const PORTS: usize = 100;
const SERVERS: usize = 3;
/// On the gateway's address, and as many on a floating IP.
const REQUESTS: usize = 500;

pub(crate) struct Open;

impl Gate for Open {
    fn ask(&self, _executes: bool) -> BoxFuture<'_, Verdict> {
        Box::pin(async { Verdict::Pass })
    }

    fn answered(&self) {}
}

/// One forward that somebody wants.
struct Wish {
    protocol: &'static str,
    first: usize,
    last: usize,
    body: Value,
}

impl Wish {
    /// Every port is asked for alone at least once, so that in the end none is free.
    fn new(index: usize, kind: &str, target: &Value, random: &mut Random) -> Self {
        let protocol = if index.is_multiple_of(2) { "tcp" } else { "udp" };
        let alone = index / 2;
        let (first, last) = if alone < PORTS {
            (alone, alone)
        } else {
            let first = random.below(PORTS);
            (first, (first + random.below(6)).min(PORTS - 1))
        };
        let (first, last) = (FIRST + first, FIRST + last);
        let mut wish = json!({
            "protocol": protocol,
            // Of its own, so that only the external side is fought for.
            "internal_port": 1000 + index,
            "internal_port_id": target["id"],
            "internal_ip_address": target["fixed_ips"][0]["ip_address"],
        });
        if first == last {
            wish["external_port"] = json!(first);
        } else {
            wish["external_port_range"] = json!(format!("{first}:{last}"));
        }
        Self { protocol, first, last, body: json!({ kind: wish }) }
    }

    fn ports(&self) -> impl Iterator<Item = (&'static str, usize)> {
        (self.first..=self.last).map(|port| (self.protocol, port))
    }
}

/// All wishes at once, on the servers in turn; what each was told. A server that is too busy says
/// when to come back, and clients do.
async fn race(servers: &Servers, path: &str, wishes: &[Wish]) -> Vec<(u16, String)> {
    let (start, busy) = (Instant::now(), AtomicUsize::new(0));
    let told = wishes.iter().enumerate().map(async |(index, wish)| {
        let server: &Cloud = &servers.gated[index % SERVERS];
        loop {
            let answer = server.post("alice", path, &wish.body).await;
            if answer.status != 503 || !answer.headers.contains_key("retry-after") {
                return (answer.status, answer.error_type().to_owned());
            }
            busy.fetch_add(1, Ordering::Relaxed);
        }
    });
    let told = join_all(told).await;
    let busy = busy.into_inner();
    println!("{} requests in {:?}, {busy} came twice", wishes.len(), start.elapsed());
    told
}

fn shuffle<T>(items: &mut [T], random: &mut Random) {
    for index in (1..items.len()).rev() {
        items.swap(index, random.below(index + 1));
    }
}

/// Who won has its ports alone, who lost wanted one that is another's, and nothing is left over.
fn check(wishes: &[Wish], told: &[(u16, String)], refusal: &str) {
    let mut taken = BTreeSet::new();
    for (wish, (status, error)) in wishes.iter().zip(told) {
        match status {
            201 => assert!(wish.ports().all(|port| taken.insert(port)), "two have {}", wish.first),
            _ => assert_eq!((*status, error.as_str()), (400, refusal)),
        }
    }
    for (wish, _) in wishes.iter().zip(told).filter(|(_, (status, _))| *status != 201) {
        assert!(wish.ports().any(|port| taken.contains(&port)), "{} was free", wish.first);
    }
    assert_eq!(taken.len(), 2 * PORTS);
}

/// External ports that the list shows, as protocol and port.
async fn listed(cloud: &Cloud, path: &str, kind: &str) -> BTreeSet<(String, usize)> {
    let body = cloud.get("alice", path).await.expect(200);
    let mut shown = BTreeSet::new();
    for forwarding in body[kind].as_array().unwrap() {
        let range = text(&forwarding["external_port_range"]);
        let (first, last) = range.split_once(':').unwrap();
        for port in first.parse::<usize>().unwrap()..=last.parse().unwrap() {
            assert!(shown.insert((text(&forwarding["protocol"]).to_owned(), port)), "{range}");
        }
    }
    shown
}

async fn thousand_forwards_race_for_a_hundred_ports(backend: Backend) {
    let gates = (0..SERVERS).map(|_| Arc::new(Open) as Arc<dyn Gate>).collect();
    let servers = Servers::start(backend, gates).await;
    let cloud = &servers.direct;
    let site = cloud.site().await;
    let target =
        cloud.create("alice", "ports", "port", json!({"network_id": site.network["id"]})).await;
    let floating_ip = json!({"floating_network_id": site.external["id"]});
    let floating_ip = cloud.create("alice", "floatingips", "floatingip", floating_ip).await;

    let mut random = Random::new(seed());
    let mut wishes = |kind: &str, target: &Value| {
        let mut wishes: Vec<Wish> =
            (0..REQUESTS).map(|index| Wish::new(index, kind, target, &mut random)).collect();
        shuffle(&mut wishes, &mut random);
        wishes
    };
    let gateway = (site.forwardings(), wishes("gateway_port_forwarding", &site.port));
    let path = format!("/v2.0/floatingips/{}/port_forwardings", text(&floating_ip["id"]));
    let floating = (path, wishes("port_forwarding", &target));

    let at_gateway = race(&servers, &gateway.0, &gateway.1).await;
    let at_floating = race(&servers, &floating.0, &floating.1).await;
    check(&gateway.1, &at_gateway, "RouterGatewayPortForwardingAlreadyExists");
    check(&floating.1, &at_floating, "BadRequest");
    for (path, kind) in
        [(&gateway.0, "gateway_port_forwardings"), (&floating.0, "port_forwardings")]
    {
        assert_eq!(listed(cloud, path, kind).await.len(), 2 * PORTS);
    }
    let claims = servers
        .database()
        .query(
            "SELECT CAST(count(*) AS TEXT) FROM port_claims \
             WHERE port BETWEEN 20000 AND 20099 GROUP BY holder, protocol",
        )
        .await;
    assert_eq!(claims, vec![PORTS.to_string(); 4]);
    audit::check(&servers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    thousand_forwards_race_for_a_hundred_ports(Backend::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    thousand_forwards_race_for_a_hundred_ports(Backend::Sqlite).await;
}
