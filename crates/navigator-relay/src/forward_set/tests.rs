//! What a set takes, and the line that it says otherwise.

use super::*;

fn lines(text: &str) -> Vec<String> {
    match ForwardSet::from_toml(text) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.lines,
    }
}

fn set(text: &str) -> ForwardSet {
    ForwardSet::from_toml(text).unwrap()
}

#[test]
fn a_set_is_read_with_its_defaults() {
    let set = set("[forward.ssh]\nlisten = ':60022'\nconnect = '192.168.0.1:22'\n");
    let ssh = set.get("ssh").unwrap();
    assert_eq!(ssh.listen.address, None);
    assert_eq!(ssh.listen.socket_address(60022), "[::]:60022".parse().unwrap());
    assert_eq!(ssh.target(60022), "192.168.0.1:22".parse().unwrap());
    assert_eq!(ssh.timeouts, Timeouts::of(Transport::Tcp));
}

#[test]
fn a_range_leads_port_by_port_and_namespaces_are_named() {
    let set =
        set("[forward.a]\nlisten = { address = '[2001:db8::1]:20000-20999', netns = 'in' }\n\
         connect.address = '10.0.0.5:30000'\nconnect.netns = 'out'\nremoval = 'drain'\n");
    let forward = set.get("a").unwrap();
    assert_eq!(forward.target(20999), "10.0.0.5:30999".parse().unwrap());
    assert_eq!(forward.listen.netns.as_deref(), Some("in"));
    assert_eq!(forward.connect.netns.as_deref(), Some("out"));
    assert_eq!(forward.removal, Removal::Drain);
}

