//! Part a: new connections per second through the last of N gateway forwards, beside no NAT and one
//! iptables rule per forward in Neutron's shape. One path for all three: the router's own namespace.
//! Navigator builds it, is stopped, and the tables are exchanged in turn, so that the same devices,
//! bridges and timeouts carry every run.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use navigator_lab::Host;

use crate::{
    cloud::{self, Cloud, Router},
    figures::{heading, median, verdict},
    load::{self, Load, Server},
};

const SIZES: &[usize] = &[10, 1_000, 10_000, 50_000];
const ROUNDS: usize = 3;
const RUN: Duration = Duration::from_secs(2);
/// The last forward: outside and inside.
const LAST: (u16, u16) = (60_000, 7_000);
const GOAL: f64 = 0.75;

/// What the router's namespace holds during a run.
#[derive(Clone, Copy, Debug)]
enum Table {
    Navigator,
    None,
    Iptables,
}

struct Bench<'a> {
    cloud: &'a Cloud,
    router: &'a Router,
    instance: Ipv4Addr,
    count: usize,
}

pub(crate) fn run() -> anyhow::Result<()> {
    heading("a. New connections per second through the last of N forwards");
    println!(
        "{:>8}  {:>22}  {:>22}  {:>22}  {:>6}",
        "forwards", "no NAT", "navigator", "iptables rules", "ratio"
    );
    println!(
        "{:>8}  {:>22}  {:>22}  {:>22}",
        "", "/s    p50    p99 µs", "/s    p50    p99 µs", "/s    p50    p99 µs"
    );
    let cloud = Cloud::new()?;
    let mut navigator = cloud.all_in_one();
    let mut api = navigator.api();
    let external = cloud::external_network(&mut api)?;
    let router = cloud::router(&mut api, &external, cloud.node.name())?;
    let instance = cloud.instance(&router)?;
    let address = cloud::text(&router.port["fixed_ips"][0]["ip_address"]).parse()?;
    for host in [&cloud.client, &instance.host] {
        load::prepare(host)?;
    }
    let _server = Server::start(&instance.host, LAST.1)?;
    let gateway = router.gateway.to_string();
    cloud.client.run_in_network(&["ip", "route", "add", "10.0.0.0/24", "via", &gateway])?;
    let last = cloud::forward(&router, LAST.0.into(), LAST.1.into());
    cloud::add_forwards(&mut api, &router, &[last])?;
    let mut present = 1;
    for &count in SIZES {
        let more: Vec<_> =
            (present..count).map(|n| cloud::forward(&router, n, other_port(n))).collect();
        cloud::add_forwards(&mut api, &router, &more)?;
        present = count;
        cloud::wait_until_active(&mut api, &router, Duration::from_secs(120))?;
        navigator.kill9();
        Bench { cloud: &cloud, router: &router, instance: address, count }.measure()?;
        navigator.launch();
        navigator.wait_until_ready();
        api = navigator.api();
    }
    println!();
    Ok(())
}

/// Any port but the last forward's.
fn other_port(n: usize) -> usize {
    if n == usize::from(LAST.1) { 65_000 } else { n }
}

