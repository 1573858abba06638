//! Part f: a large cloud in PostgreSQL. Every list, by every filter that its attributes have, and how
//! long a creation takes compared with an empty database.

use std::time::Instant;

use anyhow::Context as _;
use navigator_lab::Api;
use navigator_testkit::{Navigator, Postgres};
use serde_json::{Value, json};

use crate::{
    cloud::{self, API, Cloud, text},
    figures::{heading, median, milliseconds, percentile, verdict},
};

const NETWORKS: usize = 1_000;
const PORTS_PER_NETWORK: usize = 100;
const ROUTERS: usize = 50;
const FORWARDS_PER_ROUTER: usize = 1_000;

/// Requests per list and filter.
const SAMPLES: usize = 40;
const CREATIONS: usize = 200;
const LIST_GOAL_MS: f64 = 50.0;
const CREATE_GOAL: f64 = 2.0;

pub(crate) fn run() -> anyhow::Result<()> {
    heading("f. A large cloud: 1,000 networks, 100,000 ports, 50,000 forwards in PostgreSQL");
    let postgres = Postgres::start();
    let cloud = Cloud::new()?;
    let config = cloud.config_apart(Some(&postgres.database()), "bench");
    let server = Navigator::start(&cloud.node, "server", &config, API);
    let mut api = server.api();
    let external = cloud::external_network(&mut api)?;
    let empty = creation(&mut api)?;
    let before = Instant::now();
    populate(&mut api, &external)?;
    println!("made in {:.0} s\n", before.elapsed().as_secs_f64());
    let full = creation(&mut api)?;
    let ratio = full / empty;
    println!(
        "create port: empty {empty:.2} ms, full {full:.2} ms (p50), ratio {ratio:.2}  {}\n",
        verdict((ratio <= CREATE_GOAL).into(), "<= 2")
    );
    println!("as an administrator, who sees everything:");
    lists(&mut api)?;
    println!("as a member of a project that has nothing:");
    let server = cloud.server_for_a_member(&config)?;
    lists(&mut cloud::as_member(&server))
}

/// Half of the creations take at most this long, in milliseconds.
fn creation(api: &mut Api) -> anyhow::Result<f64> {
    let network = api.expect(201, "POST", "/v2.0/networks", Some(&json!({"network": {}})))?;
    let network = network["network"]["id"].clone();
    let subnet = json!({"subnet": {
        "network_id": network, "ip_version": 4, "cidr": "10.200.0.0/16", "enable_dhcp": false}});
    api.expect(201, "POST", "/v2.0/subnets", Some(&subnet))?;
    let body = json!({"port": {"network_id": network}});
    let mut times = Vec::new();
    for _ in 0..CREATIONS {
        let start = Instant::now();
        api.expect(201, "POST", "/v2.0/ports", Some(&body))?;
        times.push(milliseconds(start.elapsed()));
    }
    Ok(median(&mut times))
}

fn populate(api: &mut Api, external: &str) -> anyhow::Result<()> {
    for number in 0..NETWORKS {
        let network = json!({"network": {"name": format!("network-{number}")}});
        let network = api.expect(201, "POST", "/v2.0/networks", Some(&network))?;
        let id = &network["network"]["id"];
        let cidr = format!("10.{}.{}.0/24", number / 250, number % 250);
        let subnet = json!({"subnet": {
            "network_id": id, "ip_version": 4, "cidr": cidr, "enable_dhcp": false}});
        api.expect(201, "POST", "/v2.0/subnets", Some(&subnet))?;
        let port = |n| json!({"network_id": id, "device_id": format!("server-{number}-{n}")});
        let ports: Vec<Value> = (0..PORTS_PER_NETWORK).map(port).collect();
        api.expect(201, "POST", "/v2.0/ports", Some(&json!({ "ports": ports })))?;
    }
    for _ in 0..ROUTERS {
        let router = cloud::router(api, external, "nowhere")?;
        let forwards: Vec<Value> =
            (1..=FORWARDS_PER_ROUTER).map(|n| cloud::forward(&router, n, n)).collect();
        cloud::add_forwards(api, &router, &forwards)?;
    }
    Ok(())
}

