//! The PROXY protocol, versions 1 and 2: how a relay tells the next one who the client is. Bytes in,
//! values out; no I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::Deserialize;

use crate::tls::Spoken;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// The longest line of version 1, its end included.
const LONGEST_LINE: usize = 107;

/// Addresses and what may follow them in version 2; more is nobody's honest header.
const LONGEST_BODY: usize = 2048;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyVersion {
    V1,
    V2,
}

/// What a header says: the bytes it took, and the client and the address it had connected to, unless
/// the sender speaks for itself or of something that is not TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) length: usize,
    pub(crate) client: Option<SocketAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoHeader;

/// Kinds of what may follow the addresses in version 2.
const ALPN: u8 = 0x01;
const AUTHORITY: u8 = 0x02;
const SSL: u8 = 0x20;
const SSL_VERSION: u8 = 0x21;

/// The header for a client that connected to `to`, and spoke TLS if it did.
pub(crate) fn write(
    version: ProxyVersion,
    client: SocketAddr,
    to: SocketAddr,
    spoken: Option<&Spoken>,
) -> Vec<u8> {
    let (client, to) = (canonical(client), canonical(to));
    match version {
        ProxyVersion::V1 => write_line(client, to).into_bytes(),
        ProxyVersion::V2 => write_binary(client, to, spoken),
    }
}

/// What the client's TLS was, as the protocol's additions tell it.
fn additions(spoken: &Spoken) -> Vec<u8> {
    // The client came by TLS; it showed no certificate, so there was none to verify.
    const BY_TLS: u8 = 1;
    const NOT_VERIFIED: [u8; 4] = [0, 0, 0, 1];
    let addition = |kind: u8, value: &[u8]| -> Vec<u8> {
        let length = (value.len() as u16).to_be_bytes();
        [&[kind][..], &length, value].concat()
    };
    let mut added = Vec::new();
    if let Some(protocol) = &spoken.protocol {
        added.extend(addition(ALPN, protocol));
    }
    if let Some(name) = &spoken.name {
        added.extend(addition(AUTHORITY, name.as_bytes()));
    }
    let version = addition(SSL_VERSION, spoken.version.as_bytes());
    added.extend(addition(SSL, &[&[BY_TLS][..], &NOT_VERIFIED, &version].concat()));
    added
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn write_line(client: SocketAddr, to: SocketAddr) -> String {
    let family = match (client.ip(), to.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
        (IpAddr::V6(_), IpAddr::V6(_)) => "TCP6",
        _ => return "PROXY UNKNOWN\r\n".to_owned(),
    };
    let (from, from_port, to, to_port) = (client.ip(), client.port(), to.ip(), to.port());
    format!("PROXY {family} {from} {to} {from_port} {to_port}\r\n")
}

fn write_binary(client: SocketAddr, to: SocketAddr, spoken: Option<&Spoken>) -> Vec<u8> {
    let mut addresses = Vec::new();
    let (command, family) = match (client.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            addresses.extend_from_slice(&from.octets());
            addresses.extend_from_slice(&to.octets());
            (0x21, 0x11)
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            addresses.extend_from_slice(&from.octets());
            addresses.extend_from_slice(&to.octets());
            (0x21, 0x21)
        }
        _ => (0x20, 0x00),
    };
    if family != 0 {
        addresses.extend_from_slice(&client.port().to_be_bytes());
        addresses.extend_from_slice(&to.port().to_be_bytes());
    }
    addresses.extend(spoken.map(additions).unwrap_or_default());
    let mut header = SIGNATURE.to_vec();
    header.extend_from_slice(&[command, family]);
    header.extend_from_slice(&(addresses.len() as u16).to_be_bytes());
    header.extend_from_slice(&addresses);
    header
}

/// Reads the header at the start of `bytes`; `Ok(None)` while more bytes may make it one.
pub(crate) fn read(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let common = bytes.len().min(SIGNATURE.len());
    if bytes[..common] == SIGNATURE[..common] {
        return read_binary(bytes);
    }
    let common = bytes.len().min(6);
    if bytes[..common] == b"PROXY "[..common] {
        return read_line(bytes);
    }
    Err(NoHeader)
}

fn read_line(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let line = &bytes[..bytes.len().min(LONGEST_LINE)];
    let Some(end) = line.windows(2).position(|pair| pair == b"\r\n") else {
        return if line.len() < LONGEST_LINE { Ok(None) } else { Err(NoHeader) };
    };
    let text = std::str::from_utf8(&line[..end]).map_err(|_| NoHeader)?;
    let fields: Vec<&str> = text.split(' ').collect();
    let client = match fields.as_slice() {
        ["PROXY", "UNKNOWN", ..] => None,
        ["PROXY", family @ ("TCP4" | "TCP6"), from, to, from_port, to_port] => {
            let address = |text: &str| -> Result<IpAddr, NoHeader> {
                let address: IpAddr = text.parse().map_err(|_| NoHeader)?;
                if address.is_ipv4() == (*family == "TCP4") { Ok(address) } else { Err(NoHeader) }
            };
            address(to)?;
            port(to_port)?;
            Some(SocketAddr::new(address(from)?, port(from_port)?))
        }
        _ => return Err(NoHeader),
    };
    Ok(Some(Header { length: end + 2, client }))
}