impl Bench<'_> {
    fn measure(&self) -> anyhow::Result<()> {
        let saved = self.cloud.site.path().join("navigator.nft");
        std::fs::write(&saved, self.inside(&["nft", "list", "ruleset"])?)?;
        let iptables = self.cloud.site.path().join("iptables");
        std::fs::write(&iptables, self.iptables())?;
        let path = |path: &std::path::Path| path.to_string_lossy().into_owned();
        let mut results: [Vec<Load>; 3] = Default::default();
        for _ in 0..ROUNDS {
            for (index, table) in
                [Table::None, Table::Navigator, Table::Iptables].into_iter().enumerate()
            {
                self.inside(&["nft", "flush", "ruleset"])?;
                match table {
                    Table::None => {}
                    Table::Navigator => drop(self.inside(&["nft", "-f", &path(&saved)])?),
                    Table::Iptables => {
                        drop(self.inside(&["iptables-nft-restore", &path(&iptables)])?)
                    }
                }
                let to = match table {
                    Table::None => SocketAddr::from((self.instance, LAST.1)),
                    Table::Navigator | Table::Iptables => {
                        SocketAddr::from((self.router.gateway, LAST.0))
                    }
                };
                results[index].push(load::run(&self.cloud.client, to, RUN)?);
            }
        }
        self.inside(&["nft", "flush", "ruleset"])?;
        self.inside(&["nft", "-f", &path(&saved)])?;
        self.print(&results);
        Ok(())
    }

    fn print(&self, [none, navigator, iptables]: &[Vec<Load>; 3]) {
        let of = |loads: &[Load], value: fn(&Load) -> f64| {
            median(&mut loads.iter().map(value).collect::<Vec<_>>())
        };
        let column = |loads: &[Load]| {
            let per_second = of(loads, |load| load.per_second);
            let p50 = of(loads, |load| load.connect_p50_us);
            let p99 = of(loads, |load| load.connect_p99_us);
            format!("{per_second:>8.0} {p50:>6.0} {p99:>6.0}")
        };
        let ratio = of(navigator, |load| load.per_second) / of(none, |load| load.per_second);
        let errors: usize =
            [none, navigator, iptables].iter().flat_map(|l| l.iter()).map(|l| l.errors).sum();
        let note = if errors == 0 { String::new() } else { format!("  {errors} errors") };
        println!(
            "{:>8}  {:>22}  {:>22}  {:>22}  {ratio:>6.2}  {}{note}",
            self.count,
            column(none),
            column(navigator),
            column(iptables),
            verdict((ratio >= GOAL).into(), &format!("≥ {GOAL}")),
        );
    }

    fn inside(&self, argv: &[&str]) -> anyhow::Result<String> {
        let namespace = format!("qrouter-{}", self.router.id);
        let node: &Host = &self.cloud.node;
        Ok(node.run(&[&["ip", "netns", "exec", &namespace], argv].concat())?)
    }

    /// Neutron's shape: the L3 agent's chains, and a chain with one rule for each forward, walked in
    /// order; the last forward is the last rule.
    fn iptables(&self) -> String {
        let (gateway, target) = (self.router.gateway, self.instance);
        let mut text = String::from(
            "*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n\
             :POSTROUTING ACCEPT [0:0]\n:l3-PREROUTING - [0:0]\n:l3-OUTPUT - [0:0]\n\
             :l3-POSTROUTING - [0:0]\n:l3-snat - [0:0]\n:l3-pf - [0:0]\n",
        );
        let mut rules = String::from(
            "-A PREROUTING -j l3-PREROUTING\n-A OUTPUT -j l3-OUTPUT\n\
             -A POSTROUTING -j l3-POSTROUTING\n-A POSTROUTING -j l3-snat\n\
             -A l3-PREROUTING -j l3-pf\n-A l3-OUTPUT -j l3-pf\n\
             -A l3-POSTROUTING ! -o qg-+ -m conntrack ! --ctstate DNAT -j ACCEPT\n",
        );
        let _ = writeln!(rules, "-A l3-snat -o qg-+ -j SNAT --to-source {gateway} --random-fully");
        let others = (1..self.count).map(|n| (n, other_port(n)));
        let last = (usize::from(LAST.0), usize::from(LAST.1));
        for (outside, inside) in others.chain([last]) {
            let _ = writeln!(text, ":pf-{outside} - [0:0]");
            let _ = writeln!(
                rules,
                "-A l3-pf -j pf-{outside}\n-A pf-{outside} -d {gateway}/32 -p tcp -m tcp --dport \
                 {outside} -j DNAT --to-destination {target}:{inside}"
            );
        }
        text + &rules + "COMMIT\n"
    }
}
