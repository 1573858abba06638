//! Part j: whether the time that an answer takes tells what the answer does not. A member asks for
//! objects of another project and for ids of nothing, in turn; both are answered 404 with one body.

use std::time::Instant;

use anyhow::Context as _;
use navigator_lab::Api;
use navigator_testkit::{Navigator, Postgres};
use serde_json::{Value, json};

use crate::{
    cloud::{self, API, Cloud},
    figures::{heading, median, milliseconds, verdict},
};

const METHODS: &[&str] = &["GET", "PUT", "DELETE"];
/// Requests for each of the two.
const SAMPLES: usize = 600;
const NOBODYS_ID: &str = "5eed5eed-5eed-4eed-8eed-5eed5eed5eed";
const GOAL_PERCENT: f64 = 5.0;

pub(crate) fn run() -> anyhow::Result<()> {
    heading("j. The time for an object of another project beside that for an id of nothing");
    let postgres = Postgres::start();
    let cloud = Cloud::new()?;
    let config = cloud.config_apart(Some(&postgres.database()), "bench");
    let server = Navigator::start(&cloud.node, "server", &config, API);
    let mut api = server.api();
    populate(&mut api)?;
    let server = cloud.server_for_a_member(&config)?;
    let mut member = cloud::as_member(&server);
    let paths = hidden(&mut api, &mut member)?;
    println!("{:<58} {:>10} {:>10} {:>8}", "request", "theirs ms", "nobody's", "%");
    let mut differences = Vec::new();
    for (path, body) in &paths {
        for method in METHODS {
            if let Some(percent) = compare(&mut member, method, path, body)? {
                differences.push(percent);
            }
        }
    }
    let close = differences.iter().filter(|percent| percent.abs() < GOAL_PERCENT).count();
    let all = differences.len();
    anyhow::ensure!(all > 0, "nothing was compared");
    println!(
        "\n{close} of {all} differ by less than 5 %, half by less than {:+.1} %  {}\n",
        median(&mut differences),
        verdict((close == all).into(), "all")
    );
    Ok(())
}

/// A small cloud.
fn populate(api: &mut Api) -> anyhow::Result<()> {
    let external = cloud::external_network(api)?;
    let router = cloud::router(api, &external, "nowhere")?;
    cloud::add_forwards(api, &router, &[cloud::forward(&router, 1, 1)])?;
    let floating_ip = json!({"floatingip": {"floating_network_id": external}});
    api.expect(201, "POST", "/v2.0/floatingips", Some(&floating_ip))?;
    Ok(())
}

/// One object of every kind that an administrator finds and the member does not: its path, and the
/// body of an update that says nothing.
fn hidden(api: &mut Api, member: &mut Api) -> anyhow::Result<Vec<(String, Value)>> {
    let (_, document) = api.get("/openapi.json")?;
    let paths = document["paths"].as_object().context("paths")?;
    let mut found = Vec::new();
    for path in paths.keys() {
        let Some(collection) = path.strip_suffix("/{id}").filter(|rest| !rest.contains('{')) else {
            continue;
        };
        let (_, page) = api.get(collection)?;
        let all = page.as_object().and_then(|page| page.values().find_map(Value::as_array));
        let ids = all.into_iter().flatten().filter_map(|object| object["id"].as_str());
        let mut paths = ids.map(|id| format!("{collection}/{id}"));
        let Some(path) = paths.find(|path| member.get(path).is_ok_and(|(status, _)| status == 404))
        else {
            continue;
        };
        let (_, shown) = api.get(&path)?;
        let name = shown.as_object().and_then(|shown| shown.keys().next().cloned());
        found.extend(name.map(|name| (path, json!({ name: {} }))));
    }
    Ok(found)
}

/// By how much longer the other project's takes, in percent of the median. `None` if the member may
/// not ask that.
fn compare(
    member: &mut Api,
    method: &str,
    theirs: &str,
    body: &Value,
) -> anyhow::Result<Option<f64>> {
    let nobodys = theirs.rsplit_once('/').map(|(rest, _)| format!("{rest}/{NOBODYS_ID}"));
    let nobodys = nobodys.context("a path")?;
    let body = (method == "PUT").then(|| body.to_string());
    let mut times: [Vec<f64>; 2] = Default::default();
    for round in 0..SAMPLES {
        // Neither is always the first.
        for which in [round % 2, (round + 1) % 2] {
            let path = [theirs, &nobodys][which];
            let start = Instant::now();
            let answer = member.request(method, path, body.as_deref())?;
            times[which].push(milliseconds(start.elapsed()));
            if answer.status != 404 {
                return Ok(None);
            }
        }
    }
    let [theirs_ms, nobodys_ms] = times.map(|mut times| median(&mut times));
    let percent = (theirs_ms - nobodys_ms) / nobodys_ms * 100.0;
    let request = format!("{method} {theirs}");
    println!("{:<58} {theirs_ms:>10.3} {nobodys_ms:>10.3} {percent:>+8.1}", request);
    Ok(Some(percent))
}
