//! Part e: requests per second and latency of the API, on both databases, and the memory of server
//! and agent as processes of their own.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use navigator_lab::{Api, Namespaces};
use navigator_testkit::{Navigator, Postgres};
use serde_json::{Value, json};

use crate::{
    cloud::{self, API, Cloud},
    figures::{heading, median, milliseconds, percentile, verdict},
    processes::Part,
};

const CONCURRENCY: &[usize] = &[1, 16];
const RUN: Duration = Duration::from_secs(4);
const PORTS: usize = 5_000;
/// Forwards in one go, and those that are there before the second go.
const SOME: usize = 100;
const SIBLINGS: usize = 2_000;
const SECRET: &str = "bench";
const GOAL_MB: f64 = 40.0;

/// One kind of request: method, path, and the body of the n-th one.
struct Case<'a> {
    name: &'a str,
    method: &'a str,
    path: String,
    body: &'a (dyn Fn(usize) -> Value + Sync),
}

pub(crate) fn run() -> anyhow::Result<()> {
    heading("e. The API, server and agent apart");
    println!(
        "{:<11} {:<30} {:>5} {:>9} {:>9} {:>9} {:>9}",
        "database", "request", "conc", "/s", "p50 ms", "p99 ms", "CPU ms"
    );
    let postgres = Postgres::start();
    for (name, database) in [("SQLite", None), ("PostgreSQL", Some(postgres.database()))] {
        on_database(name, database.as_deref())?;
    }
    println!();
    Ok(())
}

fn on_database(name: &str, database: Option<&str>) -> anyhow::Result<()> {
    let cloud = Cloud::new()?;
    let config = cloud.config_apart(database, SECRET);
    let server = Navigator::start(&cloud.node, "server", &config, API);
    let agent = Navigator::start(&cloud.node, "agent", &config, API);
    let mut api = server.api();
    navigator_testkit::cloud::wait_for_agents(&mut api);
    let idle = (resident_mb(&server)?, resident_mb(&agent)?);
    let external = cloud::external_network(&mut api)?;
    let router = cloud::router(&mut api, &external, cloud.node.name())?;
    let network = wide_network(&mut api)?;
    for _ in 0..PORTS / 500 {
        let ports = vec![json!({ "network_id": network }); 500];
        api.expect(201, "POST", "/v2.0/ports", Some(&json!({ "ports": ports })))?;
    }
    let floating_ip = json!({"floatingip": {"floating_network_id": external}});
    let floating_ip = api.expect(201, "POST", "/v2.0/floatingips", Some(&floating_ip))?;
    let floating_ip = cloud::text(&floating_ip["floatingip"]["id"]).to_owned();
    let case = |case: &Case<'_>| {
        CONCURRENCY
            .iter()
            .try_for_each(|&clients| measure(name, &cloud.node, case, &server, clients))
    };
    case(&Case {
        name: "create port",
        method: "POST",
        path: "/v2.0/ports".to_owned(),
        body: &|_| json!({"port": {"network_id": network}}),
    })?;
    case(&Case {
        name: "create network",
        method: "POST",
        path: "/v2.0/networks".to_owned(),
        body: &|_| json!({"network": {}}),
    })?;
    case(&Case {
        name: "show port",
        method: "GET",
        path: format!("/v2.0/ports/{}", cloud::text(&router.port["id"])),
        body: &|_| Value::Null,
    })?;
    case(&Case {
        name: "create floating IP forward",
        method: "POST",
        path: format!("/v2.0/floatingips/{floating_ip}/port_forwardings"),
        body: &|n| json!({"port_forwarding": cloud::forward(&router, n + 1, n + 1)}),
    })?;
    case(&Case {
        name: "create gateway forward",
        method: "POST",
        path: cloud::forwards_path(&router),
        body: &|n| json!({"gateway_port_forwarding": cloud::forward(&router, n + 1, n + 1)}),
    })?;
    let lonely = cloud::router(&mut api, &external, cloud.node.name())?;
    siblings(name, &mut api, &external, &lonely)?;
    case(&Case {
        name: "list 1,000 of 5,000 ports",
        method: "GET",
        path: "/v2.0/ports?limit=1000".to_owned(),
        body: &|_| Value::Null,
    })?;
    let (server_mb, agent_mb) = idle;
    let met = server_mb < GOAL_MB && agent_mb < GOAL_MB;
    println!(
        "{name:<11} resident, idle: server {server_mb:.0} MB, agent {agent_mb:.0} MB  {}",
        verdict(met.into(), "< 40 MB each")
    );
    println!(
        "{name:<11} resident, after the load: server {:.0} MB, agent {:.0} MB",
        resident_mb(&server)?,
        resident_mb(&agent)?
    );
    Ok(())
}

