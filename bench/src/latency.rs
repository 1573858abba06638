//! Part b: from the POST of a forward to the first connection through it, with few and with many
//! forwards present.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::bail;
use navigator_lab::Api;
use serde_json::json;

use crate::{
    cloud::{self, Cloud, Router},
    figures::{heading, milliseconds, percentile, verdict},
    load::{self, Server},
};

const SIZES: &[usize] = &[10, 10_000];
const SAMPLES: usize = 200;
const LISTENING: u16 = 7_000;
/// Ports of the samples, outside and inside: above those of the forwards that are present.
const FIRST_SAMPLE: u16 = 40_000;
const PAUSE: Duration = Duration::from_micros(200);
/// One forward at a time: the agent has ended with one before the next is asked for.
const BETWEEN: Duration = Duration::from_millis(50);
const GOAL_MS: f64 = 25.0;

pub(crate) fn run() -> anyhow::Result<()> {
    heading("b. POST of a forward to the first connection through it, ms");
    println!("{:>8}  {:>8}  {:>8}  {:>8}  {:>8}", "forwards", "answer", "p50", "p99", "max");
    let cloud = Cloud::new()?;
    let navigator = cloud.all_in_one();
    let mut api = navigator.api();
    let external = cloud::external_network(&mut api)?;
    let router = cloud::router(&mut api, &external, cloud.node.name())?;
    let instance = cloud.instance(&router)?;
    let _server = Server::start(&instance.host, LISTENING)?;
    instance.host.run(&["nft", &answer_on_all_sample_ports()])?;
    let mut present = 0;
    for &count in SIZES {
        let more: Vec<_> =
            (present + 1..=count).map(|n| cloud::forward(&router, n, 10_000 + n)).collect();
        cloud::add_forwards(&mut api, &router, &more)?;
        present = count;
        cloud::wait_until_active(&mut api, &router, Duration::from_secs(60))?;
        measure(&cloud, &mut api, &router, count)?;
    }
    println!();
    Ok(())
}

/// One listener for many ports: no two forwards of a router may lead to one port of an instance.
fn answer_on_all_sample_ports() -> String {
    format!(
        "table ip samples {{ chain c {{ type nat hook prerouting priority dstnat; tcp dport \
         {FIRST_SAMPLE}-{} redirect to :{LISTENING}; }}; }}",
        u16::MAX
    )
}

fn measure(cloud: &Cloud, api: &mut Api, router: &Router, count: usize) -> anyhow::Result<()> {
    let (mut answers, mut packets, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..SAMPLES {
        let outside = FIRST_SAMPLE + u16::try_from(n)?;
        let to = SocketAddr::from((router.gateway, outside));
        let body = json!({"gateway_port_forwarding":
            cloud::forward(router, outside.into(), outside.into())});
        let start = Instant::now();
        let (arrived, answer) = std::thread::scope(|scope| {
            let client = scope.spawn(|| cloud.client.thread(|| first_connection(to, start)));
            let answer = api.expect(201, "POST", &cloud::forwards_path(router), Some(&body));
            let answered = start.elapsed();
            (client.join(), answer.map(|body| (body, answered)))
        });
        let Ok(arrived) = arrived else { bail!("the client's thread ended early") };
        let (body, answered) = answer?;
        packets.push(milliseconds(arrived??));
        answers.push(milliseconds(answered));
        made.push(cloud::text(&body["gateway_port_forwarding"]["id"]).to_owned());
        std::thread::sleep(BETWEEN);
    }
    for id in made {
        let path = format!("{}/{id}", cloud::forwards_path(router));
        api.expect(204, "DELETE", &path, None)?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let p99 = percentile(&mut packets, 0.99);
    println!(
        "{count:>8}  {:>8.2}  {:>8.2}  {p99:>8.2}  {:>8.2}  {}",
        percentile(&mut answers, 0.5),
        percentile(&mut packets, 0.5),
        percentile(&mut packets, 1.0),
        verdict((p99 <= GOAL_MS).into(), &format!("p99 ≤ {GOAL_MS} ms")),
    );
    Ok(())
}

/// Tries until a connection gets its byte back.
fn first_connection(to: SocketAddr, start: Instant) -> anyhow::Result<Duration> {
    const LIMIT: Duration = Duration::from_secs(10);
    while start.elapsed() < LIMIT {
        if load::once(to, Duration::from_millis(500)).is_ok() {
            return Ok(start.elapsed());
        }
        std::thread::sleep(PAUSE);
    }
    bail!("no connection through {to} after {LIMIT:?}")
}