#[test]
fn what_is_wrong_is_one_line_that_names_the_entry() {
    let entry = |listen: &str, connect: &str, more: &str| {
        format!("[forward.x]\nlisten = '{listen}'\nconnect = '{connect}'\n{more}\n")
    };
    let cases = [
        (entry("nowhere", "10.0.0.1:1", ""), "forward.x: listen: 'nowhere' has no port"),
        (entry(":0", "10.0.0.1:1", ""), "forward.x: listen: '0' is no port"),
        (entry(":9-3", "10.0.0.1:1", ""), "forward.x: listen: '9-3' is no port"),
        (entry(":+9", "10.0.0.1:1", ""), "forward.x: listen: '+9' is no port"),
        (entry("2001:db8::1", "10.0.0.1:1", ""), "forward.x: listen: '2001:db8::1' has no port"),
        (entry("300.0.0.1:1", "10.0.0.1:1", ""), "forward.x: listen: '300.0.0.1' is no address"),
        (entry(":1", "example.org:1", ""), "forward.x: connect: 'example.org' is no address"),
        (entry(":1", "0.0.0.0:1", ""), "forward.x: connect: '0.0.0.0:1' has to name one address"),
        (
            entry(":1-9", "10.0.0.1:65530", ""),
            "forward.x: connect: the range would end at port 65538",
        ),
        (entry(":1", "10.0.0.1:1", "idle_timeout_s = -1"), "forward.x: idle_timeout_s: -1 is not"),
        (entry(":1", "10.0.0.1:1", "idle_timeout_s = 0"), "forward.x: a timeout of 0"),
        (
            entry(":1", "10.0.0.1:1", "allowed_sources = ['10.0.0.0/33']"),
            "forward.x: allowed_sources: '10.0.0.0/33' is no prefix",
        ),
        (entry(":1", "10.0.0.1:1", "max_connections = 0"), "forward.x: a limit of 0"),
        (
            entry(":1", "10.0.0.1:1", "proxy_protocol_from = ['x']"),
            "forward.x: proxy_protocol_from: 'x' is no prefix",
        ),
        (entry(":1", "10.0.0.1:1", "proxy_protocol = 'v3'"), "forward.x: unknown variant `v3`"),
        (entry(":1", "10.0.0.1:1", "sni = ['a b']"), "forward.x: sni: 'a b' is no server name"),
        (
            entry(":1", "10.0.0.1:1", "protocol = 'udp'\nsni = ['a']"),
            "forward.x: sni, tls and the PROXY protocol are for TCP",
        ),
        (
            entry(":1", "10.0.0.1:1", "protocol = 'udp'\nconnect_tls = {}"),
            "forward.x: sni, tls and the PROXY protocol are for TCP",
        ),
        (entry(":1", "10.0.0.1:1", "tls = {}"), "forward.x: tls: certificate and key are missing"),
        (
            entry(":1", "10.0.0.1:1", "tls = { certificate = 'a' }"),
            "forward.x: tls: key is missing",
        ),
        (
            entry(":1", "10.0.0.1:1", "tls = { certificate = 'a', key = 'b', alpn = [''] }"),
            "forward.x: tls.alpn: '' is no protocol's name",
        ),
        (
            entry(":1", "10.0.0.1:1", "connect_tls = { verify = 'no' }"),
            "forward.x: unknown variant `no`",
        ),
        (
            entry(":1", "10.0.0.1:1", "connect_tls = { verify = 'insecure', ca = 'x' }"),
            "forward.x: connect_tls: with verify = \"insecure\", ca has no meaning",
        ),
        (
            entry(":1", "10.0.0.1:1", "connect_tls = { name = 'a b' }"),
            "forward.x: connect_tls.name: 'a b' is neither",
        ),
        (
            entry("[::1]:1", "10.0.0.1:1", "transparent = true"),
            "forward.x: transparent: listen and connect are of different",
        ),
        (entry(":1", "10.0.0.1:1", "colour = 1"), "forward.x: unknown field `colour`"),
        (entry(":1", "10.0.0.1:1", "protocol = 'sctp'"), "forward.x: unknown variant `sctp`"),
        ("[forward.x]\nlisten = 7\nconnect = ':1'".into(), "forward.x: write \"ADDRESS:PORT\""),
        ("[forward.x]\nconnect = ':1'".into(), "forward.x: missing field `listen`"),
        ("forward = 3".into(), "forward: write [forward.NAME]"),
        ("\n\n[forward".into(), "line 3: "),
        ("relays = 3".into(), "relays: unknown"),
        (
            "[forward.x]\nlisten = { address = ':1', netns = '../x' }\nconnect = '10.0.0.1:1'"
                .into(),
            "forward.x: listen.netns: '../x' is no name",
        ),
        ("[forward.'a b']\nlisten = ':1'\nconnect = '10.0.0.1:1'".into(), "forward.a b: a name is"),
        (
            "[forward.\"a\\nb\"]\nlisten = ':1'\nconnect = '10.0.0.1:1'".into(),
            "forward.a\\nb: a name is",
        ),
        (
            "[forward.x]\nlisten = \"\\n\"\nconnect = ':1'".into(),
            "forward.x: listen: '\\n' has no port",
        ),
    ];
    for (text, expected) in cases {
        let found = lines(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
        assert!(!found[0].contains('\n'), "{found:?}");
    }
}

#[test]
fn forwards_that_want_the_same_port_are_found() {
    let pair = |a: &str, b: &str| {
        format!(
            "[forward.a]\nlisten = {a}\nconnect = '10.0.0.1:1'\n\
             [forward.b]\nlisten = {b}\nconnect = '10.0.0.1:1'\n"
        )
    };
    let colliding = [
        ("':80'", "':80'"),
        ("':80'", "'192.0.2.1:80'"),
        ("'0.0.0.0:80'", "'192.0.2.1:80'"),
        ("'[::]:80'", "':80'"),
        ("'192.0.2.1:10-20'", "'192.0.2.1:20-30'"),
        ("'192.0.2.1:10'", "'[::ffff:192.0.2.1]:10'"),
    ];
    for (a, b) in colliding {
        let found = lines(&pair(a, b));
        assert_eq!(found.len(), 1, "{a} {b}: {found:?}");
        assert!(found[0].starts_with("forward.b: listen: port "), "{found:?}");
        assert!(found[0].contains("forward.a"), "{found:?}");
    }
    let apart = [
        ("'192.0.2.1:80'", "'192.0.2.2:80'"),
        ("'0.0.0.0:80'", "'[::]:80'"),
        ("'192.0.2.1:10-20'", "'192.0.2.1:21-30'"),
        ("{ address = ':80', netns = 'x' }", "{ address = ':80', netns = 'y' }"),
    ];
    for (a, b) in apart {
        assert_eq!(lines(&pair(a, b)), Vec::<String>::new(), "{a} {b}");
    }
}

#[test]
fn names_share_a_port_but_not_each_other() {
    let named = |name: &str, listen: &str, names: &str, more: &str| {
        format!(
            "[forward.{name}]\nlisten = '{listen}'\nconnect = '10.0.0.1:1'\nsni = {names}\n{more}\n"
        )
    };
    let a = named("a", ":443", "['a.org', '*.a.org']", "");
    for good in [
        named("b", ":443", "['b.org', '*']", ""),
        "[forward.b]\nprotocol = 'udp'\nlisten = ':443'\nconnect = '10.0.0.1:1'".to_owned(),
    ] {
        assert_eq!(lines(&(a.clone() + &good)), Vec::<String>::new(), "{good}");
    }
    for bad in [
        named("b", ":443", "['A.org']", ""),
        named("b", "192.0.2.1:443", "['b.org']", ""),
        named("b", ":443-444", "['b.org']", ""),
        named("b", ":443", "[]", ""),
        named("b", ":443", "['b.org']", "proxy_protocol_from = ['10.0.0.0/8']"),
    ] {
        let found = lines(&(a.clone() + &bad));
        assert_eq!(found.len(), 1, "{bad}: {found:?}");
        assert!(found[0].starts_with("forward.b: listen: port 443 "), "{found:?}");
    }
}

/// Every key that a forward takes.
const DOCUMENT: &str = "
[forward.a]
protocol = 'tcp'
listen = { address = '[2001:db8::1]:20000-20009', netns = 'in' }
connect = { address = '[2001:db8::5]:30000', netns = 'out' }
connect_timeout_s = 1.5
idle_timeout_s = 3600
half_closed_timeout_s = 300
keepalive_s = 0
allowed_sources = ['192.0.2.0/24', '2001:db8::1']
max_connections = 10
max_new_per_second = 10
max_bytes_per_second = 1000000
proxy_protocol = 'v2'
proxy_protocol_from = ['10.0.0.0/8']
sni = ['www.example.org', '*.example.org', '*']
transparent = true
removal = 'drain'
[forward.b]
protocol = 'udp'
listen = ':53'
connect = '[2001:db8::53]:53'
";

/// What is told stands in a log: a line is a line.
fn one_line_each(text: &str) -> Result<(), proptest::test_runner::TestCaseError> {
    for line in lines(text) {
        proptest::prop_assert!(!line.contains('\n'), "{line:?}");
        proptest::prop_assert!(!line.is_empty());
    }
    Ok(())
}

#[test]
fn the_document_that_is_mangled_is_a_good_one() {
    assert_eq!(set(DOCUMENT).len(), 2);
}

proptest::proptest! {
    #[test]
    fn fuzz_forwards_of_any_text(text: String, listen: Vec<char>, connect: Vec<char>, key: Vec<char>) {
        one_line_each(&text)?;
        let value = |text: &[char]| toml::Value::from(String::from_iter(text)).to_string();
        let entry = format!(
            "[forward.{0}]\nlisten = {1}\nconnect = {2}\n{0} = 1\n",
            value(&key).replace("\"\"\"", "\""), value(&listen), value(&connect)
        );
        one_line_each(&entry)?;
    }

    /// Whatever becomes of a good document: a set, or a line for each thing that is wrong.
    #[test]
    fn fuzz_forwards_of_a_mangled_document(
        changes in proptest::collection::vec((0..DOCUMENT.len(), 0..9_usize, proptest::prelude::any::<Vec<u8>>()), 1..5),
    ) {
        let mut bytes = DOCUMENT.as_bytes().to_vec();
        for (at, length, with) in changes {
            let at = at.min(bytes.len());
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, with);
        }
        one_line_each(&String::from_utf8_lossy(&bytes))?;
    }

    /// Pieces that mean something, in any order.
    #[test]
    fn fuzz_forwards_of_shuffled_pieces(order in proptest::collection::vec(proptest::prelude::any::<proptest::sample::Index>(), 0..30)) {
        let pieces: Vec<&str> = DOCUMENT.split_inclusive([' ', '\n', '.', ',', '\'']).collect();
        let text: String = order.iter().map(|index| *index.get(&pieces)).collect();
        one_line_each(&text)?;
    }

    #[test]
    fn addresses_are_written_as_they_are_read(a: [u8; 4], b: [u8; 16], first in 1_u16.., more in 0_u16..9) {
        let last = first.saturating_add(more);
        for text in [
            format!(":{first}"),
            format!("{}:{first}", std::net::Ipv4Addr::from(a)),
            format!("[{}]:{first}-{last}", std::net::Ipv6Addr::from(b)),
        ] {
            let listen: ListenOn = text.parse().unwrap();
            proptest::prop_assert_eq!(listen.to_string().parse::<ListenOn>().unwrap(), listen);
        }
    }
}

