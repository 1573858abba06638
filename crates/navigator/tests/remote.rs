//! Server and agent as processes on hosts of their own, with the stream between them cut while
//! things change.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use navigator_testkit::{
    Api, EchoServer, Host, Namespaces, Navigator, Site, apart,
    cloud::{Hosts, Plugged, Tenant, call, create, eventually, text, wait_active},
};
use serde_json::{Value, json};

const PORT: u16 = 7;

fn connect(from: &Namespaces, target: (Ipv4Addr, u16)) -> Result<(), String> {
    connect_within(Duration::from_millis(200), from, target)
}

fn connect_within(
    limit: Duration,
    from: &Namespaces,
    target: (Ipv4Addr, u16),
) -> Result<(), String> {
    let target = SocketAddr::from(target);
    let connected = from.thread(move || TcpStream::connect_timeout(&target, limit)).unwrap();
    connected.map(drop).map_err(|error| error.to_string())
}

/// A router with an instance behind it, whose server is elsewhere.
struct World<'a> {
    control: &'a Host,
    hosts: &'a Hosts,
    tenant: Tenant,
    instance: Plugged,
    _processes: [Navigator<'a>; 2],
    _echo: EchoServer,
}

impl<'a> World<'a> {
    fn make(site: &Site, hosts: &'a Hosts, control: &'a Host) -> Self {
        let server = apart::server(control);
        let agent = apart::agent(&hosts.node, &hosts.node.dir().join("agent"));
        let api = &mut apart::api(control);
        let tenant = Tenant::make(api);
        let instance = tenant.instance(api, site, &hosts.node, "echo");
        let echo = EchoServer::start(&instance.host, (instance.ip, PORT).into()).unwrap();
        Self { control, hosts, tenant, instance, _processes: [server, agent], _echo: echo }
    }

    fn api(&self) -> Api {
        apart::api(self.control)
    }

    fn forward_to(&self, external_port: u16, internal_port: u16) -> Value {
        json!({"external_port": external_port, "internal_port": internal_port, "protocol": "tcp",
            "internal_port_id": self.instance.port})
    }

    fn path(&self, forward: &Value) -> String {
        format!("{}/{}", self.tenant.gateway_forwards(), text(forward, "/id"))
    }

    fn reached(&self, port: u16) -> Duration {
        let target = (self.tenant.gateway, port);
        eventually(&format!("{target:?}"), || connect(&self.hosts.client, target))
    }

    fn refused(&self, port: u16) -> Duration {
        let target = (self.tenant.gateway, port);
        eventually(&format!("{target:?} is refused"), || {
            match connect(&self.hosts.client, target) {
                Err(reason) if reason.contains("refused") => Ok(()),
                other => Err(format!("{other:?}")),
            }
        })
    }

    /// Cuts the stream, moves a forward, mends: how long until the kernel has it.
    fn converges_after_a_cut_of(&self, cut: Duration) {
        let api = &mut self.api();
        let old = self.tenant.forward(api, self.forward_to(2000, PORT));
        self.reached(2000);
        let old = self.path(&old);
        wait_active(api, &old);
        apart::cut(&self.hosts.node);
        let kept = self.tenant.forward(api, self.forward_to(2001, PORT + 1));
        call(api, 204, "DELETE", &old, None);
        std::thread::sleep(cut);
        // What is known goes on meanwhile.
        let (client, known) = (&self.hosts.client, (self.tenant.gateway, 2000));
        let reached = || connect_within(Duration::from_secs(2), client, known);
        reached().or_else(|_| reached()).or_else(|_| reached()).unwrap();
        let _echo = EchoServer::start(&self.instance.host, (self.instance.ip, PORT + 1).into());
        apart::mend(&self.hosts.node);
        let start = Instant::now();
        self.reached(2001);
        let made = start.elapsed();
        self.refused(2000);
        let removed = start.elapsed();
        wait_active(api, &self.path(&kept));
        println!(
            "T11: stream cut for {} s: new forward {} ms after, deleted one gone {} ms after, \
             status {} ms after (goal 1000 ms)",
            cut.as_secs(),
            made.as_millis(),
            removed.as_millis(),
            start.elapsed().as_millis()
        );
        // Attempts that go on getting rarer would take half a minute by then.
        assert!(removed < Duration::from_secs(20), "{removed:?}");
    }
}

#[test]
fn a_server_elsewhere_is_as_good_as_one_beside_the_agent() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    let world = World::make(&site, &hosts, &control);
    let api = &mut world.api();
    let forward = world.tenant.forward(api, world.forward_to(2000, PORT));
    let took = world.reached(2000);
    println!("remote: forward works {} ms after its POST", took.as_millis());
    let forward = world.path(&forward);
    wait_active(api, &forward);
    let (id, floating) = world.tenant.floating_ip(api);
    let path = format!("floatingips/{id}/port_forwardings");
    let body = json!({"external_port": 90, "internal_port": PORT, "protocol": "tcp",
        "internal_port_id": world.instance.port, "internal_ip_address": world.instance.ip});
    create(api, &path, "port_forwarding", body);
    eventually("the floating IP's forward", || connect(&hosts.client, (floating, 90)));
    call(api, 204, "DELETE", &forward, None);
    world.refused(2000);
    wait_active(api, &format!("ports/{}", world.instance.port));
}

#[test]
fn a_stream_cut_for_eight_seconds_is_made_good_within_one() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    World::make(&site, &hosts, &control).converges_after_a_cut_of(Duration::from_secs(8));
}

#[test]
fn a_stream_cut_for_thirty_seconds_is_made_good_within_one() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    World::make(&site, &hosts, &control).converges_after_a_cut_of(Duration::from_secs(30));
}

#[test]
fn a_stream_cut_too_shortly_to_be_noticed_is_made_good_as_well() {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    World::make(&site, &hosts, &control).converges_after_a_cut_of(Duration::from_secs(2));
}