/// Each collection with each filter that the OpenAPI document names, by the value of an object that
/// exists.
fn lists(api: &mut Api) -> anyhow::Result<()> {
    let (_, document) = api.get("/openapi.json")?;
    let paths = document["paths"].as_object().context("paths")?;
    println!("{:<44} {:>7} {:>9} {:>9}", "the slowest", "rows", "p50 ms", "p99 ms");
    let mut measured = Vec::new();
    for (path, operations) in paths {
        let Some(parameters) = operations["get"]["parameters"].as_array() else { continue };
        let filters: Vec<&str> = parameters
            .iter()
            .filter(|p| p["description"].as_str().is_some_and(|d| d.starts_with("Only those")))
            .map(|p| text(&p["name"]))
            .collect();
        if filters.is_empty() || path.contains('{') {
            continue;
        }
        measured.extend(list(api, &format!("{path}?limit=1000"))?);
        let (_, page) = api.get(&format!("{path}?limit=700"))?;
        let some = page.as_object().and_then(|page| page.values().find_map(Value::as_array));
        let Some(object) = some.and_then(|all| all.last()) else { continue };
        for filter in filters {
            let value = match &object[filter] {
                Value::String(value) => value.clone(),
                Value::Array(_) | Value::Object(_) => continue,
                value => value.to_string(),
            };
            let value = if value == "null" { String::new() } else { value.replace(' ', "%20") };
            measured.extend(list(api, &format!("{path}?limit=1000&{filter}={value}"))?);
        }
        if path == "/v2.0/ports" {
            let fixed = &object["fixed_ips"][0];
            for key in ["ip_address", "subnet_id"] {
                let query = format!("{path}?limit=1000&fixed_ips={key}%3D{}", text(&fixed[key]));
                measured.extend(list(api, &query)?);
            }
            let query = format!("{path}?limit=1000&fixed_ips=ip_address_substr%3D.7.");
            measured.extend(list(api, &query)?);
        }
    }
    measured.sort_by(|a, b| b.p99.total_cmp(&a.p99));
    for list in measured.iter().take(12) {
        println!("{:<44} {:>7} {:>9.2} {:>9.2}", list.shown(), list.rows, list.p50, list.p99);
    }
    let met = measured.iter().filter(|list| list.p99 <= LIST_GOAL_MS).count();
    let all = measured.len();
    println!("\n{met} of {all} within 50 ms  {}\n", verdict((met == all).into(), "all"));
    Ok(())
}

struct Measured {
    query: String,
    rows: usize,
    p50: f64,
    p99: f64,
}

impl Measured {
    fn shown(&self) -> String {
        self.query.replace("limit=1000", "").chars().take(44).collect()
    }
}

/// `None` if the caller may not filter by that.
fn list(api: &mut Api, query: &str) -> anyhow::Result<Option<Measured>> {
    let mut times = Vec::new();
    let mut rows = 0;
    for _ in 0..SAMPLES {
        let start = Instant::now();
        let answer = api.request("GET", query, None)?;
        times.push(milliseconds(start.elapsed()));
        if answer.status == 400 && answer.text().contains("invalid attribute for filtering") {
            return Ok(None);
        }
        anyhow::ensure!(answer.status == 200, "{query}: {}", answer.text());
        if rows == 0 {
            let body: Value = serde_json::from_str(&answer.text())?;
            let found = body.as_object().and_then(|b| b.values().find_map(Value::as_array));
            rows = found.map_or(0, Vec::len);
        }
    }
    let (p50, p99) = (percentile(&mut times, 0.5), percentile(&mut times, 0.99));
    Ok(Some(Measured { query: query.to_owned(), rows, p50, p99 }))
}
