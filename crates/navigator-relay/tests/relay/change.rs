//! Sets that follow each other: what stays is not disturbed, what goes is gone at once.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use crate::support::*;

#[test]
fn untouched_connections_never_notice() {
    let (echo, other) = (Target::echo(), Target::says("x"));
    let (port, change) = (free_port(), free_port());
    let stays = entry("stays", port, echo.address, "");
    let mut relay = relay(&stays);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let talk = || {
            let stream = client(port);
            let mut rounds = 0;
            while !done.load(Relaxed) || rounds < 10 {
                exchange(&stream, "are you there?");
                rounds += 1;
            }
        };
        for _ in 0..4 {
            scope.spawn(talk);
        }
        for n in 0..60 {
            let more = match n % 3 {
                0 => String::new(),
                1 => entry("goes", change, other.address, ""),
                _ => entry("goes", change, other.address, "max_connections = 3"),
            };
            relay.apply(set(&(stays.clone() + &more))).unwrap();
            if !more.is_empty() {
                hears(&client(change), "x");
            }
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn a_removed_forward_refuses_at_once_and_its_connections_are_cut() {
    let echo = Target::echo();
    let port = free_port();
    let mut relay = relay(&entry("a", port, echo.address, ""));
    let open: Vec<_> = (0..20).map(|_| client(port)).collect();
    open.iter().for_each(|stream| exchange(stream, "hello"));
    relay.apply(set("")).unwrap();
    is_refused(port);
    open.iter().for_each(is_reset);
    assert!(relay.counters("a").is_none());
}

#[test]
fn a_removed_forward_that_drains_keeps_its_connections() {
    let echo = Target::echo();
    let port = free_port();
    let mut relay = relay(&entry("a", port, echo.address, "removal = 'drain'"));
    let open: Vec<_> = (0..20).map(|_| client(port)).collect();
    open.iter().for_each(|stream| exchange(stream, "hello"));
    relay.apply(set("")).unwrap();
    is_refused(port);
    open.iter().for_each(|stream| exchange(stream, "still there"));
}

#[test]
fn a_forward_that_leads_elsewhere_does_so_for_the_next_connection() {
    let (one, two) = (Target::says("one"), Target::says("two"));
    let port = free_port();
    let mut relay = relay(&entry("a", port, one.address, ""));
    let old = client(port);
    hears(&old, "one");
    relay.apply(set(&entry("a", port, two.address, ""))).unwrap();
    hears(&client(port), "two");
    is_reset(&old);
}

#[test]
fn changed_limits_leave_connections_alone() {
    let echo = Target::echo();
    let port = free_port();
    let mut relay = relay(&entry("a", port, echo.address, ""));
    let old = client(port);
    exchange(&old, "hello");
    relay.apply(set(&entry("a", port, echo.address, "max_connections = 1"))).unwrap();
    exchange(&old, "still there");
    is_reset(&client(port));
    // Removed later, it is known to be this forward's.
    relay.apply(set("")).unwrap();
    is_reset(&old);
}

#[test]
fn a_port_goes_from_all_addresses_to_one() {
    let (one, two) = (Target::says("one"), Target::says("two"));
    let port = free_port();
    let wide = format!("[forward.a]\nlisten = ':{port}'\nconnect = '{}'\n", one.address);
    let mut relay = relay(&wide);
    hears(&client(port), "one");
    relay.apply(set(&entry("b", port, two.address, ""))).unwrap();
    hears(&client(port), "two");
}

#[test]
fn a_set_that_cannot_be_had_leaves_the_old_one_in_force() {
    let echo = Target::echo();
    let (port, other) = (free_port(), free_port());
    // Held by this very process.
    let holder = TcpListener::bind((HERE, 0)).unwrap();
    let held = holder.local_addr().unwrap().port();
    let good = entry("a", port, echo.address, "");
    let mut relay = relay(&good);
    let open = client(port);
    exchange(&open, "hello");
    let to = SocketAddr::from((HERE, 1));
    let bad = entry("b", other, to, "")
        + &entry("c", held, to, "")
        + "[forward.d]\nlisten = '192.0.2.77:1'\nconnect = '10.0.0.1:1'\n";
    let lines = relay.apply(set(&bad)).unwrap_err().lines;
    assert_eq!(lines.len(), 2, "{lines:?}");
    let by = format!("forward.c: listen: 127.0.0.1:{held} is in use already by ");
    assert!(lines[0].starts_with(&by), "{lines:?}");
    assert!(lines[0].contains(&format!("(pid {})", std::process::id())), "{lines:?}");
    assert_eq!(lines[1], "forward.d: listen: 192.0.2.77:1 is not an address of this host");
    exchange(&open, "still there");
    exchange(&client(port), "hello");
    is_refused(other);
    assert!(relay.set().get("a").is_some());
}

#[test]
fn a_namespace_that_is_not_there_names_its_entry() {
    let mut relay = relay("");
    let text = "[forward.x]\nlisten = { address = ':7', netns = 'no-such-one' }\n\
                connect = { address = '10.0.0.1:1', netns = 'nor-this' }\n";
    let lines = relay.apply(set(text)).unwrap_err().lines;
    assert_eq!(
        lines,
        [
            "forward.x: listen.netns: there is no namespace 'no-such-one'",
            "forward.x: connect.netns: there is no namespace 'nor-this'",
        ]
    );
}

#[test]
fn a_range_leads_port_by_port() {
    let ports: Vec<_> = (0..6).map(|_| free_port()).collect();
    let listen = |port| TcpListener::bind((HERE, port)).unwrap();
    let targets = [listen(ports[3]), listen(ports[4]), listen(ports[5])];
    let text = format!(
        "[forward.a]\nlisten = '127.0.0.1:{}-{}'\nconnect = '127.0.0.1:{}'\n",
        ports[0], ports[2], ports[3]
    );
    let _relay = relay(&text);
    for (port, target) in ports.iter().zip(&targets) {
        let mut client = client(*port);
        let (mut served, _) = target.accept().unwrap();
        served.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn a_change_names_only_what_it_changes() {
    let (one, two) = (Target::says("one"), Target::says("two"));
    let (a, b, c) = (free_port(), free_port(), free_port());
    let text = entry("a", a, one.address, "") + &entry("b", b, one.address, "");
    let mut relay = relay(&text);
    let (kept, cut) = (client(a), client(b));
    hears(&kept, "one");
    hears(&cut, "one");
    let forward = |text: &str| set(text).get("x").unwrap().clone();
    let leads = |port, to: &Target| forward(&entry("x", port, to.address, ""));
    // b leads elsewhere, c is new.
    let added = [("b".to_owned(), leads(b, &two)), ("c".to_owned(), leads(c, &two))];
    relay.change([], added).unwrap();
    is_reset(&cut);
    hears(&client(b), "two");
    hears(&client(c), "two");
    // The port goes from one to another in one step.
    relay.change(["b", "no-such-one"], [("d".to_owned(), leads(b, &one))]).unwrap();
    hears(&client(b), "one");
    assert_eq!(relay.set().iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", "c", "d"]);
    assert!(relay.counters("b").is_none());
    // One that collides leaves all as it is, whatever else was asked.
    let error = relay.change(["c"], [("e".to_owned(), leads(a, &two))]).unwrap_err();
    let line = format!("forward.e: listen: port {a} of 127.0.0.1:{a} is forward.a's already");
    assert!(error.lines[0].starts_with(&line), "{error}");
    let held = TcpListener::bind((HERE, 0)).unwrap();
    let held_port = held.local_addr().unwrap().port();
    let added =
        [("e".to_owned(), leads(free_port(), &two)), ("f".to_owned(), leads(held_port, &two))];
    let error = relay.change(["c"], added).unwrap_err();
    assert!(error.lines[0].starts_with("forward.f: listen: "), "{error}");
    hears(&client(c), "two");
    assert_eq!(relay.set().len(), 3);
    // A set says the same of it: nothing is left to do, and the old connection never noticed.
    relay.apply(relay.set().clone()).unwrap();
    kept.set_nonblocking(true).unwrap();
    let error = (&kept).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}
