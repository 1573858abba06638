//! Connections that last, and how the workers share them.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
};

use navigator_relay::Relay;

use crate::support::*;

const CLIENTS: usize = 8;

fn eight() -> (Target, Relay, Vec<TcpStream>) {
    let echo = Target::echo();
    let port = free_port();
    let relay = relay(&entry("a", port, echo.address, ""));
    let clients = (0..CLIENTS).map(|_| client(port)).collect();
    (echo, relay, clients)
}

/// How often each worker of this process has gone to sleep, by its thread.
fn sleeps() -> BTreeMap<OsString, u64> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let count = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("status")).ok()?;
        text.strip_prefix("Name:\trelay-")?;
        let line = text.lines().find(|line| line.starts_with("voluntary_ctxt_switches"))?;
        Some((task.file_name(), line.split_whitespace().nth(1)?.parse().ok()?))
    };
    tasks.filter_map(count).collect()
}

#[test]
fn connections_that_last_are_shared_by_the_workers() {
    let (_echo, _relay, clients) = eight();
    for client in &clients {
        (0..100).for_each(|_| exchange(client, "hello"));
    }
    let before = sleeps();
    for _ in 0..200 {
        clients.iter().for_each(|client| exchange(client, "hello"));
    }
    // Each exchange wakes the worker that has it; of 1600, each of the two has half.
    let slept =
        |(thread, times): &(OsString, u64)| times - before.get(thread).copied().unwrap_or(0) > 300;
    let after: Vec<_> = sleeps().into_iter().collect();
    assert!(after.iter().filter(|it| slept(it)).count() >= 2, "{before:?}, {after:?}");
}

#[test]
fn nothing_is_lost_on_the_way_to_another_worker() {
    let (_echo, relay, clients) = eight();
    let pour = |(number, client): (usize, TcpStream)| {
        thread::spawn(move || {
            let piece: Vec<u8> = (0..100_000).map(|at| (at * 7 + number) as u8).collect();
            let mut sink = client.try_clone().unwrap();
            let said = piece.clone();
            let speaks = thread::spawn(move || {
                (0..40).for_each(|_| sink.write_all(&said).unwrap());
                sink.shutdown(std::net::Shutdown::Write).unwrap();
            });
            let mut heard = Vec::new();
            (&client).read_to_end(&mut heard).unwrap();
            speaks.join().unwrap();
            assert_eq!(heard.len(), 40 * piece.len());
            assert!(heard.chunks(piece.len()).all(|chunk| chunk == piece));
        })
    };
    let pouring: Vec<_> = clients.into_iter().enumerate().map(pour).collect();
    pouring.into_iter().for_each(|it| it.join().unwrap());
    let counters = relay.counters("a").unwrap();
    eventually("all have ended", || counters.open() == 0);
    assert_eq!(counters.bytes(), (32_000_000, 32_000_000));
}

#[test]
fn a_forward_that_goes_cuts_its_connections_on_every_worker() {
    let (_echo, mut relay, clients) = eight();
    for client in &clients {
        (0..100).for_each(|_| exchange(client, "hello"));
    }
    relay.apply(set("")).unwrap();
    clients.iter().for_each(is_reset);
}
