//! The story, chapter by chapter. Every chapter returns an error at the first untruth.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use super::{chapter, check, client, eventually, forward::Forward, say};
use crate::{
    Api, EchoServer, LabError, Namespaces, Traffic, TrafficPlan,
    lab::{
        CLIENT_HOST, Lab, NODE_HOST, OUTSIDE, OUTSIDE_HOST,
        cloud::{Port, parsed},
        hosts::page,
    },
};

/// Longest wait for a change to reach the kernel. It takes milliseconds; this is for busy machines.
const LIMIT: Duration = Duration::from_secs(5);
const WEB_PORT: u16 = 8080;
const ECHO_PORT: u16 = 7007;

const MAKE: &[&str] = &[
    "network create --external --provider-network-type flat --provider-physical-network external \
     outside -c name -c id",
    "subnet create --network outside --subnet-range 203.0.113.0/24 --gateway 203.0.113.1 --no-dhcp \
     --allocation-pool start=203.0.113.100,end=203.0.113.199 outside -c name -c cidr -c gateway_ip",
    "network create private -c name -c id",
    "subnet create --network private --subnet-range 10.0.0.0/24 private -c name -c cidr",
    "router create --external-gateway outside router -c name -c id",
    "router add subnet router private",
    "port create --network private --host node --device-owner compute:demo --device web1 web1 \
     -c name -c fixed_ips",
    "port create --network private --host node --device-owner compute:demo --device web2 web2 \
     -c name -c fixed_ips",
    "router show router -c name -c status -c external_gateway_info",
];

const UNMAKE: &[&str] = &[
    "router remove subnet router private",
    "router unset --external-gateway router",
    "router delete router",
    "port delete web1 web2",
    "network delete private outside",
];

/// What the chapters speak of.
struct Cast {
    router_id: String,
    gateway: Ipv4Addr,
    web1: Port,
    web2: Port,
}

pub(super) fn tell(lab: &mut Lab) -> Result<(), LabError> {
    chapter("A network node that runs Navigator, and the world outside of it");
    let binary = std::env::current_exe().map_err(LabError::io("find the navigator binary"))?;
    let took = lab.start_navigator(&binary)?;
    say(format!("Navigator answers after {} ms", took.as_millis()));

    chapter("A network, a router and two ports, by the stock openstack client");
    client::run(lab, MAKE)?;
    let cast = meet(&mut lab.api()?)?;

    chapter("Two instances, which get their addresses by DHCP");
    for (name, port) in [("web1", &cast.web1), ("web2", &cast.web2)] {
        let address = lab.boot(name, (port.id, port.mac_address))?;
        check(address == port.ip_address, || format!("{name} got {address}, not {port:?}"))?;
        say(format!("{name} has {address}"));
    }

    let web = forwards(lab, &cast)?;
    outwards(lab, &cast)?;
    hairpin(lab, &cast)?;
    retarget(lab, &cast, &web)?;
    let echo = survive(lab, &cast)?;
    delete(lab, &cast, [web, echo])?;
    clean_up(lab)
}

/// Reads what the client has made.
fn meet(api: &mut Api) -> Result<Cast, LabError> {
    let mut port = |name: &str| -> Result<Port, LabError> {
        let ports = api.expect(200, "GET", &format!("/v2.0/ports?name={name}"), None)?;
        Port::parse(&ports["ports"][0])
    };
    let (web1, web2) = (port("web1")?, port("web2")?);
    let routers = api.expect(200, "GET", "/v2.0/routers?name=router", None)?;
    let address = "/routers/0/external_gateway_info/external_fixed_ips/0/ip_address";
    let (router_id, gateway) = (parsed(&routers, "/routers/0/id")?, parsed(&routers, address)?);
    say(format!("the router's own gateway address is {gateway}: the only public address here"));
    Ok(Cast { router_id, gateway, web1, web2 })
}

fn forwards(lab: &Lab, cast: &Cast) -> Result<Forward, LabError> {
    chapter("One port of the router's own address leads to an instance");
    let api = &mut lab.api()?;
    let web = Forward::create(api, &cast.router_id, WEB_PORT, (&cast.web1, 80))?;
    let client = lab.host(CLIENT_HOST)?;
    let took = expect_page(&client, cast.gateway, "web1")?;
    say(format!(
        "outside$ curl http://{}:{WEB_PORT}/  →  {}   ({} ms after the POST was answered)",
        cast.gateway,
        page("web1").trim(),
        took.as_millis()
    ));
    eventually("status ACTIVE", LIMIT, || {
        let shown = web.show(api).map_err(|error| error.to_string())?;
        if shown["status"] == "ACTIVE" { Ok(()) } else { Err(shown.to_string()) }
    })?;
    say("its status is ACTIVE: the agent has reported it");
    Ok(web)
}