mod change {
    use proptest::prelude::*;

    use super::*;

    /// Few names, addresses and ports, so that they collide.
    fn entry() -> impl Strategy<Value = (String, Forward)> {
        let address = prop_oneof![
            Just(""),
            Just("0.0.0.0"),
            Just("192.0.2.1"),
            Just("192.0.2.2"),
            Just("[::]"),
            Just("[2001:db8::1]"),
        ];
        let more = prop_oneof![
            6 => Just(""),
            1 => Just("sni = ['a', 'b']"),
            1 => Just("sni = ['b', 'b']"),
            1 => Just("sni = ['c']"),
            1 => Just("sni = ['c']\nproxy_protocol_from = ['10.0.0.0/8']"),
            1 => Just("max_connections = 0"),
        ];
        let netns = prop_oneof![3 => Just(None), 1 => Just(Some("x".to_owned()))];
        ("[a-f]", address, 1_u16..6, 0_u16..3, more, netns).prop_map(
            |(name, address, first, count, more, netns)| {
                let listen: ListenOn =
                    format!("{address}:{first}-{}", first + count).parse().unwrap();
                let text = format!("[forward.x]\nlisten = ':1'\nconnect = '10.0.0.1:1'\n{more}");
                // A limit of 0 is refused: that one is put in afterwards.
                let zero = more.contains("= 0");
                let mut forward = set(if zero { text.strip_suffix(more).unwrap() } else { &text })
                    .get("x")
                    .unwrap()
                    .clone();
                forward.limits.connections = zero.then_some(0);
                forward.listen = ListenOn { netns, ..listen };
                (name, forward)
            },
        )
    }

