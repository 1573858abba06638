//! Which name a TLS client asks for: the start of its first message, read without a TLS library and
//! without changing a byte. And the names that a forward takes.

use std::{collections::HashMap, fmt, str::FromStr};

/// Bytes of a client's first message that are looked at. Real ones are below 2 KiB, or below 5 with
/// keys that withstand quantum computers.
pub(crate) const LONGEST_HELLO: usize = 16 * 1024;

/// `www.example.org`, `*.example.org` for one label more, or `*` for whatever no other forward takes,
/// also without a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerName(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no server name: write www.example.org, *.example.org or *")]
pub struct InvalidServerName(String);

impl FromStr for ServerName {
    type Err = InvalidServerName;

    fn from_str(text: &str) -> Result<Self, InvalidServerName> {
        let lower = text.to_ascii_lowercase();
        let plain = lower.strip_prefix("*.").unwrap_or(&lower);
        if text == "*" || is_host_name(plain.as_bytes()) {
            return Ok(Self(lower));
        }
        Err(InvalidServerName(text.to_owned()))
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_host_name(name: &[u8]) -> bool {
    let label = |label: &[u8]| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-' || *byte == b'_';
        (1..=63).contains(&label.len()) && label.iter().all(plain)
    };
    name.len() <= 253 && name.split(|byte| *byte == b'.').all(label)
}

/// Values by the names that lead to them.
#[derive(Debug)]
pub(crate) struct ByName<T>(HashMap<ServerName, T>);

impl<T> ByName<T> {
    pub(crate) fn new(entries: impl IntoIterator<Item = (ServerName, T)>) -> Self {
        Self(entries.into_iter().collect())
    }

