//! The agent dies after its n-th write to the kernel, for every n of what makes and removes
//! networks, routers, floating IPs and forwards. Started again it ends what was begun, and nothing
//! is left of what is deleted.

// A test fails by panicking, its helpers too.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::{Duration, Instant};

use navigator_testkit::{
    Api, Host, Navigator, Site, apart,
    cloud::{Hosts, Tenant, call, create, eventually, text, wait_active, wait_for_agents},
};
use serde_json::{Value, json};

/// For what a crash left.
const GOAL: Duration = Duration::from_secs(10);
/// What no noise of the machine reaches.
const LIMIT: Duration = Duration::from_secs(60);
/// An agent that lives this long with everything in place makes no more writes: the last ones of a
/// change (statistics, connections) are not in the inventory.
const QUIET: Duration = Duration::from_secs(1);
const CRASH: &str = "NAVIGATOR_CRASH_AFTER_WRITES";

/// Something that is made and deleted by the API, with what it needs.
struct Scenario {
    name: &'static str,
    prepare: fn(&mut Api) -> Value,
    make: fn(&mut Api, &Value) -> Value,
    delete: fn(&mut Api, &Value),
    /// So many writes it costs at least: otherwise the crashes did not happen.
    writes: [u64; 2],
}

/// The agent on its node, while the server stays up elsewhere.
struct World<'a> {
    api: Api,
    node: &'a Host,
    agent: Navigator<'a>,
    crashes: u32,
    slowest: Duration,
}

impl World<'_> {
    /// Everything of Navigator on the node, counted: ids differ from round to round.
    fn inventory(&self) -> String {
        let agent = self.node.dir().join("agent");
        let script = format!(
            "cd {}; ip netns list | wc -l; ip -br link | sed 's/^\\(tap\\|brq\\|vxlan\\).*/\\1/' \
             | sort | uniq -c; bridge link | wc -l; pgrep -c dnsmasq; \
             ls router/* network/* 2>/dev/null | grep -v leases | grep -c '[a-z]'; \
             ls replica | sed 's/[.].*//' | sort -u | wc -l; \
             for n in $(ip netns list | sed 's/ .*//'); do ip netns exec $n sh -c \
             'ip -br link | wc -l; ip -4 -o address | wc -l; ip route | wc -l; nft list table ip navigator 2>&1 | wc -l; \
             sysctl net.ipv4.ip_forward'; done; true",
            agent.display()
        );
        self.node.run(&["sh", "-c", &script]).unwrap()
    }

    fn launch(&mut self, crash_after: Option<u64>) {
        self.agent.kill9();
        let limit = crash_after.map(|n| (CRASH.to_owned(), n.to_string()));
        self.agent.environment = limit.into_iter().collect();
        self.agent.launch();
    }

    fn has_died(&self) -> bool {
        self.agent.process().is_some_and(|process| process.exited().unwrap().is_some())
    }

    /// Waits until the node has exactly this, starting a dead agent again. Whether it had died.
    fn until(&mut self, wanted: &str, what: &str) -> bool {
        let (mut start, mut died) = (Instant::now(), false);
        let mut since = None;
        loop {
            if self.has_died() {
                assert!(!died, "{what}: died a second time");
                self.launch(None);
                (start, died) = (Instant::now(), true);
                self.crashes += 1;
            }
            let now = self.inventory();
            if now == wanted && !self.has_died() {
                if died || since.get_or_insert_with(Instant::now).elapsed() >= QUIET {
                    break;
                }
                continue;
            }
            assert!(start.elapsed() < LIMIT, "{what}: wanted\n{wanted}\nfound\n{now}");
        }
        if died {
            self.slowest = self.slowest.max(start.elapsed());
        }
        died
    }

    /// Waits until the node has no such namespace (any more).
    fn wait_until_gone(&self, namespace: &str) {
        eventually(&format!("the end of {namespace}"), || {
            let left = self.node.run(&["ip", "netns", "list"]).unwrap();
            if left.contains(namespace) { Err(left) } else { Ok(()) }
        });
    }

    /// Waits until what was made is reported as applied: networks and routers say so by their ports.
    fn wait_until_applied(&mut self, made: &Value) {
        for path in made["paths"].as_array().into_iter().flatten() {
            wait_active(&mut self.api, path.as_str().unwrap());
        }
        eventually("all ports of the node are ACTIVE", || {
            let answer = call(&mut self.api, 200, "GET", "ports?binding:host_id=node", None);
            let mut ports = answer["ports"].as_array().unwrap().iter();
            let active = ports.all(|port| port["status"] == "ACTIVE");
            if active { Ok(()) } else { Err(answer.to_string()) }
        });
    }

    /// What it looks like when nothing goes wrong: the same several times.
    fn settled(&self) -> String {
        let (mut last, mut same) = (self.inventory(), 0);
        while same < 5 {
            std::thread::sleep(Duration::from_millis(100));
            let now = self.inventory();
            same = if now == last { same + 1 } else { 0 };
            last = now;
        }
        last
    }
}

