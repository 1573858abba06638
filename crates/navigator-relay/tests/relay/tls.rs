//! TLS that ends or begins at the relay, between ends that are not the relay's.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::Shutdown,
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

use navigator_relay::Refusal;
use rustls::{AlertDescription, CertificateError};

use crate::{authority::*, support::*};

/// Sends back all that it hears, once the client has said all.
fn mirror() -> Target {
    Target::start(|mut stream| {
        let mut all = Vec::new();
        if stream.read_to_end(&mut all).is_ok() {
            let _ = stream.write_all(&all);
        }
    })
}

/// A TLS server that says its word to each connection, and waits for its end.
fn secure_says(files: &Files, word: &'static str) -> Target {
    let config = files.server(&[]);
    Target::start(move |stream| {
        let mut stream = serve(stream, &config);
        let _ = stream.write_all(word.as_bytes());
        let _ = stream.flush();
        let _ = stream.read(&mut [0]);
    })
}

fn ends(files: &Files) -> String {
    format!("tls = {{ {} }}\n", files.toml())
}

#[test]
fn tls_ends_here_and_each_half_by_itself() {
    let authority = Authority::new();
    let (target, port) = (mirror(), free_port());
    let relay = relay(&entry("a", port, target.address, &ends(&authority.issue("a.example"))));
    for length in [0, 5, 16_384, 1_000_000] {
        let mut client = secure(port, "a.example", &authority.client(&[])).unwrap();
        let said: Vec<u8> = (0..length).map(|n: u32| (n % 251) as u8).collect();
        client.write_all(&said).unwrap();
        say_all(&mut client);
        assert!(whole(&mut client) == said, "{length} bytes came back otherwise");
    }
    let counters = relay.counters("a").unwrap();
    eventually("all are gone", || counters.open() == 0);
    assert_eq!(counters.bytes(), (1_016_389, 1_016_389));
}

#[test]
fn a_server_that_speaks_first_is_heard_through_tls() {
    let authority = Authority::new();
    let (target, port) = (Target::says("welcome"), free_port());
    let _relay = relay(&entry("a", port, target.address, &ends(&authority.issue("a.example"))));
    let mut client = secure(port, "a.example", &authority.client(&[])).unwrap();
    let mut word = [0; 7];
    client.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"welcome");
    say_all(&mut client);
    assert!(whole(&mut client).is_empty());
}

#[test]
fn tls_begins_here_and_the_target_has_to_prove_who_it_is() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let good = secure_says(&authority.issue("db.example"), "good");
    let by_address = secure_says(&authority.issue("127.0.0.1"), "addr");
    let expired = secure_says(&authority.issue_until("old.example", 2001), "old");
    let of_stranger = secure_says(&stranger.issue("db.example"), "evil");
    let plain = Target::says("plain");
    let ca = authority.file();
    let trusts = |name: &str| {
        let name = if name.is_empty() { String::new() } else { format!(", name = '{name}'") };
        format!("connect_tls = {{ ca = '{}'{name} }}", ca.display())
    };
    let cases = [
        ("good", &good, trusts("db.example"), None),
        ("address", &by_address, trusts(""), None),
        ("insecure", &of_stranger, "connect_tls = { verify = 'insecure' }".to_owned(), None),
        ("stranger", &of_stranger, trusts("db.example"), Some(Refusal::TlsCertificate)),
        ("expired", &expired, trusts("old.example"), Some(Refusal::TlsCertificate)),
        ("other", &good, trusts("other.example"), Some(Refusal::TlsCertificate)),
        ("plain", &plain, trusts("db.example"), Some(Refusal::TlsTarget)),
    ];
    let ports: Vec<_> = cases.iter().map(|_| free_port()).collect();
    let text = cases
        .iter()
        .zip(&ports)
        .map(|((name, target, more, _), port)| entry(name, *port, target.address, more));
    let relay = relay(&text.collect::<String>());
    for ((name, _, _, refused), port) in cases.iter().zip(ports) {
        let mut client = client(port);
        let counters = relay.counters(name).unwrap();
        match refused {
            None => {
                let mut word = [0; 4];
                client.read_exact(&mut word).unwrap();
                client.shutdown(Shutdown::Write).unwrap();
                assert_eq!(client.read(&mut word).unwrap(), 0, "{name}");
            }
            Some(reason) => {
                is_reset(&client);
                assert_eq!(counters.refused(*reason), 1, "{name}");
            }
        }
        eventually("it is gone", || counters.open() == 0);
    }
}

