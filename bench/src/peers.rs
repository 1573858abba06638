//! Part h: Navigator on PostgreSQL beside stock Neutron on MariaDB and RabbitMQ, in turns, by one
//! driver. Both ask the same Keystone about the same token. Neither has agents to tell of changes, and
//! both databases lie in memory without waiting for a disk.

mod case;
mod measure;

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use navigator_lab::{Api, Host};
use navigator_testkit::{Navigator, Postgres, Site, navigator};
use nix::sys::signal::Signal;

use crate::{
    figures::{heading, verdict},
    processes::Part,
    stock::{self, Keystone, Stock, loopback},
};
use case::{CASES, Scene};
use measure::Measured;

const WORKERS: u32 = 2;
const CONCURRENCY: &[usize] = &[1, 16];
/// Short ones: the machine is not as fast at all times.
const ROUNDS: usize = 4;
const CATCHES_UP: Duration = Duration::from_secs(2);
/// Several times as long as autovacuum sleeps.
const LONGEST_WAIT: Duration = Duration::from_secs(240);

const CPU_GOAL: f64 = 100.0;
const P99_GOAL: f64 = 50.0;
const MEMORY_GOAL: f64 = 20.0;

/// A server with what it needs, and what was made in it.
struct Peer<'a> {
    name: &'static str,
    host: &'a Host,
    address: std::net::SocketAddr,
    token: String,
    /// Processes that answer requests or work for them; then those of others that it needs.
    own: Vec<Part>,
    others: Vec<Part>,
    scene: Scene,
}

impl Peer<'_> {
    fn api(&self) -> Api {
        client(self.host, self.address, &self.token)
    }
}

/// A peer that stands still, since what it does for itself would count as the other's time: stock has a
/// quarter of a processor at work while nobody asks it.
struct Still<'a, 'b>(&'a Peer<'b>);

impl<'a, 'b> Still<'a, 'b> {
    fn made(peer: &'a Peer<'b>) -> anyhow::Result<Self> {
        let still = Self(peer);
        still.signal(Signal::SIGSTOP)?;
        Ok(still)
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        self.0.own.iter().chain(&self.0.others).try_for_each(|part| part.signal(signal))
    }
}

impl Drop for Still<'_, '_> {
    /// Before it is asked, it does what it would have done meanwhile.
    fn drop(&mut self) {
        let _ = self.signal(Signal::SIGCONT);
        std::thread::sleep(CATCHES_UP);
    }
}

fn client(host: &Host, address: std::net::SocketAddr, token: &str) -> Api {
    // A request of sixteen to two workers waits for the others.
    let patience = std::time::Duration::from_secs(120);
    Api::new(host, address).with_header("X-Auth-Token", token).with_timeout(patience)
}

pub(crate) fn run() -> anyhow::Result<()> {
    heading("h. Stock Neutron 29 beside it, with one Keystone");
    let site = Site::new();
    let host = site.host("api");
    let start = Instant::now();
    let keystone = Keystone::start(&host)?;
    let stock = Stock::start(&host, WORKERS)?;
    let postgres = Postgres::start();
    let database = postgres.database();
    let server = start_navigator(&host, &database);
    let taken = start.elapsed().as_secs_f64();
    println!(
        "Keystone, stock Neutron with {WORKERS} workers and Navigator are there after {taken:.0} s"
    );

    let (own, others) =
        stock.parts.into_iter().partition(|part| !["MariaDB", "RabbitMQ"].contains(&part.name));
    let stock = peer("stock", &host, &keystone, stock::API, own, others)?;
    let process = server.process().map(navigator_lab::Process::pid).unwrap_or_default();
    let own = vec![Part::new("server", process)];
    let others = vec![Part { name: "PostgreSQL", roots: postgres.processes() }];
    let navigator = peer("Navigator", &host, &keystone, server.api_address, own, others)?;
    wait_for_statistics(&postgres, &database)?;

    println!(
        "\n{:<26} {:>4}  {:<9} {:>8} {:>9} {:>9} {:>7} {:>10} {:>10}",
        "request", "conc", "", "/s", "p50 ms", "p99 ms", "n", "CPU ms", "db CPU ms"
    );
    for case in CASES {
        for clients in CONCURRENCY {
            let mut pair = [Measured::default(), Measured::default()];
            for _ in 0..ROUNDS {
                for (measured, (peer, other)) in
                    pair.iter_mut().zip([(&stock, &navigator), (&navigator, &stock)])
                {
                    let _still = Still::made(other)?;
                    measure::round(peer, *case, *clients, measured)?;
                }
            }
            let [of_stock, of_navigator] = &pair;
            let label = format!("{:<26} {clients:>4}", case.name());
            println!("{label}  {:<9} {}", stock.name, of_stock.shown());
            println!("{:<31}  {:<9} {}", "", navigator.name, of_navigator.shown());
            println!("{:<31}  {}", "", of_navigator.beside(of_stock));
        }
    }
    memory(&stock, &navigator)
}

