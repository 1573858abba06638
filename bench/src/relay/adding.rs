//! The time to add one forward to many, until all workers go by it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::Instant,
};

use navigator_relay::{Forward, ForwardSet, Options, Relay, Transport, raise_descriptor_limit};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::{Hosts, PACE, PORT, RELAY, RUN, TARGET, flows};
use crate::figures::{median, milliseconds, verdict};

/// Additions of each kind.
const TIMES: usize = 25;

/// As many as descriptors allow in the largest case.
const SIZES: [usize; 4] = [10, 1_000, 10_000, 50_000];

/// The n-th forward, and where it listens: the first on [`PORT`], the others each at an address of its
/// own.
pub(super) fn entry(n: usize, target: SocketAddr) -> anyhow::Result<(String, Forward)> {
    let listen = match n {
        0 => format!("0.0.0.0:{PORT}"),
        _ => format!("{}:{}", Ipv4Addr::from(0x7f01_0000 + n as u32), 10_000 + n % 20_000),
    };
    let forward = Forward::new(Transport::Tcp, listen.parse()?, target.to_string().parse()?);
    Ok((format!("f{n}"), forward))
}

pub(super) fn entries(
    numbers: std::ops::Range<usize>,
    target: SocketAddr,
) -> anyhow::Result<Vec<(String, Forward)>> {
    numbers.map(|n| entry(n, target)).collect()
}

pub(super) fn run(hosts: &Hosts) -> anyhow::Result<()> {
    // As root, beyond what this shell was given.
    let most = SIZES[SIZES.len() - 1] as u64 + 10_000;
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if hard < most && setrlimit(Resource::RLIMIT_NOFILE, most, most).is_err() {
        println!("the hard limit of descriptors cannot be raised");
    }
    let limit = usize::try_from(raise_descriptor_limit(u64::MAX)?).unwrap_or(usize::MAX);
    println!();
    for wanted in SIZES {
        let count = wanted.min(limit.saturating_sub(2_000));
        if count < wanted {
            println!("{wanted} forwards need a descriptor each, and the limit is {limit}");
        }
        one_size(hosts, count)?;
    }
    Ok(())
}

fn one_size(hosts: &Hosts, count: usize) -> anyhow::Result<()> {
    let target = SocketAddr::from((TARGET, PORT));
    let inside =
        |work: &mut (dyn FnMut() -> anyhow::Result<Vec<f64>> + Send)| hosts.relay.thread(work)?;
    let mut relay = hosts.relay.thread(|| Relay::start(Options::default()))??;
    inside(&mut || {
        relay.apply(set(0..count)?)?;
        Ok(Vec::new())
    })?;
    let resident = own_resident_mb();
    let mut idle = inside(&mut || one_by_one(&mut relay, count, target))?;
    let mut loaded = thread::scope(|scope| {
        let to = SocketAddr::from((RELAY, PORT));
        let load = scope.spawn(move || flows::paced(&hosts.client, to, PACE, RUN));
        thread::sleep(RUN / 4);
        let times = inside(&mut || one_by_one(&mut relay, count + TIMES, target));
        let _ = load.join();
        times
    })?;
    let mut whole = inside(&mut || whole_sets(&mut relay, count + 2 * TIMES))?;
    let time = median(&mut loaded);
    let goal = verdict((time <= 1.0).into(), "≤ 1 ms under load");
    println!(
        "adding one forward to {count:>6}: {:.2} ms, under load {time:.2} ms, as a whole set {:.2} ms, \
         this process {resident:.0} MB  {goal}",
        median(&mut idle),
        median(&mut whole),
    );
    Ok(())
}

fn set(numbers: std::ops::Range<usize>) -> anyhow::Result<ForwardSet> {
    let entries = entries(numbers, SocketAddr::from((TARGET, PORT)))?;
    ForwardSet::new(entries).map_err(|wrong| anyhow::anyhow!("{}", wrong[0]))
}

/// Spread over half a run, so that the load is there for all of them.
fn one_by_one(relay: &mut Relay, from: usize, target: SocketAddr) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for n in from..from + TIMES {
        thread::sleep(RUN / 2 / TIMES as u32);
        let added = entry(n, target)?;
        times.push(timed(|| relay.change([], [added]))?);
    }
    Ok(times)
}

/// Each set made anew, as from a file that was read again; reading is not counted.
fn whole_sets(relay: &mut Relay, from: usize) -> anyhow::Result<Vec<f64>> {
    let mut times = Vec::new();
    for count in from + 1..=from + 5 {
        let set = set(0..count)?;
        times.push(timed(|| relay.apply(set))?);
    }
    Ok(times)
}

/// Of the bench itself with the relay in it.
fn own_resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kb.unwrap_or_default() / 1e3
}

fn timed<E>(work: impl FnOnce() -> Result<(), E>) -> Result<f64, E> {
    let start = Instant::now();
    work()?;
    Ok(milliseconds(start.elapsed()))
}