#[test]
fn tls_ends_and_begins_again_with_the_protocol_that_the_client_agreed_to() {
    let authority = Authority::new();
    let outside = authority.issue("www.example");
    let config = authority.issue("inside.example").server(&["http/1.1", "h2"]);
    let target = Target::start(move |stream| {
        let mut stream = serve(stream, &config);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        let protocol = stream.conn.alpn_protocol().unwrap_or(b"none").to_vec();
        stream.write_all(&[&protocol[..], b" ", &all].concat()).unwrap();
        stream.conn.send_close_notify();
        stream.flush().unwrap();
    });
    let more = format!(
        "tls = {{ {}, alpn = ['h2', 'http/1.1'] }}\n\
         connect_tls = {{ ca = '{}', name = 'inside.example', alpn = ['http/1.1'] }}",
        outside.toml(),
        authority.file().display()
    );
    let port = free_port();
    let _relay = relay(&entry("a", port, target.address, &more));
    for (wished, heard) in [(&["h2"][..], "h2 hello"), (&[], "http/1.1 hello")] {
        let mut client = secure(port, "www.example", &authority.client(wished)).unwrap();
        client.write_all(b"hello").unwrap();
        say_all(&mut client);
        assert_eq!(String::from_utf8(whole(&mut client)).unwrap(), heard);
    }
    // Nothing in common is said so, and nobody is connected.
    let why = why(secure(port, "www.example", &authority.client(&["imap"])));
    assert_eq!(why, rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol));
}

#[test]
fn names_that_end_here_and_names_that_pass_through_share_a_port() {
    let authority = Authority::new();
    let [a, b, c] = ["a.example", "b.example", "c.example"].map(|name| authority.issue(name));
    let (here, there) = (Target::says("here"), secure_says(&c, "pass"));
    let port = free_port();
    let own = |name: &str, files: &Files| {
        entry(name, port, here.address, &(ends(files) + &format!("sni = ['{name}.example']")))
    };
    let text = own("a", &a) + &own("b", &b) + &entry("c", port, there.address, "sni = ['*']");
    let relay = relay(&text);
    for (name, word, files) in
        [("a.example", "here", &a), ("b.example", "here", &b), ("c.example", "pass", &c)]
    {
        let mut client = secure(port, name, &authority.client(&[])).unwrap();
        let mut heard = [0; 4];
        client.read_exact(&mut heard).unwrap();
        assert_eq!((&heard[..], shown(&client)), (word.as_bytes(), files.der()), "{name}");
    }
    for name in ["a", "b", "c"] {
        let counters = relay.counters(name).unwrap();
        assert_eq!((counters.total(), counters.refused(Refusal::Greeting)), (1, 0), "{name}");
    }
}

#[test]
fn of_several_certificates_the_client_is_shown_the_one_it_asks_for() {
    let authority = Authority::new();
    let files = ["a.example", "b.example"].map(|name| authority.issue(name));
    let list: Vec<_> = files.iter().map(|files| format!("{{ {} }}", files.toml())).collect();
    let more = format!("tls = {{ certificates = [{}] }}", list.join(", "));
    let (target, port) = (Target::says("x"), free_port());
    let _relay = relay(&entry("a", port, target.address, &more));
    for (name, files) in ["a.example", "b.example"].iter().zip(&files) {
        let client = secure(port, name, &authority.client(&[])).unwrap();
        assert_eq!(shown(&client), files.der());
    }
    // The first for those who ask for another one; they do not take it.
    let why = why(secure(port, "c.example", &authority.client(&[])));
    let CertificateError::NotValidForNameContext { presented, .. } = (match why {
        rustls::Error::InvalidCertificate(why) => why,
        other => panic!("{other}"),
    }) else {
        panic!("taken for another reason");
    };
    assert_eq!(presented, ["DnsName(\"a.example\")"]);
}

