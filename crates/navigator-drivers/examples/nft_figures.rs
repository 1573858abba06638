//! Measures the nftables driver with 50,000 forwards, in a network namespace of its own that
//! vanishes with the process. Run as root: `cargo run --release --example nft_figures`.

// An example that cannot measure has nothing else to do than to panic.
#![allow(clippy::unwrap_used)]

use std::{net::Ipv4Addr, time::Instant};

use navigator_drivers::nft::Nft;
use navigator_model::Protocol;
use navigator_state::nft::{Element, ElementChange, Tuple};

const COUNT: u32 = 50_000;
const ROUNDS: u32 = 1_000;

const SKELETON: &str = "table ip navigator {
\tmap forwards {
\t\ttype inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
\t}

\tset allowed {
\t\ttype inet_proto . ipv4_addr . inet_service . ipv4_addr
\t\tflags interval
\t}

\tchain prerouting {
\t\ttype nat hook prerouting priority dstnat; policy accept;
\t\tdnat ip to meta l4proto . ip daddr . th dport map @forwards
\t}
}
";

fn forward(n: u32) -> ElementChange {
    let [_, _, high, low] = n.to_be_bytes();
    let key = Tuple::new()
        .protocol(if n < 60_000 { Protocol::Tcp } else { Protocol::Udp })
        .ipv4(Ipv4Addr::new(198, 51, 100, 7))
        .port(u16::from_be_bytes([high, low]));
    let data = Some(Tuple::new().ipv4(Ipv4Addr::new(10, 0, high, low)).port(80));
    let add = Some(Element { key_end: None, data });
    ElementChange { set: "forwards".to_owned(), key, remove: None, add, object: None }
}

fn reversed(change: &ElementChange) -> ElementChange {
    ElementChange { remove: change.add, add: change.remove, ..change.clone() }
}

fn apply(nft: &mut Nft, changes: &[ElementChange]) {
    assert!(nft.change_elements(changes).iter().all(Result::is_ok));
}

fn measure(what: &str, rounds: u32, mut work: impl FnMut(u32)) {
    let start = Instant::now();
    for round in 0..rounds {
        work(round);
    }
    println!("{what:<58} {:>12.3?}", start.elapsed() / rounds);
}

fn main() {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
    let mut nft = Nft::open().unwrap();
    nft.replace_skeleton(SKELETON, false, &[]).unwrap();
    let all: Vec<_> = (0..COUNT).map(forward).collect();
    measure("load 50,000 elements", 1, |_| apply(&mut nft, &all));
    measure("add one at 50,000", ROUNDS, |n| apply(&mut nft, &[forward(COUNT + n)]));
    measure("replace one at 51,000", ROUNDS, |n| {
        let change = forward(COUNT + n);
        apply(&mut nft, &[ElementChange { remove: change.add, ..change }]);
    });
    measure("remove one at 50,000", ROUNDS, |n| {
        apply(&mut nft, &[reversed(&forward(COUNT + n))]);
    });
    let generation = nft.generation().unwrap();
    measure("observe, generation known", ROUNDS, |_| {
        assert!(nft.observe(Some(generation)).unwrap().is_none());
    });
    measure("observe skeleton and 50,000 elements", 5, |_| {
        let actual = nft.observe(None).unwrap().unwrap();
        assert_eq!(actual.sets["forwards"].len(), COUNT as usize);
        assert_eq!(actual.skeleton, SKELETON);
    });
    measure("replace the skeleton, keep 50,000 elements", 5, |_| {
        nft.replace_skeleton(SKELETON, false, &[]).unwrap();
    });
    measure("recreate with 50,000 elements", 1, |_| {
        nft.replace_skeleton(SKELETON, true, &all).unwrap();
    });
    let mut half_poison = all.clone();
    for change in half_poison.iter_mut().step_by(2) {
        change.add = forward(7).add;
    }
    measure("50,000 changes, every other one refused", 1, |_| {
        let results = nft.change_elements(&half_poison);
        // Number 7 has the value already, but is among those not changed.
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 25_000);
    });
    let removals: Vec<_> = all.iter().map(reversed).collect();
    measure("remove 50,000", 1, |_| apply(&mut nft, &removals));
}