fn survive(scenario: &Scenario) {
    let site = Site::new();
    let hosts = Hosts::make(&site);
    let control = apart::control(&site, &hosts.node);
    let _server = apart::server(&control);
    let agent = apart::agent(&hosts.node, &hosts.node.dir().join("agent"));
    let mut api = apart::api(&control);
    wait_for_agents(&mut api);
    let base = (scenario.prepare)(&mut api);
    let mut world = World { api, node: &hosts.node, agent, crashes: 0, slowest: Duration::ZERO };
    if let Some(namespace) = base["gone"].as_str() {
        world.wait_until_gone(namespace);
    }
    let without = world.settled();
    let made = (scenario.make)(&mut world.api, &base);
    world.wait_until_applied(&made);
    let with = world.settled();
    assert_ne!(with, without);
    (scenario.delete)(&mut world.api, &made);
    world.until(&without, "without a crash");
    let mut survived = [None; 2];
    for n in 0.. {
        world.launch(Some(n));
        let made = (scenario.make)(&mut world.api, &base);
        let what = format!("{}: made with a crash after {n} writes", scenario.name);
        if !world.until(&with, &what) {
            survived[0].get_or_insert(n);
        }
        world.launch(Some(n));
        (scenario.delete)(&mut world.api, &made);
        let what = format!("{}: deleted with a crash after {n} writes", scenario.name);
        if !world.until(&without, &what) {
            survived[1].get_or_insert(n);
        }
        if survived.iter().all(Option::is_some) {
            break;
        }
    }
    let [make, delete] = survived.map(Option::unwrap);
    println!(
        "T20: {}: crashes after each of {make} writes of making and {delete} of deleting ({} in \
         all): 0 leaks, slowest {} ms after the restart (goal {} ms)",
        scenario.name,
        world.crashes,
        world.slowest.as_millis(),
        GOAL.as_millis()
    );
    assert!(make >= scenario.writes[0] && delete >= scenario.writes[1], "{survived:?}");
}

fn make_network(api: &mut Api, _: &Value) -> Value {
    let network = create(api, "networks", "network", json!({"name": "private"}));
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"});
    create(api, "subnets", "subnet", subnet);
    network
}

#[test]
fn a_crash_at_any_write_of_a_network_with_dhcp_leaves_nothing() {
    survive(&Scenario {
        name: "network with DHCP",
        prepare: |_| Value::Null,
        make: make_network,
        delete: |api, network| {
            call(api, 204, "DELETE", &format!("networks/{}", text(network, "/id")), None);
        },
        writes: [8, 5],
    });
}

fn make_router(api: &mut Api, base: &Value) -> Value {
    let gateway = json!({"external_gateway_info": {"network_id": base["external_network"]}});
    let router = create(api, "routers", "router", gateway);
    let path = format!("routers/{}/add_router_interface", text(&router, "/id"));
    call(api, 200, "PUT", &path, Some(&json!({"subnet_id": base["subnet"]})));
    json!({"router": router["id"], "subnet": base["subnet"]})
}

#[test]
fn a_crash_at_any_write_of_a_router_leaves_nothing() {
    survive(&Scenario {
        name: "router",
        prepare: |api| {
            let tenant = Tenant::make(api);
            let (subnet, external_network) = (tenant.subnet, tenant.external_network);
            let made = json!({"router": tenant.router, "subnet": subnet});
            delete_router(api, &made);
            let gone = format!("qrouter-{}", tenant.router);
            json!({"subnet": subnet, "external_network": external_network, "gone": gone})
        },
        make: make_router,
        delete: delete_router,
        writes: [15, 4],
    });
}

fn delete_router(api: &mut Api, made: &Value) {
    let path = format!("routers/{}", text(made, "/router"));
    let interface = json!({"subnet_id": made["subnet"]});
    call(api, 200, "PUT", &format!("{path}/remove_router_interface"), Some(&interface));
    call(api, 204, "DELETE", &path, None);
}

fn make_forwards(api: &mut Api, base: &Value) -> Value {
    let path = format!("routers/{}/gateway_port_forwardings", text(base, "/router"));
    let body = json!({"external_port_range": "2000:2009", "internal_port_range": "2000:2009",
        "protocol": "tcp", "internal_port_id": base["ports"][0]});
    let range = create(api, &path, "gateway_port_forwarding", body);
    let body = json!({"external_port": 3000, "internal_port": 3000, "protocol": "tcp",
        "internal_port_id": base["ports"][0], "allowed_cidrs": ["203.0.113.0/24"],
        "source_nat": "always"});
    let forward = create(api, &path, "gateway_port_forwarding", body);
    let paths = [range, forward].map(|forward| format!("{path}/{}", text(&forward, "/id")));
    let body =
        json!({"floating_network_id": base["external_network"], "port_id": base["ports"][1]});
    let floating_ip = create(api, "floatingips", "floatingip", body);
    json!({"paths": [paths[0], paths[1], format!("floatingips/{}", text(&floating_ip, "/id"))]})
}

#[test]
fn a_crash_at_any_write_of_forwards_and_floating_ips_leaves_nothing() {
    survive(&Scenario {
        name: "forwards and floating IPs",
        prepare: |api| {
            let tenant = Tenant::make(api);
            let ports = ["a", "b"].map(|name| {
                let body = json!({"network_id": tenant.network, "name": name});
                create(api, "ports", "port", body)["id"].take()
            });
            json!({"router": tenant.router, "external_network": tenant.external_network,
                "ports": ports})
        },
        make: make_forwards,
        delete: |api, made| {
            for path in made["paths"].as_array().unwrap() {
                call(api, 204, "DELETE", path.as_str().unwrap(), None);
            }
        },
        writes: [3, 2],
    });
}
