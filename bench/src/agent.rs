//! Parts c and d: an agent with 10,000 forwards on 100 routers starts again on what is there, and
//! builds all of it from an empty kernel.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use navigator_testkit::{Navigator, navigator};

use crate::{
    cloud::{self, API, Cloud},
    figures::{heading, median, verdict},
};

const ROUTERS: usize = 100;
const FORWARDS_EACH: usize = 100;
const RESTARTS: usize = 3;
const LIMIT: Duration = Duration::from_secs(120);

/// What the agent says when everything is as wanted for the first time.
struct InSync {
    elapsed_ms: f64,
    writes: u64,
}

pub(crate) fn run() -> anyhow::Result<()> {
    heading("c, d. An agent with 10,000 forwards on 100 routers");
    let cloud = Cloud::new()?;
    let mut navigator = cloud.all_in_one();
    let mut api = navigator.api();
    let external = cloud::external_network(&mut api)?;
    let mut routers = Vec::new();
    for _ in 0..ROUTERS {
        let router = cloud::router(&mut api, &external, cloud.node.name())?;
        let forwards: Vec<_> = (1..=FORWARDS_EACH).map(|n| cloud::forward(&router, n, n)).collect();
        cloud::add_forwards(&mut api, &router, &forwards)?;
        routers.push(router);
    }
    for router in &routers {
        cloud::wait_until_active(&mut api, router, LIMIT)?;
    }
    // What is under way beside the forwards ends.
    std::thread::sleep(Duration::from_secs(2));
    let mut restarts = Vec::new();
    for _ in 0..RESTARTS {
        navigator.kill9();
        let said_before = navigator.log().len();
        navigator.launch();
        restarts.push(in_sync(&navigator, said_before)?);
    }
    let mut elapsed: Vec<f64> = restarts.iter().map(|restart| restart.elapsed_ms).collect();
    let (elapsed_ms, writes) =
        (median(&mut elapsed), restarts.iter().map(|restart| restart.writes).max().unwrap_or(0));
    println!(
        "c. restart: in sync after {elapsed_ms:.0} ms, {writes} writes  {}",
        verdict((writes == 0 && elapsed_ms <= 1000.0).into(), "0 writes, ≤ 1 s"),
    );
    navigator.kill9();
    let elapsed_ms = cold(&cloud)?;
    println!(
        "d. cold build: in sync after {elapsed_ms:.0} ms  {}\n",
        verdict((elapsed_ms <= 3000.0).into(), "≤ 3 s"),
    );
    Ok(())
}

/// The same cloud on a host that has nothing in its kernel.
fn cold(warm: &Cloud) -> anyhow::Result<f64> {
    let cloud = Cloud::new()?;
    let database = format!("sqlite:{}/navigator.sqlite", warm.node.dir().display());
    let config = navigator::all_in_one(&cloud.node, API, Some(&database), &[("external", "ext0")]);
    let navigator = Navigator::start(&cloud.node, "all-in-one", &config, API);
    Ok(in_sync(&navigator, 0)?.elapsed_ms)
}

/// Waits for the line in what the process says after its log had that length.
fn in_sync(navigator: &Navigator<'_>, said_before: usize) -> anyhow::Result<InSync> {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        let log = navigator.log();
        let said = log.get(said_before..).unwrap_or_default();
        if let Some(line) = said.lines().find(|line| line.contains("first in sync")) {
            println!("   {}", line.split("first in sync").last().unwrap_or_default().trim());
            return Ok(InSync {
                elapsed_ms: field(line, "elapsed_ms=")?,
                writes: field(line, "writes=")? as u64,
            });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("not in sync after {LIMIT:?}")
}

fn field(line: &str, name: &str) -> anyhow::Result<f64> {
    let rest = line.split(name).nth(1).context("the line's fields")?;
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    Ok(number.parse()?)
}