fn outwards(lab: &Lab, cast: &Cast) -> Result<(), LabError> {
    chapter("The instance reaches the world; the world sees the router's address");
    let address = SocketAddr::from((OUTSIDE, ECHO_PORT));
    let server = EchoServer::start(&lab.host(OUTSIDE_HOST)?, address)?;
    let plan = TrafficPlan { target: address, tcp_connections: 1, udp_flows: 1, interval_ms: 10 };
    let ledger = Traffic::start(&lab.host("web1")?, plan)?.stop();
    check(ledger.is_clean(), || format!("traffic outwards: {ledger}"))?;
    let expected = [IpAddr::from(cast.gateway)];
    check(server.peers().iter().eq(&expected), || {
        format!("seen from outside: {:?}", server.peers())
    })?;
    say(format!("TCP and UDP from {} arrive from {}", cast.web1.ip_address, cast.gateway));
    Ok(())
}

fn hairpin(lab: &Lab, cast: &Cast) -> Result<(), LabError> {
    chapter("Instances may use the public address too");
    for name in ["web2", "web1"] {
        expect_page(&lab.host(name)?, cast.gateway, "web1")?;
        say(format!(
            "{name}$ curl http://{}:{WEB_PORT}/  →  {}",
            cast.gateway,
            page("web1").trim()
        ));
    }
    Ok(())
}

fn retarget(lab: &Lab, cast: &Cast, web: &Forward) -> Result<(), LabError> {
    chapter("The forward moves to the other instance");
    web.retarget(&mut lab.api()?, &cast.web2)?;
    let took = expect_page(&lab.host(CLIENT_HOST)?, cast.gateway, "web2")?;
    say(format!("outside$ curl  →  {}   ({} ms)", page("web2").trim(), took.as_millis()));
    Ok(())
}

fn survive(lab: &Lab, cast: &Cast) -> Result<Forward, LabError> {
    chapter("Navigator is killed while a connection is in use");
    let inside = SocketAddr::from((cast.web1.ip_address, ECHO_PORT));
    let _server = EchoServer::start(&lab.host("web1")?, inside)?;
    let (router_id, to) = (&cast.router_id, (&cast.web1, ECHO_PORT));
    let echo = Forward::create(&mut lab.api()?, router_id, ECHO_PORT, to)?;
    let target = SocketAddr::from((cast.gateway, ECHO_PORT));
    let client = lab.host(CLIENT_HOST)?;
    eventually("the second forward", LIMIT, || {
        connect(&client, target).map_err(|e| e.to_string())
    })?;
    let plan = TrafficPlan { target, tcp_connections: 20, udp_flows: 0, interval_ms: 10 };
    let traffic = Traffic::start(&client, plan)?;
    std::thread::sleep(Duration::from_millis(300));
    lab.kill_navigator()?;
    say("kill -9: the API is gone, 20 connections go on");
    expect_page(&client, cast.gateway, "web2")?;
    say("new connections are forwarded as well");
    std::thread::sleep(Duration::from_millis(300));
    let binary = std::env::current_exe().map_err(LabError::io("find the navigator binary"))?;
    let took = lab.start_navigator(&binary)?;
    std::thread::sleep(Duration::from_millis(700));
    let ledger = traffic.stop();
    check(ledger.is_clean(), || format!("connections suffered: {ledger}"))?;
    say(format!("back after {} ms", took.as_millis()));
    say(format!("{ledger}"));
    Ok(echo)
}

fn delete(lab: &Lab, cast: &Cast, forwards: [Forward; 2]) -> Result<(), LabError> {
    chapter("Without the forwards, nobody answers");
    let api = &mut lab.api()?;
    for forward in forwards {
        forward.delete(api)?;
    }
    let client = lab.host(CLIENT_HOST)?;
    for port in [WEB_PORT, ECHO_PORT] {
        let target = SocketAddr::from((cast.gateway, port));
        eventually("connection refused", LIMIT, || match connect(&client, target) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => Err(format!("{other:?}")),
        })?;
        say(format!("outside$ curl http://{target}/  →  connection refused"));
    }
    Ok(())
}

fn clean_up(lab: &Lab) -> Result<(), LabError> {
    chapter("Everything is deleted, and nothing is left in the kernel");
    client::run(lab, UNMAKE)?;
    let networks = lab.api()?.expect(200, "GET", "/v2.0/networks", None)?;
    check(networks["networks"] == serde_json::json!([]), || format!("left: {networks}"))?;
    let node = lab.host(NODE_HOST)?;
    eventually("the end of all namespaces", LIMIT, || {
        let left = node.run(&["ip", "netns", "list"]).map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(left) }
    })?;
    say("the node has no namespace left");
    Ok(())
}

/// Fetches the page with curl, from inside, until it is the one of `name`.
fn expect_page(from: &Namespaces, gateway: Ipv4Addr, name: &str) -> Result<Duration, LabError> {
    let url = format!("http://{gateway}:{WEB_PORT}/");
    let argv = ["curl", "--silent", "--show-error", "--max-time", "2", "--noproxy", "*", &url];
    eventually(&format!("the page of {name} at {url}"), LIMIT, || match from.run(&argv) {
        Ok(text) if text == page(name) => Ok(()),
        Ok(text) => Err(text),
        Err(error) => Err(error.to_string()),
    })
}

fn connect(from: &Namespaces, to: SocketAddr) -> std::io::Result<()> {
    let limit = Duration::from_secs(1);
    let connected = from.thread(move || TcpStream::connect_timeout(&to, limit));
    connected.map_err(std::io::Error::other)?.map(drop)
}