    /// Whether two forwards can be in a set together, told without an index.
    fn fit(a: &Forward, b: &Forward) -> bool {
        let shares = !a.sni.is_empty()
            && !b.sni.is_empty()
            && a.listen == b.listen
            && a.proxies == b.proxies
            && a.sni.iter().all(|name| !b.sni.contains(name));
        a.transport != b.transport || !a.listen.overlaps(&b.listen) || shares
    }

    proptest! {
        #[test]
        fn a_change_is_what_the_whole_set_would_be(
            steps in prop::collection::vec((prop::collection::vec("[a-f]", 0..2), prop::collection::vec(entry(), 0..3)), 1..30)
        ) {
            let mut set = ForwardSet::default();
            for (removed, added) in steps {
                let mut expected: BTreeMap<String, Forward> =
                    set.iter().map(|(name, it)| (name.to_owned(), it.clone())).collect();
                removed.iter().for_each(|name| drop(expected.remove(name)));
                expected.extend(added.clone());
                let all: Vec<_> = expected.values().collect();
                let alone = all.iter().all(|it| it.limits.connections != Some(0));
                let good = alone && (0..all.len()).all(|n| (0..n).all(|m| fit(all[n], all[m])));
                let before = set.clone();
                let found = set.change(removed.iter().map(String::as_str), added);
                prop_assert_eq!(found.is_ok(), good, "{:?}", found);
                let whole = ForwardSet::new(expected);
                prop_assert_eq!(whole.is_ok(), good);
                let now = if good { whole.unwrap() } else { before.clone() };
                prop_assert!(set == now);
                // Its difference leads there, and the undoing one back.
                let mut copy = before.clone();
                let back = copy.replace(before.difference(&set)).unwrap();
                prop_assert!(copy == set);
                copy.undo(back);
                prop_assert!(copy == before);
            }
        }
    }
}