/// What a forward more costs where there are few of the same floating IP or of the router, which has
/// none yet, and where there are many.
fn siblings(
    database: &str,
    api: &mut Api,
    external: &str,
    router: &cloud::Router,
) -> anyhow::Result<()> {
    let floating_ip = json!({"floatingip": {"floating_network_id": external}});
    let floating_ip = api.expect(201, "POST", "/v2.0/floatingips", Some(&floating_ip))?;
    let path = format!(
        "/v2.0/floatingips/{}/port_forwardings",
        cloud::text(&floating_ip["floatingip"]["id"])
    );
    let gateway = (cloud::forwards_path(router), "gateway_port_forwarding", "gateway forward");
    for (path, name, shown) in [(path, "port_forwarding", "floating IP forward"), gateway] {
        let forward = |number: usize| cloud::forward(router, number + 1, number + 1);
        let some = |api: &mut Api, first: usize| -> anyhow::Result<f64> {
            let mut times = Vec::new();
            for number in first..first + SOME {
                let before = Instant::now();
                api.expect(201, "POST", &path, Some(&json!({ name: forward(number) })))?;
                times.push(milliseconds(before.elapsed()));
            }
            Ok(median(&mut times))
        };
        let few = some(api, 0)?;
        let many: Vec<Value> = (SOME..SOME + SIBLINGS).map(forward).collect();
        api.expect(201, "POST", &path, Some(&json!({ format!("{name}s"): many })))?;
        let full = some(api, SOME + SIBLINGS)?;
        println!(
            "{database:<11} {shown}: {few:.2} ms among few, {full:.2} ms beside {SIBLINGS} of the \
             same (p50)"
        );
    }
    Ok(())
}

/// A network that thousands of ports fit in.
fn wide_network(api: &mut Api) -> anyhow::Result<String> {
    let network = api.expect(201, "POST", "/v2.0/networks", Some(&json!({"network": {}})))?;
    let id = cloud::text(&network["network"]["id"]).to_owned();
    let subnet = json!({"subnet": {
        "network_id": id, "ip_version": 4, "cidr": "10.128.0.0/12", "enable_dhcp": false}});
    api.expect(201, "POST", "/v2.0/subnets", Some(&subnet))?;
    Ok(id)
}

fn measure(
    database: &str,
    node: &Namespaces,
    case: &Case<'_>,
    server: &Navigator<'_>,
    clients: usize,
) -> anyhow::Result<()> {
    // Numbers go on from one run to the next: ports of forwards are used once.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let expected = if case.method == "POST" { 201 } else { 200 };
    let (start, cpu) = (Instant::now(), cpu_ms(server)?);
    let client = || -> anyhow::Result<Vec<f64>> {
        let mut api = Api::new(node, API);
        let mut times = Vec::new();
        while start.elapsed() < RUN {
            let body = (case.body)(NUMBER.fetch_add(1, Relaxed) % 65_000);
            let text = if body.is_null() { None } else { Some(body.to_string()) };
            let before = Instant::now();
            let answer = api.request(case.method, &case.path, text.as_deref())?;
            times.push(milliseconds(before.elapsed()));
            if answer.status != expected {
                bail!("{} answered {}: {}", case.name, answer.status, answer.text());
            }
        }
        Ok(times)
    };
    let mut times = std::thread::scope(|scope| -> anyhow::Result<Vec<f64>> {
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        let mut times = Vec::new();
        for client in running {
            let Ok(ended) = client.join() else { bail!("a client's thread ended early") };
            times.append(&mut ended?);
        }
        Ok(times)
    })?;
    let cpu_each = (cpu_ms(server)? - cpu) / times.len() as f64;
    let per_second = times.len() as f64 / start.elapsed().as_secs_f64();
    println!(
        "{database:<11} {:<30} {clients:>5} {per_second:>9.0} {:>9.2} {:>9.2} {cpu_each:>9.2}",
        case.name,
        percentile(&mut times, 0.5),
        percentile(&mut times, 0.99),
    );
    Ok(())
}

/// What the server's process has used of the CPUs so far; its database's processes not counted.
fn cpu_ms(process: &Navigator<'_>) -> anyhow::Result<f64> {
    Part::new("server", process.process().context("a running process")?.pid()).cpu_ms()
}

/// VmRSS, in MB.
fn resident_mb(process: &Navigator<'_>) -> anyhow::Result<f64> {
    let pid = process.process().context("a running process")?.pid();
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).context("VmRSS")?;
    let kb: f64 = line.split_whitespace().nth(1).unwrap_or_default().parse()?;
    Ok(kb / 1024.0)
}