#[test]
fn a_new_certificate_is_shown_from_the_next_connection_on_and_a_broken_one_never() {
    let authority = Authority::new();
    let (target, port) = (Target::echo(), free_port());
    let old = authority.issue("a.example");
    let text = entry("a", port, target.address, &ends(&old));
    let mut relay = relay(&text);
    let before = old.der();
    let mut open = secure(port, "a.example", &authority.client(&[])).unwrap();
    let mut talk = |relay: &mut navigator_relay::Relay| {
        open.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        open.read_exact(&mut heard).unwrap();
        assert_eq!(relay.counters("a").unwrap().open(), 1);
    };
    talk(&mut relay);
    // Another key for the same certificate, no certificate at all, and no file: one line each.
    let key = std::fs::read(&old.key).unwrap();
    let other = authority.issue("b.example");
    let broken: [(&dyn Fn(), &str); 3] = [
        (&|| assert!(std::fs::copy(&other.key, &old.key).is_ok()), "is not the key of"),
        (&|| std::fs::write(&old.certificate, "x").unwrap(), "no certificate in PEM"),
        (&|| std::fs::remove_file(&old.certificate).unwrap(), "No such file"),
    ];
    for (damage, words) in broken {
        damage();
        let lines = relay.apply(set(&text)).unwrap_err().lines;
        assert!(lines.len() == 1 && lines[0].contains(words), "{lines:?}");
        assert!(lines[0].starts_with("forward.a: tls."), "{lines:?}");
        talk(&mut relay);
        let client = secure(port, "a.example", &authority.client(&[])).unwrap();
        assert_eq!(shown(&client), before);
        drop(client);
        eventually("it is gone", || relay.counters("a").unwrap().open() == 1);
    }
    std::fs::write(&old.key, key).unwrap();
    let new = authority.issue("a.example").der();
    assert_ne!(new, before);
    relay.apply(set(&text)).unwrap();
    let client = secure(port, "a.example", &authority.client(&[])).unwrap();
    assert_eq!(shown(&client), new);
    drop(client);
    eventually("it is gone", || relay.counters("a").unwrap().open() == 1);
    talk(&mut relay);
}

#[test]
fn a_handshake_byte_by_byte_ends_by_the_connect_timeout_and_others_are_served() {
    let authority = Authority::new();
    let (target, port) = (Target::says("served"), free_port());
    let more = ends(&authority.issue("a.example")) + "connect_timeout_s = 3";
    let relay = relay(&entry("a", port, target.address, &more));
    // A hello that promises much.
    let hello = [&[22, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 501]].concat();
    let start = Instant::now();
    let slow: Vec<_> = (0..30).map(|_| client(port)).collect();
    thread::scope(|scope| {
        for mut stream in &slow {
            let hello = &hello;
            scope.spawn(move || {
                for byte in hello {
                    if stream.write_all(&[*byte]).is_err() {
                        break;
                    }
                    thread::sleep(Duration::from_millis(20));
                }
                assert!(start.elapsed() < PATIENCE, "a slow client was heard for ever");
            });
        }
        let mut client = secure(port, "a.example", &authority.client(&[])).unwrap();
        client.read_exact(&mut [0; 6]).unwrap();
    });
    let counters = relay.counters("a").unwrap();
    eventually("they are gone", || counters.open() == 0);
    assert_eq!(counters.refused(Refusal::TlsTimeout), 30);
}

#[test]
fn who_does_not_speak_tls_is_told_so_and_costs_the_target_nothing() {
    let authority = Authority::new();
    let (told, hears) = channel();
    let target = Target::start(move |_| told.send(()).unwrap());
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, &ends(&authority.issue("a.example"))));
    let mut talker = client(port);
    talker.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = talker.read_to_end(&mut answer);
    // A fatal alert.
    assert_eq!(answer.first(), Some(&21), "{answer:?}");
    drop(client(port));
    let counters = relay.counters("a").unwrap();
    eventually("both are gone", || counters.refused(Refusal::Tls) == 2 && counters.open() == 0);
    assert!(hears.try_recv().is_err(), "the target was connected");
}