    /// The name itself, then the wildcard for its domain, then the one for all.
    pub(crate) fn get(&self, asked: Option<&str>) -> Option<&T> {
        let find = |name: String| self.0.get(&ServerName(name));
        let exact = asked.and_then(|name| find(name.to_owned()));
        let wildcard = || {
            let (_, domain) = asked?.split_once('.')?;
            find(format!("*.{domain}"))
        };
        exact.or_else(wildcard).or_else(|| find("*".to_owned()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHello;

/// The name in the hello at the start of `bytes`, in lower case; `Ok(None)` while more bytes may tell.
/// A hello without a name says so: `Ok(Some(None))`.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Option<String>>, NoHello> {
    let message = match handshake(bytes)? {
        Some(message) => message,
        None if bytes.len() >= LONGEST_HELLO => return Err(NoHello),
        None => return Ok(None),
    };
    let extensions = extensions(&message).ok_or(NoHello)?;
    let Some(list) = extension(extensions, 0)? else {
        return Ok(Some(None));
    };
    Ok(Some(Some(host_name(list).ok_or(NoHello)?)))
}

/// The first handshake message, put together from as many records as it came in.
fn handshake(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, NoHello> {
    let mut message: Vec<u8> = Vec::new();
    loop {
        let Some((head, rest)) = bytes.split_first_chunk::<5>() else {
            // What is no record at all is known by its first bytes.
            let starts = [22, 3];
            let common = bytes.len().min(starts.len());
            return if bytes[..common] == starts[..common] { Ok(None) } else { Err(NoHello) };
        };
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if head[0] != 22 || head[1] != 3 || length == 0 || length > LONGEST_HELLO {
            return Err(NoHello);
        }
        message.extend_from_slice(&rest[..length.min(rest.len())]);
        if message.first().is_some_and(|kind| *kind != 1) {
            return Err(NoHello);
        }
        if let Some(&[_, a, b, c]) = message.first_chunk::<4>() {
            let whole = 4 + u32::from_be_bytes([0, a, b, c]) as usize;
            if whole > LONGEST_HELLO {
                return Err(NoHello);
            }
            if message.len() >= whole {
                message.truncate(whole);
                return Ok(Some(message));
            }
        }
        let Some(next) = rest.get(length..) else {
            return Ok(None);
        };
        bytes = next;
    }
}

/// The extensions of a client's hello; none at all is an empty list.
fn extensions(message: &[u8]) -> Option<&[u8]> {
    // Kind and length, version, random.
    let mut rest = message.get(4 + 2 + 32..)?;
    for width in [1, 2, 1] {
        // Session, cipher suites, compression methods.
        (_, rest) = vector(rest, width)?;
    }
    if rest.is_empty() {
        return Some(rest);
    }
    let (extensions, after) = vector(rest, 2)?;
    after.is_empty().then_some(extensions)
}

fn extension(mut list: &[u8], wanted: u16) -> Result<Option<&[u8]>, NoHello> {
    while !list.is_empty() {
        let (kind, rest) = list.split_first_chunk::<2>().ok_or(NoHello)?;
        let (body, rest) = vector(rest, 2).ok_or(NoHello)?;
        if u16::from_be_bytes(*kind) == wanted {
            return Ok(Some(body));
        }
        list = rest;
    }
    Ok(None)
}

/// The first entry has to be a host name; there is no other kind.
fn host_name(list: &[u8]) -> Option<String> {
    let (entries, after) = vector(list, 2)?;
    let (kind, rest) = entries.split_first()?;
    let (name, _) = vector(rest, 2)?;
    let good = *kind == 0 && after.is_empty() && is_host_name(name);
    good.then(|| String::from_utf8_lossy(name).to_ascii_lowercase())
}

/// A length of `width` bytes, so many bytes, and the rest.
fn vector(bytes: &[u8], width: usize) -> Option<(&[u8], &[u8])> {
    let length =
        bytes.get(..width)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
    bytes[width..].split_at_checked(length)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with_length(width: usize, body: &[u8]) -> Vec<u8> {
        let length = (body.len() as u32).to_be_bytes();
        [&length[4 - width..], body].concat()
    }

    /// A hello as a client would write it, in records of at most `piece` bytes.
    pub(crate) fn hello(name: Option<&str>, piece: usize) -> Vec<u8> {
        let mut extensions = [&[0, 43][..], &with_length(2, &[2, 3, 4])].concat();
        if let Some(name) = name {
            let entry = [&[0][..], &with_length(2, name.as_bytes())].concat();
            let list = with_length(2, &with_length(2, &entry));
            extensions.extend([&[0, 0][..], &list].concat());
        }
        let body = [
            &[3, 3][..],
            &[7; 32],
            &with_length(1, &[9; 32]),
            &with_length(2, &[0x13, 1]),
            &with_length(1, &[0]),
            &with_length(2, &extensions),
        ]
        .concat();
        let message = [&[1][..], &with_length(3, &body)].concat();
        let record = |part: &[u8]| [&[22, 3, 1][..], &with_length(2, part)].concat();
        message.chunks(piece).flat_map(record).collect()
    }

    #[test]
    fn the_most_particular_name_wins() {
        let name = |text: &str| text.parse::<ServerName>().unwrap();
        let table =
            ByName::new([(name("www.example.org"), 1), (name("*.Example.org"), 2), (name("*"), 3)]);
        for (asked, found) in [
            (Some("www.example.org"), 1),
            (Some("mail.example.org"), 2),
            (Some("a.b.example.org"), 3),
            (Some("example.org"), 3),
            (None, 3),
        ] {
            assert_eq!(table.get(asked), Some(&found), "{asked:?}");
        }
        assert_eq!(ByName::new([(name("a.b"), 1)]).get(Some("c.b")), None);
        for wrong in ["", "a..b", "*.", "a.*.b", "ä.org", "a b", "**"] {
            assert!(wrong.parse::<ServerName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn other_protocols_are_no_hello() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"SSH-2.0-x\r\n",
            &[22, 3, 1, 0, 0],
            &[22, 2],
            &[22, 3, 1, 0, 4, 2],
        ] {
            assert_eq!(read(bytes), Err(NoHello), "{bytes:?}");
        }
        // One that never ends is given up.
        let endless = [&[22, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc][..], &[0; LONGEST_HELLO]].concat();
        assert_eq!(read(&endless), Err(NoHello));
        assert_eq!(read(&endless[..100]), Ok(None));
    }

    proptest! {
        #[test]
        fn the_name_is_read_however_it_is_cut(name in "[a-zA-Z0-9-]{1,20}(\\.[a-z0-9]{1,20}){0,3}", piece in 1_usize..300, rest: Vec<u8>) {
            let bytes = hello(Some(&name), piece);
            for cut in 0..bytes.len() {
                prop_assert_eq!(read(&bytes[..cut]), Ok(None));
            }
            let found = read(&[&bytes[..], &rest].concat());
            prop_assert_eq!(found, Ok(Some(Some(name.to_ascii_lowercase()))));
        }

        #[test]
        fn a_hello_without_a_name_says_so(piece in 1_usize..300) {
            prop_assert_eq!(read(&hello(None, piece)), Ok(Some(None)));
        }

        #[test]
        fn fuzz_server_name(bytes: Vec<u8>, at: usize, byte: u8, piece in 1_usize..300) {
            let _ = read(&bytes);
            let _ = read(&[&[22, 3, 1][..], &bytes].concat());
            let mut changed = hello(Some("www.example.org"), piece);
            let at = at % changed.len();
            changed[at] = byte;
            let _ = read(&changed);
        }
    }
}