fn port(text: &str) -> Result<u16, NoHeader> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().map_err(|_| NoHeader) } else { Err(NoHeader) }
}

fn read_binary(bytes: &[u8]) -> Result<Option<Header>, NoHeader> {
    let Some((head, rest)) = bytes.split_first_chunk::<16>() else {
        return Ok(None);
    };
    let body = usize::from(u16::from_be_bytes([head[14], head[15]]));
    let command = head[12];
    if body > LONGEST_BODY || !matches!(command, 0x20 | 0x21) {
        return Err(NoHeader);
    }
    let Some(body) = rest.get(..body) else {
        return Ok(None);
    };
    let client = match (command, head[13]) {
        (0x21, 0x11) => Some(client_v4(body).ok_or(NoHeader)?),
        (0x21, 0x21) => Some(client_v6(body).ok_or(NoHeader)?),
        _ => None,
    };
    Ok(Some(Header { length: 16 + body.len(), client }))
}

fn client_v4(body: &[u8]) -> Option<SocketAddr> {
    let body: &[u8; 12] = body.first_chunk()?;
    let address = Ipv4Addr::from(*body.first_chunk::<4>()?);
    Some(SocketAddr::new(address.into(), u16::from_be_bytes([body[8], body[9]])))
}

fn client_v6(body: &[u8]) -> Option<SocketAddr> {
    let body: &[u8; 36] = body.first_chunk()?;
    let address = Ipv6Addr::from(*body.first_chunk::<16>()?);
    Some(SocketAddr::new(address.into(), u16::from_be_bytes([body[32], body[33]])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn address() -> impl Strategy<Value = SocketAddr> {
        let ip = prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from),
        ];
        (ip, any::<u16>()).prop_map(|(ip, port)| SocketAddr::new(ip, port))
    }

    fn version() -> impl Strategy<Value = ProxyVersion> {
        prop_oneof![Just(ProxyVersion::V1), Just(ProxyVersion::V2)]
    }

    #[test]
    fn the_published_forms_are_read() {
        let line = b"PROXY TCP4 192.0.2.1 203.0.113.7 56324 443\r\nGET /";
        let header = read(line).unwrap().unwrap();
        assert_eq!(header.client, Some("192.0.2.1:56324".parse().unwrap()));
        assert_eq!(&line[header.length..], b"GET /");
        let unknown = read(b"PROXY UNKNOWN ff::1 whatever\r\n").unwrap().unwrap();
        assert_eq!(unknown.client, None);
        let local = [&SIGNATURE[..], &[0x20, 0, 0, 3, 1, 2, 3]].concat();
        assert_eq!(read(&local), Ok(Some(Header { length: 19, client: None })));
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let too_long = [&b"PROXY UNKNOWN "[..], &[b'x'; 100]].concat();
        let short_body = [&SIGNATURE[..], &[0x21, 0x11, 0, 2, 1, 2]].concat();
        let version_3 = [&SIGNATURE[..], &[0x31, 0x11, 0, 0]].concat();
        let huge = [&SIGNATURE[..], &[0x21, 0x11, 0xff, 0xff]].concat();
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"PROXY TCP4 ::1 ::1 1 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 1\r\n",
            b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
            &too_long,
            &short_body,
            &version_3,
            &huge,
        ] {
            assert_eq!(read(bytes), Err(NoHeader), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(version in version(), client in address(), to in address(), rest: Vec<u8>) {
            let written = write(version, client, to, None);
            for cut in 0..written.len() {
                prop_assert_eq!(read(&written[..cut]), Ok(None));
            }
            let header = read(&[&written[..], &rest].concat()).unwrap().unwrap();
            prop_assert_eq!(header.length, written.len());
            let (client, to) = (canonical(client), canonical(to));
            let told = client.is_ipv4() == to.is_ipv4();
            prop_assert_eq!(header.client, told.then_some(client));
        }

        #[test]
        fn fuzz_proxy_header(bytes: Vec<u8>, body: Vec<u8>, version in version()) {
            let _ = read(&bytes);
            let start = match version {
                ProxyVersion::V1 => &b"PROXY "[..],
                ProxyVersion::V2 => &SIGNATURE[..],
            };
            if let Ok(Some(header)) = read(&[start, &body].concat()) {
                prop_assert!(header.length <= start.len() + body.len());
            }
        }
    }
}
