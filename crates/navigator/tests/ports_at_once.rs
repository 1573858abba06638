//! Three server processes on one PostgreSQL, and a thousand ports that are wanted at the same moment:
//! every address is given once, the last ones are refused by the right error, and no request fails
//! for another reason.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    collections::{BTreeMap, HashSet},
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use navigator_testkit::{Postgres, Server, Site};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};

const SERVERS: usize = 3;
const PORTS: usize = 1000;
/// Addresses of a /22 less the network's, the broadcast's and the gateway's.
const ROOM: usize = 1021;
/// Requests after the first thousand: more than there is room for.
const LATE: usize = 100;
/// What the thousand may take on a busy machine; the goal is a sixth of it.
const LIMIT: Duration = Duration::from_secs(60);

/// Status and body of a POST on a connection of its own.
fn post(to: SocketAddr, path: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let mut stream = TcpStream::connect(to).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer of HTTP");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

fn created(to: SocketAddr, collection: &str, name: &str, attributes: Value) -> String {
    let (status, answer) = post(to, &format!("/v2.0/{collection}"), &json!({ name: attributes }));
    assert_eq!(status, 201, "{answer}");
    answer[name]["id"].as_str().unwrap().to_owned()
}

/// That many POSTs of a port at the same moment, each to the next server.
fn ports_at_once(servers: &[Server], network: &str, count: usize) -> Vec<(u16, Value)> {
    let body = json!({"port": {"network_id": network}});
    let ready = Barrier::new(count);
    thread::scope(|scope| {
        let ask = |index: usize| {
            let (body, ready, to) = (&body, &ready, servers[index % SERVERS].address);
            let ask = move || {
                ready.wait();
                post(to, "/v2.0/ports", body)
            };
            thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, ask).unwrap()
        };
        let asked: Vec<_> = (0..count).map(ask).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    })
}

/// How often each status and error was answered.
fn tally(answers: &[(u16, Value)]) -> BTreeMap<(u16, String), usize> {
    let mut tally = BTreeMap::new();
    for (status, body) in answers {
        let error = body["NeutronError"]["type"].as_str().unwrap_or_default().to_owned();
        *tally.entry((*status, error)).or_default() += 1;
    }
    tally
}

#[test]
fn a_thousand_ports_at_once_get_a_thousand_addresses_and_the_rest_is_refused_exactly() {
    // The usual limit leaves little room beside a thousand sockets.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
    let site = Site::new();
    let database = Postgres::shared().database();
    let config = format!("[server]\ndatabase = '{database}'\n\n[quotas]\nport = -1\n");
    let start = |number| Server::start(site.path(), &format!("server-{number}"), &config);
    let servers: Vec<Server> = (0..SERVERS).map(start).collect();
    let to = servers[0].address;
    let network = created(to, "networks", "network", json!({"name": "crowd"}));
    let subnet = json!({
        "network_id": network, "ip_version": 4, "cidr": "10.0.0.0/22", "enable_dhcp": false});
    created(to, "subnets", "subnet", subnet);

    let start = Instant::now();
    let answers = ports_at_once(&servers, &network, PORTS);
    let took = start.elapsed();
    println!("{PORTS} ports by {SERVERS} servers in {took:?}");
    assert_eq!(tally(&answers), BTreeMap::from([((201, String::new()), PORTS)]));
    assert!(took < LIMIT, "{took:?}");

    let late = ports_at_once(&servers, &network, LATE);
    let refused = (409, "IpAddressGenerationFailure".to_owned());
    let expected =
        BTreeMap::from([((201, String::new()), ROOM - PORTS), (refused, PORTS + LATE - ROOM)]);
    assert_eq!(tally(&late), expected);

    let addresses: HashSet<String> = answers
        .iter()
        .chain(&late)
        .filter(|(status, _)| *status == 201)
        .map(|(_, body)| body["port"]["fixed_ips"][0]["ip_address"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(addresses.len(), ROOM, "each address is given once");
}