fn start_navigator<'a>(host: &'a Host, database: &str) -> Navigator<'a> {
    let address = loopback(9797);
    let config = navigator::all_in_one(host, address, Some(database), &[]);
    // Clients and PostgreSQL want the other processor.
    let config = config.replacen("[server]\n", "[server]\nworkers = 1\n", 1);
    // Requests are logged on neither side.
    let networks = "[network]\nphysical_networks = ['external']\n\n[log]\nfilter = 'warn'\n\n";
    Navigator::start(
        host,
        "server",
        &format!("{networks}{}{config}", Keystone::identity()),
        address,
    )
}

/// MariaDB has counted its rows while stock's were made. PostgreSQL looks once a minute whether there is
/// something to count, and until then plans as if there were hardly any.
fn wait_for_statistics(postgres: &Postgres, url: &str) -> anyhow::Result<()> {
    const COUNTED: &str = "SELECT count(last_autoanalyze) FROM pg_stat_user_tables \
                           WHERE relname = 'ports'";
    let name = url.split(['/', '?']).find(|part| part.starts_with("test_")).context("a name")?;
    let start = Instant::now();
    while postgres.sql(name, COUNTED).trim() != "1" {
        ensure!(start.elapsed() < LONGEST_WAIT, "PostgreSQL's autovacuum did nothing");
        std::thread::sleep(Duration::from_secs(1));
    }
    println!("PostgreSQL knows of them {:.0} s later", start.elapsed().as_secs_f64());
    Ok(())
}

/// With a network of many ports, a router, and a floating IP that forwards may be made of.
fn peer<'a>(
    name: &'static str,
    host: &'a Host,
    keystone: &Keystone,
    address: std::net::SocketAddr,
    own: Vec<Part>,
    others: Vec<Part>,
) -> anyhow::Result<Peer<'a>> {
    let token = keystone.token.clone();
    let start = Instant::now();
    let scene = Scene::make(&|| client(host, address, &token), &keystone.project_id)?;
    println!("{name}: {} ports made in {:.0} s", case::ports(), start.elapsed().as_secs_f64());
    Ok(Peer { name, host, address, token, own, others, scene })
}

fn memory(stock: &Peer<'_>, navigator: &Peer<'_>) -> anyhow::Result<()> {
    println!("\nmemory after the load, MB, shared pages counted once:");
    let mut sums = Vec::new();
    for peer in [stock, navigator] {
        let mut shown = Vec::new();
        let mut sum = 0.0;
        for part in &peer.own {
            let held = part.memory_mb()?;
            sum += held;
            shown.push(format!("{} {held:.0}", part.name));
        }
        let mut beside = Vec::new();
        for part in &peer.others {
            beside.push(format!("{} {:.0}", part.name, part.memory_mb()?));
        }
        println!(
            "  {:<9} {sum:.0} ({}); beside it {}",
            peer.name,
            shown.join(", "),
            beside.join(", ")
        );
        sums.push(sum);
    }
    let ratio = sums[0] / sums[1];
    println!("  1/{ratio:.0}  {}\n", verdict((ratio >= MEMORY_GOAL).into(), "1/20"));
    Ok(())
}
