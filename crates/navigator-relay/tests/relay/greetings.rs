//! Clients that say who they are or whom they want: PROXY headers in and out, names of TLS clients.

use std::{
    io::{Read as _, Write as _},
    net::Ipv4Addr,
};

use navigator_relay::Refusal;

use crate::support::*;

/// Sends back all that it hears, once the client has said all.
fn mirror() -> Target {
    Target::start(|mut stream| {
        let mut all = Vec::new();
        if stream.read_to_end(&mut all).is_ok() {
            let _ = stream.write_all(&all);
        }
    })
}

fn ask(mut stream: &std::net::TcpStream, bytes: &[u8]) -> Vec<u8> {
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn the_target_is_told_who_the_client_is() {
    let target = mirror();
    let (v1, v2) = (free_port(), free_port());
    let _relay = relay(
        &(entry("one", v1, target.address, "proxy_protocol = 'v1'")
            + &entry("two", v2, target.address, "proxy_protocol = 'v2'")),
    );
    let one = client(v1);
    let from = one.local_addr().unwrap().port();
    let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {v1}\r\nhello");
    assert_eq!(String::from_utf8(ask(&one, b"hello")).unwrap(), expected);
    let two = client(v2);
    let from = two.local_addr().unwrap().port().to_be_bytes();
    let expected = [
        &b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\x7f\0\0\x01\x7f\0\0\x01"[..],
        &from,
        &v2.to_be_bytes(),
        b"hello",
    ]
    .concat();
    assert_eq!(ask(&two, b"hello"), expected);
}

#[test]
fn a_target_that_speaks_first_hears_of_the_client_at_once() {
    let target = Target::start(|mut stream| {
        let mut line = [0; 8];
        stream.read_exact(&mut line).unwrap();
        stream.write_all(&line).unwrap();
    });
    let port = free_port();
    let _relay = relay(&entry("a", port, target.address, "proxy_protocol = 'v1'"));
    hears(&client(port), "PROXY TC");
}

#[test]
fn only_trusted_proxies_say_who_the_client_is() {
    let target = mirror();
    let port = free_port();
    let more = "proxy_protocol_from = ['127.0.0.9']\nproxy_protocol = 'v1'\n\
                allowed_sources = ['192.0.2.0/24', '127.0.0.1']";
    let relay = relay(&entry("a", port, target.address, more));
    let proxy = || client_from(Ipv4Addr::new(127, 0, 0, 9), port);
    let header = "PROXY TCP4 192.0.2.1 203.0.113.7 4000 443\r\n";
    let heard = ask(&proxy(), format!("{header}hello").as_bytes());
    let expected = format!("PROXY TCP4 192.0.2.1 127.0.0.1 4000 {port}\r\nhello");
    assert_eq!(String::from_utf8(heard).unwrap(), expected);
    // Whoever else writes such a line is a client who says strange things.
    let plain = client(port);
    let from = plain.local_addr().unwrap().port();
    let heard = String::from_utf8(ask(&plain, header.as_bytes())).unwrap();
    assert_eq!(heard, format!("PROXY TCP4 127.0.0.1 127.0.0.1 {from} {port}\r\n{header}"));
    // The limits are about the client, not about the proxy.
    let mut stranger = proxy();
    stranger.write_all(b"PROXY TCP4 198.51.100.1 203.0.113.7 4000 443\r\n").unwrap();
    is_reset(&stranger);
    let mut silent_about_it = proxy();
    silent_about_it.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    is_reset(&silent_about_it);
    let counters = relay.counters("a").unwrap();
    let refused = (counters.refused(Refusal::Source), counters.refused(Refusal::Greeting));
    assert_eq!(refused, (1, 1));
    eventually("all are gone", || counters.open() == 0);
}

/// A TLS hello for a name.
fn hello(name: Option<&str>) -> Vec<u8> {
    let with_length = |width: usize, body: &[u8]| {
        [&(body.len() as u32).to_be_bytes()[4 - width..], body].concat()
    };
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let entry = [&[0][..], &with_length(2, name.as_bytes())].concat();
        let list = with_length(2, &with_length(2, &entry));
        extensions = [&[0, 0][..], &list].concat();
    }
    let mut body = [&[3, 3][..], &[7; 32], &[0, 0, 2, 0x13, 1, 1, 0]].concat();
    body.extend(with_length(2, &extensions));
    let message = [&[1][..], &with_length(3, &body)].concat();
    [&[22, 3, 1][..], &with_length(2, &message)].concat()
}

#[test]
fn names_share_a_port() {
    let port = free_port();
    // Each target says who it is and then what it heard.
    let target = |name: &'static str| {
        Target::start(move |mut stream| {
            let mut all = Vec::new();
            if stream.read_to_end(&mut all).is_ok() {
                let _ = stream.write_all(&[name.as_bytes(), &all].concat());
            }
        })
    };
    let (a, b, rest) = (target("a"), target("b"), target("r"));
    let entry = |name: &str, target: &Target, names: &str| {
        entry(name, port, target.address, &format!("sni = {names}\nconnect_timeout_s = 3"))
    };
    let two = entry("a", &a, "['a.example']") + &entry("b", &b, "['*.b.example']");
    let mut relay = relay(&two);
    let check = |name: Option<&str>, expected: &[u8]| {
        let said = [&hello(name)[..], b"and more"].concat();
        assert_eq!(ask(&client(port), &said), [expected, &said].concat(), "{name:?}");
    };
    check(Some("A.example"), b"a");
    check(Some("www.b.example"), b"b");
    for said in [hello(Some("c.example")), hello(None), b"GET / HTTP/1.1\r\n\r\n".to_vec()] {
        let mut stream = client(port);
        stream.write_all(&said).unwrap();
        is_reset(&stream);
    }
    assert_eq!(relay.counters("a").unwrap().refused(Refusal::Greeting), 3);
    let talking = client(port);
    (&talking).write_all(&hello(Some("a.example"))).unwrap();
    eventually("it is open", || relay.counters("a").unwrap().open() == 1);
    relay.apply(set(&(two.clone() + &entry("rest", &rest, "['*']")))).unwrap();
    check(Some("c.example"), b"r");
    check(None, b"r");
    // Who came before the change goes on.
    assert_eq!(ask(&talking, b"x"), [&b"a"[..], &hello(Some("a.example")), b"x"].concat());
}

#[test]
fn a_client_that_says_nothing_or_too_little_is_turned_away_in_time() {
    let target = mirror();
    let port = free_port();
    let more = "sni = ['*']\nconnect_timeout_s = 3";
    let relay = relay(&entry("a", port, target.address, more));
    let slow: Vec<_> = (0..50).map(|_| client(port)).collect();
    for (n, mut stream) in slow.iter().enumerate() {
        stream.write_all(&hello(Some("a.example"))[..n]).unwrap();
    }
    // Others are served meanwhile.
    assert!(!ask(&client(port), &hello(Some("b.example"))).is_empty());
    slow.iter().for_each(is_reset);
    assert_eq!(relay.counters("a").unwrap().refused(Refusal::Greeting), 50);
}