#[test]
fn an_end_without_a_word_is_passed_on_without_a_word() {
    let authority = Authority::new();
    let (told, hears) = channel();
    let config = authority.issue("inside.example").server(&[]);
    let target = Target::start(move |stream| {
        let mut stream = serve(stream, &config);
        let mut all = Vec::new();
        let end = stream.read_to_end(&mut all).map_err(|error| error.kind());
        told.send((all, end)).unwrap();
    });
    let more = ends(&authority.issue("a.example"))
        + &format!(
            "connect_tls = {{ ca = '{}', name = 'inside.example' }}",
            authority.file().display()
        );
    let port = free_port();
    let _relay = relay(&entry("a", port, target.address, &more));
    for says_so in [true, false] {
        let mut client = secure(port, "a.example", &authority.client(&[])).unwrap();
        client.write_all(b"hello").unwrap();
        if says_so {
            say_all(&mut client);
        }
        client.sock.shutdown(Shutdown::Write).unwrap();
        let (all, end) = hears.recv_timeout(PATIENCE).unwrap();
        assert_eq!(all, b"hello");
        let expected = if says_so { Ok(5) } else { Err(ErrorKind::UnexpectedEof) };
        assert_eq!(end, expected);
    }
}

#[test]
fn a_reset_goes_through_tls_as_a_reset() {
    let authority = Authority::new();
    let target = Target::start(|mut stream| {
        let mut said = [0; 5];
        stream.read_exact(&mut said).unwrap();
        reset_on_close(&stream);
    });
    let port = free_port();
    let relay = relay(&entry("a", port, target.address, &ends(&authority.issue("a.example"))));
    let mut client = secure(port, "a.example", &authority.client(&[])).unwrap();
    client.write_all(b"hello").unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    eventually("it is gone", || relay.counters("a").unwrap().open() == 0);
}

#[test]
fn the_target_is_told_of_the_clients_tls() {
    let authority = Authority::new();
    let (target, port) = (mirror(), free_port());
    let more = format!(
        "tls = {{ {}, alpn = ['h2'] }}\nproxy_protocol = 'v2'",
        authority.issue("a.example").toml()
    );
    let _relay = relay(&entry("a", port, target.address, &more));
    let mut client = secure(port, "a.example", &authority.client(&["h2"])).unwrap();
    client.write_all(b"hello").unwrap();
    say_all(&mut client);
    let heard = whole(&mut client);
    let told = [
        &b"\x01\0\x02h2"[..],
        b"\x02\0\x09a.example",
        // By TLS, no certificate of the client's; the version.
        b"\x20\0\x0f\x01\0\0\0\x01\x21\0\x07TLSv1.3",
    ]
    .concat();
    assert_eq!(&heard[..14], b"\r\n\r\n\0\r\nQUIT\n\x21\x11");
    assert_eq!(heard[14..16], (12 + told.len() as u16).to_be_bytes());
    assert_eq!(&heard[28..], [&told[..], b"hello"].concat());
}

#[test]
fn a_session_is_resumed_without_another_certificate() {
    let authority = Authority::new();
    let (target, port) = (Target::says("x"), free_port());
    let _relay = relay(&entry("a", port, target.address, &ends(&authority.issue("a.example"))));
    let config = authority.client(&[]);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut client = secure(port, "a.example", &config).unwrap();
        // The ticket comes with the first byte, or before it.
        client.read_exact(&mut [0]).unwrap();
        kinds.push(client.conn.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

#[test]
fn a_tls_client_that_never_reads_costs_a_bounded_buffer_and_ends_by_the_idle_timeout() {
    let authority = Authority::new();
    let (told, hears) = channel();
    let target = Target::start(move |mut stream| {
        let (chunk, mut sent) = ([7; 65_536], 0_u64);
        while let Ok(n) = stream.write(&chunk) {
            sent += n as u64;
        }
        told.send(sent).unwrap();
    });
    let port = free_port();
    let more = ends(&authority.issue("a.example")) + "idle_timeout_s = 0.5";
    let relay = relay(&entry("a", port, target.address, &more));
    let lazy = secure(port, "a.example", &authority.client(&[])).unwrap();
    let sent = hears.recv_timeout(PATIENCE).expect("the target was never told");
    assert!(sent < 64 << 20, "{sent} bytes were buffered");
    eventually("it is gone", || relay.counters("a").unwrap().open() == 0);
    drop(lazy);
}
